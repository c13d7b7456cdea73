/* The 15 linear maps of a square matrix to another that one permutation on both axes leaves alone. */
#include "graph.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "../math/kernels.h"

enum { ROWS, COLUMNS, DIAGONAL, N_LINES }; /* vectors of n x d numbers, then the total and the trace (d each) */

static size_t side_of(size_t size)
{
    size_t n = (size_t)sqrt((double)size);

    while (n * n > size)
        n--;
    while ((n + 1) * (n + 1) <= size)
        n++;
    return n;
}

static nset_status check_squares(const nset_run *run, nset_error *err)
{
    for (size_t s = 0; s < run->batch.n_sets; s++) {
        size_t size = (size_t)(run->batch.offsets[s + 1] - run->batch.offsets[s]), n = side_of(size);
        if (n * n != size)
            return nset_fail(err, NSET_ERR_ARG, "set %zu has %zu elements: that is no square matrix", s, size);
    }
    return NSET_OK;
}

/* out (d) := sum / count of k rows, stride apart, exact. */
static void mean_of(nset_real *out, const nset_real *x, size_t k, size_t d, size_t stride, size_t count)
{
    double sums[NSET_POOL_BLOCK];

    for (size_t at = 0; at < d; at += NSET_POOL_BLOCK) {
        size_t width = d - at < NSET_POOL_BLOCK ? d - at : NSET_POOL_BLOCK;
        nset_block_sums(sums, x + at, k, width, stride);
        for (size_t c = 0; c < width; c++)
            out[at + c] = (nset_real)(sums[c] / (double)count);
    }
}

/* line (3, n, d), total (2, d): means of rows and columns, the diagonal; mean of all, trace / n. */
static void summarise(nset_real *line, nset_real *total, const nset_real *x, size_t n, size_t d)
{
    for (size_t i = 0; i < n; i++) {
        mean_of(line + (ROWS * n + i) * d, x + i * n * d, n, d, d, n);
        mean_of(line + (COLUMNS * n + i) * d, x + i * d, n, d, n * d, n);
        memcpy(line + (DIAGONAL * n + i) * d, x + (i * n + i) * d, d * sizeof *x);
    }
    mean_of(total, x, n * n, d, d, n * n);
    mean_of(total + d, line + DIAGONAL * n * d, n, d, d, n);
}

typedef struct place {
    const nset_real *x, *line, *total;
    size_t n, d, i, j;
} place;

/* The k-th map at one place, or NULL where it is 0. */
static const nset_real *map_at(const place *p, int k)
{
    const bool diagonal = p->i == p->j;
    const nset_real *rows = p->line + ROWS * p->n * p->d, *columns = p->line + COLUMNS * p->n * p->d;
    const nset_real *own = p->line + DIAGONAL * p->n * p->d;
    const size_t i = p->i * p->d, j = p->j * p->d;

    switch (k) {
    case 0:
        return p->x + p->n * i + j;
    case 1:
        return p->x + p->n * j + i;
    case 2:
        return diagonal ? own + i : NULL;
    case 3:
        return rows + j;
    case 4:
        return rows + i;
    case 5:
        return diagonal ? rows + i : NULL;
    case 6:
        return columns + j;
    case 7:
        return columns + i;
    case 8:
        return diagonal ? columns + i : NULL;
    case 9:
        return p->total;
    case 10:
        return diagonal ? p->total : NULL;
    case 11:
        return p->total + p->d;
    case 12:
        return diagonal ? p->total + p->d : NULL;
    case 13:
        return own + j;
    default:
        return own + i;
    }
}

typedef struct pairs_job {
    const int64_t *offsets;
    const nset_real *x;
    nset_real *out, *line; /* line: room for (3 n + 2) d numbers a set, n^2 of its elements: at 5 d offset */
    size_t d;
} pairs_job;

static void pairs_sets(void *ctx, size_t first, size_t last, size_t chunk)
{
    const pairs_job *q = ctx;

    (void)chunk;
    for (size_t s = first; s < last; s++) {
        size_t begin = (size_t)q->offsets[s], n = side_of((size_t)q->offsets[s + 1] - begin), d = q->d;
        nset_real *line = q->line + 5 * begin * d, *total = line + N_LINES * n * d;
        place p = { .x = q->x + begin * d, .line = line, .total = total, .n = n, .d = d };
        if (n > 0)
            summarise(line, total, p.x, n, d);
        for (p.i = 0; p.i < n; p.i++)
            for (p.j = 0; p.j < n; p.j++)
                for (int k = 0; k < NSET_PAIR_MAPS; k++) {
                    nset_real *to = q->out + ((begin + p.i * n + p.j) * NSET_PAIR_MAPS + (size_t)k) * d;
                    const nset_real *from = map_at(&p, k);
                    if (from)
                        memcpy(to, from, d * sizeof *to);
                    else
                        memset(to, 0, d * sizeof *to);
                }
    }
}

static nset_status pairs_forward(nset_run *run, nset_node i, nset_real *out, nset_error *err)
{
    const node *n = &run->net->nodes[i];
    size_t d = run->net->nodes[n->x].d;
    nset_status status;

    if ((status = check_squares(run, err)) != NSET_OK ||
        (status = nset_buffer_need(&run->pad, 5 * run->n_elements * d, err)) != NSET_OK)
        return status;
    nset_parallel_for(run->workers, run->batch.n_sets, 1, pairs_sets,
        &(pairs_job){ run->batch.offsets, run->value[n->x], out, run->pad.data, d });
    return NSET_OK;
}

/* Slopes of the summaries of one matrix, g (n^2, 15 d): each map's gradient goes where map_at took its number from. */
static void back_to_summaries(nset_real *line, const nset_real *g, nset_real *dx, size_t n, size_t d)
{
    nset_real *total = line + N_LINES * n * d;
    place p = { .x = dx, .line = line, .total = total, .n = n, .d = d };

    memset(line, 0, (N_LINES * n + 2) * d * sizeof *line);
    for (p.i = 0; p.i < n; p.i++)
        for (p.j = 0; p.j < n; p.j++)
            for (int k = 0; k < NSET_PAIR_MAPS; k++) {
                nset_real *to = (nset_real *)(uintptr_t)map_at(&p, k); /* dx and line are ours to write */
                const nset_real *from = g + ((p.i * n + p.j) * NSET_PAIR_MAPS + (size_t)k) * d;
                for (size_t c = 0; to && c < d; c++)
                    to[c] += from[c];
            }
}

static void back_to_matrix(nset_real *dx, const nset_real *line, size_t n, size_t d)
{
    const nset_real *total = line + N_LINES * n * d, f = (nset_real)(1 / (double)n);

    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            for (size_t c = 0; c < d; c++) {
                nset_real *to = dx + (i * n + j) * d + c;
                *to += f * (line[(ROWS * n + i) * d + c] + line[(COLUMNS * n + j) * d + c] + f * total[c]);
                if (i == j)
                    *to += line[(DIAGONAL * n + i) * d + c] + f * total[d + c];
            }
}

static nset_status pairs_backward(nset_run *run, nset_node i, const grads *to, nset_error *err)
{
    const node *node_i = &run->net->nodes[i];
    size_t d = run->net->nodes[node_i->x].d;
    nset_status status;

    if (!to->dx)
        return NSET_OK;
    if ((status = nset_buffer_need(&run->pad, 5 * run->n_elements * d, err)) != NSET_OK)
        return status;
    for (size_t s = 0; s < run->batch.n_sets; s++) {
        size_t begin = (size_t)run->batch.offsets[s], n = side_of((size_t)run->batch.offsets[s + 1] - begin);
        if (n == 0)
            continue;
        back_to_summaries(run->pad.data, to->g + begin * NSET_PAIR_MAPS * d, to->dx + begin * d, n, d);
        back_to_matrix(to->dx + begin * d, run->pad.data, n, d);
    }
    return NSET_OK;
}

const layer nset_layer_pairs = { pairs_forward, pairs_backward };
