/* From the network's maps to masks: centres that stand out, and the pixels that vote for them. */
#ifndef NSET_IMAGING_DECODE_H
#define NSET_IMAGING_DECODE_H

#include "imaging/masks.h"

/* What the network says of each pixel. */
typedef struct nset_seg_maps {
    size_t height, width;
    float *mask, *centre; /* (H, W) probabilities, owned */
    float *offset;        /* (H, W, 2) to the centre, in pixels, owned */
} nset_seg_maps;

nset_status nset_seg_maps_init(nset_seg_maps *m, size_t height, size_t width, nset_error *err);
void nset_seg_maps_fini(nset_seg_maps *m);

/* Cells whose centre probability reaches threshold; *rejected (may be NULL) gets those from half of it on, with the
 * reason. diameter: of a cell in pixels. A pixel may belong to two cells. Ordered by probability, then place. */
nset_status nset_decode(nset_masks **out, nset_masks **rejected, const nset_seg_maps *m, double diameter,
    double threshold, nset_error *err);

#endif
