/* Shifts of blocks of a frame: motion that is not the same everywhere.
 *
 * Blocks of 128 pixels that overlap by a third, each correlated with its part of the reference at the place where the
 * frame's rigid shift puts it. A block whose peak hardly stands out shares the correlations of its neighbours, and of
 * theirs; one that still shows nothing moves with the frame. Pachitariu et al. 2016 (Suite2p); Pnevmatikakis &
 * Giovannucci 2017 (NoRMCorre).
 */
#ifndef NSET_IMAGING_MOTION_BLOCKS_H
#define NSET_IMAGING_MOTION_BLOCKS_H

#include "imaging/reference.h"

typedef struct nset_blocks {
    size_t rows, columns; /* of the grid */
    size_t height, width; /* of a block, thumb pixels */
    size_t *row, *column; /* (rows), (columns) first pixel of each in the thumb; owned */
    nset_correlator correlator;
    fftwf_complex *spectrum; /* (rows, columns, bins) of the reference; owned */
    float *mean;             /* (rows, columns) of the reference; owned */
} nset_blocks;

/* Room of one thread. */
typedef struct nset_blocks_room {
    nset_correlator_room correlator;
    float *window[2]; /* (rows, columns, side, side) each */
} nset_blocks_room;

/* Errors: NSET_ERR_NOMEM, NSET_ERR_NUMERIC. */
nset_status nset_blocks_init(nset_blocks *b, const nset_reference *r, nset_error *err);
void nset_blocks_fini(nset_blocks *b); /* of zeros is legal */
nset_status nset_blocks_room_init(nset_blocks_room *room, const nset_blocks *b, nset_error *err);
void nset_blocks_room_fini(nset_blocks_room *room);

/* shift (rows, columns, 2) := of each block, the frame's rigid shift included; all in thumb pixels. */
void nset_blocks_find(const nset_blocks *b, const nset_reference *r, float *shift, const float *thumb,
    const double rigid[2], nset_blocks_room *room);

#endif
