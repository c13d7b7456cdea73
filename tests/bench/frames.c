/* frames make OUT N [MOVIE]: a BigTIFF of N pages. They show the pages of MOVIE (16 bits, gray) over and over, whose
 * pixels the file holds once; without MOVIE they are 512 x 512 zeros that take no disk.
 * frames read FILE: reads all pages through libtiff and prints frames a second of processor time. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tiffio.h>
#include <time.h>
#include <unistd.h>

enum { TAGS = 9, SIDE = 512, MOST_PAGES = 1000 };

static int fail(const char *what)
{
    fprintf(stderr, "frames: %s\n", what);
    return 1;
}

static void put(FILE *f, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        fputc((int)(value >> 8 * i & 255), f);
}

static void put_tag(FILE *f, int tag, int type, uint64_t value)
{
    put(f, (uint64_t)tag, 2);
    put(f, (uint64_t)type, 2);
    put(f, 1, 8);
    put(f, value, 8);
}

/* One directory, the pixels at data; next: place of the following one, 0: none. */
static void put_page(FILE *f, uint64_t height, uint64_t width, uint64_t data, uint64_t next)
{
    put(f, TAGS, 8);
    put_tag(f, TIFFTAG_IMAGEWIDTH, TIFF_LONG, width);
    put_tag(f, TIFFTAG_IMAGELENGTH, TIFF_LONG, height);
    put_tag(f, TIFFTAG_BITSPERSAMPLE, TIFF_SHORT, 16);
    put_tag(f, TIFFTAG_COMPRESSION, TIFF_SHORT, COMPRESSION_NONE);
    put_tag(f, TIFFTAG_PHOTOMETRIC, TIFF_SHORT, PHOTOMETRIC_MINISBLACK);
    put_tag(f, TIFFTAG_STRIPOFFSETS, TIFF_LONG8, data);
    put_tag(f, TIFFTAG_SAMPLESPERPIXEL, TIFF_SHORT, 1);
    put_tag(f, TIFFTAG_ROWSPERSTRIP, TIFF_LONG, height);
    put_tag(f, TIFFTAG_STRIPBYTECOUNTS, TIFF_LONG8, 2 * height * width);
    put(f, next, 8);
}

/* Pages of a movie, as many as there are; *n of them. NULL: it cannot be read. */
static unsigned char *load(const char *path, uint32_t *height, uint32_t *width, uint64_t *n)
{
    TIFF *t = TIFFOpen(path, "r");
    unsigned char *x = NULL;
    uint64_t bytes;

    if (!t)
        return NULL;
    TIFFGetField(t, TIFFTAG_IMAGEWIDTH, width);
    TIFFGetField(t, TIFFTAG_IMAGELENGTH, height);
    bytes = (uint64_t)*width * *height * 2;
    *n = 0;
    do {
        unsigned char *more = realloc(x, (*n + 1) * bytes);
        uint64_t at = *n * bytes;
        if (!more)
            break;
        x = more;
        for (uint32_t s = 0; s < TIFFNumberOfStrips(t); s++) {
            tmsize_t got = TIFFReadEncodedStrip(t, s, x + at, -1);
            at += got > 0 ? (uint64_t)got : 0;
        }
    } while (++*n < MOST_PAGES && TIFFReadDirectory(t));
    TIFFClose(t);
    return x;
}

static int make(const char *out, uint64_t n, const char *movie)
{
    uint32_t height = SIDE, width = SIDE;
    uint64_t shown = 0, page = 8 + 20 * TAGS + 8, data = 16 + n * page, bytes;
    unsigned char *x = movie ? load(movie, &height, &width, &shown) : NULL;
    FILE *f = fopen(out, "wb");
    int bad;

    if (!f || (movie && !x))
        return fail("a file cannot be opened");
    bytes = (uint64_t)height * width * 2;
    put(f, 0x002b4949, 4); /* II, 43: BigTIFF */
    put(f, 8, 4);
    put(f, 16, 8);
    for (uint64_t i = 0; i < n; i++)
        put_page(f, height, width, data + (x ? i % shown : i) * bytes, i + 1 < n ? 16 + (i + 1) * page : 0);
    if (x)
        fwrite(x, 1, shown * bytes, f);
    bad = fflush(f) || (!x && ftruncate(fileno(f), (off_t)(data + n * bytes)));
    bad = fclose(f) || bad;
    free(x);
    return bad ? fail("cannot be written") : 0;
}

static int read_all(const char *path)
{
    TIFF *t = TIFFOpen(path, "r");
    clock_t from = clock();
    unsigned char *x;
    long n = 0;

    if (!t || !(x = malloc((size_t)TIFFStripSize(t))))
        return fail("cannot be read");
    do
        for (uint32_t s = 0; s < TIFFNumberOfStrips(t); s++)
            if (TIFFReadEncodedStrip(t, s, x, -1) < 0)
                return fail("a page cannot be read");
    while (++n && TIFFReadDirectory(t));
    printf("%.0f\n", (double)n / ((double)(clock() - from) / CLOCKS_PER_SEC));
    free(x);
    TIFFClose(t);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 3 && !strcmp(argv[1], "make"))
        return make(argv[2], strtoull(argv[3], NULL, 10), argc > 4 ? argv[4] : NULL);
    if (argc > 2 && !strcmp(argv[1], "read"))
        return read_all(argv[2]);
    return fail("make OUT N [MOVIE] or read FILE");
}
