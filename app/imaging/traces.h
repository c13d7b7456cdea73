/* Traces of cells: what each mask's light did over the movie.
 *
 * One pass over the frames gives the weighted mean of each mask and the mean of a ring around it. Then, cell by cell:
 * the share of the ring's light that is also in the mask is taken off (neuropil: light from above and below), masks
 * that overlap are unmixed, a slow baseline F0 is drawn, dF/F = (F - F0) / F0, and events come from a decay model
 * (imaging/oasis.h). The result does not depend on the number of threads; raw, neuropil and corrected of frames in
 * another order are the same in that order. (dF/F, events and noise look at neighbours in time.)
 */
#ifndef NSET_IMAGING_TRACES_H
#define NSET_IMAGING_TRACES_H

#include <stdbool.h>
#include <stddef.h>
#include <neuroset/error.h>
#include <neuroset/workers.h>

#include "imaging/masks.h"
#include "imaging/movie.h"

enum {
    NSET_TRACE_NO_RING = 1,    /* no free pixel around: nothing was taken off */
    NSET_TRACE_SMALL_RING = 2, /* fewer than NSET_RING_FEW pixels in it */
    NSET_TRACE_UNMIXED = 4,    /* overlaps other masks */
    NSET_TRACE_FLOOR = 8,      /* F0 was raised to its floor somewhere: dF/F is a lower bound there */
    NSET_TRACE_CONSTANT = 16,  /* does not vary: no noise level, no events */
};

typedef struct nset_traces {
    size_t n_rois, n_frames;
    double rate_hz;   /* as given, 0: not known */
    float *raw;       /* (n_rois, n_frames) weighted mean of the mask, counts */
    float *neuropil;  /* (n_rois, n_frames) mean of the ring, counts; 0 without one */
    float *corrected; /* (n_rois, n_frames) raw - share neuropil, unmixed */
    float *dff;       /* (n_rois, n_frames) */
    float *fit;       /* (n_rois, n_frames) dF/F without its noise: what the events add up to, on their baseline */
    float *events;    /* (n_rois, n_frames) rise of the fitted activity at each frame, in dF/F; >= 0 */
    float *share;     /* (n_rois) of the ring's light that was taken off */
    float *noise;     /* (n_rois) standard deviation of the noise in dF/F */
    float *decay_s;   /* (n_rois) time constant used for the events */
    unsigned *flags;  /* (n_rois) NSET_TRACE_... */
} nset_traces;

typedef struct nset_trace_options {
    double rate_hz;    /* 0: not known, 10 is assumed */
    double decay_s;    /* of the indicator; 0: estimated in each trace (imaging/baseline.h) */
    double rise_s;     /* the same; 0: at once, and events are of first order */
    bool common_share; /* take off .7 of each ring, not each cell's own share (imaging/neuropil.h) */
} nset_trace_options;

/* Reads movie from its first frame to its last. Pixels that are not finite are left out of their frame's means. Fills
 * snr and stability of each ROI: the 99th percentile of dF/F above its median over the noise; the correlation of the
 * traces of two interleaved halves of its pixels, each less its own half of the ring (NaN where there is none). Errors:
 * NSET_ERR_ARG (a mask outside of the frame), NSET_ERR_NOMEM, and the movie's.
 */
nset_status nset_traces_make(nset_traces **out, nset_movie *movie, nset_masks *masks, const nset_trace_options *o,
    nset_workers *workers, nset_error *err);
void nset_traces_free(nset_traces *t); /* NULL is legal */

#endif
