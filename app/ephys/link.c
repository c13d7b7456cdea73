#include "ephys/link.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <neuroset/memory.h>

enum { MOST_NEAR = 40, MOVES = 13, MIDDLE_MOVE = 6, MOST_BINS = 4096 };
#define FAR_UM 100. /* homes further apart are not compared */
#define MOVE_UM 5.  /* step of displacements tried */
#define KRIGING_UM 20.
#define LAG_S .001
#define LEAST_BURST_LOOK .8 /* similarity of two looks of one unit */
#define LEAST_DRIFT_LOOK .95
#define DEAD_FROM_S .0004 /* pairs nearer than this cannot be matched */
#define DEAD_TO_S .0018
#define BURST_FROM_S .0025
#define BURST_TO_S .015
#define LEAST_EXPECTED 6. /* pairs in the dead time, for a verdict; */
#define ALIKE .95
#define LEAST_EXPECTED_ALIKE 2. /* where the looks are alike, fewer will do */
#define MOST_VIOLATIONS .2
#define BIN_S 2.
#define BIN_SPIKES 4. /* of the rarer train in a bin, on average */
#define MOST_OVERLAP .3

typedef struct look { /* a template on the contacts near its home, moved along the probe by each displacement */
    size_t n, channel[MOST_NEAR];
    float *w; /* (MOVES, n, length) */
} look;

typedef struct linker {
    const nset_templates *t;
    const nset_trains *trains;
    const nset_probe *probe;
    double rate_hz, samples;
    look *look; /* (n) */
} linker;

/* ---- looks ---- */

static void find_channels(look *l, const nset_probe *p, size_t home)
{
    double reach = 150;

    do { /* the nearest ones, when there are too many */
        l->n = 0;
        for (size_t c = 0; c < p->n_channels && l->n <= MOST_NEAR; c++)
            if (p->shank[c] == p->shank[home] &&
                hypot(p->x_um[c] - p->x_um[home], p->y_um[c] - p->y_um[home]) <= reach) {
                if (l->n < MOST_NEAR)
                    l->channel[l->n] = c;
                l->n++;
            }
        reach *= .8;
    } while (l->n > MOST_NEAR);
}

static double kernel(const nset_probe *p, size_t a, size_t b, double move)
{
    double x = p->x_um[a] - p->x_um[b], y = p->y_um[a] - move - p->y_um[b];

    return exp(-(x * x + y * y) / (2 * KRIGING_UM * KRIGING_UM));
}

/* m (n, n) := inverse of the symmetric, positive definite k (n, n), which is destroyed. */
static void invert(double *k, double *m, size_t n)
{
    memset(m, 0, n * n * sizeof *m);
    for (size_t i = 0; i < n; i++)
        m[i * n + i] = 1;
    for (size_t p = 0; p < n; p++) {
        double d = 1 / k[p * n + p];
        for (size_t j = 0; j < n; j++) {
            k[p * n + j] *= d;
            m[p * n + j] *= d;
        }
        for (size_t i = 0; i < n; i++) {
            double c = k[i * n + p];
            if (i == p || c == 0)
                continue;
            for (size_t j = 0; j < n; j++) {
                k[i * n + j] -= c * k[p * n + j];
                m[i * n + j] -= c * m[p * n + j];
            }
        }
    }
}

static nset_status make_look(linker *k, size_t i, double *room, nset_error *err)
{
    look *l = &k->look[i];
    const nset_templates *t = k->t;
    double *cov = room, *inverse = room + MOST_NEAR * MOST_NEAR, weight[MOST_NEAR];

    find_channels(l, k->probe, t->home[i]);
    if (!(l->w = nset_calloc(MOVES * l->n * t->length, sizeof *l->w)))
        return nset_fail_oom(err, MOVES * l->n * t->length, sizeof *l->w);
    for (size_t a = 0; a < l->n; a++)
        for (size_t b = 0; b < l->n; b++)
            cov[a * l->n + b] = kernel(k->probe, l->channel[a], l->channel[b], 0) + .01 * (a == b);
    invert(cov, inverse, l->n);
    for (size_t m = 0; m < MOVES; m++)
        for (size_t a = 0; a < l->n; a++) {
            float *to = l->w + (m * l->n + a) * t->length;
            memset(weight, 0, sizeof weight);
            for (size_t q = 0; q < l->n; q++)
                for (size_t b = 0; b < l->n; b++)
                    weight[b] += kernel(k->probe, l->channel[a], l->channel[q], MOVE_UM * ((double)m - MIDDLE_MOVE)) *
                                 inverse[q * l->n + b];
            for (size_t b = 0; b < l->n && m != MIDDLE_MOVE; b++)
                for (size_t s = 0; s < t->length; s++)
                    to[s] += (float)weight[b] * t->data[(i * t->length + s) * t->n_channels + l->channel[b]];
            for (size_t s = 0; s < t->length && m == MIDDLE_MOVE; s++)
                to[s] = t->data[(i * t->length + s) * t->n_channels + l->channel[a]];
        }
    return NSET_OK;
}

/* Largest cosine of look i, moved by number move, and template j over lags. */
static double similarity(const linker *k, size_t i, size_t j, size_t move)
{
    const look *l = &k->look[i];
    const nset_templates *t = k->t;
    int most = (int)lround(LAG_S * k->rate_hz), length = (int)t->length;
    double aa = 0, best = 0;

    for (size_t q = 0; q < l->n * t->length; q++)
        aa += (double)l->w[move * l->n * t->length + q] * (double)l->w[move * l->n * t->length + q];
    for (int lag = -most; lag <= most; lag++) {
        double ab = 0;
        for (size_t a = 0; a < l->n; a++) {
            const float *p = l->w + (move * l->n + a) * t->length;
            const float *q = t->data + j * t->length * t->n_channels + l->channel[a];
            for (int s = lag > 0 ? lag : 0; s < length && s - lag < length; s++)
                ab += (double)p[s] * (double)q[(size_t)(s - lag) * t->n_channels];
        }
        best = fmax(best, ab);
    }
    return aa > 0 && t->norm[j] > 0 ? best / sqrt(aa) / (double)t->norm[j] : 0;
}

/* ---- spikes ---- */

/* Pairs of spikes of a and b whose lag, either way, is in [from, to) samples. */
static double pairs(const nset_train *a, const nset_train *b, double from, double to)
{
    double count = 0;
    size_t first = 0;

    for (size_t i = 0; i < a->n; i++) {
        while (first < b->n && (double)(b->sample[first] - a->sample[i]) <= -to)
            first++;
        for (size_t j = first; j < b->n && (double)(b->sample[j] - a->sample[i]) < to; j++)
            count += fabs((double)(b->sample[j] - a->sample[i])) >= from;
    }
    return count;
}

/* Is there one refractory period for both? */
static bool share_refractoriness(const linker *k, size_t i, size_t j, double least_expected, char *why, size_t n_why)
{
    const nset_train *a = &k->trains->train[i], *b = &k->trains->train[j];
    double frequent = pairs(a, b, BURST_FROM_S * k->rate_hz, BURST_TO_S * k->rate_hz);
    double dead = pairs(a, b, DEAD_FROM_S * k->rate_hz, DEAD_TO_S * k->rate_hz);
    double expected = frequent * (DEAD_TO_S - DEAD_FROM_S) / (BURST_TO_S - BURST_FROM_S);

    snprintf(why, n_why, "burst: %.0f pairs of spikes at 2.5-15 ms, %.0f at 0.4-1.8 ms where %.1f would be expected",
        frequent, dead, expected);
    return expected >= least_expected && dead <= MOST_VIOLATIONS * expected;
}

/* Share of the spikes that fall together, bin by bin: 1 the same times, 0 never at once. */
static double overlap(const linker *k, size_t i, size_t j)
{
    const nset_train *a = &k->trains->train[i], *b = &k->trains->train[j];
    double few = (double)(a->n < b->n ? a->n : b->n), seconds = k->samples / k->rate_hz, width, sum = 0;
    size_t n_bins, at = 0, bt = 0;

    width = fmax(BIN_S, BIN_SPIKES * seconds / few) * k->rate_hz;
    n_bins = (size_t)fmin(ceil(k->samples / width), MOST_BINS);
    width = k->samples / (double)n_bins;
    for (size_t q = 0; q < n_bins; q++) {
        size_t ca = 0, cb = 0;
        double end = width * (double)(q + 1);
        for (; at < a->n && ((double)a->sample[at] < end || q + 1 == n_bins); at++)
            ca++;
        for (; bt < b->n && ((double)b->sample[bt] < end || q + 1 == n_bins); bt++)
            cb++;
        sum += fmin((double)ca / (double)a->n, (double)cb / (double)b->n);
    }
    return sum;
}

/* ---- links ---- */

static size_t root(const size_t *into, size_t i)
{
    while (into[i] != i)
        i = into[i];
    return i;
}

static bool is_linked(const linker *k, size_t i, size_t j, bool drift, char *why, size_t n_why)
{
    const nset_probe *p = k->probe;
    size_t a = k->t->home[i], b = k->t->home[j];
    double best = 0, together, alike;
    size_t move = 0;

    if (p->shank[a] != p->shank[b] || hypot(p->x_um[a] - p->x_um[b], p->y_um[a] - p->y_um[b]) > FAR_UM)
        return false;
    alike = similarity(k, i, j, MIDDLE_MOVE);
    if (alike >= LEAST_BURST_LOOK &&
        share_refractoriness(k, i, j, alike >= ALIKE ? LEAST_EXPECTED_ALIKE : LEAST_EXPECTED, why, n_why))
        return true;
    if (!drift || (together = overlap(k, i, j)) > MOST_OVERLAP)
        return false;
    for (size_t m = 0; m < MOVES; m++) {
        double c = similarity(k, i, j, m);
        if (c > best) {
            best = c;
            move = m;
        }
    }
    snprintf(why, n_why, "drift: %.0f %% of the spikes at the same times, similarity %.2f when moved by %.0f um",
        100 * together, best, MOVE_UM * ((double)move - MIDDLE_MOVE));
    return best >= LEAST_DRIFT_LOOK;
}

nset_status nset_link(nset_templates *t, nset_trains *trains, const nset_probe *probe, double rate_hz, double samples,
    bool drift, json_t *reasons, nset_error *err)
{
    linker k = { .t = t, .trains = trains, .probe = probe, .rate_hz = rate_hz, .samples = samples };
    double *room = nset_calloc(2 * MOST_NEAR * MOST_NEAR, sizeof *room);
    size_t *into = nset_calloc(t->n, sizeof *into);
    nset_status status = NSET_OK;
    char why[200];

    k.look = nset_calloc(t->n, sizeof *k.look);
    if (!room || !into || !k.look)
        status = nset_fail_oom(err, t->n, sizeof *k.look);
    for (size_t i = 0; i < t->n && status == NSET_OK; i++) {
        into[i] = i;
        status = make_look(&k, i, room, err);
    }
    for (size_t i = 1; i < t->n && status == NSET_OK; i++)
        for (size_t j = 0; j < i; j++) {
            if (root(into, i) == root(into, j) || !is_linked(&k, i, j, drift, why, sizeof why))
                continue;
            into[root(into, i)] = root(into, j);
            if (reasons)
                json_array_append_new(reasons, json_string(why));
        }
    for (size_t i = 0; i < t->n && status == NSET_OK; i++)
        t->unit[i] = trains->train[i].unit = root(into, i);
    for (size_t i = 0; i < t->n && k.look; i++)
        nset_free(k.look[i].w);
    nset_free(k.look);
    nset_free(into);
    nset_free(room);
    return status;
}
