/* The header of a NumPy file: a dictionary of Python, parsed, never executed. */
#ifndef NSET_RESULTS_NPY_HEADER_H
#define NSET_RESULTS_NPY_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <neuroset/error.h>

enum { NSET_NPY_AXES = 8 };

typedef struct nset_npy_header {
    char descr[16]; /* as written: "<i2" */
    bool fortran;
    size_t n_axes;
    int64_t shape[NSET_NPY_AXES];
    int64_t data; /* byte at which the numbers begin */
} nset_npy_header;

/* Errors: NSET_ERR_FORMAT with the path and what is wrong, NSET_ERR_NOMEM. */
nset_status nset_npy_header_read(nset_npy_header *h, const char *path, nset_error *err);

/* dtype (12 bytes or more) := the readers' name of the array's type. Errors: NSET_ERR_FORMAT for others. */
nset_status nset_npy_dtype(char *dtype, bool *big_endian, const nset_npy_header *h, const char *path, nset_error *err);

#endif
