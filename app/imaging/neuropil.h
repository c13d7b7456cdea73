/* How much of the light around a cell is also in its mask. */
#ifndef NSET_IMAGING_NEUROPIL_H
#define NSET_IMAGING_NEUROPIL_H

#include <stddef.h>

#define NSET_NEUROPIL_SHARE .7 /* a mean over cells and data sets; what is taken where a cell's own is not known */

typedef struct nset_light { /* of one frame */
    float mask, ring;
} nset_light;

/* Share r of raw = b + r ring + activity + noise over n frames, between 0 and 1.5: regression with a loss that is
 * square below and linear above one noise sd, so that activity, which only adds light, pulls little (Inan et al. 2017,
 * "Robust estimation of neural signals in calcium imaging", the one-sided Huber loss). reliability: the part of the
 * ring's variance that is not noise, by which r is too small. Weighed with NSET_NEUROPIL_SHARE +- .2, so that a ring
 * which hardly changes gives that. Does not depend on the order of frames; beyond some 8000 frames a part of them is
 * taken, chosen by what they show. room and scratch (n) are overwritten. */
double nset_neuropil_share(
    const float *raw, const float *ring, size_t n, double reliability, nset_light *room, float *scratch);

#endif
