/* What decides which spikes a unit keeps. */
#include <check.h>
#include <math.h>
#include <stdlib.h>

#include <neuroset/random.h>
#include "ephys/amplitudes.h"
#include "ephys/shift.h"

enum { LENGTH = 60 };

static double wave(double t)
{
    return exp(-t * t / 18) * cos(.4 * t);
}

START_TEST(a_smooth_wave_moves_by_a_fraction_of_a_sample)
{
    float x[LENGTH], y[LENGTH];

    for (int s = 0; s < LENGTH; s++)
        x[s] = (float)wave(s - 25);
    for (size_t i = 0; i < NSET_SHIFTS; i++) {
        nset_shift(y, x, LENGTH, i);
        for (int s = 0; s < LENGTH; s++)
            ck_assert_float_eq_tol(y[s], (float)wave(s - 25 - (double)nset_shift_of(i)), .01f);
        ck_assert_uint_eq(nset_shift_nearest(nset_shift_of(i)), i);
    }
    nset_shift(y, x, LENGTH, NSET_SHIFT_MIDDLE);
    ck_assert_mem_eq(x, y, sizeof x);
}
END_TEST

START_TEST(a_parabola_has_its_top_where_it_should)
{
    float peak, before = 3 - 1.25f * 1.25f, middle = 3 - .25f * .25f, after = 3 - .75f * .75f;

    ck_assert_float_eq_tol(nset_parabola(before, middle, after, &peak), .25f, 1e-5f);
    ck_assert_float_eq_tol(peak, 3, 1e-5f);
    ck_assert_float_eq(nset_parabola(1, 1, 1, &peak), 0);
}
END_TEST

/* n_unit sizes around mean, n_hash that fall off from 4.2. */
static size_t draw(float *x, size_t n_unit, double mean, size_t n_hash, uint64_t seed)
{
    nset_random r = nset_random_stream(seed, "sizes", 0);

    for (size_t i = 0; i < n_unit; i++)
        x[i] = (float)(mean + sqrt(1 + .01 * mean * mean) * nset_random_normal(&r));
    for (size_t i = 0; i < n_hash; i++)
        x[n_unit + i] = (float)(4.2 - .7 * log(1 - nset_random_uniform(&r)));
    return n_unit + n_hash;
}

/* The hash below a unit is cut off where both are equally likely, whichever is the larger heap. */
START_TEST(hash_is_told_from_a_unit_by_size)
{
    static const size_t n_hash[] = { 0, 30, 300, 900 };
    float x[2000];

    for (uint64_t seed = 0; seed < 10; seed++)
        for (size_t h = 0; h < 4; h++) {
            nset_amplitudes a;
            size_t n = draw(x, 300, 12, n_hash[h], seed);
            nset_amplitudes_fit(&a, x, n);
            ck_assert_double_eq_tol(a.mean, 12, .5);
            ck_assert_double_eq_tol(a.sd, sqrt(1 + 1.44), .35);
            ck_assert_double_eq_tol(a.share, 300. / (double)n, .05);
            ck_assert_double_lt(a.least, 9.5);
            if (h > 1)
                ck_assert_double_gt(a.least, 6);
            ck_assert_double_gt(nset_amplitudes_posterior(&a, 11), .99);
        }
}
END_TEST

START_TEST(few_sizes_are_no_reason_to_fail)
{
    nset_amplitudes a;
    float x[2] = { 7, 7 };

    for (size_t n = 0; n <= 2; n++) {
        nset_amplitudes_fit(&a, x, n);
        ck_assert(isfinite(a.least) && isfinite(a.mean));
        ck_assert(nset_amplitudes_posterior(&a, 7) >= 0);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("sort units");
    TCase *t = tcase_create("units");
    SRunner *runner = srunner_create(s);
    int failed;

    tcase_set_timeout(t, 120);
    tcase_add_test(t, a_smooth_wave_moves_by_a_fraction_of_a_sample);
    tcase_add_test(t, a_parabola_has_its_top_where_it_should);
    tcase_add_test(t, hash_is_told_from_a_unit_by_size);
    tcase_add_test(t, few_sizes_are_no_reason_to_fail);
    suite_add_tcase(s, t);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
