/* Scores of a trained event network on recordings it never saw, and its files. Included by the training only. */
#ifndef NSET_EPHYS_TRAIN_CARD_H
#define NSET_EPHYS_TRAIN_CARD_H

#include <neuroset/net.h>
#include "ephys/train_events.h"
#include "ephys/train_sorter.h"

typedef struct train_scores {
    size_t n_events, n_spikes;
    double neighbours;  /* share of spikes that most of their 7 nearest events of units in the recording, by embedding
                           among events near by, share the unit of */
    double spike_right; /* share of events with the right sign of the logit, mean over spikes and others */
    double within;      /* root mean square deviation from the unit's mean, per dimension */
    double position_um; /* median distance of the position from the truth */
} train_scores;

nset_status train_score(train_scores *s, nset_net *net, const nset_train_events *set, size_t n_sets,
    nset_workers *workers, nset_error *err);

/* Writes the model and the card beside it (NAME.json for NAME.safetensors). Errors: NSET_ERR_IO, NSET_ERR_NOMEM. */
nset_status train_save(nset_net *net, const nset_train_sorter_options *o, const train_scores *scores,
    double seconds_taken, nset_error *err);

#endif
