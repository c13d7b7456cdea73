#include "graph.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include <neuroset/memory.h>
#include <neuroset/random.h>

typedef struct trial {
    const nset_net *net;
    const nset_batch *batch;
    size_t *order;      /* (n) element e of the permuted batch is element order[e] of the batch */
    nset_real **inputs; /* permuted copies; NULL for inputs of sets */
    nset_real **base;   /* outputs of the batch as it is */
    uint32_t *was[NSET_MAX_AXES], *axes[NSET_MAX_AXES]; /* coordinates, as they are and permuted */
} trial;

static size_t image_size(const nset_batch *b, const node *n)
{
    return n->level < 0 ? n->d : n->d * (b->height >> n->level) * (b->width >> n->level);
}

static size_t images(const nset_batch *b, const node *n)
{
    return n->domain == NSET_SET ? b->n_sets : (size_t)b->offsets[b->n_sets];
}

static void trial_fini(trial *t)
{
    for (int k = 0; t->inputs && k < t->net->n_inputs; k++)
        nset_free(t->inputs[k]);
    for (size_t k = 0; t->base && k < t->net->n_outputs; k++)
        nset_free(t->base[k]);
    for (size_t a = 0; a < NSET_MAX_AXES; a++) {
        nset_free(t->was[a]);
        nset_free(t->axes[a]);
    }
    nset_free(t->inputs);
    nset_free(t->base);
    nset_free(t->order);
}

/* Room for the copies, and the outputs of the batch as it is. */
static nset_status trial_init(trial *t, nset_run *run, nset_error *err)
{
    const nset_net *net = t->net;
    size_t n = net->has_elements ? (size_t)t->batch->offsets[t->batch->n_sets] : 0;

    t->order = nset_calloc(n, sizeof *t->order);
    t->inputs = nset_calloc((size_t)net->n_inputs, sizeof *t->inputs);
    t->base = nset_calloc(net->n_outputs, sizeof *t->base);
    if (!t->order || !t->inputs || !t->base)
        return nset_fail_oom(err, n, sizeof *t->order);
    for (size_t i = 0; i < net->n_nodes; i++) {
        const node *in = &net->nodes[i];
        size_t size = image_size(t->batch, in);
        if (in->op == OP_INPUT && in->domain == NSET_ELEMENT &&
            !(t->inputs[in->how] = nset_calloc(n * size, sizeof(nset_real))))
            return nset_fail_oom(err, n * size, sizeof(nset_real));
    }
    for (size_t a = 0; a < net->n_axes; a++) {
        t->was[a] = nset_calloc(n, sizeof *t->was[a]);
        t->axes[a] = nset_calloc(n, sizeof *t->axes[a]);
        if (!t->was[a] || !t->axes[a])
            return nset_fail_oom(err, n, sizeof *t->axes[a]);
        if (n)
            memcpy(t->was[a], run->axis[a], n * sizeof *t->was[a]);
    }
    for (size_t k = 0; k < net->n_outputs; k++) {
        size_t rows, d;
        const nset_real *out = nset_run_output(run, (int)k, &rows, &d);
        if (!(t->base[k] = nset_calloc(rows * d, sizeof(nset_real))))
            return nset_fail_oom(err, rows * d, sizeof(nset_real));
        if (rows)
            memcpy(t->base[k], out, rows * d * sizeof *out);
    }
    return NSET_OK;
}

/* A new order within each set, and the inputs in it. */
static void permute(trial *t, nset_random *r)
{
    const nset_batch *b = t->batch;

    for (size_t s = 0; t->net->has_elements && s < b->n_sets; s++) {
        size_t begin = (size_t)b->offsets[s], end = (size_t)b->offsets[s + 1];
        for (size_t e = begin; e < end; e++)
            t->order[e] = e;
        nset_random_shuffle(r, t->order + begin, end - begin);
        for (size_t a = 0; a < t->net->n_axes; a++)
            for (size_t e = begin; e < end; e++)
                t->axes[a][e] = t->was[a][t->order[e]];
    }
    for (size_t i = 0; i < t->net->n_nodes; i++) {
        const node *in = &t->net->nodes[i];
        size_t size = image_size(b, in);
        if (in->op == OP_INPUT && in->domain == NSET_ELEMENT)
            for (size_t e = 0; e < images(b, in); e++)
                memcpy(
                    t->inputs[in->how] + e * size, b->inputs[in->how] + t->order[e] * size, size * sizeof(nset_real));
    }
}

static double difference(const nset_real *a, const nset_real *b, size_t n)
{
    double worst = 0;

    for (size_t j = 0; j < n; j++) {
        double d = fabs((double)a[j] - (double)b[j]);
        if (memcmp(&a[j], &b[j], sizeof a[j]) == 0) /* covers NaN and Inf */
            continue;
        if (isnan(d))
            return INFINITY;
        d = d > 0 ? d : DBL_TRUE_MIN; /* zeros of different sign are different bits */
        worst = d > worst ? d : worst;
    }
    return worst;
}

static double worst_output(const trial *t, const nset_run *run)
{
    double worst = 0;

    for (size_t k = 0; k < t->net->n_outputs; k++) {
        const node *n = &t->net->nodes[t->net->outputs[k]];
        const nset_real *out = nset_run_output(run, (int)k, NULL, NULL);
        size_t size = image_size(t->batch, n);
        for (size_t e = 0; e < images(t->batch, n); e++) {
            size_t was = n->domain == NSET_ELEMENT ? t->order[e] : e;
            worst = fmax(worst, difference(out + e * size, t->base[k] + was * size, size));
        }
    }
    return worst;
}

nset_status nset_equivariance_check(double *deviation, const nset_net *net, const nset_batch *batch,
    size_t n_permutations, uint64_t seed, nset_error *err)
{
    trial t = { .net = net, .batch = batch };
    nset_batch permuted = *batch;
    const nset_real **inputs = NULL;
    nset_run *run = NULL;
    double worst = 0;
    nset_status status;

    if ((status = nset_run_create(&run, net, NULL, err)) != NSET_OK ||
        (status = nset_run_forward(run, batch, err)) != NSET_OK || (status = trial_init(&t, run, err)) != NSET_OK)
        goto done;
    if (!(inputs = nset_calloc((size_t)net->n_inputs, sizeof *inputs))) {
        status = nset_fail_oom(err, (size_t)net->n_inputs, sizeof *inputs);
        goto done;
    }
    for (int k = 0; k < net->n_inputs; k++)
        inputs[k] = t.inputs[k] ? t.inputs[k] : batch->inputs[k];
    permuted.inputs = inputs;
    permuted.axes = (const uint32_t *const *)t.axes;
    permuted.n_axes = net->n_axes;
    permuted.shape = NULL;
    for (size_t p = 0; p < n_permutations; p++) {
        nset_random r = nset_random_stream(seed, "permutation", p);
        permute(&t, &r);
        if ((status = nset_run_forward(run, &permuted, err)) != NSET_OK)
            goto done;
        worst = fmax(worst, worst_output(&t, run));
    }
    *deviation = worst;

done:
    trial_fini(&t);
    nset_free(inputs);
    nset_run_free(run);
    return status;
}
