#include <neuroset/law.h>

#include <math.h>
#include <stdlib.h>

#include <neuroset/memory.h>
#include <neuroset/random.h>

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

/* 2 sum (-1)^(k-1) e^(-2 k^2 L^2); below L = .2 it is 1 to 1e-12 and the series is slow. */
static double ks_p(double distance, double n)
{
    const double l = (sqrt(n) + .12 + .11 / sqrt(n)) * distance;
    double p = 0;

    if (l < .2)
        return 1;
    for (int k = 1; k <= 100; k++) {
        double term = exp(-2. * k * k * l * l);
        p += k % 2 ? term : -term;
        if (term < 1e-17)
            break;
    }
    return fmin(1, fmax(0, 2 * p));
}

double nset_ks_two(double *distance, double *x, size_t a, double *y, size_t b)
{
    const double n = (double)a * (double)b / (double)(a + b);
    double worst = 0;

    if (a == 0 || b == 0)
        return NAN;
    qsort(x, a, sizeof *x, ascending);
    qsort(y, b, sizeof *y, ascending);
    for (size_t i = 0, j = 0; i < a && j < b;) {
        double at = x[i] < y[j] ? x[i] : y[j];
        while (i < a && x[i] == at)
            i++;
        while (j < b && y[j] == at)
            j++;
        worst = fmax(worst, fabs((double)i / (double)a - (double)j / (double)b));
        if (isnan(at))
            return NAN;
    }
    if (distance)
        *distance = worst;
    return ks_p(worst, n);
}

double nset_ks_one(double *distance, double *x, size_t a, double (*cdf)(const void *ctx, double x), const void *ctx)
{
    double worst = 0;

    if (a == 0)
        return NAN;
    qsort(x, a, sizeof *x, ascending);
    for (size_t i = 0; i < a; i++) {
        double f = cdf(ctx, x[i]);
        worst = fmax(worst, fmax((double)(i + 1) / (double)a - f, f - (double)i / (double)a));
    }
    if (distance)
        *distance = worst;
    return ks_p(worst, (double)a);
}

static const double *row_of(const double *x, size_t a, const double *y, size_t d, size_t i)
{
    return i < a ? x + i * d : y + (i - a) * d;
}

/* kernel (n, n): squared distances, then e^(-distance^2 / (2 width^2)). sorted is scratch for n (n - 1) / 2. */
static void fill_kernel(double *kernel, double *sorted, const double *x, size_t a, const double *y, size_t b, size_t d)
{
    size_t n = a + b, n_pairs = 0;
    double median;

    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < i; j++) {
            const double *p = row_of(x, a, y, d, i), *q = row_of(x, a, y, d, j);
            double square = 0;
            for (size_t k = 0; k < d; k++)
                square += (p[k] - q[k]) * (p[k] - q[k]);
            kernel[i * n + j] = kernel[j * n + i] = sorted[n_pairs++] = square;
        }
    qsort(sorted, n_pairs, sizeof *sorted, ascending);
    median = sorted[n_pairs / 2] > 0 ? sorted[n_pairs / 2] : 1;
    for (size_t i = 0; i < n * n; i++)
        kernel[i] = exp(-kernel[i] / (2 * median));
}

/* The unbiased estimate with the first a of order as x, the others as y. */
static double estimate(const double *kernel, const size_t *order, size_t a, size_t b)
{
    double same_x = 0, same_y = 0, cross = 0, na = (double)a, nb = (double)b;

    for (size_t i = 0; i < a + b; i++) {
        const double *row = kernel + order[i] * (a + b);
        for (size_t j = 0; j < i; j++) {
            double k = row[order[j]];
            if (i < a)
                same_x += k;
            else if (j >= a)
                same_y += k;
            else
                cross += k;
        }
    }
    return 2 * same_x / (na * (na - 1)) + 2 * same_y / (nb * (nb - 1)) - 2 * cross / (na * nb);
}

nset_status nset_mmd_two(double *p, const double *x, size_t a, const double *y, size_t b, size_t d,
    size_t n_permutations, uint64_t seed, nset_error *err)
{
    size_t n = a + b, above = 1, *order = NULL;
    double *kernel = NULL, *sorted = NULL, observed;
    nset_random r = nset_random_stream(seed, "mmd", 0);
    nset_status status = NSET_OK;

    if (a < 2 || b < 2)
        return nset_fail(err, NSET_ERR_ARG, "samples of %zu and %zu: at least 2 each are needed", a, b);
    kernel = nset_calloc(n * n, sizeof *kernel);
    sorted = nset_calloc(n * (n - 1) / 2, sizeof *sorted);
    order = nset_calloc(n, sizeof *order);
    if (!kernel || !sorted || !order)
        status = nset_fail_oom(err, n * n, sizeof *kernel);
    else {
        fill_kernel(kernel, sorted, x, a, y, b, d);
        for (size_t i = 0; i < n; i++)
            order[i] = i;
        observed = estimate(kernel, order, a, b);
        for (size_t k = 0; k < n_permutations; k++) {
            nset_random_shuffle(&r, order, n);
            above += estimate(kernel, order, a, b) >= observed;
        }
        *p = (double)above / (double)(n_permutations + 1);
    }
    nset_free(kernel);
    nset_free(sorted);
    nset_free(order);
    return status;
}
