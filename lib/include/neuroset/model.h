/* Model files: safetensors, parsed and checked, never executed.
 *
 * Layout: u64 little-endian length of the header, a JSON header {"name": {"dtype", "shape", "data_offsets"},
 * "__metadata__": {text: text}}, then the data. Every length, name, type, shape, overlap and gap is checked
 * before use. Only F32 tensors of rank 1 and 2 are models of ours.
 */
#ifndef NEUROSET_MODEL_H
#define NEUROSET_MODEL_H

#include <stddef.h>
#include <neuroset/error.h>
#include <neuroset/net.h>

typedef struct nset_model nset_model; /* a file read into memory */

typedef struct nset_meta {
    const char *key, *value;
} nset_meta;

/* Errors: NSET_ERR_IO, NSET_ERR_FORMAT (path, place, expected, found), NSET_ERR_NOMEM. */
NSET_API NSET_MUST_CHECK nset_status nset_model_open(nset_model **out, const char *path, nset_error *err);
/* The same from n_bytes of memory, copied; name is for messages. */
NSET_API NSET_MUST_CHECK nset_status nset_model_parse(
    nset_model **out, const void *bytes, size_t n_bytes, const char *name, nset_error *err);
NSET_API void nset_model_close(nset_model *model);

/* The value of a metadata key, or NULL. Valid while model is open. */
NSET_API const char *nset_model_meta(const nset_model *model, const char *key);
/* The data of a tensor and its shape, or NULL when there is none of that name. columns is 1 for rank 1. */
NSET_API const float *nset_model_tensor(const nset_model *model, const char *name, size_t *rows, size_t *columns);
NSET_API size_t nset_model_n_tensors(const nset_model *model);

/* Copies all parameters into net; names and shapes must be exactly those of net. Errors: NSET_ERR_FORMAT. */
NSET_API NSET_MUST_CHECK nset_status nset_model_load(const nset_model *model, nset_net *net, nset_error *err);
/* Writes net's parameters and n_meta metadata rows, atomically. The same input gives the same bytes. */
NSET_API NSET_MUST_CHECK nset_status nset_model_save(
    const char *path, const nset_net *net, const nset_meta *meta, size_t n_meta, nset_error *err);

#endif
