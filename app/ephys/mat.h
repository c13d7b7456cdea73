/* Numeric arrays of MATLAB files: version 5 (compressed or not) and version 7.3 (HDF5). */
#ifndef NSET_EPHYS_MAT_H
#define NSET_EPHYS_MAT_H

#include <stddef.h>
#include <neuroset/error.h>

typedef struct nset_mat_array {
    const char *name; /* of the variable, given */
    double *x;        /* (n) in MATLAB's order; owned; NULL: the file has no numeric array of this name */
    size_t n;
} nset_mat_array;

/* Fills the arrays that the file holds; variables of other names or kinds are passed over. An array holds at most a
 * million numbers. Errors: NSET_ERR_FORMAT naming file and place; NSET_ERR_NOMEM. arrays are released on error. */
nset_status nset_mat_read(nset_mat_array *arrays, size_t n_arrays, const char *path, nset_error *err);
void nset_mat_release(nset_mat_array *arrays, size_t n_arrays);

/* The same for a file that is HDF5. */
nset_status nset_mat_read_hdf5(nset_mat_array *arrays, size_t n_arrays, const char *path, nset_error *err);

#endif
