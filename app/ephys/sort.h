/* The chain of `neuroset sort`: whitened signal -> events -> set network -> parts -> templates -> matching -> units. */
#ifndef NSET_EPHYS_SORT_H
#define NSET_EPHYS_SORT_H

#include <jansson.h>
#include <stdbool.h>
#include <neuroset/workers.h>
#include "ephys/recording.h"
#include "ephys/sorting.h"

typedef struct nset_sort_options {
    double threshold; /* of detection, noise sd */
    bool reference;   /* subtract the median over channels first */
    size_t memory;    /* bytes buffers may take */
    uint64_t seed;
    const char *model; /* file of the event network */
} nset_sort_options;

/* called after each stage, for run.json. May be NULL. */
typedef void (*nset_sort_stage)(void *ctx, const char *stage, size_t bytes);

/* *out := the sorting; facts (an object) gets what was seen on the way: blanked spans, counts per stage.
 * Errors: NSET_ERR_FORMAT, NSET_ERR_NOMEM, NSET_ERR_CANCELLED. A silent recording has no units; that is no error. */
nset_status nset_sort(nset_sorting **out, json_t *facts, const nset_recording *recording,
    const nset_sort_options *options, nset_workers *workers, nset_sort_stage stage, void *stage_ctx, nset_error *err);

#endif
