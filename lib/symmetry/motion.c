/* Invariants of rotations, translations and scalings. */
#include <neuroset/invariant.h>

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include <neuroset/memory.h>
#include <neuroset/pool.h>

#include "../math/exact.h"

void nset_gram(double *gram, const float *x, size_t n, size_t d)
{
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j <= i; j++) {
            double sum = 0;
            for (size_t k = 0; k < d; k++)
                sum += (double)x[i * d + k] * (double)x[j * d + k];
            gram[i * n + j] = gram[j * n + i] = sum;
        }
}

/* One column of x from the row with the largest diagonal left, which is taken off what is left. */
static bool take_column(double *x, double *left, size_t n, size_t d, size_t column, double floor)
{
    size_t top = 0;
    double root;

    for (size_t i = 1; i < n; i++)
        top = left[i * n + i] > left[top * n + top] ? i : top;
    if (!(left[top * n + top] > floor))
        return false;
    root = sqrt(left[top * n + top]);
    for (size_t i = 0; i < n; i++)
        x[i * d + column] = left[i * n + top] / root;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            left[i * n + j] -= x[i * d + column] * x[j * d + column];
    return true;
}

nset_status nset_from_gram(double *x, const double *gram, size_t n, size_t d, nset_error *err)
{
    double *left = nset_calloc(n * n, sizeof *left), top = 0, floor;
    nset_status status = NSET_OK;

    if (!left)
        return nset_fail_oom(err, n * n, sizeof *left);
    if (n > 0)
        memcpy(left, gram, n * n * sizeof *gram);
    for (size_t i = 0; i < n; i++)
        top = gram[i * n + i] > top ? gram[i * n + i] : top;
    floor = top * (double)n * 1e-14;
    memset(x, 0, n * d * sizeof *x);
    for (size_t k = 0; n > 0 && k < d && take_column(x, left, n, d, k, floor); k++)
        ;
    for (size_t i = 0; i < n * n && status == NSET_OK; i++)
        if (!(fabs(left[i]) <= top * (double)n * 1e-10))
            status = nset_fail(err, NSET_ERR_NUMERIC,
                "Gram matrix of %zu rows: element (%zu, %zu) is off by %g with rows of %zu numbers", n, i / n, i % n,
                left[i], d);
    nset_free(left);
    return status;
}

void nset_centre(float *out, const float *x, size_t n, size_t d)
{
    for (size_t j = 0; j < d; j++) {
        double mean;
        nset_exact_sums(&mean, x + j, n, 1, d);
        mean /= n ? (double)n : 1;
        for (size_t i = 0; i < n; i++)
            out[i * d + j] = (float)((double)x[i * d + j] - mean);
    }
}

nset_status nset_unscale(float *out, const float *x, size_t n, size_t d, nset_error *err)
{
    double *square = nset_calloc(n * d, sizeof *square), norm;

    if (!square)
        return nset_fail_oom(err, n * d, sizeof *square);
    for (size_t i = 0; i < n * d; i++)
        square[i] = (double)x[i] * (double)x[i];
    norm = sqrt(nset_exact_sum(square, n * d));
    for (size_t i = 0; i < n * d; i++)
        out[i] = norm > 0 ? (float)((double)x[i] / norm) : 0;
    nset_free(square);
    return NSET_OK;
}
