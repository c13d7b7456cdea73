/* Which: the best set of each size is a prefix of the sorted candidates. */
#include <neuroset/cardinality.h>

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include <neuroset/memory.h>

#include "family.h"

static int by_score(const void *a, const void *b, void *ctx)
{
    const double *score = ctx;
    size_t i = *(const size_t *)a, j = *(const size_t *)b;

    return score[i] > score[j] ? -1 : score[i] < score[j] ? 1 : i < j ? -1 : i > j;
}

static void sort_down(size_t *order, const double *score, size_t n)
{
    for (size_t i = 0; i < n; i++)
        order[i] = i;
    qsort_r(order, n, sizeof *order, by_score, (void *)(uintptr_t)score);
}

nset_status nset_decode_set(size_t *m, size_t *order, const double *log_density, const double *log_m, double log_unit,
    size_t n, nset_error *err)
{
    double best, sum = 0;

    for (size_t i = 0; i < n; i++)
        if (isnan(log_density[i]) || isnan(log_m[i]))
            return nset_fail(err, NSET_ERR_ARG, "decoding of a set: score or probability %zu is no number", i);
    sort_down(order, log_density, n);
    best = log_m[0];
    *m = 0;
    for (size_t k = 1; k <= n; k++) {
        double score;
        sum += log_density[order[k - 1]];
        score = log_m[k] + nset_log_gamma((double)k + 1) + (double)k * log_unit + sum;
        if (score > best) {
            best = score;
            *m = k;
        }
    }
    return NSET_OK;
}

static double log_add(double a, double b)
{
    const double high = a > b ? a : b, low = a > b ? b : a;

    return isinf(low) ? high : high + log1p(exp(low - high));
}

/* log e_k of the odds, k = 0 .. n, candidates taken best first, so that the bits have no order. */
static void log_symmetric(double *e, const double *logits, const size_t *order, size_t n)
{
    e[0] = 0;
    for (size_t k = 1; k <= n; k++)
        e[k] = -INFINITY;
    for (size_t i = 0; i < n; i++)
        for (size_t k = i + 1; k > 0; k--)
            e[k] = log_add(e[k], e[k - 1] + logits[order[i]]);
}

static nset_status check_logits(const double *logits, size_t n, nset_error *err)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(logits[i]))
            return nset_fail(err, NSET_ERR_ARG, "logit %zu of a set is %g, not finite", i, logits[i]);
    return NSET_OK;
}

nset_status nset_decode_logits(
    size_t *m, size_t *order, const double *logits, const double *log_m, size_t n, nset_error *err)
{
    double *e, best, sum = 0;
    nset_status status = check_logits(logits, n, err);

    if (status != NSET_OK)
        return status;
    if (!(e = nset_calloc(n + 1, sizeof *e)))
        return nset_fail_oom(err, n + 1, sizeof *e);
    sort_down(order, logits, n);
    log_symmetric(e, logits, order, n);
    best = log_m[0];
    *m = 0;
    for (size_t k = 1; k <= n; k++) {
        sum += logits[order[k - 1]];
        if (log_m[k] + sum - e[k] > best) {
            best = log_m[k] + sum - e[k];
            *m = k;
        }
    }
    nset_free(e);
    return NSET_OK;
}

nset_status nset_poisson_binomial(double *log_m, const double *logits, size_t n, nset_error *err)
{
    size_t *order;
    double none = 0;
    nset_status status = check_logits(logits, n, err);

    if (status != NSET_OK)
        return status;
    if (!(order = nset_calloc(n, sizeof *order)))
        return nset_fail_oom(err, n, sizeof *order);
    sort_down(order, logits, n);
    log_symmetric(log_m, logits, order, n);
    for (size_t i = 0; i < n; i++)
        none -= log_add(0, logits[order[i]]);
    for (size_t k = 0; k <= n; k++)
        log_m[k] += none;
    nset_free(order);
    return NSET_OK;
}
