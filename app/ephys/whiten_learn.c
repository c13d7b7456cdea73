/* Learning the noise: spectrum, scales and the covariance of spike-free samples, in two passes over a spread of
 * segments and what a third of them holds when whitened. */
#include "ephys/whiten_parts.h"

#include <fftw3.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <neuroset/memory.h>

#include "cli/progress.h"
#include "ephys/noise.h"
#include "signal/fft.h"
#include "signal/robust.h"
#include "signal/wide.h"

enum {
    WELCH = 512, /* samples of a periodogram's window */
    WELCH_BINS = WELCH / 2 + 1,
    A_SEGMENT = NSET_HOP / WELCH / 2, /* windows */
    LEARN_SEGMENTS = 16,              /* spread over the recording; half as many show its spectrum */
    LOCAL_CHANNELS = 64,              /* as many are whitened together */
    GUARD = 30,                       /* samples around a spike that are not noise */
};
#define LOCAL_UM 120. /* whitening reaches that far where there are more than LOCAL_CHANNELS */

/* Number of segments in a spread of at most `most`, and the i-th of them. */
static int64_t n_spread(const nset_whitened *w, int64_t most)
{
    return w->n_segments < most ? w->n_segments : most;
}

static int64_t spread(const nset_whitened *w, int64_t i, int64_t n)
{
    return n == 1 ? 0 : i * (w->n_segments - 1) / (n - 1);
}

/* ---- noise levels ---- */

typedef struct level_job {
    const nset_whitened *w;
    const int16_t *stored; /* NULL: the planes are looked at */
    size_t length;
    float *sd; /* of channel c at c * stride */
    size_t stride;
} level_job;

/* Every so many samples tell a noise level, more of them where segments are few. */
static size_t level_step(size_t n_segments)
{
    return n_segments < LEARN_SEGMENTS / 2 ? 5 : 10;
}

/* Noise sd of whole numbers, between them: a median alone would be a whole number too. */
static float stored_level(const int16_t *x, size_t length)
{
    enum { MOST = 2048 };
    uint32_t count[MOST] = { 0 };
    double below = 0;
    size_t k = 0;

    for (size_t t = 0; t < length; t++) {
        size_t size = (size_t)abs(x[t]);
        count[size < MOST ? size : MOST - 1]++;
    }
    while (k + 1 < MOST && below + count[k] < .5 * (double)length)
        below += count[k++];
    if (k == 0) /* a dead channel */
        return 0;
    return (float)(((double)k - .5 + (.5 * (double)length - below) / count[k]) / .6745);
}

static void see_levels(void *ctx, size_t first, size_t last, size_t chunk)
{
    const level_job *j = ctx;
    float x[NSET_HOP / 5 + 1];

    (void)chunk;
    for (size_t c = first; c < last; c++) {
        const float *plane = j->w->planes + c * NSET_FFT + NSET_MARGIN;
        size_t k = 0;
        for (size_t t = 0; t < j->length && !j->stored; t += level_step(j->stride))
            x[k++] = plane[t];
        j->sd[c * j->stride] = j->stored ? stored_level(j->stored + c * NSET_HOP, j->length) : nset_mad_sd(x, k);
    }
}

/* ---- spectrum ---- */

typedef struct welch_job {
    nset_whitened *w;
    nset_fft *fft;
    float *power; /* (WELCH_BINS, n_windows) */
    size_t n_windows, at;
    float window[WELCH];
} welch_job;

/* Periodograms of one segment's windows first .. last - 1, mean over channels. */
static void welch(void *ctx, size_t first, size_t last, size_t chunk)
{
    const welch_job *j = ctx;
    float *x = nset_calloc(WELCH, sizeof *x);
    fftwf_complex *z = nset_calloc(WELCH_BINS, sizeof *z);

    (void)chunk;
    for (size_t i = first; i < last && x && z; i++)
        for (size_t c = 0; c < j->w->n_channels; c++) {
            const float *from = j->w->planes + c * NSET_FFT + NSET_MARGIN + i * WELCH;
            for (size_t t = 0; t < WELCH; t++)
                x[t] = from[t] * j->window[t];
            nset_fft_forward(j->fft, x, z);
            for (size_t k = 0; k < WELCH_BINS; k++)
                j->power[k * j->n_windows + j->at + i] += z[k][0] * z[k][0] + z[k][1] * z[k][1];
        }
    nset_free(x);
    nset_free(z);
}

/* Inverse square root of the median power, interpolated to the bins of a segment; nothing outside the band. */
static void set_response(nset_whitened *w, float *power, size_t n_windows)
{
    double rate = w->recording->source->rate_hz,
           top = NSET_WHITENED_HIGH_HZ < .45 * rate ? NSET_WHITENED_HIGH_HZ : .45 * rate, gain[WELCH_BINS];

    for (size_t k = 0; k < WELCH_BINS; k++) {
        double f = (double)k * rate / WELCH, p = (double)nset_median(power + k * n_windows, n_windows);
        gain[k] = f >= NSET_WHITEN_LOW_HZ && f <= top && p > 0 ? 1 / sqrt(p) : 0;
    }
    for (size_t k = 0; k < NSET_BINS; k++) {
        double at = (double)k * (WELCH_BINS - 1) / (NSET_BINS - 1);
        size_t i = at >= WELCH_BINS - 1 ? WELCH_BINS - 2 : (size_t)at;
        w->response[k] = (float)(gain[i] + (at - (double)i) * (gain[i + 1] - gain[i]));
    }
    w->density = (float)sqrt((rate / 2) / (top - NSET_WHITEN_LOW_HZ));
}

static size_t windows_of(const nset_whitened *w, int64_t segment)
{
    size_t count = nset_segment_length(w->segments, segment) / WELCH;

    return count < A_SEGMENT ? count : A_SEGMENT;
}

/* noise_uv and response from the band-passed signal. */
static nset_status learn_spectrum(nset_whitened *w, nset_error *err)
{
    int64_t n = n_spread(w, LEARN_SEGMENTS / 2);
    float *sd = nset_calloc((size_t)n * w->n_channels, sizeof *sd);
    welch_job job = { .w = w, .power = nset_calloc((size_t)n * A_SEGMENT * WELCH_BINS + 1, sizeof(float)) };
    nset_status status = sd && job.power ? NSET_OK : nset_fail_oom(err, (size_t)n * A_SEGMENT, WELCH_BINS);

    for (size_t t = 0; t < WELCH; t++)
        job.window[t] = (float)(.5 - .5 * cos(6.283185307179586 * (double)t / WELCH));
    for (int64_t i = 0; i < n; i++)
        job.n_windows += windows_of(w, spread(w, i, n));
    if (status == NSET_OK)
        status = nset_fft_create(&job.fft, WELCH, err);
    for (int64_t i = 0; i < n && status == NSET_OK; i++) {
        int64_t segment = spread(w, i, n);
        level_job levels = { w, NULL, nset_segment_length(w->segments, segment), sd + i, (size_t)n };
        if (nset_cancelled())
            status = nset_fail_cancelled(err);
        if (status != NSET_OK || (status = nset_whiten_filter(w, segment, w->band, err)) != NSET_OK)
            break;
        nset_parallel_for(w->workers, w->n_channels, 4, see_levels, &levels);
        nset_parallel_for(w->workers, windows_of(w, segment), 4, welch, &job);
        job.at += windows_of(w, segment);
    }
    for (size_t c = 0; c < w->n_channels && status == NSET_OK; c++)
        w->noise_uv[c] = nset_median(sd + c * (size_t)n, (size_t)n);
    if (status == NSET_OK)
        set_response(w, job.power, job.n_windows);
    nset_fft_free(job.fft);
    nset_free(job.power);
    nset_free(sd);
    return status;
}

/* ---- covariance ---- */

typedef struct products {
    const nset_whitened *w;
    bool local;
    size_t length, n, step; /* samples; of which n, every step-th, are looked at */
    float *x, *quiet;       /* (n_channels, room) samples, 0 where loud; 1 where not */
    double *sum, *pairs;    /* (n_channels, n_channels) lower triangles */
} products;

enum { ROOM = NSET_HOP / 3 + 1 };

/* quiet of each channel: no sample within GUARD is beyond 4.5 sd or blanked. */
static void find_quiet(void *ctx, size_t first, size_t last, size_t chunk)
{
    products *p = ctx;

    (void)chunk;
    for (size_t c = first; c < last; c++) {
        const float *plane = p->w->planes + c * NSET_FFT + NSET_MARGIN;
        const unsigned char *bad = p->w->bad + NSET_MARGIN;
        size_t behind = 0; /* samples up to that one are not quiet */
        float *quiet = p->quiet + c * ROOM;
        for (size_t i = 0; i < p->n; i++)
            quiet[i] = 1;
        for (size_t t = 0; t < p->length; t++) {
            size_t from = t < GUARD ? 0 : t - GUARD;
            if (!bad[t] && fabsf(plane[t]) <= 4.5f)
                continue;
            for (size_t i = ((from < behind ? behind : from) + p->step - 1) / p->step;
                 i < p->n && i * p->step <= t + GUARD; i++)
                quiet[i] = 0;
            behind = t + GUARD;
        }
    }
}

static void take_quiet(void *ctx, size_t first, size_t last, size_t chunk)
{
    products *p = ctx;

    (void)chunk;
    for (size_t c = first; c < last; c++)
        for (size_t i = 0; i < p->n; i++)
            p->x[c * ROOM + i] =
                p->w->planes[c * NSET_FFT + NSET_MARGIN + i * p->step] * p->quiet[(p->local ? c : 0) * ROOM + i];
}

NSET_WIDE static double dot(const float *a, const float *b, size_t n)
{
    enum { LANES = 16 };
    float lane[LANES] = { 0 };
    double sum = 0;
    size_t i = 0;

    for (; i + LANES <= n; i += LANES)
        for (size_t k = 0; k < LANES; k++)
            lane[k] += a[i + k] * b[i + k];
    for (; i < n; i++)
        sum += (double)(a[i] * b[i]);
    for (size_t k = 0; k < LANES; k++)
        sum += (double)lane[k];
    return sum;
}

/* A pair counts where both are quiet; where channels are few, where all are. */
static void add_products(void *ctx, size_t first, size_t last, size_t chunk)
{
    products *p = ctx;
    const nset_probe *probe = &p->w->recording->probe;
    size_t n = p->w->n_channels;

    (void)chunk;
    for (size_t a = first; a < last; a++)
        for (size_t b = a + 1; b-- > 0;) {
            if (p->local && (probe->shank[b] != probe->shank[a] || probe->y_um[a] - probe->y_um[b] > 2 * LOCAL_UM))
                break; /* channels lie by shank, then depth */
            p->sum[a * n + b] += dot(p->x + a * ROOM, p->x + b * ROOM, p->n);
            if (p->local)
                p->pairs[a * n + b] += dot(p->quiet + a * ROOM, p->quiet + b * ROOM, p->n);
        }
}

/* Adds the products of the planes' spike-free samples; returns how many samples all channels share. */
static double add_segment(products *p)
{
    size_t n = p->w->n_channels;
    double shared = 0;

    p->n = (p->length + p->step - 1) / p->step;
    nset_parallel_for(p->w->workers, n, 4, find_quiet, p);
    for (size_t c = 1; c < n && !p->local; c++) /* channel 0 says it for all */
        for (size_t i = 0; i < p->n; i++)
            p->quiet[i] *= p->quiet[c * ROOM + i];
    nset_parallel_for(p->w->workers, n, 4, take_quiet, p);
    nset_parallel_for(p->w->workers, n, 4, add_products, p);
    for (size_t i = 0; i < p->n && !p->local; i++)
        shared += (double)p->quiet[i];
    return shared;
}

/* mix: outputs in rows, whose inputs lie in low .. high - 1. */
static void set_mix(nset_whitened *w)
{
    size_t n = w->n_channels;

    for (size_t k = 0; k < n; k++) {
        w->low[k] = n;
        for (size_t c = 0; c < n; c++) {
            w->mix[k * n + c] = w->matrix[c * n + k];
            if (w->mix[k * n + c] != 0) {
                w->low[k] = c < w->low[k] ? c : w->low[k];
                w->high[k] = c + 1;
            }
        }
        w->low[k] = w->low[k] < w->high[k] ? w->low[k] : w->high[k];
    }
}

static void invert_levels(float *scale, const float *sd, size_t n, size_t stride)
{
    for (size_t c = 0; c < n; c++)
        scale[c] = sd[c * stride] > 0 && isfinite(1 / sd[c * stride]) ? 1 / sd[c * stride] : 0;
}

/* scale, and sum of products of the signal whitened in time; each segment is scaled by its own levels for the latter.
 */
static nset_status see_segments(products *p, nset_whitened *w, double *count, nset_error *err)
{
    int64_t n_seg = n_spread(w, LEARN_SEGMENTS);
    size_t n = w->n_channels;
    float *sd = nset_calloc((size_t)n_seg * n, sizeof *sd);
    nset_status status = sd ? NSET_OK : nset_fail_oom(err, (size_t)n_seg * n, sizeof *sd);

    for (int64_t i = 0; i < n_seg && status == NSET_OK; i++) {
        int64_t segment = spread(w, i, n_seg);
        level_job levels = { w, NULL, nset_segment_length(w->segments, segment), sd + i, (size_t)n_seg };
        if ((status = nset_whiten_filter(w, segment, w->response, err)) != NSET_OK)
            break;
        nset_parallel_for(w->workers, n, 4, see_levels, &levels);
        invert_levels(w->scale, sd + i, n, (size_t)n_seg);
        nset_whiten_scale_planes(w, w->scale);
        nset_whiten_mark_bad(w, segment);
        p->length = levels.length;
        *count += add_segment(p);
        if (nset_cancelled())
            status = nset_fail_cancelled(err);
    }
    for (size_t c = 0; c < n && status == NSET_OK; c++)
        sd[c] = nset_median(sd + c * (size_t)n_seg, (size_t)n_seg); /* sd[c] has been read */
    if (status == NSET_OK)
        invert_levels(w->scale, sd, n, 1);
    nset_free(sd);
    return status;
}

static nset_status learn_matrix(nset_whitened *w, nset_error *err)
{
    size_t n = w->n_channels;
    bool local = n > LOCAL_CHANNELS;
    products p = { .w = w, .local = local, .step = local ? 12 : 3 };
    double count = 0;
    nset_status status = NSET_OK;

    p.sum = nset_calloc(n * n, sizeof *p.sum);
    p.pairs = local ? nset_calloc(n * n, sizeof *p.pairs) : NULL;
    p.x = nset_calloc(n * ROOM, sizeof *p.x);
    p.quiet = nset_calloc(n * ROOM, sizeof *p.quiet);
    if (!p.sum || (local && !p.pairs) || !p.x || !p.quiet)
        status = nset_fail_oom(err, n * ROOM, sizeof *p.x);
    if (status == NSET_OK)
        status = see_segments(&p, w, &count, err);
    if (status == NSET_OK) {
        nset_covariance_finish(p.sum, p.pairs, count, 10 * (double)(local ? LOCAL_CHANNELS : n), n);
        status = local ? nset_inverse_root_local(w->matrix, p.sum, &w->recording->probe, LOCAL_UM, err)
                       : nset_inverse_root(w->matrix, p.sum, n, err);
        set_mix(w);
    }
    nset_free(p.sum);
    nset_free(p.pairs);
    nset_free(p.x);
    nset_free(p.quiet);
    return status;
}

/* A stored number's worth, such that each channel's noise sd becomes 1 / density: unit density. */
static nset_status learn_final_scale(nset_whitened *w, nset_error *err)
{
    int64_t n_seg = n_spread(w, LEARN_SEGMENTS / 2);
    size_t n = w->n_channels;
    float *all = nset_calloc((size_t)n_seg * n, sizeof *all);
    nset_status status = all ? NSET_OK : nset_fail_oom(err, (size_t)n_seg * n, sizeof *all);

    for (int64_t i = 0; i < n_seg && status == NSET_OK; i++) {
        int64_t segment = spread(w, i, n_seg);
        level_job levels = { w, NULL, nset_segment_length(w->segments, segment), all + i, (size_t)n_seg };
        w->held_first = w->held_last = segment;
        if ((status = nset_whiten_get(w, &levels.stored, segment, err)) == NSET_OK)
            nset_parallel_for(w->workers, n, 4, see_levels, &levels);
    }
    for (size_t c = 0; c < n && status == NSET_OK; c++) {
        float sd = nset_median(all + c * (size_t)n_seg, (size_t)n_seg);
        w->step[c] = sd > 0 ? 1 / (sd * w->density) : 0;
        for (size_t k = 0; k < n; k++)
            w->matrix[k * n + c] *= NSET_WHITEN_STEPS * w->step[c];
    }
    w->density = 1 / w->density;
    nset_free(all);
    return status;
}

nset_status nset_whiten_learn(nset_whitened *w, nset_error *err)
{
    nset_status status;

    w->silent = true;
    if (w->n_segments == 0)
        return NSET_OK;
    if ((status = learn_spectrum(w, err)) != NSET_OK || (status = learn_matrix(w, err)) != NSET_OK)
        return status;
    for (size_t c = 0; c < w->n_channels; c++)
        if (w->scale[c] > 0)
            w->silent = false;
    return w->silent ? NSET_OK : learn_final_scale(w, err);
}
