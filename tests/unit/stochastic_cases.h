/* Stochastic layers that should have a known conditional law, for the tests and for the table of reproductions. */
#ifndef NSET_TESTS_STOCHASTIC_CASES_H
#define NSET_TESTS_STOCHASTIC_CASES_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <neuroset/invariant.h>
#include <neuroset/law.h>
#include <neuroset/memory.h>
#include <neuroset/net.h>
#include <neuroset/random.h>
#include <neuroset/train.h>

static inline void law_must(nset_status status)
{
    if (status != NSET_OK)
        abort();
}

/* ---- an invariant layer is trained: theta ~ N(0, 1), x_i ~ N(theta, 1), i < 5, and Y is theta, so Y given x is
 * N(sum x / 6, 1 / 6). Y = rho([sum phi(x), eta]) with linear phi and rho; the loss is the energy score (Gneiting &
 * Raftery 2007, eq. 22), which only the true conditional law minimises. ---- */

enum { LAW_N = 5, LAW_SETS = 128, LAW_STEPS = 1500, LAW_DRAWS = 1000 };

static inline nset_net *law_net(uint64_t seed)
{
    nset_net *net = NULL;
    nset_node x, eta;

    law_must(nset_net_create(&net, NULL));
    x = nset_net_input(net, NSET_ELEMENT, NSET_VECTOR, 1);
    eta = nset_net_input(net, NSET_SET, NSET_VECTOR, 1);
    x = nset_net_pool(net, nset_net_dense(net, x, "phi", 2), NSET_POOL_SUM);
    nset_net_output(net, nset_net_dense(net, nset_net_concat(net, x, eta), "rho", 1));
    law_must(nset_net_finish(net, seed, NULL));
    return net;
}

/* Sets s and s + LAW_SETS have the same x and theta and each their own noise. */
static inline void law_batch(float *x, float *eta, float *theta, uint64_t seed, uint64_t step)
{
    nset_random r = nset_random_stream(seed, "law batch", step);

    for (size_t s = 0; s < LAW_SETS; s++) {
        theta[s] = (float)nset_random_normal(&r);
        for (size_t i = 0; i < LAW_N; i++)
            x[s * LAW_N + i] = theta[s] + (float)nset_random_normal(&r);
    }
    memcpy(x + LAW_SETS * LAW_N, x, LAW_SETS * LAW_N * sizeof *x);
    for (size_t s = 0; s < 2 * LAW_SETS; s++)
        eta[s] = (float)nset_random_normal(&r);
}

static inline float law_sign(float x)
{
    return (float)((x > 0) - (x < 0));
}

/* Slopes of (|y1 - theta| + |y2 - theta|) / 2 - |y1 - y2| / 2, mean over the sets. */
static inline void law_slopes(float *dy, const float *y, const float *theta)
{
    for (size_t s = 0; s < LAW_SETS; s++) {
        float apart = law_sign(y[s] - y[s + LAW_SETS]);
        dy[s] = (law_sign(y[s] - theta[s]) - apart) / (2 * LAW_SETS);
        dy[s + LAW_SETS] = (law_sign(y[s + LAW_SETS] - theta[s]) + apart) / (2 * LAW_SETS);
    }
}

static inline void law_train(nset_net *net, uint64_t seed)
{
    static float x[2 * LAW_SETS * LAW_N], eta[2 * LAW_SETS], theta[LAW_SETS], dy[2 * LAW_SETS];
    int64_t offsets[2 * LAW_SETS + 1];
    const float *inputs[] = { x, eta }, *slopes[] = { dy };
    nset_batch batch = { .n_sets = 2 * LAW_SETS, .offsets = offsets, .inputs = inputs };
    size_t n = nset_net_n_params(net);
    float *grad = nset_calloc(n, sizeof *grad);
    nset_run *run = NULL;
    nset_adamw o;

    for (size_t s = 0; s <= 2 * LAW_SETS; s++)
        offsets[s] = (int64_t)(s * LAW_N);
    law_must(nset_run_create(&run, net, NULL, NULL));
    law_must(nset_adamw_init(&o, n, 0, NULL));
    for (uint64_t step = 0; step < LAW_STEPS; step++) {
        law_batch(x, eta, theta, seed, step);
        law_must(nset_run_forward_train(run, &batch, step, NULL));
        law_slopes(dy, nset_run_output(run, 0, NULL, NULL), theta);
        memset(grad, 0, n * sizeof *grad);
        law_must(nset_run_backward(run, &batch, slopes, grad, NULL, NULL));
        nset_adamw_step(&o, nset_net_params(net), grad, nset_cosine_rate(step, LAW_STEPS, 20, .03, 0));
    }
    nset_adamw_fini(&o);
    nset_run_free(run);
    nset_free(grad);
}

typedef struct law_normal {
    double mean, sd;
} law_normal;

static inline double law_cdf(const void *ctx, double x)
{
    const law_normal *l = ctx;

    return .5 * erfc(-(x - l->mean) / (l->sd * sqrt(2)));
}

/* p of LAW_DRAWS draws of the trained layer at one x against the exact conditional law. */
static inline double law_recovered(uint64_t seed)
{
    static float x[LAW_DRAWS * LAW_N], eta[LAW_DRAWS];
    static double y[LAW_DRAWS];
    int64_t offsets[LAW_DRAWS + 1];
    const float *inputs[] = { x, eta };
    nset_batch batch = { .n_sets = LAW_DRAWS, .offsets = offsets, .inputs = inputs };
    nset_random r = nset_random_stream(seed, "law check", 0);
    nset_net *net = law_net(seed);
    nset_run *run = NULL;
    law_normal exact = { 0, sqrt(1. / (LAW_N + 1)) };

    law_train(net, seed);
    for (size_t i = 0; i < LAW_N; i++) {
        float v = (float)nset_random_normal(&r) * 1.4f;
        exact.mean += v / (LAW_N + 1.);
        for (size_t s = 0; s < LAW_DRAWS; s++)
            x[s * LAW_N + i] = v;
    }
    for (size_t s = 0; s < LAW_DRAWS; s++)
        eta[s] = (float)nset_random_normal(&r);
    for (size_t s = 0; s <= LAW_DRAWS; s++)
        offsets[s] = (int64_t)(s * LAW_N);
    law_must(nset_run_create(&run, net, NULL, NULL));
    law_must(nset_run_forward(run, &batch, NULL));
    for (size_t s = 0; s < LAW_DRAWS; s++)
        y[s] = nset_run_output(run, 0, NULL, NULL)[s];
    nset_run_free(run);
    nset_net_free(net);
    return nset_ks_one(NULL, y, LAW_DRAWS, law_cdf, &exact);
}

/* ---- an equivariant layer of noise shared and of one's own, weights by hand: Y_i = x_i / 2 + mean x / 2 + .6 eta_0 +
 * .8 eta_i; so given x the residuals are standard normal, with correlation .36. ---- */

static inline nset_net *shared_net(void)
{
    static const float weight[] = { .5f, .5f, .6f, .8f };
    nset_net *net = NULL;
    nset_node x, eta_0, eta, all;

    law_must(nset_net_create(&net, NULL));
    x = nset_net_input(net, NSET_ELEMENT, NSET_VECTOR, 1);
    eta_0 = nset_net_input(net, NSET_SET, NSET_VECTOR, 1);
    eta = nset_net_input(net, NSET_ELEMENT, NSET_VECTOR, 1);
    all = nset_net_broadcast(net, nset_net_concat(net, nset_net_pool(net, x, NSET_POOL_MEAN), eta_0));
    all = nset_net_concat(net, nset_net_concat(net, x, all), eta);
    nset_net_output(net, nset_net_dense(net, all, "h", 1));
    law_must(nset_net_finish(net, 0, NULL));
    memcpy(nset_net_params(net) + nset_net_view(net, 0).at, weight, sizeof weight);
    return net;
}

/* p of the residuals of one element a set, and of the differences of two. */
static inline void shared_laws(double *own, double *difference, uint64_t seed)
{
    static float x[LAW_DRAWS * LAW_N], eta[LAW_DRAWS * LAW_N], eta_0[LAW_DRAWS];
    static double residual[LAW_DRAWS], apart[LAW_DRAWS];
    int64_t offsets[LAW_DRAWS + 1];
    const float *inputs[] = { x, eta_0, eta }, *y;
    nset_batch batch = { .n_sets = LAW_DRAWS, .offsets = offsets, .inputs = inputs };
    nset_random r = nset_random_stream(seed, "shared", 0);
    nset_net *net = shared_net();
    nset_run *run = NULL;
    const law_normal standard = { 0, 1 }, two = { 0, .8 * sqrt(2) };

    for (size_t i = 0; i < LAW_DRAWS * LAW_N; i++)
        x[i] = (float)nset_random_normal(&r);
    for (size_t s = 0; s <= LAW_DRAWS; s++)
        offsets[s] = (int64_t)(s * LAW_N);
    law_must(nset_noise(eta, eta_0, x, offsets, LAW_DRAWS, 1, 1, 1, seed, NULL));
    law_must(nset_run_create(&run, net, NULL, NULL));
    law_must(nset_run_forward(run, &batch, NULL));
    y = nset_run_output(run, 0, NULL, NULL);
    for (size_t s = 0; s < LAW_DRAWS; s++) {
        const float *xs = x + s * LAW_N, *ys = y + s * LAW_N;
        double mean = 0;
        for (size_t i = 0; i < LAW_N; i++)
            mean += xs[i] / (double)LAW_N;
        residual[s] = ys[0] - xs[0] / 2. - mean / 2;
        apart[s] = ys[0] - ys[1] - (xs[0] - xs[1]) / 2.;
    }
    nset_run_free(run);
    nset_net_free(net);
    *own = nset_ks_one(NULL, residual, LAW_DRAWS, law_cdf, &standard);
    *difference = nset_ks_one(NULL, apart, LAW_DRAWS, law_cdf, &two);
}

#endif
