/* Places of sources from sizes on contacts: sources whose potential is the model's own are found where they are. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ephys/places.h"

enum { LENGTH = 4, ROWS = 9, CONTACTS = 32 };

static double xs[CONTACTS], ys[CONTACTS];
static int32_t shanks[CONTACTS];
static const float shape[LENGTH] = { 1, -5, 2, 0 };

/* Columns 0, 16, 32, 48 um, rows 20 um apart, as on Neuropixels. */
static nset_probe make_probe(void)
{
    for (size_t c = 0; c < CONTACTS; c++) {
        xs[c] = (double)(c % 2) * 32 + (double)(c / 2 % 2) * 16;
        ys[c] = (double)(c / 2) * 20;
        shanks[c] = 0;
    }
    return (nset_probe){ .n_channels = CONTACTS, .x_um = xs, .y_um = ys, .shank = shanks };
}

/* signal (ROWS, CONTACTS): one spike, its snippet from row `at` on. */
static void fire(float *signal, double x, double y, double z, size_t at)
{
    memset(signal, 0, ROWS * CONTACTS * sizeof *signal);
    for (size_t s = 0; s < LENGTH; s++)
        for (size_t c = 0; c < CONTACTS && at + s < ROWS; c++)
            signal[(at + s) * CONTACTS + c] =
                (float)(900 * (double)shape[s] / sqrt(pow(xs[c] - x, 2) + pow(ys[c] - y, 2) + z * z));
}

START_TEST(a_source_is_found)
{
    const struct {
        double x, y, z;
    } rows[] = { { 8, 104, 25 }, { 30, 91, 15 }, { 60, 117, 35 }, { -12, 100, 30 }, { 20, 126, 50 } };
    nset_probe probe = make_probe();
    float signal[ROWS * CONTACTS];
    nset_placer p;
    nset_error err = { 0 };
    double x, y;

    ck_assert_int_eq(nset_placer_init(&p, &probe, 10, shape, LENGTH, &err), NSET_OK);
    ck_assert_uint_eq(p.channel[0], 10);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fire(signal, rows[i].x, rows[i].y, rows[i].z, 3);
        nset_placer_place(&p, &x, &y, signal, ROWS, CONTACTS, 1, 3);
        ck_assert_double_eq_tol(x, rows[i].x, 2);
        ck_assert_double_eq_tol(y, rows[i].y, 2);
        fire(signal, rows[i].x, rows[i].y, rows[i].z, 7); /* cut by the end of the signal: the same shares */
        nset_placer_place(&p, &x, &y, signal, ROWS, CONTACTS, 1, 7);
        ck_assert_double_eq_tol(x, rows[i].x, 2);
        ck_assert_double_eq_tol(y, rows[i].y, 2);
    }
    nset_placer_fini(&p);
}
END_TEST

START_TEST(one_column_says_nothing_of_x)
{
    nset_probe probe = make_probe();
    float signal[ROWS * CONTACTS];
    nset_placer p;
    nset_error err = { 0 };
    double x, y;

    for (size_t c = 0; c < CONTACTS; c++) {
        xs[c] = 7;
        ys[c] = (double)c * 20;
        shanks[c] = c >= 12;
    }
    ck_assert_int_eq(nset_placer_init(&p, &probe, 10, shape, LENGTH, &err), NSET_OK);
    ck_assert_uint_eq(p.n, 6); /* 80 um below to one above: the next is another shank's */
    fire(signal, 7, 207, 20, 3);
    nset_placer_place(&p, &x, &y, signal, ROWS, CONTACTS, 1, 3);
    ck_assert_double_eq(x, 7);
    ck_assert_double_eq_tol(y, 207, 2);
    nset_placer_fini(&p);
}
END_TEST

START_TEST(nothing_to_place)
{
    nset_probe probe = make_probe();
    float signal[ROWS * CONTACTS] = { 0 };
    nset_placer p;
    nset_error err = { 0 };
    double x, y;

    ck_assert_int_eq(nset_placer_init(&p, &probe, 3, shape, LENGTH, &err), NSET_OK);
    nset_placer_place(&p, &x, &y, signal, ROWS, CONTACTS, 1, 3);
    ck_assert_double_eq(x, xs[3]);
    ck_assert_double_eq(y, ys[3]);
    nset_placer_place(&p, &x, &y, signal, ROWS, CONTACTS, 1, -LENGTH); /* wholly before the signal, and behind it */
    ck_assert_double_eq(y, ys[3]);
    nset_placer_place(&p, &x, &y, signal, ROWS, CONTACTS, 1, ROWS + 5);
    ck_assert_double_eq(y, ys[3]);
    nset_placer_fini(&p);
    probe.n_channels = 1;
    ck_assert_int_eq(nset_placer_init(&p, &probe, 0, shape, LENGTH, &err), NSET_OK);
    fire(signal, 5, 5, 20, 0);
    nset_placer_place(&p, &x, &y, signal, ROWS, CONTACTS, 1, 0);
    ck_assert_double_eq(x, xs[0]);
    ck_assert_double_eq(y, ys[0]);
    nset_placer_fini(&p);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("places");
    TCase *t = tcase_create("places");
    SRunner *runner;
    int failed;

    tcase_add_test(t, a_source_is_found);
    tcase_add_test(t, one_column_says_nothing_of_x);
    tcase_add_test(t, nothing_to_place);
    suite_add_tcase(suite, t);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
