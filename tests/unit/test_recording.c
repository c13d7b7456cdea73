/* Opening recordings: order of the channels, samples by any cut, what is said, what is refused. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "recording_tests.h"

static char folder[] = "/tmp/neuroset-recording-XXXXXX";
static char paths[8][128];

/* Path of a file in the folder, written unless bytes is NULL. */
static const char *file(int slot, const char *name, const void *bytes, size_t n)
{
    FILE *f;

    snprintf(paths[slot], sizeof paths[slot], "%s/%s", folder, name);
    if (bytes) {
        ck_assert_ptr_nonnull(f = fopen(paths[slot], "wb"));
        ck_assert_uint_eq(fwrite(bytes, 1, n, f), n);
        fclose(f);
    }
    return paths[slot];
}

static const char *text(int slot, const char *name, const char *content)
{
    return file(slot, name, content, strlen(content));
}

static nset_recording *open_it(const char *path, const nset_recording_options *o)
{
    nset_recording *r = NULL;
    nset_error err = { 0 };

    ck_assert_msg(nset_recording_open(&r, &path, 1, o, &err) == NSET_OK, "%s", err.text);
    return r;
}

/* 5 samples of 3 channels: 100 t + c. */
static const int16_t counts[15] = { 0, 1, 2, 100, 101, 102, 200, 201, 202, 300, 301, 302, 400, 401, 402 };
static const char probe[] = "{\"probes\": [{\"contact_positions\": [[0, 40], [16, 0], [0, 0]], "
                            "\"device_channel_indices\": [1, 2, 0]}]}";

START_TEST(channels_come_in_the_order_of_their_places)
{
    nset_recording_options o = { .format = "raw", .rate_hz = 20000, .n_channels = 3, .gain_uv = .5 };
    float x[15];
    nset_recording *r;
    nset_error err = { 0 };

    o.probe = text(0, "p.json", probe);
    r = open_it(file(1, "a.dat", counts, sizeof counts), &o);
    ck_assert_uint_eq(r->source->n_channels, 3);
    ck_assert_int_eq(r->source->n_samples, 5);
    ck_assert_uint_eq(r->file_channel[0], 0); /* (0, 0) */
    ck_assert_uint_eq(r->file_channel[1], 2); /* (16, 0) */
    ck_assert_uint_eq(r->file_channel[2], 1); /* (0, 40) */
    ck_assert_double_eq(r->probe.x_um[1], 16);
    ck_assert_double_eq(r->probe.y_um[2], 40);
    ck_assert_int_eq(r->source->read(r->source, x, 1, 2, &err), NSET_OK);
    ck_assert_float_eq(x[0], 50);
    ck_assert_float_eq(x[1], 51);
    ck_assert_float_eq(x[2], 50.5f);
    ck_assert_float_eq(x[5], 100.5f);
    nset_recording_close(r);
}
END_TEST

START_TEST(a_contact_without_a_wire_and_a_channel_without_a_contact_are_left_out)
{
    nset_recording_options o = { .format = "raw", .rate_hz = 20000, .n_channels = 3, .gain_uv = 1 };
    nset_recording *r;

    o.probe = text(0, "p.json",
        "{\"probes\": [{\"contact_positions\": [[0, 0], [0, 20], [0, 40]], \"device_channel_indices\": [2, -1, 0]}]}");
    r = open_it(file(1, "a.dat", counts, sizeof counts), &o);
    ck_assert_uint_eq(r->source->n_channels, 2);
    ck_assert_uint_eq(r->file_channel[0], 2);
    ck_assert_uint_eq(r->file_channel[1], 0);
    ck_assert(warned(r, "1 channels have no contact"));
    nset_recording_close(r);
}
END_TEST

START_TEST(a_torn_end_is_left_out_and_said)
{
    nset_recording_options o = { .format = "raw", .rate_hz = 20000, .n_channels = 3, .gain_uv = 1 };
    nset_recording *r = open_it(file(1, "a.dat", counts, sizeof counts - 1), &o);

    ck_assert_int_eq(r->source->n_samples, 4);
    ck_assert(warned(r, "torn frame of 5 of 6 bytes"));
    ck_assert(warned(r, "no probe is known"));
    nset_recording_close(r);
}
END_TEST

START_TEST(a_file_without_samples_opens)
{
    nset_recording_options o = { .format = "raw", .rate_hz = 20000, .n_channels = 3, .gain_uv = 1 };
    nset_recording *r = open_it(file(1, "a.dat", counts, 0), &o);

    ck_assert_int_eq(r->source->n_samples, 0);
    nset_recording_close(r);
}
END_TEST

START_TEST(a_header_that_states_another_length_is_not_believed)
{
    nset_recording_options o = { 0 };
    nset_recording *r;

    text(0, "b.json", "{\"num_channels\": 3, \"sampling_rate\": 1000, \"gain_to_uv\": 2, \"num_samples\": 900}");
    r = open_it(file(1, "b.bin", counts, sizeof counts), &o);
    ck_assert_str_eq(r->format, "json");
    ck_assert_int_eq(r->source->n_samples, 5);
    ck_assert_double_eq(r->gain_uv, 2);
    ck_assert(warned(r, "the header says 900 samples"));
    nset_recording_close(r);
}
END_TEST

static const struct refusal {
    const char *name, *side, *side_text; /* file, a file beside it */
    nset_recording_options options;
    nset_status status;
    const char *says;
} refusals[] = {
    { "a.dat", NULL, NULL, { .format = "raw", .n_channels = 3 }, NSET_ERR_FORMAT, "give --channels and --rate" },
    { "a.dat", NULL, NULL, { .format = "raw", .n_channels = 3, .rate_hz = 5 }, NSET_ERR_FORMAT, "or 5 Hz" },
    { "a.dat", NULL, NULL, { .format = "tape" }, NSET_ERR_ARG, "there are spikeglx, openephys," },
    { "a.txt", NULL, NULL, { 0 }, NSET_ERR_FORMAT, "no reader knows this file" },
    { "a.dat", NULL, NULL, { .format = "raw", .n_channels = 3, .rate_hz = 1000, .header_bytes = 31 }, NSET_ERR_FORMAT,
        "the header alone needs 31" },
    { "c.bin", "c.json", "{\"num_channels\": 3", { 0 }, NSET_ERR_FORMAT, "c.json: line 1" },
    { "c.bin", "c.json", "{\"num_channels\": 3}", { 0 }, NSET_ERR_FORMAT, "the sampling rate is not known" },
    { "c.bin", "c.json", "{\"num_channels\": 0, \"sampling_rate\": 1000}", { 0 }, NSET_ERR_FORMAT, "0 channels" },
    { "c.bin", "c.json", "{\"num_channels\": 3, \"sampling_rate\": 1000, \"dtype\": \"complex64\"}", { 0 },
        NSET_ERR_FORMAT, "'complex64' are not read" },
    { "c.bin", "c.json", "{\"num_channels\": 3, \"sampling_rate\": 1000, \"probe\": \"none.json\"}", { 0 },
        NSET_ERR_FORMAT, "none.json: No such file" },
    { "d.bin", "d.meta", "nSavedChans=3\nimSampRate=30000\nsnsApLfSy=2,0,1\n", { 0 }, NSET_ERR_FORMAT,
        "imAiRangeMax is missing" },
    { "d.bin", "d.meta", "nSavedChans=3\nimSampRate=30000\nimAiRangeMax=0.6\nsnsApLfSy=2,0,1\n", { .n_channels = 4 },
        NSET_ERR_ARG, "--channels: a file of format spikeglx says this itself" },
};

START_TEST(what_cannot_be_read_gets_one_clear_line)
{
    const struct refusal *c = &refusals[_i];
    const char *path = file(1, c->name, counts, sizeof counts);
    nset_recording *r = NULL;
    nset_error err = { 0 };

    if (c->side)
        text(2, c->side, c->side_text);
    ck_assert_int_eq(nset_recording_open(&r, &path, 1, &c->options, &err), c->status);
    ck_assert_msg(strstr(err.text, c->says) != NULL, "%s", err.text);
    ck_assert_ptr_null(strchr(err.text, '\n'));
    if (c->side)
        unlink(paths[2]);
}
END_TEST

START_TEST(a_probe_of_another_recording_is_refused)
{
    static const char *const probes[][2] = {
        { "{\"probes\": [{\"contact_positions\": [[0, 0], [0, 20]]}]}", "2 contacts without" },
        { "{\"probes\": [{\"contact_positions\": [[0, 0]], \"device_channel_indices\": [3]}]}", "wired to channel 3" },
        { "{\"probes\": [{\"contact_positions\": [[0, 0], [0, 1]], \"device_channel_indices\": [1, 1]}]}",
            "two contacts are wired to channel 1" },
        { "{\"probes\": [{\"contact_positions\": [[0, 0]], \"device_channel_indices\": [-1]}]}", "no contact" },
        { "{\"contacts\": []}", "no probe" },
    };
    nset_recording_options o = { .format = "raw", .rate_hz = 20000, .n_channels = 3, .gain_uv = 1 };
    const char *path = file(1, "a.dat", counts, sizeof counts);

    for (size_t i = 0; i < sizeof probes / sizeof *probes; i++) {
        nset_recording *r = NULL;
        nset_error err = { 0 };
        o.probe = text(0, "p.json", probes[i][0]);
        ck_assert_int_eq(nset_recording_open(&r, &path, 1, &o, &err), NSET_ERR_FORMAT);
        ck_assert_msg(strstr(err.text, probes[i][1]) != NULL, "%s", err.text);
    }
}
END_TEST

START_TEST(no_memory_is_an_error_without_a_leak)
{
    nset_recording_options o = { 0 };
    const char *path = file(1, "b.bin", counts, sizeof counts);

    text(0, "p.json", probe);
    text(2, "b.json", "{\"num_channels\": 3, \"sampling_rate\": 1000, \"gain_to_uv\": 2, \"probe\": \"p.json\"}");
    for (long k = 0;; k++) {
        nset_recording *r = NULL;
        nset_error err = { 0 };
        nset_status status;
        nset_test_fail_alloc_at(k);
        status = nset_recording_open(&r, &path, 1, &o, &err);
        nset_test_fail_alloc_at(-1);
        nset_recording_close(r);
        ck_assert_int_eq(nset_test_live_allocs(), 0);
        if (status == NSET_OK)
            break;
        ck_assert_msg(status == NSET_ERR_NOMEM, "%ld: %d, %s", k, status, err.text);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("recording");
    TCase *t = tcase_create("opening");
    SRunner *runner;
    char command[128];
    int failed;

    if (!mkdtemp(folder))
        return 99;
    tcase_add_test(t, channels_come_in_the_order_of_their_places);
    tcase_add_test(t, a_contact_without_a_wire_and_a_channel_without_a_contact_are_left_out);
    tcase_add_test(t, a_torn_end_is_left_out_and_said);
    tcase_add_test(t, a_file_without_samples_opens);
    tcase_add_test(t, a_header_that_states_another_length_is_not_believed);
    tcase_add_loop_test(t, what_cannot_be_read_gets_one_clear_line, 0, sizeof refusals / sizeof *refusals);
    tcase_add_test(t, a_probe_of_another_recording_is_refused);
    tcase_add_test(t, no_memory_is_an_error_without_a_leak);
    suite_add_tcase(suite, t);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command) != 0 || failed != 0;
}
