/* The folder in which a result is made, beside its place: one name, so that a run finds what another left, and a lock,
 * so that two never make the same. The system lets go of the lock when a process ends, however it ends. Where the file
 * system knows no locks there is none. */
#ifndef NSET_RESULTS_PART_H
#define NSET_RESULTS_PART_H

#include <stdbool.h>
#include <neuroset/error.h>

#define NSET_PART_SUFFIX ".tmp-neuroset"
#define NSET_PART_WORK ".work" /* in it: what stages leave */

/* Makes the folder, or takes the one that a run left; *fd holds the lock, for nset_part_release. Errors: NSET_ERR_ARG
 * when another run is at it, or when what is there is of no run; NSET_ERR_IO. */
nset_status nset_part_claim(int *fd, const char *path, nset_error *err);
void nset_part_release(int fd); /* -1 is legal */
/* Empties it, but for what stages left if keep_work. */
void nset_part_empty(const char *path, bool keep_work);
/* Of the files that stages left, takes away those that were not ready (.tmp) and those whose names do not start with
 * key; *kept, *dropped: how many ready ones. */
void nset_part_sift(const char *path, const char *key, size_t *kept, size_t *dropped);
void nset_part_remove_tree(const char *path);

#endif
