/* Rigid motion by whitened phase correlation.
 *
 * The reference is the mean of a spread of frames, registered to their own mean twice. Each frame's shift is the peak
 * of its cross-correlation with the reference, whitened, smoothed by a Gaussian, refined by a parabola along each axis.
 * Guizar-Sicairos et al. 2008 and Pachitariu et al. 2016 for the method's two halves.
 */
#ifndef NSET_IMAGING_MOTION_H
#define NSET_IMAGING_MOTION_H

#include <stdbool.h>
#include <neuroset/workers.h>
#include "imaging/movie.h"

typedef struct nset_motion {
    size_t n_frames;
    double (*shift)[2];   /* (n_frames) rows and columns the frame has moved; owned */
    unsigned char *valid; /* (n_frames) 0: a jump further than the reach, or nothing to see; owned */
    bool still;           /* no frame of the spread moves by half a pixel: shifts are 0, nothing is corrected */
} nset_motion;

/* Estimates all shifts in one pass over the movie; reach: largest shift in pixels, 0: a tenth of the smaller side.
 * Errors: NSET_ERR_FORMAT, NSET_ERR_NOMEM, NSET_ERR_CANCELLED. */
nset_status nset_motion_estimate(
    nset_motion *out, nset_movie *movie, double reach, nset_workers *workers, nset_error *err);
void nset_motion_fini(nset_motion *m);

/* A movie of the frames moved back, bilinear; pixels from outside repeat the edge. movie is owned by the new one when
 * that is made, motion is used. */
nset_status nset_motion_open(nset_movie **out, nset_movie *movie, const nset_motion *motion, nset_error *err);

#endif
