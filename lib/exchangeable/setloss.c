/* How far: losses between sets. Elements are first put in the order of their content, so that values, and pairings
 * where several are best, depend on the sets alone. */
#include <neuroset/cardinality.h>

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <neuroset/assign.h>
#include <neuroset/memory.h>
#include <neuroset/pool.h>

typedef struct table {
    const nset_real *x, *y;
    size_t n, m, d;
    size_t *order_x, *order_y; /* by content */
    double *cost;              /* (n, m) squared distances, rows and columns in that order */
    double *term;              /* (n + m) scratch for sums */
    size_t *column;            /* (n) */
} table;

typedef struct rows {
    const nset_real *x;
    size_t d;
} rows;

static int by_content(const void *a, const void *b, void *ctx)
{
    const rows *r = ctx;
    const nset_real *p = r->x + *(const size_t *)a * r->d, *q = r->x + *(const size_t *)b * r->d;

    for (size_t j = 0; j < r->d; j++)
        if (p[j] != q[j])
            return p[j] < q[j] ? -1 : 1;
    return 0;
}

static void sort_rows(size_t *order, const nset_real *x, size_t n, size_t d)
{
    rows r = { x, d };

    for (size_t i = 0; i < n; i++)
        order[i] = i;
    qsort_r(order, n, sizeof *order, by_content, &r);
}

static void table_fini(table *t)
{
    nset_free(t->order_x);
    nset_free(t->order_y);
    nset_free(t->cost);
    nset_free(t->term);
    nset_free(t->column);
}

static nset_status table_init(table *t, nset_error *err)
{
    for (size_t i = 0; i < t->n * t->d; i++)
        if (!isfinite(t->x[i]))
            return nset_fail(err, NSET_ERR_ARG, "set loss: element %zu of x is not finite", i / t->d);
    for (size_t i = 0; i < t->m * t->d; i++)
        if (!isfinite(t->y[i]))
            return nset_fail(err, NSET_ERR_ARG, "set loss: element %zu of y is not finite", i / t->d);
    t->order_x = nset_calloc(t->n, sizeof *t->order_x);
    t->order_y = nset_calloc(t->m, sizeof *t->order_y);
    t->column = nset_calloc(t->n, sizeof *t->column);
    t->term = nset_calloc(t->n + t->m, sizeof *t->term);
    if (t->m == 0 || t->n <= SIZE_MAX / t->m)
        t->cost = nset_calloc(t->n * t->m, sizeof *t->cost);
    if (!t->order_x || !t->order_y || !t->column || !t->term || !t->cost) {
        table_fini(t);
        return nset_fail_oom(err, t->n, t->m * sizeof *t->cost);
    }
    sort_rows(t->order_x, t->x, t->n, t->d);
    sort_rows(t->order_y, t->y, t->m, t->d);
    for (size_t i = 0; i < t->n; i++)
        for (size_t j = 0; j < t->m; j++) {
            const nset_real *p = t->x + t->order_x[i] * t->d, *q = t->y + t->order_y[j] * t->d;
            double sum = 0;
            for (size_t k = 0; k < t->d; k++)
                sum += ((double)p[k] - (double)q[k]) * ((double)p[k] - (double)q[k]);
            t->cost[i * t->m + j] = sum;
        }
    return NSET_OK;
}

/* dx of row i += 2 share (x_i - y_j). */
static void pull(const table *t, nset_real *dx, size_t i, size_t j, double share)
{
    size_t at = t->order_x[i] * t->d, to = t->order_y[j] * t->d;

    for (size_t k = 0; k < t->d; k++)
        dx[at + k] += (nset_real)(2 * share * ((double)t->x[at + k] - (double)t->y[to + k]));
}

/* Mean over n lines of the least of m costs, element (i, j) at i * step_i + j * step_j; gradient to the ties. */
static double side(const table *t, nset_real *dx, bool from_x)
{
    size_t n = from_x ? t->n : t->m, m = from_x ? t->m : t->n, step_i = from_x ? t->m : 1, step_j = from_x ? 1 : t->m;

    for (size_t i = 0; i < n; i++) {
        const double *c = t->cost + i * step_i;
        double least = INFINITY, ties = 0;
        for (size_t j = 0; j < m; j++) {
            ties = c[j * step_j] < least ? 1 : ties + (c[j * step_j] == least);
            least = fmin(least, c[j * step_j]);
        }
        t->term[i] = least;
        for (size_t j = 0; dx && j < m; j++)
            if (c[j * step_j] == least)
                pull(t, dx, from_x ? i : j, from_x ? j : i, 1 / (ties * (double)n));
    }
    return nset_exact_sum(t->term, n) / (double)n;
}

nset_status nset_loss_chamfer(
    double *loss, nset_real *dx, const nset_real *x, size_t n, const nset_real *y, size_t m, size_t d, nset_error *err)
{
    table t = { .x = x, .y = y, .n = n, .m = m, .d = d };
    nset_status status;

    if (n == 0 || m == 0)
        return nset_fail(err, NSET_ERR_ARG, "Chamfer loss: sets of %zu and %zu elements, none may be empty", n, m);
    if ((status = table_init(&t, err)) != NSET_OK)
        return status;
    if (dx)
        memset(dx, 0, n * d * sizeof *dx);
    *loss = side(&t, dx, true);
    *loss += side(&t, dx, false);
    table_fini(&t);
    return NSET_OK;
}

/* The sum of the costs of the best pairing, and which it is (column). */
static nset_status pair(double *sum, table *t, nset_error *err)
{
    size_t n_pairs = 0;
    nset_status status = nset_assign(t->column, t->cost, t->n, t->m, err);

    for (size_t i = 0; status == NSET_OK && i < t->n; i++)
        if (t->column[i] != NSET_UNASSIGNED)
            t->term[n_pairs++] = t->cost[i * t->m + t->column[i]];
    if (status == NSET_OK)
        *sum = nset_exact_sum(t->term, n_pairs);
    return status;
}

nset_status nset_loss_assignment(double *loss, nset_real *dx, size_t *match, const nset_real *x, size_t n,
    const nset_real *y, size_t m, size_t d, double unmatched, nset_error *err)
{
    table t = { .x = x, .y = y, .n = n, .m = m, .d = d };
    double sum = 0;
    nset_status status = table_init(&t, err);

    if (status != NSET_OK)
        return status;
    if ((status = pair(&sum, &t, err)) == NSET_OK) {
        *loss = sum + unmatched * (double)(n > m ? n - m : m - n);
        if (dx)
            memset(dx, 0, n * d * sizeof *dx);
        for (size_t i = 0; i < n; i++) {
            bool alone = t.column[i] == NSET_UNASSIGNED;
            if (dx && !alone)
                pull(&t, dx, i, t.column[i], 1);
            if (match)
                match[t.order_x[i]] = alone ? NSET_UNASSIGNED : t.order_y[t.column[i]];
        }
    }
    table_fini(&t);
    return status;
}

nset_status nset_ospa(double *distance, const nset_real *x, size_t n, const nset_real *y, size_t m, size_t d, double c,
    double p, nset_error *err)
{
    table t = { .x = x, .y = y, .n = n, .m = m, .d = d };
    double sum = 0, larger = (double)(n > m ? n : m);
    nset_status status;

    if (!(c > 0 && p > 0 && isfinite(c) && isfinite(p)))
        return nset_fail(err, NSET_ERR_ARG, "OSPA: cut-off %g and order %g must be positive", c, p);
    if ((status = table_init(&t, err)) != NSET_OK)
        return status;
    for (size_t i = 0; i < n * m; i++)
        t.cost[i] = pow(fmin(c, sqrt(t.cost[i])), p);
    if ((status = pair(&sum, &t, err)) == NSET_OK)
        *distance = larger > 0 ? pow((sum + pow(c, p) * (double)(n > m ? n - m : m - n)) / larger, 1 / p) : 0;
    table_fini(&t);
    return status;
}
