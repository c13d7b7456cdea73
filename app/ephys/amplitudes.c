#include "ephys/amplitudes.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

enum { ROUNDS = 80 };
#define TYPICAL_CV .1     /* of a unit's sizes beyond noise, */
#define CV_WEIGHT 40      /* believed like so many spikes */
#define TYPICAL_SCALE .75 /* of the hash, noise sd, */
#define SCALE_WEIGHT 20   /* believed like so many matches */

static int by_value(const void *a, const void *b)
{
    float p = *(const float *)a, q = *(const float *)b;

    return (p > q) - (p < q);
}

static double of_unit(const nset_amplitudes *a, double x)
{
    double z = (x - a->mean) / a->sd;

    return a->share * exp(-.5 * z * z) / (a->sd * 2.50662827463100050242);
}

static double of_hash(const nset_amplitudes *a, double x)
{
    return x < a->floor ? 0 : (1 - a->share) * exp(-(x - a->floor) / a->scale) / a->scale;
}

double nset_amplitudes_posterior(const nset_amplitudes *a, double size)
{
    double u, h;

    if (size >= a->mean)
        return 1;
    u = of_unit(a, size);
    h = of_hash(a, size);
    return u + h > 0 ? u / (u + h) : size < a->floor ? 0 : 1;
}

static double bound(double x, double low, double high)
{
    return x < low ? low : x > high ? high : x;
}

/* One round; returns the log likelihood before it. */
static double improve(nset_amplitudes *a, const float *x, size_t n)
{
    double log_likelihood = 0, w = 0, sum = 0, square = 0, v = 0, over = 0, mean;

    for (size_t i = 0; i < n; i++) {
        double u = of_unit(a, (double)x[i]), h = of_hash(a, (double)x[i]), p = u / fmax(u + h, 1e-300);
        log_likelihood += log(fmax(u + h, 1e-300));
        w += p;
        sum += p * (double)x[i];
        v += 1 - p;
        over += (1 - p) * ((double)x[i] - a->floor);
    }
    if (w < 1)
        return log_likelihood;
    mean = sum / w;
    for (size_t i = 0; i < n; i++) {
        double u = of_unit(a, (double)x[i]), h = of_hash(a, (double)x[i]);
        square += u / fmax(u + h, 1e-300) * ((double)x[i] - mean) * ((double)x[i] - mean);
    }
    a->mean = mean;
    a->sd = sqrt((square + CV_WEIGHT * (1 + pow(TYPICAL_CV * mean, 2))) / (w + CV_WEIGHT));
    a->share = bound(w / (double)n, 1e-3, 1 - 1e-3);
    a->scale = (over + SCALE_WEIGHT * TYPICAL_SCALE) / (v + SCALE_WEIGHT);
    return log_likelihood;
}

static void find_least(nset_amplitudes *a)
{
    a->least = a->floor;
    while (a->least < a->mean && nset_amplitudes_posterior(a, a->least) < .5)
        a->least += .02;
}

void nset_amplitudes_fit(nset_amplitudes *a, float *size, size_t n)
{
    static const double quantile[] = { .3, .5, .7, .85, .95 };
    nset_amplitudes best = { .mean = n ? (double)size[0] : 0, .sd = 1, .share = 1, .scale = 1 };
    double most = -DBL_MAX;

    if (n)
        qsort(size, n, sizeof *size, by_value);
    for (size_t q = 0; q < sizeof quantile / sizeof *quantile && n >= 2; q++) {
        double log_likelihood = -INFINITY;
        nset_amplitudes now = { .mean = (double)size[(size_t)(quantile[q] * (double)(n - 1))],
            .share = 1 - quantile[q] / 1.5,
            .floor = (double)size[0],
            .scale = .8 };
        now.sd = sqrt(1 + pow(.1 * now.mean, 2));
        for (int round = 0; round < ROUNDS; round++)
            log_likelihood = improve(&now, size, n);
        if (log_likelihood > most + 1e-3) { /* ties: the first start */
            most = log_likelihood;
            best = now;
        }
    }
    find_least(&best);
    *a = best;
}
