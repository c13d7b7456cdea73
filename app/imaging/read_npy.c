/* NumPy arrays: (time, y, x), (time, plane, y, x) or (time, plane, channel, y, x); two axes are one frame. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <neuroset/memory.h>

#include "imaging/blocks.h"
#include "imaging/movie_input.h"
#include "results/npy_header.h"

static bool knows(const nset_movie_input *in)
{
    return in->n == 1 && (!memcmp(in->head, "\223NUMPY", 6) || nset_path_ends(in->path[0], ".npy"));
}

/* An array's axes, filled up to (t, z, c, y, x). */
typedef struct array {
    int64_t size[5];
    nset_page_kind kind;
    nset_sample_type type;
    bool swap, fortran;
    int64_t data;
} array;

static bool parse_type(array *a, const char *descr)
{
    bool has_order = descr[0] && strchr("<>|=", descr[0]);
    const char *type = descr + has_order;
    int bytes = strlen(type) == 2 ? type[1] - '0' : 0;

    if (!strchr("biuf", type[0]) || (bytes != 1 && bytes != 2 && bytes != 4 && bytes != 8) ||
        (type[0] == 'f' && bytes == 1) || (type[0] == 'b' && bytes != 1))
        return false;
    a->type = (nset_sample_type){ type[0] == 'b' ? 'u' : type[0], 8 * bytes };
    a->swap = descr[0] == '>';
    a->kind = (nset_page_kind){ .samples = 1,
        .bits = (uint16_t)(8 * bytes),
        .format = a->type.kind == 'u'   ? 1
                  : a->type.kind == 'i' ? 2
                                        : 3,
        .compression = 1,
        .photometric = 1,
        .planar = 1,
        .predictor = 1,
        .fill_order = 1 };
    return true;
}

static nset_status parse(array *a, const nset_npy_header *h, const char *path, nset_error *err)
{
    static const int place[6][5] = { { 0 }, { 0 }, { 3, 4 }, { 0, 3, 4 }, { 0, 1, 3, 4 }, { 0, 1, 2, 3, 4 } };

    *a = (array){ .size = { 1, 1, 1, 1, 1 }, .data = h->data, .fortran = h->fortran };
    if (!parse_type(a, h->descr))
        return nset_fail(err, NSET_ERR_FORMAT, "%s: the array's type '%s' is not read here%s", path, h->descr,
            strchr(h->descr, 'O') ? ": objects are never loaded" : "");
    if (h->n_axes < 2 || h->n_axes > 5)
        return nset_fail(err, NSET_ERR_FORMAT,
            "%s: an array of %zu axes; a movie has 3 (time, y, x) to 5 (time, plane, "
            "channel, y, x)",
            path, h->n_axes);
    for (size_t i = 0; i < h->n_axes; i++)
        a->size[place[h->n_axes][i]] = h->shape[i];
    for (int i = 0; i < 5; i++)
        if (a->size[i] < 1 || a->size[i] > (i > 2 ? 1 << 20 : INT64_C(1) << 32))
            return nset_fail(err, NSET_ERR_FORMAT, "%s: an axis of %lld", path, (long long)a->size[i]);
    a->kind.height = (uint32_t)a->size[3];
    a->kind.width = (uint32_t)a->size[4];
    return NSET_OK;
}

/* ---- Fortran order: the frames' numbers of a pixel lie side by side ---- */

typedef struct columns {
    nset_block_source base;
    array a;
    nset_tiff_file file;
    unsigned char *bytes;
    size_t room;
} columns;

static nset_status fetch(nset_block_source *self, float *to, size_t series, int64_t first, int64_t n, nset_error *err)
{
    columns *c = (columns *)self;
    const int64_t *size = c->a.size;
    size_t item = (size_t)c->a.type.bits / 8, pixels = self->height * self->width;
    uint64_t z = series / (size_t)size[2], channel = series % (size_t)size[2], t = (uint64_t)size[0];
    float *column = NULL;
    nset_status status = nset_grow(&c->bytes, &c->room, (size_t)n * (item + sizeof *column), 1, err);
    bool exact = true;

    if (status != NSET_OK)
        return status;
    column = (float *)(void *)c->bytes; /* behind it the bytes of a column */
    for (size_t p = 0; p < pixels; p++) {
        uint64_t y = p / self->width, x = p % self->width;
        uint64_t at =
            (uint64_t)first + t * (z + (uint64_t)size[1] * (channel + (uint64_t)size[2] * (y + (uint64_t)size[3] * x)));
        unsigned char *raw = c->bytes + (size_t)n * sizeof *column;
        if (!nset_tiff_file_bytes(&c->file, raw, (uint64_t)c->a.data + at * item, (size_t)n * item))
            return nset_fail(err, NSET_ERR_FORMAT, "%s: frame %lld: the file ended", c->file.path, (long long)first);
        exact = nset_samples_convert(column, raw, (size_t)n, item, c->a.type, c->a.swap) && exact;
        for (int64_t i = 0; i < n; i++)
            to[(size_t)i * pixels + p] = column[i];
    }
    return exact ? NSET_OK
                 : nset_fail(err, NSET_ERR_FORMAT, "%s: frame %lld: an integer is beyond 2^53", c->file.path,
                       (long long)first);
}

static void close_columns(nset_block_source *self)
{
    columns *c = (columns *)self;

    nset_tiff_file_close(&c->file);
    nset_free(c->bytes);
    nset_free(c);
}

static nset_status open_columns(nset_movie_layout *l, const array *a, const char *path, nset_error *err)
{
    columns *c = nset_calloc(1, sizeof *c);
    uint64_t bytes = (uint64_t)a->type.bits / 8;
    nset_status status;

    if (!c)
        return nset_fail_oom(err, 1, sizeof *c);
    c->base = (nset_block_source){ (size_t)a->size[3], (size_t)a->size[4], a->size[0],
        (size_t)(a->size[1] * a->size[2]), 1, fetch, close_columns };
    c->a = *a;
    if ((status = nset_tiff_file_open_raw(&c->file, path, err)) != NSET_OK) {
        nset_free(c);
        return status;
    }
    for (int i = 0; i < 5; i++) {
        if (bytes > c->file.size / (uint64_t)a->size[i])
            status =
                nset_fail(err, NSET_ERR_FORMAT, "%s: the header states more numbers than the file's %llu bytes hold",
                    path, (unsigned long long)c->file.size);
        bytes *= (uint64_t)a->size[i];
    }
    if (status == NSET_OK && bytes > c->file.size - (uint64_t)a->data)
        status = nset_fail(err, NSET_ERR_FORMAT, "%s: the header states %llu bytes of numbers, the file has %llu", path,
            (unsigned long long)bytes, (unsigned long long)(c->file.size - (uint64_t)a->data));
    if (status != NSET_OK) {
        close_columns(&c->base);
        return status;
    }
    l->dtype = nset_sample_name(a->type);
    nset_movie_warn(l, "the array is in Fortran order, a frame is spread over the whole file: reading is slow");
    return nset_blocks_open(&l->pictures, &c->base, err);
}

static nset_status read_npy(nset_movie_layout *l, const nset_movie_input *in, nset_error *err)
{
    static const char *const from = "shape in the NumPy header";
    const char *path = in->path[0];
    nset_npy_header h;
    nset_status status;
    int64_t n, frame;
    struct stat s;
    array a;

    if ((status = nset_npy_header_read(&h, path, err)) != NSET_OK || (status = parse(&a, &h, path, err)) != NSET_OK)
        return status;
    if (a.size[1] > 1 << 20 || a.size[2] > 1 << 20)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: %lld planes and %lld channels", path, (long long)a.size[1],
            (long long)a.size[2]);
    n = a.size[1] * a.size[2];
    frame = a.size[3] * a.size[4] * (a.type.bits / 8);
    if (stat(path, &s) || s.st_size < a.data || a.size[0] > (s.st_size - a.data) / frame / n)
        return nset_fail(err, NSET_ERR_FORMAT,
            "%s: the header states %lld x %lld frames of %lld bytes, the file has %lld bytes", path,
            (long long)a.size[0], (long long)n, (long long)frame, (long long)s.st_size);
    status = a.fortran ? open_columns(l, &a, path, err)
                       : nset_pages_add_raw(
                             &l->pages, path, &a.kind, (uint64_t)a.data, (uint64_t)(a.size[0] * n), a.swap, err);
    if (status != NSET_OK)
        return status;
    if (s.st_size > a.data + a.size[0] * n * frame)
        nset_movie_warn(l, "%s: %lld bytes behind the array are not used", path,
            (long long)(s.st_size - a.data - a.size[0] * n * frame));
    l->shape_from = "the NumPy header";
    nset_movie_fact(l, "frames", from, "%lld", (long long)a.size[0]);
    nset_movie_fact(l, "channels", from, "%lld", (long long)a.size[2]);
    nset_movie_fact(l, "planes", from, "%lld", (long long)a.size[1]);
    return nset_movie_append(l, &(nset_axes){ a.size[0], (size_t)a.size[2], (size_t)a.size[1], "CZT" }, 0, path, err);
}

/* Two axes are samples of channels, or one frame: a recording. */
static bool is_movie(const nset_movie_input *in)
{
    nset_npy_header h;

    return nset_npy_header_read(&h, in->path[0], NULL) == NSET_OK && h.n_axes > 2;
}

const nset_movie_reader nset_movie_npy = { "npy", knows, read_npy, is_movie };
