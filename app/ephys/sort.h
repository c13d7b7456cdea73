/* The chain of `neuroset sort`: whitened signal -> events -> set network -> parts -> templates -> matching -> units. */
#ifndef NSET_EPHYS_SORT_H
#define NSET_EPHYS_SORT_H

#include <jansson.h>
#include <stdbool.h>
#include <neuroset/workers.h>
#include "ephys/recording.h"
#include "ephys/sorting.h"
#include "ephys/whiten.h"

/* What follows the sorting while the whitened signal is still at hand; segments (n) are an even spread of it. */
typedef nset_status (*nset_sort_after)(void *ctx, const nset_sorting *s, const nset_probe *probe, nset_whitened *w,
    const int64_t *segments, size_t n, nset_error *err);

typedef struct nset_sort_options {
    double threshold; /* of detection, noise sd */
    bool reference;   /* subtract the median over channels first */
    bool drift;       /* link units that the probe's movement has split */
    size_t memory;    /* bytes buffers may take */
    uint64_t seed;
    const char *model;     /* file of the event network */
    const char *work;      /* start of the paths of what steps leave, and are gone on from; NULL: they leave nothing */
    nset_sort_after after; /* may be NULL */
    void *after_ctx;
} nset_sort_options;

/* called after each stage, for run.json. May be NULL. */
typedef void (*nset_sort_stage)(void *ctx, const char *stage, size_t bytes);

/* *out := the sorting; facts (an object) gets what was seen on the way: blanked spans, counts per stage.
 * Errors: NSET_ERR_FORMAT, NSET_ERR_NOMEM, NSET_ERR_CANCELLED. A silent recording has no units; that is no error. */
nset_status nset_sort(nset_sorting **out, json_t *facts, const nset_recording *recording,
    const nset_sort_options *options, nset_workers *workers, nset_sort_stage stage, void *stage_ctx, nset_error *err);

#endif
