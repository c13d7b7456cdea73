/* Vectors of normal numbers under the normal-inverse-Wishart prior: hyper is m (d), k, nu, Psi (d, d). */
#include "family.h"

#include <math.h>
#include <string.h>

#include <neuroset/memory.h>
#include <neuroset/pool.h>

static bool normals_ok(const double *hyper, size_t d)
{
    if (d == 0 || !(hyper[d] > 0) || !(hyper[d + 1] > (double)d - 1))
        return false;
    for (size_t i = 0; i < d + 2 + d * d; i++)
        if (!isfinite(hyper[i]))
            return false;
    for (size_t i = 0; i < d; i++)
        for (size_t j = 0; j < i; j++)
            if (hyper[d + 2 + i * d + j] != hyper[d + 2 + j * d + i])
                return false;
    return true;
}

static bool is_number(double x, size_t d)
{
    (void)d;
    return isfinite(x) != 0;
}

/* l (d, d), lower, with l l^T = a. */
static nset_status cholesky(double *l, const double *a, size_t d, nset_error *err)
{
    for (size_t i = 0; i < d; i++)
        for (size_t j = 0; j <= i; j++) {
            double sum = a[i * d + j];
            for (size_t k = 0; k < j; k++)
                sum -= l[i * d + k] * l[j * d + k];
            if (i == j && !(sum > 0))
                return nset_fail(err, NSET_ERR_NUMERIC, "normal model: Psi is not positive definite (row %zu)", i);
            l[i * d + j] = i == j ? sqrt(sum) : sum / l[j * d + j];
        }
    return NSET_OK;
}

static double log_determinant(const double *l, size_t d)
{
    double sum = 0;

    for (size_t i = 0; i < d; i++)
        sum += 2 * log(l[i * d + i]);
    return sum;
}

/* log of the multivariate gamma function without its d (d - 1) / 4 log pi. */
static double log_gammas(double a, size_t d)
{
    double sum = 0;

    for (size_t j = 0; j < d; j++)
        sum += nset_log_gamma(a - .5 * (double)j);
    return sum;
}

/* Row a of Psi gains the scatter about mean, exact sums of rounded products. term (n) is scratch. */
static void add_scatter(double *psi, const double *mean, double *term, const double *x, size_t n, size_t d)
{
    for (size_t a = 0; a < d; a++)
        for (size_t b = 0; b <= a; b++) {
            for (size_t i = 0; i < n; i++)
                term[i] = (x[i * d + a] - mean[a]) * (x[i * d + b] - mean[b]);
            psi[a * d + b] += nset_exact_sum(term, n);
            psi[b * d + a] = psi[a * d + b];
        }
}

static nset_status normals_update(
    double *posterior, const double *prior, const double *x, size_t n, size_t d, nset_error *err)
{
    const double k = prior[d], count = (double)n;
    double *mean = nset_calloc(2 * d, sizeof *mean), *term = nset_calloc(n, sizeof *term), *off = mean + d;
    double *psi = posterior + d + 2;
    nset_status status = mean && term ? NSET_OK : nset_fail_oom(err, n + 2 * d, sizeof *term);

    for (size_t j = 0; j < d && status == NSET_OK; j++) {
        double sum = 0;
        if ((status = nset_sum_powers(&sum, x + j, n, d, 0, 1, err)) != NSET_OK)
            break;
        mean[j] = n ? sum / count : prior[j];
        off[j] = mean[j] - prior[j];
    }
    if (status == NSET_OK) {
        memmove(posterior, prior, nset_conjugate_n_hyper(NSET_NORMALS, d) * sizeof *prior);
        add_scatter(psi, mean, term, x, n, d);
        for (size_t i = 0; i < d * d; i++)
            psi[i] += k * count / (k + count) * (off[i / d] * off[i % d]);
        for (size_t j = 0; j < d; j++)
            posterior[j] += off[j] * count / (k + count);
        posterior[d] = k + count;
        posterior[d + 1] += count;
    }
    nset_free(mean);
    nset_free(term);
    return status;
}

/* Multivariate Student t with nu - d + 1 degrees of freedom. */
static nset_status normals_predict(double *log_p, const double *hyper, const double *x, size_t d, nset_error *err)
{
    const double k = hyper[d], dof = hyper[d + 1] - (double)d + 1, factor = (k + 1) / (k * dof);
    double *l = nset_calloc(d * d, sizeof *l), *z = nset_calloc(d, sizeof *z), square = 0;
    nset_status status = l && z ? cholesky(l, hyper + d + 2, d, err) : nset_fail_oom(err, d * d, sizeof *l);

    if (status == NSET_OK) {
        for (size_t i = 0; i < d; i++) {
            z[i] = x[i] - hyper[i];
            for (size_t j = 0; j < i; j++)
                z[i] -= l[i * d + j] * z[j];
            z[i] /= l[i * d + i];
            square += z[i] * z[i];
        }
        *log_p = nset_log_gamma(.5 * (dof + (double)d)) - nset_log_gamma(.5 * dof) -
                 .5 * (double)d * log(dof * M_PI * factor) - .5 * log_determinant(l, d) -
                 .5 * (dof + (double)d) * log1p(square / (factor * dof));
    }
    nset_free(l);
    nset_free(z);
    return status;
}

static nset_status normals_marginal(
    double *log_p, const double *prior, const double *x, size_t n, size_t d, nset_error *err)
{
    size_t n_hyper = nset_conjugate_n_hyper(NSET_NORMALS, d);
    double *post = nset_calloc(n_hyper, sizeof *post), *l = nset_calloc(2 * d * d, sizeof *l);
    const double nu = prior[d + 1], dims = (double)d;
    nset_status status = post && l ? NSET_OK : nset_fail_oom(err, n_hyper, sizeof *post);

    if (status == NSET_OK && (status = normals_update(post, prior, x, n, d, err)) == NSET_OK &&
        (status = cholesky(l, prior + d + 2, d, err)) == NSET_OK &&
        (status = cholesky(l + d * d, post + d + 2, d, err)) == NSET_OK)
        *log_p = -.5 * (double)n * dims * log(M_PI) + log_gammas(.5 * post[d + 1], d) - log_gammas(.5 * nu, d) +
                 .5 * nu * log_determinant(l, d) - .5 * post[d + 1] * log_determinant(l + d * d, d) +
                 .5 * dims * log(prior[d] / post[d]);
    nset_free(post);
    nset_free(l);
    return status;
}

const family_row nset_family_normals = { "normal", "finite m, k > 0, nu > d - 1 and a symmetric Psi", "finite numbers",
    normals_ok, is_number, normals_update, normals_predict, normals_marginal };
