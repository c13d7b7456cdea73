/* Elementwise functions, dropout, sum, product and concatenation of two nodes, layer norm. */
#include "graph.h"

#include <string.h>

#include <neuroset/random.h>

#include "../math/kernels.h"

_Static_assert((int)NSET_RELU == (int)NSET_MAP_RELU && (int)NSET_ELU == (int)NSET_MAP_ELU &&
                   (int)NSET_GELU == (int)NSET_MAP_GELU && (int)NSET_TANH == (int)NSET_MAP_TANH &&
                   (int)NSET_SIGMOID == (int)NSET_MAP_SIGMOID,
    "the kernel table has the activations in the order of nset_activation");

static size_t size_of(const nset_run *run, nset_node i)
{
    return nset_run_rows(run, i) * run->net->nodes[i].d;
}

/* ---- activation ---- */

typedef struct map_job {
    void (*map)(nset_real *y, const nset_real *x, size_t n);
    nset_real *y;
    const nset_real *x;
} map_job;

static void map_chunk(void *ctx, size_t first, size_t last, size_t chunk)
{
    const map_job *j = ctx;

    (void)chunk;
    j->map(j->y + first, j->x + first, last - first);
}

static nset_status activate_forward(nset_run *run, nset_node i, nset_real *out, nset_error *err)
{
    const node *n = &run->net->nodes[i];
    map_job j = { nset_kernels_now()->map[n->how], out, run->value[n->x] };

    (void)err;
    nset_parallel_for(run->workers, size_of(run, i), nset_chunk(1), map_chunk, &j);
    return NSET_OK;
}

static nset_status activate_backward(nset_run *run, nset_node i, const grads *to, nset_error *err)
{
    const node *n = &run->net->nodes[i];

    (void)err;
    if (to->dx)
        nset_kernels_now()->map_back[n->how](to->dx, run->value[n->x], run->value[i], to->g, size_of(run, i));
    return NSET_OK;
}

const layer nset_layer_activate = { activate_forward, activate_backward };

/* ---- dropout: backward draws the same numbers again ---- */

static nset_status dropout_forward(nset_run *run, nset_node i, nset_real *out, nset_error *err)
{
    const node *n = &run->net->nodes[i];
    const nset_real *x = run->value[n->x];
    nset_random r = nset_random_stream(run->seed, "dropout", (uint64_t)i);
    uint32_t limit = (uint32_t)(n->p * 0x1p32);
    nset_real scale = (nset_real)(1 / (1 - n->p));
    size_t size = size_of(run, i);

    (void)err;
    if (!run->training || n->p == 0) {
        if (out != x && size)
            memcpy(out, x, size * sizeof *out);
        return NSET_OK;
    }
    for (size_t j = 0; j < size; j++)
        out[j] = nset_random_u32(&r) < limit ? 0 : x[j] * scale;
    return NSET_OK;
}

static nset_status dropout_backward(nset_run *run, nset_node i, const grads *to, nset_error *err)
{
    const node *n = &run->net->nodes[i];
    nset_random r = nset_random_stream(run->seed, "dropout", (uint64_t)i);
    uint32_t limit = (uint32_t)(n->p * 0x1p32);
    nset_real scale = (nset_real)(1 / (1 - n->p));

    (void)err;
    for (size_t j = 0; to->dx && j < size_of(run, i); j++)
        if (n->p == 0 || nset_random_u32(&r) >= limit)
            to->dx[j] += to->g[j] * scale;
    return NSET_OK;
}

const layer nset_layer_dropout = { dropout_forward, dropout_backward };

/* ---- sum ---- */

static nset_status add_forward(nset_run *run, nset_node i, nset_real *out, nset_error *err)
{
    const node *n = &run->net->nodes[i];
    const nset_real *a = run->value[n->x], *b = run->value[n->y];
    size_t size = size_of(run, i);

    (void)err;
    for (size_t j = 0; j < size; j++)
        out[j] = a[j] + b[j];
    return NSET_OK;
}

static nset_status add_backward(nset_run *run, nset_node i, const grads *to, nset_error *err)
{
    nset_real *const sides[2] = { to->dx, to->dy };
    size_t size = size_of(run, i);

    (void)err;
    for (int side = 0; side < 2; side++)
        for (size_t j = 0; sides[side] && j < size; j++)
            sides[side][j] += to->g[j];
    return NSET_OK;
}

const layer nset_layer_add = { add_forward, add_backward };

/* ---- product, number by number ---- */

static nset_status multiply_forward(nset_run *run, nset_node i, nset_real *out, nset_error *err)
{
    const node *n = &run->net->nodes[i];
    const nset_real *a = run->value[n->x], *b = run->value[n->y];
    size_t size = size_of(run, i);

    (void)err;
    for (size_t j = 0; j < size; j++)
        out[j] = a[j] * b[j];
    return NSET_OK;
}

static nset_status multiply_backward(nset_run *run, nset_node i, const grads *to, nset_error *err)
{
    const node *n = &run->net->nodes[i];
    const nset_real *a = run->value[n->x], *b = run->value[n->y];
    size_t size = size_of(run, i);

    (void)err;
    for (size_t j = 0; to->dx && j < size; j++)
        to->dx[j] += to->g[j] * b[j];
    for (size_t j = 0; to->dy && j < size; j++)
        to->dy[j] += to->g[j] * a[j];
    return NSET_OK;
}

const layer nset_layer_multiply = { multiply_forward, multiply_backward };

/* ---- concatenation ---- */

static nset_status concat_forward(nset_run *run, nset_node i, nset_real *out, nset_error *err)
{
    const node *n = &run->net->nodes[i];
    const nset_real *a = run->value[n->x], *b = run->value[n->y];
    size_t d_a = run->net->nodes[n->x].d, d_b = run->net->nodes[n->y].d, rows = nset_run_rows(run, i);

    (void)err;
    for (size_t r = 0; r < rows; r++, out += n->d) {
        memcpy(out, a + r * d_a, d_a * sizeof *out);
        memcpy(out + d_a, b + r * d_b, d_b * sizeof *out);
    }
    return NSET_OK;
}

static nset_status concat_backward(nset_run *run, nset_node i, const grads *to, nset_error *err)
{
    const node *n = &run->net->nodes[i];
    size_t d_a = run->net->nodes[n->x].d, d_b = run->net->nodes[n->y].d, rows = nset_run_rows(run, i);
    const nset_real *g = to->g;

    (void)err;
    for (size_t r = 0; r < rows; r++, g += n->d) {
        for (size_t j = 0; to->dx && j < d_a; j++)
            to->dx[r * d_a + j] += g[j];
        for (size_t j = 0; to->dy && j < d_b; j++)
            to->dy[r * d_b + j] += g[d_a + j];
    }
    return NSET_OK;
}

const layer nset_layer_concat = { concat_forward, concat_backward };

/* ---- layer norm (Ba, Kiros & Hinton 2016), epsilon 1e-5 under the root ---- */

typedef struct norm_job {
    const nset_kernels *kernels;
    nset_real *y, *stat;
    const nset_real *x, *scale, *shift;
    size_t d;
} norm_job;

static void norm_chunk(void *ctx, size_t first, size_t last, size_t chunk)
{
    const norm_job *j = ctx;

    (void)chunk;
    j->kernels->norm(j->y + first * j->d, j->stat ? j->stat + 2 * first : NULL, j->x + first * j->d, j->scale, j->shift,
        last - first, j->d);
}

static nset_status norm_forward(nset_run *run, nset_node i, nset_real *out, nset_error *err)
{
    const node *n = &run->net->nodes[i];
    size_t rows = nset_run_rows(run, i);
    norm_job j = { nset_kernels_now(), out, NULL, run->value[n->x], nset_run_param(run, n->weight),
        nset_run_param(run, n->bias), n->d };
    nset_status status;

    if (run->training) {
        if ((status = nset_buffer_need(&run->saved[i], 2 * rows, err)) != NSET_OK)
            return status;
        j.stat = run->saved[i].data;
    }
    nset_parallel_for(run->workers, rows, nset_chunk(n->d), norm_chunk, &j);
    return NSET_OK;
}

static nset_status norm_backward(nset_run *run, nset_node i, const grads *to, nset_error *err)
{
    const node *n = &run->net->nodes[i];

    (void)err;
    nset_kernels_now()->norm_back(to->dx, nset_grad_param(run, to->params, n->weight),
        nset_grad_param(run, to->params, n->bias), run->value[n->x], run->saved[i].data, to->g,
        nset_run_param(run, n->weight), nset_run_rows(run, i), n->d);
    return NSET_OK;
}

const layer nset_layer_norm = { norm_forward, norm_backward };
