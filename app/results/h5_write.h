/* Writing HDF5 for NWB: the first failure is kept and everything after it does nothing, so that a writer reads as the
 * list of what it writes.
 *
 * The same calls give the same bytes: no times are tracked, and the identifiers that NWB asks of its objects follow
 * from a seed and the object's path.
 */
#ifndef NSET_RESULTS_H5_WRITE_H
#define NSET_RESULTS_H5_WRITE_H

#include "results/h5.h"

typedef struct nset_h5_writer {
    hid_t file, text; /* text: type of UTF-8 strings */
    hid_t dataset_plist, group_plist;
    const char *path; /* borrowed */
    uint64_t seed[2];
    nset_status status;
    nset_error *err;
} nset_h5_writer;

/* Makes the file anew. Failures are told by nset_h5w_close. */
void nset_h5w_open(nset_h5_writer *w, const char *path, const uint64_t seed[2], nset_error *err);
/* Closes, syncs, and tells what went wrong: NSET_ERR_IO. */
nset_status nset_h5w_close(nset_h5_writer *w);

/* A group of an NWB type ("core" or "hdmf-common" and the type's name), or a plain one where type is NULL. It stays
 * open: H5Oclose, which may be given what a failed call returned. */
hid_t nset_h5w_group(nset_h5_writer *w, hid_t at, const char *name, const char *ns, const char *type);
void nset_h5w_close_object(hid_t object);
/* Marks an object as of an NWB type. */
void nset_h5w_type(nset_h5_writer *w, hid_t object, const char *ns, const char *type);

void nset_h5w_attr_text(nset_h5_writer *w, hid_t object, const char *name, const char *text);
void nset_h5w_attr_texts(nset_h5_writer *w, hid_t object, const char *name, const char *const *text, size_t n);
void nset_h5w_attr_float(nset_h5_writer *w, hid_t object, const char *name, double x, bool single);
/* A reference to another object of the file, by its path. */
void nset_h5w_attr_reference(nset_h5_writer *w, hid_t object, const char *name, const char *to);

/* One text, or texts (n). The latter stays open. */
void nset_h5w_text(nset_h5_writer *w, hid_t at, const char *name, const char *text);
hid_t nset_h5w_texts(nset_h5_writer *w, hid_t at, const char *name, const char *const *text, size_t n);
/* Numbers of rank axes, of type (in memory and in the file); stays open. Large ones are packed. */
hid_t nset_h5w_numbers(
    nset_h5_writer *w, hid_t at, const char *name, hid_t type, int rank, const hsize_t *dims, const void *x);
/* Numbers that are written row by row, each packed by itself; stays open. */
hid_t nset_h5w_rows(nset_h5_writer *w, hid_t at, const char *name, hid_t type, int rank, const hsize_t *dims);
/* x: row i of it, of its type; name serves messages. */
void nset_h5w_row(nset_h5_writer *w, hid_t dataset, const char *name, hsize_t i, const void *x);
/* A soft link to another object by its path. */
void nset_h5w_link(nset_h5_writer *w, hid_t at, const char *name, const char *to);
/* References (n) to objects by their paths; stays open. */
hid_t nset_h5w_references(nset_h5_writer *w, hid_t at, const char *name, const char *const *to, size_t n);

#endif
