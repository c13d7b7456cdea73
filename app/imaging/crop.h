/* Training examples: crops of fields, turned, scaled and disturbed, with their targets. */
#ifndef NSET_IMAGING_CROP_H
#define NSET_IMAGING_CROP_H

#include "imaging/fields.h"

enum { NSET_CROP = 96, NSET_CROP_PIXELS = NSET_CROP * NSET_CROP, NSET_CROP_IMAGES = 12 };

typedef struct nset_crop {
    float *input;  /* (PIXELS, NSET_SEG_INPUTS) */
    float *images; /* (n_images, PIXELS) */
    size_t n_images;
    float *mask, *centre, *offset;                      /* targets: (PIXELS), (PIXELS), (PIXELS, 2) in diameters */
    float *mask_weight, *centre_weight, *offset_weight; /* (PIXELS), (PIXELS), (PIXELS, 2) */
} nset_crop;

nset_status nset_crop_init(nset_crop *c, nset_error *err);
void nset_crop_fini(nset_crop *c);

/* Example number index of the training with seed: field, place, turn, scale, missing inputs, noise. */
void nset_crop_make(nset_crop *c, const nset_fields *f, uint64_t seed, uint64_t index);

#endif
