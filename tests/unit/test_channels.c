/* Which channels are called bad, and the recording without them. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <neuroset/memory.h>
#include <neuroset/random.h>
#include "ephys/bad_channels.h"
#include "ephys/groups.h"

enum { C = 8, N = 90000 };

/* A recording in memory. */
typedef struct memory_source {
    nset_source base;
    float *x; /* (N, n_channels) */
} memory_source;

static nset_status read_memory(nset_source *self, float *out, int64_t start, size_t n, nset_error *err)
{
    memory_source *s = (memory_source *)self;

    (void)err;
    memcpy(out, s->x + (size_t)start * self->n_channels, n * self->n_channels * sizeof *out);
    return NSET_OK;
}

static void close_memory(nset_source *self)
{
    nset_free(((memory_source *)self)->x);
    nset_free(self);
}

/* Noise of 8 uV, half of it shared with the channel below; 20 um apart. */
static nset_recording *make(size_t n_channels, float **x)
{
    nset_recording *r = nset_calloc(1, sizeof *r);
    memory_source *s = nset_calloc(1, sizeof *s);
    nset_error err = { 0 };

    ck_assert_int_eq(nset_probe_init(&r->probe, n_channels, &err), NSET_OK);
    s->base = (nset_source){ .name = "memory", .n_channels = n_channels, .rate_hz = 30000, .n_samples = N };
    s->base.read = read_memory;
    s->base.close = close_memory;
    s->x = nset_calloc(N * n_channels, sizeof *s->x);
    r->source = &s->base;
    r->file_channel = nset_calloc(n_channels, sizeof *r->file_channel);
    r->path = nset_strdup("memory");
    r->facts = json_array();
    r->warnings = json_array();
    for (size_t c = 0; c < n_channels; c++) {
        nset_random mine = nset_random_stream(5, "noise", c), shared = nset_random_stream(5, "noise", c + 100);
        nset_random below = nset_random_stream(5, "noise", c + 99);
        r->probe.y_um[c] = 20. * (double)c;
        r->file_channel[c] = 10 + c;
        for (size_t t = 0; t < N; t++)
            s->x[t * n_channels + c] = 8 * (float)(.2 * nset_random_normal(&mine) + .7 * nset_random_normal(&shared) +
                                                   .7 * nset_random_normal(&below));
    }
    *x = s->x;
    return r;
}

static nset_channel_survey survey(const nset_recording *r)
{
    nset_channel_survey s = { 0 };
    nset_error err = { 0 };

    ck_assert_msg(nset_bad_channels(&s, r, NULL, &err) == NSET_OK, "%s", err.text);
    return s;
}

START_TEST(sound_channels_are_good)
{
    float *x;
    nset_recording *r = make(C, &x);
    nset_channel_survey s = survey(r);

    ck_assert_uint_eq(s.n_bad, 0);
    ck_assert_int_eq(s.n_samples, N);
    ck_assert_double_gt(nset_channel_correlation(&s, 2, 3), .4);
    ck_assert_double_lt(fabs(nset_channel_correlation(&s, 2, 5)), .05);
    ck_assert_double_eq_tol(s.channel[0].noise_uv, 8 * sqrt(5700. / 15000), .7);
    nset_channel_survey_fini(&s);
    nset_recording_close(r);
}
END_TEST

/* Channel 1 flat, 2 dead, 3 clipped, 4 a copy of 0, 6 noisy; 7 has ten times the gain, but hears channel 5's noise. */
static nset_recording *make_bad(float **x_)
{
    nset_recording *r = make(C, x_);
    nset_random noise = nset_random_stream(5, "loud", 0);
    float *x = *x_;

    for (size_t t = 0; t < N; t++, x += C) {
        x[1] = -320;
        x[2] = x[5] * .01f;
        x[3] = (float)(t % 300 < 100 ? 50 : t % 300 < 120 ? -40 : (double)x[3]);
        x[4] = x[0];
        x[6] = (float)(80 * nset_random_normal(&noise));
        x[7] = 10 * (x[5] + .5f * x[7]);
    }
    return r;
}

START_TEST(each_fault_is_named)
{
    static const nset_channel_fault want[C] = { NSET_CHANNEL_GOOD, NSET_CHANNEL_FLAT, NSET_CHANNEL_DEAD,
        NSET_CHANNEL_CLIPPED, NSET_CHANNEL_COPY, NSET_CHANNEL_GOOD, NSET_CHANNEL_NOISY, NSET_CHANNEL_GOOD };
    float *x;
    nset_recording *r = make_bad(&x);
    nset_channel_survey s = survey(r);
    char text[200];

    for (size_t c = 0; c < C; c++)
        ck_assert_msg(
            s.channel[c].fault == want[c], "channel %zu is %s", c, nset_channel_fault_name(s.channel[c].fault));
    ck_assert_uint_eq(s.n_bad, 5);
    ck_assert_uint_eq(s.channel[4].copy_of, 0);
    nset_channel_fault_text(text, sizeof text, &s, r, 1);
    ck_assert_str_eq(text, "channel 1 (column 11, x 0 um, y 20 um): flat: constant at -320 uV");
    nset_channel_fault_text(text, sizeof text, &s, r, 4);
    ck_assert_str_eq(text, "channel 4 (column 14, x 0 um, y 80 um): copy of channel 0 (column 10)");
    nset_channel_survey_fini(&s);
    nset_recording_close(r);
}
END_TEST

START_TEST(the_rest_is_read_as_it_was)
{
    static const size_t left[] = { 0, 5, 7 };
    float *x, out[3 * 5000];
    nset_recording *r = make_bad(&x), *v = NULL;
    nset_channel_survey s = survey(r);
    nset_error err = { 0 };

    ck_assert_int_eq(nset_recording_without(&v, r, &s, &err), NSET_OK);
    ck_assert_uint_eq(v->source->n_channels, 3);
    ck_assert_int_eq(v->source->n_samples, N);
    ck_assert_int_eq(v->source->read(v->source, out, 321, 5000, &err), NSET_OK);
    for (size_t k = 0; k < 3; k++) {
        ck_assert_uint_eq(v->file_channel[k], 10 + left[k]);
        ck_assert_double_eq(v->probe.y_um[k], 20. * (double)left[k]);
        for (size_t t = 0; t < 5000; t++)
            ck_assert_float_eq(out[t * 3 + k], x[(321 + t) * C + left[k]]);
    }
    nset_channel_survey_fini(&s);
    nset_recording_close(v);
    nset_recording_close(r);
}
END_TEST

START_TEST(a_recording_of_bad_channels_alone_keeps_them)
{
    float *x;
    nset_recording *r = make(C, &x), *v = NULL;
    nset_channel_survey s;
    nset_error err = { 0 };

    memset(x, 0, N * C * sizeof *x);
    s = survey(r);
    ck_assert_uint_eq(s.n_bad, C);
    ck_assert_int_eq(nset_recording_without(&v, r, &s, &err), NSET_OK);
    ck_assert_uint_eq(v->source->n_channels, C);
    nset_channel_survey_fini(&s);
    nset_recording_close(v);
    nset_recording_close(r);
}
END_TEST

/* Which of two channels is the odd one cannot be told, unless one is silent. */
START_TEST(of_two_channels_only_a_silent_one_is_bad)
{
    float *x;
    nset_recording *r = make(2, &x);
    nset_channel_survey s;

    for (size_t t = 0; t < N; t++)
        x[2 * t] *= 10;
    s = survey(r);
    ck_assert_uint_eq(s.n_bad, 0);
    nset_channel_survey_fini(&s);
    for (size_t t = 0; t < N; t++)
        x[2 * t] *= 1e-4f;
    s = survey(r);
    ck_assert_uint_eq(s.n_bad, 1);
    ck_assert_int_eq(s.channel[0].fault, NSET_CHANNEL_DEAD);
    nset_channel_survey_fini(&s);
    nset_recording_close(r);
}
END_TEST

START_TEST(short_recordings_have_no_faults_or_flat_ones)
{
    float *x;
    nset_recording *r = make(3, &x);
    nset_channel_survey s;

    r->source->n_samples = 0;
    s = survey(r);
    ck_assert_uint_eq(s.n_bad, 0);
    nset_channel_survey_fini(&s);
    r->source->n_samples = 1;
    s = survey(r);
    ck_assert_uint_eq(s.n_bad, 3);
    nset_channel_survey_fini(&s);
    r->source->n_samples = 40;
    s = survey(r);
    nset_channel_survey_fini(&s);
    nset_recording_close(r);
}
END_TEST

START_TEST(groups_are_what_no_spike_reaches_across)
{
    static const double x[] = { 0, 300, 0, 600, 750, 751 };
    static const double y[] = { 0, 0, 190, 0, 0, 10 };
    static const int shank[] = { 0, 0, 0, 0, 1, 2 };
    size_t group[6];
    nset_probe p;
    nset_error err = { 0 };

    ck_assert_int_eq(nset_probe_init(&p, 6, &err), NSET_OK);
    for (size_t c = 0; c < 6; c++) {
        p.x_um[c] = x[c];
        p.y_um[c] = y[c];
        p.shank[c] = shank[c];
    }
    /* 0 and 2: 190 um; 3 and 4: 150 um from shank to shank; 4 and 5: 10 um */
    ck_assert_uint_eq(nset_probe_groups(group, &p), 3);
    ck_assert_uint_eq(group[0], 0);
    ck_assert_uint_eq(group[1], 1);
    ck_assert_uint_eq(group[2], 0);
    for (size_t c = 3; c < 6; c++)
        ck_assert_uint_eq(group[c], 2);
    p.x_um[2] = 150; /* a chain: 1 and 2 are 242 um apart, 0 and 2 too */
    ck_assert_uint_eq(nset_probe_groups(group, &p), 4);
    p.y_um[2] = 100; /* 180 um each */
    ck_assert_uint_eq(nset_probe_groups(group, &p), 2);
    ck_assert_uint_eq(group[1], 0);
    nset_probe_fini(&p);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("channels");
    TCase *t = tcase_create("channels");
    SRunner *runner;
    int failed;

    tcase_add_test(t, sound_channels_are_good);
    tcase_add_test(t, each_fault_is_named);
    tcase_add_test(t, the_rest_is_read_as_it_was);
    tcase_add_test(t, a_recording_of_bad_channels_alone_keeps_them);
    tcase_add_test(t, of_two_channels_only_a_silent_one_is_bad);
    tcase_add_test(t, short_recordings_have_no_faults_or_flat_ones);
    tcase_add_test(t, groups_are_what_no_spike_reaches_across);
    suite_add_tcase(suite, t);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
