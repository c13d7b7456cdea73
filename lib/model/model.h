/* The inside of a model file in memory. */
#ifndef NSET_MODEL_MODEL_H
#define NSET_MODEL_MODEL_H

#include <neuroset/model.h>

struct json_t;

typedef struct tensor_row {
    const char *name; /* a key of root */
    size_t rows, columns;
    size_t at; /* first number in data */
} tensor_row;

struct nset_model {
    char *name;
    struct json_t *root; /* the header */
    struct json_t *meta; /* its metadata, borrowed; may be NULL */
    tensor_row *tensors; /* (n_tensors) in the order of the data */
    size_t n_tensors;
    float *data; /* (n_numbers) */
    size_t n_numbers;
};

#endif
