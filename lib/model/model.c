#include <neuroset/model.h>

#include <neuroset/memory.h>

#include "../base/safetensors.h"

struct nset_model {
    nset_safetensors file;
};

nset_status nset_model_open(nset_model **out, const char *path, nset_error *err)
{
    nset_model *m = nset_calloc(1, sizeof *m);
    nset_status status;

    if (!m)
        return nset_fail_oom(err, 1, sizeof *m);
    if ((status = nset_safetensors_open(&m->file, path, err)) == NSET_OK)
        *out = m;
    else
        nset_free(m);
    return status;
}

nset_status nset_model_parse(nset_model **out, const void *bytes, size_t n_bytes, const char *name, nset_error *err)
{
    nset_model *m = nset_calloc(1, sizeof *m);
    nset_status status;

    if (!m)
        return nset_fail_oom(err, 1, sizeof *m);
    if ((status = nset_safetensors_parse(&m->file, bytes, n_bytes, name, err)) == NSET_OK)
        *out = m;
    else
        nset_free(m);
    return status;
}

void nset_model_close(nset_model *m)
{
    if (!m)
        return;
    nset_safetensors_fini(&m->file);
    nset_free(m);
}

const char *nset_model_meta(const nset_model *m, const char *key)
{
    return nset_safetensors_meta(&m->file, key);
}

size_t nset_model_n_tensors(const nset_model *m)
{
    return m->file.n_tensors;
}

const float *nset_model_tensor(const nset_model *m, const char *name, size_t *rows, size_t *columns)
{
    const nset_tensor_row *row = nset_safetensors_find(&m->file, name);

    if (!row)
        return NULL;
    *rows = row->rows;
    *columns = row->columns;
    return m->file.data + row->at;
}

/* The parameters of net as tensors; release with nset_free. NULL: no memory. */
static nset_tensor *tensors_of(const nset_net *net, nset_error *err)
{
    const size_t n = nset_net_n_views(net);
    nset_tensor *tensors = nset_calloc(n, sizeof *tensors);

    if (!tensors)
        (void)nset_fail_oom(err, n, sizeof *tensors);
    for (size_t i = 0; tensors && i < n; i++) {
        const nset_param view = nset_net_view(net, i);
        tensors[i] = (nset_tensor){ view.name, view.rows, view.columns, nset_net_params_const(net) + view.at };
    }
    return tensors;
}

nset_status nset_model_load(const nset_model *m, nset_net *net, nset_error *err)
{
    const size_t n = nset_net_n_views(net);
    nset_tensor *tensors = tensors_of(net, err);
    nset_status status;

    if (!tensors)
        return NSET_ERR_NOMEM;
    status = nset_safetensors_expect(&m->file, tensors, n, err);
    for (size_t i = 0; status == NSET_OK && i < n; i++)
        nset_safetensors_copy(nset_net_params(net) + nset_net_view(net, i).at, &m->file, tensors[i].name);
    nset_free(tensors);
    return status;
}

nset_status nset_model_save(
    const char *path, const nset_net *net, const nset_meta *meta, size_t n_meta, nset_error *err)
{
    nset_tensor *tensors = tensors_of(net, err);
    nset_text_pair *pairs = tensors ? nset_calloc(n_meta, sizeof *pairs) : NULL;
    nset_status status;

    if (!pairs) {
        nset_free(tensors);
        return nset_fail_oom(err, n_meta, sizeof *pairs);
    }
    for (size_t i = 0; i < n_meta; i++)
        pairs[i] = (nset_text_pair){ meta[i].key, meta[i].value };
    status = nset_safetensors_write(path, tensors, nset_net_n_views(net), pairs, n_meta, err);
    nset_free(pairs);
    nset_free(tensors);
    return status;
}
