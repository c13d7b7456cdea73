/* Exchangeable matrices and tensors: relabelled axes to the bit, complete and sparse, and the maps against the orbits.
 */
#include <check.h>
#include <math.h>
#include <string.h>

#include <neuroset/group.h>
#include <neuroset/memory.h>
#include <neuroset/net.h>
#include <neuroset/random.h>

#include "base/test_hooks.h"

enum { N = 6, M = 5, D = 3, D_OUT = 4, ENTRIES = N * M };

static nset_net *layer_net(size_t n_axes)
{
    nset_net *net = NULL;
    nset_node x;

    ck_assert_int_eq(nset_net_create(&net, NULL), NSET_OK);
    x = nset_net_input(net, NSET_ELEMENT, NSET_VECTOR, D);
    x = nset_net_activate(net, nset_net_exchangeable(net, x, "first", n_axes, 8, -1), NSET_TANH);
    nset_net_output(net, nset_net_exchangeable(net, x, "second", n_axes, D_OUT, -1));
    ck_assert_int_eq(nset_net_finish(net, 7, NULL), NSET_OK);
    return net;
}

/* out (n, D_OUT) := the net's on one tensor; axes or shape. */
static void run_one(float *out, const nset_net *net, const float *x, size_t n, size_t n_axes,
    const uint32_t *const *axes, const size_t *shape, nset_workers *workers)
{
    const int64_t offsets[] = { 0, (int64_t)n };
    nset_batch batch = {
        .n_sets = 1, .offsets = offsets, .inputs = &x, .n_axes = n_axes, .axes = axes, .shape = shape
    };
    nset_run *run = NULL;
    nset_error err = { 0 };

    ck_assert_int_eq(nset_run_create(&run, net, workers, NULL), NSET_OK);
    ck_assert_msg(nset_run_forward(run, &batch, &err) == NSET_OK, "%s", err.text);
    memcpy(out, nset_run_output(run, 0, NULL, NULL), n * D_OUT * sizeof *out);
    nset_run_free(run);
}

static void fill(float *x, size_t n, uint64_t index)
{
    nset_random r = nset_random_stream(8, "entries", index);

    for (size_t i = 0; i < n; i++)
        x[i] = (float)ldexp(nset_random_normal(&r), (int)nset_random_below(&r, 40) - 20);
}

START_TEST(relabelled_rows_and_columns_of_a_complete_matrix_change_no_bit)
{
    static const size_t shape[] = { N, M }, p[N] = { 3, 0, 5, 1, 4, 2 }, q[M] = { 4, 2, 0, 1, 3 };
    float x[ENTRIES * D], moved[ENTRIES * D], base[ENTRIES * D_OUT], out[ENTRIES * D_OUT];
    nset_net *net = layer_net(2);
    nset_workers *workers = NULL;

    ck_assert_int_eq(nset_workers_create(&workers, 3, NULL), NSET_OK);
    fill(x, ENTRIES * D, 0);
    for (size_t i = 0; i < N; i++)
        for (size_t j = 0; j < M; j++)
            memcpy(moved + (p[i] * M + q[j]) * D, x + (i * M + j) * D, D * sizeof *x);
    run_one(base, net, x, ENTRIES, 2, NULL, shape, NULL);
    for (int k = 0; k < 2; k++) {
        run_one(out, net, moved, ENTRIES, 2, NULL, shape, k ? workers : NULL);
        for (size_t i = 0; i < N; i++)
            for (size_t j = 0; j < M; j++)
                ck_assert_int_eq(
                    memcmp(out + (p[i] * M + q[j]) * D_OUT, base + (i * M + j) * D_OUT, D_OUT * sizeof *out), 0);
    }
    nset_workers_free(workers);
    nset_net_free(net);
    ck_assert_int_eq(nset_test_live_allocs(), 0);
}
END_TEST

START_TEST(a_sparse_matrix_of_all_entries_is_the_complete_one)
{
    static const size_t shape[] = { N, M };
    float x[ENTRIES * D], mixed[ENTRIES * D], base[ENTRIES * D_OUT], out[ENTRIES * D_OUT];
    uint32_t rows[ENTRIES], columns[ENTRIES];
    const uint32_t *axes[] = { rows, columns };
    size_t order[ENTRIES];
    nset_random r = nset_random_stream(8, "mixed", 0);
    nset_net *net = layer_net(2);

    fill(x, ENTRIES * D, 1);
    run_one(base, net, x, ENTRIES, 2, NULL, shape, NULL);
    for (size_t e = 0; e < ENTRIES; e++)
        order[e] = e;
    nset_random_shuffle(&r, order, ENTRIES);
    for (size_t e = 0; e < ENTRIES; e++) { /* in any order, under any names */
        rows[e] = 1000000 - 17 * (uint32_t)(order[e] / M);
        columns[e] = 3 + 5 * (uint32_t)(order[e] % M);
        memcpy(mixed + e * D, x + order[e] * D, D * sizeof *x);
    }
    run_one(out, net, mixed, ENTRIES, 2, axes, NULL, NULL);
    for (size_t e = 0; e < ENTRIES; e++)
        ck_assert_int_eq(memcmp(out + e * D_OUT, base + order[e] * D_OUT, D_OUT * sizeof *out), 0);
    nset_net_free(net);
}
END_TEST

/* y = x A1 + (mean of its row) .. as the paper has it, in double. */
START_TEST(the_layer_is_its_formula)
{
    float x[ENTRIES], out[ENTRIES];
    static const size_t shape[] = { N, M };
    const int64_t offsets[] = { 0, ENTRIES };
    const float *inputs[] = { x }, *w;
    nset_batch batch = { .n_sets = 1, .offsets = offsets, .inputs = inputs, .n_axes = 2, .shape = shape };
    double row[N] = { 0 }, column[M] = { 0 }, all = 0;
    nset_net *net = NULL;
    nset_run *run = NULL;
    nset_node node;

    ck_assert_int_eq(nset_net_create(&net, NULL), NSET_OK);
    node = nset_net_input(net, NSET_ELEMENT, NSET_VECTOR, 1);
    nset_net_output(net, nset_net_exchangeable(net, node, "a", 2, 1, -1));
    ck_assert_int_eq(nset_net_finish(net, 7, NULL), NSET_OK);
    w = nset_net_params(net);
    for (size_t e = 0; e < ENTRIES; e++) {
        x[e] = (float)((e * 7) % 11) - 4;
        row[e / M] += x[e] / (double)M;
        column[e % M] += x[e] / (double)N;
        all += x[e] / (double)ENTRIES;
    }
    ck_assert_int_eq(nset_run_create(&run, net, NULL, NULL), NSET_OK);
    ck_assert_int_eq(nset_run_forward(run, &batch, NULL), NSET_OK);
    memcpy(out, nset_run_output(run, 0, NULL, NULL), sizeof out);
    for (size_t e = 0; e < ENTRIES; e++) /* keep = 2: columns, 1: rows, 0: none */
        ck_assert_double_eq_tol(out[e], w[0] * x[e] + w[1] * column[e % M] + w[2] * row[e / M] + w[3] * all, 1e-5);
    nset_run_free(run);
    nset_net_free(net);
}
END_TEST

START_TEST(tensors_of_three_axes_and_ragged_batches_of_sparse_ones_are_equivariant)
{
    enum { E = 200 };
    static const int64_t offsets[] = { 0, 1, 1, 90, E };
    uint32_t c[3][E];
    const uint32_t *axes[] = { c[0], c[1], c[2] };
    float x[E * D];
    const float *inputs[] = { x };
    nset_batch batch = { .n_sets = 4, .offsets = offsets, .inputs = inputs, .n_axes = 3, .axes = axes };
    nset_random r = nset_random_stream(8, "three", 0);
    nset_net *net = layer_net(3);
    nset_run *run = NULL;
    double deviation = 1;
    float base[E * D_OUT];

    fill(x, E * D, 3);
    for (int a = 0; a < 3; a++)
        for (int e = 0; e < E; e++)
            c[a][e] = nset_random_below(&r, 7);
    ck_assert_int_eq(nset_equivariance_check(&deviation, net, &batch, 20, 1, NULL), NSET_OK);
    ck_assert_double_eq(deviation, 0);
    ck_assert_int_eq(nset_run_create(&run, net, NULL, NULL), NSET_OK);
    ck_assert_int_eq(nset_run_forward(run, &batch, NULL), NSET_OK);
    memcpy(base, nset_run_output(run, 0, NULL, NULL), sizeof base);
    for (int a = 0; a < 3; a++) /* other names on each axis */
        for (int e = 0; e < E; e++)
            c[a][e] = (c[a][e] * 3 + 1) % 7;
    ck_assert_int_eq(nset_run_forward(run, &batch, NULL), NSET_OK);
    ck_assert_int_eq(memcmp(base, nset_run_output(run, 0, NULL, NULL), sizeof base), 0);
    nset_run_free(run);
    nset_net_free(net);
}
END_TEST

/* ---- the maps as matrices ---- */

enum { SIDE = 4, SQUARE = SIDE * SIDE, MOST_MAPS = NSET_PAIR_MAPS };

static size_t rank_of(double maps[][SQUARE * SQUARE], int n_maps)
{
    size_t rank = 0;

    for (size_t column = 0; column < SQUARE * SQUARE && rank < (size_t)n_maps; column++) {
        size_t top = rank;
        for (size_t k = rank; k < (size_t)n_maps; k++)
            top = fabs(maps[k][column]) > fabs(maps[top][column]) ? k : top;
        if (fabs(maps[top][column]) < 1e-9)
            continue;
        for (size_t c = 0; c < SQUARE * SQUARE; c++) {
            double t = maps[top][c];
            maps[top][c] = maps[rank][c];
            maps[rank][c] = t;
        }
        for (size_t k = rank + 1; k < (size_t)n_maps; k++) {
            double factor = maps[k][column] / maps[rank][column];
            for (size_t c = 0; c < SQUARE * SQUARE; c++)
                maps[k][c] -= factor * maps[rank][c];
        }
        rank++;
    }
    return rank;
}

/* 2 axes of 4, 3 axes of 2, 4 and 2, and one permutation on both axes of 4. */
static const struct maps_case {
    const char *name;
    size_t shape[3], n_axes;
    size_t n_maps;
} maps_cases[] = {
    { "rows and columns", { 4, 4, 0 }, 2, 4 },
    { "three axes", { 2, 4, 2 }, 3, 8 },
    { "one permutation on both", { 4, 4, 0 }, 0, 15 },
};

/* maps[k] (SQUARE, SQUARE) := the k-th of the maps, from unit matrices. */
static void read_maps(double maps[][SQUARE * SQUARE], const struct maps_case *m, nset_net *net)
{
    float x[SQUARE];
    const int64_t offsets[] = { 0, SQUARE };
    const float *inputs[] = { x };
    nset_batch batch = { .n_sets = 1, .offsets = offsets, .inputs = inputs, .n_axes = m->n_axes, .shape = m->shape };
    nset_run *run = NULL;

    ck_assert_int_eq(nset_run_create(&run, net, NULL, NULL), NSET_OK);
    for (size_t u = 0; u < SQUARE; u++) {
        memset(x, 0, sizeof x);
        x[u] = 1;
        ck_assert_int_eq(nset_run_forward(run, &batch, NULL), NSET_OK);
        for (size_t k = 0; k < m->n_maps; k++)
            for (size_t v = 0; v < SQUARE; v++)
                maps[k][v * SQUARE + u] = nset_run_output(run, 0, NULL, NULL)[v * m->n_maps + k];
    }
    nset_run_free(run);
}

static nset_net *maps_net(const struct maps_case *c)
{
    nset_net *net = NULL;
    nset_node x, all;

    ck_assert_int_eq(nset_net_create(&net, NULL), NSET_OK);
    all = x = nset_net_input(net, NSET_ELEMENT, NSET_VECTOR, 1);
    if (c->n_axes == 0)
        all = nset_net_pair_maps(net, x);
    for (unsigned keep = c->n_axes ? (1u << c->n_axes) - 1 : 0; keep-- > 0;)
        all = nset_net_concat(net, all, nset_net_axis_mean(net, x, keep, -1));
    nset_net_output(net, all);
    ck_assert_int_eq(nset_net_finish(net, 0, NULL), NSET_OK);
    return net;
}

static nset_action *maps_action(const struct maps_case *c)
{
    nset_action *a = NULL, *b = NULL, *both = NULL, *third = NULL;

    ck_assert_int_eq(nset_action_symmetric(&a, c->shape[0], NULL), NSET_OK);
    if (c->n_axes == 0) {
        ck_assert_int_eq(nset_action_tuples(&both, a, 2, NULL), NSET_OK);
        nset_action_free(a);
        return both;
    }
    for (size_t k = 1; k < c->n_axes; k++) {
        ck_assert_int_eq(nset_action_symmetric(&b, c->shape[k], NULL), NSET_OK);
        ck_assert_int_eq(nset_action_product(&third, a, b, NULL), NSET_OK);
        nset_action_free(a);
        nset_action_free(b);
        a = third;
    }
    return a;
}

START_TEST(the_maps_are_a_basis_of_the_tied_ones)
{
    static double maps[MOST_MAPS][SQUARE * SQUARE];
    const struct maps_case *c = &maps_cases[_i];
    nset_net *net = maps_net(c);
    nset_action *action = maps_action(c);
    nset_tie *tie = NULL;
    double value[MOST_MAPS];

    ck_assert_int_eq(nset_tie_create(&tie, action, action, NULL), NSET_OK);
    ck_assert_uint_eq(tie->n_weights, c->n_maps);
    read_maps(maps, c, net);
    for (size_t k = 0; k < c->n_maps; k++) { /* one value along each orbit */
        bool known[MOST_MAPS] = { false };
        for (size_t p = 0; p < SQUARE * SQUARE; p++) {
            uint32_t o = tie->weight[p];
            if (!known[o])
                value[o] = maps[k][p];
            known[o] = true;
            ck_assert_msg(maps[k][p] == value[o], "%s: map %zu", c->name, k);
        }
    }
    ck_assert_uint_eq(rank_of(maps, (int)c->n_maps), c->n_maps);
    nset_tie_free(tie);
    nset_action_free(action);
    nset_net_free(net);
}
END_TEST

/* Whole numbers and a side of 4: no rounding anywhere, so that <L A, B> = <A, L* B> holds to the bit. */
START_TEST(the_backward_of_the_15_maps_is_their_adjoint)
{
    static const int64_t offsets[] = { 0, SQUARE, SQUARE, SQUARE + 1 };
    enum { ALL = SQUARE + 1, CHANNELS = 2 };
    float a[ALL * CHANNELS], b[ALL * CHANNELS * NSET_PAIR_MAPS], da[ALL * CHANNELS] = { 0 }, grad[1] = { 0 };
    const float *inputs[] = { a }, *slopes[] = { b };
    float *dinputs[] = { da };
    nset_batch batch = { .n_sets = 3, .offsets = offsets, .inputs = inputs };
    nset_net *net = NULL;
    nset_run *run = NULL;
    double left = 0, right = 0;
    nset_random r = nset_random_stream(3, "adjoint", 0);

    ck_assert_int_eq(nset_net_create(&net, NULL), NSET_OK);
    nset_net_output(net, nset_net_pair_maps(net, nset_net_input(net, NSET_ELEMENT, NSET_VECTOR, CHANNELS)));
    ck_assert_int_eq(nset_net_finish(net, 0, NULL), NSET_OK);
    for (size_t i = 0; i < sizeof a / sizeof *a; i++)
        a[i] = (float)nset_random_below(&r, 64) - 31;
    for (size_t i = 0; i < sizeof b / sizeof *b; i++)
        b[i] = (float)nset_random_below(&r, 64) - 31;
    ck_assert_int_eq(nset_run_create(&run, net, NULL, NULL), NSET_OK);
    ck_assert_int_eq(nset_run_forward_train(run, &batch, 0, NULL), NSET_OK);
    for (size_t i = 0; i < sizeof b / sizeof *b; i++)
        left += (double)nset_run_output(run, 0, NULL, NULL)[i] * (double)b[i];
    ck_assert_int_eq(nset_run_backward(run, &batch, slopes, grad, dinputs, NULL), NSET_OK);
    for (size_t i = 0; i < sizeof a / sizeof *a; i++)
        right += (double)a[i] * (double)da[i];
    ck_assert_double_eq(left, right);
    nset_run_free(run);
    nset_net_free(net);
}
END_TEST

START_TEST(one_permutation_on_both_axes_moves_the_15_maps_to_the_bit)
{
    enum { SIZE = 9, FEATURES = NSET_PAIR_MAPS * D };
    static const size_t p[SIZE] = { 3, 8, 0, 5, 1, 7, 4, 2, 6 };
    static float x[SIZE * SIZE * D], moved[SIZE * SIZE * D], base[SIZE * SIZE * FEATURES];
    static const int64_t offsets[] = { 0, SIZE * SIZE };
    const float *inputs[] = { x }, *out;
    nset_batch batch = { .n_sets = 1, .offsets = offsets, .inputs = inputs };
    nset_net *net = NULL;
    nset_run *run = NULL;

    ck_assert_int_eq(nset_net_create(&net, NULL), NSET_OK);
    nset_net_output(net, nset_net_pair_maps(net, nset_net_input(net, NSET_ELEMENT, NSET_VECTOR, D)));
    ck_assert_int_eq(nset_net_finish(net, 0, NULL), NSET_OK);
    fill(x, SIZE * SIZE * D, 4);
    for (size_t i = 0; i < SIZE; i++)
        for (size_t j = 0; j < SIZE; j++)
            memcpy(moved + (p[i] * SIZE + p[j]) * D, x + (i * SIZE + j) * D, D * sizeof *x);
    ck_assert_int_eq(nset_run_create(&run, net, NULL, NULL), NSET_OK);
    ck_assert_int_eq(nset_run_forward(run, &batch, NULL), NSET_OK);
    memcpy(base, nset_run_output(run, 0, NULL, NULL), sizeof base);
    inputs[0] = moved;
    ck_assert_int_eq(nset_run_forward(run, &batch, NULL), NSET_OK);
    out = nset_run_output(run, 0, NULL, NULL);
    for (size_t i = 0; i < SIZE; i++)
        for (size_t j = 0; j < SIZE; j++)
            ck_assert_int_eq(
                memcmp(out + (p[i] * SIZE + p[j]) * FEATURES, base + (i * SIZE + j) * FEATURES, FEATURES * sizeof *out),
                0);
    nset_run_free(run);
    nset_net_free(net);
}
END_TEST

START_TEST(what_has_no_axes_is_refused)
{
    static const size_t wrong[] = { 2, 2 };
    static const int64_t offsets[] = { 0, 5 };
    float x[5 * D] = { 0 };
    const float *inputs[] = { x };
    nset_batch batch = { .n_sets = 1, .offsets = offsets, .inputs = inputs };
    nset_net *net = layer_net(2), *bad = NULL;
    nset_run *run = NULL;
    nset_error err = { 0 };

    ck_assert_int_eq(nset_run_create(&run, net, NULL, NULL), NSET_OK);
    ck_assert_int_eq(nset_run_forward(run, &batch, &err), NSET_ERR_ARG);
    ck_assert_str_eq(err.text, "the network has elements with 2 axes, the batch gives 0; it needs axes or shape");
    batch.n_axes = 2;
    batch.shape = wrong;
    err = (nset_error){ 0 };
    ck_assert_int_eq(nset_run_forward(run, &batch, &err), NSET_ERR_ARG);
    ck_assert_str_eq(err.text, "set 0 has 5 elements, its shape asks for 4");
    nset_run_free(run);
    nset_net_free(net);

    ck_assert_int_eq(nset_net_create(&bad, NULL), NSET_OK);
    nset_net_output(bad, nset_net_pair_maps(bad, nset_net_input(bad, NSET_ELEMENT, NSET_VECTOR, D)));
    ck_assert_int_eq(nset_net_finish(bad, 0, NULL), NSET_OK);
    ck_assert_int_eq(nset_run_create(&run, bad, NULL, NULL), NSET_OK);
    err = (nset_error){ 0 };
    ck_assert_int_eq(nset_run_forward(run, &batch, &err), NSET_ERR_ARG);
    ck_assert_str_eq(err.text, "set 0 has 5 elements: that is no square matrix");
    nset_run_free(run);
    nset_net_free(bad);

    ck_assert_int_eq(nset_net_create(&bad, NULL), NSET_OK);
    ck_assert_int_eq(nset_net_axis_mean(bad, nset_net_input(bad, NSET_SET, NSET_VECTOR, 1), 1, -1), -1);
    ck_assert_int_eq(nset_net_finish(bad, 0, NULL), NSET_ERR_ARG);
    nset_net_free(bad);
}
END_TEST

START_TEST(no_memory_is_an_error_without_a_leak)
{
    static const size_t shape[] = { N, M };
    static const int64_t offsets[] = { 0, ENTRIES };
    static float x[ENTRIES * D];
    const float *inputs[] = { x };
    nset_batch batch = { .n_sets = 1, .offsets = offsets, .inputs = inputs, .n_axes = 2, .shape = shape };
    nset_net *net = layer_net(2);
    long before = nset_test_live_allocs();
    nset_status status = NSET_ERR_NOMEM;

    for (long k = 0; status != NSET_OK; k++) {
        nset_run *run = NULL;
        nset_test_fail_alloc_at(k);
        if ((status = nset_run_create(&run, net, NULL, NULL)) == NSET_OK)
            status = nset_run_forward(run, &batch, NULL);
        nset_test_fail_alloc_at(-1);
        nset_run_free(run);
        ck_assert_int_eq(nset_test_live_allocs(), before);
        ck_assert(status == NSET_OK || status == NSET_ERR_NOMEM);
    }
    nset_net_free(net);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("axes");
    TCase *t = tcase_create("matrices and tensors");
    SRunner *runner;
    int failed;

    tcase_add_test(t, relabelled_rows_and_columns_of_a_complete_matrix_change_no_bit);
    tcase_add_test(t, a_sparse_matrix_of_all_entries_is_the_complete_one);
    tcase_add_test(t, the_layer_is_its_formula);
    tcase_add_test(t, tensors_of_three_axes_and_ragged_batches_of_sparse_ones_are_equivariant);
    tcase_add_loop_test(t, the_maps_are_a_basis_of_the_tied_ones, 0, (int)(sizeof maps_cases / sizeof *maps_cases));
    tcase_add_test(t, the_backward_of_the_15_maps_is_their_adjoint);
    tcase_add_test(t, one_permutation_on_both_axes_moves_the_15_maps_to_the_bit);
    tcase_add_test(t, what_has_no_axes_is_refused);
    tcase_add_test(t, no_memory_is_an_error_without_a_leak);
    suite_add_tcase(suite, t);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
