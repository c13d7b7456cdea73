#include "ephys/shift.h"

#include <math.h>
#include <stdint.h>

enum { REACH = 4 };
#define PI 3.14159265358979323846

size_t nset_shift_nearest(float tau)
{
    float at = roundf(8 * tau) + NSET_SHIFT_MIDDLE;

    return at < 0 ? 0 : at > NSET_SHIFTS - 1 ? NSET_SHIFTS - 1 : (size_t)at;
}

static double lanczos(double t)
{
    if (t == 0)
        return 1;
    if (fabs(t) >= REACH)
        return 0;
    return REACH * sin(PI * t) * sin(PI * t / REACH) / (PI * PI * t * t);
}

void nset_shift_by(float *out, const float *x, size_t n, size_t stride, double tau)
{
    double whole = nearbyint(tau), tap[2 * REACH + 1], sum = 0;

    for (int k = -REACH; k <= REACH; k++)
        sum += tap[k + REACH] = lanczos((double)k + tau - whole);
    for (int k = -REACH; k <= REACH; k++)
        tap[k + REACH] /= sum;
    for (size_t s = 0; s < n; s++) {
        int64_t at = (int64_t)s - (int64_t)whole; /* taps outside the n samples are left out */
        int first = at < REACH ? (int)(at < -REACH ? REACH + 1 : -at) : -REACH;
        int last =
            at + REACH >= (int64_t)n ? (int)(at - REACH >= (int64_t)n ? -REACH - 1 : (int64_t)n - 1 - at) : REACH;
        double y = 0;
        for (int k = first; k <= last; k++)
            y += tap[k + REACH] * (double)x[at + k];
        out[s * stride] = (float)y;
    }
}

void nset_shift(float *out, const float *x, size_t n, size_t i)
{
    nset_shift_by(out, x, n, 1, (double)nset_shift_of(i));
}

float nset_parabola(float before, float middle, float after, float *peak)
{
    float curve = before - 2 * middle + after, tau;

    *peak = middle;
    if (!(curve < 0))
        return 0;
    tau = .5f * (before - after) / curve;
    tau = tau < -.5f ? -.5f : tau > .5f ? .5f : tau;
    *peak = middle - .25f * (before - after) * tau;
    return tau;
}
