/* Formats that are known and not read: said by name, with what to do instead. */
#ifndef NSET_EPHYS_REFUSED_H
#define NSET_EPHYS_REFUSED_H

#include <neuroset/error.h>

/* NSET_ERR_FORMAT when path is Plexon's, Maxwell's, 3Brain's, a Zarr folder, or holds events or spikes without the
 * recording; NSET_OK for all else, files that are not there included. */
nset_status nset_refuse_known(const char *path, nset_error *err);

#endif
