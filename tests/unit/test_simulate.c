#include <check.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <neuroset/workers.h>
#include "ephys/sim_parts.h"
#include "ephys/simulate.h"
#include "results/npz.h"

static nset_sim_options small_recording(void)
{
    nset_sim_options o = NSET_SIM_OPTIONS_INIT;

    o.layout = "tetrode";
    o.n_channels = 4;
    o.n_units = 3;
    o.seconds = 3;
    o.hash = 2;
    o.n_artefacts = 1;
    o.drift_um = 5;
    return o;
}

static nset_sim *make(const nset_sim_options *o, size_t n_threads)
{
    nset_workers *w = NULL;
    nset_error err = { 0 };
    nset_sim *s = NULL;

    ck_assert_int_eq(nset_workers_create(&w, n_threads, &err), NSET_OK);
    ck_assert_msg(nset_sim_make(&s, o, w, &err) == NSET_OK, "%s", err.text);
    nset_workers_free(w);
    return s;
}

START_TEST(the_same_seed_gives_the_same_bytes_at_any_number_of_threads)
{
    nset_sim_options o = small_recording();
    nset_sim *a = make(&o, 1), *b = make(&o, 3), *c;
    size_t n = (size_t)a->n_samples * a->n_channels;

    ck_assert_int_eq(memcmp(a->x, b->x, n * sizeof *a->x), 0);
    ck_assert_uint_eq(a->n_spikes, b->n_spikes);
    ck_assert_int_eq(memcmp(a->templates, b->templates, 3 * a->length * 4 * sizeof *a->templates), 0);
    o.seed++;
    c = make(&o, 1);
    ck_assert_int_ne(memcmp(a->x, c->x, n * sizeof *a->x), 0);
    nset_sim_free(a);
    nset_sim_free(b);
    nset_sim_free(c);
}
END_TEST

START_TEST(spikes_are_in_order_and_keep_the_refractory_period)
{
    nset_sim_options o = small_recording();
    nset_sim *s;
    int64_t last[3] = { -1000, -1000, -1000 };
    size_t count[3] = { 0 };

    o.seconds = 10;
    s = make(&o, 2);
    ck_assert_uint_gt(s->n_spikes, 0);
    for (size_t i = 0; i < s->n_spikes; i++) {
        const nset_sim_spike *k = &s->spikes[i];
        ck_assert(i == 0 || s->spikes[i - 1].sample <= k->sample);
        ck_assert_int_ge(k->sample - last[k->unit], (int64_t)(o.refractory_ms * 30) - 1);
        last[k->unit] = k->sample;
        count[k->unit]++;
    }
    for (int u = 0; u < 3; u++)
        ck_assert_uint_eq(count[u], s->units[u].n_spikes);
    nset_sim_free(s);
}
END_TEST

/* What one unit adds is the recording with it less the recording without it. */
START_TEST(a_spike_lies_where_the_truth_says_with_the_templates_shape)
{
    nset_sim_options o = small_recording(), none;
    nset_sim *with, *without;
    size_t best;

    o.n_units = 1;
    o.jitter = 0;
    o.drift_um = 0;
    o.gain_spread = 0;
    o.bursting = 0;
    none = o;
    none.n_units = 0;
    with = make(&o, 1);
    without = make(&none, 1);
    best = with->units[0].best_channel;
    ck_assert_uint_gt(with->n_spikes, 2);
    for (size_t i = 0; i < with->n_spikes; i++) {
        size_t row = (size_t)with->spikes[i].sample - with->pre;
        double dot = 0, a2 = 0, b2 = 0;
        for (size_t k = 0; k < with->length; k++) {
            size_t at = (row + k) * 4 + best;
            double a = (double)(with->x[at] - without->x[at]), b = (double)with->templates[k * 4 + best];
            dot += a * b;
            a2 += a * a;
            b2 += b * b;
        }
        ck_assert_double_gt(dot / sqrt(a2 * b2), .95); /* half a sample off at most */
    }
    nset_sim_free(with);
    nset_sim_free(without);
}
END_TEST

START_TEST(the_noise_has_the_size_that_was_asked_for)
{
    nset_sim_options o = small_recording();
    nset_sim *s;

    o.n_units = 0;
    o.hash = 0;
    o.n_artefacts = 0;
    o.seconds = 10;
    s = make(&o, 1);
    ck_assert_uint_eq(s->n_spikes, 0);
    for (size_t c = 0; c < 4; c++)
        ck_assert_double_eq_tol(s->noise_uv[c], o.noise_uv, .12 * o.noise_uv); /* the band's edges are not sharp */
    nset_sim_free(s);
}
END_TEST

START_TEST(currents_of_a_cell_sum_to_zero)
{
    sim_grid g = sim_grid_of(30000);

    for (uint64_t k = 0; k < 20; k++) {
        nset_random r = nset_random_stream(1, "cell", k);
        sim_cell cell;
        double worst = 0, largest = 0;
        ck_assert_int_eq(sim_cell_make(&cell, &r, &g, 30, NULL), NSET_OK);
        for (size_t i = 0; i < g.n_fine; i++) {
            double sum = 0;
            for (size_t s = 0; s < cell.n_sources; s++) {
                sum += (double)cell.current[s * g.n_fine + i];
                largest = fmax(largest, fabs((double)cell.current[s * g.n_fine + i]));
            }
            worst = fmax(worst, fabs(sum));
        }
        ck_assert_double_lt(worst, 1e-4 * largest);
        sim_cell_free(&cell);
    }
}
END_TEST

static const struct bad {
    const char *layout;
    long channels, units;
    double seconds, rate;
} bad_options[] = {
    { "moon", 4, 1, 1, 30000 },
    { NULL, 4, 1, 1, 30000 },
    { "np1", 0, 1, 1, 30000 },
    { "np1", 4, -1, 1, 30000 },
    { "np1", 4, 1, 0, 30000 },
    { "np1", 4, 1, NAN, 30000 },
    { "np1", 4, 1, 1, 0 },
};

START_TEST(options_out_of_range_are_refused_with_a_message)
{
    const struct bad *b = &bad_options[_i];
    nset_sim_options o = NSET_SIM_OPTIONS_INIT;
    nset_error err = { 0 };
    nset_sim *s = NULL;

    o.layout = b->layout;
    o.n_channels = b->channels;
    o.n_units = b->units;
    o.seconds = b->seconds;
    o.rate_hz = b->rate;
    ck_assert_int_eq(nset_sim_make(&s, &o, NULL, &err), NSET_ERR_ARG);
    ck_assert_ptr_null(s);
    ck_assert_int_ne(err.text[0], 0);
}
END_TEST

/* ---- measured waveforms, shanks, drift ---- */

enum { LIB_LENGTH = 60, LIB_CONTACTS = 4 };

/* Two units at 20 kHz: the first falls on contact 1 with its trough at sample 20, the second is the same upside down.
 */
static void write_library(const char *path, size_t n_places)
{
    static float w[2 * LIB_LENGTH * LIB_CONTACTS];
    static const double places[] = { 0, 0, 0, 20, 0, 40, 0, 60 }, rate = 20000;
    const nset_array arrays[] = { { "templates", "<f4", 3, { 2, LIB_LENGTH, LIB_CONTACTS }, w },
        { "positions", "<f8", 2, { n_places, 2 }, places }, { "sampling_rate", "<f8", 0, { 0 }, &rate } };
    nset_error err = { 0 };

    for (int i = 0; i < LIB_LENGTH; i++)
        for (int c = 0; c < LIB_CONTACTS; c++) {
            double shape = exp(-.5 * pow((i - 20) / 4., 2)) - .3 * exp(-.5 * pow((i - 32) / 6., 2));
            float v = (float)(5 - 40 * shape * (c == 1 ? 1 : .3));
            w[i * LIB_CONTACTS + c] = v;
            w[(LIB_LENGTH + i) * LIB_CONTACTS + c] = -v;
        }
    ck_assert_int_eq(nset_npz_write(path, arrays, 3, &err), NSET_OK);
}

START_TEST(units_have_the_measured_shape)
{
    nset_sim_options o = small_recording();
    char path[] = "/tmp/neuroset-library-XXXXXX";
    nset_error err = { 0 };
    nset_sim *s = NULL;
    long n = 0;
    int signs = 0;

    close(mkstemp(path));
    write_library(path, LIB_CONTACTS);
    ck_assert_int_eq(nset_sim_library_count(&n, path, &err), NSET_OK);
    ck_assert_int_eq(n, 2);
    o.library = path;
    o.n_units = 2;
    ck_assert_msg(nset_sim_make(&s, &o, NULL, &err) == NSET_OK, "%s", err.text);
    for (size_t u = 0; u < 2; u++) {
        const float *w = s->templates + (u * s->length + s->pre) * s->n_channels + s->units[u].best_channel;
        float most = fabsf(w[0]);
        ck_assert_str_eq(s->units[u].kind, "given");
        signs += w[0] > 0 ? 1 : -1;
        for (size_t i = 0; i < s->length; i++)
            ck_assert_float_le(fabsf(w[((ptrdiff_t)i - (ptrdiff_t)s->pre) * (ptrdiff_t)s->n_channels]), 1.001f * most);
        /* .2 ms after the trough, 4 samples of the library */
        ck_assert_float_eq_tol(w[(ptrdiff_t)lrint(.0002 * o.rate_hz) * (ptrdiff_t)s->n_channels] / w[0],
            (float)((exp(-.5) - .3 * exp(-.5 * 64 / 36.)) / (1 - .3 * exp(-.5 * 144 / 36.))), .03f);
    }
    ck_assert_int_eq(signs, 0); /* each waveform once */
    nset_sim_free(s);
    unlink(path);
}
END_TEST

START_TEST(a_library_without_places_is_refused)
{
    nset_sim_options o = small_recording();
    char path[] = "/tmp/neuroset-library-XXXXXX";
    nset_error err = { 0 };
    nset_sim *s = NULL;

    close(mkstemp(path));
    write_library(path, LIB_CONTACTS - 1);
    o.library = path;
    ck_assert_int_eq(nset_sim_make(&s, &o, NULL, &err), NSET_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "positions of the 4 contacts are expected"));
    unlink(path);
}
END_TEST

START_TEST(shanks_stand_side_by_side)
{
    nset_sim_options o = small_recording();
    nset_error err = { 0 };
    nset_sim *s = NULL;

    o.layout = "shanks";
    o.n_channels = 10;
    o.seconds = .5;
    ck_assert_int_eq(nset_sim_make(&s, &o, NULL, &err), NSET_OK);
    ck_assert_int_eq(s->probe.shank[2], 0);
    ck_assert_int_eq(s->probe.shank[3], 1);
    ck_assert_int_eq(s->probe.shank[9], 3);
    ck_assert_double_eq(s->probe.x_um[4], 282);
    ck_assert_double_eq(s->probe.y_um[5], 15);
    nset_sim_free(s);
}
END_TEST

START_TEST(drift_has_its_size_its_jumps_and_its_slope)
{
    nset_sim_options o = small_recording();
    nset_error err = { 0 };
    double steepest[2] = { 0 };

    o.layout = "linear";
    o.n_channels = 2;
    o.n_units = 4;
    o.seconds = 60;
    o.hash = 0;
    o.drift_um = 20;
    o.drift_nonrigid = .5;
    for (int jumps = 0; jumps < 2; jumps++) {
        double low = 1e9, high = -1e9;
        nset_sim *s = NULL;
        o.drift_jumps = 3 * jumps;
        ck_assert_int_eq(nset_sim_make(&s, &o, NULL, &err), NSET_OK);
        for (size_t i = 0; i < s->n_drift; i++) {
            low = fmin(low, s->drift_um[i]);
            high = fmax(high, s->drift_um[i]);
            if (i > 9)
                steepest[jumps] = fmax(steepest[jumps], fabs(s->drift_um[i] - s->drift_um[i - 10]));
        }
        ck_assert_double_eq_tol(high - low, 20, 1e-9);
        for (size_t i = 0; i < s->n_spikes; i++) {
            double at = (double)s->spikes[i].sample / o.rate_hz * 100, y = s->units[s->spikes[i].unit].y_um;
            double middle = 12.5, want = s->drift_um[(size_t)at] * (1 + .5 * (y - middle) / 50);
            ck_assert_double_eq_tol((double)s->spikes[i].displacement_um, want, .3 + .1 * steepest[jumps]);
        }
        nset_sim_free(s);
    }
    ck_assert_double_gt(steepest[1], 1.5 * steepest[0]);
}
END_TEST

typedef struct taken {
    const nset_sim *whole;
    size_t n, blocks;
} taken;

static nset_status compare_block(void *ctx, const float *x, size_t n_values, nset_error *err)
{
    taken *t = ctx;

    (void)err;
    ck_assert_int_eq(memcmp(x, t->whole->x + t->n, n_values * sizeof *x), 0);
    t->n += n_values;
    t->blocks++;
    return NSET_OK;
}

/* A minute at a time gives what the whole at once gives: spikes, artefacts and the line go on over the joint, the noise
 * keeps its size there. */
START_TEST(blocks_are_the_whole)
{
    nset_sim_options o = small_recording();
    nset_sim *whole, *by_blocks = NULL;
    nset_error err = { 0 };
    double jump = 0, at_joint = 0, power = 0, power_at_joint = 0;
    size_t joint;
    taken t;

    o.n_channels = 2;
    o.seconds = 130.01;
    o.rate_hz = 8000;
    o.n_artefacts = 40;
    whole = make(&o, 1);
    t = (taken){ .whole = whole };
    ck_assert_msg(sim_make_blocks(&by_blocks, &o, NULL, compare_block, &t, &err) == NSET_OK, "%s", err.text);
    ck_assert_uint_eq(t.blocks, 3);
    ck_assert_uint_eq(t.n, (size_t)whole->n_samples * 2);
    ck_assert_ptr_null(by_blocks->x);
    ck_assert_uint_eq(by_blocks->n_spikes, whole->n_spikes);
    ck_assert_uint_eq(by_blocks->n_artefacts, whole->n_artefacts);
    nset_sim_free(by_blocks);
    nset_sim_free(whole);

    o.n_artefacts = o.n_units = 0;
    o.hash = o.lfp_uv = 0;
    whole = make(&o, 1);
    joint = 60 * 8000;
    for (size_t i = 1; i < (size_t)whole->n_samples; i++) {
        double v = (double)whole->x[2 * i], step = v - (double)whole->x[2 * (i - 1)];
        bool near_joint = i >= joint && i < joint + 4000;
        jump = fmax(jump, fabs(step));
        at_joint = i == joint ? fabs(step) : at_joint;
        power += v * v / (double)whole->n_samples;
        power_at_joint += near_joint ? v * v / 4000 : 0;
    }
    ck_assert_double_lt(at_joint, jump);
    ck_assert_double_eq_tol(power_at_joint / power, 1, .15);
    nset_sim_free(whole);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("simulate");
    TCase *t = tcase_create("simulate");
    SRunner *runner;
    int failed;

    tcase_add_test(t, the_same_seed_gives_the_same_bytes_at_any_number_of_threads);
    tcase_add_test(t, spikes_are_in_order_and_keep_the_refractory_period);
    tcase_add_test(t, a_spike_lies_where_the_truth_says_with_the_templates_shape);
    tcase_add_test(t, the_noise_has_the_size_that_was_asked_for);
    tcase_add_test(t, currents_of_a_cell_sum_to_zero);
    tcase_add_loop_test(
        t, options_out_of_range_are_refused_with_a_message, 0, sizeof bad_options / sizeof *bad_options);
    tcase_add_test(t, units_have_the_measured_shape);
    tcase_add_test(t, a_library_without_places_is_refused);
    tcase_add_test(t, blocks_are_the_whole);
    tcase_add_test(t, shanks_stand_side_by_side);
    tcase_set_timeout(t, 120);
    tcase_add_test(t, drift_has_its_size_its_jumps_and_its_slope);
    suite_add_tcase(suite, t);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
