/* Stages of a run, each of which leaves a file (results/state.h): a later run of the same goes on after the last that
 * is whole. */
#ifndef NSET_RESULTS_STAGES_H
#define NSET_RESULTS_STAGES_H

#include <stdbool.h>
#include "results/state.h"

typedef struct nset_stages {
    const char *work; /* start of the files' paths (results/run.h); NULL: nothing is left, nothing is found */
    bool fresh;       /* a stage was made: what later ones left is made again too */
} nset_stages;

/* What a stage holds, to a file and back. take fills what of zeros, and leaves it so when it fails. */
typedef void (*nset_stage_put)(nset_state_out *to, const void *what);
typedef nset_status (*nset_stage_take)(void *what, nset_state_in *from, nset_error *err);

/* Did an earlier run leave this stage, and is it in what now? That it is, or that its file is damaged, is told. */
bool nset_stages_take(nset_stages *s, const char *name, nset_stage_take take, void *what);
/* Leaves the stage, which was made. Errors: NSET_ERR_IO, NSET_ERR_NOMEM. */
nset_status nset_stages_leave(nset_stages *s, const char *name, nset_stage_put put, const void *what, nset_error *err);

#endif
