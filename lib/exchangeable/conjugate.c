#include "family.h"

#include <math.h>

#include <gsl/gsl_sf_gamma.h>

#include <neuroset/memory.h>
#include <neuroset/pool.h>

#define LOG_2_PI 1.8378770664093454836

/* GSL's error handler is never called: arguments are checked to be positive and finite. */
double nset_log_gamma(double x)
{
    return gsl_sf_lngamma(x);
}

nset_status nset_sum_powers(
    double *sum, const double *x, size_t n, size_t stride, double at, int power, nset_error *err)
{
    double *term = nset_calloc(n, sizeof *term);

    if (!term)
        return nset_fail_oom(err, n, sizeof *term);
    for (size_t i = 0; i < n; i++) {
        double e = x[i * stride] - at;
        term[i] = power == 2 ? e * e : e;
    }
    *sum = nset_exact_sum(term, n);
    nset_free(term);
    return NSET_OK;
}

static bool positive(const double *hyper, size_t first, size_t n)
{
    for (size_t i = first; i < first + n; i++)
        if (!(hyper[i] > 0 && isfinite(hyper[i])))
            return false;
    return true;
}

static bool two_positive(const double *hyper, size_t d)
{
    (void)d;
    return positive(hyper, 0, 2);
}

static bool is_bit(double x, size_t d)
{
    (void)d;
    return x == 0 || x == 1;
}

static bool is_category(double x, size_t d)
{
    return x >= 0 && x < (double)d && x == floor(x);
}

static bool is_count(double x, size_t d)
{
    (void)d;
    return x >= 0 && x < 0x1p53 && x == floor(x);
}

static bool is_number(double x, size_t d)
{
    (void)d;
    return isfinite(x) != 0;
}

/* ---- Beta-Bernoulli ---- */

static nset_status bernoulli_update(
    double *posterior, const double *prior, const double *x, size_t n, size_t d, nset_error *err)
{
    double successes = 0;

    (void)d;
    (void)err;
    for (size_t i = 0; i < n; i++)
        successes += x[i];
    posterior[0] = prior[0] + successes;
    posterior[1] = prior[1] + ((double)n - successes);
    return NSET_OK;
}

static nset_status bernoulli_predict(double *log_p, const double *hyper, const double *x, size_t d, nset_error *err)
{
    (void)d;
    (void)err;
    *log_p = log(hyper[*x == 1 ? 0 : 1] / (hyper[0] + hyper[1]));
    return NSET_OK;
}

static double log_beta(const double *ab)
{
    return nset_log_gamma(ab[0]) + nset_log_gamma(ab[1]) - nset_log_gamma(ab[0] + ab[1]);
}

static nset_status bernoulli_marginal(
    double *log_p, const double *prior, const double *x, size_t n, size_t d, nset_error *err)
{
    double post[2] = { 0 };
    nset_status status = bernoulli_update(post, prior, x, n, d, err);

    *log_p = log_beta(post) - log_beta(prior);
    return status;
}

/* ---- Dirichlet-categorical ---- */

static bool all_positive(const double *hyper, size_t d)
{
    return d > 0 && positive(hyper, 0, d);
}

static nset_status categorical_update(
    double *posterior, const double *prior, const double *x, size_t n, size_t d, nset_error *err)
{
    double *count = nset_calloc(d, sizeof *count); /* first counted, then added: one rounding, of no order */

    if (!count)
        return nset_fail_oom(err, d, sizeof *count);
    for (size_t i = 0; i < n; i++)
        count[(size_t)x[i]]++;
    for (size_t k = 0; k < d; k++)
        posterior[k] = prior[k] + count[k];
    nset_free(count);
    return NSET_OK;
}

static double total_of(const double *x, size_t d)
{
    double sum = 0;

    for (size_t k = 0; k < d; k++)
        sum += x[k];
    return sum;
}

static nset_status categorical_predict(double *log_p, const double *hyper, const double *x, size_t d, nset_error *err)
{
    (void)err;
    *log_p = log(hyper[(size_t)*x] / total_of(hyper, d));
    return NSET_OK;
}

static nset_status categorical_marginal(
    double *log_p, const double *prior, const double *x, size_t n, size_t d, nset_error *err)
{
    double *post = nset_calloc(d, sizeof *post), a = total_of(prior, d);
    nset_status status = post ? categorical_update(post, prior, x, n, d, err) : nset_fail_oom(err, d, sizeof *post);

    if (status == NSET_OK) {
        *log_p = nset_log_gamma(a) - nset_log_gamma(a + (double)n);
        for (size_t k = 0; k < d; k++)
            *log_p += nset_log_gamma(post[k]) - nset_log_gamma(prior[k]);
    }
    nset_free(post);
    return status;
}

/* ---- Gamma-Poisson ---- */

static nset_status poisson_update(
    double *posterior, const double *prior, const double *x, size_t n, size_t d, nset_error *err)
{
    double sum = 0;
    nset_status status = nset_sum_powers(&sum, x, n, 1, 0, 1, err);

    (void)d;
    if (status == NSET_OK) {
        posterior[0] = prior[0] + sum;
        posterior[1] = prior[1] + (double)n;
    }
    return status;
}

/* Negative binomial. */
static nset_status poisson_predict(double *log_p, const double *hyper, const double *x, size_t d, nset_error *err)
{
    const double a = hyper[0], b = hyper[1];

    (void)d;
    (void)err;
    *log_p = nset_log_gamma(a + *x) - nset_log_gamma(a) - nset_log_gamma(*x + 1) - a * log1p(1 / b) - *x * log1p(b);
    return NSET_OK;
}

static nset_status poisson_marginal(
    double *log_p, const double *prior, const double *x, size_t n, size_t d, nset_error *err)
{
    double post[2] = { 0 }, factorials, *term = nset_calloc(n, sizeof *term);
    nset_status status = term ? poisson_update(post, prior, x, n, d, err) : nset_fail_oom(err, n, sizeof *term);

    if (status == NSET_OK) {
        for (size_t i = 0; i < n; i++)
            term[i] = nset_log_gamma(x[i] + 1);
        factorials = nset_exact_sum(term, n);
        *log_p = prior[0] * log(prior[1]) - post[0] * log(post[1]) + nset_log_gamma(post[0]) -
                 nset_log_gamma(prior[0]) - factorials;
    }
    nset_free(term);
    return status;
}

/* ---- normal of known variance: m, t2, s2 ---- */

static bool normal_mean_ok(const double *hyper, size_t d)
{
    (void)d;
    return isfinite(hyper[0]) && positive(hyper, 1, 2);
}

static nset_status normal_mean_update(
    double *posterior, const double *prior, const double *x, size_t n, size_t d, nset_error *err)
{
    const double m = prior[0], t2 = prior[1], s2 = prior[2];
    double sum = 0;
    nset_status status = nset_sum_powers(&sum, x, n, 1, m, 1, err);

    (void)d;
    if (status == NSET_OK) {
        posterior[0] = m + sum * t2 / (s2 + (double)n * t2);
        posterior[1] = t2 * s2 / (s2 + (double)n * t2);
        posterior[2] = s2;
    }
    return status;
}

static double log_normal(double x, double mean, double variance)
{
    return -.5 * (LOG_2_PI + log(variance) + (x - mean) * (x - mean) / variance);
}

static nset_status normal_mean_predict(double *log_p, const double *hyper, const double *x, size_t d, nset_error *err)
{
    (void)d;
    (void)err;
    *log_p = log_normal(*x, hyper[0], hyper[1] + hyper[2]);
    return NSET_OK;
}

static nset_status normal_mean_marginal(
    double *log_p, const double *prior, const double *x, size_t n, size_t d, nset_error *err)
{
    const double m = prior[0], t2 = prior[1], s2 = prior[2], k = (double)n;
    double sum = 0, squares = 0;
    nset_status status;

    (void)d;
    if ((status = nset_sum_powers(&sum, x, n, 1, m, 1, err)) == NSET_OK &&
        (status = nset_sum_powers(&squares, x, n, 1, m, 2, err)) == NSET_OK)
        *log_p = -.5 * k * (LOG_2_PI + log(s2)) - .5 * log1p(k * t2 / s2) - squares / (2 * s2) +
                 t2 * sum * sum / (2 * s2 * (s2 + k * t2));
    return status;
}

/* ---- normal of unknown mean and variance: m, k, a, b ---- */

static bool normal_ok(const double *hyper, size_t d)
{
    (void)d;
    return isfinite(hyper[0]) && positive(hyper, 1, 3);
}

static nset_status normal_update(
    double *posterior, const double *prior, const double *x, size_t n, size_t d, nset_error *err)
{
    const double m = prior[0], k = prior[1], a = prior[2], b = prior[3], count = (double)n;
    double sum = 0, squares = 0, mean;
    nset_status status;

    (void)d;
    if ((status = nset_sum_powers(&sum, x, n, 1, 0, 1, err)) != NSET_OK)
        return status;
    mean = n ? sum / count : m;
    if ((status = nset_sum_powers(&squares, x, n, 1, mean, 2, err)) != NSET_OK)
        return status;
    posterior[0] = (k * m + sum) / (k + count);
    posterior[1] = k + count;
    posterior[2] = a + .5 * count;
    posterior[3] = b + .5 * squares + k * count * (mean - m) * (mean - m) / (2 * (k + count));
    return NSET_OK;
}

static double log_student(double x, double dof, double location, double scale2)
{
    const double e = x - location;

    return nset_log_gamma(.5 * (dof + 1)) - nset_log_gamma(.5 * dof) - .5 * log(dof * M_PI * scale2) -
           .5 * (dof + 1) * log1p(e * e / (dof * scale2));
}

static nset_status normal_predict(double *log_p, const double *hyper, const double *x, size_t d, nset_error *err)
{
    const double m = hyper[0], k = hyper[1], a = hyper[2], b = hyper[3];

    (void)d;
    (void)err;
    *log_p = log_student(*x, 2 * a, m, b * (k + 1) / (a * k));
    return NSET_OK;
}

static nset_status normal_marginal(
    double *log_p, const double *prior, const double *x, size_t n, size_t d, nset_error *err)
{
    double post[4] = { 0 };
    nset_status status = normal_update(post, prior, x, n, d, err);

    if (status == NSET_OK)
        *log_p = nset_log_gamma(post[2]) - nset_log_gamma(prior[2]) + prior[2] * log(prior[3]) -
                 post[2] * log(post[3]) + .5 * log(prior[1] / post[1]) - .5 * (double)n * LOG_2_PI;
    return status;
}

/* ---- all ---- */

static const family_row bernoulli = { "Bernoulli", "a, b > 0", "0 or 1", two_positive, is_bit, bernoulli_update,
    bernoulli_predict, bernoulli_marginal };
static const family_row categorical = { "categorical", "alpha > 0", "0 .. d-1", all_positive, is_category,
    categorical_update, categorical_predict, categorical_marginal };
static const family_row poisson = { "Poisson", "shape, rate > 0", "0, 1, 2 ..", two_positive, is_count, poisson_update,
    poisson_predict, poisson_marginal };
static const family_row normal_mean = { "normal of known variance", "a finite mean and variances > 0",
    "a finite number", normal_mean_ok, is_number, normal_mean_update, normal_mean_predict, normal_mean_marginal };
static const family_row normal = { "normal", "a finite mean and k, a, b > 0", "a finite number", normal_ok, is_number,
    normal_update, normal_predict, normal_marginal };

static const family_row *const families[] = { [NSET_BERNOULLI] = &bernoulli,
    [NSET_CATEGORICAL] = &categorical,
    [NSET_POISSON] = &poisson,
    [NSET_NORMAL_MEAN] = &normal_mean,
    [NSET_NORMAL] = &normal,
    [NSET_NORMALS] = &nset_family_normals };

size_t nset_conjugate_n_hyper(nset_family family, size_t d)
{
    switch (family) {
    case NSET_BERNOULLI:
    case NSET_POISSON:
        return 2;
    case NSET_CATEGORICAL:
        return d;
    case NSET_NORMAL_MEAN:
        return 3;
    case NSET_NORMAL:
        return 4;
    case NSET_NORMALS:
        return d + 2 + d * d;
    }
    return 0;
}

size_t nset_conjugate_n_numbers(nset_family family, size_t d)
{
    return family == NSET_NORMALS ? d : 1;
}

static nset_status check(const family_row **row, nset_family family, const double *hyper, const double *x, size_t n,
    size_t d, nset_error *err)
{
    size_t width = nset_conjugate_n_numbers(family, d);

    if ((int)family < NSET_BERNOULLI || family > NSET_NORMALS)
        return nset_fail(err, NSET_ERR_ARG, "there is no family %d of exchangeable models", (int)family);
    *row = families[family];
    if (!(*row)->hyper_ok(hyper, d))
        return nset_fail(err, NSET_ERR_ARG, "%s model: its prior needs %s", (*row)->name, (*row)->hyper_is);
    for (size_t i = 0; i < n * width; i++)
        if (!(*row)->x_ok(x[i], d))
            return nset_fail(err, NSET_ERR_ARG, "%s model: observation %zu is %g, not %s", (*row)->name, i / width,
                x[i], (*row)->x_is);
    return NSET_OK;
}

nset_status nset_conjugate_update(
    double *posterior, nset_family family, const double *prior, const double *x, size_t n, size_t d, nset_error *err)
{
    const family_row *row;
    nset_status status = check(&row, family, prior, x, n, d, err);

    return status == NSET_OK ? row->update(posterior, prior, x, n, d, err) : status;
}

nset_status nset_conjugate_predict(
    double *log_p, nset_family family, const double *hyper, const double *x, size_t d, nset_error *err)
{
    const family_row *row;
    nset_status status = check(&row, family, hyper, x, 1, d, err);

    return status == NSET_OK ? row->predict(log_p, hyper, x, d, err) : status;
}

nset_status nset_conjugate_marginal(
    double *log_p, nset_family family, const double *prior, const double *x, size_t n, size_t d, nset_error *err)
{
    const family_row *row;
    nset_status status = check(&row, family, prior, x, n, d, err);

    return status == NSET_OK ? row->marginal(log_p, prior, x, n, d, err) : status;
}
