/* What the parts of the NWB reader share. */
#ifndef NSET_EPHYS_NWB_H
#define NSET_EPHYS_NWB_H

#include "results/h5.h"
#include "ephys/layout.h"

/* *path := the ElectricalSeries of the file that --stream names (a path, or the end of one), or the only one in
 * /acquisition, or the only one; nset_free it. Errors: NSET_ERR_FORMAT with the paths there are. */
nset_status nset_nwb_choose(char **path, hid_t file, const char *file_path, const char *stream, nset_error *err);

/* Rate, start and gaps of a series of n_frames frames, from its starting_time or its timestamps. */
nset_status nset_nwb_times(nset_layout *l, hid_t series, int64_t n_frames, const char *path, nset_error *err);

/* Places of the electrodes, where the table knows them for each column; says so where it does not. */
nset_status nset_nwb_places(nset_layout *l, hid_t file, hid_t series, const char *path, nset_error *err);

/* Frames of a dataset (time), (time, column) or, transposed, (column, time). Takes file and data, on failure too. */
nset_status nset_nwb_frames(
    nset_frames **out, hid_t file, hid_t data, bool transposed, const char *path, nset_error *err);

#endif
