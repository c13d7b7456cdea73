/* How many heaps do points make? Top down: divided where a valley and two Gaussians say so, and again. */
#ifndef NSET_EPHYS_HEAPS_H
#define NSET_EPHYS_HEAPS_H

#include <stddef.h>
#include <stdint.h>
#include <neuroset/error.h>

enum { NSET_LEAST_HEAP = 15 }; /* points of the smallest heap that is divided off */

/* label[i] (0 .. *n_heaps - 1) of the rows of x (n, d), whose noise has standard deviation 1 in every direction. Few
 * rows (under 40) or numbers (under 8) are one heap. Deterministic for seed; rows must come in an order given by
 * content. Errors: NSET_ERR_NOMEM. */
nset_status nset_heaps(
    int32_t *label, size_t *n_heaps, const float *x, size_t n, size_t d, uint64_t seed, nset_error *err);

#endif
