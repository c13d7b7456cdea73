#include "ephys/whiten.h"

#include <fftw3.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <neuroset/memory.h>

#include "cli/progress.h"
#include "ephys/level.h"
#include "ephys/noise.h"
#include "signal/fft.h"
#include "signal/robust.h"

enum {
    WELCH = 512, /* samples of a periodogram's window */
    WELCH_BINS = WELCH / 2 + 1,
    LEARN_SEGMENTS = 24, /* spread over the recording */
    CONTEXT = 1024,      /* samples beyond a segment that decide about blanking */
    LOCAL_CHANNELS = 64, /* as many are whitened together */
};
#define LOW_HZ 300.
#define LOCAL_UM 120.    /* whitening reaches that far where there are more than LOCAL_CHANNELS */
#define GAP_SECONDS .005 /* blanked on each side of a gap */

typedef struct cached {
    float *x; /* (length, n_channels) */
    int64_t used;
} cached;

struct nset_whitened {
    const nset_recording *recording;
    nset_workers *workers;
    nset_segments *segments;
    nset_source *levelled; /* what the segments read */
    bool reference, silent;
    size_t n_channels;
    int64_t n_segments, clock;
    float density;
    float *response, *band; /* (NSET_BINS) with and without whitening in time */
    float *scale;           /* (n_channels) 1 / noise sd after the filter in time; 0: a dead channel */
    float *matrix;          /* (n_channels, n_channels) */
    size_t *low, *high;     /* (n_channels) outputs low .. high - 1 of an input are not 0 */
    float *noise_uv;
    float *planes;      /* (n_channels, NSET_FFT) */
    unsigned char *bad; /* (NSET_FFT) */
    uint32_t *large;    /* (NSET_FFT) channels beyond 4 sd */
    cached *cache;
    size_t n_cached, most_cached;
    int64_t (*spans)[2];
    size_t n_spans, cap_spans;
    unsigned char *listed; /* (n_segments) its spans are in the list */
};

/* ---- blanking ---- */

/* bad[t] for t in [NSET_MARGIN - CONTEXT, NSET_FFT - NSET_MARGIN + CONTEXT) of the planes, scaled to noise sd. */
static void find_artefacts(nset_whitened *w)
{
    size_t n = w->n_channels, half = (size_t)(.005 * w->recording->source->rate_hz), first = NSET_MARGIN - CONTEXT;
    size_t last = NSET_FFT - NSET_MARGIN + CONTEXT, need, sum = 0, n_alive = 0;
    unsigned char *low = w->bad + NSET_FFT;

    memset(w->bad, 0, 2 * NSET_FFT);
    if (half > CONTEXT / 3)
        half = CONTEXT / 3;
    for (size_t c = 0; c < n; c++)
        n_alive += w->scale[c] > 0;
    if (n_alive == 0)
        return;
    need = n_alive - n_alive / 4;
    memset(w->large, 0, NSET_FFT * sizeof *w->large);
    for (size_t c = 0; c < n; c++) {
        const float *plane = w->planes + c * NSET_FFT;
        for (size_t t = first; t < last; t++)
            w->large[t] += fabsf(plane[t]) * w->scale[c] > 4;
    }
    for (size_t t = first; t < last; t++)
        low[t] = w->large[t] >= need;
    for (size_t t = first; t < first + 2 * half; t++)
        sum += low[t];
    for (size_t t = first + half; t + half < last; t++) {
        sum += low[t + half];
        if ((double)sum > .15 * (double)(2 * half + 1)) /* blank it with 10 ms each side */
            for (size_t k = t > first + 2 * half ? t - 2 * half : first; k <= t + 2 * half && k < last; k++)
                w->bad[k] = 1;
        sum -= low[t - half];
    }
}

/* Adds the samples around gaps to bad: whatever the filter makes of a joint is no event. */
static void blank_gaps(nset_whitened *w, int64_t segment)
{
    const nset_recording *r = w->recording;
    int64_t zero = segment * NSET_HOP - NSET_MARGIN, half = (int64_t)(GAP_SECONDS * r->source->rate_hz);

    for (size_t i = 0; i < r->n_gaps; i++) {
        int64_t first = r->gap[i].sample - half - zero, last = r->gap[i].sample + half - zero;
        for (int64_t t = first < 0 ? 0 : first; t < last && t < NSET_FFT; t++)
            w->bad[t] = 1;
    }
}

static nset_status list_spans(nset_whitened *w, int64_t segment, size_t length, nset_error *err)
{
    const unsigned char *bad = w->bad + NSET_MARGIN;
    nset_status status;

    if (w->listed[segment])
        return NSET_OK;
    w->listed[segment] = 1;
    for (size_t t = 0; t < length; t++) {
        int64_t at = segment * NSET_HOP + (int64_t)t;
        if (!bad[t] || (t > 0 && bad[t - 1]))
            continue;
        if ((status = nset_grow(&w->spans, &w->cap_spans, w->n_spans + 1, sizeof *w->spans, err)) != NSET_OK)
            return status;
        w->spans[w->n_spans][0] = at;
        while (t < length && bad[t])
            t++;
        w->spans[w->n_spans++][1] = segment * NSET_HOP + (int64_t)t;
    }
    return NSET_OK;
}

/* ---- one segment ---- */

static void subtract_median(nset_whitened *w)
{
    size_t n = w->n_channels;
    float x[4096];

    for (size_t t = 0; t < NSET_FFT; t++) {
        float m;
        for (size_t c = 0; c < n; c++)
            x[c] = w->planes[c * NSET_FFT + t];
        m = nset_median(x, n);
        for (size_t c = 0; c < n; c++)
            w->planes[c * NSET_FFT + t] -= m;
    }
}

static nset_status filter_segment(nset_whitened *w, int64_t segment, const float *response, nset_error *err)
{
    nset_status status = nset_segments_read(w->segments, w->planes, segment, response, err);

    if (status == NSET_OK && w->reference)
        subtract_median(w);
    return status;
}

typedef struct mix_job {
    const nset_whitened *w;
    float *x;
    size_t length;
} mix_job;

enum { MIX_ROWS = 256 };

/* Rows of x := the planes' samples times scale, times the matrix. */
static void mix_rows(void *ctx, size_t first, size_t last, size_t chunk)
{
    mix_job *j = ctx;
    const nset_whitened *w = j->w;
    size_t n = w->n_channels;

    (void)chunk;
    memset(j->x + first * n, 0, (last - first) * n * sizeof *j->x);
    for (size_t t = first; t < last; t++) {
        float *row = j->x + t * n;
        if (w->bad[NSET_MARGIN + t])
            continue;
        for (size_t c = 0; c < n; c++) {
            float v = w->planes[c * NSET_FFT + NSET_MARGIN + t] * w->scale[c];
            const float *m = w->matrix + c * n;
            if (v == 0)
                continue;
            for (size_t k = w->low[c]; k < w->high[c]; k++)
                row[k] += v * m[k];
        }
    }
}

static nset_status make_segment(nset_whitened *w, float *x, int64_t segment, nset_error *err)
{
    size_t length = nset_segment_length(w->segments, segment);
    mix_job job = { w, x, length };
    nset_status status;

    if (nset_cancelled())
        return nset_fail_cancelled(err);
    if ((status = filter_segment(w, segment, w->response, err)) != NSET_OK)
        return status;
    find_artefacts(w);
    blank_gaps(w, segment);
    if ((status = list_spans(w, segment, length, err)) != NSET_OK)
        return status;
    nset_parallel_for(w->workers, length, MIX_ROWS, mix_rows, &job);
    return NSET_OK;
}

/* ---- cache ---- */

static nset_status get_segment(nset_whitened *w, const float **x, int64_t segment, nset_error *err)
{
    cached *slot = &w->cache[segment];
    nset_status status;

    if (!slot->x) {
        if (w->n_cached >= w->most_cached) { /* passes go from first to last: what was used last is needed last */
            int64_t latest = -1;
            for (int64_t i = 0; i < w->n_segments; i++)
                if (w->cache[i].x && i != segment - 1 && (latest < 0 || w->cache[i].used > w->cache[latest].used))
                    latest = i;
            slot->x = w->cache[latest].x;
            w->cache[latest].x = NULL;
        } else {
            if (!(slot->x = nset_calloc(NSET_HOP * w->n_channels, sizeof *slot->x)))
                return nset_fail_oom(err, NSET_HOP * w->n_channels, sizeof *slot->x);
            w->n_cached++;
        }
        if ((status = make_segment(w, slot->x, segment, err)) != NSET_OK) {
            nset_free(slot->x);
            slot->x = NULL;
            w->n_cached--;
            return status;
        }
    }
    slot->used = ++w->clock;
    *x = slot->x;
    return NSET_OK;
}

nset_status nset_whitened_read(nset_whitened *w, float *x, int64_t start, size_t n, nset_error *err)
{
    int64_t end = start + (int64_t)n, total = w->recording->source->n_samples;
    nset_status status;

    for (int64_t t = start; t < end;) {
        const float *from = NULL;
        int64_t segment = t / NSET_HOP, stop = t < 0 ? 0 : (segment + 1) * NSET_HOP;
        float *to = x + (size_t)(t - start) * w->n_channels;
        if (t >= total)
            stop = end;
        stop = stop < end ? stop : end;
        if (t >= 0 && t < total && stop > total)
            stop = total;
        if (t < 0 || t >= total) {
            memset(to, 0, (size_t)(stop - t) * w->n_channels * sizeof *to);
        } else {
            if ((status = get_segment(w, &from, segment, err)) != NSET_OK)
                return status;
            memcpy(to, from + (size_t)(t - segment * NSET_HOP) * w->n_channels,
                (size_t)(stop - t) * w->n_channels * sizeof *to);
        }
        t = stop;
    }
    return NSET_OK;
}

nset_status nset_whitened_band(nset_whitened *w, float *x, int64_t i, nset_error *err)
{
    size_t length = nset_segment_length(w->segments, i), n = w->n_channels;
    nset_status status;

    if ((status = filter_segment(w, i, w->band, err)) != NSET_OK)
        return status;
    for (size_t c = 0; c < n; c++)
        for (size_t t = 0; t < length; t++)
            x[t * n + c] = w->planes[c * NSET_FFT + NSET_MARGIN + t];
    return NSET_OK;
}

/* ---- learning the noise ---- */

/* Segment i of a spread of at most LEARN_SEGMENTS. */
static int64_t learn_segment(const nset_whitened *w, int64_t i, int64_t n)
{
    return n == 1 ? 0 : i * (w->n_segments - 1) / (n - 1);
}

static int64_t n_learn(const nset_whitened *w)
{
    return w->n_segments < LEARN_SEGMENTS ? w->n_segments : LEARN_SEGMENTS;
}

/* Periodograms of one segment's windows, mean over channels: power (WELCH_BINS, n_windows) from column at. */
static void welch(nset_whitened *w, nset_fft *fft, float *power, size_t n_windows, size_t at, size_t count)
{
    float *x = nset_calloc(WELCH, sizeof *x);
    fftwf_complex *z = nset_calloc(WELCH_BINS, sizeof *z);

    for (size_t i = 0; i < count && x && z; i++)
        for (size_t c = 0; c < w->n_channels; c++) {
            const float *from = w->planes + c * NSET_FFT + NSET_MARGIN + i * WELCH;
            for (size_t t = 0; t < WELCH; t++)
                x[t] = from[t] * (float)(.5 - .5 * cos(6.283185307179586 * (double)t / WELCH));
            nset_fft_forward(fft, x, z);
            for (size_t k = 0; k < WELCH_BINS; k++)
                power[k * n_windows + at + i] += z[k][0] * z[k][0] + z[k][1] * z[k][1];
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
        gain[k] = f >= LOW_HZ && f <= top && p > 0 ? 1 / sqrt(p) : 0;
    }
    for (size_t k = 0; k < NSET_BINS; k++) {
        double at = (double)k * (WELCH_BINS - 1) / (NSET_BINS - 1);
        size_t i = at >= WELCH_BINS - 1 ? WELCH_BINS - 2 : (size_t)at;
        w->response[k] = (float)(gain[i] + (at - (double)i) * (gain[i + 1] - gain[i]));
    }
    w->density = (float)sqrt((rate / 2) / (top - LOW_HZ));
}

static nset_status learn_spectrum(nset_whitened *w, nset_error *err)
{
    int64_t n = n_learn(w);
    size_t a_segment = NSET_HOP / WELCH / 2, n_windows = 0;
    float *power = nset_calloc((size_t)n * a_segment * WELCH_BINS + 1, sizeof *power);
    nset_fft *fft = NULL;
    nset_status status;

    if (!power)
        return nset_fail_oom(err, (size_t)n * a_segment * WELCH_BINS, sizeof *power);
    if ((status = nset_fft_create(&fft, WELCH, err)) != NSET_OK)
        goto done;
    for (int64_t i = 0; i < n && status == NSET_OK; i++) {
        size_t count = nset_segment_length(w->segments, learn_segment(w, i, n)) / WELCH;
        n_windows += count < a_segment ? count : a_segment;
    }
    for (int64_t i = 0, at = 0; i < n && n_windows > 0; i++) {
        int64_t segment = learn_segment(w, i, n);
        size_t count = nset_segment_length(w->segments, segment) / WELCH;
        if (nset_cancelled()) {
            status = nset_fail_cancelled(err);
            goto done;
        }
        if ((status = filter_segment(w, segment, w->band, err)) != NSET_OK)
            goto done;
        count = count < a_segment ? count : a_segment;
        welch(w, fft, power, n_windows, (size_t)at, count);
        at += (int64_t)count;
    }
    set_response(w, power, n_windows);

done:
    nset_fft_free(fft);
    nset_free(power);
    return status;
}

/* Noise sd of each plane, median over the spread's segments. values (n_channels, n) */
static nset_status learn_scale(nset_whitened *w, const float *response, float *sd, nset_error *err)
{
    int64_t n = n_learn(w);
    size_t step = 5, room = NSET_HOP / step + 1;
    float *x = nset_calloc(room, sizeof *x), *all = nset_calloc((size_t)n * w->n_channels, sizeof *all);
    nset_status status = x && all ? NSET_OK : nset_fail_oom(err, room, sizeof *x);

    for (int64_t i = 0; i < n && status == NSET_OK; i++) {
        int64_t segment = learn_segment(w, i, n);
        size_t length = nset_segment_length(w->segments, segment), k;
        if ((status = filter_segment(w, segment, response, err)) != NSET_OK)
            break;
        for (size_t c = 0; c < w->n_channels; c++) {
            k = 0;
            for (size_t t = 0; t < length; t += step)
                x[k++] = w->planes[c * NSET_FFT + NSET_MARGIN + t];
            all[c * (size_t)n + (size_t)i] = nset_mad_sd(x, k);
        }
    }
    for (size_t c = 0; c < w->n_channels && status == NSET_OK; c++)
        sd[c] = nset_median(all + c * (size_t)n, (size_t)n);
    nset_free(x);
    nset_free(all);
    return status;
}

/* Adds the products of a segment's spike-free samples to s (n_channels, n_channels); returns how many there were. */
static size_t add_covariance(nset_whitened *w, double *s, size_t length)
{
    size_t n = w->n_channels, count = 0, guard = 30, quiet = 0;
    float x[4096];

    for (size_t t = 0; t < length; t++) {
        bool loud = w->bad[NSET_MARGIN + t];
        for (size_t c = 0; c < n && !loud; c++)
            loud = fabsf(w->planes[c * NSET_FFT + NSET_MARGIN + t]) * w->scale[c] > 4.5f;
        quiet = loud ? 0 : quiet + 1;
        if (quiet < 2 * guard || t % 3) /* the sample guard before t has been quiet on both sides */
            continue;
        for (size_t c = 0; c < n; c++)
            x[c] = w->planes[c * NSET_FFT + NSET_MARGIN + t - guard] * w->scale[c];
        for (size_t a = 0; a < n; a++)
            for (size_t b = 0; b <= a; b++)
                s[a * n + b] += (double)(x[a] * x[b]);
        count++;
    }
    return count;
}

/* The same where channels are many and one of them always spikes: a pair counts where it and its neighbours are quiet.
 * count (n_channels, n_channels). */
static nset_status add_local_covariance(nset_whitened *w, double *s, double *count, size_t length, nset_error *err)
{
    enum { GUARD = 30, STEP = 12 };
    size_t n = w->n_channels;
    const nset_probe *p = &w->recording->probe;
    unsigned char *loud = nset_calloc(n * length, 1);
    float *x = nset_calloc(n, sizeof *x);

    if (!loud || !x) {
        nset_free(loud);
        nset_free(x);
        return nset_fail_oom(err, n * length, 1);
    }
    for (size_t c = 0; c < n; c++)
        for (size_t t = 0; t < length; t++)
            if (w->bad[NSET_MARGIN + t] || fabsf(w->planes[c * NSET_FFT + NSET_MARGIN + t]) * w->scale[c] > 4.5f)
                for (size_t k = t < GUARD ? 0 : t - GUARD; k <= t + GUARD && k < length; k++)
                    loud[k * n + c] = 1;
    for (size_t t = 0; t < length; t += STEP) {
        for (size_t c = 0; c < n; c++)
            x[c] = loud[t * n + c] ? NAN : w->planes[c * NSET_FFT + NSET_MARGIN + t] * w->scale[c];
        for (size_t a = 0; a < n; a++)
            for (size_t b = a + 1; b-- > 0 && !isnan(x[a]);) {
                if (p->shank[b] != p->shank[a] || p->y_um[a] - p->y_um[b] > 2 * LOCAL_UM)
                    break; /* channels lie by shank, then depth */
                if (isnan(x[b]))
                    continue;
                s[a * n + b] += (double)(x[a] * x[b]);
                count[a * n + b]++;
            }
    }
    nset_free(loud);
    nset_free(x);
    return NSET_OK;
}

static void find_reach(nset_whitened *w)
{
    size_t n = w->n_channels;

    for (size_t c = 0; c < n; c++) {
        w->low[c] = n;
        for (size_t k = 0; k < n; k++)
            if (w->matrix[c * n + k] != 0) {
                w->low[c] = k < w->low[c] ? k : w->low[c];
                w->high[c] = k + 1;
            }
    }
}

static nset_status learn_matrix(nset_whitened *w, nset_error *err)
{
    int64_t n_seg = n_learn(w);
    size_t n = w->n_channels, count = 0;
    bool local = n > LOCAL_CHANNELS;
    double *s = nset_calloc(n * n, sizeof *s), *pairs = local ? nset_calloc(n * n, sizeof *pairs) : NULL;
    nset_status status = s && (pairs || !local) ? NSET_OK : nset_fail_oom(err, n * n, sizeof *s);

    for (int64_t i = 0; i < n_seg && status == NSET_OK; i++) {
        int64_t segment = learn_segment(w, i, n_seg);
        size_t length = nset_segment_length(w->segments, segment);
        if ((status = filter_segment(w, segment, w->response, err)) != NSET_OK)
            break;
        find_artefacts(w);
        blank_gaps(w, segment);
        if (local)
            status = add_local_covariance(w, s, pairs, length, err);
        else
            count += add_covariance(w, s, length);
    }
    if (status == NSET_OK) {
        nset_covariance_finish(s, pairs, (double)count, 10 * (double)(local ? LOCAL_CHANNELS : n), n);
        status = local ? nset_inverse_root_local(w->matrix, s, &w->recording->probe, LOCAL_UM, err)
                       : nset_inverse_root(w->matrix, s, n, err);
        find_reach(w);
    }
    nset_free(s);
    nset_free(pairs);
    return status;
}

/* After the matrix, each channel's noise sd becomes 1 / density: unit density. */
static nset_status learn_final_scale(nset_whitened *w, nset_error *err)
{
    int64_t n_seg = n_learn(w);
    size_t n = w->n_channels, step = 10, room = NSET_HOP / step + 1;
    float *x = nset_calloc(NSET_HOP * n, sizeof *x), *column = nset_calloc(room, sizeof *column);
    float *all = nset_calloc((size_t)n_seg * n, sizeof *all);
    nset_status status = x && column && all ? NSET_OK : nset_fail_oom(err, NSET_HOP * n, sizeof *x);

    for (int64_t i = 0; i < n_seg && status == NSET_OK; i++) {
        int64_t segment = learn_segment(w, i, n_seg);
        size_t length = nset_segment_length(w->segments, segment);
        if ((status = make_segment(w, x, segment, err)) != NSET_OK)
            break;
        for (size_t c = 0; c < n; c++) {
            size_t k = 0;
            for (size_t t = 0; t < length; t += step)
                column[k++] = x[t * n + c];
            all[c * (size_t)n_seg + (size_t)i] = nset_mad_sd(column, k);
        }
    }
    for (size_t c = 0; c < n && status == NSET_OK; c++) {
        float sd = nset_median(all + c * (size_t)n_seg, (size_t)n_seg), factor = sd > 0 ? 1 / (sd * w->density) : 0;
        for (size_t k = 0; k < n; k++)
            w->matrix[k * n + c] *= factor;
    }
    w->density = 1 / w->density;
    nset_free(x);
    nset_free(column);
    nset_free(all);
    return status;
}

static nset_status learn(nset_whitened *w, nset_error *err)
{
    nset_status status;

    w->silent = true;
    if (w->n_segments == 0)
        return NSET_OK;
    if ((status = learn_scale(w, w->band, w->noise_uv, err)) != NSET_OK ||
        (status = learn_spectrum(w, err)) != NSET_OK ||
        (status = learn_scale(w, w->response, w->scale, err)) != NSET_OK)
        return status;
    for (size_t c = 0; c < w->n_channels; c++) {
        w->scale[c] = w->scale[c] > 0 && isfinite(1 / w->scale[c]) ? 1 / w->scale[c] : 0;
        if (w->scale[c] > 0)
            w->silent = false;
    }
    if (w->silent)
        return NSET_OK;
    if ((status = learn_matrix(w, err)) != NSET_OK)
        return status;
    return learn_final_scale(w, err);
}

/* ---- life ---- */

nset_status nset_whitened_open(nset_whitened **out, const nset_recording *recording, bool reference, size_t memory,
    nset_workers *workers, nset_error *err)
{
    size_t n = recording->source->n_channels;
    nset_whitened *w = nset_calloc(1, sizeof *w);
    nset_status status;

    if (!w)
        return nset_fail_oom(err, 1, sizeof *w);
    if (n > 4096) {
        nset_free(w);
        return nset_fail(err, NSET_ERR_FORMAT, "%zu channels: at most 4096 can be sorted at once", n);
    }
    w->recording = recording;
    w->workers = workers;
    w->reference = reference && n > 1;
    w->n_channels = n;
    if ((status = nset_level_open(&w->levelled, recording, err)) != NSET_OK ||
        (status = nset_segments_open(&w->segments, w->levelled, workers, err)) != NSET_OK)
        goto fail;
    w->n_segments = nset_segments_count(w->segments);
    w->most_cached = memory / (NSET_HOP * n * sizeof(float));
    w->most_cached = w->most_cached < 3 ? 3 : w->most_cached;
    w->response = nset_calloc(NSET_BINS, sizeof *w->response);
    w->band = nset_calloc(NSET_BINS, sizeof *w->band);
    w->scale = nset_calloc(n, sizeof *w->scale);
    w->noise_uv = nset_calloc(n, sizeof *w->noise_uv);
    w->matrix = nset_calloc(n * n, sizeof *w->matrix);
    w->planes = nset_calloc(n * NSET_FFT, sizeof *w->planes);
    w->low = nset_calloc(n, sizeof *w->low);
    w->high = nset_calloc(n, sizeof *w->high);
    w->bad = nset_calloc(2 * NSET_FFT, 1);
    w->large = nset_calloc(NSET_FFT, sizeof *w->large);
    w->cache = nset_calloc((size_t)w->n_segments, sizeof *w->cache);
    w->listed = nset_calloc((size_t)w->n_segments, 1);
    if (!w->response || !w->band || !w->scale || !w->noise_uv || !w->matrix || !w->planes || !w->bad || !w->cache ||
        !w->listed || !w->low || !w->high || !w->large) {
        status = nset_fail_oom(err, n * NSET_FFT, sizeof *w->planes);
        goto fail;
    }
    nset_band_response(w->band, LOW_HZ, NSET_WHITENED_HIGH_HZ, recording->source->rate_hz);
    if ((status = learn(w, err)) != NSET_OK)
        goto fail;
    *out = w;
    return NSET_OK;

fail:
    nset_whitened_close(w);
    return status;
}

void nset_whitened_close(nset_whitened *w)
{
    if (!w)
        return;
    for (int64_t i = 0; i < w->n_segments && w->cache; i++)
        nset_free(w->cache[i].x);
    nset_segments_close(w->segments);
    if (w->levelled)
        w->levelled->close(w->levelled);
    nset_free(w->response);
    nset_free(w->band);
    nset_free(w->scale);
    nset_free(w->noise_uv);
    nset_free(w->matrix);
    nset_free(w->planes);
    nset_free(w->bad);
    nset_free(w->large);
    nset_free(w->low);
    nset_free(w->high);
    nset_free(w->cache);
    nset_free(w->spans);
    nset_free(w->listed);
    nset_free(w);
}

int64_t nset_whitened_segments(const nset_whitened *w)
{
    return w->n_segments;
}

size_t nset_whitened_segment_length(const nset_whitened *w, int64_t i)
{
    return nset_segment_length(w->segments, i);
}

size_t nset_whitened_channels(const nset_whitened *w)
{
    return w->n_channels;
}

int64_t nset_whitened_samples(const nset_whitened *w)
{
    return w->recording->source->n_samples;
}

double nset_whitened_rate(const nset_whitened *w)
{
    return w->recording->source->rate_hz;
}

float nset_whitened_density(const nset_whitened *w)
{
    return w->density;
}

const float *nset_whitened_matrix(const nset_whitened *w)
{
    return w->matrix;
}

const float *nset_whitened_noise_uv(const nset_whitened *w)
{
    return w->noise_uv;
}

bool nset_whitened_is_silent(const nset_whitened *w)
{
    return w->silent;
}

static int by_start(const void *a, const void *b)
{
    const int64_t *p = a, *q = b;

    return (p[0] > q[0]) - (p[0] < q[0]);
}

size_t nset_whitened_blanked(const nset_whitened *w, const int64_t (**spans)[2])
{
    if (w->n_spans)
        qsort(w->spans, w->n_spans, sizeof *w->spans, by_start);
    *spans = (const int64_t(*)[2])w->spans;
    return w->n_spans;
}
