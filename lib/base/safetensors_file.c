#include "safetensors.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <jansson.h>

#include <neuroset/memory.h>

enum { MAX_FILE = 1 << 30 };

static nset_status read_all(void **bytes, size_t *n_bytes, FILE *f, const char *path, nset_error *err)
{
    struct stat info;

    if (fstat(fileno(f), &info) || !S_ISREG(info.st_mode))
        return nset_fail(err, NSET_ERR_IO, "%s: is not a regular file", path);
    if (info.st_size > MAX_FILE)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: %lld bytes are more than the %d of a model file", path,
            (long long)info.st_size, MAX_FILE);
    *n_bytes = (size_t)info.st_size;
    if (!(*bytes = nset_calloc(*n_bytes, 1)))
        return nset_fail_oom(err, *n_bytes, 1);
    if (fread(*bytes, 1, *n_bytes, f) != *n_bytes)
        return nset_fail(
            err, NSET_ERR_IO, "%s: cannot be read: %s", path, ferror(f) ? strerror(errno) : "it became shorter");
    return NSET_OK;
}

nset_status nset_safetensors_open(nset_safetensors *f, const char *path, nset_error *err)
{
    FILE *stream = fopen(path, "rb");
    void *bytes = NULL;
    size_t n_bytes = 0;
    nset_status status;

    *f = (nset_safetensors){ 0 };
    if (!stream)
        return nset_fail(err, NSET_ERR_IO, "%s: cannot be opened: %s", path, strerror(errno));
    if ((status = read_all(&bytes, &n_bytes, stream, path, err)) == NSET_OK)
        status = nset_safetensors_parse(f, bytes, n_bytes, path, err);
    nset_free(bytes);
    fclose(stream);
    return status;
}

void nset_safetensors_fini(nset_safetensors *f)
{
    json_decref(f->root);
    nset_free(f->tensors);
    nset_free(f->data);
    nset_free(f->name);
    *f = (nset_safetensors){ 0 };
}

const char *nset_safetensors_meta(const nset_safetensors *f, const char *key)
{
    return json_string_value(json_object_get(f->meta, key));
}

const nset_tensor_row *nset_safetensors_find(const nset_safetensors *f, const char *name)
{
    for (size_t i = 0; i < f->n_tensors; i++)
        if (!strcmp(f->tensors[i].name, name))
            return &f->tensors[i];
    return NULL;
}

nset_status nset_safetensors_expect(const nset_safetensors *f, const nset_tensor *tensors, size_t n, nset_error *err)
{
    for (size_t i = 0; i < n; i++) {
        const nset_tensor *want = &tensors[i];
        const nset_tensor_row *row = nset_safetensors_find(f, want->name);
        if (!row)
            return nset_fail(err, NSET_ERR_FORMAT, "%s: has no tensor '%s' (%zu x %zu), which is needed here", f->name,
                want->name, want->rows, want->columns);
        if (row->rows != want->rows || row->columns != want->columns)
            return nset_fail(err, NSET_ERR_FORMAT, "%s: tensor '%s' is %zu x %zu, needed here is %zu x %zu", f->name,
                want->name, row->rows, row->columns, want->rows, want->columns);
    }
    if (f->n_tensors != n)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: holds %zu tensors, needed here are %zu", f->name, f->n_tensors, n);
    return NSET_OK;
}

void nset_safetensors_copy(nset_real *to, const nset_safetensors *f, const char *name)
{
    const nset_tensor_row *row = nset_safetensors_find(f, name);

    for (size_t k = 0; k < row->rows * row->columns; k++)
        to[k] = (nset_real)f->data[row->at + k];
}
