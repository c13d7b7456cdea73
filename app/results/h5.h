/* HDF5, kept quiet: every failure becomes one line of ours. */
#ifndef NSET_RESULTS_H5_H
#define NSET_RESULTS_H5_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <hdf5.h>
#include <neuroset/error.h>

/* What HDF5 prints by itself is switched off for this thread. Called first by whatever enters HDF5. */
void nset_h5_quiet(void);

/* Fails with NSET_ERR_FORMAT: path, what was tried, HDF5's own reason. */
nset_status nset_h5_fail(nset_error *err, const char *path, const char *what);

/* Opens for reading. Errors: NSET_ERR_FORMAT. */
nset_status nset_h5_open(hid_t *file, const char *path, nset_error *err);

bool nset_h5_has(hid_t at, const char *name);

/* An attribute as text (fixed or variable length) or as a number; false when it is missing or of another kind. */
bool nset_h5_text(char *out, size_t room, hid_t object, const char *attribute);
bool nset_h5_number(double *out, hid_t object, const char *attribute);

/* The object that an attribute refers to, to be closed; -1 when it is no single reference or leads nowhere. */
hid_t nset_h5_follow(hid_t object, const char *attribute);

/* Axes of a dataset's or attribute's space: dims (most), -1 when there are more or it is no simple space. */
int nset_h5_shape(hsize_t *dims, int most, hid_t space);

/* *x (*n) := all numbers of a dataset of at most most numbers; nset_free it. Errors: NSET_ERR_FORMAT, NSET_ERR_NOMEM.
 */
nset_status nset_h5_doubles(
    double **x, size_t *n, hid_t at, const char *name, size_t most, const char *path, nset_error *err);

#endif
