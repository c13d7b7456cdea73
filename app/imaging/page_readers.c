#include "imaging/page_readers.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <tiffio.h>
#include <unistd.h>

#include <neuroset/memory.h>

#define MOST_BUFFER (1 << 29) /* bytes of one strip or tile */
#define SLICE (1 << 18)       /* bytes read at once of plain pages: they are converted while they are in the cache */

typedef struct reader {
    struct reader *next;
    uint32_t file; /* that fd and tiff belong to */
    int fd;        /* -1: none */
    TIFF *tiff;    /* NULL: none */
    uint64_t ifd;  /* directory that tiff has loaded */
    unsigned char *buffer;
    size_t room;
    char words[200]; /* libtiff's own, of the last error */
} reader;

struct nset_page_readers {
    pthread_mutex_t lock;
    reader *idle;
};

nset_status nset_page_readers_create(nset_page_readers **out, nset_error *err)
{
    nset_page_readers *r = nset_calloc(1, sizeof *r);

    if (!r)
        return nset_fail_oom(err, 1, sizeof *r);
    pthread_mutex_init(&r->lock, NULL);
    *out = r;
    return NSET_OK;
}

static void leave_file(reader *r)
{
    if (r->tiff)
        TIFFClose(r->tiff);
    if (r->fd >= 0)
        close(r->fd);
    r->tiff = NULL;
    r->fd = -1;
    r->ifd = 0;
}

void nset_page_readers_free(nset_page_readers *r)
{
    reader *next;

    if (!r)
        return;
    for (reader *i = r->idle; i; i = next) {
        next = i->next;
        leave_file(i);
        nset_free(i->buffer);
        nset_free(i);
    }
    pthread_mutex_destroy(&r->lock);
    nset_free(r);
}

/* An idle reader, of that file when there is one. */
static reader *take_reader(nset_page_readers *all, uint32_t file)
{
    reader **best = NULL, *r = NULL;

    pthread_mutex_lock(&all->lock);
    for (reader **at = &all->idle; *at; at = &(*at)->next)
        if (!best || (*at)->file == file)
            best = at;
    if (best) {
        r = *best;
        *best = r->next;
    }
    pthread_mutex_unlock(&all->lock);
    if (!r && (r = nset_calloc(1, sizeof *r)))
        r->fd = -1;
    if (r && r->file != file)
        leave_file(r);
    if (r)
        r->file = file;
    return r;
}

static void give_reader(nset_page_readers *all, reader *r)
{
    pthread_mutex_lock(&all->lock);
    r->next = all->idle;
    all->idle = r;
    pthread_mutex_unlock(&all->lock);
}

static nset_status need_buffer(reader *r, uint64_t bytes, const char *path, nset_error *err)
{
    if (bytes > MOST_BUFFER)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: a strip or tile of %llu bytes is larger than any real one", path,
            (unsigned long long)bytes);
    if (bytes <= r->room)
        return NSET_OK;
    nset_free(r->buffer);
    r->room = 0;
    if (!(r->buffer = nset_calloc(bytes, 1)))
        return nset_fail_oom(err, bytes, 1);
    r->room = bytes;
    return NSET_OK;
}

/* ---- libtiff ---- */

/* libtiff's words go into the message instead of to the terminal. */
static int on_error(TIFF *file, void *user, const char *module, const char *format, va_list args)
{
    reader *r = user;

    (void)file;
    (void)module;
    if (!r->words[0])
        vsnprintf(r->words, sizeof r->words, format, args);
    return 1;
}

static int on_warning(TIFF *file, void *user, const char *module, const char *format, va_list args)
{
    (void)file;
    (void)user;
    (void)module;
    (void)format;
    (void)args;
    return 1;
}

/* Loads the directory at ifd of the reader's file. */
static bool load_directory(reader *r, const char *path, uint64_t ifd)
{
    TIFFOpenOptions *o;

    r->words[0] = '\0';
    if (r->tiff && r->ifd == ifd)
        return true;
    r->ifd = 0;
    if (!r->tiff && (o = TIFFOpenOptionsAlloc())) {
        TIFFOpenOptionsSetErrorHandlerExtR(o, on_error, r);
        TIFFOpenOptionsSetWarningHandlerExtR(o, on_warning, r);
        TIFFOpenOptionsSetMaxSingleMemAlloc(o, MOST_BUFFER);
        r->tiff = TIFFOpenExt(path, "rmhD", o); /* m: no memory map, h: no directory yet, D: no tables of strips yet */
        TIFFOpenOptionsFree(o);
    }
    if (!r->tiff || !TIFFSetSubDirectory(r->tiff, ifd))
        return false;
    r->ifd = ifd;
    return true;
}

nset_status nset_page_readers_check(
    const nset_pages *p, const nset_page_kind *k, uint32_t file, uint64_t ifd, size_t n, nset_error *err)
{
    const char *path = p->file[file].path;
    nset_status status = NSET_OK;
    reader *r;

    if (!TIFFIsCODECConfigured(k->compression))
        return nset_fail(err, NSET_ERR_FORMAT,
            "%s: page %zu is compressed by method %u, which this libtiff does not know%s; save it uncompressed or as "
            "deflate",
            path, n, k->compression,
            k->compression == 34712   ? " (JPEG 2000)"
            : k->compression == 50002 ? " (JPEG XL)"
                                      : "");
    if (k->compression == COMPRESSION_OJPEG || k->compression == COMPRESSION_SGILOG ||
        k->compression == COMPRESSION_SGILOG24 ||
        (k->photometric == PHOTOMETRIC_YCBCR && k->compression != COMPRESSION_JPEG))
        return nset_fail(err, NSET_ERR_FORMAT,
            "%s: page %zu is a colour photograph (method %u, photometric %u), not a frame of a movie", path, n,
            k->compression, k->photometric);
    if (!(r = take_reader(p->readers, file)))
        return nset_fail_oom(err, 1, sizeof *r);
    if (!load_directory(r, path, ifd))
        status = nset_fail(err, NSET_ERR_FORMAT, "%s: page %zu: libtiff refuses its directory: %s", path, n,
            r->words[0] ? r->words : "no reason given");
    give_reader(p->readers, r);
    return status;
}

/* ---- pixels ---- */

/* What decoding one plane of a page needs. */
typedef struct job {
    const nset_pages *p;
    const nset_page_kind *k;
    reader *r;
    float *to;
    size_t page, sample, row_bytes; /* of a row of a strip */
    bool whole;                     /* no 64-bit integer was beyond 2^53 */
} job;

static size_t n_together(const nset_page_kind *k)
{
    return k->planar == PLANARCONFIG_SEPARATE ? 1 : k->samples;
}

/* n pixels of one row, from their bytes. */
static void put(job *j, size_t row, size_t column, const unsigned char *from, size_t n, bool swap)
{
    size_t samples = n_together(j->k), first = samples > 1 ? j->sample : 0, item = (size_t)j->p->type.bits / 8;
    float *to = j->to + row * j->k->width + column;

    if (nset_sample_is_packed(j->p->type))
        nset_samples_unpack(to, from, n, first, samples, j->p->type.bits);
    else
        j->whole = nset_samples_convert(to, from + first * item, n, samples * item, j->p->type, swap) && j->whole;
}

/* Samples of 24 bits are packed ones: their highest byte comes first in files of either order. What libtiff decodes it
 * has turned if the file is of the other order. */
static bool other_order(const job *j, bool decoded)
{
    const nset_tiff_file *f = &j->p->file[j->r->file];

    return j->p->type.bits == 24 ? !decoded || !f->swap : !decoded && f->swap;
}

static nset_status page_error(const job *j, const char *what, size_t row, nset_error *err)
{
    const nset_page *page = &j->p->page[j->page];
    size_t first = j->page;

    while (first > 0 && j->p->page[first - 1].file == page->file)
        first--;
    return nset_fail(
        err, NSET_ERR_FORMAT, "%s: page %zu, row %zu: %s", j->p->file[page->file].path, j->page - first, row, what);
}

static nset_status read_plain(job *j, nset_error *err)
{
    const nset_page *page = &j->p->page[j->page];
    const nset_tiff_file *f = &j->p->file[page->file];
    size_t at_once = SLICE / j->row_bytes ? SLICE / j->row_bytes : 1, height = j->k->height;
    nset_tiff_file open_file = *f;
    nset_status status;

    if (j->r->fd < 0 && (j->r->fd = open(f->path, O_RDONLY | O_CLOEXEC)) < 0)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: %s", f->path, strerror(errno));
    if ((status = need_buffer(j->r, at_once * j->row_bytes, f->path, err)) != NSET_OK)
        return status;
    open_file.fd = j->r->fd;
    for (size_t row = 0; row < height; row += at_once) {
        size_t n = height - row < at_once ? height - row : at_once;
        if (!nset_tiff_file_bytes(&open_file, j->r->buffer, page->plain + row * j->row_bytes, n * j->row_bytes))
            return page_error(j, "the pixels cannot be read: did the file become shorter?", row, err);
        put(j, row, 0, j->r->buffer, n * j->k->width, other_order(j, false)); /* rows follow each other without a gap */
    }
    return NSET_OK;
}

/* A strip of rows, or tile, whose offset and size are both 0 was never written: it is 0. */
static bool is_sparse(TIFF *file, uint32_t strile)
{
    return TIFFGetStrileByteCount(file, strile) == 0 && TIFFGetStrileOffset(file, strile) == 0;
}

static nset_status read_strips(job *j, nset_error *err)
{
    size_t height = j->k->height, row = 0, item = (size_t)j->p->type.bits;
    TIFF *file = j->r->tiff;
    uint32_t rows = 0, strip = 0;
    nset_status status;

    TIFFGetFieldDefaulted(file, TIFFTAG_ROWSPERSTRIP, &rows); /* libtiff cuts one huge strip into virtual ones */
    if (rows == 0 || rows > height)
        rows = (uint32_t)height;
    if ((status = need_buffer(j->r, rows * j->row_bytes, j->p->file[j->r->file].path, err)) != NSET_OK)
        return status;
    if (j->k->planar == PLANARCONFIG_SEPARATE)
        strip = (uint32_t)(j->sample * ((height + rows - 1) / rows));
    for (; row < height; strip++, row += rows) {
        size_t n = height - row < rows ? height - row : rows;
        tmsize_t want = (tmsize_t)(n * j->row_bytes);
        if (item % 8 && j->k->compression == COMPRESSION_NONE && TIFFGetStrileByteCount(file, strip) != (uint64_t)want)
            return page_error(j, "the strip has not the size that samples of so few bits need", row, err);
        if (is_sparse(file, strip))
            memset(j->r->buffer, 0, (size_t)want);
        else if (TIFFReadEncodedStrip(file, strip, j->r->buffer, want) != want)
            return page_error(j, j->r->words[0] ? j->r->words : "the data are cut short", row, err);
        for (size_t i = 0; i < n; i++)
            put(j, row + i, 0, j->r->buffer + i * j->row_bytes, j->k->width, other_order(j, true));
    }
    return NSET_OK;
}

static nset_status read_tiles(job *j, nset_error *err)
{
    uint32_t tw = j->k->tile_width, th = j->k->tile_height;
    TIFF *file = j->r->tiff;
    uint64_t bytes = TIFFTileSize64(file);
    size_t row_bytes = (size_t)TIFFTileRowSize64(file);
    nset_status status;

    if (tw == 0 || th == 0 || bytes == 0 || row_bytes == 0 || bytes / row_bytes < th)
        return page_error(j, "tiles of no size", 0, err);
    if ((status = need_buffer(j->r, bytes, j->p->file[j->r->file].path, err)) != NSET_OK)
        return status;
    for (uint32_t y = 0; y < j->k->height; y += th)
        for (uint32_t x = 0; x < j->k->width; x += tw) {
            size_t rows = j->k->height - y < th ? j->k->height - y : th;
            size_t columns = j->k->width - x < tw ? j->k->width - x : tw;
            uint32_t tile = TIFFComputeTile(file, x, y, 0, (uint16_t)j->sample);
            if (is_sparse(file, tile))
                memset(j->r->buffer, 0, bytes);
            else if (TIFFReadEncodedTile(file, tile, j->r->buffer, (tmsize_t)bytes) != (tmsize_t)bytes)
                return page_error(j, j->r->words[0] ? j->r->words : "the data are cut short", y, err);
            for (size_t i = 0; i < rows; i++)
                put(j, y + i, x, j->r->buffer + i * row_bytes, columns, other_order(j, true));
        }
    return NSET_OK;
}

static nset_status read_through_libtiff(job *j, nset_error *err)
{
    const nset_page *page = &j->p->page[j->page];

    if (!load_directory(j->r, j->p->file[page->file].path, page->ifd))
        return page_error(j, j->r->words[0] ? j->r->words : "its directory cannot be read again", 0, err);
    if (j->k->compression == COMPRESSION_JPEG && j->k->photometric == PHOTOMETRIC_YCBCR)
        TIFFSetField(j->r->tiff, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
    return TIFFIsTiled(j->r->tiff) ? read_tiles(j, err) : read_strips(j, err);
}

nset_status nset_pages_read(const nset_pages *p, float *to, size_t page, size_t sample, nset_error *err)
{
    const nset_page_kind *k = &p->kind[p->page[page].kind];
    job j = { .p = p, .k = k, .to = to, .page = page, .sample = sample, .whole = true };
    nset_status status;

    j.row_bytes = ((size_t)k->width * n_together(k) * (size_t)p->type.bits + 7) / 8;
    if (!(j.r = take_reader(p->readers, p->page[page].file)))
        return nset_fail_oom(err, 1, sizeof *j.r);
    status = p->page[page].plain || !p->page[page].ifd ? read_plain(&j, err) : read_through_libtiff(&j, err);
    if (status == NSET_OK && !j.whole)
        status = page_error(&j, "an integer is beyond 2^53, where neighbours become one number", 0, err);
    if (k->photometric == PHOTOMETRIC_MINISWHITE && p->type.kind == 'u' && status == NSET_OK) {
        float most = (float)(p->type.bits < 64 ? (UINT64_C(1) << p->type.bits) - 1 : UINT64_MAX);
        for (size_t i = 0; i < (size_t)k->width * k->height; i++)
            to[i] = most - to[i];
    }
    give_reader(p->readers, j.r);
    return status;
}
