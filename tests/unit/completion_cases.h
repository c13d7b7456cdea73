/* The synthetic matrices of which floors are known: X = mu + a_n + b_m + <p_n, q_m> + e of rank 3, a, b ~ N(0, .3^2),
 * p, q ~ N(0, .5^2), e ~ N(0, .5^2), a fifth of the entries known. The noise alone leaves .5, offsets of rows and
 * columns sqrt(.25 + 3 / 16) = .661. */
#ifndef NSET_TESTS_COMPLETION_CASES_H
#define NSET_TESTS_COMPLETION_CASES_H

#include <math.h>
#include <stdlib.h>

#include <neuroset/complete.h>
#include <neuroset/memory.h>
#include <neuroset/random.h>

typedef struct completion_case {
    size_t n_known, n_hidden;
    uint32_t *row, *column; /* known ones, then hidden ones; owned */
    float *value;
} completion_case;

static inline double completion_low_rank(const double *p, const double *q)
{
    return p[0] * q[0] + p[1] * q[1] + p[2] * q[2];
}

/* known_share of the entries are known. */
static inline completion_case completion_make(size_t n, size_t m, double known_share, uint64_t seed)
{
    completion_case c = { 0 };
    nset_random r = nset_random_stream(seed, "matrix", 0);
    double *row = nset_calloc(4 * n, sizeof *row), *column = nset_calloc(4 * m, sizeof *column);
    size_t last = n * m;

    c.row = nset_calloc(n * m, sizeof *c.row);
    c.column = nset_calloc(n * m, sizeof *c.column);
    c.value = nset_calloc(n * m, sizeof *c.value);
    if (!row || !column || !c.row || !c.column || !c.value)
        abort();
    for (size_t i = 0; i < 4 * n; i++)
        row[i] = nset_random_normal(&r) * (i % 4 ? .5 : .3);
    for (size_t i = 0; i < 4 * m; i++)
        column[i] = nset_random_normal(&r) * (i % 4 ? .5 : .3);
    for (size_t i = 0; i < n * m; i++) {
        const double *a = row + i / m * 4, *b = column + i % m * 4;
        double x = 1 + a[0] + b[0] + completion_low_rank(a + 1, b + 1) + .5 * nset_random_normal(&r);
        size_t at = nset_random_uniform(&r) < known_share ? c.n_known++ : --last;
        c.row[at] = (uint32_t)(i / m);
        c.column[at] = (uint32_t)(i % m);
        c.value[at] = (float)x;
    }
    c.n_hidden = n * m - c.n_known;
    nset_free(row);
    nset_free(column);
    return c;
}

static inline void completion_free(completion_case *c)
{
    nset_free(c->row);
    nset_free(c->column);
    nset_free(c->value);
}

static inline nset_entries completion_known(const completion_case *c)
{
    return (nset_entries){ c->n_known, c->row, c->column, c->value };
}

static inline nset_entries completion_hidden(const completion_case *c)
{
    return (nset_entries){ c->n_hidden, c->row + c->n_known, c->column + c->n_known, NULL };
}

/* Root mean squared error of the hidden entries. */
static inline double completion_rmse(const nset_net *net, const completion_case *c)
{
    nset_entries known = completion_known(c), hidden = completion_hidden(c);
    float *value = nset_calloc(c->n_hidden, sizeof *value);
    double sum = 0;

    if (!value || nset_completion_predict(value, net, &known, &hidden, NULL, NULL) != NSET_OK)
        abort();
    for (size_t e = 0; e < c->n_hidden; e++)
        sum += pow((double)value[e] - (double)c->value[c->n_known + e], 2) / (double)c->n_hidden;
    nset_free(value);
    return sqrt(sum);
}

#endif
