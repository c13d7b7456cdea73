/* Frames whose channels lie apart, in blocks or in files of their own: a stretch of all channels is read at a time, and
 * kept.
 */
#ifndef NSET_EPHYS_COLUMNS_H
#define NSET_EPHYS_COLUMNS_H

#include "ephys/layout.h"

typedef struct nset_columns nset_columns;

struct nset_columns { /* first member of the reader's own struct */
    nset_frames base; /* close is the reader's, and calls nset_columns_fini */
    double bias;      /* added to each count: 32768 for unsigned ones, which are kept less that */
    /* block (n, n_columns) := counts of samples start .. start + n - 1, all inside the recording. */
    nset_status (*fill)(nset_columns *self, int16_t *block, int64_t start, size_t n, nset_error *err);
    int16_t *block; /* (n_block, n_columns) counts from sample start on; owned */
    int64_t start;
    size_t n_block;
};

/* Sets base.read. base.n_frames and base.n_columns are the reader's to set before the first read. */
void nset_columns_init(nset_columns *c);
void nset_columns_fini(nset_columns *c);

#endif
