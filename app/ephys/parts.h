/* Far too many clusters on purpose: parts of about 60 events, which merging joins by evidence. */
#ifndef NSET_EPHYS_PARTS_H
#define NSET_EPHYS_PARTS_H

#include <stddef.h>
#include <stdint.h>
#include <neuroset/error.h>

/* label[i] (0 .. *n_parts - 1) of the rows of x (n, d): k-means from capped k-means++ seeds (outliers draw no centre).
 * Deterministic for seed and group; rows must come in an order given by content (time). */
nset_status nset_parts(int32_t *label, size_t *n_parts, const float *x, size_t n, size_t d, uint64_t seed,
    uint64_t group, nset_error *err);

/* Rows of v (k, d) become orthonormal, in order (Gram-Schmidt); one that the earlier ones span becomes 0. */
void nset_orthonormalise(double *v, size_t k, size_t d);

/* out (n, k) := the rows of x (n, d) on their first k principal components (k <= d), by subspace iteration. */
nset_status nset_principal(float *out, const float *x, size_t n, size_t d, size_t k, nset_error *err);

#endif
