#include "imaging/compare_traces.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <neuroset/assign.h>
#include <neuroset/memory.h>

#include "results/npz.h"
#include "results/small_files.h"

static const double EVENT_BIN_S[NSET_EVENT_BINS] = { .25, .5 };

typedef struct side {
    char path[4096];
    nset_npz *z; /* NULL: no traces */
    const int64_t *id;
    const double *dff, *plain, *events; /* (n, n_frames) or NULL */
    size_t n, n_frames;
    double rate_hz; /* 0: not known */
} side;

static bool find_file(char *path, size_t n, const char *masks)
{
    static const char *const names[] = { "traces.npz", "truth.npz" };
    struct stat s;
    bool folder = stat(masks, &s) == 0 && S_ISDIR(s.st_mode);

    for (size_t i = 0; i < 2; i++) {
        if (folder)
            snprintf(path, n, "%s/%s", masks, names[i]);
        else
            nset_path_beside(path, n, masks, names[i]);
        if (stat(path, &s) == 0)
            return true;
    }
    return false;
}

/* An array of a row a cell; the first of two names that is there. */
static nset_status take(const double **out, side *s, const char *name, const char *other, nset_error *err)
{
    size_t shape[4] = { 0 }, n = 0;

    if (nset_npz_shape(s->z, name, shape) == 0)
        name = other;
    if (!name || nset_npz_shape(s->z, name, shape) == 0)
        return NSET_OK;
    *out = nset_npz_f64(s->z, name, &n);
    if (!*out || n != s->n * shape[1] || shape[0] != s->n || (s->n_frames && shape[1] != s->n_frames))
        return nset_fail(err, NSET_ERR_FORMAT,
            "%s: '%s' has not a row for each of the %zu cells, of as many frames as the "
            "others",
            s->path, name, s->n);
    s->n_frames = shape[1];
    return NSET_OK;
}

static nset_status open_side(side *s, const char *masks, nset_error *err)
{
    const double *rate;
    size_t n = 0;
    nset_status status;

    if (!find_file(s->path, sizeof s->path, masks))
        return NSET_OK;
    if ((status = nset_npz_open(&s->z, s->path, err)) != NSET_OK)
        return status;
    if (!(s->id = nset_npz_i64(s->z, "id", &s->n)) && !(s->id = nset_npz_i64(s->z, "ids", &s->n)))
        return nset_fail(err, NSET_ERR_FORMAT, "%s: there is no array 'id' or 'ids' of the cells", s->path);
    if ((status = take(&s->dff, s, "dff", NULL, err)) != NSET_OK ||
        (status = take(&s->plain, s, "corrected", "trace", err)) != NSET_OK ||
        (status = take(&s->events, s, "events", "spikes", err)) != NSET_OK)
        return status;
    rate = nset_npz_f64(s->z, "rate_hz", &n);
    if (!rate || n != 1)
        rate = nset_npz_f64(s->z, "rate", &n);
    s->rate_hz = rate && n == 1 && *rate > 0 ? *rate : 0;
    return NSET_OK;
}

static const double *row_of(const side *s, const double *table, int64_t id)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->id[i] == id)
            return table + i * s->n_frames;
    return NULL;
}

static bool is_silent(const side *s, int64_t id)
{
    const double *x = s->events ? row_of(s, s->events, id) : NULL;

    for (size_t t = 0; x && t < s->n_frames; t++)
        if (x[t] != 0)
            return false;
    return x != NULL;
}

/* NaN when one of the two does not vary. Sums of bin frames, the last ones that fill no bin left out. */
static double correlation(const double *x, const double *y, size_t n_frames, size_t bin)
{
    size_t n = n_frames / bin;
    double mean[2] = { 0 }, xx = 0, yy = 0, xy = 0;

    for (size_t t = 0; t < n * bin; t++) {
        mean[0] += x[t] / (double)n;
        mean[1] += y[t] / (double)n;
    }
    for (size_t b = 0; b < n; b++) {
        double p = -mean[0], q = -mean[1];
        for (size_t t = b * bin; t < (b + 1) * bin; t++) {
            p += x[t];
            q += y[t];
        }
        xx += p * p;
        yy += q * q;
        xy += p * q;
    }
    return xx > 0 && yy > 0 ? xy / sqrt(xx * yy) : NAN;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* *out := median correlation of the rows of pairs, *n of them. r: room (truth->n). */
static void score_rows(double *out, size_t *n, double *r, const size_t *pair, const nset_regions *found,
    const nset_regions *truth, const side *f, const double *f_rows, const side *t, const double *t_rows, size_t bin)
{
    *n = 0;
    for (size_t i = 0; i < truth->n; i++) {
        const double *x, *y;
        double c;
        if (pair[i] == NSET_UNASSIGNED || is_silent(t, truth->region[i].id))
            continue;
        x = row_of(f, f_rows, found->region[pair[i]].id);
        y = row_of(t, t_rows, truth->region[i].id);
        c = x && y ? correlation(x, y, f->n_frames, bin) : NAN;
        if (isfinite(c))
            r[(*n)++] = c;
    }
    qsort(r, *n, sizeof *r, ascending);
    *out = *n ? .5 * (r[(*n - 1) / 2] + r[*n / 2]) : NAN;
}

static nset_status score(nset_trace_score *out, const size_t *pair, const nset_regions *found, const side *f,
    const nset_regions *truth, const side *t, nset_error *err)
{
    double *r = nset_calloc(truth->n, sizeof *r), rate = f->rate_hz > 0 ? f->rate_hz : t->rate_hz;
    bool dff = f->dff && t->dff;
    const double *x = dff ? f->dff : f->plain, *y = dff ? t->dff : t->plain;

    if (!r)
        return nset_fail_oom(err, truth->n, sizeof *r);
    out->scored = true;
    for (size_t i = 0; i < truth->n; i++)
        out->n_pairs += pair[i] != NSET_UNASSIGNED;
    if (x && y)
        score_rows(&out->trace, &out->n_traces, r, pair, found, truth, f, x, t, y, 1);
    for (size_t b = 0; b < NSET_EVENT_BINS && f->events && t->events && rate > 0; b++) {
        size_t bin = (size_t)fmax(1, round(EVENT_BIN_S[b] * rate));
        out->bin_s[b] = (double)bin / rate;
        score_rows(&out->events[b], &out->n_events[b], r, pair, found, truth, f, f->events, t, t->events, bin);
    }
    nset_free(r);
    return NSET_OK;
}

nset_status nset_compare_traces(nset_trace_score *out, const size_t *pair, const nset_regions *found,
    const char *found_path, const nset_regions *truth, const char *truth_path, nset_error *err)
{
    side *s;
    nset_status status;

    *out = (nset_trace_score){ .trace = NAN, .events = { NAN, NAN } };
    if (!found->has_ids || !truth->has_ids)
        return NSET_OK;
    s = nset_calloc(2, sizeof *s);
    if (!s)
        return nset_fail_oom(err, 2, sizeof *s);
    if ((status = open_side(&s[0], found_path, err)) == NSET_OK &&
        (status = open_side(&s[1], truth_path, err)) == NSET_OK && s[0].z && s[1].z) {
        if (s[0].n && s[1].n && s[0].n_frames != s[1].n_frames)
            status = nset_fail(err, NSET_ERR_FORMAT, "%s has %zu frames, %s %zu: not the same movie", s[0].path,
                s[0].n_frames, s[1].path, s[1].n_frames);
        else
            status = score(out, pair, found, &s[0], truth, &s[1], err);
    }
    nset_npz_close(s[0].z);
    nset_npz_close(s[1].z);
    nset_free(s);
    return status;
}
