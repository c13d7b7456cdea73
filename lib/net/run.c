#include "graph.h"

#include <string.h>

#include <neuroset/memory.h>

static const layer *const layers[N_OPS] = {
    [OP_DENSE] = &nset_layer_dense,
    [OP_ACTIVATE] = &nset_layer_activate,
    [OP_NORM] = &nset_layer_norm,
    [OP_DROPOUT] = &nset_layer_dropout,
    [OP_ADD] = &nset_layer_add,
    [OP_CONCAT] = &nset_layer_concat,
    [OP_POOL] = &nset_layer_pool,
    [OP_BROADCAST] = &nset_layer_broadcast,
    [OP_LOG_SIZE] = &nset_layer_log_size,
    [OP_CONV1D] = &nset_layer_conv1d,
    [OP_CONV2D] = &nset_layer_conv2d,
    [OP_DOWN] = &nset_layer_down,
    [OP_UP] = &nset_layer_up,
    [OP_TIED] = &nset_layer_tied,
    [OP_AXIS_MEAN] = &nset_layer_axis_mean,
    [OP_PAIRS] = &nset_layer_pairs,
    [OP_MULTIPLY] = &nset_layer_multiply,
};

nset_status nset_buffer_need(buffer *b, size_t n, nset_error *err)
{
    if (n <= b->size)
        return NSET_OK;
    nset_free(b->data);
    b->size = 0;
    if (!(b->data = nset_calloc(n, sizeof *b->data)))
        return nset_fail_oom(err, n, sizeof *b->data);
    b->size = n;
    return NSET_OK;
}

size_t nset_chunk(size_t numbers_an_item)
{
    return numbers_an_item >= 16384 ? 1 : 16384 / (numbers_an_item ? numbers_an_item : 1);
}

void nset_run_size(const nset_run *run, nset_node i, size_t *height, size_t *width)
{
    int level = run->net->nodes[i].level;

    *height = level < 0 ? 1 : run->batch.height >> level;
    *width = level < 0 ? 1 : run->batch.width >> level;
}

size_t nset_run_pixels(const nset_run *run, nset_node i)
{
    size_t height, width;

    nset_run_size(run, i, &height, &width);
    return height * width;
}

size_t nset_run_images(const nset_run *run, nset_node i)
{
    return run->net->nodes[i].domain == NSET_SET ? run->batch.n_sets : run->n_elements;
}

size_t nset_run_rows(const nset_run *run, nset_node i)
{
    return nset_run_images(run, i) * nset_run_pixels(run, i);
}

const nset_real *nset_run_param(const nset_run *run, int v)
{
    return v < 0 ? NULL : run->net->params + run->net->views[v].param.at;
}

nset_real *nset_grad_param(const nset_run *run, nset_real *params, int v)
{
    return v < 0 ? NULL : params + run->net->views[v].param.at;
}

static size_t node_size(const nset_run *run, nset_node i)
{
    return nset_run_rows(run, i) * run->net->nodes[i].d;
}

/* ---- life ---- */

static void find_last_uses(nset_run *run)
{
    const nset_net *net = run->net;

    for (size_t i = 0; i < net->n_nodes; i++) {
        run->last_use[i] = (int)i;
        if (net->nodes[i].x >= 0)
            run->last_use[net->nodes[i].x] = (int)i;
        if (net->nodes[i].y >= 0)
            run->last_use[net->nodes[i].y] = (int)i;
    }
    for (size_t k = 0; k < net->n_outputs; k++)
        run->last_use[net->outputs[k]] = (int)net->n_nodes;
}

nset_status nset_run_create(nset_run **out, const nset_net *net, nset_workers *workers, nset_error *err)
{
    size_t n = net->n_nodes;
    nset_run *run;

    if (!net->finished)
        return nset_fail(err, NSET_ERR_ARG, "the network is not finished: it cannot run");
    if (!(run = nset_calloc(1, sizeof *run)))
        return nset_fail_oom(err, 1, sizeof *run);
    run->net = net;
    run->workers = workers;
    run->slots = nset_calloc(n, sizeof *run->slots);
    run->slot_of = nset_calloc(n, sizeof *run->slot_of);
    run->last_use = nset_calloc(n, sizeof *run->last_use);
    run->needed = nset_calloc(n, sizeof *run->needed);
    run->value = nset_calloc(n, sizeof *run->value);
    run->grad = nset_calloc(n, sizeof *run->grad);
    run->saved = nset_calloc(n, sizeof *run->saved);
    if (!run->slots || !run->slot_of || !run->last_use || !run->needed || !run->value || !run->grad || !run->saved) {
        nset_run_free(run);
        return nset_fail_oom(err, n, sizeof *run->slots);
    }
    find_last_uses(run);
    *out = run;
    return NSET_OK;
}

void nset_run_free(nset_run *run)
{
    if (!run)
        return;
    for (size_t i = 0; i < run->net->n_nodes; i++) {
        if (run->slots)
            nset_free(run->slots[i].buffer.data);
        if (run->grad)
            nset_free(run->grad[i].data);
        if (run->saved)
            nset_free(run->saved[i].data);
    }
    nset_run_free_groups(run);
    nset_free(run->packed.data);
    nset_free(run->pad.data);
    nset_free(run->pad2.data);
    nset_free(run->slots);
    nset_free(run->slot_of);
    nset_free(run->last_use);
    nset_free(run->needed);
    nset_free(run->value);
    nset_free(run->grad);
    nset_free(run->saved);
    nset_free(run);
}

/* ---- the batch ---- */

static nset_status check_sets(const nset_batch *b, nset_error *err)
{
    if (!b->offsets)
        return nset_fail(err, NSET_ERR_ARG, "a network with elements needs the offsets of its sets");
    if (b->offsets[0] != 0)
        return nset_fail(err, NSET_ERR_ARG, "offsets[0] is %lld, not 0", (long long)b->offsets[0]);
    for (size_t s = 0; s < b->n_sets; s++)
        if (b->offsets[s + 1] < b->offsets[s])
            return nset_fail(err, NSET_ERR_ARG, "offsets decrease at set %zu: %lld after %lld", s,
                (long long)b->offsets[s + 1], (long long)b->offsets[s]);
    return NSET_OK;
}

static nset_status check_images(const nset_net *net, const nset_batch *b, nset_error *err)
{
    size_t step = (size_t)1 << net->top_level;

    if (b->height == 0 || b->width == 0 || b->height % step || b->width % step)
        return nset_fail(err, NSET_ERR_ARG, "images of %zu x %zu pixels: height and width must be multiples of %zu",
            b->height, b->width, step);
    if (b->height > 1u << 20 || b->width > 1u << 20)
        return nset_fail(err, NSET_ERR_ARG, "images of %zu x %zu pixels are too large", b->height, b->width);
    return NSET_OK;
}

static nset_status check_batch(nset_run *run, const nset_batch *b, nset_error *err)
{
    const nset_net *net = run->net;
    nset_status status;

    if (net->has_elements && (status = check_sets(b, err)) != NSET_OK)
        return status;
    if (net->has_images && (status = check_images(net, b, err)) != NSET_OK)
        return status;
    run->batch = *b;
    run->n_elements = net->has_elements ? (size_t)b->offsets[b->n_sets] : 0;
    if ((status = nset_run_find_axes(run, err)) != NSET_OK)
        return status;
    for (size_t i = 0; i < net->n_nodes; i++) {
        const node *n = &net->nodes[i];
        size_t size;
        if (__builtin_mul_overflow(nset_run_images(run, (nset_node)i), n->d, &size) ||
            __builtin_mul_overflow(size, nset_run_pixels(run, (nset_node)i), &size) || size > SIZE_MAX / 64)
            return nset_fail(err, NSET_ERR_ARG, "the batch is too large for this machine's addresses");
        if (n->op == OP_INPUT && size > 0 && (!b->inputs || !b->inputs[n->how]))
            return nset_fail(err, NSET_ERR_ARG, "input %d of the network is missing", n->how);
    }
    return NSET_OK;
}

/* ---- forward ---- */

/* The smallest free slot that is large enough; else the largest free one, grown. */
static nset_status take_slot(nset_run *run, size_t size, int *taken, nset_error *err)
{
    size_t n = run->net->n_nodes;
    int best = -1;

    for (size_t k = 0; k < n; k++) {
        size_t here = run->slots[k].buffer.size, there = best < 0 ? 0 : run->slots[best].buffer.size;
        if (run->slots[k].busy)
            continue;
        if (best < 0 || (here >= size ? there < size || here < there : there < size && here > there))
            best = (int)k;
    }
    run->slots[best].busy = true; /* there are as many slots as nodes */
    *taken = best;
    return nset_buffer_need(&run->slots[best].buffer, size, err);
}

static void release(nset_run *run, nset_node x, nset_node by)
{
    if (x >= 0 && run->slot_of[x] >= 0 && run->last_use[x] <= by)
        run->slots[run->slot_of[x]].busy = false;
}

/* An elementwise function may write over its argument when nobody reads that again. */
static bool in_place(const nset_run *run, nset_node i)
{
    const node *n = &run->net->nodes[i];

    return !run->training && (n->op == OP_ACTIVATE || n->op == OP_DROPOUT) && run->slot_of[n->x] >= 0 &&
           run->last_use[n->x] == i;
}

static nset_status forward_node(nset_run *run, nset_node i, nset_error *err)
{
    const node *n = &run->net->nodes[i];
    nset_status status;
    nset_real *out;

    if (n->op == OP_INPUT) {
        run->slot_of[i] = -1;
        run->value[i] = run->batch.inputs ? run->batch.inputs[n->how] : NULL;
        return NSET_OK;
    }
    if (in_place(run, i))
        run->slot_of[i] = run->slot_of[n->x];
    else if ((status = take_slot(run, node_size(run, i), &run->slot_of[i], err)) != NSET_OK)
        return status;
    out = run->slots[run->slot_of[i]].buffer.data;
    run->value[i] = out;
    if ((status = layers[n->op]->forward(run, i, out, err)) != NSET_OK)
        return status;
    if (!run->training && !in_place(run, i)) {
        release(run, n->x, i);
        release(run, n->y, i);
        release(run, i, i); /* a node nobody reads */
    }
    return NSET_OK;
}

static nset_status forward(nset_run *run, const nset_batch *batch, nset_error *err)
{
    nset_status status;

    run->ready = run->done = false;
    if ((status = check_batch(run, batch, err)) != NSET_OK)
        return status;
    for (size_t k = 0; k < run->net->n_nodes; k++)
        run->slots[k].busy = false;
    for (size_t i = 0; i < run->net->n_nodes; i++)
        if ((status = forward_node(run, (nset_node)i, err)) != NSET_OK)
            return status;
    run->done = true;
    return NSET_OK;
}

nset_status nset_run_forward(nset_run *run, const nset_batch *batch, nset_error *err)
{
    run->training = false;
    return forward(run, batch, err);
}

nset_status nset_run_forward_train(nset_run *run, const nset_batch *batch, uint64_t seed, nset_error *err)
{
    nset_status status;

    run->training = true;
    run->seed = seed;
    if ((status = forward(run, batch, err)) == NSET_OK)
        run->ready = true;
    return status;
}

const nset_real *nset_run_output(const nset_run *run, int k, size_t *n_rows, size_t *d)
{
    nset_node i;

    if (k < 0 || (size_t)k >= run->net->n_outputs || !run->done)
        return NULL;
    i = run->net->outputs[k];
    if (n_rows)
        *n_rows = nset_run_rows(run, i);
    if (d)
        *d = run->net->nodes[i].d;
    return run->value[i];
}

/* ---- backward ---- */

static void find_needed(nset_run *run, nset_real *const *dinputs)
{
    const nset_net *net = run->net;

    for (size_t i = 0; i < net->n_nodes; i++) {
        const node *n = &net->nodes[i];
        run->needed[i] = n->op == OP_INPUT ? dinputs && dinputs[n->how]
                                           : n->weight >= 0 || n->bias >= 0 || (n->x >= 0 && run->needed[n->x]) ||
                                                 (n->y >= 0 && run->needed[n->y]);
    }
}

/* Where the gradient of node i is summed; zeroed when reached for the first time. *to := NULL if not needed. */
static nset_status reach(
    nset_run *run, nset_node i, nset_real *const *dinputs, bool *reached, nset_real **to, nset_error *err)
{
    nset_status status;
    size_t size;

    *to = NULL;
    if (i < 0 || !run->needed[i])
        return NSET_OK;
    if (run->net->nodes[i].op == OP_INPUT) {
        *to = dinputs[run->net->nodes[i].how];
        return NSET_OK;
    }
    size = node_size(run, i);
    if ((status = nset_buffer_need(&run->grad[i], size ? size : 1, err)) != NSET_OK)
        return status;
    *to = run->grad[i].data;
    if (!reached[i])
        memset(*to, 0, size * sizeof **to);
    reached[i] = true;
    return NSET_OK;
}

static nset_status backward_nodes(nset_run *run, const nset_real *const *douts, nset_real *grad,
    nset_real *const *dinputs, bool *reached, nset_error *err)
{
    const nset_net *net = run->net;
    nset_status status;
    nset_real *to;

    for (size_t k = 0; k < net->n_outputs; k++) {
        size_t size = node_size(run, net->outputs[k]);
        if (!douts[k])
            continue;
        if ((status = reach(run, net->outputs[k], dinputs, reached, &to, err)) != NSET_OK)
            return status;
        for (size_t j = 0; to && j < size; j++)
            to[j] += douts[k][j];
    }
    for (nset_node i = (nset_node)net->n_nodes - 1; i >= 0; i--) {
        const node *n = &net->nodes[i];
        grads g = { .g = run->grad[i].data, .params = grad };
        if (n->op == OP_INPUT || !reached[i])
            continue;
        if ((status = reach(run, n->x, dinputs, reached, &g.dx, err)) != NSET_OK ||
            (status = reach(run, n->y, dinputs, reached, &g.dy, err)) != NSET_OK ||
            (status = layers[n->op]->backward(run, i, &g, err)) != NSET_OK)
            return status;
    }
    return NSET_OK;
}

static bool same_shape(const nset_run *run, const nset_batch *b)
{
    if (b->n_sets != run->batch.n_sets || b->height != run->batch.height || b->width != run->batch.width)
        return false;
    return !run->net->has_elements || (b->offsets && (size_t)b->offsets[b->n_sets] == run->n_elements);
}

nset_status nset_run_backward(nset_run *run, const nset_batch *batch, const nset_real *const *douts, nset_real *grad,
    nset_real *const *dinputs, nset_error *err)
{
    nset_status status;
    bool *reached;

    if (!run->ready || !same_shape(run, batch))
        return nset_fail(err, NSET_ERR_ARG, "backward needs nset_run_forward_train on the same batch before it");
    run->batch = *batch;
    for (size_t i = 0; i < run->net->n_nodes; i++)
        if (run->net->nodes[i].op == OP_INPUT)
            run->value[i] = batch->inputs ? batch->inputs[run->net->nodes[i].how] : NULL;
    if (!(reached = nset_calloc(run->net->n_nodes, sizeof *reached)))
        return nset_fail_oom(err, run->net->n_nodes, sizeof *reached);
    find_needed(run, dinputs);
    status = backward_nodes(run, douts, grad, dinputs, reached, err);
    nset_free(reached);
    return status;
}
