/* NumPy arrays: (samples, channels), or (channels, samples) when --order says so, in either memory order. */
#include <stdio.h>
#include <string.h>

#include <neuroset/memory.h>

#include "results/npy_header.h"
#include "ephys/planes.h"

static bool probe(const char *path)
{
    char magic[6] = "";
    FILE *f = fopen(path, "rb");

    if (!f)
        return false;
    if (fread(magic, 1, 6, f) != 6)
        magic[0] = '\0';
    fclose(f);
    return !memcmp(magic, "\x93NUMPY", 6);
}

/* ---- the array as a recording ---- */

static nset_status use_shape(nset_layout *l, const nset_npy_header *h, const char *path,
    const nset_recording_options *o, int64_t *n_frames, nset_error *err)
{
    int64_t first = h->n_axes > 0 ? h->shape[0] : 1, second = h->n_axes > 1 ? h->shape[1] : 1, columns;

    if (h->n_axes < 1 || h->n_axes > 2)
        return nset_fail(err, NSET_ERR_FORMAT,
            "%s: the array has %zu axes; (samples, channels) is expected, or (samples)", path, h->n_axes);
    if (h->n_axes == 2 && first < second && !o->order)
        return nset_fail(err, NSET_ERR_FORMAT,
            "%s: the array is (%lld, %lld), but an array (samples, channels) has more samples than channels: give "
            "--order channel-major if its first axis are the channels, --order sample-major if it is right so",
            path, (long long)first, (long long)second);
    *n_frames = nset_channel_major(o) && h->n_axes == 2 ? second : first;
    columns = nset_channel_major(o) && h->n_axes == 2 ? first : second;
    if (columns < 1 || columns > 65536)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: %lld channels: a number from 1 to 65536 is expected; see --order",
            path, (long long)columns);
    l->n_columns = (size_t)columns;
    nset_layout_fact(l, "axes", o->order ? "--order" : "the array's header", "(%s) of (%lld, %lld), %s order",
        nset_channel_major(o) ? "channels, samples" : "samples, channels", (long long)first, (long long)second,
        h->fortran ? "Fortran" : "C");
    return NSET_OK;
}

static nset_status open_npy(nset_layout *l, const char *path, const nset_recording_options *o, nset_error *err)
{
    int64_t n_frames = 0, there = 0;
    nset_status status;
    nset_npy_header h;

    if (!(l->data_path = nset_strdup(path)))
        return nset_fail_oom(err, strlen(path), 1);
    if ((status = nset_npy_header_read(&h, path, err)) != NSET_OK ||
        (status = nset_npy_dtype(l->dtype, &l->big_endian, &h, path, err)) != NSET_OK ||
        (status = use_shape(l, &h, path, o, &n_frames, err)) != NSET_OK ||
        (status = nset_file_frames(&there, path, h.data, l->n_columns * nset_dtype_size(l->dtype), err)) != NSET_OK)
        return status;
    if (there == 0)
        return nset_fail(
            err, NSET_ERR_FORMAT, "%s: a header of %zu channels, but not one sample of each", path, l->n_columns);
    if ((status = nset_layout_channels(l, l->n_columns, err)) != NSET_OK)
        return status;
    l->header_bytes = h.data;
    l->rate_hz = o->rate_hz;
    nset_layout_plain_gain(l, o);
    if (o->rate_hz > 0)
        nset_layout_fact(l, "rate", "--rate", "%.10g Hz", l->rate_hz);
    nset_layout_fact(l, "dtype", "the array's header", "%s%s", l->dtype, l->big_endian ? ", big-endian" : "");
    if (h.fortran != nset_channel_major(o) && l->n_columns > 1) /* a channel's samples lie together */
        return nset_planes_open(l, n_frames, err);
    l->stated_samples = (double)n_frames;
    return NSET_OK;
}

static nset_status open_npys(
    nset_layout *l, const char *const *paths, size_t n, const nset_recording_options *o, nset_error *err)
{
    return nset_layout_open_each(l, open_npy, paths, n, o, err);
}

const nset_reader nset_reader_npy = {
    .name = "npy", .about = "NumPy array", .says_all = true, .probe = probe, .open = open_npy, .open_many = open_npys
};
