#include <neuroset/train.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <neuroset/memory.h>

#include "../base/safetensors.h"

#define MEAN "adamw.m"
#define SQUARE "adamw.v"
#define STEP "adamw.step"

/* More steps than a machine does; the count must not wrap around to 0, where the bias correction divides by 0. */
static const uint64_t MOST_STEPS = (uint64_t)1 << 53;

/* The parameters of net and the moments as tensors, n of them; release with nset_free. NULL: no memory. */
static nset_tensor *tensors_of(size_t *n, const nset_net *net, const nset_adamw *o, nset_error *err)
{
    const size_t n_views = nset_net_n_views(net);
    nset_tensor *tensors = nset_calloc(n_views + 2, sizeof *tensors);

    *n = n_views + 2;
    if (!tensors) {
        (void)nset_fail_oom(err, *n, sizeof *tensors);
        return NULL;
    }
    for (size_t i = 0; i < n_views; i++) {
        const nset_param view = nset_net_view(net, i);
        tensors[i] = (nset_tensor){ view.name, view.rows, view.columns, nset_net_params_const(net) + view.at };
    }
    tensors[n_views] = (nset_tensor){ MEAN, o->n, 1, o->m };
    tensors[n_views + 1] = (nset_tensor){ SQUARE, o->n, 1, o->v };
    return tensors;
}

nset_status nset_checkpoint_save(const char *path, const nset_net *net, const nset_adamw *o, nset_error *err)
{
    char step[24];
    const nset_text_pair meta = { STEP, step };
    nset_tensor *tensors;
    nset_status status;
    size_t n;

    if (!(tensors = tensors_of(&n, net, o, err)))
        return NSET_ERR_NOMEM;
    snprintf(step, sizeof step, "%" PRIu64, o->step);
    status = nset_safetensors_write(path, tensors, n, &meta, 1, err);
    nset_free(tensors);
    return status;
}

static nset_status read_step(uint64_t *step, const nset_safetensors *f, nset_error *err)
{
    const char *text = nset_safetensors_meta(f, STEP);
    char *end = NULL;

    errno = 0;
    if (text && text[0] >= '0' && text[0] <= '9')
        *step = strtoull(text, &end, 10);
    if (!end || *end || errno || *step > MOST_STEPS)
        return nset_fail(err, NSET_ERR_FORMAT,
            "%s: metadata '" STEP "' is not a whole number from 0 to %" PRIu64 ": no checkpoint", f->name, MOST_STEPS);
    return NSET_OK;
}

/* A mean of squares is not negative; a root would make it NaN some steps later. */
static nset_status check_squares(const nset_safetensors *f, nset_error *err)
{
    const nset_tensor_row *row = nset_safetensors_find(f, SQUARE);

    for (size_t i = 0; i < row->rows; i++)
        if (f->data[row->at + i] < 0)
            return nset_fail(err, NSET_ERR_FORMAT, "%s: tensor '" SQUARE "': number %zu is negative", f->name, i);
    return NSET_OK;
}

/* Everything is checked before anything is changed. */
static nset_status restore(const nset_safetensors *f, nset_net *net, nset_adamw *o, nset_error *err)
{
    nset_tensor *tensors;
    uint64_t step = 0;
    nset_status status;
    size_t n;

    if ((status = read_step(&step, f, err)) != NSET_OK)
        return status;
    if (!(tensors = tensors_of(&n, net, o, err)))
        return NSET_ERR_NOMEM;
    status = nset_safetensors_expect(f, tensors, n, err);
    nset_free(tensors);
    if (status != NSET_OK)
        return status;
    if ((status = check_squares(f, err)) != NSET_OK)
        return status;
    for (size_t i = 0; i < nset_net_n_views(net); i++)
        nset_safetensors_copy(nset_net_params(net) + nset_net_view(net, i).at, f, nset_net_view(net, i).name);
    nset_safetensors_copy(o->m, f, MEAN);
    nset_safetensors_copy(o->v, f, SQUARE);
    o->step = step;
    return NSET_OK;
}

nset_status nset_checkpoint_load(const char *path, nset_net *net, nset_adamw *o, nset_error *err)
{
    nset_safetensors file;
    nset_status status;

    if ((status = nset_safetensors_open(&file, path, err)) != NSET_OK)
        return status;
    status = restore(&file, net, o, err);
    nset_safetensors_fini(&file);
    return status;
}
