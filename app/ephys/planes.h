/* Frames of a file that holds channel after channel: all samples of the first, then all of the second. */
#ifndef NSET_EPHYS_PLANES_H
#define NSET_EPHYS_PLANES_H

#include "ephys/layout.h"

/* l->frames := the planes of l->data_path from byte l->header_bytes on, l->n_columns of them, n_frames samples each, of
 * l->dtype and byte order. Errors: NSET_ERR_FORMAT when the file is shorter than that, NSET_ERR_NOMEM. */
nset_status nset_planes_open(nset_layout *l, int64_t n_frames, nset_error *err);

/* out[k * stride] := the number at bytes + k * size of dtype, for n of them. */
void nset_samples_decode(double *out, size_t stride, const char *bytes, size_t n, const char *dtype, bool big_endian);

#endif
