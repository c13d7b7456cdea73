#include "ephys/clean.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <neuroset/memory.h>

#include "cli/progress.h"
#include "ephys/parts.h"
#include "ephys/shift.h"
#include "signal/wide.h"

enum { POWER_ROUNDS = 60 };
#define NEAR_UM 120. /* channels further from the home say nothing of a spike */

/* ---- preparation ---- */

/* v (BASIS, length) := leading eigenvectors of g (length, length), by subspace iteration. */
static void leading(double *v, const double *g, size_t length, double *room)
{
    for (size_t a = 0; a < NSET_CLEAN_BASIS; a++)
        for (size_t s = 0; s < length; s++)
            v[a * length + s] = cos(3.14159265358979323846 * ((double)s + .5) * (double)(a + 1) / (double)length);
    for (int round = 0; round <= POWER_ROUNDS; round++) {
        nset_orthonormalise(v, NSET_CLEAN_BASIS, length);
        for (size_t a = 0; a < NSET_CLEAN_BASIS && round < POWER_ROUNDS; a++) {
            memset(room, 0, length * sizeof *room);
            for (size_t s = 0; s < length; s++)
                for (size_t q = 0; q < length; q++)
                    room[q] += v[a * length + s] * g[s * length + q];
            memcpy(v + a * length, room, length * sizeof *room);
        }
    }
}

static nset_status learn_basis(nset_clean *c, nset_error *err)
{
    const nset_templates *t = c->t;
    size_t length = c->length;
    double *g = nset_calloc(length * length, sizeof *g), *v = nset_calloc(NSET_CLEAN_BASIS * length, sizeof *v);
    double *room = nset_calloc(length, sizeof *room);
    nset_status status = g && v && room ? NSET_OK : nset_fail_oom(err, length * length, sizeof *g);

    for (size_t k = 0; k < t->n && status == NSET_OK; k++)
        for (size_t u = 0; u < c->n_used[k]; u++) {
            const float *w = c->shape[k] + (NSET_SHIFT_MIDDLE * c->n_used[k] + u) * length;
            double weight = 1 / fmax(1, (double)t->norm[k]); /* large units do not rule alone */
            for (size_t s = 0; s < length; s++)
                for (size_t q = 0; q < length; q++)
                    g[s * length + q] += weight * (double)w[s] * (double)w[q];
        }
    if (status == NSET_OK) {
        leading(v, g, length, room);
        for (size_t a = 0; a < NSET_CLEAN_BASIS; a++) {
            float *middle = c->basis + (NSET_SHIFT_MIDDLE * NSET_CLEAN_BASIS + a) * length;
            for (size_t s = 0; s < length; s++)
                middle[s] = (float)v[a * length + s];
            for (size_t i = 0; i < NSET_SHIFTS; i++)
                if (i != NSET_SHIFT_MIDDLE)
                    nset_shift(c->basis + (i * NSET_CLEAN_BASIS + a) * length, middle, length, i);
        }
        for (size_t i = 0; i < NSET_SHIFTS; i++)
            for (size_t a = 0; a < NSET_CLEAN_BASIS; a++)
                for (size_t s = 0; s < length; s++)
                    c->side[(i * length + s) * NSET_CLEAN_BASIS + a] =
                        c->basis[(i * NSET_CLEAN_BASIS + a) * length + s];
    }
    nset_free(g);
    nset_free(v);
    nset_free(room);
    return status;
}

typedef struct near_channel {
    double distance, y, x;
    size_t channel;
} near_channel;

static int by_distance(const void *a, const void *b)
{
    const near_channel *p = a, *q = b;

    if (p->distance != q->distance)
        return p->distance < q->distance ? -1 : 1;
    if (p->y != q->y)
        return p->y < q->y ? -1 : 1;
    if (p->x != q->x)
        return p->x < q->x ? -1 : 1;
    return (p->channel > q->channel) - (p->channel < q->channel);
}

static nset_status place_channels(nset_clean *c, const nset_probe *probe, nset_error *err)
{
    near_channel *near = nset_calloc(probe->n_channels, sizeof *near);

    if (!near)
        return nset_fail_oom(err, probe->n_channels, sizeof *near);
    for (size_t k = 0; k < c->t->n; k++) {
        size_t home = c->t->home[k], n = 0;
        for (size_t a = 0; a < probe->n_channels; a++) {
            double d = hypot(probe->x_um[a] - probe->x_um[home], probe->y_um[a] - probe->y_um[home]);
            if (probe->shank[a] == probe->shank[home] && d <= NEAR_UM)
                near[n++] = (near_channel){ d, probe->y_um[a], probe->x_um[a], a };
        }
        qsort(near, n, sizeof *near, by_distance);
        c->n_channel[k] = n < NSET_CLEAN_CHANNELS ? n : NSET_CLEAN_CHANNELS;
        for (size_t a = 0; a < c->n_channel[k]; a++)
            c->channel[k * NSET_CLEAN_CHANNELS + a] = near[a].channel;
    }
    nset_free(near);
    return NSET_OK;
}

static nset_status make_shapes(nset_clean *c, nset_error *err)
{
    const nset_templates *t = c->t;
    size_t n = t->n_channels, length = c->length;

    for (size_t k = 0; k < t->n; k++) {
        if (!(c->used[k] = nset_calloc(n, sizeof **c->used)))
            return nset_fail_oom(err, n, sizeof **c->used);
        for (size_t a = 0; a < n; a++)
            for (size_t s = 0; s < length; s++)
                if (t->data[(k * length + s) * n + a] != 0) {
                    c->used[k][c->n_used[k]++] = a;
                    break;
                }
        if (!(c->shape[k] = nset_calloc(NSET_SHIFTS * c->n_used[k] * length, sizeof **c->shape)))
            return nset_fail_oom(err, NSET_SHIFTS * c->n_used[k] * length, sizeof **c->shape);
        for (size_t u = 0; u < c->n_used[k]; u++) {
            float *middle = c->shape[k] + (NSET_SHIFT_MIDDLE * c->n_used[k] + u) * length;
            for (size_t s = 0; s < length; s++)
                middle[s] = t->data[(k * length + s) * n + c->used[k][u]];
            for (size_t i = 0; i < NSET_SHIFTS; i++)
                if (i != NSET_SHIFT_MIDDLE)
                    nset_shift(c->shape[k] + (i * c->n_used[k] + u) * length, middle, length, i);
        }
    }
    return NSET_OK;
}

static void project_own(nset_clean *c)
{
    const nset_templates *t = c->t;

    for (size_t k = 0; k < t->n; k++)
        for (size_t a = 0; a < c->n_channel[k]; a++)
            for (size_t b = 0; b < NSET_CLEAN_BASIS; b++) {
                const float *basis = c->basis + (NSET_SHIFT_MIDDLE * NSET_CLEAN_BASIS + b) * c->length;
                double sum = 0;
                for (size_t s = 0; s < c->length; s++)
                    sum +=
                        (double)basis[s] *
                        (double)t->data[(k * c->length + s) * t->n_channels + c->channel[k * NSET_CLEAN_CHANNELS + a]];
                c->own[k * NSET_CLEAN + a * NSET_CLEAN_BASIS + b] = (float)sum;
            }
}

nset_status nset_clean_init(nset_clean *c, const nset_templates *t, const nset_probe *probe, nset_error *err)
{
    nset_status status = NSET_OK;

    *c = (nset_clean){ .t = t, .length = t->length };
    c->basis = nset_calloc((size_t)NSET_SHIFTS * NSET_CLEAN_BASIS * t->length, sizeof *c->basis);
    c->side = nset_calloc((size_t)NSET_SHIFTS * NSET_CLEAN_BASIS * t->length, sizeof *c->side);
    c->n_channel = nset_calloc(t->n, sizeof *c->n_channel);
    c->channel = nset_calloc(t->n * NSET_CLEAN_CHANNELS, sizeof *c->channel);
    c->own = nset_calloc(t->n * NSET_CLEAN, sizeof *c->own);
    c->used = nset_calloc(t->n, sizeof *c->used);
    c->n_used = nset_calloc(t->n, sizeof *c->n_used);
    c->shape = nset_calloc(t->n, sizeof *c->shape);
    if (!c->basis || !c->side || !c->n_channel || !c->channel || !c->own || !c->used || !c->n_used || !c->shape)
        status = nset_fail_oom(err, t->n, NSET_CLEAN * sizeof *c->own);
    if (status == NSET_OK && (status = place_channels(c, probe, err)) == NSET_OK &&
        (status = make_shapes(c, err)) == NSET_OK && (status = learn_basis(c, err)) == NSET_OK)
        project_own(c);
    if (status != NSET_OK)
        nset_clean_fini(c);
    return status;
}

void nset_clean_fini(nset_clean *c)
{
    for (size_t k = 0; c->t && k < c->t->n; k++) {
        if (c->used)
            nset_free(c->used[k]);
        if (c->shape)
            nset_free(c->shape[k]);
    }
    nset_free(c->basis);
    nset_free(c->side);
    nset_free(c->n_channel);
    nset_free(c->channel);
    nset_free(c->own);
    nset_free(c->used);
    nset_free(c->n_used);
    nset_free(c->shape);
    *c = (nset_clean){ 0 };
}

/* ---- a segment ---- */

typedef struct cleaner {
    const nset_clean *c;
    const nset_matches *m;
    float *x; /* (n_channels, room) residual, from sample start */
    int64_t start;
    size_t room, first;             /* first: match of f's first row */
    size_t subtract_from, subtract; /* matches that reach into x */
    float *f;
} cleaner;

enum { BASIS = NSET_CLEAN_BASIS, PIECE = 8 /* channels */ };

NSET_WIDE static void subtract_times(float *x, float a, const float *w, size_t n)
{
    for (size_t s = 0; s < n; s++)
        x[s] -= a * w[s];
}

/* All matches from channels first .. last - 1. */
static void subtract_matches(void *ctx, size_t first, size_t last, size_t chunk)
{
    const cleaner *r = ctx;
    const nset_clean *c = r->c;

    (void)chunk;
    for (size_t i = r->subtract_from; i < r->subtract; i++) {
        const nset_match *a = &r->m->match[i];
        size_t k = (size_t)a->unit, m = c->n_used[k], u = 0;
        int64_t at = a->sample - (int64_t)c->t->pre - r->start, end = at + (int64_t)c->length;
        size_t skip = at < 0 ? (size_t)-at : 0, stop = end > (int64_t)r->room ? r->room : (size_t)(end < 0 ? 0 : end);
        while (u < m && c->used[k][u] < first)
            u++;
        for (; u < m && c->used[k][u] < last && at + (int64_t)skip < (int64_t)stop; u++)
            subtract_times(r->x + c->used[k][u] * r->room + (size_t)(at + (int64_t)skip), a->amplitude,
                c->shape[k] + ((size_t)a->shift * m + u) * c->length + skip, stop - (size_t)(at + (int64_t)skip));
    }
}

/* f (BASIS) += products of x (length) with basis (length, BASIS). */
NSET_WIDE static void add_products(float *f, const float *x, const float *basis, size_t length)
{
    float sum[BASIS] = { 0 };

    for (size_t s = 0; s < length; s++)
        for (size_t b = 0; b < BASIS; b++)
            sum[b] += basis[s * BASIS + b] * x[s];
    for (size_t b = 0; b < BASIS; b++)
        f[b] += sum[b];
}

static void describe(void *ctx, size_t first, size_t last, size_t chunk)
{
    const cleaner *r = ctx;
    const nset_clean *c = r->c;

    (void)chunk;
    for (size_t i = first; i < last; i++) {
        const nset_match *a = &r->m->match[r->first + i];
        size_t k = (size_t)a->unit, at = (size_t)(a->sample - (int64_t)c->t->pre - r->start);
        const float *own = c->own + k * NSET_CLEAN, *side = c->side + (size_t)a->shift * c->length * BASIS;
        float *f = r->f + i * NSET_CLEAN;
        for (size_t q = 0; q < NSET_CLEAN; q++)
            f[q] = a->amplitude * own[q];
        for (size_t q = 0; q < c->n_channel[k]; q++)
            add_products(f + q * BASIS, r->x + c->channel[k * NSET_CLEAN_CHANNELS + q] * r->room + at, side, c->length);
    }
}

/* First match at or after sample. */
static size_t find(const nset_matches *m, int64_t sample)
{
    size_t low = 0, high = m->n;

    while (low < high) {
        size_t middle = (low + high) / 2;
        if (m->match[middle].sample < sample)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

nset_status nset_clean_run(const nset_clean *c, nset_whitened *w, const nset_matches *m, const int64_t *segments,
    size_t n_segments, nset_workers *workers, nset_clean_take take, void *ctx, nset_error *err)
{
    size_t margin = c->length, most = NSET_HOP + 2 * margin, f_room = 0;
    cleaner r = { .c = c, .m = m };
    nset_status status = NSET_OK;

    if (!(r.x = nset_calloc(most * c->t->n_channels, sizeof *r.x)))
        return nset_fail_oom(err, most * c->t->n_channels, sizeof *r.x);
    for (size_t i = 0; i < n_segments && status == NSET_OK; i++) {
        int64_t from = segments[i] * NSET_HOP, to = from + (int64_t)nset_whitened_segment_length(w, segments[i]);
        size_t last = find(m, to), n;
        r.first = find(m, from);
        n = last - r.first;
        r.start = from - (int64_t)margin;
        r.room = (size_t)(to - from) + 2 * margin;
        if (nset_cancelled())
            status = nset_fail_cancelled(err);
        if (status == NSET_OK)
            status = nset_whitened_planes(w, r.x, r.start, r.room, err);
        if (status == NSET_OK && n > f_room) {
            nset_free(r.f);
            f_room = n + n / 4;
            if (!(r.f = nset_calloc(f_room * NSET_CLEAN, sizeof *r.f)))
                status = nset_fail_oom(err, f_room * NSET_CLEAN, sizeof *r.f);
        }
        if (status != NSET_OK)
            break;
        r.subtract_from = find(m, r.start - (int64_t)c->length);
        r.subtract = find(m, to + (int64_t)(2 * margin));
        nset_parallel_for(workers, c->t->n_channels, PIECE, subtract_matches, &r);
        nset_parallel_for(workers, n, 64, describe, &r);
        status = take(ctx, r.first, n, r.f, err);
        nset_progress_at((double)(i + 1));
    }
    nset_free(r.x);
    nset_free(r.f);
    return status;
}
