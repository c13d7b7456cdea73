/* The passes over a movie that make its set of images: frames to bins, bins to the mean, then to sums, phi pooled over
 * some of them. */
#ifndef NSET_IMAGING_IMAGES_H
#define NSET_IMAGING_IMAGES_H

#include <neuroset/net.h>
#include <neuroset/workers.h>
#include "imaging/accumulate.h"
#include "imaging/movie.h"

typedef struct nset_images_options {
    long bin;                   /* frames an image; 0: half a second, or 4 */
    double diameter;            /* of a cell in pixels */
    const unsigned char *valid; /* (n_frames) 0: a frame that is left out; NULL: all are in */
    size_t keep;                /* of the images that phi sees so many stay, to learn from */
} nset_images_options;

/* All that later steps know of the images. */
typedef struct nset_images {
    nset_accumulator sums;
    int64_t *pooled; /* (H, W, NSET_SEG_PHI) phi summed on a grid; owned */
    int64_t n_phi;   /* images that phi saw */
    float *kept;     /* (n_kept, H, W) of these, the first as phi saw them; owned */
    size_t n_kept;
} nset_images;

/* Two passes. phi (imaging/segnet.h; NULL: none) sees some images of a long movie only; which ones is decided by what
 * they show, not by their number. The same bytes for any order of the images and any number of threads. Images are read
 * ahead as far as a fixed share of memory goes. Errors: the movie's, NSET_ERR_NOMEM, NSET_ERR_CANCELLED. */
nset_status nset_images_make(nset_images *out, nset_movie *movie, const nset_images_options *o, const nset_net *phi,
    nset_workers *workers, nset_error *err);
void nset_images_fini(nset_images *m); /* of zeros is legal */
size_t nset_images_bytes(const nset_images *m);

/* out (H, W, NSET_SEG_PHI) := mean of phi over the images it saw; 0 where it saw fewer than two. */
void nset_images_phi(const nset_images *m, float *out);

#endif
