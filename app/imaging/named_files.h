/* Frames that an index names file by file. */
#ifndef NSET_IMAGING_NAMED_FILES_H
#define NSET_IMAGING_NAMED_FILES_H

#include "imaging/layout.h"

typedef struct nset_named_file { /* first member of an index's entry */
    char *name;                  /* base name; owned by the entry */
    int64_t first, n_pages;      /* set on opening: its pages, n_pages 0: it is not there */
} nset_named_file;

/* name (n) := what stands behind the last / or \ of path. */
void nset_base_name(char *name, size_t n, const char *path);

/* Opens each named file once, in the order of names, in the folder of path and nowhere else; a file that is not there
 * is a warning. index: what named it. *n_opened: how many are there. Errors: NSET_ERR_FORMAT, NSET_ERR_NOMEM. */
nset_status nset_open_named(nset_movie_layout *l, nset_named_file **list, size_t n, const char *path, const char *index,
    size_t *n_opened, nset_error *err);

/* Keeps of (n_frames, each) pictures, -1 where there is none, the frames that have all; the others are a warning.
 * Errors: NSET_ERR_FORMAT when the movie has other channels or planes already, NSET_ERR_NOMEM. */
nset_status nset_keep_whole(nset_movie_layout *l, const int64_t *at, int64_t n_frames, size_t n_planes,
    size_t n_channels, const char *path, const char *index, nset_error *err);

#endif
