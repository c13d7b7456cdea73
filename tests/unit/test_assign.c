/* Assignment against all permutations. */
#include <check.h>
#include <math.h>
#include <stdbool.h>

#include <neuroset/assign.h>
#include <neuroset/memory.h>
#include <neuroset/random.h>

#include "base/test_hooks.h"

/* Least sum by trying everything: row i and those after it, used the columns taken; skips are the rows left out. */
static double best_sum(const double *cost, size_t n, size_t m, size_t i, unsigned used, size_t skips)
{
    double best = INFINITY;

    if (i == n)
        return 0;
    if (skips > 0)
        best = best_sum(cost, n, m, i + 1, used, skips - 1);
    for (size_t j = 0; j < m; j++)
        if (!(used >> j & 1))
            best = fmin(best, cost[i * m + j] + best_sum(cost, n, m, i + 1, used | 1u << j, skips));
    return best;
}

static void compare(const double *cost, size_t n, size_t m)
{
    size_t column[8], pairs = 0;
    unsigned used = 0;
    double sum = 0;
    nset_error err = { 0 };

    ck_assert_msg(nset_assign(column, cost, n, m, &err) == NSET_OK, "%s", err.text);
    for (size_t i = 0; i < n; i++) {
        if (column[i] == NSET_UNASSIGNED)
            continue;
        ck_assert_uint_lt(column[i], m);
        ck_assert(!(used >> column[i] & 1));
        used |= 1u << column[i];
        sum += cost[i * m + column[i]];
        pairs++;
    }
    ck_assert_uint_eq(pairs, n < m ? n : m);
    ck_assert_double_eq_tol(sum, best_sum(cost, n, m, 0, 0, n > m ? n - m : 0), 1e-9);
}

START_TEST(no_permutation_is_better)
{
    nset_random r = nset_random_stream(3, "assign", 0);
    double cost[36];

    for (size_t n = 0; n <= 6; n++)
        for (size_t m = 0; m <= 6; m++)
            for (int k = 0; k < 20; k++) {
                /* every other time whole numbers, so that there are ties */
                for (size_t i = 0; i < n * m; i++)
                    cost[i] = k % 2 ? (double)nset_random_below(&r, 4) - 2 : nset_random_normal(&r);
                compare(cost, n, m);
            }
}
END_TEST

START_TEST(a_worked_example)
{
    static const double cost[] = { 4, 1, 3, 2, 0, 5, 3, 2, 2 };
    size_t column[3];

    ck_assert_int_eq(nset_assign(column, cost, 3, 3, NULL), NSET_OK);
    ck_assert_uint_eq(column[0], 1);
    ck_assert_uint_eq(column[1], 0);
    ck_assert_uint_eq(column[2], 2);
}
END_TEST

START_TEST(costs_must_be_finite)
{
    double cost[] = { 1, 2, INFINITY, 3 };
    size_t column[2];
    nset_error err = { 0 };

    ck_assert_int_eq(nset_assign(column, cost, 2, 2, &err), NSET_ERR_ARG);
    ck_assert_str_eq(err.text, "assignment: cost (1, 0) is not finite");
}
END_TEST

START_TEST(no_memory_is_an_error_without_a_leak)
{
    static const double cost[] = { 4, 1, 3, 2, 0, 5, 3, 2, 2 };
    size_t column[3];

    for (long k = 0;; k++) {
        nset_status status;
        nset_test_fail_alloc_at(k);
        status = nset_assign(column, cost, 3, 3, NULL);
        nset_test_fail_alloc_at(-1);
        ck_assert_int_eq(nset_test_live_allocs(), 0);
        if (status == NSET_OK)
            break;
        ck_assert_int_eq(status, NSET_ERR_NOMEM);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("assign");
    TCase *t = tcase_create("assignment");
    SRunner *runner;
    int failed;

    tcase_add_test(t, no_permutation_is_better);
    tcase_add_test(t, a_worked_example);
    tcase_add_test(t, costs_must_be_finite);
    tcase_add_test(t, no_memory_is_an_error_without_a_leak);
    suite_add_tcase(suite, t);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
