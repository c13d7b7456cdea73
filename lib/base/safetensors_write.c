#include "safetensors.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include <neuroset/file.h>
#include <neuroset/memory.h>

static nset_status add_meta(json_t *root, const nset_text_pair *meta, size_t n_meta, const char *path, nset_error *err)
{
    json_t *object = json_object();

    if (!object || json_object_set_new(root, "__metadata__", object))
        return nset_fail_oom(err, n_meta, sizeof *meta);
    for (size_t i = 0; i < n_meta; i++)
        if (json_object_get(object, meta[i].key) ||
            json_object_set_new(object, meta[i].key, json_string(meta[i].value)))
            return nset_fail(err, NSET_ERR_ARG, "%s: metadata '%s' is there twice or is not UTF-8", path, meta[i].key);
    return NSET_OK;
}

static nset_status add_tensor(json_t *root, const nset_tensor *t, size_t *at, const char *path, nset_error *err)
{
    const size_t n = t->rows * t->columns, end = *at + n * sizeof(float);
    json_t *row;

    for (size_t k = 0; k < n; k++)
        if (!isfinite(t->data[k]))
            return nset_fail(err, NSET_ERR_NUMERIC, "%s: tensor '%s': number %zu is not finite", path, t->name, k);
    row = json_pack("{s:s, s:[I], s:[I, I]}", "dtype", "F32", "shape", (json_int_t)t->rows, "data_offsets",
        (json_int_t)*at, (json_int_t)end);
    if (row && t->columns != 1)
        json_array_append_new(json_object_get(row, "shape"), json_integer((json_int_t)t->columns));
    if (json_object_get(root, t->name) || json_object_set_new(root, t->name, row))
        return nset_fail(err, NSET_ERR_ARG, "%s: tensor '%s' is there twice, or its name is not UTF-8", path, t->name);
    *at = end;
    return NSET_OK;
}

/* The header with spaces behind it, so that the data begins at a multiple of 8. *text is released with free(). */
static nset_status make_header(char **text, const nset_tensor *tensors, size_t n_tensors, const nset_text_pair *meta,
    size_t n_meta, const char *path, nset_error *err)
{
    json_t *root = json_object();
    size_t at = 0;
    nset_status status;

    if (!root)
        return nset_fail_oom(err, 1, sizeof(void *));
    status = add_meta(root, meta, n_meta, path, err);
    for (size_t i = 0; i < n_tensors && status == NSET_OK; i++)
        status = add_tensor(root, &tensors[i], &at, path, err);
    if (status == NSET_OK && !(*text = json_dumps(root, JSON_COMPACT)))
        status = nset_fail_oom(err, n_tensors, sizeof *tensors);
    json_decref(root);
    return status;
}

static void write_numbers(FILE *f, const nset_tensor *t)
{
    float block[256];
    const size_t n = t->rows * t->columns;

    for (size_t first = 0; first < n;) {
        size_t k = 0;
        for (; k < 256 && first + k < n; k++)
            block[k] = (float)t->data[first + k];
        fwrite(block, sizeof *block, k, f);
        first += k;
    }
}

/* Errors of the stream are told by the commit. */
static void write_file(FILE *f, const char *header, const nset_tensor *tensors, size_t n_tensors)
{
    const size_t n_text = strlen(header);
    const uint64_t n_header = (n_text + 7) & ~(uint64_t)7;

    fwrite(&n_header, sizeof n_header, 1, f);
    fprintf(f, "%-*s", (int)n_header, header);
    for (size_t i = 0; i < n_tensors; i++)
        write_numbers(f, &tensors[i]);
}

nset_status nset_safetensors_write(const char *path, const nset_tensor *tensors, size_t n_tensors,
    const nset_text_pair *meta, size_t n_meta, nset_error *err)
{
    nset_atomic_file *file = NULL;
    char *header = NULL;
    nset_status status;

    if ((status = make_header(&header, tensors, n_tensors, meta, n_meta, path, err)) != NSET_OK)
        return status;
    if ((status = nset_atomic_open(&file, path, err)) == NSET_OK) {
        write_file(nset_atomic_stream(file), header, tensors, n_tensors);
        status = nset_atomic_commit(file, err);
    }
    free(header);
    return status;
}
