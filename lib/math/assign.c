#include <neuroset/assign.h>

#include <math.h>
#include <stdbool.h>

#include <neuroset/memory.h>

/* The short side is called rows in here: element (i, j) is cost[i * step_i + j * step_j]. */
typedef struct problem {
    const double *cost;
    size_t n, m, step_i, step_j; /* n <= m */
    double *u, *v;               /* duals of rows and columns */
    double *distance;            /* (m) length of the shortest path to a column */
    size_t *row_of, *column_of;  /* partners */
    size_t *from;                /* (m) row before a column on its path */
    bool *done;                  /* (m) columns whose path is final */
} problem;

static nset_status make(problem *p, nset_error *err)
{
    p->u = nset_calloc(p->n, sizeof *p->u);
    p->v = nset_calloc(p->m, sizeof *p->v);
    p->distance = nset_calloc(p->m, sizeof *p->distance);
    p->row_of = nset_calloc(p->m, sizeof *p->row_of);
    p->column_of = nset_calloc(p->n, sizeof *p->column_of);
    p->from = nset_calloc(p->m, sizeof *p->from);
    p->done = nset_calloc(p->m, sizeof *p->done);
    if (!p->u || !p->v || !p->distance || !p->row_of || !p->column_of || !p->from || !p->done)
        return nset_fail_oom(err, p->m, sizeof *p->v);
    for (size_t j = 0; j < p->m; j++)
        p->row_of[j] = NSET_UNASSIGNED;
    for (size_t i = 0; i < p->n; i++)
        p->column_of[i] = NSET_UNASSIGNED;
    return NSET_OK;
}

static void release(problem *p)
{
    nset_free(p->u);
    nset_free(p->v);
    nset_free(p->distance);
    nset_free(p->row_of);
    nset_free(p->column_of);
    nset_free(p->from);
    nset_free(p->done);
}

/* Dijkstra on reduced costs from row start to the nearest free column; returns it, its distance in *length. */
static size_t find_path(problem *p, size_t start, double *length)
{
    size_t i = start, nearest = 0;
    double base = 0;

    for (size_t j = 0; j < p->m; j++) {
        p->distance[j] = INFINITY;
        p->done[j] = false;
    }
    do {
        double least = INFINITY;
        for (size_t j = 0; j < p->m; j++) {
            double d = base + p->cost[i * p->step_i + j * p->step_j] - p->u[i] - p->v[j];
            if (p->done[j])
                continue;
            if (d < p->distance[j]) {
                p->distance[j] = d;
                p->from[j] = i;
            }
            /* at the same distance a free column ends the search at once */
            if (p->distance[j] < least ||
                (p->distance[j] == least && p->row_of[j] == NSET_UNASSIGNED && p->row_of[nearest] != NSET_UNASSIGNED)) {
                least = p->distance[j];
                nearest = j;
            }
        }
        base = least;
        p->done[nearest] = true;
        i = p->row_of[nearest];
    } while (i != NSET_UNASSIGNED);
    *length = base;
    return nearest;
}

static void update_duals(problem *p, size_t start, double length)
{
    p->u[start] += length;
    for (size_t j = 0; j < p->m; j++)
        if (p->done[j] && p->row_of[j] != NSET_UNASSIGNED) {
            p->u[p->row_of[j]] += length - p->distance[j];
            p->v[j] -= length - p->distance[j];
        }
}

static void augment(problem *p, size_t start, size_t end)
{
    for (size_t j = end, i;;) {
        size_t before;
        i = p->from[j];
        before = p->column_of[i];
        p->row_of[j] = i;
        p->column_of[i] = j;
        if (i == start)
            return;
        j = before;
    }
}

nset_status nset_assign(size_t *column, const double *cost, size_t n_rows, size_t n_columns, nset_error *err)
{
    bool turned = n_rows > n_columns;
    problem p = { .cost = cost,
        .n = turned ? n_columns : n_rows,
        .m = turned ? n_rows : n_columns,
        .step_i = turned ? 1 : n_columns,
        .step_j = turned ? n_columns : 1 };
    nset_status status;

    for (size_t i = 0; i < n_rows * n_columns; i++)
        if (!isfinite(cost[i]))
            return nset_fail(
                err, NSET_ERR_ARG, "assignment: cost (%zu, %zu) is not finite", i / n_columns, i % n_columns);
    if ((status = make(&p, err)) == NSET_OK) {
        for (size_t i = 0; i < p.n; i++) {
            double length;
            size_t end = find_path(&p, i, &length);
            update_duals(&p, i, length);
            augment(&p, i, end);
        }
        for (size_t i = 0; i < n_rows; i++)
            column[i] = turned ? p.row_of[i] : p.column_of[i];
    }
    release(&p);
    return status;
}
