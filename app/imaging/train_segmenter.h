/* Training of the segmenter's network: `neuroset train segmenter`. */
#ifndef NSET_IMAGING_TRAIN_SEGMENTER_H
#define NSET_IMAGING_TRAIN_SEGMENTER_H

#include <stdbool.h>
#include <stdint.h>
#include <neuroset/workers.h>
#include "imaging/fields.h"
#include "imaging/movie.h"

typedef struct nset_train_segmenter_options {
    const char *out;          /* model file; its card stands beside it as NAME.json */
    const char *labelled;     /* folders of labelled summary images, separated by commas; NULL: simulated movies only */
    const char *keep_back;    /* names of fields left out for choosing the threshold, separated by commas; or NULL */
    const char *from;         /* a model to go on from, with movie and labels; or NULL */
    const char *const *movie; /* (n_movie) files of one movie whose cells a person has outlined; or none */
    size_t n_movie;
    nset_movie_options movie_options;
    const char *regions; /* the outlines */
    nset_area area;      /* where the person has looked */
    uint64_t seed;
    long steps, simulated, checkpoint_every;
    bool resume;
} nset_train_segmenter_options;

/* Deterministic for a seed at any number of threads. Errors: NSET_ERR_FORMAT, NSET_ERR_IO, NSET_ERR_NOMEM,
 * NSET_ERR_CANCELLED (a checkpoint OUT.checkpoint is left to resume from). */
nset_status nset_train_segmenter(const nset_train_segmenter_options *o, nset_workers *workers, nset_error *err);

#endif
