/* NumPy files of objects (npy with descr |O): Python's pickle, read without Python and never run.
 *
 * Reading is an interpreter of a closed set of opcodes that can only build numbers, texts, bytes, lists, tuples,
 * dictionaries and NumPy's numeric and object arrays; a pickle that names anything else is refused. Writing is protocol
 * 2 without a memo, which NumPy 1 and 2 load; the same values give the same bytes.
 *
 * Opcodes: pickletools of the Python standard library; arrays: __reduce__ of numpy.ndarray.
 */
#ifndef NSET_RESULTS_PICKLE_H
#define NSET_RESULTS_PICKLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <neuroset/error.h>

/* ---- reading ---- */

typedef enum nset_value_kind {
    NSET_VALUE_NONE,
    NSET_VALUE_BOOL,
    NSET_VALUE_INT,
    NSET_VALUE_FLOAT,
    NSET_VALUE_TEXT,
    NSET_VALUE_BYTES,
    NSET_VALUE_LIST, /* or tuple */
    NSET_VALUE_DICT,
    NSET_VALUE_ARRAY,  /* of numbers, or of objects: then the objects are items */
    NSET_VALUE_DTYPE,  /* element type of an array */
    NSET_VALUE_GLOBAL, /* a name of NumPy's that pickles are made with */
    NSET_VALUE_OPAQUE, /* a path */
} nset_value_kind;

typedef struct nset_value nset_value;

struct nset_value {
    nset_value_kind kind;
    int64_t i;         /* of BOOL and INT; which name of GLOBAL */
    double f;          /* of FLOAT */
    const char *bytes; /* TEXT, BYTES, numbers of an ARRAY; not ended by 0 */
    size_t n_bytes;
    nset_value **item; /* LIST and ARRAY of objects: n; DICT: key, value, key, value, ... 2 n */
    size_t n, capacity;
    char type, order; /* ARRAY and DTYPE: f i u b O ..., < > | */
    size_t size;      /* bytes of a number */
    size_t rank, shape[4];
    char *owned;      /* bytes that do not stand in the file */
    nset_value *next; /* in the list of all */
};

typedef struct nset_pickle nset_pickle;

/* Errors: NSET_ERR_IO, NSET_ERR_FORMAT with the byte's place, NSET_ERR_NOMEM. */
nset_status nset_pickle_open(nset_pickle **out, const char *path, nset_error *err);
/* The array of the file; objects of a 0-d array are one item. Owned by p. */
const nset_value *nset_pickle_root(const nset_pickle *p);
void nset_pickle_close(nset_pickle *p); /* NULL is legal */

/* The value of a text key, NULL when v is no dictionary or has none. */
const nset_value *nset_value_get(const nset_value *v, const char *key);
/* How many numbers v holds: array, list of numbers, or one number (1); 0 when it is nothing of these. */
size_t nset_value_count(const nset_value *v);
/* *x := number i of these; false where there is none. */
bool nset_value_number(double *x, const nset_value *v, size_t i);

/* ---- writing: begin, one value, end; failures of f are f's ---- */

/* One object array of n objects (n values follow), or of 0-d with one object. */
void nset_pickle_begin(FILE *f, size_t n, bool zero_d);
void nset_pickle_end(FILE *f);

void nset_pickle_dict(FILE *f); /* key, value, key, value ... */
void nset_pickle_dict_end(FILE *f);
void nset_pickle_list(FILE *f); /* values */
void nset_pickle_list_end(FILE *f);
void nset_pickle_text(FILE *f, const char *text); /* also keys */
void nset_pickle_int(FILE *f, int64_t x);
void nset_pickle_float(FILE *f, double x);
void nset_pickle_bool(FILE *f, bool x);
/* descr "<f4", "<f8", "<i4", "<i8", "|u1", "|b1"; rank 1 or 2. */
void nset_pickle_array(FILE *f, const char *descr, size_t rank, const size_t *shape, const void *data);

#endif
