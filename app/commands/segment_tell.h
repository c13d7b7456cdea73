/* What a segmentation says of its frames: in run.json and to the user. */
#ifndef NSET_COMMANDS_SEGMENT_TELL_H
#define NSET_COMMANDS_SEGMENT_TELL_H

#include <jansson.h>
#include "imaging/motion.h"
#include "results/run.h"

/* found gets "motion": still, largest shift, line offset, blocks, and the quality measures. */
void nset_segment_tell_motion(const nset_motion *m, nset_run_folder *folder, json_t *found);
/* found gets "frames_left_out" and the first of them by reason; left_out (n_frames) as in imaging/reference.h. */
void nset_segment_tell_left_out(
    const unsigned char *left_out, int64_t n_frames, nset_run_folder *folder, json_t *found);

#endif
