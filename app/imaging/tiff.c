#include "imaging/tiff.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tiffio.h>

#include <neuroset/memory.h>

enum { MOST_SIDE = 1 << 16 };
#define MOST_BUFFER (1 << 28) /* bytes of one strip or tile */

struct nset_tiff {
    char *path;
    TIFF *file;
    FILE *raw;        /* of a contiguous stack */
    uint64_t *offset; /* (n_pages) of the directories; of the data of frame 0 when contiguous */
    size_t n_offsets, capacity;
    nset_tiff_info info;
    char *buffer;
    size_t room;
    bool big_endian;
    char words[200]; /* libtiff's own, of the last error */
    int64_t current; /* page whose directory is loaded */
};

/* libtiff's words go into the message instead of to the terminal. */
static int on_error(TIFF *file, void *user, const char *module, const char *format, va_list args)
{
    nset_tiff *t = user;

    (void)file;
    (void)module;
    vsnprintf(t->words, sizeof t->words, format, args);
    return 1;
}

/* Of the warnings one is an error: that a loop of directories, or more of them than libtiff walks, ends the movie. */
static int on_warning(TIFF *file, void *user, const char *module, const char *format, va_list args)
{
    return strstr(format, "loop") ? on_error(file, user, module, format, args) : 1;
}

static nset_status open_file(nset_tiff *t, nset_error *err)
{
    TIFFOpenOptions *o = TIFFOpenOptionsAlloc();
    FILE *probe = fopen(t->path, "rb");
    nset_status status = NSET_OK;

    if (!probe)
        status = nset_fail(err, NSET_ERR_FORMAT, "%s: %s", t->path, strerror(errno));
    else
        fclose(probe);
    if (status == NSET_OK && o) {
        TIFFOpenOptionsSetErrorHandlerExtR(o, on_error, t);
        TIFFOpenOptionsSetWarningHandlerExtR(o, on_warning, t);
        TIFFOpenOptionsSetMaxSingleMemAlloc(o, MOST_BUFFER);
        t->file = TIFFOpenExt(t->path, "rmD", o); /* m: no memory map, D: strips are not joined */
        if (!t->file)
            status = nset_fail(err, NSET_ERR_FORMAT, "%s: this is not a readable TIFF file: %s", t->path,
                t->words[0] ? t->words : "no reason given");
    }
    TIFFOpenOptionsFree(o);
    return status;
}

/* ---- one directory ---- */

typedef struct page {
    uint32_t width, height;
    uint16_t bits, samples, format, photometric;
} page;

static void read_page(TIFF *file, page *p)
{
    *p = (page){ 0 };
    TIFFGetField(file, TIFFTAG_IMAGEWIDTH, &p->width);
    TIFFGetField(file, TIFFTAG_IMAGELENGTH, &p->height);
    TIFFGetFieldDefaulted(file, TIFFTAG_BITSPERSAMPLE, &p->bits);
    TIFFGetFieldDefaulted(file, TIFFTAG_SAMPLESPERPIXEL, &p->samples);
    TIFFGetFieldDefaulted(file, TIFFTAG_SAMPLEFORMAT, &p->format);
    TIFFGetField(file, TIFFTAG_PHOTOMETRIC, &p->photometric);
}

static nset_status check_page(const nset_tiff *t, const page *p, int64_t i, nset_error *err)
{
    bool known = p->format == SAMPLEFORMAT_IEEEFP ? p->bits == 32 || p->bits == 64
                                                  : (p->format == SAMPLEFORMAT_UINT || p->format == SAMPLEFORMAT_INT ||
                                                        p->format == SAMPLEFORMAT_VOID) &&
                                                        (p->bits == 8 || p->bits == 16 || p->bits == 32);

    if (p->samples != 1)
        return nset_fail(err, NSET_ERR_FORMAT,
            "%s: page %lld has %u samples a pixel (colour?); gray frames are expected", t->path, (long long)i,
            p->samples);
    if (p->photometric == PHOTOMETRIC_PALETTE)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: page %lld has a colour palette; gray frames are expected", t->path,
            (long long)i);
    if (!known)
        return nset_fail(err, NSET_ERR_FORMAT,
            "%s: page %lld has %u-bit samples of format %u; 8, 16 or 32-bit integers or "
            "floats are expected",
            t->path, (long long)i, p->bits, p->format);
    if (p->width < 1 || p->height < 1 || p->width > MOST_SIDE || p->height > MOST_SIDE)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: page %lld is %u x %u pixels; sides from 1 to %d are read", t->path,
            (long long)i, p->height, p->width, MOST_SIDE);
    return NSET_OK;
}

static nset_status check_same(const nset_tiff *t, const page *p, int64_t i, nset_error *err)
{
    char kind = p->format == SAMPLEFORMAT_IEEEFP ? 'f' : p->format == SAMPLEFORMAT_INT ? 'i' : 'u';

    if (p->width != t->info.width || p->height != t->info.height || p->bits != t->info.bits || kind != t->info.kind)
        return nset_fail(err, NSET_ERR_FORMAT,
            "%s: page %lld is %u x %u of %u bits, page 0 is %zu x %zu of %d bits: not one "
            "movie",
            t->path, (long long)i, p->height, p->width, p->bits, t->info.height, t->info.width, t->info.bits);
    return NSET_OK;
}

/* ---- ImageJ's description ---- */

static double keyed(const char *text, const char *key)
{
    const char *p = strstr(text, key);

    return p && (p == text || p[-1] == '\n') ? strtod(p + strlen(key), NULL) : 0;
}

static nset_status read_description(nset_tiff *t, nset_error *err)
{
    const char *text = NULL;
    double interval, channels;
    float resolution = 0;

    if (!TIFFGetField(t->file, TIFFTAG_IMAGEDESCRIPTION, &text) || !text || strncmp(text, "ImageJ=", 7))
        return NSET_OK;
    t->info.n_stated = (int64_t)keyed(text, "images=");
    channels = keyed(text, "channels=");
    if (channels > 1 || (keyed(text, "slices=") > 1 && keyed(text, "frames=") > 1))
        return nset_fail(err, NSET_ERR_FORMAT,
            "%s: an ImageJ hyperstack of %g channels, %g slices and %g frames; save one "
            "channel and one plane as a movie",
            t->path, channels > 1 ? channels : 1, keyed(text, "slices="), keyed(text, "frames="));
    interval = keyed(text, "finterval=");
    t->info.rate_hz = interval > 0 ? 1 / interval : keyed(text, "fps=");
    if (TIFFGetField(t->file, TIFFTAG_XRESOLUTION, &resolution) && resolution > 0 &&
        (strstr(text, "unit=micron") || strstr(text, "unit=um") || strstr(text, "unit=\\u00B5m")))
        t->info.pixel_um = 1 / (double)resolution;
    return NSET_OK;
}

/* A file of one directory whose description states many images: they follow the first one in the file. */
static bool is_contiguous(nset_tiff *t)
{
    uint16_t compression = 0;
    uint64_t frame = (uint64_t)t->info.height * t->info.width * (uint64_t)t->info.bits / 8, first, end;
    uint64_t *strips = NULL;

    if (t->info.n_pages != 1 || t->info.n_stated < 2 || TIFFIsTiled(t->file))
        return false;
    TIFFGetFieldDefaulted(t->file, TIFFTAG_COMPRESSION, &compression);
    if (compression != COMPRESSION_NONE || !TIFFGetField(t->file, TIFFTAG_STRIPOFFSETS, &strips) || !strips)
        return false;
    first = strips[0];
    if (!(t->raw = fopen(t->path, "rb")) || fseeko(t->raw, 0, SEEK_END))
        return false;
    end = (uint64_t)ftello(t->raw);
    if (first > end || (end - first) / frame < (uint64_t)t->info.n_stated)
        return false;
    t->offset[0] = first;
    return true;
}

static nset_status settle_frames(nset_tiff *t, const char *believe, nset_error *err)
{
    nset_tiff_info *n = &t->info;

    n->n_frames = n->n_pages;
    if (n->n_stated == 0 || n->n_stated == n->n_pages)
        return NSET_OK;
    if (is_contiguous(t)) {
        n->contiguous = true;
        n->n_frames = n->n_stated;
        return NSET_OK;
    }
    if (believe && !strcmp(believe, "pages"))
        return NSET_OK;
    if (believe && !strcmp(believe, "metadata") && n->n_stated <= n->n_pages) {
        n->n_frames = n->n_stated;
        return NSET_OK;
    }
    return nset_fail(err, NSET_ERR_FORMAT,
        "%s: the file has %lld pages, its ImageJ description states %lld images; say whom "
        "to believe: --believe pages%s",
        t->path, (long long)n->n_pages, (long long)n->n_stated, n->n_stated < n->n_pages ? " or metadata" : "");
}

/* A small copy of a page, no frame of its own. */
static bool is_thumbnail(TIFF *file)
{
    uint32_t kind = 0;

    return TIFFGetField(file, TIFFTAG_SUBFILETYPE, &kind) && (kind & FILETYPE_REDUCEDIMAGE);
}

static nset_status walk_pages(nset_tiff *t, nset_error *err)
{
    nset_status status;
    page p;

    do {
        read_page(t->file, &p);
        if (t->info.n_pages == 0) {
            if ((status = check_page(t, &p, 0, err)) != NSET_OK)
                return status;
            t->info.height = p.height;
            t->info.width = p.width;
            t->info.bits = p.bits;
            t->info.kind = p.format == SAMPLEFORMAT_IEEEFP ? 'f' : p.format == SAMPLEFORMAT_INT ? 'i' : 'u';
            if ((status = read_description(t, err)) != NSET_OK)
                return status;
        } else if (is_thumbnail(t->file)) {
            continue;
        } else if ((status = check_page(t, &p, t->info.n_pages, err)) != NSET_OK ||
                   (status = check_same(t, &p, t->info.n_pages, err)) != NSET_OK) {
            return status;
        }
        if ((status = nset_grow(&t->offset, &t->capacity, t->n_offsets + 1, sizeof *t->offset, err)) != NSET_OK)
            return status;
        t->offset[t->n_offsets++] = TIFFCurrentDirOffset(t->file);
        t->info.n_pages++;
        t->words[0] = '\0';
    } while (TIFFReadDirectory(t->file));
    if (t->words[0])
        return nset_fail(
            err, NSET_ERR_FORMAT, "%s: page %lld is damaged: %s", t->path, (long long)t->info.n_pages, t->words);
    t->current = t->info.n_pages - 1;
    return NSET_OK;
}

nset_status nset_tiff_open(nset_tiff **out, const char *path, const char *believe, nset_error *err)
{
    nset_tiff *t = nset_calloc(1, sizeof *t);
    nset_status status;

    if (!t)
        return nset_fail_oom(err, 1, sizeof *t);
    if (!(t->path = nset_strdup(path)))
        status = nset_fail_oom(err, strlen(path), 1);
    else if ((status = open_file(t, err)) == NSET_OK && (status = walk_pages(t, err)) == NSET_OK) {
        if (TIFFCurrentDirOffset(t->file) == t->offset[0] || TIFFSetSubDirectory(t->file, t->offset[0])) {
            t->current = 0;
            t->big_endian = TIFFIsBigEndian(t->file);
            status = settle_frames(t, believe, err);
        } else {
            status = nset_fail(err, NSET_ERR_FORMAT, "%s: page 0 cannot be read again: %s", path, t->words);
        }
    }
    if (status != NSET_OK) {
        nset_tiff_close(t);
        return status;
    }
    *out = t;
    return NSET_OK;
}

void nset_tiff_close(nset_tiff *t)
{
    if (!t)
        return;
    if (t->file)
        TIFFClose(t->file);
    if (t->raw)
        fclose(t->raw);
    nset_free(t->path);
    nset_free(t->offset);
    nset_free(t->buffer);
    nset_free(t);
}

const nset_tiff_info *nset_tiff_about(const nset_tiff *t)
{
    return &t->info;
}

/* ---- pixels ---- */

static nset_status need_buffer(nset_tiff *t, uint64_t bytes, nset_error *err)
{
    if (bytes > MOST_BUFFER)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: a strip or tile of %llu bytes is larger than any real one", t->path,
            (unsigned long long)bytes);
    if (bytes <= t->room)
        return NSET_OK;
    nset_free(t->buffer);
    t->room = 0;
    if (!(t->buffer = nset_calloc(bytes, 1)))
        return nset_fail_oom(err, bytes, 1);
    t->room = bytes;
    return NSET_OK;
}

#define CONVERT(type)                                                                                                  \
    for (size_t i = 0; i < n; i++) {                                                                                   \
        type v;                                                                                                        \
        memcpy(&v, from + i * sizeof v, sizeof v);                                                                     \
        to[i] = (float)v;                                                                                              \
    }

static void convert(const nset_tiff *t, float *to, const char *from, size_t n)
{
    switch (t->info.kind << 8 | t->info.bits) {
    case 'u' << 8 | 8:
        CONVERT(uint8_t)
        break;
    case 'i' << 8 | 8:
        CONVERT(int8_t)
        break;
    case 'u' << 8 | 16:
        CONVERT(uint16_t)
        break;
    case 'i' << 8 | 16:
        CONVERT(int16_t)
        break;
    case 'u' << 8 | 32:
        CONVERT(uint32_t)
        break;
    case 'i' << 8 | 32:
        CONVERT(int32_t)
        break;
    case 'f' << 8 | 32:
        CONVERT(float)
        break;
    default:
        CONVERT(double)
        break;
    }
    for (size_t i = 0; i < n && t->info.kind == 'f'; i++)
        to[i] = isfinite(to[i]) ? to[i] : 0;
}

static nset_status read_strips(nset_tiff *t, float *frame, int64_t i, nset_error *err)
{
    size_t item = (size_t)t->info.bits / 8, width = t->info.width, row = 0;
    uint32_t rows = 0;
    nset_status status;

    TIFFGetFieldDefaulted(t->file, TIFFTAG_ROWSPERSTRIP, &rows);
    if (rows == 0 || rows > t->info.height)
        rows = (uint32_t)t->info.height;
    if ((status = need_buffer(t, (uint64_t)rows * width * item, err)) != NSET_OK)
        return status;
    for (uint32_t s = 0; row < t->info.height; s++, row += rows) {
        size_t n = t->info.height - row < rows ? t->info.height - row : rows;
        tmsize_t want = (tmsize_t)(n * width * item);
        if (TIFFReadEncodedStrip(t->file, s, t->buffer, want) != want)
            return nset_fail(err, NSET_ERR_FORMAT, "%s: page %lld, row %zu: %s", t->path, (long long)i, row,
                t->words[0] ? t->words : "the data are cut short");
        convert(t, frame + row * width, t->buffer, n * width);
    }
    return NSET_OK;
}

static nset_status read_tiles(nset_tiff *t, float *frame, int64_t i, nset_error *err)
{
    uint32_t tw = 0, th = 0;
    size_t item = (size_t)t->info.bits / 8;
    nset_status status;

    TIFFGetField(t->file, TIFFTAG_TILEWIDTH, &tw);
    TIFFGetField(t->file, TIFFTAG_TILELENGTH, &th);
    if (tw == 0 || th == 0)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: page %lld has tiles of %u x %u", t->path, (long long)i, th, tw);
    if ((status = need_buffer(t, (uint64_t)tw * th * item, err)) != NSET_OK)
        return status;
    for (uint32_t y = 0; y < t->info.height; y += th)
        for (uint32_t x = 0; x < t->info.width; x += tw) {
            size_t rows = t->info.height - y < th ? t->info.height - y : th;
            size_t columns = t->info.width - x < tw ? t->info.width - x : tw;
            if (TIFFReadTile(t->file, t->buffer, x, y, 0, 0) < 0)
                return nset_fail(err, NSET_ERR_FORMAT, "%s: page %lld, tile at row %u, column %u: %s", t->path,
                    (long long)i, y, x, t->words);
            for (size_t r = 0; r < rows; r++)
                convert(t, frame + (y + r) * t->info.width + x, t->buffer + r * tw * item, columns);
        }
    return NSET_OK;
}

static nset_status read_contiguous(nset_tiff *t, float *frame, int64_t i, nset_error *err)
{
    size_t item = (size_t)t->info.bits / 8, n = t->info.height * t->info.width;
    nset_status status;

    if ((status = need_buffer(t, n * item, err)) != NSET_OK)
        return status;
    if (fseeko(t->raw, (off_t)(t->offset[0] + (uint64_t)i * n * item), SEEK_SET) ||
        fread(t->buffer, item, n, t->raw) != n)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: frame %lld: the file ended", t->path, (long long)i);
    if (t->big_endian)
        for (size_t k = 0; k < n; k++)
            for (size_t a = 0; a < item / 2; a++) {
                char *p = t->buffer + k * item, swap = p[a];
                p[a] = p[item - 1 - a];
                p[item - 1 - a] = swap;
            }
    convert(t, frame, t->buffer, n);
    return NSET_OK;
}

nset_status nset_tiff_read(nset_tiff *t, float *frame, int64_t i, nset_error *err)
{
    if (t->info.contiguous)
        return read_contiguous(t, frame, i, err);
    t->words[0] = '\0';
    if (t->current != i && !TIFFSetSubDirectory(t->file, t->offset[i]))
        return nset_fail(err, NSET_ERR_FORMAT, "%s: page %lld cannot be read: %s", t->path, (long long)i, t->words);
    t->current = i;
    return TIFFIsTiled(t->file) ? read_tiles(t, frame, i, err) : read_strips(t, frame, i, err);
}
