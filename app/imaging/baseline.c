#include "imaging/baseline.h"

#include <math.h>
#include <string.h>

#include "signal/robust.h"

double nset_trace_noise(const float *x, size_t n, float *room)
{
    double square = 0;
    float middle;

    if (n < 3)
        return n == 2 ? fabs((double)x[1] - (double)x[0]) / sqrt(2) : 0;
    for (size_t t = 1; t + 1 < n; t++) {
        double bend = (double)x[t] - .5 * ((double)x[t - 1] + (double)x[t + 1]);
        square += bend * bend;
        room[t - 1] = (float)fabs(bend);
    }
    middle = nset_median(room, n - 2);
    return (middle > 0 ? (double)middle / .6745 : sqrt(square / (double)(n - 2))) / sqrt(1.5);
}

double nset_trace_misfit(const float *x, size_t n, double sd, float *room)
{
    double low, high;

    if (n == 0)
        return sd;
    memcpy(room, x, n * sizeof *x);
    high = (double)nset_select(room, n, n / 4);
    low = (double)nset_select(room, n, n / 20);
    /* Gaussian quantiles: 1.645 - .674 */
    return fmin(fmax((high - low) / .971, sd), 1.3 * sd);
}

/* The percentile over the window whose middle is at t, moved inside the trace at its ends. */
static double percentile_at(const float *x, size_t n, size_t window, size_t t, float *room)
{
    size_t width = window < n ? window : n, first = t > width / 2 ? t - width / 2 : 0;

    if (first + width > n)
        first = n - width;
    for (size_t i = 0; i < width; i++)
        room[i] = x[first + i];
    return (double)nset_select(room, width, width * 8 / 100);
}

bool nset_trace_baseline(float *f0, const float *x, size_t n, size_t window, double sd, double floor, float *room)
{
    size_t hop = window / 8 ? window / 8 : 1;
    double left, right;
    bool raised = false;

    if (n == 0)
        return false;
    right = percentile_at(x, n, window, 0, room);
    for (size_t first = 0; first < n; first += hop) {
        left = right;
        if (first + hop < n)
            right = percentile_at(x, n, window, first + hop, room);
        for (size_t t = first; t < n && t < first + hop; t++) {
            double level = left + (right - left) * (double)(t - first) / (double)hop + 1.405 * sd;
            raised |= level < floor;
            f0[t] = (float)fmax(level, floor);
        }
    }
    return raised;
}

double nset_trace_decay(const float *x, size_t n, double sd, double rate_hz)
{
    enum { LAGS = 5, ENOUGH = 500 };
    double mean = 0, lag[LAGS + 1] = { 0 }, cross = 0, square = 0, g = exp(-1 / (.5 * rate_hz));

    if (n < ENOUGH)
        return g;
    for (size_t t = 0; t < n; t++)
        mean += (double)x[t];
    mean /= (double)n;
    for (size_t k = 0; k <= LAGS; k++) {
        for (size_t t = k; t < n; t++)
            lag[k] += ((double)x[t] - mean) * ((double)x[t - k] - mean);
        lag[k] /= (double)n;
    }
    lag[0] -= sd * sd;
    for (size_t k = 1; k <= LAGS; k++) {
        cross += lag[k] * lag[k - 1];
        square += lag[k - 1] * lag[k - 1];
    }
    /* below a tenth of the noise the ratio of lags is mostly chance */
    if (lag[0] > .1 * sd * sd && cross > 0)
        g = cross / square;
    return fmin(fmax(g, exp(-1 / (.1 * rate_hz))), exp(-1 / (3 * rate_hz)));
}
