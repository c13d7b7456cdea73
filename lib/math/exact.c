#include <neuroset/pool.h>

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "exact.h"
#include "kernels.h"

/* ceil(log2 n). */
static int log2_above(size_t n)
{
    return n < 2 ? 0 : 64 - __builtin_clzll((unsigned long long)n - 1);
}

/* 2^e for normal numbers. */
static double power_of_2(int e)
{
    uint64_t bits = (uint64_t)(e + 1023) << 52;
    double x;

    memcpy(&x, &bits, sizeof x);
    return x;
}

/* 0 if a plain double sum of n floats is exact for every order, else the number whose addition and subtraction rounds
 * a term to the common grid. high, low as in nset_kernels.range. */
static double grid_scale(uint32_t high, uint32_t low, size_t n)
{
    int top, bottom, lg = log2_above(n);

    if (high >= 0x7f800000u || high == 0) /* Inf or NaN, or all zero: any order gives the same */
        return 0;
    top = (int)(high >> 23);
    bottom = (int)((low + 1) >> 23);
    top = top ? top : 1; /* denormals have the grid of exponent 1 */
    bottom = bottom ? bottom : 1;
    if (top - bottom + 24 + lg <= 53)
        return 0;
    return 1.5 * power_of_2(top - 126 + lg); /* |x| < 2^(top - 126) */
}

static void block_sums(double *sums, const float *x, size_t n, size_t d, size_t stride)
{
    const nset_kernels *kernels = nset_kernels_now();
    uint32_t high[NSET_POOL_BLOCK], low[NSET_POOL_BLOCK];
    double scale[NSET_POOL_BLOCK], any = 0;

    kernels->range(high, low, x, n, d, stride);
    for (size_t j = 0; j < d; j++) {
        scale[j] = grid_scale(high[j], low[j], n);
        any += scale[j];
    }
    if (any == 0)
        kernels->sum(sums, x, n, d, stride);
    else /* scale 0 leaves the terms of the exact channels as they are */
        kernels->sum_grid(sums, scale, x, n, d, stride);
    for (size_t j = 0; j < d; j++)
        if (isnan(sums[j]))
            sums[j] = NAN;
}

void nset_exact_sums(double *sums, const float *x, size_t n, size_t d, size_t stride)
{
    for (size_t j = 0; j < d; j += NSET_POOL_BLOCK)
        block_sums(sums + j, x + j, n, d - j < NSET_POOL_BLOCK ? d - j : NSET_POOL_BLOCK, stride);
}

void nset_exact_sum_rows(float *out, const float *x, size_t n, size_t d, size_t stride)
{
    double sums[NSET_POOL_BLOCK];

    for (size_t j = 0; j < d; j += NSET_POOL_BLOCK) {
        size_t width = d - j < NSET_POOL_BLOCK ? d - j : NSET_POOL_BLOCK;
        block_sums(sums, x + j, n, width, stride);
        for (size_t k = 0; k < width; k++)
            out[j + k] = (float)sums[k];
    }
}

/* Three folds: what a grid cuts off goes to the next, finer one. Each fold is exact and so is its remainder. */
double nset_exact_sum(const double *x, size_t n)
{
    enum { FOLDS = 3 };
    double scale[FOLDS] = { 0 }, part[FOLDS] = { 0 }, unit = 1, high = 0, special = 0;
    int lg = log2_above(n);

    for (size_t i = 0; i < n; i++) {
        double a = fabs(x[i]);
        high = a > high ? a : high;
        special += isfinite(x[i]) ? 0 : x[i];
    }
    if (isnan(special))
        return NAN;
    if (special != 0 || high == 0)
        return special;
    if (high > 0x1p900)
        unit = 0x1p-200; /* away from overflow; what underflows lies below every grid */
    else if (high < 0x1p-900)
        unit = 0x1p200;
    for (int f = 0; f < FOLDS; f++) {
        double left = 0;
        int e = ilogb(high * unit) + 1 + lg;
        scale[f] = 1.5 * ldexp(1, e);
        part[f] = 0;
        for (size_t i = 0; i < n; i++) {
            double r = x[i] * unit;
            for (int k = 0; k < f; k++)
                r -= (r + scale[k]) - scale[k];
            double t = (r + scale[f]) - scale[f], rest = fabs(r - t);
            part[f] += t;
            left = rest > left ? rest : left;
        }
        high = left / unit;
        if (left < 0x1p-960)
            break;
    }
    return (part[0] + (part[1] + part[2])) / unit;
}
