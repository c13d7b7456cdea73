/* NumPy files: npy and npz (zip of npy), written so that the same arrays give the same bytes. */
#ifndef NSET_RESULTS_NPZ_H
#define NSET_RESULTS_NPZ_H

#include <stddef.h>
#include <stdint.h>
#include <neuroset/error.h>

/* descr as NumPy spells it: "<f4", "<f8", "<i4", "<i8", "<u4", "|u1", "<U16" (4 bytes a letter). */
typedef struct nset_array {
    const char *name; /* inside an npz, without .npy */
    const char *descr;
    size_t rank, shape[4];
    const void *data; /* row-major */
} nset_array;

nset_status nset_npy_write(const char *path, const nset_array *a, nset_error *err);
/* out := the header of an npy that a's numbers follow, for arrays that are written bit by bit; returns its length. */
size_t nset_npy_header(char *out, size_t room, const nset_array *a);
nset_status nset_npz_write(const char *path, const nset_array *arrays, size_t n, nset_error *err);

/* Reading: every array of an npz, or the one of an npy, checked against the file's length. */
typedef struct nset_npz nset_npz;
nset_status nset_npz_open(nset_npz **out, const char *path, nset_error *err);
/* The array of that name converted to int64 or double, n numbers in n; NULL when there is none. Owned by z. */
const int64_t *nset_npz_i64(nset_npz *z, const char *name, size_t *n);
const double *nset_npz_f64(nset_npz *z, const char *name, size_t *n);
/* Its rank and shape (4); 0 when there is none. */
size_t nset_npz_shape(const nset_npz *z, const char *name, size_t shape[4]);
void nset_npz_close(nset_npz *z);

#endif
