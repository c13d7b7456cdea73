/* How many: the negative binomial head. */
#include <neuroset/cardinality.h>

#include <math.h>

#include <gsl/gsl_sf_psi.h>

#include "family.h"

#define LEAST 1e-6 /* keeps a and b away from 0 */

double nset_negative_binomial(double *da, double *db, uint64_t m, double a, double b)
{
    const double k = (double)m, log_share = -log1p(1 / b); /* log(b / (1 + b)) */

    if (da)
        *da = gsl_sf_psi(a + k) - gsl_sf_psi(a) + log_share;
    if (db)
        *db = a / b - (a + k) / (1 + b);
    return nset_log_gamma(a + k) - nset_log_gamma(a) - nset_log_gamma(k + 1) + a * log_share - k * log1p(b);
}

static double softplus(double x)
{
    return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x));
}

static double logistic(double x)
{
    return x >= 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x));
}

void nset_cardinality_read(double *a, double *b, const nset_real *x)
{
    *a = softplus((double)x[0]) + LEAST;
    *b = softplus((double)x[1]) + LEAST;
}

double nset_loss_cardinality(nset_real *dx, const nset_real *x, const uint64_t *m, size_t n)
{
    double sum = 0, a, b, da, db;

    for (size_t s = 0; s < n; s++) {
        nset_cardinality_read(&a, &b, x + 2 * s);
        sum -= nset_negative_binomial(&da, &db, m[s], a, b);
        if (dx) {
            dx[2 * s] = (nset_real)(-da * logistic((double)x[2 * s]) / (double)n);
            dx[2 * s + 1] = (nset_real)(-db * logistic((double)x[2 * s + 1]) / (double)n);
        }
    }
    return n ? sum / (double)n : 0;
}

nset_status nset_cardinality_interval(uint64_t *low, uint64_t *high, double a, double b, double cover, nset_error *err)
{
    const double tail = .5 * (1 - cover);
    double below = 0;
    uint64_t m = 0, first = 0;

    if (!(a > 0 && b > 0 && isfinite(a) && isfinite(b) && cover > 0 && cover < 1))
        return nset_fail(err, NSET_ERR_ARG,
            "interval of a count: a %g, b %g, cover %g; needed: a, b > 0, 0 < cover < 1", a, b, cover);
    for (; below < 1 - tail; m++) {
        if (m == 100000000)
            return nset_fail(err, NSET_ERR_NUMERIC,
                "interval of a count: a %g and b %g spread it over more than 10^8 numbers", a, b);
        if (below <= tail)
            first = m;
        below += exp(nset_negative_binomial(NULL, NULL, m, a, b));
    }
    *low = first;
    *high = m - 1;
    return NSET_OK;
}

/* With b = a / mean the likelihood has one free number, a; its slope falls through 0 once if the counts scatter more
 * than Poisson numbers do. */
static double slope(double a, double mean, const uint64_t *m, size_t n)
{
    double sum = 0, da;

    for (size_t i = 0; i < n; i++) {
        (void)nset_negative_binomial(&da, NULL, m[i], a, a / mean);
        sum += da;
    }
    return sum;
}

nset_status nset_cardinality_fit(double *a, double *b, const uint64_t *m, size_t n, nset_error *err)
{
    double mean = 0, square = 0, low = 1e-8, high = 1e8;

    for (size_t i = 0; i < n; i++)
        mean += (double)m[i] / (double)n;
    if (n == 0 || mean == 0)
        return nset_fail(err, NSET_ERR_ARG, "fit of %zu counts with mean 0: at least one above 0 is needed", n);
    for (size_t i = 0; i < n; i++)
        square += ((double)m[i] - mean) * ((double)m[i] - mean) / (double)n;
    if (square <= mean) {
        *a = *b = INFINITY;
        return NSET_OK;
    }
    while (high / low > 1 + 1e-12) {
        double middle = sqrt(low * high);
        if (slope(middle, mean, m, n) > 0)
            low = middle;
        else
            high = middle;
    }
    *a = sqrt(low * high);
    *b = *a / mean;
    return NSET_OK;
}
