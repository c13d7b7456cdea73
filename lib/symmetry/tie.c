#include <neuroset/group.h>

#include <string.h>

#include <neuroset/memory.h>

#include "closure.h"

#define MAX_PAIRS ((size_t)1 << 28)

static uint32_t find(uint32_t *parent, uint32_t x)
{
    while (parent[x] != x)
        x = parent[x] = parent[parent[x]];
    return x;
}

/* The smaller root wins, so that a root is the first member of its orbit. */
static void join(uint32_t *parent, uint32_t x, uint32_t y)
{
    x = find(parent, x);
    y = find(parent, y);
    if (x < y)
        parent[y] = x;
    else
        parent[x] = y;
}

/* parent (n) becomes the orbits' numbers, by first member; returns how many. Roots come before their members. */
static size_t number_orbits(uint32_t *parent, size_t n)
{
    size_t n_orbits = 0;

    for (size_t x = 0; x < n; x++)
        parent[x] = find(parent, (uint32_t)x);
    for (size_t x = 0; x < n; x++)
        parent[x] = parent[x] == x ? (uint32_t)n_orbits++ : parent[parent[x]];
    return n_orbits;
}

static nset_status same_generators(const nset_action *in, const nset_action *out, nset_error *err)
{
    if (in->n_generators != out->n_generators)
        return nset_fail(err, NSET_ERR_ARG,
            "tie: %zu generators on the inputs and %zu on the outputs; the same generators must act on both",
            in->n_generators, out->n_generators);
    return NSET_OK;
}

nset_status nset_tie_create(nset_tie **tie, const nset_action *in, const nset_action *out, nset_error *err)
{
    size_t n = in->n, m = out->n;
    nset_status status = same_generators(in, out, err);
    nset_tie *t;

    if (status != NSET_OK)
        return status;
    if (m > MAX_PAIRS / n)
        return nset_fail(err, NSET_ERR_ARG, "tie: %zu outputs and %zu inputs are more than %zu pairs", m, n, MAX_PAIRS);
    if (!(t = nset_calloc(1, sizeof *t)))
        return nset_fail_oom(err, 1, sizeof *t);
    *t = (nset_tie){ .n = n, .m = m };
    t->weight = nset_calloc(m * n, sizeof *t->weight);
    t->bias = nset_calloc(m, sizeof *t->bias);
    if (!t->weight || !t->bias) {
        nset_tie_free(t);
        return nset_fail_oom(err, m * n, sizeof *t->weight);
    }
    for (size_t i = 0; i < m * n; i++)
        t->weight[i] = (uint32_t)i;
    for (size_t y = 0; y < m; y++)
        t->bias[y] = (uint32_t)y;
    for (size_t g = 0; g < in->n_generators; g++) {
        const uint32_t *to_x = in->image + g * n, *to_y = out->image + g * m;
        for (size_t y = 0; y < m; y++) {
            join(t->bias, (uint32_t)y, to_y[y]);
            for (size_t x = 0; x < n; x++)
                join(t->weight, (uint32_t)(y * n + x), (uint32_t)(to_y[y] * n + to_x[x]));
        }
    }
    t->n_weights = number_orbits(t->weight, m * n);
    t->n_biases = number_orbits(t->bias, m);
    *tie = t;
    return NSET_OK;
}

bool nset_tie_allows(const nset_tie *tie, const uint32_t *in, const uint32_t *out)
{
    for (size_t y = 0; y < tie->m; y++) {
        if (tie->bias[out[y]] != tie->bias[y])
            return false;
        for (size_t x = 0; x < tie->n; x++)
            if (tie->weight[out[y] * tie->n + in[x]] != tie->weight[y * tie->n + x])
                return false;
    }
    return true;
}

/* The generators on inputs and outputs side by side: outputs follow the inputs. */
static nset_status both(nset_action **joint, const nset_action *in, const nset_action *out, nset_error *err)
{
    size_t n = in->n, m = out->n, g_n = in->n_generators;
    uint32_t *image = nset_calloc(g_n * (n + m), sizeof *image);
    nset_status status = same_generators(in, out, err);

    if (!image && status == NSET_OK)
        status = nset_fail_oom(err, g_n * (n + m), sizeof *image);
    if (status == NSET_OK) {
        for (size_t g = 0; g < g_n; g++) {
            memcpy(image + g * (n + m), in->image + g * n, n * sizeof *image);
            for (size_t y = 0; y < m; y++)
                image[g * (n + m) + n + y] = out->image[g * m + y] + (uint32_t)n;
        }
        status = nset_action_create(joint, image, g_n, n + m, err);
    }
    nset_free(image);
    return status;
}

nset_status nset_tie_group(nset_group **group, const nset_action *in, const nset_action *out, nset_error *err)
{
    nset_action *joint = NULL;
    nset_status status = both(&joint, in, out, err);

    if (status == NSET_OK)
        status = nset_group_create(group, joint, err);
    nset_action_free(joint);
    return status;
}

typedef struct fixed {
    size_t n, m;
    double pairs, outputs, elements; /* sums over the elements so far; all whole numbers */
} fixed;

static void count_fixed(void *ctx, const uint32_t *p)
{
    fixed *f = ctx;
    size_t in = 0, out = 0;

    for (size_t x = 0; x < f->n; x++)
        in += p[x] == x;
    for (size_t y = f->n; y < f->n + f->m; y++)
        out += p[y] == y;
    f->pairs += (double)(in * out);
    f->outputs += (double)out;
    f->elements++;
}

nset_status nset_tie_burnside(
    size_t *n_weights, size_t *n_biases, const nset_action *in, const nset_action *out, nset_error *err)
{
    fixed f = { .n = in->n, .m = out->n };
    nset_group *group = NULL;
    nset_status status = nset_tie_group(&group, in, out, err);

    if (status == NSET_OK)
        status = nset_group_visit(group, count_fixed, &f, err);
    if (status == NSET_OK) {
        *n_weights = (size_t)(f.pairs / f.elements);
        *n_biases = (size_t)(f.outputs / f.elements);
    }
    nset_group_free(group);
    return status;
}
