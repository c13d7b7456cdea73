#include <neuroset/train.h>

#include <math.h>
#include <string.h>

/* What the three weighted losses share: the loss of one number and its slope. */
typedef struct term {
    double loss, slope;
} term;

static term squared(double x, double target)
{
    const double e = x - target;

    return (term){ e * e, 2 * e };
}

static term absolute(double x, double target)
{
    const double e = x - target;

    return (term){ fabs(e), e > 0 ? 1 : e < 0 ? -1 : 0 };
}

/* max(x, 0) - x t + log(1 + e^-|x|) does not overflow for any logit. */
static term cross_entropy(double x, double target)
{
    const double small = exp(-fabs(x));
    const double p = x >= 0 ? 1 / (1 + small) : small / (1 + small);

    return (term){ (x > 0 ? x : 0) - x * target + log1p(small), p - target };
}

static inline double weighted_mean(nset_real *dx, const nset_real *x, const nset_real *target, const nset_real *weight,
    size_t n, term (*of)(double, double))
{
    double total = weight ? 0 : (double)n, sum = 0, scale;

    for (size_t i = 0; weight && i < n; i++)
        total += (double)weight[i];
    scale = total > 0 ? 1 / total : 0;
    for (size_t i = 0; i < n; i++) {
        const double w = weight ? (double)weight[i] : 1;
        term t = { 0, 0 };
        if (w != 0) /* a number of weight 0 may be anything, even not a number */
            t = of((double)x[i], (double)target[i]);
        sum += w * t.loss;
        if (dx)
            dx[i] = (nset_real)(w * t.slope * scale);
    }
    return sum * scale;
}

double nset_loss_mse(nset_real *dx, const nset_real *x, const nset_real *target, const nset_real *weight, size_t n)
{
    return weighted_mean(dx, x, target, weight, n, squared);
}

double nset_loss_mae(nset_real *dx, const nset_real *x, const nset_real *target, const nset_real *weight, size_t n)
{
    return weighted_mean(dx, x, target, weight, n, absolute);
}

double nset_loss_bce(nset_real *dx, const nset_real *x, const nset_real *target, const nset_real *weight, size_t n)
{
    return weighted_mean(dx, x, target, weight, n, cross_entropy);
}

/* loss = log(sum e^(x_j - max)) + max - x_label; slope = softmax - one hot. Returns the loss of one row. */
static double softmax_row(nset_real *dx, const nset_real *x, size_t label, size_t k, double scale)
{
    double top = (double)x[0], sum = 0;

    for (size_t j = 1; j < k; j++)
        top = (double)x[j] > top ? (double)x[j] : top;
    for (size_t j = 0; j < k; j++)
        sum += exp((double)x[j] - top);
    for (size_t j = 0; dx && j < k; j++)
        dx[j] = (nset_real)((exp((double)x[j] - top) / sum - (j == label)) * scale);
    return log(sum) + top - (double)x[label];
}

double nset_loss_softmax(nset_real *dx, const nset_real *x, const int32_t *label, size_t n, size_t k)
{
    size_t n_labelled = 0;
    double sum = 0, scale;

    for (size_t i = 0; i < n; i++)
        n_labelled += label[i] >= 0;
    scale = n_labelled ? 1 / (double)n_labelled : 0;
    if (dx)
        memset(dx, 0, n * k * sizeof *dx);
    for (size_t i = 0; i < n; i++)
        if (label[i] >= 0)
            sum += softmax_row(dx ? dx + i * k : NULL, x + i * k, (size_t)label[i], k, scale);
    return sum * scale;
}
