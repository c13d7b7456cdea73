#include "ephys/event_net.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <neuroset/memory.h>

#define PI 3.14159265358979323846
enum { TAPS = 8 }; /* of the interpolation: sinc under a window of its own main lobe (Lanczos), 4 samples a side */

typedef struct neighbour {
    double d, y, x;
    size_t channel;
} neighbour;

static int by_distance(const void *a, const void *b)
{
    const neighbour *p = a, *q = b;

    if (p->d != q->d)
        return p->d < q->d ? -1 : 1;
    if (p->y != q->y)
        return p->y < q->y ? -1 : 1;
    if (p->x != q->x)
        return p->x < q->x ? -1 : 1;
    return (p->channel > q->channel) - (p->channel < q->channel);
}

static size_t find_near(neighbour *near, const nset_probe *p, size_t c, double radius_um)
{
    size_t n = 0;

    for (size_t k = 0; k < p->n_channels; k++) {
        double dx = p->x_um[k] - p->x_um[c], dy = p->y_um[k] - p->y_um[c], d = hypot(dx, dy);
        if (p->shank[k] == p->shank[c] && d <= radius_um)
            near[n++] = (neighbour){ d, dy, dx, k };
    }
    qsort(near, n, sizeof *near, by_distance);
    return n;
}

nset_status nset_event_sets_init(nset_event_sets *s, const nset_probe *probe, double radius_um, nset_error *err)
{
    size_t n = probe->n_channels, capacity = 0, total = 0;
    neighbour *near = nset_calloc(n, sizeof *near);
    nset_status status = NSET_OK;

    memset(s, 0, sizeof *s);
    s->n_channels = n;
    s->offsets = nset_calloc(n + 1, sizeof *s->offsets);
    if (!near || !s->offsets)
        status = nset_fail_oom(err, n, sizeof *near);
    for (size_t c = 0; c < n && status == NSET_OK; c++) {
        size_t count = find_near(near, probe, c, radius_um);
        if ((status = nset_grow(&s->channel, &capacity, total + count, sizeof *s->channel, err)) != NSET_OK)
            break;
        for (size_t k = 0; k < count; k++)
            s->channel[total++] = near[k].channel;
        s->offsets[c + 1] = (int64_t)total;
    }
    nset_free(near);
    if (status != NSET_OK)
        nset_event_sets_fini(s);
    return status;
}

void nset_event_sets_fini(nset_event_sets *s)
{
    nset_free(s->offsets);
    nset_free(s->channel);
    s->offsets = NULL;
    s->channel = NULL;
}

/* Top of the parabola through three samples around the peak, whatever its sign. */
static double refine(const float *x, size_t n_samples, size_t n_channels, int64_t at, size_t channel)
{
    double before, peak, after, bend, shift;

    if (at < 1 || at + 1 >= (int64_t)n_samples)
        return 0;
    before = (double)x[(size_t)(at - 1) * n_channels + channel];
    peak = (double)x[(size_t)at * n_channels + channel];
    after = (double)x[(size_t)(at + 1) * n_channels + channel];
    bend = before - 2 * peak + after;
    if (bend == 0 || peak * bend > 0)
        return 0; /* no extreme there */
    shift = .5 * (before - after) / bend;
    return fmin(fmax(shift, -.5), .5);
}

static double sinc(double t)
{
    return fabs(t) < 1e-9 ? 1 : sin(PI * t) / (PI * t);
}

/* Weights of the samples first .. first + TAPS - 1 for the value at time t, summing to 1. */
static int64_t weights_at(float *w, double t)
{
    int64_t first = (int64_t)floor(t) - TAPS / 2 + 1;
    double raw[TAPS], sum = 0;

    for (int k = 0; k < TAPS; k++) {
        double d = t - (double)(first + k);
        sum += raw[k] = sinc(d) * sinc(d / (TAPS / 2));
    }
    for (int k = 0; k < TAPS; k++)
        w[k] = (float)(raw[k] / sum);
    return first;
}

size_t nset_event_tokens(float *tokens, double *shift, const float *x, size_t n_samples, size_t n_channels, int64_t at,
    size_t channel, const nset_event_sets *sets, const nset_probe *probe, double rate_hz)
{
    size_t from = (size_t)sets->offsets[channel], n = (size_t)sets->offsets[channel + 1] - from;
    double offset = refine(x, n_samples, n_channels, at, channel), step = rate_hz / NSET_TOKEN_RATE_HZ;
    float w[TAPS];

    memset(tokens, 0, n * NSET_TOKEN * sizeof *tokens);
    for (int i = 0; i < NSET_TOKEN_SAMPLES; i++) {
        int64_t first = weights_at(w, (double)at + offset + (i - NSET_TOKEN_PRE) * step);
        for (size_t k = 0; k < n; k++) {
            size_t c = sets->channel[from + k];
            float sum = 0;
            for (int64_t j = 0; j < TAPS; j++)
                if (first + j >= 0 && first + j < (int64_t)n_samples)
                    sum += w[j] * x[(size_t)(first + j) * n_channels + c];
            tokens[k * NSET_TOKEN + (size_t)i] = sum;
        }
    }
    for (size_t k = 0; k < n; k++) {
        float *t = tokens + k * NSET_TOKEN, largest = 0;
        size_t c = sets->channel[from + k];
        for (int i = 0; i < NSET_TOKEN_SAMPLES; i++)
            largest = fmaxf(largest, fabsf(t[i]));
        t[NSET_TOKEN_DX] = (float)(probe->x_um[c] - probe->x_um[channel]);
        t[NSET_TOKEN_DY] = (float)(probe->y_um[c] - probe->y_um[channel]);
        t[NSET_TOKEN_SIZE] = (float)log1p((double)largest);
    }
    if (shift)
        *shift = offset;
    return n;
}
