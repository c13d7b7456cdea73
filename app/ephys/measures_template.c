/* Measures of the shape of a template on one channel. */
#include "ephys/measures_more.h"

#include <gsl/gsl_sf_bessel.h>
#include <math.h>

#include <neuroset/memory.h>

enum { UP = 10, HALF = 10 * UP, NONE = -1 };
#define KAISER 5.
#define PROMINENCE .4 /* of the largest |value| */
#define EDGE_MS .1
#define RECOVERY_MS .7
#define NEAR_SHARE .2 /* of the trough's half width: a peak nearer than this belongs to the trough */
#define NEAR_SAMPLES 3

/* A low-pass of 2 HALF + 1 taps for a signal UP times finer, windowed with Kaiser's window, sum UP. */
static void make_taps(double *h)
{
    const double pi = 3.14159265358979323846;
    double sum = 0;

    for (int k = 0; k <= 2 * HALF; k++) {
        double x = (double)(k - HALF) / UP, r = (double)(k - HALF) / HALF;
        double window = gsl_sf_bessel_I0(KAISER * sqrt(fmax(0, 1 - r * r))) / gsl_sf_bessel_I0(KAISER);
        h[k] = window * (k == HALF ? 1 : sin(pi * x) / (pi * x));
        sum += h[k];
    }
    for (int k = 0; k <= 2 * HALF; k++)
        h[k] *= UP / sum;
}

/* y (n UP) := x (n) on the finer grid; 0 is beyond its ends. */
static void resample(double *y, const float *x, size_t n)
{
    double h[2 * HALF + 1];

    make_taps(h);
    for (long m = 0; m < (long)n * UP; m++) {
        double sum = 0;
        for (long k = (m - HALF + UP - 1) / UP > 0 ? (m - HALF + UP - 1) / UP : 0; k < (long)n && k * UP <= m + HALF;
             k++)
            sum += (double)x[k] * h[m - k * UP + HALF];
        y[m] = sum;
    }
}

/* How far y (n) falls on both sides of its local maximum at peak, before it rises above it. */
static double prominence(const double *y, long n, long peak)
{
    double left = y[peak], right = y[peak];

    for (long i = peak; i >= 0 && y[i] <= y[peak]; i--)
        left = fmin(left, y[i]);
    for (long i = peak; i < n && y[i] <= y[peak]; i++)
        right = fmin(right, y[i]);
    return y[peak] - fmax(left, right);
}

/* The most prominent local maximum of y in [first, last), else the largest value; a flat top counts in its middle. */
static long find_peak(const double *y, long first, long last, double least)
{
    long best = NONE;
    double most = .5 * least; /* one that is half as prominent serves when there is no other */

    if (last <= first || first <= 0)
        return NONE;
    for (long i = first + 1, j; i + 1 < last; i = j) {
        for (j = i + 1; j < last && y[j] == y[i];)
            j++;
        if (y[i] > y[i - 1] && j < last && y[j] < y[i]) {
            double p = prominence(y + first, last - first, (i + j - 1) / 2 - first);
            if (p >= most && (best == NONE || p > most)) {
                most = p;
                best = (i + j - 1) / 2;
            }
        }
    }
    if (best != NONE)
        return best;
    for (long i = best = first; i < last; i++)
        best = y[i] > y[best] ? i : best;
    return best;
}

/* Samples between the crossings of half the extremum's value; NONE: it is not crossed on both sides. */
static long half_width(const double *y, long n, long peak)
{
    double half = .5 * y[peak];
    long before = NONE, after = NONE;

    for (long i = 0; i + 1 < n; i++)
        if ((y[i] >= half) != (y[i + 1] >= half)) {
            if (i < peak)
                before = i;
            else if (after == NONE)
                after = i;
        }
    return before == NONE || after == NONE ? NONE : after - before;
}

/* Slope of the line through y[first .. last) by least squares. */
static double slope(const double *y, long first, long last, double rate_hz)
{
    double n = (double)(last - first), mean_x = (n - 1) / 2, mean_y = 0, xx = 0, xy = 0;

    for (long i = first; i < last; i++)
        mean_y += y[i] / n;
    for (long i = first; i < last; i++) {
        double x = (double)(i - first) - mean_x;
        xx += x * x;
        xy += x * (y[i] - mean_y);
    }
    return xx > 0 ? xy / xx * rate_hz : NAN;
}

static void trough_measures(nset_more_measures *m, const double *y, const double *minus, long n, long trough, double fs)
{
    long width = half_width(minus, n, trough), back = trough;

    if (width != NONE)
        m->trough_half_width_ms = 1e3 * (double)width / fs;
    while (back < n && y[back] < 0)
        back++;
    if (back < n && back - trough >= 3)
        m->repolarization_slope = slope(y, trough, back, fs);
}

static void peak_measures(
    nset_more_measures *m, const double *y, long n, long trough, long before, long after, double fs)
{
    long peak = after == NONE || (before != NONE && y[before] > y[after]) ? before : after;
    double top = fmax(before == NONE ? 0 : fabs(y[before]), after == NONE ? 0 : fabs(y[after]));

    if (after != NONE) {
        long end = (long)((double)after + RECOVERY_MS / 1000 * fs);
        m->peak_to_trough_ms = 1e3 * (double)(after - trough) / fs;
        m->recovery_slope = slope(y, after, end < n ? end : n, fs);
    }
    if (peak != NONE) {
        long width = half_width(y, n, peak);
        if (width != NONE)
            m->peak_half_width_ms = 1e3 * (double)width / fs;
        if (y[trough] != 0)
            m->peak_to_trough_ratio = top / fabs(y[trough]);
    }
}

nset_status nset_template_measure(
    nset_more_measures *m, const float *template, size_t n, double rate_hz, nset_error *err)
{
    long length = (long)n * UP, edge = (long)(EDGE_MS / 1000 * rate_hz * UP), trough, near = NEAR_SAMPLES, width;
    double *y = nset_calloc(n, 2 * UP * sizeof *y), *minus = y + length, most = 0, fs = rate_hz * UP;

    if (!y)
        return nset_fail_oom(err, n, 2 * UP * sizeof *y);
    resample(y, template, n);
    for (long i = 0; i < length; i++) {
        minus[i] = -y[i];
        most = fmax(most, fabs(y[i]));
    }
    trough = most > 0 ? find_peak(minus, edge, length - edge, PROMINENCE * most) : NONE;
    if (trough != NONE) {
        width = half_width(minus, length, trough);
        if ((long)(NEAR_SHARE * (double)width) > near)
            near = (long)(NEAR_SHARE * (double)width);
        trough_measures(m, y, minus, length, trough, fs);
        peak_measures(m, y, length, trough, find_peak(y, edge, trough - near, PROMINENCE * most),
            find_peak(y, trough + near, length - edge, PROMINENCE * most), fs);
    }
    nset_free(y);
    return NSET_OK;
}
