/* Pictures that are cheap to read many at a time and dear one by one: whole blocks of frames are kept, a few of them.
 */
#ifndef NSET_IMAGING_BLOCKS_H
#define NSET_IMAGING_BLOCKS_H

#include "imaging/layout.h"

typedef struct nset_block_source nset_block_source;
struct nset_block_source { /* first member of each kind of them; called by one thread at a time */
    size_t height, width;
    int64_t n_frames;
    size_t n_series; /* channels x planes; picture index = frame * n_series + series */
    int64_t at_once; /* frames that are best read together, 1: any number */
    /* to (n, height, width) := frames first .. first + n - 1 of a series. */
    nset_status (*fetch)(nset_block_source *self, float *to, size_t series, int64_t first, int64_t n, nset_error *err);
    void (*close)(nset_block_source *self);
};

/* Takes the source, on failure too. */
nset_status nset_blocks_open(nset_pictures **out, nset_block_source *source, nset_error *err);

#endif
