#include "family.h"

#include <math.h>
#include <stdint.h>

#include <gsl/gsl_sf_psi.h>

#include <neuroset/memory.h>

#define LOG_2_PI 1.8378770664093454836

size_t nset_process_longest(const nset_process *p)
{
    const double v = p->variance, r = p->covariance;
    double n;

    if (!isfinite(p->mean) || !isfinite(v) || !isfinite(r) || !(v > 0) || !(r < v) || !(p->nu > 2))
        return 0;
    if (r >= 0)
        return SIZE_MAX;
    n = ceil(1 - v / r); /* the first n with v + (n - 1) r <= 0 is this or a neighbour */
    n = n > 0x1p52 ? 0x1p52 : n;
    while (n > 1 && v + (n - 1) * r <= 0)
        n--;
    return (size_t)n;
}

static nset_status check_length(const nset_process *p, size_t n, nset_error *err)
{
    size_t longest = nset_process_longest(p);

    if (longest == 0)
        return nset_fail(err, NSET_ERR_ARG,
            "exchangeable process: mean %g, variance %g, covariance %g, nu %g; needed: 0 < variance > covariance, nu > "
            "2",
            p->mean, p->variance, p->covariance, p->nu);
    if (n > longest)
        return nset_fail(err, NSET_ERR_ARG,
            "exchangeable process: covariance %g allows %zu observations of variance %g, not %zu", p->covariance,
            longest, p->variance, n);
    return NSET_OK;
}

/* The law of the next observation from the recursion's numbers. */
static void tell(nset_process_state *s, const nset_process *p)
{
    s->location = s->m;
    s->dof = p->nu + (double)s->n;
    s->scale2 = isinf(p->nu) ? s->v : s->v * (p->nu - 2 + s->b) / s->dof;
}

nset_status nset_process_start(nset_process_state *state, const nset_process *process, nset_error *err)
{
    nset_status status = check_length(process, 0, err);

    if (status == NSET_OK) {
        *state = (nset_process_state){ .m = process->mean, .v = process->variance };
        tell(state, process);
    }
    return status;
}

nset_status nset_process_step(nset_process_state *state, const nset_process *process, double x, nset_error *err)
{
    const double v = process->variance, r = process->covariance;
    double d, e = x - state->m;
    nset_status status = check_length(process, state->n + 1, err);

    if (status != NSET_OK)
        return status;
    if (!isfinite(x))
        return nset_fail(err, NSET_ERR_ARG, "exchangeable process: observation %zu is not finite", state->n);
    state->b += e * e / state->v;
    d = r / (v + r * (double)state->n);
    state->n++;
    state->m = (1 - d) * state->m + d * x;
    state->v = (1 - d) * state->v + d * (v - r);
    tell(state, process);
    return NSET_OK;
}

double nset_process_log_density(const nset_process_state *s, double x)
{
    const double e = x - s->location, dof = s->dof;

    if (isinf(dof))
        return -.5 * (LOG_2_PI + log(s->scale2) + e * e / s->scale2);
    return nset_log_gamma(.5 * (dof + 1)) - nset_log_gamma(.5 * dof) - .5 * log(dof * M_PI * s->scale2) -
           .5 * (dof + 1) * log1p(e * e / (dof * s->scale2));
}

/* The covariance has the eigenvalues v - r (n - 1 times) and v - r + n r (along the ones), so all follows from the
 * mean of x and its scatter. */
typedef struct parts {
    double n, mean, scatter; /* of x */
    double along, across;    /* eigenvalues: of the ones, of the rest */
    double off;              /* mean of x - mean of the process */
    double b;                /* (x - mean)^T K^-1 (x - mean) */
} parts;

static double log_joint(const nset_process *p, const parts *q)
{
    const double log_det = (q->n - 1) * log(q->across) + log(q->along), nu = p->nu;

    if (isinf(nu))
        return -.5 * (q->n * LOG_2_PI + log_det + q->b);
    return nset_log_gamma(.5 * (nu + q->n)) - nset_log_gamma(.5 * nu) - .5 * q->n * log(M_PI * (nu - 2)) -
           .5 * log_det - .5 * (nu + q->n) * log1p(q->b / (nu - 2));
}

static double slope_of_b(const nset_process *p, const parts *q)
{
    return isinf(p->nu) ? -.5 : -.5 * (p->nu + q->n) / (p->nu - 2 + q->b);
}

static void differentiate(nset_process *g, const nset_process *p, const parts *q)
{
    const double nu = p->nu, by_b = slope_of_b(p, q), n = q->n;
    const double by_across = -.5 * (n - 1) / q->across - by_b * q->scatter / (q->across * q->across);
    const double by_along = -.5 / q->along - by_b * n * q->off * q->off / (q->along * q->along);

    g->mean = -2 * by_b * n * q->off / q->along;
    g->variance = by_across + by_along;
    g->covariance = -by_across + (n - 1) * by_along;
    g->nu = isinf(nu) ? 0
                      : .5 * (gsl_sf_psi(.5 * (nu + n)) - gsl_sf_psi(.5 * nu) - n / (nu - 2) - log1p(q->b / (nu - 2)) +
                                 (nu + n) * q->b / ((nu - 2) * (nu - 2 + q->b)));
}

nset_status nset_process_joint(double *log_p, nset_process *gradient, double *dx, const nset_process *process,
    const double *x, size_t n, nset_error *err)
{
    parts q = { .n = (double)n };
    nset_status status = check_length(process, n, err);
    double sum = 0;

    for (size_t i = 0; i < n && status == NSET_OK; i++)
        if (!isfinite(x[i]))
            status = nset_fail(err, NSET_ERR_ARG, "exchangeable process: observation %zu is not finite", i);
    if (status != NSET_OK || (status = nset_sum_powers(&sum, x, n, 1, 0, 1, err)) != NSET_OK)
        return status;
    if (n == 0) {
        *log_p = 0;
        if (gradient)
            *gradient = (nset_process){ 0 };
        return NSET_OK;
    }
    q.mean = sum / q.n;
    if ((status = nset_sum_powers(&q.scatter, x, n, 1, q.mean, 2, err)) != NSET_OK)
        return status;
    q.across = process->variance - process->covariance;
    q.along = q.across + q.n * process->covariance;
    q.off = q.mean - process->mean;
    q.b = q.scatter / q.across + q.n * q.off * q.off / q.along;
    *log_p = log_joint(process, &q);
    if (gradient)
        differentiate(gradient, process, &q);
    for (size_t i = 0; dx && i < n; i++)
        dx[i] = 2 * slope_of_b(process, &q) * ((x[i] - q.mean) / q.across + q.off / q.along);
    return NSET_OK;
}
