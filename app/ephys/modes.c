#include "ephys/modes.h"

#include <math.h>

#define HALF .5     /* of a window, noise sd */
#define STEP .125   /* between windows tried */
#define LEAST_SD .8 /* of a heap: the noise's is 1, a little less where channels are few */
enum { ROUNDS = 30 };

/* Values below v in sorted x. */
static size_t below(const float *x, size_t n, double v)
{
    size_t low = 0, high = n;

    while (low < high) {
        size_t middle = (low + high) / 2;
        if ((double)x[middle] < v)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static double window(const float *x, size_t n, double at)
{
    return (double)(below(x, n, at + HALF) - below(x, n, at - HALF));
}

static double log_ratio(double heap, double valley)
{
    double mean = (heap + valley) / 2;

    if (valley >= heap)
        return 0;
    return heap * log(heap / mean) + (valley > 0 ? valley * log(valley / mean) : 0);
}

double nset_modes(const float *x, size_t n, double low, double high, double *cut)
{
    double best = 0, first, last, left = 0;

    *cut = (low + high) / 2;
    if (n == 0)
        return 0;
    first = floor((double)x[0] / STEP) * STEP;
    last = (double)x[n - 1];
    for (double c = first; c <= high; c += STEP) {
        double valley, right = 0, ratio;
        if (c - 2 * HALF >= first)
            left = fmax(left, window(x, n, c - 2 * HALF));
        if (c < low)
            continue;
        valley = window(x, n, c);
        if (valley >= left)
            continue;
        for (double r = c + 2 * HALF; r <= last + STEP; r += STEP)
            right = fmax(right, window(x, n, r));
        ratio = log_ratio(fmin(left, right), valley);
        if (ratio > best) {
            best = ratio;
            *cut = c;
        }
    }
    return best;
}

double nset_two_gaussians(const float *x, size_t n, double low, double high, double *apart)
{
    double mean = 0, sd1 = 0, share = .5, sd = 1, two = 0;

    *apart = 0;
    if (n < 4)
        return 0;
    for (size_t i = 0; i < n; i++)
        mean += (double)x[i] / (double)n;
    for (size_t i = 0; i < n; i++)
        sd1 += pow((double)x[i] - mean, 2) / (double)n;
    sd1 = sqrt(sd1);
    for (int round = 0; round < ROUNDS; round++) {
        double w = 0, sum[2] = { 0 }, square = 0;
        two = 0;
        for (size_t i = 0; i < n; i++) {
            double v = (double)x[i], a = (1 - share) * exp(-.5 * pow((v - low) / sd, 2));
            double b = share * exp(-.5 * pow((v - high) / sd, 2)), p = b / fmax(a + b, 1e-300);
            two += log(fmax(a + b, 1e-300) / sd);
            w += p;
            sum[0] += (1 - p) * v;
            sum[1] += p * v;
            square += (1 - p) * (v - low) * (v - low) + p * (v - high) * (v - high);
        }
        if (w < 1 || w > (double)n - 1)
            return 0;
        share = w / (double)n;
        low = sum[0] / ((double)n - w);
        high = sum[1] / w;
        sd = fmax(LEAST_SD, sqrt(square / (double)n));
    }
    *apart = fabs(high - low) / sd;
    return two + (double)n * (log(fmax(sd1, LEAST_SD)) + .5 * pow(sd1 / fmax(sd1, LEAST_SD), 2));
}
