/* What each of a set of overlapping masks would show without the others. */
#ifndef NSET_IMAGING_UNMIX_H
#define NSET_IMAGING_UNMIX_H

#include <stddef.h>
#include <neuroset/error.h>
#include <neuroset/workers.h>

#include "imaging/footprints.h"

/* x (n, n_frames), the weighted means of n masks less their surroundings, is replaced by the amounts c of the masks
 * whose sum comes closest to the pixels: sum_j (w_k . w_j) / |w_j|^2 c_j = x_k. An amount does not fall further below
 * its mask's rest (the 8th percentile of the free solution) than 3 times its noise: activity of one mask is not
 * explained by another's loss of light. Each frame is solved by itself. Masks without overlap stay as they are.
 * Errors: NSET_ERR_NOMEM. */
nset_status nset_unmix(
    float *x, size_t n, size_t n_frames, const nset_overlaps *overlaps, nset_workers *workers, nset_error *err);

#endif
