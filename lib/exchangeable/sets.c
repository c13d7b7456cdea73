#include <neuroset/exchangeable.h>

#include <math.h>

nset_status nset_bayesian_sets(double *constant, double *weight, const double *query, size_t n, size_t d,
    const double *a, const double *b, nset_error *err)
{
    double sum = 0;

    for (size_t j = 0; j < d; j++)
        if (!(a[j] > 0 && b[j] > 0 && isfinite(a[j]) && isfinite(b[j])))
            return nset_fail(err, NSET_ERR_ARG,
                "Bayesian sets: feature %zu has the prior Beta(%g, %g); both must be > 0", j, a[j], b[j]);
    for (size_t i = 0; i < n * d; i++)
        if (query[i] != 0 && query[i] != 1)
            return nset_fail(
                err, NSET_ERR_ARG, "Bayesian sets: feature %zu of query %zu is %g, not 0 or 1", i % d, i / d, query[i]);
    for (size_t j = 0; j < d; j++) {
        double ones = 0, with_a, with_b;
        for (size_t i = 0; i < n; i++)
            ones += query[i * d + j];
        with_a = a[j] + ones;
        with_b = b[j] + (double)n - ones;
        sum += log(a[j] + b[j]) - log(a[j] + b[j] + (double)n) + log(with_b) - log(b[j]);
        weight[j] = log(with_a) - log(a[j]) - log(with_b) + log(b[j]);
    }
    *constant = sum;
    return NSET_OK;
}
