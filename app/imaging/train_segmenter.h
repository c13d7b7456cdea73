/* Training of the segmenter's network: `neuroset train segmenter`. */
#ifndef NSET_IMAGING_TRAIN_SEGMENTER_H
#define NSET_IMAGING_TRAIN_SEGMENTER_H

#include <stdbool.h>
#include <stdint.h>
#include <neuroset/workers.h>

typedef struct nset_train_segmenter_options {
    const char *out;       /* model file; its card stands beside it as NAME.json */
    const char *labelled;  /* folders of labelled summary images, separated by commas; NULL: simulated movies only */
    const char *keep_back; /* names of fields left out for choosing the threshold, separated by commas; or NULL */
    uint64_t seed;
    long steps, simulated, checkpoint_every;
    bool resume;
} nset_train_segmenter_options;

/* Deterministic for a seed at any number of threads. Errors: NSET_ERR_FORMAT, NSET_ERR_IO, NSET_ERR_NOMEM,
 * NSET_ERR_CANCELLED (a checkpoint OUT.checkpoint is left to resume from). */
nset_status nset_train_segmenter(const nset_train_segmenter_options *o, nset_workers *workers, nset_error *err);

#endif
