/* What the segmenter's rho says of pooled maps, the same for an image turned or mirrored. */
#ifndef NSET_IMAGING_INFER_H
#define NSET_IMAGING_INFER_H

#include <neuroset/workers.h>
#include "imaging/decode.h"
#include "imaging/segnet.h"

enum { NSET_SEG_VIEWS = 8 }; /* all turns and reflections */

/* out, zeros of the size wanted, := what rho says of input (H, W, NSET_SEG_INPUTS) and pooled phi (H, W, NSET_SEG_PHI):
 * the mean over n_views reflections and turns; where activity is known, the surer of what it says with and without.
 * Sides of any length. Errors: NSET_ERR_NOMEM. */
nset_status nset_segnet_apply(nset_seg_maps *out, const nset_net *rho, const float *input, const float *pooled,
    int n_views, nset_workers *workers, nset_error *err);

/* to (h4, w4, d) := from (h, w, d), filled up by reflection. */
void nset_segnet_pad(float *to, size_t h4, size_t w4, const float *from, size_t h, size_t w, size_t d);

#endif
