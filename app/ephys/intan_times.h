/* The counts of samples that Intan writes beside its samples: where they jump, the recorder missed something. */
#ifndef NSET_EPHYS_INTAN_TIMES_H
#define NSET_EPHYS_INTAN_TIMES_H

#include "ephys/layout.h"

typedef struct nset_intan_times {
    const char *path;
    int64_t offset;              /* of the first block */
    size_t n_block, block_bytes; /* counts at the start of a block, and the way to the next block */
    bool is_unsigned;
    int64_t n; /* counts there are */
} nset_intan_times;

/* What the counts of the stretches before ended with. */
typedef struct nset_intan_clock {
    bool runs;
    int64_t next; /* the count that follows */
} nset_intan_clock;

/* Adds a gap to l wherever a count does not follow the one before; the first of these samples is sample first of the
 * recording. Sets l->start_s when first is 0. l->rate_hz must be known. Errors: NSET_ERR_FORMAT, NSET_ERR_NOMEM. */
nset_status nset_intan_times_follow(
    nset_intan_clock *clock, nset_layout *l, const nset_intan_times *t, int64_t first, nset_error *err);

#endif
