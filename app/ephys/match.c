#include "ephys/match.h"

#include <fftw3.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <neuroset/memory.h>

#include "cli/progress.h"
#include "ephys/shift.h"
#include "signal/fft.h"

enum {
    FFT = NSET_FFT / 8,
    BINS = FFT / 2 + 1,
    ROW = (BINS + 7) / 8 * 8,
    HOP = NSET_HOP / 8,
    PASSES = 60,
    EDGE_BINS = 32
};
#define LAMBDA (1 / (.15f * .15f))
#define NONE -1e9f

typedef struct overlap { /* what a spike of template k adds to the answers of template j */
    size_t j;
    float *d; /* (NSET_SHIFTS, 2 length - 1) for a spike moved by each shift; lag -(length - 1) first */
} overlap;

typedef struct matcher {
    const nset_templates *t;
    nset_workers *workers;
    nset_fft *fft;
    size_t hold;             /* samples around a spike where its unit has no other: .4 ms */
    size_t bins;             /* those of the whitened signal's band */
    size_t n, length, lead;  /* templates; samples of a block before its first own one */
    float *threshold;        /* (n) */
    size_t *used, *n_used;   /* (n, n_channels) channels of each template */
    fftwf_complex **spectra; /* (n) conjugate spectra, (n_used, BINS) */
    overlap **near;          /* (n) */
    size_t *n_near;
    float *x;                /* (FFT, n_channels) */
    fftwf_complex *spectrum; /* (n_channels, BINS) */
    unsigned char *needed;   /* (n_channels) */
    float *b, *g;            /* (n, FFT) answers, gains */
    float *best;             /* (FFT) */
    int32_t *arg;            /* (FFT) */
    bool failed;
} matcher;

void nset_matches_fini(nset_matches *m)
{
    nset_free(m->match);
    *m = (nset_matches){ 0 };
}

/* What a spike must gain: twice the log odds against one at a given sample. */
static double prior_odds(double count, double n_samples)
{
    return 2 * log(n_samples / fmax(count, 1));
}

double nset_match_least_size(double norm, double count, double n_samples)
{
    double lambda = (double)LAMBDA;

    return (sqrt((prior_odds(count, n_samples) + lambda) * (norm * norm + lambda)) - lambda) / norm;
}

/* ---- preparation ---- */

static nset_status find_channels(matcher *m, nset_error *err)
{
    const nset_templates *t = m->t;
    size_t n = t->n_channels;

    m->used = nset_calloc(m->n * n, sizeof *m->used);
    m->n_used = nset_calloc(m->n, sizeof *m->n_used);
    m->needed = nset_calloc(n, 1);
    if (!m->used || !m->n_used || !m->needed)
        return nset_fail_oom(err, m->n * n, sizeof *m->used);
    for (size_t k = 0; k < m->n; k++)
        for (size_t c = 0; c < n; c++) {
            bool any = false;
            for (size_t s = 0; s < t->length && !any; s++)
                any = t->data[(k * t->length + s) * n + c] != 0;
            if (any) {
                m->used[k * n + m->n_used[k]++] = c;
                m->needed[c] = 1;
            }
        }
    return NSET_OK;
}

static void make_spectra(void *ctx, size_t first, size_t last, size_t chunk)
{
    matcher *m = ctx;
    size_t n = m->t->n_channels;
    float *w = nset_calloc(FFT, sizeof *w);

    (void)chunk;
    for (size_t k = first; k < last; k++) {
        m->spectra[k] = nset_calloc(m->n_used[k] * ROW, sizeof **m->spectra);
        for (size_t u = 0; u < m->n_used[k] && w && m->spectra[k]; u++) {
            fftwf_complex *z = m->spectra[k] + u * ROW;
            memset(w, 0, FFT * sizeof *w);
            for (size_t s = 0; s < m->length; s++)
                w[s] = m->t->data[(k * m->length + s) * n + m->used[k * n + u]];
            nset_fft_forward(m->fft, w, z);
            for (size_t i = 0; i < BINS; i++)
                z[i][1] = -z[i][1];
        }
        if (!w || !m->spectra[k])
            m->failed = true;
    }
    nset_free(w);
}

static bool share_channel(const matcher *m, size_t k, size_t j)
{
    size_t n = m->t->n_channels, a = 0, b = 0;

    while (a < m->n_used[k] && b < m->n_used[j]) {
        size_t p = m->used[k * n + a], q = m->used[j * n + b];
        if (p == q)
            return true;
        p < q ? a++ : b++;
    }
    return false;
}

/* d[lag + length - 1] := sum over s of w_k[s] w_j[s - lag]: the answer of j, lag samples after the start of k; then the
 * same for k moved by each shift. */
static void correlate(const matcher *m, float *d, size_t k, size_t j)
{
    const nset_templates *t = m->t;
    size_t n = t->n_channels, length = t->length;

    float *middle = d + NSET_SHIFT_MIDDLE * (2 * length - 1);

    for (size_t l = 0; l < 2 * length - 1; l++) {
        int64_t lag = (int64_t)l - (int64_t)length + 1;
        size_t first = lag > 0 ? (size_t)lag : 0, last = lag > 0 ? length : (size_t)((int64_t)length + lag);
        float sum = 0;
        for (size_t u = 0; u < m->n_used[k]; u++) {
            size_t c = m->used[k * n + u];
            for (size_t s = first; s < last; s++)
                sum += t->data[(k * length + s) * n + c] * t->data[(j * length + (size_t)((int64_t)s - lag)) * n + c];
        }
        middle[l] = sum;
    }
    for (size_t i = 0; i < NSET_SHIFTS; i++)
        if (i != NSET_SHIFT_MIDDLE)
            nset_shift(d + i * (2 * length - 1), middle, 2 * length - 1, i);
}

static void make_overlaps(void *ctx, size_t first, size_t last, size_t chunk)
{
    matcher *m = ctx;

    (void)chunk;
    for (size_t k = first; k < last; k++) {
        size_t count = 0;
        for (size_t j = 0; j < m->n; j++)
            count += share_channel(m, k, j);
        m->near[k] = nset_calloc(count, sizeof **m->near);
        for (size_t j = 0; j < m->n && m->near[k]; j++) {
            overlap *o = &m->near[k][m->n_near[k]];
            if (!share_channel(m, k, j))
                continue;
            o->j = j;
            if (!(o->d = nset_calloc(NSET_SHIFTS * (2 * m->length - 1), sizeof *o->d))) {
                m->failed = true;
                return;
            }
            m->n_near[k]++;
            correlate(m, o->d, k, j);
        }
        if (!m->near[k])
            m->failed = true;
    }
}

static nset_status prepare(matcher *m, const double *count, double n_samples, nset_error *err)
{
    size_t n = m->t->n_channels;
    nset_status status;

    m->threshold = nset_calloc(m->n, sizeof *m->threshold);
    m->spectra = nset_calloc(m->n, sizeof *m->spectra);
    m->near = nset_calloc(m->n, sizeof *m->near);
    m->n_near = nset_calloc(m->n, sizeof *m->n_near);
    m->x = nset_calloc(FFT * n, sizeof *m->x);
    m->spectrum = nset_calloc(n * ROW, sizeof *m->spectrum);
    m->b = nset_calloc(m->n * FFT, sizeof *m->b);
    m->g = nset_calloc(m->n * FFT, sizeof *m->g);
    m->best = nset_calloc(FFT, sizeof *m->best);
    m->arg = nset_calloc(FFT, sizeof *m->arg);
    if (!m->threshold || !m->spectra || !m->near || !m->n_near || !m->x || !m->spectrum || !m->b || !m->g || !m->best ||
        !m->arg)
        return nset_fail_oom(err, m->n * FFT, sizeof *m->b);
    if ((status = nset_fft_create(&m->fft, FFT, err)) != NSET_OK || (status = find_channels(m, err)) != NSET_OK)
        return status;
    for (size_t k = 0; k < m->n; k++)
        m->threshold[k] = (float)prior_odds(count[k], n_samples);
    nset_parallel_for(m->workers, m->n, 1, make_spectra, m);
    nset_parallel_for(m->workers, m->n, 1, make_overlaps, m);
    return m->failed ? nset_fail_oom(err, BINS, sizeof **m->spectra) : NSET_OK;
}

static void finish(matcher *m)
{
    for (size_t k = 0; k < m->n; k++) {
        if (m->spectra)
            nset_free(m->spectra[k]);
        for (size_t i = 0; m->near && m->n_near && i < m->n_near[k]; i++)
            nset_free(m->near[k][i].d);
        if (m->near)
            nset_free(m->near[k]);
    }
    nset_fft_free(m->fft);
    nset_free(m->threshold);
    nset_free(m->used);
    nset_free(m->n_used);
    nset_free(m->needed);
    nset_free(m->spectra);
    nset_free(m->near);
    nset_free(m->n_near);
    nset_free(m->x);
    nset_free(m->spectrum);
    nset_free(m->b);
    nset_free(m->g);
    nset_free(m->best);
    nset_free(m->arg);
}

/* ---- one block ---- */

static float gain(const matcher *m, size_t k, float b)
{
    float norm = m->t->norm[k], q = norm * norm;

    return b > m->t->least[k] * norm ? (b + LAMBDA) * (b + LAMBDA) / (q + LAMBDA) - LAMBDA - m->threshold[k] : NONE;
}

static void transform_channels(void *ctx, size_t first, size_t last, size_t chunk)
{
    matcher *m = ctx;
    size_t n = m->t->n_channels;
    float *x = nset_calloc(FFT, sizeof *x);

    (void)chunk;
    for (size_t c = first; c < last && x; c++) {
        if (!m->needed[c])
            continue;
        for (size_t t = 0; t < FFT; t++)
            x[t] = m->x[t * n + c];
        nset_fft_forward(m->fft, x, m->spectrum + c * ROW);
    }
    if (!x)
        m->failed = true;
    nset_free(x);
}

static void answer_templates(void *ctx, size_t first, size_t last, size_t chunk)
{
    matcher *m = ctx;
    fftwf_complex *sum = nset_calloc(BINS, sizeof *sum);

    (void)chunk;
    for (size_t k = first; k < last && sum; k++) {
        float *b = m->b + k * FFT, *g = m->g + k * FFT;
        memset(sum, 0, BINS * sizeof *sum);
        for (size_t u = 0; u < m->n_used[k]; u++) {
            fftwf_complex *w = m->spectra[k] + u * ROW;
            fftwf_complex *x = m->spectrum + m->used[k * m->t->n_channels + u] * ROW;
            for (size_t i = 0; i < m->bins; i++) {
                sum[i][0] += w[i][0] * x[i][0] - w[i][1] * x[i][1];
                sum[i][1] += w[i][0] * x[i][1] + w[i][1] * x[i][0];
            }
        }
        nset_fft_inverse(m->fft, sum, b);
        for (size_t t = FFT - m->length; t < FFT; t++) /* wraps around */
            b[t] = NONE;
        for (size_t t = 0; t < FFT; t++)
            g[t] = gain(m, k, b[t]);
    }
    if (!sum)
        m->failed = true;
    nset_free(sum);
}

static void find_best(matcher *m, size_t first, size_t last)
{
    for (size_t t = first; t < last; t++) {
        m->best[t] = m->g[t];
        m->arg[t] = 0;
    }
    for (size_t k = 1; k < m->n; k++) {
        const float *g = m->g + k * FFT;
        for (size_t t = first; t < last; t++)
            if (g[t] > m->best[t]) {
                m->best[t] = g[t];
                m->arg[t] = (int32_t)k;
            }
    }
}

/* The unit that explains the place next best, and by how much less. */
static int32_t second_best(const matcher *m, size_t t, int32_t unit, float *second)
{
    int32_t found = -1;
    size_t first = t < 3 ? 0 : t - 3;

    *second = 0; /* no spike at all */
    for (size_t k = 0; k < m->n; k++)
        for (size_t s = first; s <= t + 3 && s < FFT && m->t->unit[k] != m->t->unit[unit]; s++)
            if (m->g[k * FFT + s] > *second) {
                *second = m->g[k * FFT + s];
                found = (int32_t)k;
            }
    return found;
}

static void subtract(matcher *m, size_t t, size_t k, float a, size_t shift)
{
    size_t first = t + 1 < m->length ? 0 : t + 1 - m->length, last = t + m->length < FFT ? t + m->length : FFT;

    for (size_t i = 0; i < m->n_near[k]; i++) {
        const overlap *o = &m->near[k][i];
        float *b = m->b + o->j * FFT, *g = m->g + o->j * FFT;
        const float *d = o->d + shift * (2 * m->length - 1);
        for (size_t s = first; s < last; s++)
            b[s] -= a * d[s + m->length - 1 - t];
        if (m->t->unit[o->j] == m->t->unit[k])
            for (size_t s = t < m->hold ? 0 : t - m->hold; s <= t + m->hold && s < FFT; s++)
                b[s] = NONE;
        for (size_t s = first; s < last; s++)
            g[s] = gain(m, o->j, b[s]);
    }
    find_best(m, first, last);
}

static bool is_peak(const matcher *m, size_t t)
{
    size_t first = t < m->length ? 0 : t - m->length, last = t + m->length < FFT ? t + m->length : FFT - 1;

    for (size_t s = first; s <= last; s++)
        if (m->best[s] > m->best[t] || (m->best[s] == m->best[t] && s < t))
            return false;
    return true;
}

/* The shift at which template k answers most near sample t, and its answer there. */
static size_t place(const matcher *m, size_t t, size_t k, float *b)
{
    const float *at = m->b + k * FFT + t;

    *b = *at;
    if (t == 0 || t + 1 >= FFT || at[-1] <= NONE / 2 || at[1] <= NONE / 2)
        return NSET_SHIFT_MIDDLE;
    return nset_shift_nearest(nset_parabola(at[-1], at[0], at[1], b));
}

/* start: sample of the recording at m->x[0]; spikes whose peak lies in [from, to) are kept. */
static nset_status pursue(matcher *m, nset_matches *out, int64_t start, int64_t from, int64_t to, nset_error *err)
{
    size_t *peaks = nset_calloc(FFT, sizeof *peaks), n_peaks = 1;
    nset_status status = peaks ? NSET_OK : nset_fail_oom(err, FFT, sizeof *peaks);

    find_best(m, 0, FFT);
    for (int pass = 0; pass < PASSES && n_peaks > 0 && status == NSET_OK; pass++) {
        n_peaks = 0;
        for (size_t t = 0; t < FFT; t++)
            if (m->best[t] > 0 && is_peak(m, t))
                peaks[n_peaks++] = t;
        for (size_t i = 0; i < n_peaks && status == NSET_OK; i++) {
            size_t t = peaks[i];
            int32_t k = m->arg[t];
            int64_t sample = start + (int64_t)t + (int64_t)m->t->pre;
            float q = m->t->norm[k] * m->t->norm[k], a, b, second, best = m->best[t];
            size_t shift = place(m, t, (size_t)k, &b);
            int32_t other = second_best(m, t, k, &second);
            a = (b + LAMBDA) / (q + LAMBDA);
            a = a < .5f ? .5f : a > 1.6f ? 1.6f : a;
            subtract(m, t, (size_t)k, a, shift);
            if (sample < from || sample >= to)
                continue;
            if ((status = nset_grow(&out->match, &out->capacity, out->n + 1, sizeof *out->match, err)) == NSET_OK)
                out->match[out->n++] = (nset_match){ .sample = sample,
                    .unit = k,
                    .second = other,
                    .shift = (uint32_t)shift,
                    .amplitude = a,
                    .size = b / m->t->norm[k],
                    .probability = 1 / (1 + expf(-.5f * (best - second))) };
        }
    }
    nset_free(peaks);
    return status;
}

static nset_status match_block(
    matcher *m, nset_matches *out, nset_whitened *w, int64_t from, int64_t to, nset_error *err)
{
    int64_t start = from - (int64_t)m->lead;
    nset_status status;

    if (nset_cancelled())
        return nset_fail_cancelled(err);
    if ((status = nset_whitened_read(w, m->x, start, FFT, err)) != NSET_OK)
        return status;
    nset_parallel_for(m->workers, m->t->n_channels, 1, transform_channels, m);
    nset_parallel_for(m->workers, m->n, 1, answer_templates, m);
    if (m->failed)
        return nset_fail_oom(err, FFT, sizeof *m->x);
    return pursue(m, out, start, from, to, err);
}

/* ---- all ---- */

static int by_time(const void *a, const void *b)
{
    const nset_match *p = a, *q = b;

    if (p->sample != q->sample)
        return p->sample < q->sample ? -1 : 1;
    return (p->unit > q->unit) - (p->unit < q->unit);
}

/* A spike on the border of two blocks may be found by both. */
static void drop_doubles(nset_matches *m, const nset_templates *t, int64_t same)
{
    size_t n = 0;

    for (size_t i = 0; i < m->n; i++) {
        bool again = false;
        for (size_t j = n; j > 0 && m->match[i].sample - m->match[j - 1].sample <= same && !again; j--)
            again = t->unit[m->match[j - 1].unit] == t->unit[m->match[i].unit];
        if (!again)
            m->match[n++] = m->match[i];
    }
    m->n = n;
}

nset_status nset_match_run(nset_matches *out, nset_whitened *w, const nset_templates *t, const double *count,
    double n_samples, const int64_t *segments, size_t n_segments, nset_workers *workers, nset_error *err)
{
    matcher m = { .t = t, .workers = workers, .n = t->n, .length = t->length };
    nset_status status = NSET_OK;

    *out = (nset_matches){ 0 };
    if (t->n == 0)
        return NSET_OK;
    m.lead = (FFT - HOP - t->length) / 2;
    m.hold = (size_t)lround(.0004 * nset_whitened_rate(w));
    m.bins = (size_t)fmin(ceil(NSET_WHITENED_HIGH_HZ / nset_whitened_rate(w) * FFT) + EDGE_BINS, BINS);
    status = prepare(&m, count, n_samples, err);
    for (size_t i = 0; i < n_segments && status == NSET_OK; i++) {
        int64_t start = segments[i] * NSET_HOP, end = start + (int64_t)nset_whitened_segment_length(w, segments[i]);
        for (int64_t from = start; from < end && status == NSET_OK; from += HOP)
            status = match_block(&m, out, w, from, from + HOP < end ? from + HOP : end, err);
        nset_progress_at((double)(i + 1));
    }
    finish(&m);
    if (status != NSET_OK) {
        nset_matches_fini(out);
        return status;
    }
    if (out->n)
        qsort(out->match, out->n, sizeof *out->match, by_time);
    drop_doubles(out, t, nset_same_spike(nset_whitened_rate(w)));
    return NSET_OK;
}
