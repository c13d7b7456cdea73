/* What the user named, looked at once: files in their order and the first one's first bytes. */
#ifndef NSET_IMAGING_MOVIE_INPUT_H
#define NSET_IMAGING_MOVIE_INPUT_H

#include "imaging/layout.h"

/* A folder becomes its TIFF files in natural order: frame2 before frame10; files of no bytes, hidden ones and those of
 * other names are left out, with a line in warnings (an array) where that may surprise. Errors: NSET_ERR_FORMAT. */
nset_status nset_movie_input_init(nset_movie_input *in, const char *const *paths, size_t n,
    const nset_movie_options *options, json_t *warnings, nset_error *err);
void nset_movie_input_fini(nset_movie_input *in);

bool nset_has_tiff_name(const char *path);
bool nset_path_ends(const char *path, const char *ending); /* ".h5"; case does not count */

/* -1, 0, 1: runs of digits compare as numbers, all else by bytes. */
int nset_natural_order(const char *a, const char *b);

#endif
