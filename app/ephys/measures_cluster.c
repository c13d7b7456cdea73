/* Measures of a cloud of spikes among others. */
#include "ephys/measures_cluster.h"

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_errno.h>
#include <gsl/gsl_linalg.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <neuroset/memory.h>

enum { HIT_NEIGHBOURS = 5, ISOLATION_NEIGHBOURS = 4, MOST_NEIGHBOURS = 5 };

typedef struct cloud {
    const float *x; /* (n, n_dims), the unit's n_own first */
    const int32_t *unit;
    size_t n_own, n, n_dims;
} cloud;

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* mean (n_dims) of rows first .. last - 1. */
static void mean_of(double *mean, const cloud *c, size_t first, size_t last)
{
    memset(mean, 0, c->n_dims * sizeof *mean);
    for (size_t i = first; i < last; i++)
        for (size_t k = 0; k < c->n_dims; k++)
            mean[k] += (double)c->x[i * c->n_dims + k] / (double)(last - first);
}

/* m += scale times the scatter about mean of rows first .. last - 1; its lower half. */
static void add_scatter(gsl_matrix *m, const cloud *c, size_t first, size_t last, const double *mean, double scale)
{
    for (size_t i = first; i < last; i++) {
        const float *x = c->x + i * c->n_dims;
        for (size_t a = 0; a < c->n_dims; a++)
            for (size_t b = 0; b <= a; b++)
                *gsl_matrix_ptr(m, a, b) += scale * ((double)x[a] - mean[a]) * ((double)x[b] - mean[b]);
    }
}

/* The Cholesky factor in the lower half of m; false where m has no inverse to speak of. */
static bool factor(gsl_matrix *m)
{
    double top = 0;

    for (size_t k = 0; k < m->size1; k++)
        top = fmax(top, gsl_matrix_get(m, k, k));
    if (gsl_linalg_cholesky_decomp1(m))
        return false;
    for (size_t k = 0; k < m->size1; k++)
        if (!(pow(gsl_matrix_get(m, k, k), 2) > 1e-12 * top))
            return false;
    return true;
}

/* ---- Mahalanobis ---- */

/* d (n - n_own): squared distances of the foreign spikes; row: room for n_dims. */
static void distances(double *d, const cloud *c, const gsl_matrix *l, const double *mean, double *row)
{
    for (size_t i = c->n_own; i < c->n; i++) {
        double sum = 0;
        for (size_t a = 0; a < c->n_dims; a++) {
            double v = (double)c->x[i * c->n_dims + a] - mean[a];
            for (size_t b = 0; b < a; b++)
                v -= gsl_matrix_get(l, a, b) * row[b];
            row[a] = v / gsl_matrix_get(l, a, a);
            sum += row[a] * row[a];
        }
        d[i - c->n_own] = sum;
    }
}

static void mahalanobis(nset_cluster_measures *m, const cloud *c, gsl_matrix *l, double *mean, double *row, double *d)
{
    size_t foreign = c->n - c->n_own, n = c->n_own < foreign ? c->n_own : foreign;
    double sum = 0;

    if (n < 2 || c->n_own <= c->n_dims)
        return;
    mean_of(mean, c, 0, c->n_own);
    gsl_matrix_set_zero(l);
    add_scatter(l, c, 0, c->n_own, mean, 1 / (double)(c->n_own - 1));
    if (!factor(l))
        return;
    distances(d, c, l, mean, row);
    qsort(d, foreign, sizeof *d, by_value);
    for (size_t i = 0; i < foreign; i++)
        sum += gsl_cdf_chisq_Q(d[i], (double)c->n_dims);
    m->isolation_distance = d[n - 1];
    m->l_ratio = sum / (double)c->n_own;
}

/* ---- Fisher's discriminant ---- */

/* Mean and variance of x . direction over rows first .. last - 1. */
static void along(
    double *mean, double *variance, const cloud *c, size_t first, size_t last, const gsl_vector *direction)
{
    double sum = 0, square = 0;

    for (int pass = 0; pass < 2; pass++)
        for (size_t i = first; i < last; i++) {
            double v = 0;
            for (size_t k = 0; k < c->n_dims; k++)
                v += gsl_vector_get(direction, k) * (double)c->x[i * c->n_dims + k];
            if (pass == 0)
                sum += v / (double)(last - first);
            else
                square += (v - sum) * (v - sum) / (double)(last - first);
        }
    *mean = sum;
    *variance = square;
}

static void discriminate(
    nset_cluster_measures *m, const cloud *c, gsl_matrix *l, gsl_vector *direction, double *mean, double *other)
{
    double m1, v1, m2, v2;

    if (c->n == c->n_own || c->n_own < 2 || c->n <= c->n_dims + 2)
        return;
    mean_of(mean, c, 0, c->n_own);
    mean_of(other, c, c->n_own, c->n);
    gsl_matrix_set_zero(l);
    add_scatter(l, c, 0, c->n_own, mean, 1 / (double)c->n);
    add_scatter(l, c, c->n_own, c->n, other, 1 / (double)c->n);
    for (size_t k = 0; k < c->n_dims; k++)
        gsl_vector_set(direction, k, mean[k] - other[k]);
    if (!factor(l) || gsl_linalg_cholesky_svx(l, direction))
        return;
    along(&m1, &v1, c, 0, c->n_own, direction);
    along(&m2, &v2, c, c->n_own, c->n, direction);
    m->d_prime = (m1 - m2) / sqrt((v1 + v2) / 2);
}

/* ---- neighbours ---- */

/* near (k) := the rows nearest to row i, itself left out; t (n_dims, n) the rows as columns, d: room for n. */
static void nearest(size_t *near, size_t k, const float *t, size_t n, size_t n_dims, size_t i, float *d)
{
    size_t found = 0;

    memset(d, 0, n * sizeof *d);
    for (size_t a = 0; a < n_dims; a++) {
        const float *column = t + a * n;
        float v = column[i];
        for (size_t j = 0; j < n; j++)
            d[j] += (column[j] - v) * (column[j] - v);
    }
    for (size_t j = 0; j < n; j++) {
        size_t at = found;
        if (j == i || (found == k && d[j] >= d[near[k - 1]]))
            continue;
        for (; at > 0 && d[j] < d[near[at - 1]]; at--)
            if (at < k)
                near[at] = near[at - 1];
        near[at] = j;
        found += found < k;
    }
}

/* Numbers of neighbours, of the first n_own rows and of the others, that are among the first n_own. */
static void count_neighbours(size_t hits[2], size_t k, const float *t, size_t n_own, size_t n, size_t n_dims, float *d)
{
    size_t near[MOST_NEIGHBOURS];

    hits[0] = hits[1] = 0;
    for (size_t i = 0; i < n; i++) {
        nearest(near, k, t, n, n_dims, i, d);
        for (size_t q = 0; q < k; q++)
            hits[i >= n_own] += near[q] < n_own;
    }
}

/* column j of t (n_dims, n) := row of x. */
static void turn(float *t, size_t n, size_t j, const cloud *c, size_t row)
{
    for (size_t a = 0; a < c->n_dims; a++)
        t[a * n + j] = c->x[row * c->n_dims + a];
}

static void hit_rates(nset_cluster_measures *m, const cloud *c, float *t, float *d)
{
    double ratio = (double)NSET_CLUSTER_NEIGHBOURHOOD / (double)c->n, step = 1;
    size_t n = c->n, n_own = c->n_own, hits[2];

    m->nn_hit_rate = 1;
    m->nn_miss_rate = 0;
    if (c->n == c->n_own)
        return;
    if (ratio < 1) { /* rows 0, step, 2 step ... before the last, as SpikeInterface has it */
        step = 1 / ratio;
        n = (size_t)ceil((double)(c->n - 1) / step);
        n_own = (size_t)((double)c->n_own * ratio);
    }
    if (n <= HIT_NEIGHBOURS || n_own == 0 || n_own == n) {
        m->nn_hit_rate = m->nn_miss_rate = NAN;
        return;
    }
    for (size_t j = 0; j < n; j++)
        turn(t, n, j, c, (size_t)((double)j * step));
    count_neighbours(hits, HIT_NEIGHBOURS, t, n_own, n, c->n_dims, d);
    m->nn_hit_rate = (double)hits[0] / (double)(n_own * HIT_NEIGHBOURS);
    m->nn_miss_rate = (double)hits[1] / (double)((n - n_own) * HIT_NEIGHBOURS);
}

/* ---- pairs of units ---- */

/* row (at most n - n_own) := the rows of one other unit; returns how many. */
static size_t rows_of(size_t *row, const cloud *c, int32_t unit)
{
    size_t n = 0;

    for (size_t i = c->n_own; i < c->n; i++)
        if (c->unit[i - c->n_own] == unit)
            row[n++] = i;
    return n;
}

static double isolation_from(const cloud *c, const size_t *row, size_t n_other, float *t, float *d)
{
    size_t n = c->n_own < n_other ? c->n_own : n_other, hits[2];

    if (2 * n <= ISOLATION_NEIGHBOURS)
        return NAN;
    for (size_t j = 0; j < n; j++) {
        turn(t, 2 * n, j, c, j * c->n_own / n);
        turn(t, 2 * n, n + j, c, row[j * n_other / n]);
    }
    count_neighbours(hits, ISOLATION_NEIGHBOURS, t, n, 2 * n, c->n_dims, d);
    return (double)(hits[0] + n * ISOLATION_NEIGHBOURS - hits[1]) / (double)(2 * n * ISOLATION_NEIGHBOURS);
}

static double distance(const cloud *c, size_t i, const double *mean)
{
    double sum = 0;

    for (size_t k = 0; k < c->n_dims; k++)
        sum += pow((double)c->x[i * c->n_dims + k] - mean[k], 2);
    return sqrt(sum);
}

/* far (n_own) := distances of the unit's spikes to the mean of the rows; returns their mean. */
static double distances_to(double *far, const cloud *c, const size_t *row, size_t n, double *mean)
{
    double sum = 0;

    memset(mean, 0, c->n_dims * sizeof *mean);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < c->n_dims; k++)
            mean[k] += (double)c->x[row[i] * c->n_dims + k] / (double)n;
    for (size_t i = 0; i < c->n_own; i++)
        sum += far[i] = distance(c, i, mean);
    return sum / (double)c->n_own;
}

static double silhouette(const double *own, const double *other, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += (other[i] - own[i]) / fmax(fmax(other[i], own[i]), 1e-300);
    return sum / (double)n;
}

/* room (3 n_own), row (n): of nset_cluster_measure. */
static void compare_units(
    nset_cluster_measures *m, const cloud *c, float *t, float *d, double *mean, double *room, size_t *row)
{
    double *own = room, *best = room + c->n_own, *now = room + 2 * c->n_own, least = INFINITY;

    m->nn_isolation = 1;
    for (size_t i = 0; i < c->n_own; i++)
        row[i] = i;
    distances_to(own, c, row, c->n_own, mean);
    for (size_t i = c->n_own; i < c->n; i++) {
        bool seen = false;
        size_t n;
        double far;
        for (size_t j = c->n_own; j < i && !seen; j++)
            seen = c->unit[j - c->n_own] == c->unit[i - c->n_own];
        if (seen)
            continue;
        n = rows_of(row, c, c->unit[i - c->n_own]);
        m->nn_isolation = fmin(m->nn_isolation, isolation_from(c, row, n, t, d)); /* fmin passes NaN over */
        if ((far = distances_to(now, c, row, n, mean)) < least) {
            least = far;
            memcpy(best, now, c->n_own * sizeof *best);
        }
    }
    if (isfinite(least))
        m->silhouette = silhouette(own, best, c->n_own);
}

nset_status nset_cluster_measure(nset_cluster_measures *m, const float *x, size_t n_own, const int32_t *unit, size_t n,
    size_t n_dims, nset_error *err)
{
    const cloud c = { x, unit, n_own, n, n_dims };
    gsl_error_handler_t *handler = gsl_set_error_handler_off(); /* it would end the program when memory is short */
    gsl_matrix *l = gsl_matrix_alloc(n_dims, n_dims);
    gsl_vector *direction = gsl_vector_alloc(n_dims);
    double *mean = nset_calloc(3 * n_dims, sizeof *mean), *room = nset_calloc(n + 3 * n_own, sizeof *room);
    float *t = nset_calloc(n * (n_dims + 1), sizeof *t);
    size_t *row = nset_calloc(n, sizeof *row);
    nset_status status = NSET_OK;

    *m = (nset_cluster_measures){ NAN, NAN, NAN, NAN, NAN, NAN, NAN };
    if (!l || !direction || !mean || !room || !t || !row) {
        status = nset_fail_oom(err, n * (n_dims + 1), sizeof *t);
    } else if (n_own > 0) {
        mahalanobis(m, &c, l, mean, mean + n_dims, room);
        discriminate(m, &c, l, direction, mean, mean + n_dims);
        hit_rates(m, &c, t, t + n * n_dims);
        compare_units(m, &c, t, t + n * n_dims, mean, room, row);
    }
    if (l)
        gsl_matrix_free(l);
    if (direction)
        gsl_vector_free(direction);
    gsl_set_error_handler(handler);
    nset_free(mean);
    nset_free(room);
    nset_free(t);
    nset_free(row);
    return status;
}
