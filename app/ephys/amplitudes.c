#include "ephys/amplitudes.h"

#include <math.h>

enum { BINS = 120, MEANS = 120, ROUNDS = 8 };
#define LEAST_WIDTH .25 /* of a bin, noise sd */
#define PENALTY 12.     /* log likelihood that a unit or a hash twice as wide as usual has to earn */

/* Values tried: a unit's variation beyond noise, and how fast the hash falls. The first of each is the usual one. */
static const double variations[] = { .1, .07, .14, .2 }, scales[] = { .75, .6, 1, 1.4 };
enum { N_VARIATIONS = sizeof variations / sizeof *variations, N_SCALES = sizeof scales / sizeof *scales };

/* Share of a Gaussian above z. */
static double above(double z)
{
    return .5 * erfc(z / 1.41421356237309504880);
}

/* Height of the unit's Gaussian, of which only what is above the floor is seen. */
static double unit_height(const nset_amplitudes *a)
{
    return 1 / (a->sd * 2.50662827463100050242 * fmax(above((a->floor - a->mean) / a->sd), 1e-12));
}

static double unit_density(const nset_amplitudes *a, double x, double height)
{
    double z = (x - a->mean) / a->sd;

    return x < a->floor ? 0 : exp(-.5 * z * z) * height;
}

static double hash_density(const nset_amplitudes *a, double x)
{
    return x < a->floor ? 0 : exp(-(x - a->floor) / a->scale) / a->scale;
}

double nset_amplitudes_posterior(const nset_amplitudes *a, double size)
{
    double u, h;

    if (size >= a->mean)
        return 1;
    u = a->share * unit_density(a, size, unit_height(a));
    h = (1 - a->share) * hash_density(a, size);
    return u + h > 0 ? u / (u + h) : size < a->floor ? 0 : 1;
}

typedef struct histogram {
    double count[BINS], at[BINS], total, first, width; /* of the bins that hold any; first: lower edge of bin 0 */
    size_t n, n_bins;                                  /* those; all up to the last of them */
} histogram;

/* a, b are numbers: no calls as fmax may be. */
static inline double larger(double a, double b)
{
    return a > b ? a : b;
}

/* Finds the share of the unit; returns the log likelihood. */
static double fit_share(nset_amplitudes *a, const histogram *h, const double *hash)
{
    double unit[BINS], log_likelihood = 0, height = unit_height(a);

    for (size_t i = 0; i < h->n; i++)
        unit[i] = unit_density(a, h->at[i], height);
    a->share = .5;
    for (int round = 0; round < ROUNDS; round++) {
        double sum = 0;
        for (size_t i = 0; i < h->n; i++)
            sum += h->count[i] * a->share * unit[i] / larger(a->share * unit[i] + (1 - a->share) * hash[i], 1e-300);
        a->share = fmin(larger(sum / h->total, 1e-3), .999);
    }
    for (size_t i = 0; i < h->n; i++)
        log_likelihood += h->count[i] * log(larger(a->share * unit[i] + (1 - a->share) * hash[i], 1e-300));
    return log_likelihood;
}

static double penalty(double x, double usual)
{
    double l = log(x / usual) / log(2);

    return PENALTY * l * l;
}

static void find_least(nset_amplitudes *a)
{
    a->least = a->floor;
    while (a->least < a->mean && nset_amplitudes_posterior(a, a->least) < .5)
        a->least += .02;
}

static void fill(histogram *h, const float *size, size_t n, double floor)
{
    double top = floor, count[BINS] = { 0 };

    for (size_t i = 0; i < n; i++)
        top = fmax(top, (double)size[i]);
    *h = (histogram){ .first = floor, .total = (double)n, .width = fmax(LEAST_WIDTH, (top - floor) / (BINS - 1)) };
    for (size_t i = 0; i < n; i++) {
        size_t b = (size_t)(fmax((double)size[i] - floor, 0) / h->width);
        count[b]++;
        h->n_bins = b + 1 > h->n_bins ? b + 1 : h->n_bins;
    }
    for (size_t b = 0; b < h->n_bins; b++)
        if (count[b] > 0) {
            h->count[h->n] = count[b];
            h->at[h->n++] = h->first + h->width * ((double)b + .5);
        }
}

void nset_amplitudes_fit(nset_amplitudes *a, const float *size, size_t n, double floor)
{
    nset_amplitudes best = { .mean = floor, .sd = 1, .share = 1, .scale = 1, .floor = floor, .least = floor };
    double most = -INFINITY, hash[BINS];
    histogram h;

    *a = best;
    if (n < 2)
        return;
    fill(&h, size, n, floor);
    for (size_t s = 0; s < N_SCALES; s++) {
        nset_amplitudes now = { .floor = floor, .scale = scales[s] };
        for (size_t i = 0; i < h.n; i++)
            hash[i] = hash_density(&now, h.at[i]);
        for (size_t v = 0; v < N_VARIATIONS; v++)
            for (size_t k = 0; k < MEANS; k++) {
                double log_likelihood;
                now.mean = h.first + h.width * (double)h.n_bins * (double)k / MEANS;
                now.sd = sqrt(1 + pow(variations[v] * now.mean, 2));
                log_likelihood =
                    fit_share(&now, &h, hash) - penalty(variations[v], variations[0]) - penalty(scales[s], scales[0]);
                if (log_likelihood > most) {
                    most = log_likelihood;
                    best = now;
                }
            }
    }
    find_least(&best);
    *a = best;
}
