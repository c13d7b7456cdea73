/* Rows of points with tied weights: exact sums along the ties, then one product. */
#include "graph.h"

#include <string.h>

#include <neuroset/memory.h>

#include "../math/kernels.h"

void nset_tie_free(nset_tie *tie)
{
    if (!tie)
        return;
    nset_free(tie->weight);
    nset_free(tie->bias);
    nset_free(tie);
}

nset_tie *nset_tie_copy(const nset_tie *tie, nset_error *err)
{
    nset_tie *t = nset_calloc(1, sizeof *t);

    if (!t) {
        nset_fail_oom(err, 1, sizeof *t);
        return NULL;
    }
    *t = *tie;
    t->weight = nset_calloc(t->m * t->n, sizeof *t->weight);
    t->bias = nset_calloc(t->m, sizeof *t->bias);
    if (!t->weight || !t->bias) {
        nset_tie_free(t);
        nset_fail_oom(err, tie->m * tie->n, sizeof *tie->weight);
        return NULL;
    }
    memcpy(t->weight, tie->weight, t->m * t->n * sizeof *t->weight);
    memcpy(t->bias, tie->bias, t->m * sizeof *t->bias);
    return t;
}

typedef struct tied {
    const nset_kernels *kernels;
    const nset_tie *tie;
    const nset_real *x, *packed, *bias;
    nset_real *out;
    nset_real *sums, *members; /* (rows, M, k) sums along ties; (rows, N, channels) what one of them adds up */
    size_t channels, c_out, k; /* k = n_weights channels */
} tied;

static nset_status describe(tied *t, nset_run *run, nset_node i, nset_error *err)
{
    const node *n = &run->net->nodes[i];
    const nset_tie *tie = run->net->ties[n->how];
    size_t rows = nset_run_rows(run, i);
    nset_status status;

    *t = (tied){ .kernels = nset_kernels_now(),
        .tie = tie,
        .x = run->value[n->x],
        .bias = nset_run_param(run, n->bias),
        .channels = n->channels,
        .c_out = n->d / tie->m,
        .k = tie->n_weights * n->channels };
    if ((status = nset_buffer_need(&run->pad, rows * tie->m * t->k, err)) != NSET_OK ||
        (status = nset_buffer_need(&run->pad2, rows * tie->n * n->channels, err)) != NSET_OK)
        return status;
    t->sums = run->pad.data;
    t->members = run->pad2.data;
    return NSET_OK;
}

static void add_up(nset_real *sum, const nset_real *x, size_t n, size_t d)
{
    double sums[NSET_POOL_BLOCK];

    for (size_t at = 0; n > 0 && at < d; at += NSET_POOL_BLOCK) {
        size_t width = d - at < NSET_POOL_BLOCK ? d - at : NSET_POOL_BLOCK;
        nset_block_sums(sums, x + at, n, width, d);
        for (size_t j = 0; j < width; j++)
            sum[at + j] = (nset_real)sums[j];
    }
}

/* sums (M, k) of one row x (N, channels): for each output and weight, the sum of the inputs joined by it. */
static void sum_row(const tied *t, nset_real *sums, nset_real *members, const nset_real *x)
{
    const nset_tie *tie = t->tie;
    size_t d = t->channels;

    memset(sums, 0, tie->m * t->k * sizeof *sums);
    for (size_t y = 0; y < tie->m; y++)
        for (size_t w = 0; w < tie->n_weights; w++) {
            size_t n = 0;
            for (size_t i = 0; i < tie->n; i++)
                if (tie->weight[y * tie->n + i] == w)
                    memcpy(members + n++ * d, x + i * d, d * sizeof *x);
            add_up(sums + y * t->k + w * d, members, n, d);
        }
}

static void sum_rows(void *ctx, size_t first, size_t last, size_t chunk)
{
    const tied *t = ctx;
    size_t size = t->tie->n * t->channels;

    (void)chunk;
    for (size_t r = first; r < last; r++)
        sum_row(t, t->sums + r * t->tie->m * t->k, t->members + r * size, t->x + r * size);
}

static void tied_rows(void *ctx, size_t first, size_t last, size_t chunk)
{
    const tied *t = ctx;
    size_t m = t->tie->m, c = t->c_out;
    nset_rows a = { .data = t->sums + first * m * t->k, .row = t->k, .n_seg = 1, .k_seg = t->k };

    sum_rows(ctx, first, last, chunk);
    for (size_t r = first; r < last; r++)
        for (size_t y = 0; y < m; y++)
            memcpy(t->out + (r * m + y) * c, t->bias + t->tie->bias[y] * c, c * sizeof *t->out);
    t->kernels->gemm(t->out + first * m * c, c, (last - first) * m, &a, t->packed, c, NULL);
}

static nset_status tied_forward(nset_run *run, nset_node i, nset_real *out, nset_error *err)
{
    const node *n = &run->net->nodes[i];
    nset_status status;
    tied t;

    if ((status = describe(&t, run, i, err)) != NSET_OK ||
        (status = nset_buffer_need(&run->packed, nset_packed_size(t.k, t.c_out), err)) != NSET_OK)
        return status;
    nset_pack(run->packed.data, nset_run_param(run, n->weight), t.k, t.c_out, t.c_out, 1);
    t.packed = run->packed.data;
    t.out = out;
    nset_parallel_for(run->workers, nset_run_rows(run, i), nset_chunk(t.tie->m * (t.k + t.c_out)), tied_rows, &t);
    return NSET_OK;
}

/* dx (N, channels) += what reached each input through its ties. */
static void scatter(const tied *t, nset_real *dx, const nset_real *dsums)
{
    const nset_tie *tie = t->tie;
    size_t d = t->channels;

    for (size_t y = 0; y < tie->m; y++)
        for (size_t i = 0; i < tie->n; i++) {
            const nset_real *from = dsums + y * t->k + tie->weight[y * tie->n + i] * d;
            for (size_t j = 0; j < d; j++)
                dx[i * d + j] += from[j];
        }
}

static nset_status back_to_x(nset_run *run, const tied *t, int weight, const grads *to, size_t rows, nset_error *err)
{
    size_t m = t->tie->m;
    nset_rows a = { .data = to->g, .row = t->c_out, .n_seg = 1, .k_seg = t->c_out };
    nset_status status;

    if ((status = nset_buffer_need(&run->packed, nset_packed_size(t->c_out, t->k), err)) != NSET_OK)
        return status;
    nset_pack(run->packed.data, nset_run_param(run, weight), t->c_out, t->k, 1, t->c_out);
    memset(t->sums, 0, rows * m * t->k * sizeof *t->sums);
    t->kernels->gemm(t->sums, t->k, rows * m, &a, run->packed.data, t->k, NULL);
    for (size_t r = 0; r < rows; r++)
        scatter(t, to->dx + r * t->tie->n * t->channels, t->sums + r * m * t->k);
    return NSET_OK;
}

static nset_status tied_backward(nset_run *run, nset_node i, const grads *to, nset_error *err)
{
    const node *n = &run->net->nodes[i];
    nset_real *dweight = nset_grad_param(run, to->params, n->weight);
    nset_real *dbias = nset_grad_param(run, to->params, n->bias);
    size_t rows = nset_run_rows(run, i), lines;
    nset_status status;
    tied t;

    if ((status = describe(&t, run, i, err)) != NSET_OK)
        return status;
    lines = rows * t.tie->m;
    sum_rows(&t, 0, rows, 0);
    for (size_t y = 0; y < lines; y++)
        t.kernels->add_rows(dbias + t.tie->bias[y % t.tie->m] * t.c_out, to->g + y * t.c_out, t.c_out, 1, t.c_out);
    for (size_t first = 0; first < lines; first += NSET_TN_ROWS) {
        nset_rows a = { .data = t.sums + first * t.k, .row = t.k, .n_seg = 1, .k_seg = t.k };
        t.kernels->gemm_tn(dweight, t.c_out, &a, lines - first < NSET_TN_ROWS ? lines - first : NSET_TN_ROWS,
            to->g + first * t.c_out, t.c_out, t.c_out);
    }
    return to->dx ? back_to_x(run, &t, n->weight, to, rows, err) : NSET_OK;
}

const layer nset_layer_tied = { tied_forward, tied_backward };
