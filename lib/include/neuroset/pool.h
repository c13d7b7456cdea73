/* Exact order-free sums: the same bytes for any order of the terms.
 *
 * Try-double: when the exponents of the terms lie close enough, a plain double sum is exact; else the terms are
 * first rounded to a common grid that depends on the largest of them and on their number only (Demmel & Nguyen
 * 2013, "Fast reproducible floating-point summation", one fold). One rounding to float at the end.
 */
#ifndef NEUROSET_POOL_H
#define NEUROSET_POOL_H

#include <stddef.h>
#include <neuroset/error.h>

/* out (d) := sums over the n rows of x (n, d), row i at x + i * stride (in numbers). -0 counts as 0; any NaN gives NaN.
 */
NSET_API void nset_exact_sum_rows(float *out, const float *x, size_t n, size_t d, size_t stride);

/* The same for one column of n doubles, relative error <= n^2 2^-53 of the largest. */
NSET_API double nset_exact_sum(const double *x, size_t n);

#endif
