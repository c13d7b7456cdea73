/* Maximal invariants, representative equivariants, and noise that goes with the elements.
 *
 * A maximal invariant M of a group tells two inputs apart exactly if no element of the group takes one to the other:
 * M(g x) = M(x), and M(x) = M(y) only for y = g x. Every invariant conditional law of Y given X is Y = f(eta, M(X))
 * with noise eta independent of X (noise outsourcing). A representative equivariant is an element tau(x) of the group
 * with tau(g x) = g tau(x); then M(x) = tau(x)^-1 x, and every equivariant f is f(x) = tau(x) h(tau(x)^-1 x) where only
 * the identity leaves x as it is. Bloem-Reddy & Teh 2020, "Probabilistic symmetries and invariant neural networks",
 * theorems 7 to 9 and section 5.
 *
 * x (n, d) holds n rows of d numbers. A permutation p moves row i to place p[i]. Rows are compared by the total order
 * of their numbers, first column first, with no tolerance: -0 is 0, and any NaN is last and equal to any other.
 */
#ifndef NEUROSET_INVARIANT_H
#define NEUROSET_INVARIANT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <neuroset/error.h>

/* ---- permutations of rows ---- */

/* tau (n): of all permutations, that which sorts; O(n log n d). *is_free, unless NULL: no two rows are equal, so that
 * tau is the only one. Equal rows keep their order. */
NSET_API void nset_tau_set(uint32_t *tau, bool *is_free, const float *x, size_t n, size_t d);

/* tau (n): of the rotations of the ring of rows, and with reflections also its reflections, the one to the least
 * sequence; O(n d), by two running starts (compare Booth 1980, "Lexicographically least circular substrings"). *is_free
 * as above. */
NSET_API void nset_tau_ring(uint32_t *tau, bool *is_free, const float *x, size_t n, size_t d, bool reflections);

/* out (n, d) := tau^-1 x, row j of it row tau[j] of x; with a tau from above a maximal invariant, to the bit: zeros are
 * +0 and NaNs one and the same. out is not x. */
NSET_API void nset_canonical(float *out, const uint32_t *tau, const float *x, size_t n, size_t d);

/* out (n, d) := tau y: takes a result for canonical rows back to the rows as they came. out is not y. */
NSET_API void nset_uncanonical(float *out, const uint32_t *tau, const float *y, size_t n, size_t d);

/* ---- groups of motions ---- */

/* gram (n, n) := x x^T, the maximal invariant of rotations and reflections of the d axes. */
NSET_API void nset_gram(double *gram, const float *x, size_t n, size_t d);
/* x (n, d) := rows with that Gram matrix, the ones it came from up to an orthogonal map (Cholesky, largest pivot
 * first). Errors: NSET_ERR_NUMERIC (more than d dimensions are needed, or it is no Gram matrix), NSET_ERR_NOMEM. */
NSET_API NSET_MUST_CHECK nset_status nset_from_gram(double *x, const double *gram, size_t n, size_t d, nset_error *err);

/* out (n, d) := x less its mean row, the maximal invariant of translations; mean by an exact sum, so the map is
 * equivariant to the bit under permutations. out may be x. */
NSET_API void nset_centre(float *out, const float *x, size_t n, size_t d);
/* out (n, d) := x over its norm (root of the exact sum of squares), the maximal invariant of scalings by s > 0; zeros
 * stay. out may be x. Errors: NSET_ERR_NOMEM. */
NSET_API NSET_MUST_CHECK nset_status nset_unscale(float *out, const float *x, size_t n, size_t d, nset_error *err);

/* ---- noise ---- */

/* Standard normal noise for stochastic layers on S sets (offsets as in neuroset/net.h): eta (n, k) for elements, eta_0
 * (S, k_0) for sets; either may be NULL. Feed them to a network as inputs: Y = rho(pool phi(x), eta_0) is an invariant
 * layer, Y_i = h(x_i, pool, eta_0, eta_i) an equivariant one. Draws are keyed by seed and by content: an element's by
 * its row and by its number among equal rows, a set's by all its rows. So they move with the elements, to the bit, and
 * do not depend on batch mates. Another seed is another draw. Errors: NSET_ERR_NOMEM. */
NSET_API NSET_MUST_CHECK nset_status nset_noise(float *eta, float *eta_0, const float *x, const int64_t *offsets,
    size_t n_sets, size_t d, size_t k, size_t k_0, uint64_t seed, nset_error *err);

#endif
