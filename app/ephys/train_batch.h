/* The events of one training step, as the network takes them. Included by the training only. */
#ifndef NSET_EPHYS_TRAIN_BATCH_H
#define NSET_EPHYS_TRAIN_BATCH_H

#include <neuroset/net.h>
#include "ephys/train_events.h"

enum { TRAIN_MAX_LOCALES = 4 };

typedef struct train_batch {
    size_t n_events, n_tokens, n_locales;
    size_t locale[TRAIN_MAX_LOCALES + 1]; /* first event of each */
    size_t n_labels[TRAIN_MAX_LOCALES];
    int64_t *offsets; /* (n_events + 1); owned, as all below */
    float *tokens;
    nset_real *spread, *other;         /* inputs of the network */
    int32_t *label;                    /* (n_events) unit of its recording, or -1 */
    nset_real *is_spike;               /* (n_events) 0 or 1 */
    nset_real *target, *target_weight; /* (n_events, 2) place / NSET_EVENT_PLACE_UM */
    nset_real *dz, *dspike, *dplace;   /* gradients at the outputs */
    size_t token_capacity, spread_capacity, other_capacity;
} train_batch;

/* Draws step's events: for each of n_locales, a recording and a labelled event of it, and of the events whose peak
 * contact is near that one's up to so many a unit and of no unit. Depends on seed and step only. Zero-initialise batch
 * before the first call. Errors: NSET_ERR_NOMEM. */
nset_status train_batch_draw(train_batch *b, const nset_train_events *set, size_t n_sets, uint64_t seed, uint64_t step,
    size_t n_locales, nset_error *err);
void train_batch_fini(train_batch *b);

#endif
