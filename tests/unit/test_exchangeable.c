/* Exchangeable models against published vectors, the chain rule, dense linear algebra and enumeration. */
#include <check.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include <neuroset/memory.h>
#include <neuroset/random.h>

#include "base/test_hooks.h"
#include "exchangeable_cases.h"

static void expect(double found, double expected, double tolerance)
{
    ck_assert_double_le(fabs(found - expected), tolerance * fmax(1, fabs(expected)));
}

START_TEST(the_vectors_are_met)
{
    const vector_case *c = &vectors[_i];
    double post[MAX_HYPER] = { 0 }, p = 0, next;
    nset_error err = { 0 };

    ck_assert_msg(nset_conjugate_marginal(&p, c->family, c->prior, c->x, c->n, c->d, &err) == NSET_OK, "%s: %s",
        c->name, err.text);
    ck_assert_msg(fabs(p - c->marginal) <= 1e-12 * fabs(c->marginal), "%s: %.17g", c->name, p);
    ck_assert_int_eq(nset_conjugate_update(post, c->family, c->prior, c->x, c->n, c->d, &err), NSET_OK);
    for (size_t i = 0; i < nset_conjugate_n_hyper(c->family, c->d); i++)
        if (c->posterior[i] != 0)
            ck_assert_msg(fabs(post[i] - c->posterior[i]) <= 2e-15 * fmax(1, fabs(c->posterior[i])), "%s: %zu: %.17g",
                c->name, i, post[i]);
    ck_assert_int_eq(nset_conjugate_predict(&next, c->family, post, c->next, c->d, &err), NSET_OK);
    if (c->predict != 0)
        ck_assert_msg(fabs(next - c->predict) <= 1e-12 * fabs(c->predict), "%s: predicts %.17g", c->name, next);
}
END_TEST

START_TEST(the_chain_of_predictions_is_the_joint)
{
    const struct law *l = &laws[_i];
    double x[MAX_X], post[MAX_HYPER], chain = 0, joint, p;
    size_t n = 1000, width = nset_conjugate_n_numbers(l->family, l->d);

    law_draw(x, l, n);
    memcpy(post, l->prior, sizeof post);
    for (size_t i = 0; i < n; i++) {
        ck_assert_int_eq(nset_conjugate_predict(&p, l->family, post, x + i * width, l->d, NULL), NSET_OK);
        chain += p;
        ck_assert_int_eq(nset_conjugate_update(post, l->family, post, x + i * width, 1, l->d, NULL), NSET_OK);
    }
    ck_assert_int_eq(nset_conjugate_marginal(&joint, l->family, l->prior, x, n, l->d, NULL), NSET_OK);
    ck_assert_msg(fabs(chain - joint) <= 1e-11 * fabs(joint), "%s: chain %.17g, joint %.17g", l->name, chain, joint);
}
END_TEST

START_TEST(the_order_of_observations_changes_no_bit)
{
    const struct law *l = &laws[_i];
    double x[MAX_X], y[MAX_X], a[MAX_HYPER] = { 0 }, b[MAX_HYPER] = { 0 }, p, q;
    size_t order[64], n = 64, width = nset_conjugate_n_numbers(l->family, l->d);
    nset_random r = nset_random_stream(2, "order", (uint64_t)_i);

    law_draw(x, l, n);
    ck_assert_int_eq(nset_conjugate_update(a, l->family, l->prior, x, n, l->d, NULL), NSET_OK);
    ck_assert_int_eq(nset_conjugate_marginal(&p, l->family, l->prior, x, n, l->d, NULL), NSET_OK);
    for (size_t i = 0; i < n; i++)
        order[i] = i;
    for (int k = 0; k < 100; k++) {
        nset_random_shuffle(&r, order, n);
        for (size_t i = 0; i < n; i++)
            memcpy(y + i * width, x + order[i] * width, width * sizeof *x);
        ck_assert_int_eq(nset_conjugate_update(b, l->family, l->prior, y, n, l->d, NULL), NSET_OK);
        ck_assert_int_eq(nset_conjugate_marginal(&q, l->family, l->prior, y, n, l->d, NULL), NSET_OK);
        ck_assert_int_eq(memcmp(a, b, sizeof a), 0);
        ck_assert_int_eq(memcmp(&p, &q, sizeof p), 0);
    }
}
END_TEST

START_TEST(all_discrete_sequences_have_probability_1)
{
    double x[6], p, sum = 0;

    for (int code = 0; code < 64; code++) {
        for (int i = 0; i < 6; i++)
            x[i] = code >> i & 1;
        ck_assert_int_eq(nset_conjugate_marginal(&p, NSET_BERNOULLI, laws[0].prior, x, 6, 1, NULL), NSET_OK);
        sum += exp(p);
    }
    expect(sum, 1, 1e-13);
    sum = 0;
    for (int code = 0; code < 1024; code++) {
        for (int i = 0; i < 5; i++)
            x[i] = code >> 2 * i & 3;
        ck_assert_int_eq(nset_conjugate_marginal(&p, NSET_CATEGORICAL, laws[1].prior, x, 5, 4, NULL), NSET_OK);
        sum += exp(p);
    }
    expect(sum, 1, 1e-13);
    sum = 0;
    for (x[0] = 0; x[0] < 400; x[0]++) {
        ck_assert_int_eq(nset_conjugate_predict(&p, NSET_POISSON, laws[2].prior, x, 1, NULL), NSET_OK);
        sum += exp(p);
    }
    expect(sum, 1, 1e-12);
}
END_TEST

/* log density of N(mean, K) or of the multivariate t of covariance K, K = diag 1 + off 11^T times scale, by Cholesky.
 */
static double dense_log_density(const double *x, size_t n, double mean, double own, double shared, double nu)
{
    double l[64][64], z[64], square = 0, log_det = 0;

    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j <= i; j++) {
            double sum = i == j ? own : shared;
            for (size_t k = 0; k < j; k++)
                sum -= l[i][k] * l[j][k];
            l[i][j] = i == j ? sqrt(sum) : sum / l[j][j];
        }
        z[i] = x[i] - mean;
        for (size_t k = 0; k < i; k++)
            z[i] -= l[i][k] * z[k];
        z[i] /= l[i][i];
        square += z[i] * z[i];
        log_det += 2 * log(l[i][i]);
    }
    if (isinf(nu))
        return -.5 * ((double)n * log(2 * M_PI) + log_det + square);
    return lgamma(.5 * (nu + (double)n)) - lgamma(.5 * nu) - .5 * (double)n * log((nu - 2) * M_PI) - .5 * log_det -
           .5 * (nu + (double)n) * log1p(square / (nu - 2));
}

START_TEST(normal_marginals_are_those_of_the_dense_covariance)
{
    const double *m = laws[3].prior, *g = laws[4].prior, wishart[] = { g[0], g[1], 2 * g[2], 2 * g[3] };
    const double scale = g[3] / (g[2] - 1); /* a t of 2a dof and scale b/a has the covariance b/(a-1) */
    double x[MAX_X], p, q;

    law_draw(x, &laws[3], 40);
    ck_assert_int_eq(nset_conjugate_marginal(&p, NSET_NORMAL_MEAN, m, x, 40, 1, NULL), NSET_OK);
    expect(p, dense_log_density(x, 40, m[0], m[2] + m[1], m[1], INFINITY), 1e-12);
    ck_assert_int_eq(nset_conjugate_marginal(&p, NSET_NORMAL, g, x, 40, 1, NULL), NSET_OK);
    expect(p, dense_log_density(x, 40, g[0], scale * (1 + 1 / g[1]), scale / g[1], 2 * g[2]), 1e-12);
    ck_assert_int_eq(nset_conjugate_marginal(&q, NSET_NORMALS, wishart, x, 40, 1, NULL), NSET_OK);
    expect(q, p, 1e-12);
}
END_TEST

START_TEST(what_is_no_model_or_no_observation_is_refused)
{
    static const double none[] = { 0, 1 }, half = .5, minus = -1, three = 3, asym[] = { 0, 0, 1, 4, 2, .1, .2, 2 },
                        singular[] = { 0, 0, 1, 4, 1, 2, 2, 1 }, ok[] = { 1, 1, 1, 1 }, nan_x[] = { 1, NAN };
    double out[MAX_HYPER];
    nset_error err = { 0 };

    ck_assert_int_eq(nset_conjugate_update(out, NSET_BERNOULLI, none, &half, 0, 1, &err), NSET_ERR_ARG);
    ck_assert_str_eq(err.text, "Bernoulli model: its prior needs a, b > 0");
    err = (nset_error){ 0 };
    ck_assert_int_eq(nset_conjugate_update(out, NSET_BERNOULLI, ok, &half, 1, 1, &err), NSET_ERR_ARG);
    ck_assert_str_eq(err.text, "Bernoulli model: observation 0 is 0.5, not 0 or 1");
    ck_assert_int_eq(nset_conjugate_update(out, NSET_POISSON, ok, &minus, 1, 1, NULL), NSET_ERR_ARG);
    ck_assert_int_eq(nset_conjugate_update(out, NSET_CATEGORICAL, ok, &three, 1, 3, NULL), NSET_ERR_ARG);
    ck_assert_int_eq(nset_conjugate_update(out, NSET_NORMAL, ok, nan_x, 2, 1, NULL), NSET_ERR_ARG);
    ck_assert_int_eq(nset_conjugate_update(out, NSET_NORMALS, asym, ok, 1, 2, NULL), NSET_ERR_ARG);
    ck_assert_int_eq(nset_conjugate_predict(out, NSET_NORMALS, singular, ok, 2, NULL), NSET_ERR_NUMERIC);
    ck_assert_int_eq(nset_conjugate_update(out, (nset_family)99, ok, ok, 1, 1, NULL), NSET_ERR_ARG);
}
END_TEST

START_TEST(no_memory_is_an_error_without_a_leak)
{
    const struct law *l = &laws[_i];
    double x[MAX_X], post[MAX_HYPER], p;
    nset_status status = NSET_ERR_NOMEM;

    law_draw(x, l, 8);
    for (long k = 0; status != NSET_OK; k++) {
        nset_test_fail_alloc_at(k);
        if ((status = nset_conjugate_update(post, l->family, l->prior, x, 8, l->d, NULL)) == NSET_OK &&
            (status = nset_conjugate_predict(&p, l->family, post, x, l->d, NULL)) == NSET_OK)
            status = nset_conjugate_marginal(&p, l->family, l->prior, x, 8, l->d, NULL);
        nset_test_fail_alloc_at(-1);
        ck_assert_int_eq(nset_test_live_allocs(), 0);
        ck_assert(status == NSET_OK || status == NSET_ERR_NOMEM);
    }
}
END_TEST

/* ---- Bayesian sets ---- */

START_TEST(bayesian_sets_meet_their_vector_and_the_models_they_are_made_of)
{
    static const double query[] = { 1, 0, 1, 1, 1, 1 }, a[] = { 1, 1, .5 }, b[] = { 1, 2, .5 };
    double c, q[3];

    ck_assert_int_eq(nset_bayesian_sets(&c, q, query, 2, 3, a, b, NULL), NSET_OK);
    expect(c, -1.897119984885881, 1e-12);
    expect(q[0], 1.0986122886681098, 1e-12); /* log 3, log 4/3, log 5 */
    expect(q[1], 0.2876820724517809, 1e-12);
    expect(q[2], 1.6094379124341003, 1e-12);
    for (int code = 0; code < 8; code++) {
        double score = c, expected = 0;
        for (int j = 0; j < 3; j++) {
            double x = code >> j & 1, prior[] = { a[j], b[j] }, post[2], with, without;
            const double column[] = { query[j], query[3 + j] };
            ck_assert_int_eq(nset_conjugate_update(post, NSET_BERNOULLI, prior, column, 2, 1, NULL), NSET_OK);
            ck_assert_int_eq(nset_conjugate_predict(&with, NSET_BERNOULLI, post, &x, 1, NULL), NSET_OK);
            ck_assert_int_eq(nset_conjugate_predict(&without, NSET_BERNOULLI, prior, &x, 1, NULL), NSET_OK);
            expected += with - without;
            score += q[j] * x;
        }
        expect(score, expected, 1e-13);
    }
    ck_assert_int_eq(nset_bayesian_sets(&c, q, query, 2, 3, a, query, NULL), NSET_ERR_ARG);
    ck_assert_int_eq(nset_bayesian_sets(&c, q, b, 1, 3, a, b, NULL), NSET_ERR_ARG);
}
END_TEST

/* ---- processes ---- */

static const nset_process processes[] = {
    { .2, 1, .4, INFINITY },
    { .2, 1, .4, 6 },
    { -.3, 2, 0, 3 },
    { -.3, 2, -.04, 9 },
    { 0, 1.5, 1.4999, INFINITY },
};

START_TEST(the_process_vectors_are_met)
{
    static const double x[] = { .5, -1.2, 2, .3 };
    nset_process_state s;
    double p;

    ck_assert_int_eq(nset_process_start(&s, &processes[0], NULL), NSET_OK);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(nset_process_step(&s, &processes[0], x[i], NULL), NSET_OK);
    expect(s.m, .345454545454545, 1e-14);
    expect(s.v, .709090909090909, 1e-14);
    expect(s.b, 8.63939393939394, 1e-14);
    ck_assert_int_eq(nset_process_joint(&p, NULL, NULL, &processes[0], x, 4, NULL), NSET_OK);
    expect(p, -7.623441347048809, 1e-12);
    ck_assert_int_eq(nset_process_joint(&p, NULL, NULL, &processes[1], x, 4, NULL), NSET_OK);
    expect(p, -7.957752481766375, 1e-12);
}
END_TEST

START_TEST(recursion_joint_and_dense_algebra_agree)
{
    const nset_process *m = &processes[_i];
    nset_random r = nset_random_stream(5, "process", (uint64_t)_i);
    nset_process_state s;
    double x[40], chain = 0, joint, y[40], again;

    ck_assert_int_eq(nset_process_start(&s, m, NULL), NSET_OK);
    for (size_t i = 0; i < 40; i++) {
        x[i] = nset_random_normal(&r) * 1.2;
        chain += nset_process_log_density(&s, x[i]);
        ck_assert_int_eq(nset_process_step(&s, m, x[i], NULL), NSET_OK);
    }
    ck_assert_int_eq(nset_process_joint(&joint, NULL, NULL, m, x, 40, NULL), NSET_OK);
    expect(chain, joint, 1e-11);
    expect(joint, dense_log_density(x, 40, m->mean, m->variance, m->covariance, m->nu), 1e-9);
    for (size_t i = 0; i < 40; i++)
        y[i] = x[(i * 7 + 3) % 40];
    ck_assert_int_eq(nset_process_joint(&again, NULL, NULL, m, y, 40, NULL), NSET_OK);
    ck_assert_int_eq(memcmp(&again, &joint, sizeof joint), 0);
}
END_TEST

static double joint_of(const nset_process *m, const double *x)
{
    double p;

    ck_assert_int_eq(nset_process_joint(&p, NULL, NULL, m, x, 12, NULL), NSET_OK);
    return p;
}

START_TEST(process_gradients_are_those_of_differences)
{
    nset_process m = processes[_i], g;
    double *number[] = { &m.mean, &m.variance, &m.covariance, &m.nu }, dx[12], x[12], p;
    double *slope[] = { &g.mean, &g.variance, &g.covariance, &g.nu };
    nset_random r = nset_random_stream(5, "slope", (uint64_t)_i);

    m.covariance = fmin(m.covariance, .9 * m.variance);
    for (size_t i = 0; i < 12; i++)
        x[i] = nset_random_normal(&r);
    ck_assert_int_eq(nset_process_joint(&p, &g, dx, &m, x, 12, NULL), NSET_OK);
    for (int k = 0; k < 4; k++) {
        double was = *number[k], up, down, h = 1e-5;
        if (isinf(was)) {
            ck_assert_double_eq(*slope[k], 0);
            continue;
        }
        *number[k] = was + h;
        up = joint_of(&m, x);
        *number[k] = was - h;
        down = joint_of(&m, x);
        *number[k] = was;
        ck_assert_double_le(fabs((up - down) / (2 * h) - *slope[k]), 1e-7 * fmax(1, fabs(*slope[k])));
    }
    for (int i = 0; i < 12; i++) {
        double was = x[i], up, down, h = 1e-5;
        x[i] = was + h;
        up = joint_of(&m, x);
        x[i] = was - h;
        down = joint_of(&m, x);
        x[i] = was;
        ck_assert_double_le(fabs((up - down) / (2 * h) - dx[i]), 1e-7 * fmax(1, fabs(dx[i])));
    }
}
END_TEST

START_TEST(negative_covariance_makes_a_finite_sequence_only)
{
    nset_process m = { 0, 1, -.25, INFINITY };
    static const double x[] = { 1, 2, 3, 4, 5 };
    nset_process_state s;
    nset_error err = { 0 };
    double p;

    ck_assert_uint_eq(nset_process_longest(&m), 4); /* -v / (n - 1) is reached at 5 */
    ck_assert_int_eq(nset_process_joint(&p, NULL, NULL, &m, x, 4, NULL), NSET_OK);
    ck_assert_int_eq(nset_process_joint(&p, NULL, NULL, &m, x, 5, &err), NSET_ERR_ARG);
    ck_assert_str_eq(err.text, "exchangeable process: covariance -0.25 allows 4 observations of variance 1, not 5");
    ck_assert_int_eq(nset_process_start(&s, &m, NULL), NSET_OK);
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(nset_process_step(&s, &m, x[i], NULL), i < 4 ? NSET_OK : NSET_ERR_ARG);
    m.covariance = 0;
    ck_assert_uint_eq(nset_process_longest(&m), SIZE_MAX);
    m.covariance = -1.5;
    ck_assert_uint_eq(nset_process_longest(&m), 1);
    m.covariance = 1;
    ck_assert_uint_eq(nset_process_longest(&m), 0);
    ck_assert_int_eq(nset_process_start(&s, &m, NULL), NSET_ERR_ARG);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("exchangeable");
    TCase *t = tcase_create("models");
    SRunner *runner;
    int failed, n_processes = sizeof processes / sizeof *processes;

    tcase_add_loop_test(t, the_vectors_are_met, 0, (int)(sizeof vectors / sizeof *vectors));
    tcase_add_loop_test(t, the_chain_of_predictions_is_the_joint, 0, N_LAWS);
    tcase_add_loop_test(t, the_order_of_observations_changes_no_bit, 0, N_LAWS);
    tcase_add_test(t, all_discrete_sequences_have_probability_1);
    tcase_add_test(t, normal_marginals_are_those_of_the_dense_covariance);
    tcase_add_test(t, what_is_no_model_or_no_observation_is_refused);
    tcase_add_loop_test(t, no_memory_is_an_error_without_a_leak, 0, N_LAWS);
    tcase_add_test(t, bayesian_sets_meet_their_vector_and_the_models_they_are_made_of);
    tcase_add_test(t, the_process_vectors_are_met);
    tcase_add_loop_test(t, recursion_joint_and_dense_algebra_agree, 0, n_processes);
    tcase_add_loop_test(t, process_gradients_are_those_of_differences, 0, n_processes);
    tcase_add_test(t, negative_covariance_makes_a_finite_sequence_only);
    suite_add_tcase(suite, t);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
