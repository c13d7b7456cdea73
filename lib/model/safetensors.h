/* What the readers and writers of model files share. */
#ifndef NSET_MODEL_SAFETENSORS_H
#define NSET_MODEL_SAFETENSORS_H

#include <neuroset/model.h>

/* A tensor to be written: rows * columns numbers, columns 1 for rank 1. */
typedef struct nset_tensor {
    const char *name;
    size_t rows, columns;
    const nset_real *data;
} nset_tensor;

/* Writes a file atomically; tensors lie in it in the order given. Errors: NSET_ERR_ARG (a name twice, text that is not
 * UTF-8), NSET_ERR_NUMERIC (a number that is not finite), NSET_ERR_IO, NSET_ERR_NOMEM. */
NSET_MUST_CHECK nset_status nset_safetensors_write(const char *path, const nset_tensor *tensors, size_t n_tensors,
    const nset_meta *meta, size_t n_meta, nset_error *err);

/* As nset_model_load, for a file that holds n_more tensors besides those of net. net is untouched on error. */
NSET_MUST_CHECK nset_status nset_model_load_part(
    const nset_model *model, nset_net *net, size_t n_more, nset_error *err);

/* The name the model was opened under, for messages. */
const char *nset_model_name(const nset_model *model);

#endif
