/* Measures of units on trains and shapes whose figures are worked by hand; SpikeInterface's agree in tests/interop. */
#include <check.h>
#include <string.h>
#include <math.h>
#include <stdlib.h>

#include "ephys/measures.h"
#include "ephys/measures_cluster.h"
#include "ephys/measures_more.h"

enum { RATE = 10000, SECONDS = 120, LENGTH = 20, MOST = 4000 };

static nset_spike spikes[MOST];
static nset_unit units[2];
static float templates[2 * LENGTH];

/* Unit 0 fires 40 Hz in the first minute and 20 Hz in the second, at depth 10 and then 16, amplitudes 50 and 52 in
 * turn; unit 1 once a second, at the same sample as a spike of unit 0. */
static nset_sorting make(void)
{
    nset_sorting s = { .rate_hz = RATE,
        .n_samples = (int64_t)RATE * SECONDS,
        .n_channels = 1,
        .n_units = 2,
        .spikes = spikes,
        .units = units,
        .template_length = LENGTH,
        .template_pre = 8,
        .templates = templates };

    units[0] = (nset_unit){ .id = 0, .amplitude_uv = 50, .snr = 10 };
    units[1] = (nset_unit){ .id = 1, .amplitude_uv = 50, .snr = 10 };
    for (int64_t t = 0; t < 120 * (int64_t)RATE; t += t < 60 * (int64_t)RATE ? RATE / 40 : RATE / 20) {
        spikes[s.n_spikes++] = (nset_spike){ .sample = t,
            .unit = 0,
            .amplitude_uv = units[0].n_spikes % 2 ? 52 : 50,
            .y_um = t < 60 * (int64_t)RATE ? 10 : 16 };
        units[0].n_spikes++;
        if (t % RATE == 0) {
            spikes[s.n_spikes++] = (nset_spike){ .sample = t, .unit = 1, .amplitude_uv = 40 };
            units[1].n_spikes++;
        }
    }
    return s;
}

START_TEST(trains_are_measured)
{
    nset_sorting s = make();
    nset_more_measures *m = &units[0].more;
    nset_error err = { 0 };

    ck_assert_int_eq(nset_sorting_measure_more(&s, &err), NSET_OK);
    ck_assert_uint_eq(units[0].n_spikes, 3600);
    ck_assert_double_eq(m->amplitude_median, 51);
    ck_assert_double_eq_tol(m->amplitude_cv_median, 1 / 51., 1e-4);
    ck_assert_double_eq(m->drift_ptp, 6);
    ck_assert_double_eq(m->drift_std, 3);
    ck_assert_double_eq(m->drift_mad, 3);
    ck_assert_double_eq_tol(m->firing_range, 20, 1e-9);
    ck_assert_double_eq_tol(m->sync_spike_2, 120. / 3600, 1e-12);
    ck_assert_double_eq(m->sync_spike_4, 0);
    ck_assert_double_eq(units[1].more.sync_spike_2, 1);
    ck_assert_double_eq(m->sliding_rp, .005); /* not one interval below 25 ms */
    /* steps of +-2 uV: sd 2, over sqrt(2), over 5 uV of noise */
    ck_assert_double_eq_tol(m->sd_ratio, 2 / sqrt(2) / 5, 1e-4);
    ck_assert(isnan(units[1].more.amplitude_cv_median)); /* 120 spikes are two bins */
    ck_assert(isnan(m->peak_to_trough_ms));              /* the template is 0 */
}
END_TEST

START_TEST(a_shape_is_measured)
{
    float w[60];
    nset_more_measures m = { 0 };
    nset_error err = { 0 };

    for (int i = 0; i < 60; i++) /* trough at 20, peak at 32, 30 kHz */
        w[i] = (float)(-100 * exp(-.5 * pow((i - 20) / 3., 2)) + 30 * exp(-.5 * pow((i - 32) / 4., 2)));
    ck_assert_int_eq(nset_template_measure(&m, w, 60, 30000, &err), NSET_OK);
    ck_assert_double_eq_tol(m.peak_to_trough_ms, .4, .01);
    ck_assert_double_eq_tol(m.trough_half_width_ms, 2.355 * 3 / 30, .01);
    ck_assert_double_eq_tol(m.peak_half_width_ms, 2.355 * 4 / 30, .03);
    ck_assert_double_eq_tol(m.peak_to_trough_ratio, .3, .01);
    ck_assert_double_gt(m.repolarization_slope, 0);
    ck_assert_double_lt(m.recovery_slope, 0);
}
END_TEST

START_TEST(shapes_without_a_trough_are_no_fault)
{
    static const float shapes[][4] = { { 0, 0, 0, 0 }, { 1, 2, 3, 4 }, { -1, 0, 0, 0 }, { 5, 5, 5, 5 } };
    nset_error err = { 0 };

    for (size_t i = 0; i < 4; i++)
        for (size_t n = 0; n <= 4; n++) {
            nset_more_measures m = { 0 };
            ck_assert_int_eq(nset_template_measure(&m, shapes[i], n, 30000, &err), NSET_OK);
        }
}
END_TEST

START_TEST(nothing_to_measure)
{
    nset_sorting s = { .rate_hz = RATE, .n_samples = 100, .n_channels = 1, .template_length = LENGTH };
    nset_error err = { 0 };

    ck_assert_int_eq(nset_sorting_measure_more(&s, &err), NSET_OK);
}
END_TEST

/* One reason each, the gravest first. */
START_TEST(labels_say_why)
{
    static const struct {
        double norm, snr, contamination, confidence;
        size_t n_spikes;
        nset_label label;
        const char *says;
    } rows[] = {
        { 12, 6, .01, .97, 300, NSET_LABEL_GOOD, "template norm 12.0" },
        { 4.9, 6, .01, .97, 300, NSET_LABEL_NOISE, "below 5" },
        { 22, .8, .01, .97, 300, NSET_LABEL_NOISE, "0.80 noise sd tall" },
        { 12, 6, .31, .97, 300, NSET_LABEL_MUA, "contamination 0.31" },
        { 12, 6, .01, .97, 19, NSET_LABEL_MUA, "few spikes: 19" },
        { 12, 6, .01, .79, 300, NSET_LABEL_MUA, "mean probability 0.79" },
        { 12, NAN, NAN, .97, 300, NSET_LABEL_GOOD, "template norm" }, /* not known is no fault */
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        nset_unit u = { .snr = rows[i].snr, .rp_contamination = rows[i].contamination, .n_spikes = rows[i].n_spikes };
        nset_unit_label(&u, rows[i].confidence, rows[i].norm);
        ck_assert_int_eq(u.label, rows[i].label);
        ck_assert_msg(strstr(u.reason, rows[i].says) != NULL, "%s", u.reason);
    }
}
END_TEST

/* In one dimension: the unit at -1, 0, 1, another at 10, 20, 30. */
START_TEST(clouds_are_measured)
{
    const float x[] = { -1, 0, 1, 10, 20, 30 };
    const int32_t other[] = { 5, 5, 5 };
    nset_cluster_measures m;
    nset_error err = { 0 };

    ck_assert_int_eq(nset_cluster_measure(&m, x, 3, other, 6, 1, &err), NSET_OK);
    ck_assert_double_eq_tol(m.isolation_distance, 900, 1e-9);
    ck_assert_double_eq_tol(m.l_ratio, erfc(10 / sqrt(2)) / 3, 1e-25);
    ck_assert_double_eq_tol(m.d_prime, 20 / sqrt((2 / 3. + 200 / 3.) / 2), 1e-9);
    ck_assert_double_eq_tol(m.nn_hit_rate, 2 / 5., 1e-12);
    ck_assert_double_eq_tol(m.nn_miss_rate, 3 / 5., 1e-12);
    ck_assert_double_eq_tol(m.nn_isolation, 11 / 24., 1e-12);
    ck_assert_double_eq_tol(m.silhouette, (20 / 21. + 1 + 18 / 19.) / 3, 1e-9);
}
END_TEST

START_TEST(the_nearest_of_several_units_counts)
{
    const float x[] = { 0, 1, 2, 3, 100, 6, 101, 7, 102, 8, 103, 9 };
    const int32_t other[] = { 4, 1, 4, 1, 4, 1, 4, 1 };
    nset_cluster_measures m;
    nset_error err = { 0 };

    ck_assert_int_eq(nset_cluster_measure(&m, x, 4, other, 12, 1, &err), NSET_OK);
    /* the unit and 6 7 8 9: three own neighbours of each and the nearest of the others', of 4 */
    ck_assert_double_eq_tol(m.nn_isolation, 3 / 4., 1e-12);
    ck_assert_double_eq_tol(m.silhouette, (6. / 7.5 + 6. / 6.5 + 5. / 5.5 + 3. / 4.5) / 4, 1e-9);
}
END_TEST

START_TEST(clouds_without_a_figure)
{
    const float x[] = { 1, 2, 2, 4, 3, 6, 0, 0, 1, 7 }; /* the first three lie on a line */
    const int32_t other[] = { 2, 2 };
    nset_cluster_measures m;
    nset_error err = { 0 };

    ck_assert_int_eq(nset_cluster_measure(&m, x, 3, other, 5, 2, &err), NSET_OK);
    ck_assert_double_nan(m.isolation_distance);
    ck_assert_double_nan(m.l_ratio);
    ck_assert_double_nan(m.nn_hit_rate); /* five neighbours of four */
    ck_assert_int_eq(nset_cluster_measure(&m, x, 5, other, 5, 2, &err), NSET_OK);
    ck_assert_double_nan(m.isolation_distance);
    ck_assert_double_nan(m.d_prime);
    ck_assert_double_nan(m.silhouette);
    ck_assert_double_eq(m.nn_hit_rate, 1);
    ck_assert_double_eq(m.nn_miss_rate, 0);
    ck_assert_double_eq(m.nn_isolation, 1);
    ck_assert_int_eq(nset_cluster_measure(&m, x, 0, other, 2, 2, &err), NSET_OK);
    ck_assert_double_nan(m.nn_hit_rate);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("measures");
    TCase *t = tcase_create("measures");
    SRunner *runner;
    int failed;

    tcase_add_test(t, trains_are_measured);
    tcase_add_test(t, a_shape_is_measured);
    tcase_add_test(t, shapes_without_a_trough_are_no_fault);
    tcase_add_test(t, nothing_to_measure);
    tcase_add_test(t, labels_say_why);
    tcase_add_test(t, clouds_are_measured);
    tcase_add_test(t, the_nearest_of_several_units_counts);
    tcase_add_test(t, clouds_without_a_figure);
    suite_add_tcase(suite, t);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
