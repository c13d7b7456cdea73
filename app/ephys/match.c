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
#include "signal/wide.h"

enum { FFT = NSET_FFT / 8, BINS = FFT / 2 + 1, HOP = NSET_HOP / 8, PASSES = 60, EDGE_BINS = 32 };
#define LAMBDA (1 / (.15f * .15f))
#define NONE -1e9f

typedef struct overlap { /* what a spike of template k adds to the answers of template j */
    size_t j;
    float *d; /* (NSET_SHIFTS, 2 length - 1) for a spike moved by each shift; lag -(length - 1) first */
} overlap;

/* One block of the recording and what is found in it. */
typedef struct block {
    int64_t start, from, to; /* its first sample; spikes whose peak lies in [from, to) are its own */
    float *x;                /* (n_channels, 2, row) spectra */
    float *b;                /* (n, FFT) answers */
    float *best;             /* (FFT) gains, 0 where nothing is gained */
    int32_t *arg;            /* (FFT) */
    nset_matches found;
    bool failed;
} block;

typedef struct matcher {
    const nset_templates *t;
    nset_whitened *w;
    nset_workers *workers;
    nset_fft *fft;
    size_t hold;            /* samples around a spike where its unit has no other: .4 ms */
    size_t bins, row;       /* those of the whitened signal's band; rounded up to whole vectors */
    size_t n, length, lead; /* templates; samples of a block before its first own one */
    float *threshold;       /* (n) */
    float *cut;             /* (n) no answer up to that gains anything */
    size_t *used, *n_used;  /* (n, n_channels) channels of each template */
    float **wave;           /* (n) (n_used, length) */
    float **spectra;        /* (n) conjugate spectra, (n_used, 2, row): real parts, imaginary parts */
    overlap **near;         /* (n) */
    size_t *n_near;
    block *room; /* (n_rooms) */
    size_t n_rooms;
    unsigned char *needed; /* (n_channels) */
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

/* re, im (row) := parts of a spectrum, 0 behind the band. */
static void split(const matcher *m, float *parts, fftwf_complex *z)
{
    for (size_t i = 0; i < m->bins; i++) {
        parts[i] = z[i][0];
        parts[m->row + i] = z[i][1];
    }
}

static void make_spectra(void *ctx, size_t first, size_t last, size_t chunk)
{
    matcher *m = ctx;
    size_t n = m->t->n_channels;
    float *w = nset_calloc(FFT, sizeof *w);
    fftwf_complex *z = nset_calloc(BINS, sizeof *z);

    (void)chunk;
    for (size_t k = first; k < last; k++) {
        m->spectra[k] = nset_calloc(m->n_used[k] * 2 * m->row, sizeof **m->spectra);
        m->wave[k] = nset_calloc(m->n_used[k] * m->length, sizeof **m->wave);
        if (!w || !z || !m->spectra[k] || !m->wave[k]) {
            m->failed = true;
            break;
        }
        for (size_t u = 0; u < m->n_used[k]; u++) {
            float *wave = m->wave[k] + u * m->length;
            for (size_t s = 0; s < m->length; s++)
                wave[s] = m->t->data[(k * m->length + s) * n + m->used[k * n + u]];
            memset(w, 0, FFT * sizeof *w);
            memcpy(w, wave, m->length * sizeof *w);
            nset_fft_forward(m->fft, w, z);
            for (size_t i = 0; i < m->bins; i++)
                z[i][1] = -z[i][1];
            split(m, m->spectra[k] + u * 2 * m->row, z);
        }
    }
    nset_free(w);
    nset_free(z);
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

/* d[s + i] += a[s] b[length - 1 - i]; backwards: room for b so turned. */
NSET_WIDE static void add_correlation(float *d, const float *a, const float *b, float *backwards, size_t length)
{
    for (size_t i = 0; i < length; i++)
        backwards[i] = b[length - 1 - i];
    for (size_t s = 0; s < length; s++)
        for (size_t i = 0; i < length; i++)
            d[s + i] += a[s] * backwards[i];
}

/* d[lag + length - 1] := sum over s of w_k[s] w_j[s - lag]: the answer of j, lag samples after the start of k; then the
 * same for k moved by each shift. */
static void correlate(const matcher *m, float *d, float *room, size_t k, size_t j)
{
    size_t n = m->t->n_channels, length = m->length, a = 0, b = 0;
    float *middle = d + NSET_SHIFT_MIDDLE * (2 * length - 1);

    while (a < m->n_used[k] && b < m->n_used[j]) {
        size_t p = m->used[k * n + a], q = m->used[j * n + b];
        if (p == q)
            add_correlation(middle, m->wave[k] + a * length, m->wave[j] + b * length, room, length);
        a += p <= q;
        b += q <= p;
    }
    for (size_t i = 0; i < NSET_SHIFTS; i++)
        if (i != NSET_SHIFT_MIDDLE)
            nset_shift(d + i * (2 * length - 1), middle, 2 * length - 1, i);
}

static void make_overlaps(void *ctx, size_t first, size_t last, size_t chunk)
{
    matcher *m = ctx;
    float *room = nset_calloc(m->length, sizeof *room);

    (void)chunk;
    for (size_t k = first; k < last; k++) {
        size_t count = 0;
        for (size_t j = 0; j < m->n; j++)
            count += share_channel(m, k, j);
        m->near[k] = nset_calloc(count, sizeof **m->near);
        for (size_t j = 0; j < m->n && m->near[k] && room && !m->failed; j++) {
            overlap *o = &m->near[k][m->n_near[k]];
            if (!share_channel(m, k, j))
                continue;
            o->j = j;
            if (!(o->d = nset_calloc(NSET_SHIFTS * (2 * m->length - 1), sizeof *o->d))) {
                m->failed = true;
                break;
            }
            m->n_near[k]++;
            correlate(m, o->d, room, k, j);
        }
        if (!m->near[k] || !room)
            m->failed = true;
    }
    nset_free(room);
}

static nset_status make_rooms(matcher *m, nset_error *err)
{
    m->n_rooms = nset_workers_count(m->workers);
    if (!(m->room = nset_calloc(m->n_rooms, sizeof *m->room)))
        return nset_fail_oom(err, m->n_rooms, sizeof *m->room);
    for (size_t r = 0; r < m->n_rooms; r++) {
        block *o = &m->room[r];
        o->x = nset_calloc(m->t->n_channels * 2 * m->row, sizeof *o->x);
        o->b = nset_calloc(m->n * FFT, sizeof *o->b);
        o->best = nset_calloc(FFT, sizeof *o->best);
        o->arg = nset_calloc(FFT, sizeof *o->arg);
        if (!o->x || !o->b || !o->best || !o->arg)
            return nset_fail_oom(err, m->n * FFT, sizeof *o->b);
    }
    return NSET_OK;
}

static nset_status prepare(matcher *m, const double *count, double n_samples, nset_error *err)
{
    nset_status status;

    m->threshold = nset_calloc(m->n, sizeof *m->threshold);
    m->cut = nset_calloc(m->n, sizeof *m->cut);
    m->wave = nset_calloc(m->n, sizeof *m->wave);
    m->spectra = nset_calloc(m->n, sizeof *m->spectra);
    m->near = nset_calloc(m->n, sizeof *m->near);
    m->n_near = nset_calloc(m->n, sizeof *m->n_near);
    if (!m->threshold || !m->cut || !m->wave || !m->spectra || !m->near || !m->n_near)
        return nset_fail_oom(err, m->n, sizeof *m->spectra);
    if ((status = nset_fft_create(&m->fft, FFT, err)) != NSET_OK || (status = find_channels(m, err)) != NSET_OK ||
        (status = make_rooms(m, err)) != NSET_OK)
        return status;
    for (size_t k = 0; k < m->n; k++) {
        double norm = (double)m->t->norm[k], least = nset_match_least_size(norm, count[k], n_samples);
        m->threshold[k] = (float)prior_odds(count[k], n_samples);
        m->cut[k] = (float)(norm * fmax(least - 1e-4, (double)m->t->least[k])); /* rounding aside: gain() decides */
    }
    nset_parallel_for(m->workers, m->n, 1, make_spectra, m);
    if (!m->failed)
        nset_parallel_for(m->workers, m->n, 1, make_overlaps, m);
    return m->failed ? nset_fail_oom(err, BINS, sizeof **m->spectra) : NSET_OK;
}

static void finish(matcher *m)
{
    for (size_t k = 0; k < m->n; k++) {
        if (m->spectra)
            nset_free(m->spectra[k]);
        if (m->wave)
            nset_free(m->wave[k]);
        for (size_t i = 0; m->near && m->n_near && i < m->n_near[k]; i++)
            nset_free(m->near[k][i].d);
        if (m->near)
            nset_free(m->near[k]);
    }
    for (size_t r = 0; r < m->n_rooms && m->room; r++) {
        nset_free(m->room[r].x);
        nset_free(m->room[r].b);
        nset_free(m->room[r].best);
        nset_free(m->room[r].arg);
    }
    nset_free(m->room);
    nset_fft_free(m->fft);
    nset_free(m->threshold);
    nset_free(m->cut);
    nset_free(m->used);
    nset_free(m->n_used);
    nset_free(m->needed);
    nset_free(m->wave);
    nset_free(m->spectra);
    nset_free(m->near);
    nset_free(m->n_near);
}

/* ---- one block ---- */

/* Of an answer beyond the cut; 0 or less: none. */
static inline float gain(const matcher *m, size_t k, float b)
{
    float norm = m->t->norm[k], q = norm * norm;

    return b > m->cut[k] ? (b + LAMBDA) * (b + LAMBDA) / (q + LAMBDA) - LAMBDA - m->threshold[k] : 0;
}

/* sum (2, row) += w (2, row) times x (2, row), as complex numbers. */
NSET_WIDE static void add_product(float *restrict sum, const float *w, const float *x, size_t row)
{
    for (size_t i = 0; i < row; i++) {
        sum[i] += w[i] * x[i] - w[row + i] * x[row + i];
        sum[row + i] += w[i] * x[row + i] + w[row + i] * x[i];
    }
}

/* The same for the first and second of w with x and y, one after the other: sum is read once. */
NSET_WIDE static void add_two_products(float *restrict sum, const float *w, const float *x, const float *y, size_t row)
{
    const float *v = w + 2 * row;

    for (size_t i = 0; i < row; i++) {
        float re = sum[i] + (w[i] * x[i] - w[row + i] * x[row + i]);
        float im = sum[row + i] + (w[i] * x[row + i] + w[row + i] * x[i]);
        sum[i] = re + (v[i] * y[i] - v[row + i] * y[row + i]);
        sum[row + i] = im + (v[i] * y[row + i] + v[row + i] * y[i]);
    }
}

static void add_template(const matcher *m, float *sum, const block *o, size_t k)
{
    const size_t *c = m->used + k * m->t->n_channels;
    const float *w = m->spectra[k];
    size_t size = 2 * m->row, u = 0;

    memset(sum, 0, size * sizeof *sum);
    for (; u + 2 <= m->n_used[k]; u += 2)
        add_two_products(sum, w + u * size, o->x + c[u] * size, o->x + c[u + 1] * size, m->row);
    if (u < m->n_used[k])
        add_product(sum, w + u * size, o->x + c[u] * size, m->row);
}

static bool answer_templates(const matcher *m, block *o)
{
    size_t n = m->t->n_channels;
    float *sum = nset_calloc(2 * m->row, sizeof *sum), *x = nset_calloc(FFT, sizeof *x);
    fftwf_complex *z = nset_calloc(BINS, sizeof *z);
    bool ok = sum && x && z;

    for (size_t c = 0; c < n && ok; c++) {
        if (!m->needed[c])
            continue;
        nset_whitened_take(m->w, x, c, o->start, FFT);
        nset_fft_forward(m->fft, x, z);
        split(m, o->x + c * 2 * m->row, z);
    }
    for (size_t k = 0; k < m->n && ok; k++) {
        float *b = o->b + k * FFT;
        add_template(m, sum, o, k);
        memset(z, 0, BINS * sizeof *z);
        for (size_t i = 0; i < m->bins; i++) {
            z[i][0] = sum[i];
            z[i][1] = sum[m->row + i];
        }
        nset_fft_inverse(m->fft, z, b);
        for (size_t t = FFT - m->length; t < FFT; t++) /* wraps around */
            b[t] = NONE;
    }
    nset_free(sum);
    nset_free(x);
    nset_free(z);
    return ok;
}

NSET_WIDE static bool any_above(const float *b, float cut, size_t n)
{
    int any = 0;

    for (size_t t = 0; t < n; t++)
        any |= b[t] > cut;
    return any;
}

/* best and arg of samples first .. last - 1. */
static void find_best(const matcher *m, block *o, size_t first, size_t last)
{
    enum { LOOK = 64 };

    for (size_t t = first; t < last; t++) {
        o->best[t] = 0;
        o->arg[t] = 0;
    }
    for (size_t k = 0; k < m->n; k++) {
        const float *b = o->b + k * FFT;
        for (size_t from = first, to; from < last; from = to) {
            to = from + LOOK < last ? from + LOOK : last;
            if (!any_above(b + from, m->cut[k], to - from))
                continue;
            for (size_t t = from; t < to; t++) {
                float g = gain(m, k, b[t]);
                if (g > o->best[t]) {
                    o->best[t] = g;
                    o->arg[t] = (int32_t)k;
                }
            }
        }
    }
}

/* The unit near that explains the place next best, and by how much less. */
static int32_t second_best(const matcher *m, const block *o, size_t t, int32_t unit, float *second)
{
    int32_t found = -1;
    size_t first = t < 3 ? 0 : t - 3;

    *second = 0; /* no spike at all */
    for (size_t i = 0; i < m->n_near[unit]; i++) {
        size_t k = m->near[unit][i].j;
        for (size_t s = first; s <= t + 3 && s < FFT && m->t->unit[k] != m->t->unit[unit]; s++) {
            float g = gain(m, k, o->b[k * FFT + s]);
            if (g > *second) {
                *second = g;
                found = (int32_t)k;
            }
        }
    }
    return found;
}

NSET_WIDE static void subtract_times(float *b, float a, const float *d, size_t n)
{
    for (size_t s = 0; s < n; s++)
        b[s] -= a * d[s];
}

static void subtract(const matcher *m, block *o, size_t t, size_t k, float a, size_t shift)
{
    size_t first = t + 1 < m->length ? 0 : t + 1 - m->length, last = t + m->length < FFT ? t + m->length : FFT;

    for (size_t i = 0; i < m->n_near[k]; i++) {
        const overlap *near = &m->near[k][i];
        float *b = o->b + near->j * FFT;
        subtract_times(b + first, a, near->d + shift * (2 * m->length - 1) + first + m->length - 1 - t, last - first);
        if (m->t->unit[near->j] == m->t->unit[k])
            for (size_t s = t < m->hold ? 0 : t - m->hold; s <= t + m->hold && s < FFT; s++)
                b[s] = NONE;
    }
    find_best(m, o, first, last);
}

static bool is_peak(const matcher *m, const block *o, size_t t)
{
    size_t first = t < m->length ? 0 : t - m->length, last = t + m->length < FFT ? t + m->length : FFT - 1;

    for (size_t s = first; s <= last; s++)
        if (o->best[s] > o->best[t] || (o->best[s] == o->best[t] && s < t))
            return false;
    return true;
}

/* The shift at which template k answers most near sample t, and its answer there. */
static size_t place(const block *o, size_t t, size_t k, float *b)
{
    const float *at = o->b + k * FFT + t;

    *b = *at;
    if (t == 0 || t + 1 >= FFT || at[-1] <= NONE / 2 || at[1] <= NONE / 2)
        return NSET_SHIFT_MIDDLE;
    return nset_shift_nearest(nset_parabola(at[-1], at[0], at[1], b));
}

/* Takes the spike at t away; false: no memory. */
static bool take_peak(const matcher *m, block *o, size_t t)
{
    int32_t k = o->arg[t];
    int64_t sample = o->start + (int64_t)t + (int64_t)m->t->pre;
    float q = m->t->norm[k] * m->t->norm[k], a, b, second, best = o->best[t];
    size_t shift = place(o, t, (size_t)k, &b);
    int32_t other = second_best(m, o, t, k, &second);
    nset_matches *f = &o->found;

    a = (b + LAMBDA) / (q + LAMBDA);
    a = a < .5f ? .5f : a > 1.6f ? 1.6f : a;
    subtract(m, o, t, (size_t)k, a, shift);
    if (sample < o->from || sample >= o->to)
        return true;
    if (nset_grow(&f->match, &f->capacity, f->n + 1, sizeof *f->match, NULL) != NSET_OK)
        return false;
    f->match[f->n++] = (nset_match){ .sample = sample,
        .unit = k,
        .second = other,
        .shift = (uint32_t)shift,
        .amplitude = a,
        .size = b / m->t->norm[k],
        .probability = 1 / (1 + expf(-.5f * (best - second))) };
    return true;
}

static bool pursue(const matcher *m, block *o)
{
    size_t *peaks = nset_calloc(FFT, sizeof *peaks), n_peaks = 1;
    bool ok = peaks != NULL;

    find_best(m, o, 0, FFT);
    for (int pass = 0; pass < PASSES && n_peaks > 0 && ok; pass++) {
        n_peaks = 0;
        for (size_t t = 0; t < FFT; t++)
            if (o->best[t] > 0 && is_peak(m, o, t))
                peaks[n_peaks++] = t;
        for (size_t i = 0; i < n_peaks && ok; i++)
            ok = take_peak(m, o, peaks[i]);
    }
    nset_free(peaks);
    return ok;
}

typedef struct match_job {
    const matcher *m;
    block *block, *room; /* (n); (n_rooms) arrays that blocks take turns with */
    size_t n, n_rooms;
} match_job;

static void match_blocks(void *ctx, size_t first, size_t last, size_t chunk)
{
    const match_job *j = ctx;

    (void)chunk;
    for (size_t r = first; r < last; r++)
        for (size_t i = r; i < j->n; i += j->n_rooms) {
            block *o = &j->block[i];
            o->x = j->room[r].x;
            o->b = j->room[r].b;
            o->best = j->room[r].best;
            o->arg = j->room[r].arg;
            o->failed = !answer_templates(j->m, o) || !pursue(j->m, o);
        }
}

static nset_status match_segment(matcher *m, nset_matches *out, int64_t segment, nset_error *err)
{
    enum { BLOCKS = NSET_HOP / HOP };
    int64_t start = segment * NSET_HOP, end = start + (int64_t)nset_whitened_segment_length(m->w, segment);
    block blocks[BLOCKS] = { { 0 } };
    match_job job = { .m = m, .block = blocks, .room = m->room, .n_rooms = m->n_rooms };
    size_t n = 0;
    nset_status status = nset_cancelled() ? nset_fail_cancelled(err) : NSET_OK;

    for (int64_t from = start; from < end; from += HOP)
        blocks[n++] =
            (block){ .start = from - (int64_t)m->lead, .from = from, .to = from + HOP < end ? from + HOP : end };
    job.n = n;
    if (status == NSET_OK)
        status = nset_whitened_hold(m->w, start - (int64_t)m->lead, (size_t)(end - start) + FFT, err);
    if (status == NSET_OK)
        nset_parallel_for(m->workers, m->n_rooms, 1, match_blocks, &job);
    for (size_t i = 0; i < n; i++) {
        const nset_matches *f = &blocks[i].found;
        if (status == NSET_OK && blocks[i].failed)
            status = nset_fail_oom(err, m->n * FFT, sizeof *blocks[i].b);
        if (status == NSET_OK)
            status = nset_grow(&out->match, &out->capacity, out->n + f->n, sizeof *out->match, err);
        if (status == NSET_OK && f->n) {
            memcpy(out->match + out->n, f->match, f->n * sizeof *f->match);
            out->n += f->n;
        }
        nset_matches_fini(&blocks[i].found);
    }
    return status;
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
    matcher m = { .t = t, .w = w, .workers = workers, .n = t->n, .length = t->length };
    nset_status status = NSET_OK;

    *out = (nset_matches){ 0 };
    if (t->n == 0)
        return NSET_OK;
    m.lead = (FFT - HOP - t->length) / 2;
    m.hold = (size_t)lround(.0004 * nset_whitened_rate(w));
    m.bins = (size_t)fmin(ceil(NSET_WHITENED_HIGH_HZ / nset_whitened_rate(w) * FFT) + EDGE_BINS, BINS);
    m.row = (m.bins + 7) / 8 * 8;
    status = prepare(&m, count, n_samples, err);
    for (size_t i = 0; i < n_segments && status == NSET_OK; i++) {
        status = match_segment(&m, out, segments[i], err);
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
