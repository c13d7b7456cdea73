/* What the stages of a segmentation leave (results/stages.h): shifts, masks, traces. */
#ifndef NSET_IMAGING_STAGE_FILES_H
#define NSET_IMAGING_STAGE_FILES_H

#include "imaging/masks.h"
#include "imaging/motion.h"
#include "imaging/traces.h"
#include "results/state.h"

/* what: nset_motion. A take holds each count against the frames and pixels that what->n_frames, height and width say,
 * which are the caller's to fill. */
void nset_motion_put(nset_state_out *to, const void *what);
nset_status nset_motion_take(void *what, nset_state_in *from, nset_error *err);

/* What was found in a movie of n_frames of height x width pixels, the three given before it is taken. */
typedef struct nset_found {
    size_t n_frames, height, width;
    nset_masks *masks, *rejected; /* owned; rejected may be NULL */
    double diameter;              /* of a cell, pixels: given or estimated */
    nset_maps *summary;           /* owned; of at most as many maps as names */
    const char *const *names;     /* NULL ends them */
} nset_found;

void nset_found_put(nset_state_out *to, const void *what);
nset_status nset_found_take(void *what, nset_state_in *from, nset_error *err);
void nset_found_fini(nset_found *f); /* of zeros is legal */

/* Traces, and what they tell of the masks, which are there already. */
typedef struct nset_traced {
    nset_traces *traces; /* owned */
    nset_masks *masks;   /* borrowed */
    size_t n_frames;
} nset_traced;

void nset_traced_put(nset_state_out *to, const void *what);
nset_status nset_traced_take(void *what, nset_state_in *from, nset_error *err);

#endif
