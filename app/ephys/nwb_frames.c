/* Samples of a dataset of HDF5, in blocks of frames. */
#include <stdio.h>
#include <string.h>

#include <neuroset/memory.h>

#include "ephys/nwb.h"

enum { TURN_BYTES = 8 << 20, CACHE_BYTES = 64 << 20 };

typedef struct dataset {
    nset_frames base;
    hid_t file, data;
    bool transposed;
    int rank;
    char *path;   /* owned */
    double *turn; /* block of a transposed dataset before it is turned; owned */
    size_t turn_frames;
} dataset;

/* raw (n, columns), or (columns, n) when the file lies so. */
static nset_status read_block(dataset *d, double *raw, int64_t start, size_t n, nset_error *err)
{
    int time = d->transposed ? 1 : 0;
    hsize_t from[2] = { 0, 0 }, count[2], total = n * d->base.n_columns;
    hid_t all = H5Dget_space(d->data), some = H5Screate_simple(1, &total, NULL);
    nset_status status = NSET_OK;
    char what[80];

    from[time] = (hsize_t)start;
    count[time] = n;
    count[!time] = d->base.n_columns;
    snprintf(what, sizeof what, "samples from %lld on cannot be read", (long long)start);
    if (all < 0 || some < 0 || H5Sselect_hyperslab(all, H5S_SELECT_SET, from, NULL, count, NULL) < 0 ||
        H5Dread(d->data, H5T_NATIVE_DOUBLE, some, all, H5P_DEFAULT, raw) < 0)
        status = nset_h5_fail(err, d->path, what);
    if (some >= 0)
        H5Sclose(some);
    if (all >= 0)
        H5Sclose(all);
    return status;
}

static nset_status read_frames(nset_frames *self, double *raw, int64_t start, size_t n, nset_error *err)
{
    dataset *d = (dataset *)self;
    size_t columns = self->n_columns;
    nset_status status;

    nset_h5_quiet();
    if (!d->transposed)
        return read_block(d, raw, start, n, err);
    while (n > 0) {
        size_t now = n < d->turn_frames ? n : d->turn_frames;
        if ((status = read_block(d, d->turn, start, now, err)) != NSET_OK)
            return status;
        for (size_t t = 0; t < now; t++)
            for (size_t c = 0; c < columns; c++)
                raw[t * columns + c] = d->turn[c * now + t];
        raw += now * columns;
        start += (int64_t)now;
        n -= now;
    }
    return NSET_OK;
}

static void close_dataset(nset_frames *self)
{
    dataset *d = (dataset *)self;

    if (!d)
        return;
    nset_h5_quiet();
    if (d->data >= 0)
        H5Dclose(d->data);
    if (d->file >= 0)
        H5Fclose(d->file);
    nset_free(d->path);
    nset_free(d->turn);
    nset_free(d);
}

/* A filter that is not there makes every read fail: its number tells which plugin is missing. */
static nset_status check_filters(hid_t data, const char *path, nset_error *err)
{
    hid_t create = H5Dget_create_plist(data);
    int n = create >= 0 ? H5Pget_nfilters(create) : 0;
    nset_status status = NSET_OK;

    for (int i = 0; i < n && status == NSET_OK; i++) {
        unsigned flags;
        size_t none = 0;
        char name[64] = "";
        H5Z_filter_t id = H5Pget_filter2(create, (unsigned)i, &flags, &none, NULL, sizeof name, name, NULL);
        if (id >= 0 && H5Zfilter_avail(id) <= 0)
            status = nset_fail(err, NSET_ERR_FORMAT,
                "%s: the samples are packed by HDF5 filter %d (%s), which is not installed: install its plugin "
                "(HDF5_PLUGIN_PATH) or rewrite the file with gzip",
                path, (int)id, name);
    }
    if (create >= 0)
        H5Pclose(create);
    H5Eclear2(H5E_DEFAULT);
    return status;
}

/* Opens data anew with a cache that holds the chunks of one stretch of time over all columns: else every block would
 * unpack them again. */
static hid_t with_cache(hid_t file, hid_t data, const hsize_t *dims, int rank, bool transposed)
{
    hid_t create = H5Dget_create_plist(data), access = -1, again = -1, type = H5Dget_type(data);
    hsize_t chunk[2] = { 1, 1 };
    int columns = transposed ? 0 : 1;
    char name[1024];

    if (rank == 2 && create >= 0 && type >= 0 && H5Pget_layout(create) == H5D_CHUNKED &&
        H5Pget_chunk(create, 2, chunk) == 2 && H5Iget_name(data, name, sizeof name) > 0) {
        double bytes = (double)chunk[0] * (double)chunk[1] * (double)H5Tget_size(type) *
                       (double)((dims[columns] + chunk[columns] - 1) / chunk[columns]);
        access = H5Pcreate(H5P_DATASET_ACCESS);
        if (bytes > 1 << 20 && access >= 0) {
            H5Pset_chunk_cache(access, 12007, bytes < CACHE_BYTES ? (size_t)bytes : CACHE_BYTES, 1);
            again = H5Dopen2(file, name, access);
        }
    }
    if (access >= 0)
        H5Pclose(access);
    if (type >= 0)
        H5Tclose(type);
    if (create >= 0)
        H5Pclose(create);
    if (again < 0)
        return data;
    H5Dclose(data);
    return again;
}

nset_status nset_nwb_frames(
    nset_frames **out, hid_t file, hid_t data, bool transposed, const char *path, nset_error *err)
{
    dataset *d = nset_calloc(1, sizeof *d);
    hsize_t dims[2] = { 0, 1 };
    hid_t space = H5Dget_space(data);
    int rank = nset_h5_shape(dims, 2, space);
    nset_status status;

    if (space >= 0)
        H5Sclose(space);
    if (!d) {
        H5Dclose(data);
        H5Fclose(file);
        return nset_fail_oom(err, 1, sizeof *d);
    }
    d->base = (nset_frames){ .n_frames = (int64_t)dims[transposed ? 1 : 0],
        .n_columns = (size_t)dims[transposed ? 0 : 1],
        .read = read_frames,
        .close = close_dataset };
    d->file = file;
    d->data = data;
    d->rank = rank;
    d->transposed = transposed;
    d->path = nset_strdup(path);
    if ((status = check_filters(data, path, err)) == NSET_OK) {
        d->data = with_cache(file, data, dims, rank, transposed);
        d->turn_frames = TURN_BYTES / (sizeof *d->turn * d->base.n_columns) + 1;
        d->turn = transposed ? nset_calloc(d->turn_frames * d->base.n_columns, sizeof *d->turn) : NULL;
        if (!d->path || (transposed && !d->turn))
            status = nset_fail_oom(err, d->base.n_columns, sizeof *d->turn);
    }
    if (status != NSET_OK) {
        close_dataset(&d->base);
        return status;
    }
    *out = &d->base;
    return NSET_OK;
}
