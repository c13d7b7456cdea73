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
    nset_oasis_solve(o, c, y, N, g, b, lambda);
    brute(want, y, g, b, lambda);
    for (int t = 0; t < N; t++)
        ck_assert_msg(
            fabs((double)c[t] - want[t]) < 1e-4, "case %d frame %d: %g, not %g", _i, t, (double)c[t], want[t]);
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
    b = nset_oasis_fit(o, c, s, y, N, .8, 1e-3);
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
    b = nset_oasis_fit(o, c, s, y, LONG, .9, sd);
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
        double b = nset_oasis_fit(o, c, s, y, n, .9, 0);
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
    tcase_add_test(t, a_clean_decay_is_one_event);
    tcase_add_test(t, fit_misses_by_the_noise_and_finds_the_spikes);
    tcase_add_test(t, noise_alone_gives_next_to_no_events);
    tcase_add_test(t, trivial_traces_fit);
    suite_add_tcase(suite, t);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
