/* Events from traces, against a slow solution of the same problem. */
#include <check.h>
#include <math.h>
#include <stdlib.h>

#include <neuroset/random.h>

#include "imaging/oasis.h"

enum { N = 24, LONG = 3000 };

/* The same minimum by coordinate descent on s: c_t = sum over u <= t of g^(t-u) s_u. */
static void brute(double *c, const float *y, double g, double b, double lambda)
{
    double s[N] = { 0 };

    for (int t = 0; t < N; t++)
        c[t] = 0;
    for (int sweep = 0; sweep < 40000; sweep++)
        for (int u = 0; u < N; u++) {
            double slope = -lambda, curve = 0, decay = 1, step;
            for (int t = u; t < N; t++, decay *= g) {
                slope += decay * ((double)y[t] - b - c[t]);
                curve += decay * decay;
            }
            step = fmax(-s[u], slope / curve);
            s[u] += step;
            decay = 1;
            for (int t = u; t < N; t++, decay *= g)
                c[t] += decay * step;
        }
}

START_TEST(solution_is_the_minimum)
{
    nset_random r = nset_random_stream(5, "oasis", (uint64_t)_i);
    double g = _i % 3 == 0 ? .95 : _i % 3 == 1 ? .7 : .3, lambda = _i % 2 ? .3 : 0, b = _i % 5 ? 0 : .4, want[N];
    float y[N], c[N];
    nset_oasis *o = NULL;

    for (int t = 0; t < N; t++)
        y[t] = (float)(nset_random_normal(&r) + (_i < 6 ? 0 : 1));
    ck_assert_int_eq(nset_oasis_create(&o, N, NULL), NSET_OK);
    nset_oasis_solve(o, c, y, N, (nset_kinetics){ g, 0 }, b, lambda);
    brute(want, y, g, b, lambda);
    for (int t = 0; t < N; t++)
        ck_assert_msg(
            fabs((double)c[t] - want[t]) < 1e-4, "case %d frame %d: %g, not %g", _i, t, (double)c[t], want[t]);
    nset_oasis_free(o);
}
END_TEST

/* What an event at frame u is at frame t; what the trace starts with decays without a rise. */
static double response(nset_kinetics g, int u, int t)
{
    int k = t - u;

    return u == 0 ? pow(g.slow, k) : (pow(g.slow, k + 1) - pow(g.fast, k + 1)) / (g.slow - g.fast);
}

static double cost(const double *c, const float *y, nset_kinetics g, double lambda)
{
    double sum = 0;

    for (int t = 0; t < N; t++) {
        double s =
            t == 0 ? c[0] : c[t] - (g.slow + g.fast) * c[t - 1] + (t == 1 ? g.fast * c[0] : g.slow * g.fast * c[t - 2]);
        sum += .5 * ((double)y[t] - c[t]) * ((double)y[t] - c[t]) + lambda * fmax(s, 0);
        ck_assert_msg(s > -1e-5, "frame %d: an event of %g", t, s);
    }
    return sum;
}

/* Coordinate descent on the events of second order. */
static void brute_second(double *c, const float *y, nset_kinetics g, double lambda)
{
    double s[N] = { 0 }, h[N][N] = { 0 }, curve[N] = { 0 };

    for (int u = 0; u < N; u++) {
        c[u] = 0;
        for (int t = u; t < N; t++) {
            h[u][t] = response(g, u, t);
            curve[u] += h[u][t] * h[u][t];
        }
    }
    for (int sweep = 0; sweep < 5000; sweep++)
        for (int u = 0; u < N; u++) {
            double slope = -lambda, step;
            for (int t = u; t < N; t++)
                slope += h[u][t] * ((double)y[t] - c[t]);
            step = fmax(-s[u], slope / curve[u]);
            s[u] += step;
            for (int t = u; t < N; t++)
                c[t] += h[u][t] * step;
        }
}

START_TEST(second_order_is_near_the_minimum)
{
    nset_random r = nset_random_stream(7, "second", (uint64_t)_i);
    nset_kinetics g = { _i % 2 ? .9 : .75, _i % 3 ? .3 : .6 };
    double lambda = _i % 2 ? .3 : .1, want[N], got[N], x[2] = { 0 }, best, here, nothing[N] = { 0 };
    float y[N], c[N];
    nset_oasis *o = NULL;

    for (int t = 0; t < N; t++) {
        double now = (g.slow + g.fast) * x[0] - g.slow * g.fast * x[1] + (nset_random_uniform(&r) < .12 ? 1 : 0);
        x[1] = x[0];
        x[0] = now;
        y[t] = (float)(now + .2 * nset_random_normal(&r));
    }
    ck_assert_int_eq(nset_oasis_create(&o, N, NULL), NSET_OK);
    nset_oasis_solve(o, c, y, N, g, 0, lambda);
    for (int t = 0; t < N; t++)
        got[t] = (double)c[t];
    brute_second(want, y, g, lambda);
    best = cost(want, y, g, lambda);
    here = cost(got, y, g, lambda);
    ck_assert_msg(here < best + .02 * (cost(nothing, y, g, lambda) - best), "%g, could be %g, nothing %g", here, best,
        cost(nothing, y, g, lambda));
    nset_oasis_free(o);
}
END_TEST

START_TEST(a_clean_transient_is_one_event)
{
    nset_kinetics g = { .9, .5 };
    float y[N], c[N], s[N];
    nset_oasis *o = NULL;
    double b;

    for (int t = 0; t < N; t++)
        y[t] = 2 + (t < 10 ? 0 : 3 * (float)response(g, 10, t));
    ck_assert_int_eq(nset_oasis_create(&o, N, NULL), NSET_OK);
    b = nset_oasis_fit(o, c, s, y, N, g, 1e-3);
    ck_assert_double_eq_tol(b, 2, .02);
    ck_assert_double_eq_tol((double)s[10], 3, .05);
    for (int t = 0; t < N; t++)
        ck_assert_msg(t == 10 || s[t] < .05f, "frame %d: %g", t, (double)s[t]);
    nset_oasis_free(o);
}
END_TEST

START_TEST(a_clean_decay_is_one_event)
{
    float y[N], c[N], s[N];
    nset_oasis *o = NULL;
    double b;

    for (int t = 0; t < N; t++)
        y[t] = t < 10 ? 2 : 2 + 3 * powf(.8f, (float)(t - 10));
    ck_assert_int_eq(nset_oasis_create(&o, N, NULL), NSET_OK);
    b = nset_oasis_fit(o, c, s, y, N, (nset_kinetics){ .8, 0 }, 1e-3);
    ck_assert_double_eq_tol(b, 2, .02);
    ck_assert_double_eq_tol((double)s[10], 3, .03);
    for (int t = 0; t < N; t++)
        ck_assert(t == 10 || s[t] < .02f);
    nset_oasis_free(o);
}
END_TEST

/* Returns the misfit over the noise. */
static double fit_random(double rate, double amplitude, double sd, double *hit, double *miss)
{
    nset_random r = nset_random_stream(6, "trace", 0);
    float *y = calloc(3 * LONG, sizeof *y), *c = y + LONG, *s = c + LONG;
    double x = 0, b, rms = 0;
    nset_oasis *o = NULL;
    char *fired = calloc(LONG + 2, 1);

    for (int t = 0; t < LONG; t++) {
        fired[t + 1] = nset_random_uniform(&r) < rate;
        x = .9 * x + (fired[t + 1] ? amplitude : 0);
        y[t] = (float)(.3 + x + sd * nset_random_normal(&r));
    }
    ck_assert_int_eq(nset_oasis_create(&o, LONG, NULL), NSET_OK);
    b = nset_oasis_fit(o, c, s, y, LONG, (nset_kinetics){ .9, 0 }, sd);
    *hit = *miss = 0;
    for (int t = 0; t < LONG; t++) {
        rms += ((double)y[t] - b - (double)c[t]) * ((double)y[t] - b - (double)c[t]);
        *(fired[t] || fired[t + 1] || fired[t + 2] ? hit : miss) += (double)s[t];
    }
    nset_oasis_free(o);
    free(y);
    free(fired);
    return sqrt(rms / LONG) / sd;
}

START_TEST(fit_misses_by_the_noise_and_finds_the_spikes)
{
    double hit, miss, misfit = fit_random(.01, 1, .1, &hit, &miss);

    ck_assert_double_eq_tol(misfit, 1, .01);
    ck_assert_msg(miss < .05 * hit, "%g of events away from spikes, %g at them", miss, hit);
}
END_TEST

START_TEST(noise_alone_gives_next_to_no_events)
{
    double hit, miss;

    fit_random(0, 0, .1, &hit, &miss);
    ck_assert_msg(miss < LONG * .1 * .01, "%g", miss);
}
END_TEST

START_TEST(trivial_traces_fit)
{
    float y[3] = { 4, 4, 4 }, c[3] = { 9, 9, 9 }, s[3] = { 9, 9, 9 };
    nset_oasis *o = NULL;

    ck_assert_int_eq(nset_oasis_create(&o, 3, NULL), NSET_OK);
    for (size_t n = 0; n <= 3; n++) {
        double b = nset_oasis_fit(o, c, s, y, n, (nset_kinetics){ .9, _i ? .3 : 0 }, 0);
        ck_assert(isfinite(b));
        for (size_t t = 0; t < n; t++)
            ck_assert(isfinite(c[t]) && s[t] <= 0);
    }
    nset_oasis_free(o);
    nset_oasis_free(NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("oasis");
    TCase *t = tcase_create("oasis");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_loop_test(t, solution_is_the_minimum, 0, 12);
    tcase_add_loop_test(t, second_order_is_near_the_minimum, 0, 12);
    tcase_add_test(t, a_clean_transient_is_one_event);
    tcase_add_test(t, a_clean_decay_is_one_event);
    tcase_add_test(t, fit_misses_by_the_noise_and_finds_the_spikes);
    tcase_add_test(t, noise_alone_gives_next_to_no_events);
    tcase_add_loop_test(t, trivial_traces_fit, 0, 2);
    suite_add_tcase(suite, t);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
