/* Set-valued outputs, in double: heads, decoding against all subsets, losses against brute force. */
#include <check.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include <neuroset/assign.h>
#include <neuroset/cardinality.h>
#include <neuroset/memory.h>
#include <neuroset/random.h>

#include "base/test_hooks.h"

START_TEST(a_negative_binomial_sums_to_1_and_has_its_moments)
{
    static const double a[] = { 3, .4, 50, 1 }, b[] = { .5, .2, 10, 1 };

    for (int k = 0; k < 4; k++) {
        double sum = 0, mean = 0, square = 0, mu = a[k] / b[k];
        for (uint64_t m = 0; m < 3000; m++) {
            double p = exp(nset_negative_binomial(NULL, NULL, m, a[k], b[k]));
            sum += p;
            mean += p * (double)m;
            square += p * ((double)m - mu) * ((double)m - mu);
        }
        ck_assert_double_eq_tol(sum, 1, 1e-12);
        ck_assert_double_eq_tol(mean, mu, 1e-9 * mu);
        ck_assert_double_eq_tol(square, mu * (1 + 1 / b[k]), 1e-8 * square);
    }
}
END_TEST

START_TEST(cardinality_gradients_are_those_of_differences)
{
    static const uint64_t m[] = { 0, 3, 40, 7 };
    double x[] = { .3, -1, 2, .5, -3, 4, 20, -8 }, dx[8], h = 1e-5;

    (void)nset_loss_cardinality(dx, x, m, 4);
    for (int i = 0; i < 8; i++) {
        double was = x[i], up, down;
        x[i] = was + h;
        up = nset_loss_cardinality(NULL, x, m, 4);
        x[i] = was - h;
        down = nset_loss_cardinality(NULL, x, m, 4);
        x[i] = was;
        ck_assert_double_eq_tol(dx[i], (up - down) / (2 * h), 1e-7 * fmax(1, fabs(dx[i])));
    }
    ck_assert_double_eq(nset_loss_cardinality(NULL, x, m, 0), 0);
}
END_TEST

START_TEST(a_fit_finds_what_counts_were_drawn_with)
{
    enum { DRAWS = 10000 };
    static uint64_t m[DRAWS];
    nset_random r = nset_random_stream(5, "counts", 0);
    double a, b, mean = 0;

    for (int i = 0; i < DRAWS; i++) {
        m[i] = nset_random_poisson(&r, nset_random_gamma(&r, 3) / .5);
        mean += (double)m[i] / DRAWS;
    }
    ck_assert_int_eq(nset_cardinality_fit(&a, &b, m, DRAWS, NULL), NSET_OK);
    ck_assert_double_eq_tol(a, 3, .25);
    ck_assert_double_eq_tol(a / b, 6, .1);
    ck_assert_double_eq_tol(a / b, mean, 1e-9);
    m[0] = m[1] = m[2] = 2; /* less scatter than Poisson */
    ck_assert_int_eq(nset_cardinality_fit(&a, &b, m, 3, NULL), NSET_OK);
    ck_assert(isinf(a) && isinf(b));
    ck_assert_int_eq(nset_cardinality_fit(&a, &b, m, 0, NULL), NSET_ERR_ARG);
}
END_TEST

START_TEST(an_interval_leaves_out_no_more_than_it_may)
{
    nset_error err = { 0 };
    uint64_t low, high;

    for (double a = .3; a < 100; a *= 2.7)
        for (double b = .02; b < 30; b *= 3.1) {
            double below = 0, inside = 0;
            ck_assert_int_eq(nset_cardinality_interval(&low, &high, a, b, .9, NULL), NSET_OK);
            for (uint64_t m = 0; m <= high; m++) {
                double p = exp(nset_negative_binomial(NULL, NULL, m, a, b));
                below += m < low ? p : 0;
                inside += m >= low ? p : 0;
            }
            ck_assert_double_le(below, .05 + 1e-12);
            ck_assert_double_ge(below + inside, .95 - 1e-12);
            below += exp(nset_negative_binomial(NULL, NULL, low, a, b));
            ck_assert_double_gt(below, .05); /* one more would be too many */
        }
    ck_assert_int_eq(nset_cardinality_interval(&low, &high, 0, 1, .9, &err), NSET_ERR_ARG);
    ck_assert_int_eq(nset_cardinality_interval(&low, &high, 1, 1, 1, NULL), NSET_ERR_ARG);
}
END_TEST

enum { CANDIDATES = 12 };

/* The best of all subsets; score_of_size (n + 1) plus the members' scores. */
static double best_subset(unsigned *set, const double *score, const double *of_size)
{
    double best = -INFINITY;

    for (unsigned code = 0; code < 1u << CANDIDATES; code++) {
        double sum = of_size[__builtin_popcount(code)];
        for (int i = 0; i < CANDIDATES; i++)
            sum += code >> i & 1 ? score[i] : 0;
        if (sum > best) {
            best = sum;
            *set = code;
        }
    }
    return best;
}

static unsigned as_code(const size_t *order, size_t m)
{
    unsigned code = 0;

    for (size_t k = 0; k < m; k++)
        code |= 1u << order[k];
    return code;
}

START_TEST(decoding_is_the_best_of_all_subsets)
{
    nset_random r = nset_random_stream(5, "decode", 0);
    double score[CANDIDATES], log_m[CANDIDATES + 1], of_size[CANDIDATES + 1];
    size_t m, order[CANDIDATES];
    unsigned best = 0;

    for (int k = 0; k < 50; k++) {
        const double unit = nset_random_normal(&r);
        for (int i = 0; i < CANDIDATES; i++)
            score[i] = 2 * nset_random_normal(&r);
        for (uint64_t i = 0; i <= CANDIDATES; i++) {
            log_m[i] = nset_negative_binomial(NULL, NULL, i, 5, 1);
            of_size[i] = log_m[i] + lgamma((double)i + 1) + (double)i * unit;
        }
        ck_assert_int_eq(nset_decode_set(&m, order, score, log_m, unit, CANDIDATES, NULL), NSET_OK);
        best_subset(&best, score, of_size);
        ck_assert_uint_eq(as_code(order, m), best);

        /* logits: the normaliser of each size from all subsets of it */
        for (int i = 0; i <= CANDIDATES; i++)
            of_size[i] = 0;
        for (unsigned code = 0; code < 1u << CANDIDATES; code++) {
            double sum = 0;
            for (int i = 0; i < CANDIDATES; i++)
                sum += code >> i & 1 ? score[i] : 0;
            of_size[__builtin_popcount(code)] += exp(sum);
        }
        for (int i = 0; i <= CANDIDATES; i++)
            of_size[i] = log_m[i] - log(of_size[i]);
        ck_assert_int_eq(nset_decode_logits(&m, order, score, log_m, CANDIDATES, NULL), NSET_OK);
        best_subset(&best, score, of_size);
        ck_assert_uint_eq(as_code(order, m), best);
    }
}
END_TEST

START_TEST(independent_candidates_decode_to_the_threshold)
{
    nset_random r = nset_random_stream(5, "threshold", 0);
    double logits[CANDIDATES], log_m[CANDIDATES + 1], sum = 0, mean = 0;
    size_t m, order[CANDIDATES];
    nset_error err = { 0 };

    for (int k = 0; k < 200; k++) {
        unsigned above = 0;
        for (int i = 0; i < CANDIDATES; i++) {
            logits[i] = 3 * nset_random_normal(&r);
            above |= (unsigned)(logits[i] > 0) << i;
        }
        ck_assert_int_eq(nset_poisson_binomial(log_m, logits, CANDIDATES, NULL), NSET_OK);
        ck_assert_int_eq(nset_decode_logits(&m, order, logits, log_m, CANDIDATES, NULL), NSET_OK);
        ck_assert_uint_eq(as_code(order, m), above);
    }
    for (int i = 0; i <= CANDIDATES; i++) {
        sum += exp(log_m[i]);
        mean += i * exp(log_m[i]);
    }
    ck_assert_double_eq_tol(sum, 1, 1e-12);
    for (int i = 0; i < CANDIDATES; i++)
        mean -= 1 / (1 + exp(-logits[i]));
    ck_assert_double_eq_tol(mean, 0, 1e-11);
    logits[3] = INFINITY;
    ck_assert_int_eq(nset_decode_logits(&m, order, logits, log_m, CANDIDATES, &err), NSET_ERR_ARG);
    ck_assert_str_eq(err.text, "logit 3 of a set is inf, not finite");
    log_m[2] = NAN;
    ck_assert_int_eq(nset_decode_set(&m, order, logits, log_m, 0, CANDIDATES, NULL), NSET_ERR_ARG);
}
END_TEST

/* ---- losses ---- */

static void fill(double *x, size_t n, uint64_t index)
{
    nset_random r = nset_random_stream(9, "elements", index);

    for (size_t i = 0; i < n; i++)
        x[i] = nset_random_normal(&r);
}

static void shuffle_rows(double *out, const double *x, size_t n, size_t d, nset_random *r)
{
    size_t order[64];

    for (size_t i = 0; i < n; i++)
        order[i] = i;
    nset_random_shuffle(r, order, n);
    for (size_t i = 0; i < n; i++)
        memcpy(out + i * d, x + order[i] * d, d * sizeof *x);
}

START_TEST(the_order_of_either_set_changes_no_bit_of_a_loss)
{
    double x[15 * 2], y[20 * 2], p[15 * 2], q[20 * 2], a[3], b[3];
    nset_random r = nset_random_stream(9, "shuffle", 0);

    for (uint64_t k = 0; k < 40; k++) {
        fill(x, 30, k);
        fill(y, 40, 1000 + k);
        for (int i = 0; k % 2 && i < 40; i++) { /* many ties */
            y[i] = round(y[i]);
            x[i % 30] = round(x[i % 30]);
        }
        shuffle_rows(p, x, 15, 2, &r);
        shuffle_rows(q, y, 20, 2, &r);
        ck_assert_int_eq(nset_loss_chamfer(&a[0], NULL, x, 15, y, 20, 2, NULL), NSET_OK);
        ck_assert_int_eq(nset_loss_chamfer(&b[0], NULL, p, 15, q, 20, 2, NULL), NSET_OK);
        ck_assert_int_eq(nset_loss_assignment(&a[1], NULL, NULL, x, 15, y, 20, 2, .3, NULL), NSET_OK);
        ck_assert_int_eq(nset_loss_assignment(&b[1], NULL, NULL, p, 15, q, 20, 2, .3, NULL), NSET_OK);
        ck_assert_int_eq(nset_ospa(&a[2], x, 15, y, 20, 2, 1, 2, NULL), NSET_OK);
        ck_assert_int_eq(nset_ospa(&b[2], p, 15, q, 20, 2, 1, 2, NULL), NSET_OK);
        ck_assert_int_eq(memcmp(a, b, sizeof a), 0);
    }
}
END_TEST

static double loss_of(int which, const double *x, const double *y)
{
    double loss = 0;

    if (which == 0)
        ck_assert_int_eq(nset_loss_chamfer(&loss, NULL, x, 6, y, 8, 3, NULL), NSET_OK);
    else
        ck_assert_int_eq(nset_loss_assignment(&loss, NULL, NULL, x, 6, y, 8, 3, .5, NULL), NSET_OK);
    return loss;
}

START_TEST(loss_gradients_are_those_of_differences)
{
    double x[18], y[24], dx[18], loss, h = 1e-5;

    fill(x, 18, 77);
    fill(y, 24, 78);
    if (_i == 0)
        ck_assert_int_eq(nset_loss_chamfer(&loss, dx, x, 6, y, 8, 3, NULL), NSET_OK);
    else
        ck_assert_int_eq(nset_loss_assignment(&loss, dx, NULL, x, 6, y, 8, 3, .5, NULL), NSET_OK);
    for (int i = 0; i < 18; i++) {
        double was = x[i], up, down;
        x[i] = was + h;
        up = loss_of(_i, x, y);
        x[i] = was - h;
        down = loss_of(_i, x, y);
        x[i] = was;
        ck_assert_double_eq_tol(dx[i], (up - down) / (2 * h), 1e-7 * fmax(1, fabs(dx[i])));
    }
}
END_TEST

START_TEST(losses_by_hand)
{
    const double x[] = { 0, 1, 4 }, y[] = { 1, 2 }, one[] = { 0, 0, 5 }, two[] = { 0, 5, 5 };
    double loss, dx[3];
    size_t match[3];

    /* 0 -> 1: 1; 1 -> 1: 0; 4 -> 2: 4, mean 5/3; 1 -> 1: 0; 2 -> 1: 1, mean 1/2 */
    ck_assert_int_eq(nset_loss_chamfer(&loss, NULL, x, 3, y, 2, 1, NULL), NSET_OK);
    ck_assert_double_eq_tol(loss, 5. / 3 + .5, 1e-15);
    ck_assert_int_eq(nset_loss_chamfer(&loss, NULL, one, 3, two, 3, 1, NULL), NSET_OK);
    ck_assert_double_eq(loss, 0); /* blind to multiplicity */
    ck_assert_int_eq(nset_loss_assignment(&loss, NULL, NULL, one, 3, two, 3, 1, 0, NULL), NSET_OK);
    ck_assert_double_eq(loss, 25); /* and this is not */
    /* 1 and 4 take 1 and 2; or 0 and 1 take 1 and 2: 1 + 1 = 2 < 0 + 4 */
    ck_assert_int_eq(nset_loss_assignment(&loss, dx, match, x, 3, y, 2, 1, 7, NULL), NSET_OK);
    ck_assert_double_eq(loss, 9);
    ck_assert(match[0] == 0 && match[1] == 1 && match[2] == NSET_UNASSIGNED);
    ck_assert(dx[0] == -2 && dx[1] == -2 && dx[2] == 0);
    /* two elements at distance 1, one missing, cut-off 2, order 1: (1 + 1 + 2) / 3 */
    ck_assert_int_eq(nset_ospa(&loss, x, 3, y, 2, 1, 2, 1, NULL), NSET_OK);
    ck_assert_double_eq_tol(loss, (0 + 2 + 2) / 3., 1e-15);
    ck_assert_int_eq(nset_ospa(&loss, x, 0, y, 0, 1, 2, 1, NULL), NSET_OK);
    ck_assert_double_eq(loss, 0);
    ck_assert_int_eq(nset_ospa(&loss, x, 0, y, 2, 1, 2, 1, NULL), NSET_OK);
    ck_assert_double_eq(loss, 2);
    ck_assert_int_eq(nset_loss_chamfer(&loss, NULL, x, 0, y, 2, 1, NULL), NSET_ERR_ARG);
    ck_assert_int_eq(nset_ospa(&loss, x, 1, y, 2, 1, 0, 1, NULL), NSET_ERR_ARG);
}
END_TEST

/* ---- the assignment itself, beyond the sizes of test_assign ---- */

static double best_sum(const double *cost, size_t n, size_t i, unsigned used)
{
    double best = INFINITY;

    if (i == n)
        return 0;
    for (size_t j = 0; j < n; j++)
        if (!(used >> j & 1))
            best = fmin(best, cost[i * n + j] + best_sum(cost, n, i + 1, used | 1u << j));
    return best;
}

START_TEST(assignment_is_exact_on_1000_matrices_of_whole_numbers)
{
    nset_random r = nset_random_stream(9, "whole", 0);
    double cost[64];
    size_t column[8];

    for (int k = 0; k < 1000; k++) {
        size_t n = k % 100 == 0 ? 8 : 2 + (size_t)k % 5;
        double sum = 0;
        for (size_t i = 0; i < n * n; i++)
            cost[i] = nset_random_below(&r, 30);
        ck_assert_int_eq(nset_assign(column, cost, n, n, NULL), NSET_OK);
        for (size_t i = 0; i < n; i++)
            sum += cost[i * n + column[i]];
        ck_assert_double_eq(sum, best_sum(cost, n, 0, 0));
    }
}
END_TEST

/* Dual prices by relaxing "row i would rather have column j" until nothing changes: they exist, with no gap, exactly if
 * the pairing is the best. Whole numbers, so no rounding. */
START_TEST(assignment_of_200_has_no_dual_gap)
{
    enum { N = 200 };
    static double cost[N * N];
    double price[N] = { 0 };
    size_t column[N];
    nset_random r = nset_random_stream(9, "large", 0);
    bool changed = true;

    for (size_t i = 0; i < N * N; i++)
        cost[i] = nset_random_below(&r, 100000);
    ck_assert_int_eq(nset_assign(column, cost, N, N, NULL), NSET_OK);
    for (int round = 0; changed; round++) {
        changed = false;
        ck_assert_int_lt(round, N + 1); /* a cycle that lowers the sum never ends */
        for (size_t i = 0; i < N; i++)
            for (size_t j = 0; j < N; j++) {
                double least = price[column[i]] + cost[i * N + j] - cost[i * N + column[i]];
                if (price[j] > least) {
                    price[j] = least;
                    changed = true;
                }
            }
    }
}
END_TEST

START_TEST(no_memory_is_an_error_without_a_leak)
{
    double x[6], y[8], loss;
    size_t m, order[4];
    nset_status status = NSET_ERR_NOMEM;

    fill(x, 6, 0);
    fill(y, 8, 1);
    for (long k = 0; status != NSET_OK; k++) {
        nset_test_fail_alloc_at(k);
        if ((status = nset_loss_chamfer(&loss, NULL, x, 3, y, 4, 2, NULL)) == NSET_OK &&
            (status = nset_loss_assignment(&loss, NULL, NULL, x, 3, y, 4, 2, 0, NULL)) == NSET_OK &&
            (status = nset_ospa(&loss, x, 3, y, 4, 2, 1, 1, NULL)) == NSET_OK &&
            (status = nset_poisson_binomial(y, x, 4, NULL)) == NSET_OK)
            status = nset_decode_logits(&m, order, x, y, 4, NULL);
        nset_test_fail_alloc_at(-1);
        ck_assert_int_eq(nset_test_live_allocs(), 0);
        ck_assert(status == NSET_OK || status == NSET_ERR_NOMEM);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cardinality");
    TCase *t = tcase_create("sets as outputs");
    SRunner *runner;
    int failed;

    tcase_add_test(t, a_negative_binomial_sums_to_1_and_has_its_moments);
    tcase_add_test(t, cardinality_gradients_are_those_of_differences);
    tcase_add_test(t, a_fit_finds_what_counts_were_drawn_with);
    tcase_add_test(t, an_interval_leaves_out_no_more_than_it_may);
    tcase_add_test(t, decoding_is_the_best_of_all_subsets);
    tcase_add_test(t, independent_candidates_decode_to_the_threshold);
    tcase_add_test(t, the_order_of_either_set_changes_no_bit_of_a_loss);
    tcase_add_loop_test(t, loss_gradients_are_those_of_differences, 0, 2);
    tcase_add_test(t, losses_by_hand);
    tcase_add_test(t, assignment_is_exact_on_1000_matrices_of_whole_numbers);
    tcase_add_test(t, assignment_of_200_has_no_dual_gap);
    tcase_add_test(t, no_memory_is_an_error_without_a_leak);
    suite_add_tcase(suite, t);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
