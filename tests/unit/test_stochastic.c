/* Stochastic layers by noise outsourcing: the same bits for the same noise, and the law they should have. */
#include <check.h>

#include "stochastic_cases.h"

enum { N_SEEDS = 20 };

/* Y_i = h(x_i, pool, eta_0, eta_i) and Y = rho(pool, eta_0), not linear. */
static nset_net *both_layers(void)
{
    nset_net *net = NULL;
    nset_node x, eta_0, eta, phi, pooled, h;

    ck_assert_int_eq(nset_net_create(&net, NULL), NSET_OK);
    x = nset_net_input(net, NSET_ELEMENT, NSET_VECTOR, 3);
    eta_0 = nset_net_input(net, NSET_SET, NSET_VECTOR, 2);
    eta = nset_net_input(net, NSET_ELEMENT, NSET_VECTOR, 2);
    phi = nset_net_activate(net, nset_net_dense(net, x, "phi", 16), NSET_GELU);
    pooled = nset_net_concat(net, nset_net_pool(net, phi, NSET_POOL_MEAN), eta_0);
    h = nset_net_concat(net, nset_net_concat(net, x, nset_net_broadcast(net, pooled)), eta);
    h = nset_net_activate(net, nset_net_dense(net, h, "h", 16), NSET_TANH);
    nset_net_output(net, nset_net_dense(net, h, "y", 4));
    nset_net_output(net, nset_net_dense(net, nset_net_activate(net, pooled, NSET_TANH), "rho", 4));
    ck_assert_int_eq(nset_net_finish(net, 2, NULL), NSET_OK);
    return net;
}

START_TEST(the_same_noise_and_permuted_elements_give_the_same_bits)
{
    enum { ROWS = 300 };
    static const int64_t offsets[] = { 0, 1, 1, 40, ROWS };
    float x[ROWS * 3], eta[ROWS * 2], eta_0[4 * 2];
    const float *inputs[] = { x, eta_0, eta };
    nset_batch batch = { .n_sets = 4, .offsets = offsets, .inputs = inputs };
    nset_random r = nset_random_stream(1, "x", 0);
    nset_net *net = both_layers();
    double deviation = 1;

    for (size_t i = 0; i < ROWS * 3; i++)
        x[i] = (float)nset_random_normal(&r);
    for (uint64_t seed = 0; seed < 5; seed++) {
        ck_assert_int_eq(nset_noise(eta, eta_0, x, offsets, 4, 3, 2, 2, seed, NULL), NSET_OK);
        ck_assert_int_eq(nset_equivariance_check(&deviation, net, &batch, 50, seed, NULL), NSET_OK);
        ck_assert_double_eq(deviation, 0);
    }
    nset_net_free(net);
}
END_TEST

START_TEST(a_trained_invariant_layer_recovers_the_conditional_law)
{
    double p = law_recovered((uint64_t)_i);

    ck_assert_msg(p > .01, "seed %d: p %g", _i, p);
}
END_TEST

START_TEST(an_equivariant_layer_has_shared_and_own_noise_of_the_right_law)
{
    double own, difference;

    shared_laws(&own, &difference, (uint64_t)_i);
    ck_assert_msg(own > .01 && difference > .01, "seed %d: p %g and %g", _i, own, difference);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("stochastic");
    TCase *t = tcase_create("noise outsourcing");
    SRunner *runner;
    int failed;

    tcase_add_test(t, the_same_noise_and_permuted_elements_give_the_same_bits);
    tcase_add_loop_test(t, a_trained_invariant_layer_recovers_the_conditional_law, 0, N_SEEDS);
    tcase_add_loop_test(t, an_equivariant_layer_has_shared_and_own_noise_of_the_right_law, 0, N_SEEDS);
    suite_add_tcase(suite, t);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
