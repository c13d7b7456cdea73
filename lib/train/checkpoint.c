#include <neuroset/train.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <neuroset/memory.h>

#include "../model/safetensors.h"

#define MEAN "adamw.m"
#define SQUARE "adamw.v"
#define STEP "adamw.step"

nset_status nset_checkpoint_save(const char *path, const nset_net *net, const nset_adamw *o, nset_error *err)
{
    const size_t n = nset_net_n_views(net);
    nset_tensor *tensors = nset_calloc(n + 2, sizeof *tensors);
    char step[24];
    const nset_meta meta = { STEP, step };
    nset_status status;

    if (!tensors)
        return nset_fail_oom(err, n + 2, sizeof *tensors);
    for (size_t i = 0; i < n; i++) {
        const nset_param view = nset_net_view(net, i);
        tensors[i] = (nset_tensor){ view.name, view.rows, view.columns, nset_net_params_const(net) + view.at };
    }
    tensors[n] = (nset_tensor){ MEAN, o->n, 1, o->m };
    tensors[n + 1] = (nset_tensor){ SQUARE, o->n, 1, o->v };
    snprintf(step, sizeof step, "%" PRIu64, o->step);
    status = nset_safetensors_write(path, tensors, n + 2, &meta, 1, err);
    nset_free(tensors);
    return status;
}

static nset_status read_step(uint64_t *step, const nset_model *m, nset_error *err)
{
    const char *text = nset_model_meta(m, STEP);
    char *end = NULL;

    errno = 0;
    if (text && text[0] >= '0' && text[0] <= '9')
        *step = strtoull(text, &end, 10);
    if (!end || *end || errno)
        return nset_fail(
            err, NSET_ERR_FORMAT, "%s: metadata '" STEP "' is not a whole number: no checkpoint", nset_model_name(m));
    return NSET_OK;
}

static nset_status find_moment(const float **x, const nset_model *m, const char *name, size_t n, nset_error *err)
{
    size_t rows = 0, columns = 0;

    *x = nset_model_tensor(m, name, &rows, &columns);
    if (!*x || rows != n || columns != 1)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: tensor '%s' has %zu x %zu numbers, the optimiser needs %zu x 1",
            nset_model_name(m), name, rows, columns, n);
    return NSET_OK;
}

/* Everything is checked before anything is changed. */
static nset_status restore(const nset_model *model, nset_net *net, nset_adamw *o, nset_error *err)
{
    const float *m, *v;
    uint64_t step = 0;
    nset_status status;

    if ((status = read_step(&step, model, err)) != NSET_OK)
        return status;
    if ((status = find_moment(&m, model, MEAN, o->n, err)) != NSET_OK)
        return status;
    if ((status = find_moment(&v, model, SQUARE, o->n, err)) != NSET_OK)
        return status;
    for (size_t i = 0; i < o->n; i++)
        if (v[i] < 0)
            return nset_fail(
                err, NSET_ERR_FORMAT, "%s: tensor '" SQUARE "': number %zu is negative", nset_model_name(model), i);
    if ((status = nset_model_load_part(model, net, 2, err)) != NSET_OK)
        return status;
    o->step = step;
    for (size_t i = 0; i < o->n; i++) {
        o->m[i] = (nset_real)m[i];
        o->v[i] = (nset_real)v[i];
    }
    return NSET_OK;
}

nset_status nset_checkpoint_load(const char *path, nset_net *net, nset_adamw *o, nset_error *err)
{
    nset_model *model = NULL;
    nset_status status;

    if ((status = nset_model_open(&model, path, err)) != NSET_OK)
        return status;
    status = restore(model, net, o, err);
    nset_model_close(model);
    return status;
}
