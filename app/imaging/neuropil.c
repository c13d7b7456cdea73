#include "imaging/neuropil.h"

#include <math.h>
#include <stdlib.h>

#include <xxhash.h>

#include "signal/robust.h"

enum { ENOUGH = 8192, FEW = 100, ROUNDS = 30 };
static const double SPREAD = .2, LARGEST = 1.5;

static int by_light(const void *a, const void *b)
{
    const nset_light *x = a, *y = b;

    return x->ring < y->ring || x->ring > y->ring ? (x->ring > y->ring) - (x->ring < y->ring)
                                                  : (x->mask > y->mask) - (x->mask < y->mask);
}

/* The frames that are looked at, in an order that is their own. */
static size_t take_frames(nset_light *room, const float *raw, const float *ring, size_t n, size_t every)
{
    size_t m = 0;

    for (size_t t = 0; t < n; t++) {
        nset_light light = { raw[t], ring[t] };
        if (every < 2 || XXH3_64bits(&light, sizeof light) % every == 0)
            room[m++] = light;
    }
    if (m < FEW && every > 1) /* few frames differ from each other */
        return take_frames(room, raw, ring, n, 1);
    if (m > 0)
        qsort(room, m, sizeof *room, by_light);
    return m;
}

typedef struct line {
    double b, r, variance; /* of r */
} line;

/* Noise from what lies below the line, which activity does not reach. */
static double noise_below(const nset_light *x, size_t n, const line *l, float *scratch)
{
    double square = 0;
    size_t m = 0;

    for (size_t t = 0; t < n; t++) {
        double rest = (double)x[t].mask - l->b - l->r * (double)x[t].ring;
        square += rest * rest;
        if (rest < 0)
            scratch[m++] = (float)-rest;
    }
    return fmax((double)nset_mad_sd(scratch, m), 1e-3 * sqrt(square / (double)n));
}

static void fit_again(line *l, const nset_light *x, size_t n, double noise)
{
    double sum = 0, mask = 0, ring = 0, square = 0, product = 0;

    for (int pass = 0; pass < 2; pass++) {
        for (size_t t = 0; t < n; t++) {
            double f = (double)x[t].mask, g = (double)x[t].ring, rest = f - l->b - l->r * g,
                   w = rest > noise ? noise / rest : 1;
            if (pass == 0) {
                sum += w;
                mask += w * f;
                ring += w * g;
            } else {
                square += w * (g - ring) * (g - ring);
                product += w * (g - ring) * (f - mask);
            }
        }
        if (pass == 0) {
            mask /= sum;
            ring /= sum;
        }
    }
    l->r = square > 0 ? fmin(fmax(product / square, 0), LARGEST) : NSET_NEUROPIL_SHARE;
    l->b = mask - l->r * ring;
    l->variance = square > 0 ? noise * noise / square : INFINITY;
}

double nset_neuropil_share(
    const float *raw, const float *ring, size_t n, double reliability, nset_light *room, float *scratch)
{
    size_t m = take_frames(room, raw, ring, n, (n + ENOUGH - 1) / ENOUGH);
    line l = { 0, NSET_NEUROPIL_SHARE, INFINITY };
    double own;

    if (m < 3 || !(reliability > 0))
        return NSET_NEUROPIL_SHARE;
    for (size_t t = 0; t < m; t++)
        scratch[t] = room[t].mask - (float)l.r * room[t].ring;
    l.b = (double)nset_median(scratch, m);
    for (int round = 0; round < ROUNDS; round++) {
        double noise = noise_below(room, m, &l, scratch), r = l.r;
        if (!(noise > 0)) /* a line without a miss, or nothing that varies */
            break;
        fit_again(&l, room, m, noise);
        if (fabs(l.r - r) < 1e-5)
            break;
    }
    own = isinf(l.variance) ? 0 : SPREAD * SPREAD / (SPREAD * SPREAD + l.variance / (reliability * reliability));
    return fmin(own * l.r / reliability + (1 - own) * NSET_NEUROPIL_SHARE, LARGEST);
}
