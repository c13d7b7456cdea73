/* The image that frames are registered to, from a sample of them.
 *
 * The sample is chosen by what frames show, not by their numbers, so that a movie in another order has the same
 * reference. It starts as the mean of the frames most alike one of them and takes in more at each round, the best
 * registered first: a few that jump never enter early. Pachitariu et al. 2016 (Suite2p).
 */
#ifndef NSET_IMAGING_REFERENCE_H
#define NSET_IMAGING_REFERENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <neuroset/error.h>
#include <neuroset/workers.h>
#include "imaging/correlate.h"
#include "imaging/movie.h"

enum { NSET_LEFT_NOT, NSET_LEFT_JUMP, NSET_LEFT_EMPTY }; /* why a frame is left out */

typedef struct nset_reference {
    size_t factor, height, width; /* of thumbs (imaging/thumbs.h) */
    size_t n;                     /* sampled frames, none empty */
    int64_t *frame;               /* (n) in the order of their hashes; owned */
    float *thumb;                 /* (n, height, width); owned */
    nset_peak *peak;              /* (n) of the last round, thumb pixels; owned */
    int line_offset;              /* columns by which odd rows lie to the right; put right in thumbs */
    nset_correlator correlator;
    float *image;            /* (height, width) the reference; owned */
    float mean, least, most; /* of the image; frames are clipped to least .. most before they are correlated */
    bool clear;              /* both halves of the sample show the same: there is something to register to */
    fftwf_complex *spectrum; /* (bins) as nset_correlator_apply wants it; owned */
} nset_reference;

/* left_out (n_frames): frames that are the same number all over get NSET_LEFT_EMPTY. reach: of shifts in pixels of the
 * movie. One pass over the movie, and the sample once or twice more. r->n < 2: there is nothing to register to, the
 * rest of r is empty. Errors: the movie's, NSET_ERR_NOMEM, NSET_ERR_CANCELLED. */
nset_status nset_reference_make(nset_reference *r, unsigned char *left_out, nset_movie *movie, double reach,
    nset_workers *workers, nset_error *err);
void nset_reference_fini(nset_reference *r); /* of zeros is legal */

/* Largest shift in thumb pixels; reach: in pixels of the movie, 0: a tenth of the smaller side. */
size_t nset_reference_reach(const nset_reference *r, double reach);
/* Shift of a thumb, in thumb pixels. window: room of (2 reach + 1)^2 numbers. */
nset_peak nset_reference_find(
    const nset_reference *r, const float *thumb, nset_correlator_room *room, float *window, size_t reach);
/* Is it the same number all over? */
bool nset_image_is_flat(const float *image, size_t n);

#endif
