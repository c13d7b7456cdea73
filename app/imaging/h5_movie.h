/* A dataset of an HDF5 file as pictures. */
#ifndef NSET_IMAGING_H5_MOVIE_H
#define NSET_IMAGING_H5_MOVIE_H

#include "imaging/layout.h"
#include "results/h5.h"

enum { NSET_H5_AXES = 5 };

/* Which axis of the dataset is which; -1: it has none such. */
typedef struct nset_h5_axes {
    int t, z, c, y, x;
} nset_h5_axes;

/* Is it a dataset of numbers of 3 to 5 axes? */
bool nset_h5_is_movie(hid_t data);

/* l's pictures := the dataset, its frames, planes and channels; takes file and data, on failure too.
 * Errors: NSET_ERR_FORMAT (a filter that libhdf5 has not, its number and what to do; data kept in other files; types),
 * NSET_ERR_NOMEM. */
nset_status nset_h5_movie(
    nset_movie_layout *l, hid_t file, hid_t data, const nset_h5_axes *axes, const char *path, nset_error *err);

#endif
