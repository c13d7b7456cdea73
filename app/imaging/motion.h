/* Motion: how far each frame has moved against a reference, as a whole or in blocks, and the movie put right.
 *
 * The reference comes from a sample of frames (imaging/reference.h). Each frame's rigid shift is the peak of its
 * whitened correlation with the reference; with blocks each part of it has a shift of its own
 * (imaging/motion_blocks.h). Nothing depends on the frames before or after, so a movie in another order has the same
 * shifts.
 */
#ifndef NSET_IMAGING_MOTION_H
#define NSET_IMAGING_MOTION_H

#include <stdbool.h>
#include <neuroset/workers.h>
#include "imaging/movie.h"
#include "imaging/reference.h"

/* Measures that need no truth, over the frames that are kept. Suite2p's registration metrics. */
typedef struct nset_motion_quality {
    double correlation_before, correlation_after; /* mean of frames' correlations with the reference */
    double crispness_before, crispness_after;     /* root mean square gradient of the mean image, counts a pixel */
    double residual_px; /* largest shift between frames low and high along a main component of what is left */
} nset_motion_quality;

typedef struct nset_motion {
    size_t n_frames, height, width;
    double (*shift)[2];      /* (n_frames) rows and columns the frame has moved; owned */
    unsigned char *left_out; /* (n_frames) NSET_LEFT_NOT or why a frame is left out; owned */
    unsigned char *valid;    /* (n_frames) 1: kept; owned */
    size_t rows, columns;    /* of blocks, 0: rigid */
    double *row, *column;    /* (rows), (columns) middle of each block, pixels; owned */
    float *block;            /* (n_frames, rows, columns, 2) shift of each block, the rigid one included; owned */
    int line_offset;         /* columns by which odd rows lie to the right of even ones */
    float *fill;             /* (height, width) mean of the sample put right: what moves in from outside; owned */
    bool still;              /* frames move less than can be told: shifts are 0, only lines are put right */
    bool unclear;            /* still because frames show nothing that could be registered */
    nset_motion_quality quality;
} nset_motion;

typedef struct nset_motion_options {
    double reach; /* largest shift in pixels, 0: a tenth of the smaller side */
    bool blocks;
} nset_motion_options;

/* Estimates all shifts. The same bytes for any number of threads, and for any order of the frames but for the order of
 * the shifts. Errors: the movie's, NSET_ERR_NOMEM, NSET_ERR_CANCELLED. */
nset_status nset_motion_estimate(
    nset_motion *out, nset_movie *movie, const nset_motion_options *o, nset_workers *workers, nset_error *err);
void nset_motion_fini(nset_motion *m); /* of zeros is legal */
size_t nset_motion_bytes(const nset_motion *m);
/* Does the movie need nset_motion_open? */
bool nset_motion_changes(const nset_motion *m);

/* The movie with each frame moved back, bilinear; takes movie, borrows motion. Several threads may read it where they
 * may read movie. */
nset_status nset_motion_open(nset_movie **out, nset_movie *movie, const nset_motion *motion, nset_error *err);
/* to := frame put right as frame index of the movie; frame is changed (its lines). room: nset_motion_room numbers. */
void nset_motion_apply(const nset_motion *m, float *to, float *frame, int64_t index, float *room);
size_t nset_motion_room(const nset_motion *m);

#endif
