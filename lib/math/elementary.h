/* Elementary functions of networks, one operation sequence for every vector width: plain arithmetic, fma and selects,
 * so that a compiler can vectorise a loop over them and every row of the kernel table gives the same bits.
 *
 * The float versions reduce the argument as usual and use polynomials of ours, fitted to the relative error on the
 * reduced interval; the errors in ulp are in tests/unit/test_kernels.c. The build that checks gradients calls libm.
 * Included by the kernel files only: everything is static. */
#ifndef NSET_MATH_ELEMENTARY_H
#define NSET_MATH_ELEMENTARY_H

#include <math.h>
#include <stdint.h>
#include <neuroset/real.h>

#ifdef NSET_DOUBLE

static inline double real_fma(double a, double b, double c)
{
    return fma(a, b, c);
}

static inline double real_exp(double x)
{
    return exp(x);
}

static inline double real_expm1(double x)
{
    return expm1(x);
}

static inline double real_log(double x)
{
    return log(x);
}

static inline double real_phi(double x, double *density)
{
    *density = 0.39894228040143268 * exp(-.5 * x * x);
    return .5 * erfc(-x * 0.70710678118654752);
}

static inline double real_sqrt(double x)
{
    return sqrt(x);
}

#else

#ifdef __FMA__

static inline float real_fma(float a, float b, float c)
{
    return __builtin_fmaf(a, b, c);
}

#else

/* a b + c with one rounding, in doubles: the product is exact, the sum is rounded to odd (its last bit stands for what
 * was lost), and from 53 such bits the rounding to 24 is the right one (Boldo & Melquiond 2008, "Emulation of a FMA
 * and correctly rounded sums"). A compiler vectorises this, libm's fmaf it does not. */
static inline float real_fma(float a, float b, float c)
{
    union {
        double f;
        uint64_t u;
    } sum, lost;
    double product = (double)a * (double)b, part;
    uint64_t inexact, other_side;

    sum.f = product + (double)c;
    part = sum.f - product;
    lost.f = (product - (sum.f - part)) + ((double)c - part);
    inexact = ((lost.u & INT64_MAX) + INT64_MAX) >> 63; /* 1 if not zero: SSE2 compares no wide integers */
    inexact &= ~(((lost.u >> 52 & 0x7ff) + 1) >> 11);   /* and finite */
    inexact &= ~sum.u;                                  /* and the sum is even */
    other_side = (sum.u ^ lost.u) >> 63;
    sum.u += inexact - ((inexact & other_side) << 1); /* away from zero if what was lost has the sign of the sum */
    return (float)sum.f;
}

#endif

static inline float real_sqrt(float x)
{
    return __builtin_sqrtf(x);
}

static inline uint32_t bits_of(float x)
{
    union {
        float f;
        uint32_t u;
    } v = { .f = x };
    return v.u;
}

static inline float float_of(uint32_t bits)
{
    union {
        uint32_t u;
        float f;
    } v = { .u = bits };
    return v.f;
}

/* 1.5 * 2^23: added, it leaves the nearest integer in the low bits. */
#define ROUNDER 12582912.f

/* x = n ln 2 + r, |r| <= ln(2) / 2; *rest := e^r - 1; returns n. x in -105 .. 90 or NaN (then n is anything in reach).
 */
static inline int32_t reduce_exp(float *rest, float x)
{
    float z = real_fma(x, 0x1.715476p+0f, ROUNDER), n = z - ROUNDER;
    float r = real_fma(n, -0x1.62e43p-1f, x), q;

    r = real_fma(n, 0x1.05c61p-29f, r); /* ln 2 = 0x1.62e43p-1 - 0x1.05c61p-29 */
    q = 0.00019915031f;
    q = real_fma(q, r, 0.001394206f);
    q = real_fma(q, r, 0.008333271f);
    q = real_fma(q, r, 0.04166634f);
    q = real_fma(q, r, 0.16666667f);
    q = real_fma(q, r, 0.5f);
    *rest = real_fma(r * r, q, r);
    return (int32_t)(bits_of(z) - bits_of(ROUNDER));
}

static inline float clamp(float x, float low, float high)
{
    x = x > high ? high : x; /* NaN stays */
    return x < low ? low : x;
}

static inline float power_of_2(int32_t n)
{
    return float_of((uint32_t)(n + 127) << 23);
}

static inline float real_exp(float x)
{
    float rest;
    int32_t n = reduce_exp(&rest, clamp(x, -105.f, 90.f)), half = n >> 1;

    /* In two steps: n may lie beyond the exponents of normal numbers. */
    return (1.f + rest) * power_of_2(half) * power_of_2(n - half);
}

/* For x <= 88. */
static inline float real_expm1(float x)
{
    float rest, scale;
    int32_t n = reduce_exp(&rest, clamp(x, -40.f, 88.f));

    scale = power_of_2(n);
    return real_fma(scale, rest, scale - 1.f);
}

/* Of positive normal numbers. */
static inline float real_log(float x)
{
    int32_t e = (int32_t)(bits_of(x) - 0x3f3504f3u) >> 23; /* x = 2^e m, m in sqrt(1/2) .. sqrt(2) */
    float f = float_of(bits_of(x) - ((uint32_t)e << 23)) - 1.f, n = (float)e, q, f2 = f * f;

    q = 0.069258645f;
    q = real_fma(q, f, -0.11807859f);
    q = real_fma(q, f, 0.118779145f);
    q = real_fma(q, f, -0.12381806f);
    q = real_fma(q, f, 0.14217716f);
    q = real_fma(q, f, -0.16669357f);
    q = real_fma(q, f, 0.20002273f);
    q = real_fma(q, f, -0.24999985f);
    q = real_fma(q, f, 0.3333331f);
    q = real_fma(f2 * f, q, real_fma(n, -0x1.05c61p-29f, -.5f * f2));
    return real_fma(n, 0x1.62e43p-1f, f + q);
}

/* The normal distribution function and its density: e^(-x^2/2) times a polynomial in t = 1 / (1 + z/2), z = |x| /
 * sqrt(2), for the lower tail, and one minus that above 0. */
static inline float real_phi(float x, float *density)
{
    float a = clamp(x < 0 ? -x : x, 0.f, 14.f), t = 1.f / real_fma(a, 0.35355339f, 1.f);
    float square = a * a, low = real_fma(a, a, -square), q;
    float bell = real_exp(-.5f * square) * real_fma(-.5f, low, 1.f);

    q = 0.010814087f;
    q = real_fma(q, t, -0.115461744f);
    q = real_fma(q, t, 0.4111086f);
    q = real_fma(q, t, -0.6470223f);
    q = real_fma(q, t, 0.40286365f);
    q = real_fma(q, t, -0.08886992f);
    q = real_fma(q, t, 0.22244367f);
    q = real_fma(q, t, 0.23926896f);
    q = real_fma(q, t, 0.28278714f);
    q = real_fma(q, t, 0.2820678f);
    q = .5f * (q * t) * bell;
    *density = 0.3989423f * bell;
    return x < 0 ? q : 1.f - q;
}

#endif

/* (e^2a - 1) / (e^2a + 1) for a = |x|; 1 to the last bit beyond 9.02 in float. */
static inline nset_real real_tanh(nset_real x)
{
    nset_real a = x < 0 ? -x : x, t, limit = sizeof(nset_real) == sizeof(float) ? (nset_real)9.02 : 20;

    t = real_expm1((a > limit ? limit : a) * 2);
    t = t / (t + 2);
    return x < 0 ? -t : t;
}

static inline nset_real real_sigmoid(nset_real x)
{
    return 1 / (1 + real_exp(-x));
}

#endif
