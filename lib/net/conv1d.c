/* Convolution of the sequences in rows: a product whose lines overlap in a copy of the row with zeros at both ends. */
#include "graph.h"

#include <string.h>

#include "../math/kernels.h"

typedef struct conv1d {
    const nset_kernels *kernels;
    const node *n;
    const nset_real *x, *packed, *bias;
    nset_real *out, *pad;
    size_t d_x, d_pad; /* numbers of a row; with its ends */
    size_t steps, c_out;
} conv1d;

static conv1d describe(nset_run *run, nset_node i, nset_real *out)
{
    const node *n = &run->net->nodes[i];
    size_t steps = (n->length + n->stride - 1) / n->stride;

    return (conv1d){ .kernels = nset_kernels_now(),
        .n = n,
        .x = run->value[n->x],
        .bias = nset_run_param(run, n->bias),
        .out = out,
        .d_x = n->length * n->channels,
        .d_pad = (n->length + n->kernel - 1) * n->channels,
        .steps = steps,
        .c_out = n->d / steps };
}

static void pad_rows(void *ctx, size_t first, size_t last, size_t chunk)
{
    const conv1d *v = ctx;
    size_t margin = v->n->kernel / 2 * v->n->channels;

    (void)chunk;
    for (size_t r = first; r < last; r++) {
        nset_real *to = v->pad + r * v->d_pad;
        memset(to, 0, margin * sizeof *to);
        memcpy(to + margin, v->x + r * v->d_x, v->d_x * sizeof *to);
        memset(to + margin + v->d_x, 0, margin * sizeof *to);
    }
}

static nset_rows lines_of(const conv1d *v, size_t row)
{
    return (nset_rows){ .data = v->pad + row * v->d_pad,
        .row = v->n->stride * v->n->channels,
        .seg = v->d_pad,
        .n_seg = 1,
        .k_seg = v->n->kernel * v->n->channels };
}

static void conv_rows(void *ctx, size_t first, size_t last, size_t chunk)
{
    const conv1d *v = ctx;

    pad_rows(ctx, first, last, chunk);
    for (size_t r = first; r < last; r++) {
        nset_rows a = lines_of(v, r);
        v->kernels->gemm(v->out + r * v->n->d, v->c_out, v->steps, &a, v->packed, v->c_out, v->bias);
    }
}

static nset_status conv1d_forward(nset_run *run, nset_node i, nset_real *out, nset_error *err)
{
    conv1d v = describe(run, i, out);
    size_t rows = nset_run_rows(run, i), k = v.n->kernel * v.n->channels;
    nset_status status;

    if ((status = nset_buffer_need(&run->packed, nset_packed_size(k, v.c_out), err)) != NSET_OK ||
        (status = nset_buffer_need(&run->pad, rows * v.d_pad, err)) != NSET_OK)
        return status;
    nset_pack(run->packed.data, nset_run_param(run, v.n->weight), k, v.c_out, v.c_out, 1);
    v.packed = run->packed.data;
    v.pad = run->pad.data;
    nset_parallel_for(run->workers, rows, nset_chunk(v.d_pad > v.n->d ? v.d_pad : v.n->d), conv_rows, &v);
    return NSET_OK;
}

/* The gradient at the lines of the padded row, added where they lie. */
static void add_lines(const conv1d *v, nset_real *dx, const nset_real *lines)
{
    size_t k = v->n->kernel * v->n->channels, margin = v->n->kernel / 2 * v->n->channels;

    for (size_t s = 0; s < v->steps; s++, lines += k) {
        size_t at = s * v->n->stride * v->n->channels; /* in the padded row */
        size_t from = at < margin ? margin - at : 0, to = k;
        if (at + to > margin + v->d_x)
            to = margin + v->d_x - at;
        for (size_t j = from; j < to; j++)
            dx[at + j - margin] += lines[j];
    }
}

static nset_status back_to_x(nset_run *run, conv1d *v, nset_real *dx, const nset_real *g, size_t rows, nset_error *err)
{
    size_t k = v->n->kernel * v->n->channels;
    nset_rows a = { .row = v->c_out, .n_seg = 1, .k_seg = v->c_out };
    nset_status status;

    if ((status = nset_buffer_need(&run->packed, nset_packed_size(v->c_out, k), err)) != NSET_OK ||
        (status = nset_buffer_need(&run->pad2, v->steps * k, err)) != NSET_OK)
        return status;
    nset_pack(run->packed.data, nset_run_param(run, v->n->weight), v->c_out, k, 1, v->c_out);
    for (size_t r = 0; r < rows; r++) {
        memset(run->pad2.data, 0, v->steps * k * sizeof *run->pad2.data);
        a.data = g + r * v->n->d;
        v->kernels->gemm(run->pad2.data, k, v->steps, &a, run->packed.data, k, NULL);
        add_lines(v, dx + r * v->d_x, run->pad2.data);
    }
    return NSET_OK;
}

/* Several rows a call, as long as their steps fit. */
static void back_to_weight(const conv1d *v, nset_real *dweight, const nset_real *g, size_t rows)
{
    size_t together = v->steps < NSET_TN_ROWS ? NSET_TN_ROWS / v->steps : 1;

    for (size_t r = 0; r < rows; r += together) {
        for (size_t s = 0; s < v->steps; s += NSET_TN_ROWS) {
            nset_rows a = lines_of(v, r);
            size_t left = v->steps - s;
            a.data += s * a.row;
            a.n_seg = rows - r < together ? rows - r : together;
            v->kernels->gemm_tn(dweight, v->c_out, &a, left < NSET_TN_ROWS ? left : NSET_TN_ROWS,
                g + r * v->n->d + s * v->c_out, v->c_out, v->c_out);
        }
    }
}

static nset_status conv1d_backward(nset_run *run, nset_node i, const grads *to, nset_error *err)
{
    conv1d v = describe(run, i, NULL);
    size_t rows = nset_run_rows(run, i);
    nset_status status;

    if ((status = nset_buffer_need(&run->pad, rows * v.d_pad, err)) != NSET_OK)
        return status;
    v.pad = run->pad.data;
    pad_rows(&v, 0, rows, 0);
    v.kernels->add_rows(nset_grad_param(run, to->params, v.n->bias), to->g, v.c_out, rows * v.steps, v.c_out);
    back_to_weight(&v, nset_grad_param(run, to->params, v.n->weight), to->g, rows);
    return to->dx ? back_to_x(run, &v, to->dx, to->g, rows, err) : NSET_OK;
}

const layer nset_layer_conv1d = { conv1d_forward, conv1d_backward };
