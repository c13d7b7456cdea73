/* Exact sums: the same bits for any order, right values, special numbers. */
#include <check.h>
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include <neuroset/memory.h>
#include <neuroset/pool.h>
#include <neuroset/random.h>

enum { D = 5, MOST = 3000 };

typedef enum kind { NORMAL, WIDE, CANCELLING, DUPLICATES, DENORMALS, ZEROS, N_KINDS } kind;

static float draw(kind k, size_t i, nset_random *r)
{
    double z = nset_random_normal(r);

    switch (k) {
    case WIDE:
        return (float)ldexp(z, (int)nset_random_below(r, 200) - 100);
    case CANCELLING:
        return (float)ldexp(i % 2 ? 1.25 : -1.25, (int)(i / 2 % 90) - 40) + (i % 7 ? 0 : (float)z);
    case DUPLICATES:
        return (float)nset_random_below(r, 3) * .1f;
    case DENORMALS:
        return (float)(z * 1e-43);
    case ZEROS:
        return i % 2 ? -0.f : 0.f;
    default:
        return (float)z;
    }
}

static void fill(float *x, size_t n, kind k)
{
    nset_random r = nset_random_stream(11, "exact", (uint64_t)k);

    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < D; j++)
            x[i * D + j] = draw(k, i, &r);
}

START_TEST(sums_have_the_same_bits_in_any_order)
{
    static const size_t sizes[] = { 1, 2, 3, 7, 64, 1000, MOST };
    static float x[MOST * D], y[MOST * D];
    static size_t order[MOST];
    nset_random r = nset_random_stream(1, "order", 0);

    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        size_t n = sizes[s];
        float base[D], out[D];
        fill(x, n, (kind)_i);
        nset_exact_sum_rows(base, x, n, D, D);
        for (size_t i = 0; i < n; i++)
            order[i] = i;
        for (int trial = 0; trial < 100; trial++) {
            nset_random_shuffle(&r, order, n);
            for (size_t i = 0; i < n; i++)
                memcpy(y + i * D, x + order[i] * D, D * sizeof *y);
            nset_exact_sum_rows(out, y, n, D, D);
            ck_assert_msg(memcmp(out, base, sizeof base) == 0, "kind %d, %zu terms, permutation %d", _i, n, trial);
        }
    }
}
END_TEST

START_TEST(sums_of_near_terms_are_correctly_rounded)
{
    static float x[MOST * D];
    float out[D];

    fill(x, MOST, NORMAL);
    for (size_t i = 0; i < MOST * D; i++)
        x[i] = (x[i] < 0 ? -1.f : 1.f) * (1 + fabsf(x[i])); /* a few binades: every partial sum fits a double */
    nset_exact_sum_rows(out, x, MOST, D, D);
    for (size_t j = 0; j < D; j++) {
        long double want = 0;
        for (size_t i = 0; i < MOST; i++)
            want += (long double)x[i * D + j];
        ck_assert_float_eq(out[j], (float)want);
    }
}
END_TEST

START_TEST(sums_of_wide_terms_are_near_the_true_ones)
{
    static float x[MOST * D];
    float out[D];

    fill(x, MOST, WIDE);
    nset_exact_sum_rows(out, x, MOST, D, D);
    for (size_t j = 0; j < D; j++) {
        long double want = 0, most = 0;
        for (size_t i = 0; i < MOST; i++) {
            long double a = fabsl((long double)x[i * D + j]);
            want += (long double)x[i * D + j];
            most = a > most ? a : most;
        }
        ck_assert(fabsl((long double)out[j] - want) <= most * MOST * MOST * 0x1p-53L + fabsl(want) * 0x1p-24L);
    }
}
END_TEST

START_TEST(a_large_pair_that_cancels_gives_one_answer)
{
    const float x[6][3] = { { 0x1p60f, 1, -0x1p60f }, { 0x1p60f, -0x1p60f, 1 }, { 1, 0x1p60f, -0x1p60f },
        { 1, -0x1p60f, 0x1p60f }, { -0x1p60f, 1, 0x1p60f }, { -0x1p60f, 0x1p60f, 1 } };
    float base, out;
    double wide[3], first, sum;

    nset_exact_sum_rows(&base, x[0], 3, 1, 1);
    for (int i = 0; i < 6; i++) {
        nset_exact_sum_rows(&out, x[i], 3, 1, 1);
        ck_assert_float_eq(out, base);
        for (int k = 0; k < 3; k++)
            wide[k] = x[i][k];
        sum = nset_exact_sum(wide, 3);
        first = i ? first : sum;
        ck_assert_double_eq(sum, first);
    }
    ck_assert_double_eq(first, 1); /* the second fold has it */
}
END_TEST

START_TEST(special_terms_are_told_apart)
{
    static const struct special_case {
        const char *name;
        float x[3], want;
    } cases[] = {
        { "NaN first", { NAN, 1, 2 }, NAN },
        { "NaN last", { 1, 2, NAN }, NAN },
        { "one infinity", { 1, INFINITY, 2 }, INFINITY },
        { "two of a kind", { -INFINITY, 3e38f, -INFINITY }, -INFINITY },
        { "two that disagree", { INFINITY, 0, -INFINITY }, NAN },
        { "zeros of both signs", { -0.f, 0.f, -0.f }, 0.f },
        { "exact cancellation", { -3.f, 5.f, -2.f }, 0.f },
        { "overflow", { 3e38f, 3e38f, 3e38f }, INFINITY },
        { "overflow on the way", { 3e38f, 3e38f, -3e38f }, 3e38f },
        { "smallest denormals", { 1e-45f, 1e-45f, 1e-45f }, 4.2e-45f },
    };
    const struct special_case *c = &cases[_i];
    float out, turned[3] = { c->x[2], c->x[0], c->x[1] }, again;
    double wide[3] = { c->x[0], c->x[1], c->x[2] }, sum = nset_exact_sum(wide, 3);

    nset_exact_sum_rows(&out, c->x, 3, 1, 1);
    nset_exact_sum_rows(&again, turned, 3, 1, 1);
    ck_assert_msg(memcmp(&out, &again, sizeof out) == 0, "%s", c->name);
    ck_assert_msg(isnan(c->want) ? isnan(out) : out == c->want, "%s: %g", c->name, (double)out);
    ck_assert_msg(isnan(c->want) ? isnan(sum) : (float)sum == c->want, "%s: %g", c->name, sum);
    ck_assert_msg(isnan(out) || out != 0 || !signbit(out), "%s: -0", c->name);
}
END_TEST

START_TEST(no_terms_sum_to_zero)
{
    float out[2] = { 1, 2 };

    nset_exact_sum_rows(out, NULL, 0, 2, 2);
    ck_assert(out[0] == 0 && out[1] == 0);
    ck_assert_double_eq(nset_exact_sum(NULL, 0), 0);
}
END_TEST

START_TEST(a_channel_does_not_depend_on_its_neighbours)
{
    enum { N = 40, WIDTH = 150, STRIDE = 160 };
    static float x[N * STRIDE];
    float all[WIDTH], one;
    nset_random r = nset_random_stream(3, "channels", 0);

    for (size_t i = 0; i < N * STRIDE; i++)
        x[i] = draw(i % STRIDE % 3 ? NORMAL : WIDE, i, &r);
    nset_exact_sum_rows(all, x, N, WIDTH, STRIDE);
    for (size_t j = 0; j < WIDTH; j++) {
        nset_exact_sum_rows(&one, x + j, N, 1, STRIDE);
        ck_assert_msg(memcmp(&one, &all[j], sizeof one) == 0, "channel %zu", j);
    }
}
END_TEST

START_TEST(double_sums_have_the_same_bits_in_any_order_and_are_accurate)
{
    static double x[MOST], y[MOST];
    static size_t order[MOST];
    nset_random r = nset_random_stream(4, "doubles", (uint64_t)_i);
    long double want = 0;
    double base, scale = _i == 2 ? 1e300 : _i == 3 ? 1e-300 : 1;

    for (size_t i = 0; i < MOST; i++) {
        x[i] = nset_random_normal(&r) * scale * (_i == 1 ? ldexp(1, (int)nset_random_below(&r, 100) - 50) : 1);
        want += (long double)x[i];
        order[i] = i;
    }
    base = nset_exact_sum(x, MOST);
    ck_assert(fabsl((long double)base - want) <= fabsl(want) * 1e-15L);
    for (int trial = 0; trial < 200; trial++) {
        nset_random_shuffle(&r, order, MOST);
        for (size_t i = 0; i < MOST; i++)
            y[i] = x[order[i]];
        ck_assert(nset_exact_sum(y, MOST) == base);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("exact");
    TCase *t = tcase_create("exact");
    SRunner *runner;
    int failed;

    tcase_add_loop_test(t, sums_have_the_same_bits_in_any_order, 0, N_KINDS);
    tcase_add_test(t, sums_of_near_terms_are_correctly_rounded);
    tcase_add_test(t, sums_of_wide_terms_are_near_the_true_ones);
    tcase_add_test(t, a_large_pair_that_cancels_gives_one_answer);
    tcase_add_loop_test(t, special_terms_are_told_apart, 0, 10);
    tcase_add_test(t, no_terms_sum_to_zero);
    tcase_add_test(t, a_channel_does_not_depend_on_its_neighbours);
    tcase_add_loop_test(t, double_sums_have_the_same_bits_in_any_order_and_are_accurate, 0, 4);
    suite_add_tcase(suite, t);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
