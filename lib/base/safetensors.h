/* Files of named arrays in the safetensors layout, which model files and checkpoints share; see neuroset/model.h. */
#ifndef NSET_BASE_SAFETENSORS_H
#define NSET_BASE_SAFETENSORS_H

#include <stddef.h>
#include <neuroset/error.h>
#include <neuroset/real.h>

struct json_t;

typedef struct nset_tensor_row {
    const char *name; /* a key of root */
    size_t rows, columns;
    size_t at; /* first number in data */
} nset_tensor_row;

/* A file read and checked. */
typedef struct nset_safetensors {
    char *name;               /* for messages */
    struct json_t *root;      /* the header */
    struct json_t *meta;      /* its metadata, borrowed; may be NULL */
    nset_tensor_row *tensors; /* (n_tensors) in the order of the data */
    size_t n_tensors;
    float *data; /* (n_numbers) */
    size_t n_numbers;
} nset_safetensors;

/* A tensor of the program's: rows * columns numbers, columns 1 for rank 1. */
typedef struct nset_tensor {
    const char *name;
    size_t rows, columns;
    const nset_real *data;
} nset_tensor;

typedef struct nset_text_pair {
    const char *key, *value;
} nset_text_pair;

/* Errors: NSET_ERR_IO, NSET_ERR_FORMAT, NSET_ERR_NOMEM; *f is then empty. */
NSET_MUST_CHECK nset_status nset_safetensors_open(nset_safetensors *f, const char *path, nset_error *err);
NSET_MUST_CHECK nset_status nset_safetensors_parse(
    nset_safetensors *f, const void *bytes, size_t n_bytes, const char *name, nset_error *err);
void nset_safetensors_fini(nset_safetensors *f);

/* A metadata value, or NULL. */
const char *nset_safetensors_meta(const nset_safetensors *f, const char *key);
/* The row of that name, or NULL. */
const nset_tensor_row *nset_safetensors_find(const nset_safetensors *f, const char *name);

/* Whether the file holds exactly the tensors (n) by name and shape; data is not looked at. Errors: NSET_ERR_FORMAT. */
NSET_MUST_CHECK nset_status nset_safetensors_expect(
    const nset_safetensors *f, const nset_tensor *tensors, size_t n, nset_error *err);
/* Copies the tensor of that name, which must be there. */
void nset_safetensors_copy(nset_real *to, const nset_safetensors *f, const char *name);

/* Writes a file atomically; tensors lie in it in the order given. Errors: NSET_ERR_ARG (a name twice, text that is not
 * UTF-8), NSET_ERR_NUMERIC (a number that is not finite), NSET_ERR_IO, NSET_ERR_NOMEM. */
NSET_MUST_CHECK nset_status nset_safetensors_write(const char *path, const nset_tensor *tensors, size_t n_tensors,
    const nset_text_pair *meta, size_t n_meta, nset_error *err);

#endif
