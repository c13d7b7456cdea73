/* Means along the axes of exchangeable matrices and tensors: elements that share coordinates form groups. */
#include "graph.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <neuroset/memory.h>

#include "../math/kernels.h"

static void groups_fini(groups *g)
{
    nset_free(g->order);
    nset_free(g->start);
    nset_free(g->of);
    *g = (groups){ 0 };
}

void nset_run_free_groups(nset_run *run)
{
    for (unsigned mask = 0; mask < NSET_MAX_MASKS; mask++)
        groups_fini(&run->groups[mask]);
    for (size_t a = 0; a < NSET_MAX_AXES; a++)
        nset_free(run->coordinates[a]);
}

/* ---- coordinates ---- */

/* Those of complete tensors in row order, axis 0 slowest. */
static nset_status imply_coordinates(nset_run *run, nset_error *err)
{
    const nset_batch *b = &run->batch;
    size_t n_axes = b->n_axes;

    for (size_t a = 0; a < n_axes; a++) {
        nset_free(run->coordinates[a]);
        if (!(run->coordinates[a] = nset_calloc(run->n_elements, sizeof **run->coordinates)))
            return nset_fail_oom(err, run->n_elements, sizeof **run->coordinates);
    }
    for (size_t s = 0; s < b->n_sets; s++) {
        const size_t *shape = b->shape + s * n_axes;
        size_t n = 1, have = (size_t)(b->offsets[s + 1] - b->offsets[s]);
        for (size_t a = 0; a < n_axes; a++)
            if (__builtin_mul_overflow(n, shape[a], &n))
                n = SIZE_MAX;
        if (n != have)
            return nset_fail(err, NSET_ERR_ARG, "set %zu has %zu elements, its shape asks for %zu", s, have, n);
        for (size_t e = 0; e < n; e++)
            for (size_t a = n_axes, left = e; a-- > 0; left /= shape[a])
                run->coordinates[a][(size_t)b->offsets[s] + e] = (uint32_t)(left % shape[a]);
    }
    return NSET_OK;
}

nset_status nset_run_find_axes(nset_run *run, nset_error *err)
{
    const nset_batch *b = &run->batch;
    nset_status status;

    for (unsigned mask = 0; mask < NSET_MAX_MASKS; mask++)
        run->groups[mask].made = false;
    if (run->net->n_axes == 0)
        return NSET_OK;
    if (b->n_axes < run->net->n_axes || b->n_axes > NSET_MAX_AXES || (!b->axes && !b->shape))
        return nset_fail(err, NSET_ERR_ARG,
            "the network has elements with %zu axes, the batch gives %zu; it needs axes or shape", run->net->n_axes,
            b->axes || b->shape ? b->n_axes : 0);
    if (!b->axes && (status = imply_coordinates(run, err)) != NSET_OK)
        return status;
    for (size_t a = 0; a < b->n_axes; a++)
        run->axis[a] = b->axes ? b->axes[a] : run->coordinates[a];
    return NSET_OK;
}

/* ---- groups ---- */

typedef struct keys {
    const uint32_t *axis[NSET_MAX_AXES]; /* those kept */
    size_t n;
} keys;

static int compare_keys(const keys *k, uint32_t e, uint32_t f)
{
    for (size_t a = 0; a < k->n; a++)
        if (k->axis[a][e] != k->axis[a][f])
            return k->axis[a][e] < k->axis[a][f] ? -1 : 1;
    return 0;
}

static int by_keys(const void *a, const void *b, void *ctx)
{
    uint32_t e = *(const uint32_t *)a, f = *(const uint32_t *)b;
    int order = compare_keys(ctx, e, f);

    return order ? order : e < f ? -1 : e > f;
}

/* Elements of each set sorted by their kept coordinates, cut where these change. */
static nset_status make_groups(nset_run *run, unsigned mask, nset_error *err)
{
    groups *g = &run->groups[mask];
    const int64_t *offsets = run->batch.offsets;
    size_t n = run->n_elements;
    keys k = { .n = 0 };

    if (n > UINT32_MAX - 1)
        return nset_fail(err, NSET_ERR_ARG, "%zu elements with axes are more than 2^32 - 2", n);
    if (n > g->capacity || !g->start) {
        groups_fini(g);
        g->order = nset_calloc(n, sizeof *g->order);
        g->of = nset_calloc(n, sizeof *g->of);
        g->start = nset_calloc(n + 1, sizeof *g->start);
        if (!g->order || !g->of || !g->start)
            return nset_fail_oom(err, n, sizeof *g->order);
        g->capacity = n;
    }
    for (size_t a = 0; a < run->net->n_axes; a++)
        if (mask >> a & 1)
            k.axis[k.n++] = run->axis[a];
    for (size_t e = 0; e < n; e++)
        g->order[e] = (uint32_t)e;
    g->n = 0;
    for (size_t s = 0; s < run->batch.n_sets; s++) {
        size_t first = (size_t)offsets[s], last = (size_t)offsets[s + 1];
        if (k.n > 0)
            qsort_r(g->order + first, last - first, sizeof *g->order, by_keys, &k);
        for (size_t e = first; e < last; e++) {
            if (e == first || compare_keys(&k, g->order[e - 1], g->order[e]) != 0)
                g->start[g->n++] = (uint32_t)e;
            g->of[g->order[e]] = (uint32_t)(g->n - 1);
        }
    }
    g->start[g->n] = (uint32_t)n;
    g->made = true;
    return NSET_OK;
}

/* ---- the mean ---- */

typedef struct mean_job {
    const groups *g;
    const nset_real *x, *seen;
    nset_real *out, *members; /* (n, d) each; members in the order of the groups */
    size_t d;
} mean_job;

static size_t gather(const mean_job *j, size_t group)
{
    nset_real *to = j->members + (size_t)j->g->start[group] * j->d;
    size_t n = 0;

    for (uint32_t k = j->g->start[group]; k < j->g->start[group + 1]; k++) {
        size_t e = j->g->order[k];
        if (!j->seen || j->seen[e] != 0)
            memcpy(to + n++ * j->d, j->x + e * j->d, j->d * sizeof *to);
    }
    return n;
}

static void mean_groups(void *ctx, size_t first, size_t last, size_t chunk)
{
    const mean_job *j = ctx;
    double sums[NSET_POOL_BLOCK];
    nset_real mean[NSET_POOL_BLOCK];

    (void)chunk;
    for (size_t group = first; group < last; group++) {
        const nset_real *members = j->members + (size_t)j->g->start[group] * j->d;
        size_t n = gather(j, group);
        for (size_t at = 0; at < j->d; at += NSET_POOL_BLOCK) {
            size_t width = j->d - at < NSET_POOL_BLOCK ? j->d - at : NSET_POOL_BLOCK;
            memset(mean, 0, sizeof mean);
            if (n > 0)
                nset_block_sums(sums, members + at, n, width, j->d);
            for (size_t c = 0; n > 0 && c < width; c++)
                mean[c] = (nset_real)(sums[c] / (double)n);
            for (uint32_t k = j->g->start[group]; k < j->g->start[group + 1]; k++)
                memcpy(j->out + (size_t)j->g->order[k] * j->d + at, mean, width * sizeof *mean);
        }
    }
}

static nset_status mean_forward(nset_run *run, nset_node i, nset_real *out, nset_error *err)
{
    const node *n = &run->net->nodes[i];
    groups *g = &run->groups[n->how];
    nset_status status;

    if ((!g->made && (status = make_groups(run, (unsigned)n->how, err)) != NSET_OK) ||
        (status = nset_buffer_need(&run->pad, run->n_elements * n->d, err)) != NSET_OK)
        return status;
    nset_parallel_for(run->workers, g->n, nset_chunk((run->n_elements / (g->n ? g->n : 1) + 1) * n->d), mean_groups,
        &(mean_job){ g, run->value[n->x], n->y < 0 ? NULL : run->value[n->y], out, run->pad.data, n->d });
    return NSET_OK;
}

/* dx of each member += the sum of g over the group / members. */
static nset_status mean_backward(nset_run *run, nset_node i, const grads *to, nset_error *err)
{
    const node *n = &run->net->nodes[i];
    const groups *g = &run->groups[n->how];
    const nset_real *seen = n->y < 0 ? NULL : run->value[n->y];
    nset_real *sum;
    nset_status status;

    if (!to->dx)
        return NSET_OK;
    if ((status = nset_buffer_need(&run->pad, n->d, err)) != NSET_OK)
        return status;
    sum = run->pad.data;
    for (size_t group = 0; group < g->n; group++) {
        nset_real members = 0;
        memset(sum, 0, n->d * sizeof *sum);
        for (uint32_t k = g->start[group]; k < g->start[group + 1]; k++) {
            members += !seen || seen[g->order[k]] != 0 ? 1 : 0;
            for (size_t c = 0; c < n->d; c++)
                sum[c] += to->g[g->order[k] * n->d + c];
        }
        for (uint32_t k = g->start[group]; k < g->start[group + 1]; k++)
            for (size_t c = 0; (!seen || seen[g->order[k]] != 0) && c < n->d; c++)
                to->dx[g->order[k] * n->d + c] += sum[c] / members;
    }
    return NSET_OK;
}

const layer nset_layer_axis_mean = { mean_forward, mean_backward };
