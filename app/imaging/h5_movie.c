#include "imaging/h5_movie.h"

#include <stdio.h>
#include <string.h>

#include <neuroset/memory.h>

#include "imaging/blocks.h"

typedef struct h5_source {
    nset_block_source base;
    hid_t file, data, space, memory_type;
    nset_sample_type type;
    nset_h5_axes axes;
    hsize_t size[NSET_H5_AXES];
    int rank;
    bool x_first; /* the x axis comes before the y axis */
    char *path, *bytes;
    size_t room;
} h5_source;

static void close_source(nset_block_source *self)
{
    h5_source *s = (h5_source *)self;

    if (s->memory_type >= 0)
        H5Tclose(s->memory_type);
    if (s->space >= 0)
        H5Sclose(s->space);
    H5Dclose(s->data);
    H5Fclose(s->file);
    nset_free(s->path);
    nset_free(s->bytes);
    nset_free(s);
}

static nset_status read_bytes(h5_source *s, size_t series, int64_t first, int64_t n, nset_error *err)
{
    hsize_t start[NSET_H5_AXES] = { 0 }, count[NSET_H5_AXES], total;
    size_t channels = s->axes.c >= 0 ? (size_t)s->size[s->axes.c] : 1;
    hid_t space;
    herr_t ok;

    for (int i = 0; i < s->rank; i++)
        count[i] = s->size[i];
    if (s->axes.z >= 0) {
        start[s->axes.z] = series / channels;
        count[s->axes.z] = 1;
    }
    if (s->axes.c >= 0) {
        start[s->axes.c] = series % channels;
        count[s->axes.c] = 1;
    }
    start[s->axes.t] = (hsize_t)first;
    count[s->axes.t] = (hsize_t)n;
    total = (hsize_t)n * s->base.height * s->base.width;
    if ((space = H5Screate_simple(1, &total, NULL)) < 0)
        return nset_h5_fail(err, s->path, "no space for frames");
    ok = H5Sselect_hyperslab(s->space, H5S_SELECT_SET, start, NULL, count, NULL);
    if (ok >= 0)
        ok = H5Dread(s->data, s->memory_type, space, s->space, H5P_DEFAULT, s->bytes);
    H5Sclose(space);
    if (ok < 0) {
        char what[96];
        snprintf(what, sizeof what, "frames %lld to %lld cannot be read", (long long)first, (long long)(first + n - 1));
        return nset_h5_fail(err, s->path, what);
    }
    return NSET_OK;
}

static nset_status fetch(nset_block_source *self, float *to, size_t series, int64_t first, int64_t n, nset_error *err)
{
    h5_source *s = (h5_source *)self;
    size_t item = (size_t)s->type.bits / 8, h = self->height, w = self->width, all = (size_t)n * h * w;
    nset_status status = nset_grow(&s->bytes, &s->room, all * item, 1, err);
    bool exact = true;

    nset_h5_quiet();
    if (status != NSET_OK || (status = read_bytes(s, series, first, n, err)) != NSET_OK)
        return status;
    if (!s->x_first)
        exact = nset_samples_convert(to, s->bytes, all, item, s->type, false);
    for (size_t row = 0; s->x_first && row < (size_t)n * h; row++) /* a row lies a number a column apart */
        exact = nset_samples_convert(
                    to + row * w, s->bytes + ((row / h * w) * h + row % h) * item, w, h * item, s->type, false) &&
                exact;
    return exact ? NSET_OK
                 : nset_fail(err, NSET_ERR_FORMAT, "%s: frames from %lld on: an integer is beyond 2^53", s->path,
                       (long long)first);
}

/* ---- opening ---- */

bool nset_h5_is_movie(hid_t data)
{
    hid_t type = H5Dget_type(data), space = H5Dget_space(data);
    H5T_class_t kind = type >= 0 ? H5Tget_class(type) : H5T_NO_CLASS;
    hsize_t size[NSET_H5_AXES];
    int rank = nset_h5_shape(size, NSET_H5_AXES, space);
    bool is = rank >= 3 && (kind == H5T_INTEGER || kind == H5T_FLOAT);

    for (int i = 0; i < rank && is; i++)
        is = size[i] > 0;
    if (type >= 0)
        H5Tclose(type);
    if (space >= 0)
        H5Sclose(space);
    return is;
}

static const char *filter_name(H5Z_filter_t id)
{
    return id == 32000   ? " (LZF)"
           : id == 32001 ? " (Blosc)"
           : id == 32004 ? " (LZ4)"
           : id == 32008 ? " (bitshuffle)"
           : id == 32015 ? " (Zstandard)"
                         : "";
}

/* What libhdf5 cannot read by itself is refused; *at_once := frames of a chunk. */
static nset_status check_storage(h5_source *s, int64_t *at_once, nset_error *err)
{
    hid_t list = H5Dget_create_plist(s->data);
    hsize_t chunk[NSET_H5_AXES];
    nset_status status = NSET_OK;
    int n = list >= 0 ? H5Pget_nfilters(list) : -1;

    *at_once = 1;
    if (n < 0)
        status = nset_h5_fail(err, s->path, "the dataset does not say how it is stored");
    else if (H5Pget_external_count(list) > 0)
        status =
            nset_fail(err, NSET_ERR_FORMAT, "%s: the numbers are kept in other files, which are not opened", s->path);
    for (int i = 0; i < n && status == NSET_OK; i++) {
        size_t n_values = 0;
        H5Z_filter_t id = H5Pget_filter2(list, (unsigned)i, NULL, &n_values, NULL, 0, NULL, NULL);
        if (H5Zfilter_avail(id) <= 0)
            status = nset_fail(err, NSET_ERR_FORMAT,
                "%s: HDF5 filter %d%s is not in libhdf5; write it anew with gzip or without compression", s->path,
                (int)id, filter_name(id));
    }
    if (n >= 0 && H5Pget_layout(list) == H5D_CHUNKED && H5Pget_chunk(list, NSET_H5_AXES, chunk) == s->rank)
        *at_once = (int64_t)chunk[s->axes.t];
    if (list >= 0)
        H5Pclose(list);
    return status;
}

static nset_status find_type(h5_source *s, nset_error *err)
{
    hid_t type = H5Dget_type(s->data);

    s->memory_type = type >= 0 ? H5Tget_native_type(type, H5T_DIR_ASCEND) : -1;
    if (s->memory_type >= 0)
        s->type = (nset_sample_type){ H5Tget_class(type) == H5T_FLOAT     ? 'f'
                                      : H5Tget_sign(type) == H5T_SGN_NONE ? 'u'
                                                                          : 'i',
            (int)(8 * H5Tget_size(s->memory_type)) };
    if (s->type.kind == 'f' && s->memory_type >= 0 && s->type.bits != 64) { /* halves come as floats */
        H5Tclose(s->memory_type);
        s->memory_type = H5Tcopy(H5T_NATIVE_FLOAT);
        s->type.bits = 32;
    }
    if (type >= 0)
        H5Tclose(type);
    if (s->memory_type < 0 || s->type.bits > 64 || !nset_sample_name(s->type))
        return nset_fail(err, NSET_ERR_FORMAT, "%s: numbers of %d bits", s->path, s->type.bits);
    return NSET_OK;
}

static nset_status find_sizes(h5_source *s, int64_t *n_frames, nset_error *err)
{
    const nset_h5_axes *a = &s->axes;

    s->space = H5Dget_space(s->data);
    s->rank = nset_h5_shape(s->size, NSET_H5_AXES, s->space);
    if (s->rank < 3 || a->t >= s->rank || a->y >= s->rank || a->x >= s->rank || a->z >= s->rank || a->c >= s->rank)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: the dataset has %d axes", s->path, s->rank);
    for (int i = 0; i < s->rank; i++)
        if (s->size[i] < 1 || s->size[i] > (i == a->t ? UINT64_C(1) << 32 : 1 << 20))
            return nset_fail(err, NSET_ERR_FORMAT, "%s: axis %d of the dataset is %llu long", s->path, i,
                (unsigned long long)s->size[i]);
    *n_frames = (int64_t)s->size[a->t];
    s->base.height = (size_t)s->size[a->y];
    s->base.width = (size_t)s->size[a->x];
    if (s->base.height * s->base.width > 1 << 28)
        return nset_fail(
            err, NSET_ERR_FORMAT, "%s: frames of %zu x %zu pixels", s->path, s->base.height, s->base.width);
    s->base.n_series = (a->z >= 0 ? (size_t)s->size[a->z] : 1) * (a->c >= 0 ? (size_t)s->size[a->c] : 1);
    s->x_first = a->x < a->y;
    return NSET_OK;
}

nset_status nset_h5_movie(
    nset_movie_layout *l, hid_t file, hid_t data, const nset_h5_axes *axes, const char *path, nset_error *err)
{
    h5_source *s = nset_calloc(1, sizeof *s);
    nset_status status;
    nset_axes order = { 0 };

    if (!s || !(s->path = nset_strdup(path))) {
        nset_free(s);
        H5Dclose(data);
        H5Fclose(file);
        return nset_fail_oom(err, 1, sizeof *s);
    }
    s->file = file;
    s->data = data;
    s->axes = *axes;
    s->space = s->memory_type = -1;
    s->base.fetch = fetch;
    s->base.close = close_source;
    if ((status = find_sizes(s, &s->base.n_frames, err)) != NSET_OK || (status = find_type(s, err)) != NSET_OK ||
        (status = check_storage(s, &s->base.at_once, err)) != NSET_OK) {
        close_source(&s->base);
        return status;
    }
    order = (nset_axes){ s->base.n_frames, axes->c >= 0 ? (size_t)s->size[axes->c] : 1,
        axes->z >= 0 ? (size_t)s->size[axes->z] : 1, "CZT" };
    l->dtype = nset_sample_name(s->type);
    if ((status = nset_blocks_open(&l->pictures, &s->base, err)) != NSET_OK)
        return status;
    return nset_movie_append(l, &order, 0, path, err);
}
