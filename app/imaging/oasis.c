#include "imaging/oasis.h"

#include <math.h>
#include <string.h>

#include <neuroset/memory.h>

#include "signal/robust.h"

typedef struct pool {
    double v, w; /* value at the first frame; sum of the squared responses */
    double last; /* second order: value at the last frame */
    size_t first, length;
} pool;

struct nset_oasis {
    size_t n;
    pool *pool;
    double *impulse, *square, *mixed; /* (n + 1) of second order: response, running sums */
    double slow, fast;                /* that these are of */
};

nset_status nset_oasis_create(nset_oasis **out, size_t n, nset_error *err)
{
    nset_oasis *o = nset_calloc(1, sizeof *o);

    if (!o || !(o->pool = nset_calloc(n, sizeof *o->pool)) || !(o->impulse = nset_calloc(n + 1, sizeof *o->impulse)) ||
        !(o->square = nset_calloc(n + 1, sizeof *o->square)) || !(o->mixed = nset_calloc(n + 1, sizeof *o->mixed))) {
        nset_oasis_free(o);
        return nset_fail_oom(err, n, sizeof(pool));
    }
    o->n = n;
    *out = o;
    return NSET_OK;
}

void nset_oasis_free(nset_oasis *o)
{
    if (!o)
        return;
    nset_free(o->pool);
    nset_free(o->impulse);
    nset_free(o->square);
    nset_free(o->mixed);
    nset_free(o);
}

/* ---- first order ---- */

static void solve_first(nset_oasis *o, float *c, const float *y, size_t n, double g, double b, double lambda)
{
    pool *p = o->pool;
    size_t k = 0; /* pools so far */
    double log_g = log(g);

    /* With c_t = g^t x_t this is isotonic regression of x: pools of adjacent violators, and x >= 0 by cutting at the
     * end, which is exact for isotonic regression. */
    for (size_t t = 0; t < n; t++) {
        /* the sum of s telescopes: a frame costs lambda (1 - g) of c, the last one lambda */
        p[k++] = (pool){ (double)y[t] - b - lambda * (t + 1 < n ? 1 - g : 1), 1, 0, t, 1 };
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

/* ---- second order ---- */

/* impulse_k: what 1 at frame 0 is k frames on. A pool is v impulse_k + before g_2 impulse_{k-1}, before being the value
 * ahead of it; square and mixed are the sums of impulse_k^2 and impulse_k g_2 impulse_{k-1} up to k. */
static void respond(nset_oasis *o, nset_kinetics g)
{
    double g1 = g.slow + g.fast, g2 = -g.slow * g.fast, before = 0, squares = 0, mixes = 0;

    if (o->square[0] > 0 && !(o->slow < g.slow || o->slow > g.slow || o->fast < g.fast || o->fast > g.fast))
        return;
    o->slow = g.slow;
    o->fast = g.fast;
    for (size_t k = 0; k <= o->n; k++) {
        double now = k == 0 ? 1 : g1 * o->impulse[k - 1] + g2 * before;
        double past = k == 0 ? 0 : o->impulse[k - 1];
        before = past;
        o->impulse[k] = now;
        o->square[k] = squares += now * now;
        o->mixed[k] = mixes += now * g2 * past;
    }
}

/* Value k frames into the pool i; the first one, which nothing precedes, is a decay. */
static double value_at(const nset_oasis *o, size_t i, size_t k)
{
    const pool *p = &o->pool[i];

    if (i == 0)
        return p->v * exp(log(o->slow) * (double)k);
    return p->v * o->impulse[k] - (k > 0 ? o->slow * o->fast * o->impulse[k - 1] * o->pool[i - 1].last : 0);
}

/* v and last of pool i from w, which here is the sum of its data by its response. */
static void settle(nset_oasis *o, size_t i)
{
    pool *p = &o->pool[i];
    double r = o->slow * o->slow;

    if (i == 0)
        p->v = p->w * (1 - r) / (1 - exp(log(r) * (double)p->length));
    else
        p->v = (p->w - o->mixed[p->length - 1] * o->pool[i - 1].last) / o->square[p->length - 1];
    p->v = fmax(p->v, 0);
    p->last = value_at(o, i, p->length - 1);
}

static void solve_second(nset_oasis *o, float *c, const float *y, size_t n, nset_kinetics g, double b, double lambda)
{
    double g1 = g.slow + g.fast, g2 = -g.slow * g.fast;
    pool *p = o->pool;
    size_t k = 0;

    respond(o, g);
    for (size_t t = 0; t < n; t++) {
        c[t] = (float)((double)y[t] - b - lambda * (t + 2 < n ? 1 - g1 - g2 : t + 1 < n ? 1 - g1 : 1));
        p[k++] = (pool){ .w = (double)c[t], .first = t, .length = 1 };
        settle(o, k - 1);
        while (k > 1 && p[k - 1].v < value_at(o, k - 2, p[k - 2].length)) {
            pool *left = &p[k - 2];
            double weight = k == 2 ? exp(log(g.slow) * (double)left->length) : 0;
            for (size_t j = 0; j < p[k - 1].length; j++, weight *= g.slow)
                left->w += (k == 2 ? weight : o->impulse[left->length + j]) * (double)c[p[k - 1].first + j];
            left->length += p[k - 1].length;
            k--;
            settle(o, k - 1);
        }
    }
    for (size_t i = 0; i < k; i++)
        for (size_t j = 0; j < p[i].length; j++)
            c[p[i].first + j] = (float)fmax(value_at(o, i, j), 0);
}

void nset_oasis_solve(nset_oasis *o, float *c, const float *y, size_t n, nset_kinetics g, double b, double lambda)
{
    if (g.fast > 0)
        solve_second(o, c, y, n, g, b, lambda);
    else
        solve_first(o, c, y, n, g.slow, b, lambda);
}

/* ---- by the noise ---- */

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
static double solve_to_noise(nset_oasis *o, float *c, const float *y, size_t n, nset_kinetics g, double b, double sd)
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

double nset_oasis_fit(nset_oasis *o, float *c, float *s, const float *y, size_t n, nset_kinetics g, double sd)
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
        double rise = (double)c[t] - (g.slow + g.fast) * (double)c[t - 1] +
                      (t > 1 ? g.slow * g.fast * (double)c[t - 2] : g.fast * (double)c[t - 1]);
        /* inside a pool the difference is rounding */
        s[t] = rise > 1e-5 * ((double)c[t] + (double)c[t - 1]) ? (float)rise : 0;
    }
    return b;
}
