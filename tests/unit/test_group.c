/* Groups, orbits and ties against closed forms, Burnside's lemma and each other; the tied layer to the bit. */
#include <check.h>
#include <math.h>
#include <string.h>

#include <neuroset/memory.h>

#include "base/test_hooks.h"
#include "group_cases.h"

START_TEST(orbits_and_orders_are_those_of_the_closed_forms)
{
    const group_case *c = &group_cases[_i];
    nset_action *in = c->in(), *out = c->out ? c->out() : c->in();
    nset_tie *tie = NULL;
    nset_error err = { 0 };
    size_t n_weights = 0, n_biases = 0;
    nset_symmetry s = { 0 };

    ck_assert_msg(nset_tie_create(&tie, in, out, &err) == NSET_OK, "%s: %s", c->name, err.text);
    ck_assert_msg(tie->n == c->n && tie->m == c->m, "%s: %zu to %zu points", c->name, tie->n, tie->m);
    ck_assert_msg(tie->n_weights == c->n_weights && tie->n_biases == c->n_biases, "%s: %zu weights, %zu biases",
        c->name, tie->n_weights, tie->n_biases);
    for (size_t g = 0; g < in->n_generators; g++)
        ck_assert(nset_tie_allows(tie, in->image + g * in->n, out->image + g * out->n));
    if (c->order > 0 && c->order <= 1000) {
        ck_assert_int_eq(nset_tie_burnside(&n_weights, &n_biases, in, out, &err), NSET_OK);
        ck_assert_msg(n_weights == c->n_weights && n_biases == c->n_biases, "%s: Burnside %zu, %zu", c->name, n_weights,
            n_biases);
    }
    if (c->has > 0) {
        ck_assert_msg(nset_tie_check(&s, tie, in, out, &err) == NSET_OK, "%s: %s", c->name, err.text);
        ck_assert_msg(s.asked == c->order && s.has == c->has, "%s: asked %.17g, has %.17g", c->name, s.asked, s.has);
    }
    nset_tie_free(tie);
    nset_action_free(in);
    nset_action_free(out);
    ck_assert_int_eq(nset_test_live_allocs(), 0);
}
END_TEST

START_TEST(a_group_has_its_order_and_knows_its_elements)
{
    const group_case *c = &group_cases[_i];
    nset_action *in = c->in();
    nset_group *group = NULL;
    uint32_t p[216];
    nset_random r = nset_random_stream(4, "element", 0);
    bool inside = false;

    ck_assert_int_eq(nset_group_create(&group, in, NULL), NSET_OK);
    if (c->order > 0)
        ck_assert_msg(nset_group_order(group) == c->order, "%s: %.17g elements", c->name, nset_group_order(group));
    for (int k = 0; k < 10; k++) {
        ck_assert_int_eq(nset_group_random(p, group, &r, NULL), NSET_OK);
        ck_assert_int_eq(nset_group_contains(&inside, group, p, NULL), NSET_OK);
        ck_assert(inside);
    }
    nset_group_free(group);
    nset_action_free(in);
}
END_TEST

START_TEST(a_permutation_outside_the_group_is_detected)
{
    static const uint32_t swap[6] = { 1, 0, 2, 3, 4, 5 }, turn[6] = { 1, 2, 3, 4, 5, 0 };
    nset_action *ring = cyc(6), *even = alt(5), *cube_turns = rubik(0);
    nset_group *group = NULL;
    nset_tie *tie = NULL;
    uint32_t flip[48];
    bool inside = true;

    ck_assert_int_eq(nset_tie_create(&tie, ring, ring, NULL), NSET_OK);
    ck_assert(nset_tie_allows(tie, turn, turn));
    ck_assert(!nset_tie_allows(tie, swap, swap));
    ck_assert_int_eq(nset_group_create(&group, ring, NULL), NSET_OK);
    ck_assert_int_eq(nset_group_contains(&inside, group, swap, NULL), NSET_OK);
    ck_assert(!inside);
    nset_group_free(group);
    nset_tie_free(tie);

    /* an odd permutation is not in A_5, yet the ties allow it: A_5 is not 2-closed */
    ck_assert_int_eq(nset_tie_create(&tie, even, even, NULL), NSET_OK);
    ck_assert_int_eq(nset_group_create(&group, even, NULL), NSET_OK);
    ck_assert_int_eq(nset_group_contains(&inside, group, swap, NULL), NSET_OK);
    ck_assert(!inside && nset_tie_allows(tie, swap, swap));
    nset_group_free(group);
    nset_tie_free(tie);

    /* one edge turned over on Rubik's cube cannot be reached; the ties of its group do not see that parity */
    ck_assert_int_eq(nset_group_create(&group, cube_turns, NULL), NSET_OK);
    for (uint32_t x = 0; x < 48; x++)
        flip[x] = x;
    ck_assert_int_eq(nset_group_contains(&inside, group, flip, NULL), NSET_OK);
    ck_assert(inside);
    flip[3] = 4; /* stickers 0-2 are the first corner, 3 and 4 the edge after it */
    flip[4] = 3;
    ck_assert_int_eq(nset_group_contains(&inside, group, flip, NULL), NSET_OK);
    ck_assert(!inside);
    nset_group_free(group);
    nset_action_free(ring);
    nset_action_free(even);
    nset_action_free(cube_turns);
}
END_TEST

static void count_elements(void *ctx, const uint32_t *p)
{
    size_t *n = ctx;

    (void)p;
    n[0]++;
}

START_TEST(what_is_no_action_is_refused)
{
    static const uint32_t twice[] = { 0, 0, 1 }, far[] = { 0, 1, 3 };
    nset_action *a = NULL, *s5 = sym(5), *s10 = sym(10), *c4 = cyc(4);
    nset_group *group = NULL;
    nset_tie *tie = NULL;
    size_t n = 0;
    nset_error err = { 0 };

    ck_assert_int_eq(nset_action_create(&a, twice, 1, 3, &err), NSET_ERR_ARG);
    ck_assert_str_eq(err.text, "generator 0 is no permutation: point 1 goes to 0, where another went");
    ck_assert_int_eq(nset_action_create(&a, far, 1, 3, NULL), NSET_ERR_ARG);
    ck_assert_int_eq(nset_action_symmetric(&a, 0, NULL), NSET_ERR_ARG);
    ck_assert_int_eq(nset_action_tuples(&a, s10, 30, NULL), NSET_ERR_ARG);
    ck_assert_int_eq(nset_action_subsets(&a, s5, 6, NULL), NSET_ERR_ARG);
    ck_assert_int_eq(nset_tie_create(&tie, s5, c4, NULL), NSET_ERR_ARG);
    ck_assert_int_eq(nset_group_create(&group, s10, NULL), NSET_OK);
    ck_assert_int_eq(nset_group_visit(group, count_elements, &n, NULL), NSET_ERR_ARG);
    nset_group_free(group);
    ck_assert_int_eq(nset_group_create(&group, s5, NULL), NSET_OK);
    ck_assert_int_eq(nset_group_visit(group, count_elements, &n, NULL), NSET_OK);
    ck_assert_uint_eq(n, 120);
    nset_group_free(group);
    nset_action_free(s5);
    nset_action_free(s10);
    nset_action_free(c4);
}
END_TEST

START_TEST(no_memory_is_an_error_without_a_leak)
{
    nset_status status = NSET_ERR_NOMEM;

    for (long k = 0; status != NSET_OK; k++) {
        nset_action *a = NULL, *b = NULL;
        nset_tie *tie = NULL;
        nset_symmetry s;
        nset_test_fail_alloc_at(k);
        if ((status = nset_action_symmetric(&a, 4, NULL)) == NSET_OK &&
            (status = nset_action_tuples(&b, a, 2, NULL)) == NSET_OK &&
            (status = nset_tie_create(&tie, b, a, NULL)) == NSET_OK)
            status = nset_tie_check(&s, tie, b, a, NULL);
        nset_test_fail_alloc_at(-1);
        nset_tie_free(tie);
        nset_action_free(a);
        nset_action_free(b);
        ck_assert_int_eq(nset_test_live_allocs(), 0);
        ck_assert(status == NSET_OK || status == NSET_ERR_NOMEM);
    }
}
END_TEST

enum { CHANNELS = 3, C_OUT = 5, ROWS = 4 };

static nset_net *tied_net(const nset_tie *tie)
{
    nset_net *net = NULL;
    nset_node x;

    ck_assert_int_eq(nset_net_create(&net, NULL), NSET_OK);
    x = nset_net_input(net, NSET_SET, NSET_VECTOR, tie->n * CHANNELS);
    nset_net_output(net, nset_net_tied(net, x, "t", tie, C_OUT));
    ck_assert_int_eq(nset_net_finish(net, 3, NULL), NSET_OK);
    for (size_t i = 0; i < nset_net_n_params(net); i++) /* biases too */
        nset_net_params(net)[i] += .01f * (float)i;
    return net;
}

/* out (rows, m, c) := the net's, on rows whose points went where p says. */
static void run_moved(
    float *out, const nset_net *net, const nset_tie *tie, const float *x, const uint32_t *p, nset_workers *workers)
{
    size_t n = tie->n;
    float *moved = nset_calloc(ROWS * n * CHANNELS, sizeof *moved);
    const float *inputs[] = { moved };
    nset_batch batch = { .n_sets = ROWS, .inputs = inputs };
    nset_run *run = NULL;

    for (size_t r = 0; r < ROWS; r++)
        for (size_t i = 0; i < n; i++)
            memcpy(moved + (r * n + p[i]) * CHANNELS, x + (r * n + i) * CHANNELS, CHANNELS * sizeof *x);
    ck_assert_int_eq(nset_run_create(&run, net, workers, NULL), NSET_OK);
    ck_assert_int_eq(nset_run_forward(run, &batch, NULL), NSET_OK);
    memcpy(out, nset_run_output(run, 0, NULL, NULL), ROWS * tie->m * C_OUT * sizeof *out);
    nset_run_free(run);
    nset_free(moved);
}

/* Rows of wide range and with cancelling pairs, so that plain sums differ by order. */
static void fill(float *x, size_t n, uint64_t index)
{
    nset_random r = nset_random_stream(8, "wide", index);

    for (size_t i = 0; i < n; i++)
        x[i] = (float)ldexp(nset_random_normal(&r), (int)nset_random_below(&r, 60) - 30);
    for (size_t i = 0; i + 7 < n; i += 11)
        x[i + 7] = -x[i];
}

START_TEST(a_tied_layer_is_equivariant_to_the_bit_at_any_number_of_threads)
{
    const group_case *c = &group_cases[_i];
    nset_action *in = c->in(), *out = c->out ? c->out() : c->in();
    size_t n = c->n, m = c->m, size = ROWS * m * C_OUT;
    float *x = nset_calloc(ROWS * n * CHANNELS, sizeof *x), *base = nset_calloc(size, sizeof *base);
    float *moved = nset_calloc(size, sizeof *moved);
    uint32_t *still = nset_calloc(n, sizeof *still);
    nset_workers *workers = NULL;
    nset_tie *tie = NULL;
    nset_net *net;

    if (n * m > 2500) /* the largest cost seconds and show nothing new */
        goto done;
    ck_assert_int_eq(nset_workers_create(&workers, 3, NULL), NSET_OK);
    ck_assert_int_eq(nset_tie_create(&tie, in, out, NULL), NSET_OK);
    net = tied_net(tie);
    fill(x, ROWS * n * CHANNELS, (uint64_t)_i);
    for (size_t i = 0; i < n; i++)
        still[i] = (uint32_t)i;
    run_moved(base, net, tie, x, still, NULL);
    for (size_t g = 0; g < in->n_generators; g++) {
        run_moved(moved, net, tie, x, in->image + g * n, g % 2 ? workers : NULL);
        for (size_t r = 0; r < ROWS; r++)
            for (size_t y = 0; y < m; y++)
                ck_assert_msg(memcmp(moved + (r * m + out->image[g * m + y]) * C_OUT, base + (r * m + y) * C_OUT,
                                  C_OUT * sizeof *base) == 0,
                    "%s: generator %zu, row %zu, output %zu", c->name, g, r, y);
    }
    nset_net_free(net);
    nset_tie_free(tie);
    nset_workers_free(workers);

done:
    nset_free(x);
    nset_free(base);
    nset_free(moved);
    nset_free(still);
    nset_action_free(in);
    nset_action_free(out);
    ck_assert_int_eq(nset_test_live_allocs(), 0);
}
END_TEST

START_TEST(a_tied_layer_is_the_matrix_its_ties_say)
{
    nset_action *in = tuples(sym(4), 2), *out = sym(4);
    nset_tie *tie = NULL;
    nset_net *net;
    float x[ROWS * 16 * CHANNELS], y[ROWS * 4 * C_OUT];
    uint32_t still[16];
    const float *w, *b;

    ck_assert_int_eq(nset_tie_create(&tie, in, out, NULL), NSET_OK);
    net = tied_net(tie);
    w = nset_net_params(net) + nset_net_view(net, 0).at;
    b = nset_net_params(net) + nset_net_view(net, 1).at;
    for (size_t i = 0; i < sizeof x / sizeof *x; i++)
        x[i] = (float)(i % 7) - 3;
    for (uint32_t i = 0; i < 16; i++)
        still[i] = i;
    run_moved(y, net, tie, x, still, NULL);
    for (size_t r = 0; r < ROWS; r++)
        for (size_t j = 0; j < 4; j++)
            for (size_t k = 0; k < C_OUT; k++) {
                double sum = b[tie->bias[j] * C_OUT + k];
                for (size_t i = 0; i < 16; i++)
                    for (size_t c = 0; c < CHANNELS; c++)
                        sum += w[(tie->weight[j * 16 + i] * CHANNELS + c) * C_OUT + k] * x[(r * 16 + i) * CHANNELS + c];
                ck_assert_double_eq_tol(y[(r * 4 + j) * C_OUT + k], sum, 1e-4);
            }
    nset_net_free(net);
    nset_tie_free(tie);
    nset_action_free(in);
    nset_action_free(out);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("group");
    TCase *t = tcase_create("groups and ties");
    SRunner *runner;
    int failed;

    tcase_add_loop_test(t, orbits_and_orders_are_those_of_the_closed_forms, 0, N_GROUP_CASES);
    tcase_add_loop_test(t, a_group_has_its_order_and_knows_its_elements, 0, N_GROUP_CASES);
    tcase_add_test(t, a_permutation_outside_the_group_is_detected);
    tcase_add_test(t, what_is_no_action_is_refused);
    tcase_add_test(t, no_memory_is_an_error_without_a_leak);
    tcase_add_loop_test(t, a_tied_layer_is_equivariant_to_the_bit_at_any_number_of_threads, 0, N_GROUP_CASES);
    tcase_add_test(t, a_tied_layer_is_the_matrix_its_ties_say);
    suite_add_tcase(suite, t);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
