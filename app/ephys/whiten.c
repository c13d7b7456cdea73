#include "ephys/whiten.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <neuroset/memory.h>

#include "cli/progress.h"
#include "ephys/level.h"
#include "ephys/whiten_parts.h"
#include "signal/robust.h"
#include "signal/wide.h"

enum {
    CONTEXT = 1024, /* samples beyond a segment that decide about blanking */
    PIECE = 512,    /* samples mixed at once */
};
#define GAP_SECONDS .005 /* blanked on each side of a gap */

/* ---- blanking ---- */

typedef struct loud_job {
    const nset_whitened *w;
    unsigned char *low;
    size_t need;
} loud_job;

/* low[t] := need channels or more are beyond 4 sd. */
NSET_WIDE static void count_loud(void *ctx, size_t first, size_t last, size_t chunk)
{
    const loud_job *j = ctx;
    uint32_t large[PIECE] = { 0 };

    (void)chunk;
    for (size_t c = 0; c < j->w->n_channels; c++) {
        const float *plane = j->w->planes + c * NSET_FFT + first;
        for (size_t t = 0; t < last - first; t++)
            large[t] += fabsf(plane[t]) > 4;
    }
    for (size_t t = first; t < last; t++)
        j->low[t] = large[t - first] >= j->need;
}

/* bad[t] for t in [NSET_MARGIN - CONTEXT, NSET_FFT - NSET_MARGIN + CONTEXT) of the planes. */
static void find_artefacts(nset_whitened *w)
{
    size_t n = w->n_channels, half = (size_t)(.005 * w->recording->source->rate_hz), first = NSET_MARGIN - CONTEXT;
    size_t last = NSET_FFT - NSET_MARGIN + CONTEXT, sum = 0, n_alive = 0;
    unsigned char *low = w->bad + NSET_FFT;
    loud_job job = { .w = w, .low = low };

    memset(w->bad, 0, 2 * NSET_FFT);
    if (half > CONTEXT / 3)
        half = CONTEXT / 3;
    for (size_t c = 0; c < n; c++)
        n_alive += w->scale[c] > 0;
    if (n_alive == 0)
        return;
    job.need = n_alive - n_alive / 4;
    nset_parallel_for(w->workers, NSET_FFT, PIECE, count_loud, &job);
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

nset_status nset_whiten_filter(nset_whitened *w, int64_t segment, const float *response, nset_error *err)
{
    nset_status status = nset_segments_read(w->segments, w->planes, segment, response, err);

    if (status == NSET_OK && w->reference)
        subtract_median(w);
    return status;
}

typedef struct scale_job {
    nset_whitened *w;
    const float *scale;
} scale_job;

NSET_WIDE static void scale_channels(void *ctx, size_t first, size_t last, size_t chunk)
{
    const scale_job *j = ctx;

    (void)chunk;
    for (size_t c = first; c < last; c++) {
        float *plane = j->w->planes + c * NSET_FFT, scale = j->scale[c];
        for (size_t t = 0; t < NSET_FFT; t++)
            plane[t] *= scale;
    }
}

void nset_whiten_scale_planes(nset_whitened *w, const float *scale)
{
    scale_job job = { w, scale };

    nset_parallel_for(w->workers, w->n_channels, 8, scale_channels, &job);
}

void nset_whiten_mark_bad(nset_whitened *w, int64_t segment)
{
    find_artefacts(w);
    blank_gaps(w, segment);
}

typedef struct mix_job {
    const nset_whitened *w;
    int16_t *x;
} mix_job;

/* sum (n) := inputs low .. high - 1 at sample t, each times its weight, one after the other. */
NSET_WIDE static void mix_output(
    float *sum, const float *planes, const float *weight, size_t low, size_t high, size_t n)
{
    size_t c = low;

    memset(sum, 0, n * sizeof *sum);
    for (; c + 4 <= high; c += 4) {
        const float *a = planes + c * NSET_FFT, *b = a + NSET_FFT, *d = b + NSET_FFT, *e = d + NSET_FFT;
        float wa = weight[c], wb = weight[c + 1], wd = weight[c + 2], we = weight[c + 3];
        for (size_t t = 0; t < n; t++)
            sum[t] = sum[t] + wa * a[t] + wb * b[t] + wd * d[t] + we * e[t];
    }
    for (; c < high; c++)
        for (size_t t = 0; t < n; t++)
            sum[t] += weight[c] * planes[c * NSET_FFT + t];
}

/* x (n) := the nearest whole numbers of steps; the sum with 3 * 2^22 has them in its low bits. */
NSET_WIDE static void store(int16_t *x, const float *value, const unsigned char *bad, size_t n)
{
    for (size_t t = 0; t < n; t++) {
        float v = bad[t] ? 0 : value[t] * NSET_WHITEN_STEPS;
        int32_t bits;
        v = v > 32767 ? 32767 : v < -32767 ? -32767 : v;
        v += 12582912.f;
        memcpy(&bits, &v, sizeof bits);
        x[t] = (int16_t)(bits & 0xffff);
    }
}

static void mix_piece(void *ctx, size_t first, size_t last, size_t chunk)
{
    const mix_job *j = ctx;
    const nset_whitened *w = j->w;
    float sum[PIECE];

    (void)chunk;
    for (size_t k = 0; k < w->n_channels; k++) {
        mix_output(
            sum, w->planes + NSET_MARGIN + first, w->mix + k * w->n_channels, w->low[k], w->high[k], last - first);
        store(j->x + k * NSET_HOP + first, sum, w->bad + NSET_MARGIN + first, last - first);
    }
}

static nset_status make_segment(nset_whitened *w, int16_t *x, int64_t segment, nset_error *err)
{
    size_t length = nset_segment_length(w->segments, segment);
    mix_job job = { w, x };
    nset_status status;

    if (nset_cancelled())
        return nset_fail_cancelled(err);
    if ((status = nset_whiten_filter(w, segment, w->response, err)) != NSET_OK)
        return status;
    nset_whiten_scale_planes(w, w->scale);
    nset_whiten_mark_bad(w, segment);
    if ((status = list_spans(w, segment, length, err)) != NSET_OK)
        return status;
    nset_parallel_for(w->workers, length, PIECE, mix_piece, &job);
    return NSET_OK;
}

/* ---- cache ---- */

/* A slot of memory: a new one, or that of the segment needed last. Passes go from first to last: what was used last is
 * needed last. */
static int16_t *find_room(nset_whitened *w)
{
    int64_t latest = -1;
    int16_t *x;

    if (w->n_cached < w->most_cached) {
        if ((x = nset_calloc(NSET_HOP * w->n_channels, sizeof *x)))
            w->n_cached++;
        return x;
    }
    for (int64_t i = 0; i < w->n_segments; i++)
        if (w->cache[i].x && (i < w->held_first || i > w->held_last) &&
            (latest < 0 || w->cache[i].used > w->cache[latest].used))
            latest = i;
    x = w->cache[latest].x;
    w->cache[latest].x = NULL;
    return x;
}

nset_status nset_whiten_get(nset_whitened *w, const int16_t **x, int64_t segment, nset_error *err)
{
    nset_whiten_slot *slot = &w->cache[segment];
    nset_status status;

    if (!slot->x) {
        if (!(slot->x = find_room(w)))
            return nset_fail_oom(err, NSET_HOP * w->n_channels, sizeof *slot->x);
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

nset_status nset_whitened_hold(nset_whitened *w, int64_t start, size_t n, nset_error *err)
{
    int64_t last = (start + (int64_t)n - 1) / NSET_HOP;
    const int16_t *x;
    nset_status status = NSET_OK;

    w->held_first = start < 0 ? 0 : start / NSET_HOP;
    w->held_last = last < w->n_segments ? last : w->n_segments - 1;
    for (int64_t i = w->held_first; i <= w->held_last && status == NSET_OK; i++)
        status = nset_whiten_get(w, &x, i, err);
    return status;
}

NSET_WIDE static void restore(float *x, const int16_t *from, float step, size_t n)
{
    for (size_t t = 0; t < n; t++)
        x[t] = step * (float)from[t];
}

/* Of the n samples from start on: how many lie together, and their numbers in a segment, NULL outside the recording. */
static size_t next_piece(const nset_whitened *w, size_t channel, int64_t start, size_t n, const int16_t **from)
{
    int64_t total = w->recording->source->n_samples, segment = start / NSET_HOP, stop = (segment + 1) * NSET_HOP;

    *from = NULL;
    if (start < 0)
        return -start < (int64_t)n ? (size_t)-start : n;
    if (start >= total)
        return n;
    *from = w->cache[segment].x + channel * NSET_HOP + (size_t)(start - segment * NSET_HOP);
    stop = stop > total ? total : stop;
    return stop - start < (int64_t)n ? (size_t)(stop - start) : n;
}

void nset_whitened_take(const nset_whitened *w, float *x, size_t channel, int64_t start, size_t n)
{
    const int16_t *from;

    for (size_t done = 0, now; done < n; done += now) {
        now = next_piece(w, channel, start + (int64_t)done, n - done, &from);
        if (from)
            restore(x + done, from, w->step[channel], now);
        else
            memset(x + done, 0, now * sizeof *x);
    }
}

void nset_whitened_take_stored(const nset_whitened *w, int16_t *x, size_t channel, int64_t start, size_t n)
{
    const int16_t *from;

    for (size_t done = 0, now; done < n; done += now) {
        now = next_piece(w, channel, start + (int64_t)done, n - done, &from);
        if (from)
            memcpy(x + done, from, now * sizeof *x);
        else
            memset(x + done, 0, now * sizeof *x);
    }
}

float nset_whitened_step(const nset_whitened *w, size_t channel)
{
    return w->step[channel];
}

typedef struct take_job {
    const nset_whitened *w;
    float *x;
    int64_t start;
    size_t n, stride;
} take_job;

static void take_channels(void *ctx, size_t first, size_t last, size_t chunk)
{
    const take_job *j = ctx;

    (void)chunk;
    for (size_t c = first; c < last; c++)
        nset_whitened_take(j->w, j->x + c * j->stride, c, j->start, j->n);
}

nset_status nset_whitened_planes(nset_whitened *w, float *x, int64_t start, size_t n, nset_error *err)
{
    nset_status status = NSET_OK;

    for (size_t done = 0, now; done < n && status == NSET_OK; done += now) {
        take_job job = { w, x + done, start + (int64_t)done, 0, n };
        now = job.n = n - done < NSET_HOP ? n - done : NSET_HOP;
        if ((status = nset_whitened_hold(w, job.start, now, err)) == NSET_OK)
            nset_parallel_for(w->workers, w->n_channels, 8, take_channels, &job);
    }
    return status;
}

nset_status nset_whitened_read(nset_whitened *w, float *x, int64_t start, size_t n, nset_error *err)
{
    float column[PIECE];
    nset_status status = NSET_OK;

    for (size_t done = 0, now; done < n && status == NSET_OK; done += now) {
        now = n - done < PIECE ? n - done : PIECE;
        status = nset_whitened_hold(w, start + (int64_t)done, now, err);
        for (size_t c = 0; c < w->n_channels && status == NSET_OK; c++) {
            nset_whitened_take(w, column, c, start + (int64_t)done, now);
            for (size_t t = 0; t < now; t++)
                x[(done + t) * w->n_channels + c] = column[t];
        }
    }
    return status;
}

nset_status nset_whitened_band(nset_whitened *w, const float **x, int64_t i, nset_error *err)
{
    *x = w->planes + NSET_MARGIN;
    return nset_whiten_filter(w, i, w->band, err);
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
    w->most_cached = memory / (NSET_HOP * n * sizeof(int16_t));
    w->most_cached = w->most_cached < 4 ? 4 : w->most_cached; /* a hold spans three */
    w->response = nset_calloc(NSET_BINS, sizeof *w->response);
    w->band = nset_calloc(NSET_BINS, sizeof *w->band);
    w->scale = nset_calloc(n, sizeof *w->scale);
    w->noise_uv = nset_calloc(n, sizeof *w->noise_uv);
    w->step = nset_calloc(n, sizeof *w->step);
    w->matrix = nset_calloc(n * n, sizeof *w->matrix);
    w->mix = nset_calloc(n * n, sizeof *w->mix);
    w->planes = nset_calloc(n * NSET_FFT, sizeof *w->planes);
    w->low = nset_calloc(n, sizeof *w->low);
    w->high = nset_calloc(n, sizeof *w->high);
    w->bad = nset_calloc(2 * NSET_FFT, 1);
    w->cache = nset_calloc((size_t)w->n_segments, sizeof *w->cache);
    w->listed = nset_calloc((size_t)w->n_segments, 1);
    if (!w->response || !w->band || !w->scale || !w->noise_uv || !w->matrix || !w->mix || !w->step || !w->planes ||
        !w->bad || !w->cache || !w->listed || !w->low || !w->high) {
        status = nset_fail_oom(err, n * NSET_FFT, sizeof *w->planes);
        goto fail;
    }
    nset_band_response(w->band, NSET_WHITEN_LOW_HZ, NSET_WHITENED_HIGH_HZ, recording->source->rate_hz);
    if ((status = nset_whiten_learn(w, err)) != NSET_OK)
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
    nset_free(w->mix);
    nset_free(w->step);
    nset_free(w->planes);
    nset_free(w->bad);
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
