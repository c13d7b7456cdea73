/* The time that the channels of a Neuralynx recording have in common.
 *
 * Each channel has files of its own, which may begin, pause and end at other times: the parts that all channels hold
 * are the recording, whatever lies beside them is left out.
 */
#ifndef NSET_EPHYS_NCS_JOIN_H
#define NSET_EPHYS_NCS_JOIN_H

#include "ephys/ncs_file.h"

/* Where a channel's samples of a part lie: skip samples after the start of a record. */
typedef struct nset_ncs_place {
    size_t file;
    int64_t record, skip;
} nset_ncs_place;

typedef struct nset_ncs_part {
    int64_t first, n; /* samples of the recording */
    double start_us;
} nset_ncs_part;

typedef struct nset_ncs_join {
    nset_ncs_part *part; /* owned */
    size_t n_parts, n_channels;
    nset_ncs_place *place; /* (n_parts, n_channels), owned */
    int64_t n_samples;
    int64_t n_left_out; /* samples that only some channels have: the most of any channel */
} nset_ncs_join;

/* Channel c has files first_file[c] .. first_file[c + 1] - 1, each later than the one before. Fini in every case.
 * Errors: NSET_ERR_FORMAT where clocks go back and channels differ, or nothing is common; NSET_ERR_NOMEM. */
nset_status nset_ncs_join_make(nset_ncs_join *j, const nset_ncs *files, const size_t *first_file, size_t n_channels,
    double rate_hz, nset_error *err);
void nset_ncs_join_fini(nset_ncs_join *j);

#endif
