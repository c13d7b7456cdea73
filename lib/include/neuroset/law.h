/* Are two samples from one law? For checks that a stochastic network has the symmetry, or the law, it should have.
 *
 * A conditional law is G-invariant when Y given X is Y given g X. Where the law of X itself is invariant that is the
 * same as (X, Y) and (g X, Y) having one law; elsewhere compare conditionals. Bloem-Reddy & Teh 2020, section 3.
 */
#ifndef NEUROSET_LAW_H
#define NEUROSET_LAW_H

#include <stddef.h>
#include <stdint.h>
#include <neuroset/error.h>

/* Two-sample Kolmogorov-Smirnov of x (a) and y (b), numbers of continuous laws: returns p; *distance, unless NULL, is
 * the largest distance of the distribution functions. x and y are sorted in place. p by the asymptotic series with
 * Stephens' correction (Stephens 1970). NaN when a or b is 0. */
NSET_API double nset_ks_two(double *distance, double *x, size_t a, double *y, size_t b);

/* The same of x (a) and the distribution function cdf. */
NSET_API double nset_ks_one(
    double *distance, double *x, size_t a, double (*cdf)(const void *ctx, double x), const void *ctx);

/* Maximum mean discrepancy of x (a, d) and y (b, d), Gaussian kernel as wide as the median distance; *p is the share of
 * n_permutations relabellings (and the data as they are) with no smaller unbiased estimate. O((a + b)^2) for each.
 * Gretton et al. 2012, "A kernel two-sample test", lemma 6. Errors: NSET_ERR_ARG (a or b below 2), NSET_ERR_NOMEM. */
NSET_API NSET_MUST_CHECK nset_status nset_mmd_two(double *p, const double *x, size_t a, const double *y, size_t b,
    size_t d, size_t n_permutations, uint64_t seed, nset_error *err);

#endif
