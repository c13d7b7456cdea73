/* Which pixels a trace is taken from: of each mask, and of the ring around it. */
#ifndef NSET_IMAGING_FOOTPRINTS_H
#define NSET_IMAGING_FOOTPRINTS_H

#include <stddef.h>
#include <stdint.h>
#include <neuroset/error.h>

#include "imaging/masks.h"

enum { NSET_RING_GAP = 2, NSET_RING_PIXELS = 300, NSET_RING_STEPS = 30, NSET_RING_FEW = 100 /* less is flagged */ };

/* Rings (n masks, ragged): pixels from NSET_RING_GAP + 1 steps off the mask on, step by step until there are
 * NSET_RING_PIXELS, at most NSET_RING_STEPS steps; no pixel of any mask. A step goes to the 4 neighbours, the next one
 * to the 8. ring (offset[n]) := row * width + column, mask i's from offset[i] on, ascending. */
typedef struct nset_rings {
    size_t *offset;
    int32_t *pixel;
} nset_rings;

nset_status nset_rings_make(nset_rings *out, const nset_masks *masks, nset_error *err);
void nset_rings_fini(nset_rings *r);

/* Overlaps (n masks, ragged): products w_i . w_j of the weights with every mask that shares a pixel, itself included.
 */
typedef struct nset_overlaps {
    size_t *offset;
    size_t *other; /* ascending */
    double *product;
} nset_overlaps;

nset_status nset_overlaps_make(nset_overlaps *out, const nset_masks *masks, nset_error *err);
void nset_overlaps_fini(nset_overlaps *o);

#endif
