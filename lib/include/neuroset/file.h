/* Files that appear whole or not at all. */
#ifndef NEUROSET_FILE_H
#define NEUROSET_FILE_H

#include <stdio.h>
#include <neuroset/error.h>

typedef struct nset_atomic_file nset_atomic_file;

/* Opens path.tmp for writing. Errors: NSET_ERR_IO (path and the system's words), NSET_ERR_NOMEM. */
NSET_API NSET_MUST_CHECK nset_status nset_atomic_open(nset_atomic_file **out, const char *path, nset_error *err);
NSET_API FILE *nset_atomic_stream(nset_atomic_file *file);

/* Flushes, syncs, renames; frees file in any case. A write error of the stream is reported here at the latest. */
NSET_API NSET_MUST_CHECK nset_status nset_atomic_commit(nset_atomic_file *file, nset_error *err);

/* Removes what was written and frees file; NULL is legal. */
NSET_API void nset_atomic_abort(nset_atomic_file *file);

#endif
