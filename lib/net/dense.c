/* y = x W + b on rows, and the same with a row of its own for each set in place of b (equivariant layers). */
#include "graph.h"

#include <string.h>

#include "../math/kernels.h"

typedef struct product {
    const nset_kernels *kernels;
    nset_real *out;
    const nset_real *x, *packed, *bias;
    size_t k, n;
} product;

static void product_rows(void *ctx, size_t first, size_t last, size_t chunk)
{
    const product *p = ctx;
    nset_rows a = { .data = p->x + first * p->k, .row = p->k, .n_seg = 1, .k_seg = p->k };

    (void)chunk;
    p->kernels->gemm(p->out + first * p->n, p->n, last - first, &a, p->packed, p->n, p->bias);
}

static size_t product_chunk(size_t k, size_t n)
{
    size_t rows = nset_chunk(k > n ? k : n) / 12 * 12; /* whole register tiles */

    return rows ? rows : 12;
}

/* Row set s of from for each of the set's rows. */
static void spread(const nset_run *run, nset_node of, nset_real *out, const nset_real *from)
{
    size_t size = nset_run_pixels(run, of) * run->net->nodes[of].d;

    for (size_t s = 0; s < run->batch.n_sets; s++)
        for (int64_t e = run->batch.offsets[s]; e < run->batch.offsets[s + 1]; e++)
            memcpy(out + (size_t)e * size, from + s * size, size * sizeof *out);
}

/* dfrom += the sum over each set's rows, in order. */
static void gather(const nset_run *run, nset_node of, nset_real *dfrom, const nset_real *g)
{
    size_t size = nset_run_pixels(run, of) * run->net->nodes[of].d;

    for (size_t s = 0; s < run->batch.n_sets; s++)
        for (int64_t e = run->batch.offsets[s]; e < run->batch.offsets[s + 1]; e++)
            for (size_t j = 0; j < size; j++)
                dfrom[s * size + j] += g[(size_t)e * size + j];
}

static nset_status dense_forward(nset_run *run, nset_node i, nset_real *out, nset_error *err)
{
    const node *n = &run->net->nodes[i];
    size_t k = run->net->nodes[n->x].d;
    nset_status status;
    product p;

    if ((status = nset_buffer_need(&run->packed, nset_packed_size(k, n->d), err)) != NSET_OK)
        return status;
    nset_pack(run->packed.data, nset_run_param(run, n->weight), k, n->d, n->d, 1);
    if (n->y >= 0)
        spread(run, i, out, run->value[n->y]);
    p = (product){ nset_kernels_now(), out, run->value[n->x], run->packed.data, nset_run_param(run, n->bias), k, n->d };
    nset_parallel_for(run->workers, nset_run_rows(run, i), product_chunk(k, n->d), product_rows, &p);
    return NSET_OK;
}

static nset_status dense_backward(nset_run *run, nset_node i, const grads *to, nset_error *err)
{
    const node *n = &run->net->nodes[i];
    const nset_kernels *kernels = nset_kernels_now();
    size_t k = run->net->nodes[n->x].d, m = nset_run_rows(run, i);
    nset_real *dweight = nset_grad_param(run, to->params, n->weight);
    nset_real *dbias = nset_grad_param(run, to->params, n->bias);
    nset_status status;

    if (dbias)
        kernels->add_rows(dbias, to->g, n->d, m, n->d);
    if (to->dy)
        gather(run, i, to->dy, to->g);
    for (size_t first = 0; first < m; first += NSET_TN_ROWS) {
        size_t rows = m - first < NSET_TN_ROWS ? m - first : NSET_TN_ROWS;
        nset_rows a = { .data = run->value[n->x] + first * k, .row = k, .n_seg = 1, .k_seg = k };
        kernels->gemm_tn(dweight, n->d, &a, rows, to->g + first * n->d, n->d, n->d);
    }
    if (to->dx) {
        product p = { kernels, to->dx, to->g, NULL, NULL, n->d, k };
        if ((status = nset_buffer_need(&run->packed, nset_packed_size(n->d, k), err)) != NSET_OK)
            return status;
        nset_pack(run->packed.data, nset_run_param(run, n->weight), n->d, k, 1, n->d);
        p.packed = run->packed.data;
        nset_parallel_for(run->workers, m, product_chunk(k, n->d), product_rows, &p);
    }
    return NSET_OK;
}

const layer nset_layer_dense = { dense_forward, dense_backward };

static nset_status broadcast_forward(nset_run *run, nset_node i, nset_real *out, nset_error *err)
{
    (void)err;
    spread(run, i, out, run->value[run->net->nodes[i].x]);
    return NSET_OK;
}

static nset_status broadcast_backward(nset_run *run, nset_node i, const grads *to, nset_error *err)
{
    (void)err;
    if (to->dx)
        gather(run, i, to->dx, to->g);
    return NSET_OK;
}

const layer nset_layer_broadcast = { broadcast_forward, broadcast_backward };
