/* Completion of matrices: bits, errors, and that a little training helps on a small one. The figures of the large one
 * stand in tests/reproduce. */
#include <check.h>
#include <string.h>

#include "base/test_hooks.h"
#include "completion_cases.h"

enum { N = 40, M = 30 };

static nset_net *make(nset_completion kind)
{
    nset_completion_options o = NSET_COMPLETION_OPTIONS_INIT;
    nset_error err = { 0 };
    nset_net *net = NULL;

    o.kind = kind;
    o.depth = kind == NSET_COMPLETE_LAYERS ? 2 : 5;
    ck_assert_msg(nset_completion_net(&net, &o, &err) == NSET_OK, "%s", err.text);
    return net;
}

START_TEST(renamed_and_reordered_entries_change_no_bit)
{
    completion_case c = completion_make(N, M, .4, 3), moved = completion_make(N, M, .4, 3);
    nset_entries known = completion_known(&c), hidden = completion_hidden(&c);
    nset_entries other_known = completion_known(&moved), other_hidden = completion_hidden(&moved);
    size_t order[N * M];
    float a[N * M], b[N * M];
    nset_random r = nset_random_stream(3, "order", 0);
    nset_workers *workers = NULL;
    nset_net *net = make((nset_completion)_i);

    ck_assert_int_eq(nset_workers_create(&workers, 3, NULL), NSET_OK);
    for (size_t e = 0; e < N * M; e++)
        order[e] = e;
    nset_random_shuffle(&r, order, c.n_known);
    for (size_t e = 0; e < N * M; e++) {
        moved.row[e] = 77777 - 13 * c.row[order[e]];
        moved.column[e] = (c.column[order[e]] * 7 + 5) % M;
        moved.value[e] = c.value[order[e]];
    }
    ck_assert_int_eq(nset_completion_predict(a, net, &known, &hidden, NULL, NULL), NSET_OK);
    ck_assert_int_eq(nset_completion_predict(b, net, &other_known, &other_hidden, workers, NULL), NSET_OK);
    ck_assert_int_eq(memcmp(a, b, c.n_hidden * sizeof *a), 0);
    /* one query alone */
    hidden = (nset_entries){ 1, c.row + c.n_known + 9, c.column + c.n_known + 9, NULL };
    ck_assert_int_eq(nset_completion_predict(b, net, &known, &hidden, NULL, NULL), NSET_OK);
    ck_assert_int_eq(memcmp(a + 9, b, sizeof *b), 0);
    nset_workers_free(workers);
    nset_net_free(net);
    completion_free(&c);
    completion_free(&moved);
}
END_TEST

static int count_steps(void *ctx, size_t step, double loss)
{
    size_t *n = ctx;

    ck_assert_uint_eq(step, *n);
    ck_assert(isfinite(loss));
    return ++*n == 30;
}

START_TEST(training_is_repeatable_helps_and_stops_when_told)
{
    nset_completion_options o = NSET_COMPLETION_OPTIONS_INIT;
    completion_case c = completion_make(2 * N, 2 * M, .4, 5);
    nset_entries known = completion_known(&c);
    nset_net *net = make((nset_completion)_i), *twin = make((nset_completion)_i);
    double before = completion_rmse(net, &c);
    size_t n = 0, n_twin = 0;
    nset_error err = { 0 };

    o.n_steps = 40;
    ck_assert_int_eq(nset_completion_train(net, &known, 1, &o, count_steps, &n, NULL, &err), NSET_ERR_CANCELLED);
    ck_assert_uint_eq(n, 30);
    ck_assert_int_eq(nset_completion_train(twin, &known, 1, &o, count_steps, &n_twin, NULL, NULL), NSET_ERR_CANCELLED);
    ck_assert_int_eq(memcmp(nset_net_params(net), nset_net_params(twin), nset_net_n_params(net) * sizeof(float)), 0);
    ck_assert_msg(completion_rmse(net, &c) < before, "%g after %g", completion_rmse(net, &c), before);
    nset_net_free(net);
    nset_net_free(twin);
    completion_free(&c);
}
END_TEST

START_TEST(what_cannot_be_completed_is_refused)
{
    static const uint32_t row[] = { 0, 0, 1, 1, 2, 2, 3, 3 }, column[] = { 0, 1, 0, 1, 0, 1, 0, 1 };
    float equal[8] = { 2, 2, 2, 2, 2, 2, 2, 2 }, out[8];
    nset_entries known = { 8, row, column, equal }, query = { 2, row, column, NULL };
    nset_completion_options o = NSET_COMPLETION_OPTIONS_INIT;
    nset_net *net = make(NSET_COMPLETE_FACTORS), *other = NULL;
    nset_error err = { 0 };

    ck_assert_int_eq(nset_completion_predict(out, net, &known, &query, NULL, &err), NSET_ERR_ARG);
    ck_assert_str_eq(err.text, "completion: all known entries are equal");
    equal[3] = NAN;
    err = (nset_error){ 0 };
    ck_assert_int_eq(nset_completion_predict(out, net, &known, &query, NULL, &err), NSET_ERR_ARG);
    ck_assert_str_eq(err.text, "completion: entry 3 (row 1, column 1) is not finite");
    equal[3] = 3;
    ck_assert_int_eq(nset_completion_predict(out, net, &known, &query, NULL, NULL), NSET_OK);
    ck_assert(isfinite(out[0]) && isfinite(out[1]));
    query = (nset_entries){ 1, (const uint32_t[]){ 99 }, (const uint32_t[]){ 98 }, NULL }; /* a new row and column */
    ck_assert_int_eq(nset_completion_predict(out, net, &known, &query, NULL, NULL), NSET_OK);
    ck_assert(isfinite(out[0]));
    known.n = 7;
    ck_assert_int_eq(nset_completion_predict(out, net, &known, &query, NULL, NULL), NSET_ERR_ARG);
    known.n = 8;
    o.hidden = 1;
    ck_assert_int_eq(nset_completion_train(net, &known, 1, &o, NULL, NULL, NULL, NULL), NSET_ERR_ARG);
    o.width = 2;
    ck_assert_int_eq(nset_completion_net(&other, &o, NULL), NSET_ERR_ARG);
    nset_net_free(net);

    ck_assert_int_eq(nset_net_create(&other, NULL), NSET_OK);
    nset_net_output(other, nset_net_input(other, NSET_ELEMENT, NSET_VECTOR, 1));
    ck_assert_int_eq(nset_net_finish(other, 0, NULL), NSET_OK);
    ck_assert_int_eq(nset_completion_predict(out, other, &known, &query, NULL, NULL), NSET_ERR_ARG);
    nset_net_free(other);
}
END_TEST

START_TEST(no_memory_is_an_error_without_a_leak)
{
    completion_case c = completion_make(4, 4, .6, 3);
    nset_entries known = completion_known(&c), hidden = completion_hidden(&c);
    nset_completion_options o = NSET_COMPLETION_OPTIONS_INIT;
    long before = nset_test_live_allocs();
    nset_status status = NSET_ERR_NOMEM;
    float out[16];

    o.depth = 1;
    o.n_steps = 1;
    for (long k = 0; status != NSET_OK; k++) {
        nset_net *net = NULL;
        nset_test_fail_alloc_at(k);
        if ((status = nset_completion_net(&net, &o, NULL)) == NSET_OK &&
            (status = nset_completion_train(net, &known, 1, &o, NULL, NULL, NULL, NULL)) == NSET_OK)
            status = nset_completion_predict(out, net, &known, &hidden, NULL, NULL);
        nset_test_fail_alloc_at(-1);
        nset_net_free(net);
        ck_assert_int_eq(nset_test_live_allocs(), before);
        ck_assert(status == NSET_OK || status == NSET_ERR_NOMEM);
    }
    completion_free(&c);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("completion");
    TCase *t = tcase_create("matrices");
    SRunner *runner;
    int failed;

    tcase_add_loop_test(t, renamed_and_reordered_entries_change_no_bit, 0, 2);
    tcase_add_loop_test(t, training_is_repeatable_helps_and_stops_when_told, 0, 2);
    tcase_add_test(t, what_cannot_be_completed_is_refused);
    tcase_add_test(t, no_memory_is_an_error_without_a_leak);
    suite_add_tcase(suite, t);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
