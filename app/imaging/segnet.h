/* The segmenter's network and its inputs.
 *
 * phi: two 3 x 3 convolutions of one band-passed image, bounded by tanh, so that their sum over the images of a movie
 * can be taken on a fixed grid. rho: a U-Net over the pooled phi and the normalised maps. Any input may be missing:
 * maps that are not there are 0, and so is the pool of an empty set.
 *
 * Zaheer et al. 2017, "Deep Sets", theorem 2; Ronneberger et al. 2015, "U-Net"; centre votes as in Cheng et al. 2020,
 * "Panoptic-DeepLab".
 */
#ifndef NSET_IMAGING_SEGNET_H
#define NSET_IMAGING_SEGNET_H

#include <neuroset/net.h>
#include "imaging/accumulate.h"

enum {
    NSET_SEG_INPUTS = 8, /* mean at two scales, brightest, four maps of activity, 1 where activity is known */
    NSET_SEG_STILL = 3,  /* of these: what is known without activity */
    NSET_SEG_PHI = 6,    /* channels of phi */
    NSET_SEG_HIDDEN = 8,
};
#define NSET_SEG_KIND "segmenter-2" /* changes with the inputs' meaning */
#define NSET_SEG_DIAMETER 10.       /* pixels of a cell that the network is trained for */
#define NSET_SEG_LABEL 9.5          /* of its outline as people draw it */

/* Outputs of the whole and of rho: 0 mask logit, 1 centre logit, 2 offset to the centre (row, column) / diameter. */
typedef enum nset_seg_part {
    NSET_SEG_WHOLE,    /* inputs: maps (SET, NSET_SEG_INPUTS), images (ELEMENT, 1) */
    NSET_SEG_PHI_ONLY, /* input: images (ELEMENT, 1); output: phi */
    NSET_SEG_RHO_ONLY, /* inputs: maps, pooled phi (SET, NSET_SEG_PHI) */
} nset_seg_part;

nset_status nset_segnet_build(nset_net **out, nset_seg_part part, uint64_t seed, nset_error *err);

/* input (H, W, NSET_SEG_INPUTS) from maps (NSET_N_MAPS, H, W); n_images < 2: only the mean is known, and the brightest
 * image where it is not 0 everywhere.
 * diameter: of a cell in these maps. Errors: NSET_ERR_NOMEM. */
nset_status nset_segnet_inputs(
    float *input, const float *maps, size_t height, size_t width, int64_t n_images, double diameter, nset_error *err);

/* image (H, W) := band-passed image over its robust deviation, clipped, what phi sees. room: H * W numbers. */
void nset_segnet_image(float *image, size_t height, size_t width, float *room);

#endif
