/* Robust statistics; ties and order do not matter to the result. All reorder x in place. */
#ifndef NSET_SIGNAL_ROBUST_H
#define NSET_SIGNAL_ROBUST_H

#include <stddef.h>

/* The k-th smallest of x (n), 0 <= k < n. */
float nset_select(float *x, size_t n, size_t k);
/* Mean of the two middle values for even n; 0 for n = 0. */
float nset_median(float *x, size_t n);
/* Median of |x| over .6745: the standard deviation of Gaussian x around 0. */
float nset_mad_sd(float *x, size_t n);

#endif
