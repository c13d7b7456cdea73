/* Training of the sorter's event network on our own simulator.
 *
 * Recordings of seeds nobody else uses are simulated, whitened, their events labelled (train_events.h). A step takes
 * events around random places of random recordings, so that the units an event is told from are its neighbours:
 * contrast of the embedding (event_loss.h), cross-entropy of is-a-spike with noise and hash as negatives, error of the
 * position; channels are dropped at random. The same seed gives the same bytes at any number of threads, and a
 * training that was stopped goes on with the same bytes from its checkpoint.
 */
#ifndef NSET_EPHYS_TRAIN_SORTER_H
#define NSET_EPHYS_TRAIN_SORTER_H

#include <stdbool.h>
#include <stdint.h>
#include <neuroset/error.h>
#include <neuroset/workers.h>

typedef struct nset_train_sorter_options {
    const char *out; /* the model; out + ".checkpoint" while it trains, out's name + ".json" is its card */
    bool resume;     /* go on from the checkpoint, if there is one */
    uint64_t seed;
    long steps, recordings; /* recordings that are simulated */
    double seconds;         /* of each */
    double rate;            /* of learning, at its peak */
    long checkpoint_every;  /* steps */
    long stop_after;        /* steps after which to leave the checkpoint and return; 0: never */
} nset_train_sorter_options;

#define NSET_TRAIN_SORTER_INIT                                                                                         \
    {                                                                                                                  \
        .seed = 1, .steps = 5000, .recordings = 60, .seconds = 12, .rate = 2e-3, .checkpoint_every = 500               \
    }

/* Errors: NSET_ERR_IO, NSET_ERR_FORMAT (a checkpoint of another network), NSET_ERR_NOMEM, NSET_ERR_CANCELLED (the
 * checkpoint is kept). */
nset_status nset_train_sorter(const nset_train_sorter_options *options, nset_workers *workers, nset_error *err);

#endif
