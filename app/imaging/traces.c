#include "imaging/traces.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include <neuroset/memory.h>

#include "cli/progress.h"
#include "imaging/baseline.h"
#include "imaging/footprints.h"
#include "imaging/neuropil.h"
#include "imaging/oasis.h"
#include "imaging/unmix.h"
#include "signal/robust.h"

enum { ROI_CHUNK = 8, BLOCK_BYTES = 16 << 20, MAX_BLOCK = 64 };

/* Means of the even and odd pixels of the mask and of its ring, by name. */
enum { MASK, RING = 2, HALVES = 4 };

__extension__ typedef __int128 wide;

/* Sums over frames of the half means and their products in 2^-24 counts, exact and thus in any order: values below 2^28
 * counts and 2^22 frames fit. */
typedef struct moments {
    wide sum[HALVES], product[HALVES][HALVES];
} moments;

typedef struct job {
    nset_traces *t;
    nset_masks *masks;
    const nset_trace_options *o;
    nset_rings rings;
    nset_overlaps overlaps;
    moments *moments; /* (n_rois) */
    float *frame;     /* (n_block, height * width) */
    size_t n_pixels, first, n_block;
    double rate_hz;      /* given or assumed */
    nset_status *status; /* (chunks) of finishing */
} job;

/* ---- the pass over the frames ---- */

/* Mean of y over pixel (n), weighted if weight is given, and half[2] the plain means of its even and odd places. */
static double mean_of(const float *y, const int32_t *pixel, const float *weight, size_t n, double half[2])
{
    double sum = 0, total = 0, part[2] = { 0 }, count[2] = { 0 };

    for (size_t k = 0; k < n; k++) {
        double x = (double)y[pixel[k]], w = weight ? (double)weight[k] : 1;
        sum += w * x;
        part[k & 1] += x;
    }
    if (isfinite(sum)) {
        total = weight ? 1 : (double)n;
        count[0] = (double)(n - n / 2);
        count[1] = (double)(n / 2);
    } else { /* once more without the pixels that are not numbers */
        sum = part[0] = part[1] = 0;
        for (size_t k = 0; k < n; k++) {
            double x = (double)y[pixel[k]], w = weight ? (double)weight[k] : 1;
            if (!isfinite(x))
                continue;
            sum += w * x;
            total += w;
            part[k & 1] += x;
            count[k & 1]++;
        }
    }
    half[0] = count[0] > 0 ? part[0] / count[0] : 0;
    half[1] = count[1] > 0 ? part[1] / count[1] : 0;
    return total > 0 ? sum / total : 0;
}

static void add_moments(moments *m, const double half[HALVES])
{
    int64_t x[HALVES];

    for (int i = 0; i < HALVES; i++) {
        x[i] = llrint(fmin(fmax(half[i], -0x1p28), 0x1p28) * 0x1p24);
        m->sum[i] += x[i];
        for (int k = 0; k <= i; k++)
            m->product[i][k] += (wide)x[i] * x[k];
    }
}

static void take_block(void *ctx, size_t first, size_t last, size_t chunk)
{
    job *j = ctx;
    nset_traces *t = j->t;

    (void)chunk;
    for (size_t b = 0; b < j->n_block; b++)
        for (size_t i = first; i < last; i++) {
            const float *y = j->frame + b * j->n_pixels;
            const nset_roi *roi = &j->masks->roi[i];
            size_t ring = j->rings.offset[i], n_ring = j->rings.offset[i + 1] - ring,
                   at = i * t->n_frames + j->first + b;
            double half[HALVES];
            t->raw[at] = (float)mean_of(y, roi->pixel, roi->weight, roi->n_pixels, half + MASK);
            t->neuropil[at] = (float)mean_of(y, j->rings.pixel + ring, NULL, n_ring, half + RING);
            add_moments(&j->moments[i], half);
        }
}

static nset_status read_frames(job *j, nset_movie *movie, nset_workers *workers, nset_error *err)
{
    size_t n_frames = j->t->n_frames, block = BLOCK_BYTES / (j->n_pixels * sizeof *j->frame + 1) + 1;
    nset_status status = NSET_OK;

    if (j->masks->n == 0)
        return NSET_OK;
    block = block < MAX_BLOCK ? block : MAX_BLOCK;
    if (!(j->frame = nset_calloc(block * j->n_pixels, sizeof *j->frame)))
        return nset_fail_oom(err, block * j->n_pixels, sizeof *j->frame);
    nset_progress_begin("traces", (double)n_frames, "frames");
    for (j->first = 0; j->first < n_frames && status == NSET_OK; j->first += j->n_block) {
        j->n_block = n_frames - j->first < block ? n_frames - j->first : block;
        for (size_t b = 0; b < j->n_block && status == NSET_OK; b++)
            status = movie->read(movie, j->frame + b * j->n_pixels, (int64_t)(j->first + b), err);
        if (status == NSET_OK)
            nset_parallel_for(workers, j->masks->n, ROI_CHUNK, take_block, j);
        nset_progress_at((double)(j->first + j->n_block));
        if (status == NSET_OK && nset_cancelled())
            status = nset_fail_cancelled(err);
    }
    nset_progress_end();
    return status;
}

/* ---- cell by cell ---- */

typedef struct room { /* of one thread's chunk */
    float *a, *b;     /* (n_frames + 1) */
    nset_light *light;
    nset_oasis *oasis;
} room;

static void free_room(room *r)
{
    nset_oasis_free(r->oasis);
    nset_free(r->light);
    nset_free(r->a);
    nset_free(r->b);
}

static nset_status make_room(room *r, size_t n)
{
    *r = (room){ nset_calloc(n + 1, sizeof *r->a), nset_calloc(n + 1, sizeof *r->b), nset_calloc(n, sizeof *r->light),
        NULL };
    return r->a && r->b && r->light ? nset_oasis_create(&r->oasis, n, NULL) : NSET_ERR_NOMEM;
}

static double covariance(const moments *m, int i, int k, size_t n)
{
    double unit = 0x1p24 * (double)n;

    return (double)m->product[i > k ? i : k][i > k ? k : i] / 0x1p24 / unit -
           (double)m->sum[i] / unit * ((double)m->sum[k] / unit);
}

/* The part of the ring's variance that both halves of it share. */
static double ring_reliability(const moments *m, size_t n)
{
    double both = covariance(m, RING, RING + 1, n),
           all = .25 * (covariance(m, RING, RING, n) + covariance(m, RING + 1, RING + 1, n) + 2 * both);

    return all > 0 && both > 0 ? fmin(both / all, 1) : 0;
}

/* Correlation of the halves of the mask, each less its share of its half of the ring. */
static double stability_of(const moments *m, size_t n, double share)
{
    double c[2][2];

    for (int i = 0; i < 2; i++)
        for (int k = 0; k < 2; k++)
            c[i][k] = covariance(m, MASK + i, MASK + k, n) - share * covariance(m, MASK + i, RING + k, n) -
                      share * covariance(m, RING + i, MASK + k, n) +
                      share * share * covariance(m, RING + i, RING + k, n);
    return c[0][0] > 0 && c[1][1] > 0 ? c[0][1] / (sqrt(c[0][0]) * sqrt(c[1][1])) : NAN;
}

/* What is left of each mask's light without its surroundings. */
static void take_off_rings(void *ctx, size_t first, size_t last, size_t chunk)
{
    job *j = ctx;
    nset_traces *t = j->t;
    size_t n = t->n_frames;
    room r;

    j->status[chunk] = make_room(&r, n);
    for (size_t i = first; i < last && j->status[chunk] == NSET_OK; i++) {
        size_t n_ring = j->rings.offset[i + 1] - j->rings.offset[i], at = i * n;
        const moments *m = &j->moments[i];
        double share = NSET_NEUROPIL_SHARE;
        if (n_ring == 0)
            share = 0;
        else if (!j->o->common_share)
            share = nset_neuropil_share(t->raw + at, t->neuropil + at, n, ring_reliability(m, n), r.light, r.a);
        t->share[i] = (float)share;
        for (size_t k = at; k < at + n; k++)
            t->corrected[k] = (float)((double)t->raw[k] - share * (double)t->neuropil[k]);
        t->flags[i] |= n_ring == 0 ? NSET_TRACE_NO_RING : n_ring < NSET_RING_FEW ? NSET_TRACE_SMALL_RING : 0;
        t->flags[i] |= j->overlaps.offset[i + 1] - j->overlaps.offset[i] > 1 ? NSET_TRACE_UNMIXED : 0;
        j->masks->roi[i].stability = j->masks->roi[i].n_pixels > 1 ? stability_of(m, n, share) : NAN;
    }
    free_room(&r);
}

static bool is_constant(const float *x, size_t n)
{
    for (size_t t = 1; t < n; t++)
        if (x[t] < x[0] || x[t] > x[0])
            return false;
    return true;
}

static double snr_of(const float *dff, size_t n, double noise, float *scratch)
{
    float middle, high;

    if (!(noise > 0))
        return 0;
    memcpy(scratch, dff, n * sizeof *dff);
    middle = nset_median(scratch, n);
    high = nset_select(scratch, n, (n - 1) * 99 / 100);
    return ((double)high - (double)middle) / noise;
}

static nset_kinetics kinetics_of(const job *j, const float *dff, size_t n, double noise)
{
    nset_kinetics g = { 0 };

    g.slow = j->o->decay_s > 0 ? exp(-1 / (j->o->decay_s * j->rate_hz)) : nset_trace_decay(dff, n, noise, j->rate_hz);
    if (j->o->rise_s > 0)
        g.fast = fmin(exp(-1 / (j->o->rise_s * j->rate_hz)), .98 * g.slow);
    return g;
}

static void finish_roi(const job *j, size_t i, room *r)
{
    nset_traces *t = j->t;
    size_t n = t->n_frames, at = i * n;
    double window = fmax(round(60 * j->rate_hz), 1), sd, floor;
    float *dff = t->dff + at, *corrected = t->corrected + at;
    nset_kinetics g;

    if (is_constant(corrected, n)) {
        t->flags[i] |= NSET_TRACE_CONSTANT;
        t->decay_s[i] = .5f;
        return;
    }
    sd = nset_trace_noise(corrected, n, r->a);
    memcpy(r->a, t->raw + at, n * sizeof *r->a);
    /* a cell darker than its surroundings has no rest level of its own to divide by */
    floor = fmax(fmax(3 * sd, .05 * fabs((double)nset_median(r->a, n))), 1e-6);
    if (nset_trace_baseline(r->b, corrected, n, window < (double)n ? (size_t)window : n, sd, floor, r->a))
        t->flags[i] |= NSET_TRACE_FLOOR;
    for (size_t k = 0; k < n; k++)
        dff[k] = (corrected[k] - r->b[k]) / r->b[k];
    t->noise[i] = (float)nset_trace_noise(dff, n, r->a);
    j->masks->roi[i].snr = snr_of(dff, n, (double)t->noise[i], r->a);
    g = kinetics_of(j, dff, n, (double)t->noise[i]);
    t->decay_s[i] = (float)(-1 / (log(g.slow) * j->rate_hz));
    sd = nset_trace_misfit(dff, n, (double)t->noise[i], r->a);
    sd = nset_oasis_fit(r->oasis, t->fit + at, t->events + at, dff, n, g, sd);
    for (size_t k = at; k < at + n; k++)
        t->fit[k] += (float)sd;
}

static void finish_rois(void *ctx, size_t first, size_t last, size_t chunk)
{
    job *j = ctx;
    room r;

    j->status[chunk] = make_room(&r, j->t->n_frames);
    for (size_t i = first; i < last && j->status[chunk] == NSET_OK; i++) {
        j->masks->roi[i].snr = 0;
        finish_roi(j, i, &r);
    }
    free_room(&r);
}

static nset_status all_rois(
    job *j, void (*step)(void *, size_t, size_t, size_t), nset_workers *workers, nset_error *err)
{
    size_t n_chunks = (j->t->n_rois + ROI_CHUNK - 1) / ROI_CHUNK;

    nset_parallel_for(workers, j->t->n_rois, ROI_CHUNK, step, j);
    for (size_t k = 0; k < n_chunks; k++)
        if (j->status[k] != NSET_OK)
            return nset_fail_oom(err, j->t->n_frames, sizeof *j->t->raw);
    return NSET_OK;
}

static nset_status finish(job *j, nset_workers *workers, nset_error *err)
{
    nset_traces *t = j->t;
    size_t n_chunks = (t->n_rois + ROI_CHUNK - 1) / ROI_CHUNK;
    nset_status status;

    if (!(j->status = nset_calloc(n_chunks, sizeof *j->status)))
        return nset_fail_oom(err, n_chunks, sizeof *j->status);
    if ((status = all_rois(j, take_off_rings, workers, err)) != NSET_OK ||
        (status = nset_unmix(t->corrected, t->n_rois, t->n_frames, &j->overlaps, workers, err)) != NSET_OK)
        return status;
    return all_rois(j, finish_rois, workers, err);
}

/* ---- life ---- */

static nset_status create(nset_traces **out, size_t n_rois, size_t n_frames, double rate_hz, nset_error *err)
{
    nset_traces *t = nset_calloc(1, sizeof *t);
    float **array[] = { t ? &t->raw : NULL, t ? &t->neuropil : NULL, t ? &t->corrected : NULL, t ? &t->dff : NULL,
        t ? &t->fit : NULL, t ? &t->events : NULL };
    size_t n;

    if (!t || __builtin_mul_overflow(n_rois, n_frames, &n)) {
        nset_free(t);
        return nset_fail_oom(err, n_rois, n_frames);
    }
    *t = (nset_traces){ .n_rois = n_rois, .n_frames = n_frames, .rate_hz = rate_hz };
    for (size_t k = 0; k < sizeof array / sizeof *array; k++)
        if (!(*array[k] = nset_calloc(n, sizeof **array[k])))
            goto no_memory;
    t->share = nset_calloc(n_rois, sizeof *t->share);
    t->noise = nset_calloc(n_rois, sizeof *t->noise);
    t->decay_s = nset_calloc(n_rois, sizeof *t->decay_s);
    t->flags = nset_calloc(n_rois, sizeof *t->flags);
    if (!t->share || !t->noise || !t->decay_s || !t->flags)
        goto no_memory;
    *out = t;
    return NSET_OK;

no_memory:
    nset_traces_free(t);
    return nset_fail_oom(err, n, sizeof(float));
}

void nset_traces_free(nset_traces *t)
{
    if (!t)
        return;
    nset_free(t->raw);
    nset_free(t->neuropil);
    nset_free(t->corrected);
    nset_free(t->dff);
    nset_free(t->fit);
    nset_free(t->events);
    nset_free(t->share);
    nset_free(t->noise);
    nset_free(t->decay_s);
    nset_free(t->flags);
    nset_free(t);
}

static nset_status check(const nset_movie *movie, const nset_masks *masks, nset_error *err)
{
    size_t n_pixels = movie->height * movie->width;

    if (masks->height != movie->height || masks->width != movie->width)
        return nset_fail(err, NSET_ERR_ARG, "masks of %zu x %zu pixels, a movie of %zu x %zu", masks->height,
            masks->width, movie->height, movie->width);
    for (size_t i = 0; i < masks->n; i++)
        for (size_t k = 0; k < masks->roi[i].n_pixels; k++)
            if (masks->roi[i].pixel[k] < 0 || (size_t)masks->roi[i].pixel[k] >= n_pixels)
                return nset_fail(err, NSET_ERR_ARG, "mask %zu: pixel %d is outside of %zu x %zu", i,
                    (int)masks->roi[i].pixel[k], masks->height, masks->width);
    return NSET_OK;
}

nset_status nset_traces_make(nset_traces **out, nset_movie *movie, nset_masks *masks, const nset_trace_options *o,
    nset_workers *workers, nset_error *err)
{
    job j = { .masks = masks, .o = o, .rate_hz = o->rate_hz > 0 ? o->rate_hz : 10 };
    nset_status status;

    if ((status = check(movie, masks, err)) != NSET_OK ||
        (status = create(&j.t, masks->n, (size_t)movie->n_frames, o->rate_hz, err)) != NSET_OK)
        return status;
    j.n_pixels = movie->height * movie->width;
    if (!(j.moments = nset_calloc(masks->n, sizeof *j.moments)))
        status = nset_fail_oom(err, masks->n, sizeof *j.moments);
    if (status == NSET_OK && (status = nset_rings_make(&j.rings, masks, err)) == NSET_OK &&
        (status = nset_overlaps_make(&j.overlaps, masks, err)) == NSET_OK &&
        (status = read_frames(&j, movie, workers, err)) == NSET_OK)
        status = finish(&j, workers, err);
    nset_rings_fini(&j.rings);
    nset_overlaps_fini(&j.overlaps);
    nset_free(j.moments);
    nset_free(j.frame);
    nset_free(j.status);
    if (status != NSET_OK) {
        nset_traces_free(j.t);
        return status;
    }
    *out = j.t;
    return NSET_OK;
}
