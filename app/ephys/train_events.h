/* Events for training the sorter's network: a simulated recording, whitened by the sorter's own chain, its detected
 * events and which unit's spike each is. */
#ifndef NSET_EPHYS_TRAIN_EVENTS_H
#define NSET_EPHYS_TRAIN_EVENTS_H

#include <stddef.h>
#include <stdint.h>
#include <neuroset/error.h>
#include <neuroset/workers.h>
#include "ephys/simulate.h"

typedef struct nset_train_events {
    size_t n_events, n_units;
    int64_t *offsets; /* (n_events + 1); owned, as all below */
    float *tokens;    /* (offsets[n_events], NSET_TOKEN) */
    int32_t *unit;    /* (n_events) -1: a spike of no unit (noise, hash) */
    float *target;    /* (n_events, 2) um from the peak contact to the unit; 0 without one */
    double *place;    /* (n_events, 2) um of the peak contact */
} nset_train_events;

/* Whitens a recording, detects as the sorter does, and labels. At most max_events are kept, drawn evenly by the
 * recording's seed. Errors: NSET_ERR_NOMEM, NSET_ERR_CANCELLED. */
nset_status nset_train_events_make(
    nset_train_events *out, const nset_sim *sim, size_t max_events, nset_workers *workers, nset_error *err);
void nset_train_events_fini(nset_train_events *e);

#endif
