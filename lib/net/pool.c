/* Pools from elements to sets, per channel and pixel; the same bytes for any order of a set's elements. */
#include "graph.h"

#include <math.h>
#include <string.h>

#include "../math/exact.h"
#include "../math/kernels.h"

typedef struct pool_job {
    const nset_kernels *kernels;
    const int64_t *offsets;
    const nset_real *x;
    nset_real *out;
    nset_real *weights, *totals; /* NSET_POOL_LSE: e^(z - m) (n, size) and their sums (S, size) */
    size_t size, n_blocks;       /* numbers of an element; blocks of channels in it */
    int how;
} pool_job;

#ifdef NSET_DOUBLE

void nset_block_sums(double *sums, const nset_real *x, size_t n, size_t d, size_t stride)
{
    memset(sums, 0, d * sizeof *sums);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < d; j++)
            sums[j] += x[i * stride + j];
}

#else

void nset_block_sums(double *sums, const nset_real *x, size_t n, size_t d, size_t stride)
{
    nset_exact_sums(sums, x, n, d, stride);
}

#endif

static void largest_block(const pool_job *p, nset_real *out, nset_real sign, const nset_real *x, size_t n, size_t d)
{
    p->kernels->largest(out, sign, x, n, d, p->size);
    for (size_t j = 0; j < d; j++)
        out[j] = isnan(out[j]) ? (nset_real)NAN : sign * out[j] + 0; /* one NaN, one zero */
}

/* m + log(mean(e^(z - m))), m = max z. */
static void lse_block(
    const pool_job *p, size_t at, nset_real *out, nset_real *total, const nset_real *x, size_t n, size_t d)
{
    double sums[NSET_POOL_BLOCK];
    nset_real mean[NSET_POOL_BLOCK], *w = p->weights + at;

    largest_block(p, out, 1, x, n, d);
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < d; j++)
            w[i * p->size + j] = x[i * p->size + j] - out[j];
        p->kernels->exp(w + i * p->size, w + i * p->size, d);
    }
    nset_block_sums(sums, w, n, d, p->size);
    for (size_t j = 0; j < d; j++) {
        total[j] = (nset_real)sums[j];
        mean[j] = (nset_real)(sums[j] / (double)n);
    }
    p->kernels->log(mean, mean, d);
    for (size_t j = 0; j < d; j++)
        out[j] += mean[j];
}

/* Items are blocks of channels of sets. */
static void pool_blocks(void *ctx, size_t first, size_t last, size_t chunk)
{
    const pool_job *p = ctx;
    double sums[NSET_POOL_BLOCK];

    (void)chunk;
    for (size_t item = first; item < last; item++) {
        size_t s = item / p->n_blocks, j = item % p->n_blocks * NSET_POOL_BLOCK;
        size_t d = p->size - j < NSET_POOL_BLOCK ? p->size - j : NSET_POOL_BLOCK;
        size_t begin = (size_t)p->offsets[s], n = (size_t)p->offsets[s + 1] - begin, at = begin * p->size + j;
        nset_real *out = p->out + s * p->size + j;
        if (n == 0)
            memset(out, 0, d * sizeof *out);
        else if (p->how == NSET_POOL_LSE)
            lse_block(p, at, out, p->totals + s * p->size + j, p->x + at, n, d);
        else if (p->how == NSET_POOL_MAX || p->how == NSET_POOL_MIN)
            largest_block(p, out, p->how == NSET_POOL_MAX ? 1 : -1, p->x + at, n, d);
        else {
            nset_block_sums(sums, p->x + at, n, d, p->size);
            for (size_t k = 0; k < d; k++)
                out[k] = (nset_real)(p->how == NSET_POOL_MEAN ? sums[k] / (double)n : sums[k]);
        }
    }
}

static nset_status pool_forward(nset_run *run, nset_node i, nset_real *out, nset_error *err)
{
    const node *n = &run->net->nodes[i];
    size_t size = nset_run_pixels(run, i) * n->d, n_sets = run->batch.n_sets, n_rows;
    pool_job p = { .kernels = nset_kernels_now(),
        .offsets = run->batch.offsets,
        .x = run->value[n->x],
        .out = out,
        .size = size,
        .n_blocks = (size + NSET_POOL_BLOCK - 1) / NSET_POOL_BLOCK,
        .how = n->how };
    nset_status status;

    n_rows = (size_t)p.offsets[n_sets];
    if (n->how == NSET_POOL_LSE) {
        if ((status = nset_buffer_need(&run->saved[i], (n_rows + n_sets) * size, err)) != NSET_OK)
            return status;
        p.weights = run->saved[i].data;
        p.totals = p.weights + n_rows * size;
    }
    nset_parallel_for(
        run->workers, n_sets * p.n_blocks, nset_chunk((n_rows / (n_sets ? n_sets : 1) + 1) * 64), pool_blocks, &p);
    return NSET_OK;
}

/* One block of channels of one set of n elements: pointers at its first number, rows size apart. */
typedef struct pool_block {
    nset_real *dx;
    const nset_real *g, *x, *y, *weights, *total;
    size_t n, d, size;
} pool_block;

/* What each channel hands to one element (to each that is the largest; times its weight). */
static void find_shares(int how, const pool_block *b, nset_real *share)
{
    nset_real ties[NSET_POOL_BLOCK] = { 0 };

    for (size_t e = 0; (how == NSET_POOL_MAX || how == NSET_POOL_MIN) && e < b->n; e++)
        for (size_t j = 0; j < b->d; j++)
            ties[j] += b->x[e * b->size + j] == b->y[j] ? 1 : 0;
    for (size_t j = 0; j < b->d; j++) {
        share[j] = b->g[j];
        if (how == NSET_POOL_MEAN)
            share[j] /= (nset_real)b->n;
        else if (how == NSET_POOL_LSE)
            share[j] /= b->total[j];
        else if (how != NSET_POOL_SUM)
            share[j] = ties[j] > 0 ? share[j] / ties[j] : 0; /* none is equal to NaN */
    }
}

static void pool_back_block(int how, const pool_block *b)
{
    nset_real share[NSET_POOL_BLOCK];

    find_shares(how, b, share);
    for (size_t e = 0; e < b->n; e++) {
        const nset_real *x = b->x + e * b->size, *w = b->weights + (b->weights ? e * b->size : 0);
        nset_real *dx = b->dx + e * b->size;
        if (how == NSET_POOL_LSE)
            for (size_t j = 0; j < b->d; j++)
                dx[j] += share[j] * w[j];
        else if (how == NSET_POOL_MAX || how == NSET_POOL_MIN)
            for (size_t j = 0; j < b->d; j++)
                dx[j] += x[j] == b->y[j] ? share[j] : 0;
        else
            for (size_t j = 0; j < b->d; j++)
                dx[j] += share[j];
    }
}

static nset_status pool_backward(nset_run *run, nset_node i, const grads *to, nset_error *err)
{
    const node *n = &run->net->nodes[i];
    const int64_t *offsets = run->batch.offsets;
    size_t size = nset_run_pixels(run, i) * n->d, n_sets = run->batch.n_sets;
    const nset_real *weights = n->how == NSET_POOL_LSE ? run->saved[i].data : NULL;

    (void)err;
    for (size_t s = 0; to->dx && s < n_sets; s++)
        for (size_t j = 0; j < size; j += NSET_POOL_BLOCK) {
            size_t at = (size_t)offsets[s] * size + j, of_set = s * size + j;
            pool_block b = { to->dx + at, to->g + of_set, run->value[n->x] + at, run->value[i] + of_set, NULL, NULL,
                (size_t)(offsets[s + 1] - offsets[s]), size - j < NSET_POOL_BLOCK ? size - j : NSET_POOL_BLOCK, size };
            if (weights) {
                b.weights = weights + at;
                b.total = weights + (size_t)offsets[n_sets] * size + of_set;
            }
            if (b.n > 0)
                pool_back_block(n->how, &b);
        }
    return NSET_OK;
}

const layer nset_layer_pool = { pool_forward, pool_backward };

static nset_status log_size_forward(nset_run *run, nset_node i, nset_real *out, nset_error *err)
{
    (void)i;
    (void)err;
    for (size_t s = 0; s < run->batch.n_sets; s++)
        out[s] = (nset_real)(1 + run->batch.offsets[s + 1] - run->batch.offsets[s]);
    nset_kernels_now()->log(out, out, run->batch.n_sets);
    return NSET_OK;
}

static nset_status log_size_backward(nset_run *run, nset_node i, const grads *to, nset_error *err)
{
    (void)run;
    (void)i;
    (void)to;
    (void)err;
    return NSET_OK;
}

const layer nset_layer_log_size = { log_size_forward, log_size_backward };
