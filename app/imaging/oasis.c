#include "imaging/oasis.h"

#include <math.h>
#include <string.h>

#include <neuroset/memory.h>

#include "signal/robust.h"

typedef struct pool {
    double v, w; /* value at the first frame; sum of the squared decays */
    size_t first, length;
} pool;

struct nset_oasis {
    pool *pool;
};

nset_status nset_oasis_create(nset_oasis **out, size_t n, nset_error *err)
{
    nset_oasis *o = nset_calloc(1, sizeof *o);

    if (!o || !(o->pool = nset_calloc(n, sizeof *o->pool))) {
        nset_oasis_free(o);
        return nset_fail_oom(err, n, sizeof(pool));
    }
    *out = o;
    return NSET_OK;
}

void nset_oasis_free(nset_oasis *o)
{
    if (!o)
        return;
    nset_free(o->pool);
    nset_free(o);
}

void nset_oasis_solve(nset_oasis *o, float *c, const float *y, size_t n, double g, double b, double lambda)
{
    pool *p = o->pool;
    size_t k = 0; /* pools so far */
    double log_g = log(g);

    /* With c_t = g^t x_t this is isotonic regression of x: pools of adjacent violators, and x >= 0 by cutting at the
     * end, which is exact for isotonic regression. */
    for (size_t t = 0; t < n; t++) {
        /* the sum of s telescopes: a frame costs lambda (1 - g) of c, the last one lambda */
        p[k++] = (pool){ (double)y[t] - b - lambda * (t + 1 < n ? 1 - g : 1), 1, t, 1 };
        while (k > 1) {
            pool *left = &p[k - 2], *right = &p[k - 1];
            double decay = exp(log_g * (double)left->length), w;
            if (right->v >= decay * left->v)
                break;
            w = left->w + decay * decay * right->w;
            left->v = (left->w * left->v + decay * right->w * right->v) / w;
            left->w = w;
            left->length += right->length;
            k--;
        }
    }
    for (size_t i = 0; i < k; i++) {
        double x = fmax(p[i].v, 0);
        for (size_t j = 0; j < p[i].length; j++, x *= g)
            c[p[i].first + j] = (float)x;
    }
}

/* Mean square of y - b - c, whose mean is put into *mean. */
static double misfit(const float *c, const float *y, size_t n, double b, double *mean)
{
    double square = 0, sum = 0;

    for (size_t t = 0; t < n; t++) {
        double r = (double)y[t] - b - (double)c[t];
        square += r * r;
        sum += r;
    }
    *mean = sum / (double)n;
    return square / (double)n;
}

/* c := the solution whose root mean square misfit is sd, by false position (Illinois) in lambda: it grows with it. */
static double solve_to_noise(nset_oasis *o, float *c, const float *y, size_t n, double g, double b, double sd)
{
    double low = 0, high = sd, f_low, f_high, mean, lambda = 0;
    int last = 0;

    nset_oasis_solve(o, c, y, n, g, b, 0);
    f_low = sqrt(misfit(c, y, n, b, &mean)) - sd;
    if (f_low >= 0)
        return mean;
    for (int i = 0;; i++, high *= 4) {
        nset_oasis_solve(o, c, y, n, g, b, high);
        f_high = sqrt(misfit(c, y, n, b, &mean)) - sd;
        if (f_high >= 0)
            break;
        if (i == 12) /* all of y is noise */
            return mean;
    }
    for (int i = 0; i < 12; i++) {
        double f;
        lambda = (low * f_high - high * f_low) / (f_high - f_low);
        nset_oasis_solve(o, c, y, n, g, b, lambda);
        f = sqrt(misfit(c, y, n, b, &mean)) - sd;
        if (fabs(f) < 1e-4 * sd)
            break;
        if (f < 0) {
            low = lambda;
            f_low = f;
            f_high *= last == -1 ? .5 : 1;
            last = -1;
        } else {
            high = lambda;
            f_high = f;
            f_low *= last == 1 ? .5 : 1;
            last = 1;
        }
    }
    return mean;
}

double nset_oasis_fit(nset_oasis *o, float *c, float *s, const float *y, size_t n, double g, double sd)
{
    double b;

    if (n == 0)
        return 0;
    /* Started too low, activity would explain the baseline and stay with it: the 15th percentile of a trace that is
     * mostly noise lies 1.036 sd below its mean. */
    memcpy(c, y, n * sizeof *c);
    b = (double)nset_select(c, n, n * 15 / 100) + 1.036 * sd;
    for (int round = 0; round < 8; round++) {
        double step = solve_to_noise(o, c, y, n, g, b, sd);
        b += step;
        if (fabs(step) < 1e-3 * sd)
            break;
    }
    s[0] = 0;
    for (size_t t = 1; t < n; t++) {
        double rise = (double)c[t] - g * (double)c[t - 1];
        /* inside a pool the difference is rounding */
        s[t] = rise > 1e-5 * (double)c[t] ? (float)rise : 0;
    }
    return b;
}
