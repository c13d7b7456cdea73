#include "model.h"
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

nset_status nset_model_open(nset_model **out, const char *path, nset_error *err)
{
    FILE *f = fopen(path, "rb");
    void *bytes = NULL;
    size_t n_bytes = 0;
    nset_status status;

    if (!f)
        return nset_fail(err, NSET_ERR_IO, "%s: cannot be opened: %s", path, strerror(errno));
    if ((status = read_all(&bytes, &n_bytes, f, path, err)) == NSET_OK)
        status = nset_model_parse(out, bytes, n_bytes, path, err);
    nset_free(bytes);
    fclose(f);
    return status;
}

void nset_model_close(nset_model *m)
{
    if (!m)
        return;
    json_decref(m->root);
    nset_free(m->tensors);
    nset_free(m->data);
    nset_free(m->name);
    nset_free(m);
}

const char *nset_model_name(const nset_model *m)
{
    return m->name;
}

const char *nset_model_meta(const nset_model *m, const char *key)
{
    return json_string_value(json_object_get(m->meta, key));
}

size_t nset_model_n_tensors(const nset_model *m)
{
    return m->n_tensors;
}

const float *nset_model_tensor(const nset_model *m, const char *name, size_t *rows, size_t *columns)
{
    for (size_t i = 0; i < m->n_tensors; i++)
        if (!strcmp(m->tensors[i].name, name)) {
            *rows = m->tensors[i].rows;
            *columns = m->tensors[i].columns;
            return m->data + m->tensors[i].at;
        }
    return NULL;
}

static nset_status check_view(const nset_model *m, nset_param view, nset_error *err)
{
    size_t rows, columns;

    if (!nset_model_tensor(m, view.name, &rows, &columns))
        return nset_fail(err, NSET_ERR_FORMAT, "%s: has no tensor '%s' (%zu x %zu), which the network needs", m->name,
            view.name, view.rows, view.columns);
    if (rows != view.rows || columns != view.columns)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: tensor '%s' is %zu x %zu, the network needs %zu x %zu", m->name,
            view.name, rows, columns, view.rows, view.columns);
    return NSET_OK;
}

nset_status nset_model_load_part(const nset_model *m, nset_net *net, size_t n_more, nset_error *err)
{
    const size_t n_views = nset_net_n_views(net);
    nset_status status;

    for (size_t i = 0; i < n_views; i++)
        if ((status = check_view(m, nset_net_view(net, i), err)) != NSET_OK)
            return status;
    if (m->n_tensors != n_views + n_more)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: holds %zu tensors, the network needs %zu", m->name, m->n_tensors,
            n_views + n_more);
    for (size_t i = 0; i < n_views; i++) {
        const nset_param view = nset_net_view(net, i);
        size_t rows, columns;
        const float *from = nset_model_tensor(m, view.name, &rows, &columns);
        nset_real *to = nset_net_params(net) + view.at;
        for (size_t k = 0; k < view.rows * view.columns; k++)
            to[k] = (nset_real)from[k];
    }
    return NSET_OK;
}

nset_status nset_model_load(const nset_model *m, nset_net *net, nset_error *err)
{
    return nset_model_load_part(m, net, 0, err);
}
