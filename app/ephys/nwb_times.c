/* When the samples of an ElectricalSeries were taken: starting_time with a rate, or a time a sample. */
#include <math.h>
#include <stdlib.h>

#include <neuroset/memory.h>

#include "ephys/nwb.h"

enum { BLOCK = 65536, NOMINAL_STEPS = 4096, MOST_GAPS = 100000 };

typedef struct clock_reader {
    nset_layout *l;
    hid_t data;
    const char *path;
    int64_t n;
    double *t;               /* (BLOCK) */
    double step, sum, worst; /* nominal; of the regular steps; largest deviation of one, in steps */
    int64_t n_regular;
} clock_reader;

static nset_status read_times(clock_reader *r, int64_t start, size_t n, nset_error *err)
{
    hsize_t from = (hsize_t)start, count = n;
    hid_t all = H5Dget_space(r->data), some = H5Screate_simple(1, &count, NULL);
    nset_status status = NSET_OK;

    if (all < 0 || some < 0 || H5Sselect_hyperslab(all, H5S_SELECT_SET, &from, NULL, &count, NULL) < 0 ||
        H5Dread(r->data, H5T_NATIVE_DOUBLE, some, all, H5P_DEFAULT, r->t) < 0)
        status = nset_h5_fail(err, r->path, "timestamps cannot be read");
    for (size_t i = 0; i < n && status == NSET_OK; i++)
        if (!isfinite(r->t[i]))
            status = nset_fail(err, NSET_ERR_FORMAT, "%s: timestamps: entry %lld is not finite", r->path,
                (long long)start + (long long)i);
    if (some >= 0)
        H5Sclose(some);
    if (all >= 0)
        H5Sclose(all);
    return status;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

/* The median of the first steps. */
static nset_status find_step(clock_reader *r, nset_error *err)
{
    size_t n = r->n < NOMINAL_STEPS + 1 ? (size_t)r->n : NOMINAL_STEPS + 1;
    nset_status status = read_times(r, 0, n, err);

    if (status != NSET_OK)
        return status;
    r->l->start_s = r->t[0];
    for (size_t i = 0; i + 1 < n; i++)
        r->t[i] = r->t[i + 1] - r->t[i];
    qsort(r->t, n - 1, sizeof *r->t, by_size);
    r->step = r->t[(n - 1) / 2];
    if (!(r->step > 0))
        return nset_fail(err, NSET_ERR_FORMAT, "%s: timestamps do not increase", r->path);
    return NSET_OK;
}

/* A step off by more than half a sample is a gap. Its seconds are put right when the rate is known. */
static nset_status take_step(clock_reader *r, int64_t sample, double step, nset_error *err)
{
    double off = fabs(step / r->step - 1);

    if (off > .5) {
        if (r->l->n_gaps >= MOST_GAPS)
            return nset_fail(err, NSET_ERR_FORMAT,
                "%s: timestamps jump more than %d times: this series is not sampled regularly", r->path, MOST_GAPS);
        return nset_layout_add_gap(r->l, sample, step, err);
    }
    r->sum += step;
    r->n_regular++;
    r->worst = fmax(r->worst, off);
    return NSET_OK;
}

static nset_status walk(clock_reader *r, nset_error *err)
{
    nset_status status = find_step(r, err);
    double last = 0;

    for (int64_t start = 0; start < r->n && status == NSET_OK; start += BLOCK) {
        size_t n = r->n - start < BLOCK ? (size_t)(r->n - start) : BLOCK;
        status = read_times(r, start, n, err);
        for (size_t i = 0; i < n && status == NSET_OK; i++) {
            if (start + (int64_t)i > 0)
                status = take_step(r, start + (int64_t)i, r->t[i] - last, err);
            last = r->t[i];
        }
    }
    return status;
}

static nset_status use_timestamps(nset_layout *l, hid_t data, int64_t n_frames, const char *path, nset_error *err)
{
    clock_reader r = { .l = l, .data = data, .path = path };
    hsize_t n = 0;
    hid_t space = H5Dget_space(data);
    nset_status status;

    if (nset_h5_shape(&n, 1, space) != 1)
        n = 0;
    if (space >= 0)
        H5Sclose(space);
    if ((int64_t)n != n_frames)
        nset_layout_warn(l, "%s: %lld timestamps for %lld samples", path, (long long)n, (long long)n_frames);
    r.n = (int64_t)n < n_frames ? (int64_t)n : n_frames;
    if (r.n < 2)
        return NSET_OK; /* the rate is not known: --rate */
    if (!(r.t = nset_calloc(BLOCK, sizeof *r.t)))
        return nset_fail_oom(err, BLOCK, sizeof *r.t);
    status = walk(&r, err);
    nset_free(r.t);
    if (status != NSET_OK)
        return status;
    l->rate_hz = r.n_regular > 0 ? (double)r.n_regular / r.sum : 1 / r.step;
    for (size_t i = 0; i < l->n_gaps; i++)
        l->gap[i].seconds -= 1 / l->rate_hz;
    nset_layout_fact(l, "rate", path, "%.12g Hz, from %lld timestamps", l->rate_hz, (long long)r.n);
    if (r.worst > .01)
        nset_layout_warn(l, "%s: the steps of the timestamps vary by up to %.2g samples", path, r.worst);
    return NSET_OK;
}

static nset_status use_start(nset_layout *l, hid_t series, const char *path, nset_error *err)
{
    double *start = NULL;
    size_t n;
    hid_t data;
    nset_status status = nset_h5_doubles(&start, &n, series, "starting_time", 1, path, err);

    if (status != NSET_OK)
        return status;
    l->start_s = n == 1 && isfinite(start[0]) ? start[0] : 0;
    nset_free(start);
    data = H5Dopen2(series, "starting_time", H5P_DEFAULT);
    if (nset_h5_number(&l->rate_hz, data, "rate"))
        nset_layout_fact(l, "rate", path, "%.12g Hz", l->rate_hz);
    H5Dclose(data);
    return NSET_OK;
}

nset_status nset_nwb_times(nset_layout *l, hid_t series, int64_t n_frames, const char *path, nset_error *err)
{
    nset_status status;
    hid_t data;

    if (!nset_h5_has(series, "timestamps"))
        return nset_h5_has(series, "starting_time") ? use_start(l, series, path, err) : NSET_OK;
    data = H5Dopen2(series, "timestamps", H5P_DEFAULT);
    if (data < 0)
        return nset_h5_fail(err, path, "timestamps cannot be opened");
    status = use_timestamps(l, data, n_frames, path, err);
    H5Dclose(data);
    return status;
}
