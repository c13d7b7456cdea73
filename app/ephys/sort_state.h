/* What a stage of sorting leaves, as a file: from it the next stage goes on as if there had been no pause.
 *
 * A mark of its kind, counts, trains, templates (the channels that are not zero), matches and the facts as JSON, in a
 * file of results/state.h.
 */
#ifndef NSET_EPHYS_SORT_STATE_H
#define NSET_EPHYS_SORT_STATE_H

#include <jansson.h>
#include <neuroset/error.h>
#include "ephys/match.h"
#include "ephys/templates.h"

typedef struct nset_sort_state { /* borrowed from the chain */
    nset_trains *trains;
    nset_templates *templates;
    nset_matches *matches;
    json_t *facts; /* object */
} nset_sort_state;

/* Errors: NSET_ERR_IO, NSET_ERR_NOMEM. */
nset_status nset_sort_state_write(const char *path, const nset_sort_state *s, nset_error *err);

/* The recording that a state must fit: each index and sample in it is held against these. */
typedef struct nset_sort_frame {
    size_t n_channels;
    int64_t n_samples;
    double rate_hz;
} nset_sort_frame;

/* Trains, templates and matches of s, empty before, are filled, and the facts get those of the file. A file that is
 * cut, changed or of another recording: NSET_ERR_FORMAT, and s is as before. Others: NSET_ERR_IO, NSET_ERR_NOMEM. */
nset_status nset_sort_state_read(const char *path, const nset_sort_frame *frame, nset_sort_state *s, nset_error *err);

#endif
