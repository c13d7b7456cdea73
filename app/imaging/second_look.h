/* A second look at what the network found: is there anything but noise?
 *
 * The network normalises its inputs by the field's own spread, so a field of pure noise looks to it like one of faint
 * texture. The accumulators know better: the photon noise of the mean image follows from the frames' variance, and the
 * spread of that variance from their number. A candidate whose pixels stand out from neither is rejected.
 */
#ifndef NSET_IMAGING_SECOND_LOOK_H
#define NSET_IMAGING_SECOND_LOOK_H

#include "imaging/accumulate.h"
#include "imaging/masks.h"

/* Moves masks that show no more than noise to rejected (may be NULL: they are dropped), with the reason; ids are given
 * anew. Does nothing for fewer than eight images. Errors: NSET_ERR_NOMEM. */
nset_status nset_second_look(nset_masks *masks, nset_masks *rejected, const nset_accumulator *a, nset_error *err);

#endif
