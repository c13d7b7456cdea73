/* A movie (a set of images) to masks, through the trained network. */
#ifndef NSET_IMAGING_SEGMENTER_H
#define NSET_IMAGING_SEGMENTER_H

#include <neuroset/workers.h>
#include "imaging/decode.h"
#include "imaging/images.h"
#include "imaging/masks.h"
#include "imaging/movie.h"
#include "imaging/segnet.h"

typedef struct nset_segmenter nset_segmenter;

/* Errors: NSET_ERR_IO, NSET_ERR_FORMAT (not such a model), NSET_ERR_NOMEM. workers is used, not owned. */
nset_status nset_segmenter_open(nset_segmenter **out, const char *model_path, nset_workers *workers, nset_error *err);
void nset_segmenter_close(nset_segmenter *s); /* NULL is legal */

typedef struct nset_segment_options {
    nset_images_options images;
    double threshold; /* of centre probability; 0: the model's */
} nset_segment_options;

/* The one pass over the movie (imaging/images.h). Errors: the movie's, NSET_ERR_NOMEM, NSET_ERR_CANCELLED. */
nset_status nset_segmenter_look(
    nset_images *out, nset_segmenter *s, nset_movie *movie, const nset_segment_options *o, nset_error *err);

/* What the network says of it. *summary: mean, correlation, deviation, peak, probability. rejected may be NULL.
 * Same bytes for any order of the images. Errors: NSET_ERR_NOMEM. */
nset_status nset_segmenter_conclude(nset_segmenter *s, const nset_images *images, const nset_segment_options *o,
    nset_masks **masks, nset_masks **rejected, nset_maps **summary, nset_error *err);

/* *diameter := of a cell, pixels, from what the network finds at several sizes: the one at which it is surest,
 * corrected by the masks drawn there; images made with another diameter will do. Left as it is where nothing is found.
 * Errors: NSET_ERR_NOMEM. */
nset_status nset_segmenter_diameter(double *diameter, nset_segmenter *s, const nset_images *images, nset_error *err);

/* The weights of the whole network from a model's file, and its threshold. Errors: NSET_ERR_IO, NSET_ERR_FORMAT. */
nset_status nset_segmenter_weights(nset_net *whole, double *threshold, const char *model_path, nset_error *err);

/* Names of the maps of a summary, NULL after the last. Static. */
const char *const *nset_segmenter_map_names(void);

/* rho or phi with the weights of the whole network. */
nset_status nset_segnet_part_of(nset_net **out, const nset_net *whole, nset_seg_part part, nset_error *err);

#endif
