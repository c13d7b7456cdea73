/* Outputs that are sets: how many elements, which, and how far from the truth.
 *
 * A set of m elements has the density p(m) m! U^m prod p(y_k): m! for its orders, U the unit of volume that makes
 * densities of different m comparable. Rezatofighi et al. 2017, "DeepSetNet: predicting sets with deep neural
 * networks", eq. 1 to 6. Logarithms are natural. Decoding and losses depend on the elements, not on their order, to
 * the bit.
 */
#ifndef NEUROSET_CARDINALITY_H
#define NEUROSET_CARDINALITY_H

#include <stddef.h>
#include <stdint.h>
#include <neuroset/error.h>
#include <neuroset/real.h>

/* ---- how many: a Poisson number whose rate is Gamma(a, rate b), the negative binomial; mean a / b, variance
 * a / b (1 + 1 / b) ---- */

/* log p(m | a, b), a, b > 0; da, db, unless NULL, its slopes. */
NSET_API double nset_negative_binomial(double *da, double *db, uint64_t m, double a, double b);

/* A head for networks: mean of -log p(m_s) over n sets, a = softplus(x_s0) + 1e-6, b = softplus(x_s1) + 1e-6; dx (n,
 * 2), unless NULL, := its gradient. */
NSET_API double nset_loss_cardinality(nset_real *dx, const nset_real *x, const uint64_t *m, size_t n);
/* a and b of a head's two numbers. */
NSET_API void nset_cardinality_read(double *a, double *b, const nset_real *x);

/* *low .. *high := from the tail up and from the tail down, the numbers that leave out at most (1 - cover) / 2 on each
 * side. Errors: NSET_ERR_ARG (a, b not positive, cover not inside (0, 1)), NSET_ERR_NUMERIC (more than 10^8 terms). */
NSET_API NSET_MUST_CHECK nset_status nset_cardinality_interval(
    uint64_t *low, uint64_t *high, double a, double b, double cover, nset_error *err);

/* a, b := of the greatest likelihood of n counts; b is INFINITY, and a too, where they scatter no more than Poisson
 * numbers. Errors: NSET_ERR_ARG (no count, or all are 0). */
NSET_API NSET_MUST_CHECK nset_status nset_cardinality_fit(
    double *a, double *b, const uint64_t *m, size_t n, nset_error *err);

/* ---- which: decoding by sorted scores, exact in O(n log n) ---- */

/* The most probable set out of n candidates, each used once. log_density (n) of a candidate; log_m (n + 1): log p(m).
 * order (n) := candidates, best first (ties by number); *m of them are the set: the largest of log p(m) + log m! +
 * m log_unit + the sum of the m best. Errors: NSET_ERR_ARG (NaN). */
NSET_API NSET_MUST_CHECK nset_status nset_decode_set(size_t *m, size_t *order, const double *log_density,
    const double *log_m, double log_unit, size_t n, nset_error *err);

/* The same for candidates that are in or out with logits: log p(m) + the sum of the m best logits - log e_m, e_m the
 * sum over all sets of m of the product of their odds, so that sets of one size have probability 1 together. O(n^2).
 * With log_m from nset_poisson_binomial of the same logits it is the threshold at 0. Errors: NSET_ERR_ARG (not finite),
 * NSET_ERR_NOMEM. */
NSET_API NSET_MUST_CHECK nset_status nset_decode_logits(
    size_t *m, size_t *order, const double *logits, const double *log_m, size_t n, nset_error *err);

/* log_m (n + 1) := log p(how many of n independent candidates are in). Errors: as above. */
NSET_API NSET_MUST_CHECK nset_status nset_poisson_binomial(
    double *log_m, const double *logits, size_t n, nset_error *err);

/* ---- how far: x (n, d) predicted, y (m, d) true, squared Euclidean distances; dx (n, d), unless NULL, := gradient.
 * Errors: NSET_ERR_ARG (not finite; Chamfer of an empty set), NSET_ERR_NOMEM. ---- */

/* Mean over x of the distance to the nearest y, plus mean over y of that to the nearest x; gradient shared among ties.
 * It does not see multiplicity: {a, a, b} is as near to {a, b, b} as to itself. */
NSET_API NSET_MUST_CHECK nset_status nset_loss_chamfer(
    double *loss, nset_real *dx, const nset_real *x, size_t n, const nset_real *y, size_t m, size_t d, nset_error *err);

/* The least sum over pairings (neuroset/assign.h), plus unmatched for each element without a partner. match (n), unless
 * NULL, := the y of each x or NSET_UNASSIGNED. The gradient is that at the best pairing. */
NSET_API NSET_MUST_CHECK nset_status nset_loss_assignment(double *loss, nset_real *dx, size_t *match,
    const nset_real *x, size_t n, const nset_real *y, size_t m, size_t d, double unmatched, nset_error *err);

/* Optimal subpattern assignment: a metric on finite sets, distances cut off at c, order p: ((least sum of min(c, |x -
 * y|)^p over pairings + c^p |n - m|) / max(n, m))^(1/p); 0 for two empty sets. Schuhmacher, Vo & Vo 2008, eq. 3.
 * Errors: NSET_ERR_ARG (c or p not positive, not finite), NSET_ERR_NOMEM. */
NSET_API NSET_MUST_CHECK nset_status nset_ospa(double *distance, const nset_real *x, size_t n, const nset_real *y,
    size_t m, size_t d, double c, double p, nset_error *err);

#endif
