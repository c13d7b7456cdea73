/* Exact sums before their rounding to float, for means and further sums. */
#ifndef NSET_MATH_EXACT_H
#define NSET_MATH_EXACT_H

#include <stddef.h>

/* As nset_exact_sum_rows (neuroset/pool.h), the double sums themselves; d is any. NaN sums are one and the same NaN. */
void nset_exact_sums(double *sums, const float *x, size_t n, size_t d, size_t stride);

#endif
