/* Neuralynx recordings made here record by record: channels that begin and end apart, pauses, counters that wrap. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "recording_tests.h"

static char folder[] = "/tmp/neuroset-ncs-XXXXXX";

#define RATE "-SamplingFrequency 32000\r\n"
#define GAIN "-ADBitVolts 0.000001\r\n"

enum { STEP_US = 16000 }; /* of a record at 32 kHz */

typedef struct rec {
    uint64_t us;
    unsigned n;
} rec;

/* Sample i of a record is its time in samples of 32 kHz + i, modulo 30000; what is not valid is 31000. */
static const char *write_ncs(char *path, size_t size, const char *name, const char *keys, const rec *records, int n)
{
    FILE *f;

    snprintf(path, size, "%s/%s", folder, name);
    ck_assert_ptr_nonnull(f = fopen(path, "wb"));
    fprintf(f, "######## Neuralynx Data File Header\r\n## made for a test\r\n%s", keys);
    while (ftell(f) < 16384)
        fputc(0, f);
    for (int k = 0; k < n; k++) {
        put(f, records[k].us, 8);
        put(f, 5, 4);
        put(f, 32000, 4);
        put(f, records[k].n, 4);
        for (unsigned i = 0; i < 512; i++)
            put(f, i < records[k].n ? (records[k].us * 4 / 125 + i) % 30000 : 31000, 2);
    }
    fclose(f);
    return path;
}

static nset_recording *must_open(const char *const *paths, size_t n, const char *stream)
{
    return must_open_with(paths, n, &(nset_recording_options){ .stream = stream });
}

static void must_fail(const char *path, const char *stream, const char *says)
{
    must_fail_with(&path, 1, &(nset_recording_options){ .stream = stream }, says);
}

/* Every sample is the time at which it was taken, in samples. */
static void check_times(nset_recording *r, double sign)
{
    nset_error err = { 0 };
    size_t c = r->source->n_channels, n = (size_t)r->source->n_samples;
    float *x = calloc(n * c + 1, sizeof *x);

    ck_assert_int_eq(r->source->read(r->source, x, 0, n, &err), NSET_OK);
    for (size_t t = 0; t < n; t++)
        for (size_t i = 0; i < c; i++)
            ck_assert_float_eq(
                x[t * c + i], (float)(sign * (llround(nset_recording_seconds(r, (int64_t)t) * 32000) % 30000)));
    free(x);
}

static bool is_warned(const nset_recording *r, const char *words)
{
    json_t *w;
    size_t i;

    json_array_foreach(r->warnings, i, w) if (strstr(json_string_value(w), words)) return true;
    return false;
}

START_TEST(channels_that_begin_and_pause_apart)
{
    rec a[8], b[8];
    char p[3][300];
    const char *paths[2];
    nset_recording *r;

    for (unsigned k = 0; k < 8; k++) {
        a[k] = (rec){ 1000000 + STEP_US * k + (k > 4 ? 250000 : 0), k == 4 ? 200 : 512 };
        b[k] = (rec){ 1000000 + STEP_US * (k + 1) + 125 * 4 + (k > 3 ? 250000 - 500 : 0), 512 };
    }
    paths[1] = write_ncs(p[0], 300, "a10.ncs", RATE GAIN "-ADChannel 10\r\n-InputInverted True\r\n", a, 8);
    paths[0] = write_ncs(p[1], 300, "a9.ncs", RATE GAIN "-ADChannel 9\r\n-InputInverted True\r\n", b, 8);
    write_ncs(p[2], 300, "a11.ncs", RATE GAIN "-ADChannel 11\r\n", NULL, 0);
    r = must_open(paths, 2, NULL);
    /* from the first sample of b to sample 200 of record 4 of a, then three records of both */
    ck_assert_uint_eq(r->source->n_channels, 2);
    ck_assert_int_eq(r->source->n_samples, 3 * 512 - 16 + 200 + 3 * 512);
    ck_assert_uint_eq(r->n_gaps, 1);
    ck_assert_int_eq(r->gap[0].sample, 3 * 512 - 16 + 200);
    ck_assert(is_warned(r, "only some have"));
    ck_assert_double_eq(r->gain_uv, -1);
    check_times(r, -1);
    nset_recording_close(r);
    paths[0] = folder; /* all in it, and the file without data is said */
    r = must_open(paths, 1, NULL);
    ck_assert_uint_eq(r->source->n_channels, 2);
    ck_assert(is_warned(r, "1 .ncs files hold a header but no data"));
    nset_recording_close(r);
    must_fail(p[2], NULL, "a header but no data");
    for (int i = 0; i < 3; i++)
        remove(p[i]);
}
END_TEST

START_TEST(a_recording_stopped_and_gone_on)
{
    const rec one[2] = { { 0, 512 }, { STEP_US, 512 } }, two[2] = { { 500000, 512 }, { 500000 + STEP_US, 512 } };
    const char *keys = "\t-SamplingFrequency\t32000\n\t-ADBitVolts\t1e-6\n\t-ADChannel\t3\n";
    char p[2][300];
    const char *const paths[1] = { folder };
    nset_recording *r;

    write_ncs(p[0], 300, "CSC4_0001.ncs", keys, two, 2);
    write_ncs(p[1], 300, "CSC4.ncs", keys, one, 2);
    r = must_open(paths, 1, NULL);
    ck_assert_uint_eq(r->source->n_channels, 1);
    ck_assert_int_eq(r->source->n_samples, 4 * 512);
    ck_assert_uint_eq(r->n_gaps, 1);
    ck_assert_double_eq_tol(r->gap[0].seconds, .468, 1e-9);
    check_times(r, 1);
    nset_recording_close(r);
    remove(p[0]);
    remove(p[1]);
}
END_TEST

START_TEST(clocks_that_lie)
{
    const rec old[4] = { { 500, 512 }, { 500 + 17920, 512 }, { 500 + 2 * 17920, 512 }, { 0, 0 } };
    const uint64_t wrap = UINT64_C(1) << 32;
    const rec wrapped[3] = { { 0, 512 }, { wrap + STEP_US, 512 }, { wrap + 2 * STEP_US, 512 } };
    const rec jitter[4] = { { 0, 512 }, { STEP_US + 20, 512 }, { 2 * STEP_US - 10, 512 }, { 3 * STEP_US, 512 } };
    char path[300];
    const char *const paths[1] = { path };
    nset_recording *r;

    write_ncs(path, sizeof path, "c.ncs", "-SamplingFrequency 27789\r\n" GAIN, old, 4);
    r = must_open(paths, 1, NULL);
    ck_assert_double_eq_tol(r->source->rate_hz, 1e6 / 35, 1e-6);
    ck_assert_int_eq(r->source->n_samples, 3 * 512);
    ck_assert_uint_eq(r->n_gaps, 0);
    ck_assert(is_warned(r, "27789"));
    ck_assert(is_warned(r, "never filled"));
    nset_recording_close(r);

    write_ncs(path, sizeof path, "c.ncs", RATE GAIN, wrapped, 3);
    r = must_open(paths, 1, NULL);
    ck_assert_uint_eq(r->n_gaps, 0);
    ck_assert(is_warned(r, "2^32"));
    nset_recording_close(r);

    write_ncs(path, sizeof path, "c.ncs", RATE GAIN, jitter, 4);
    r = must_open(paths, 1, NULL);
    ck_assert_uint_eq(r->n_gaps, 0);
    ck_assert_double_eq(r->source->rate_hz, 32000);
    nset_recording_close(r);
    remove(path);
}
END_TEST

START_TEST(streams_are_chosen)
{
    const rec one[1] = { { 0, 512 } };
    char p[3][300];
    const char *const paths[1] = { folder };
    nset_recording *r;

    write_ncs(p[0], 300, "a.ncs", RATE GAIN "-InputRange 1000\r\n", one, 1);
    write_ncs(p[1], 300, "b.ncs", "-SamplingFrequency 2000\r\n" GAIN, one, 1);
    r = must_open(paths, 1, NULL); /* spikes need the fast one */
    ck_assert_double_eq(r->source->rate_hz, 32000);
    nset_recording_close(r);
    write_ncs(p[2], 300, "c.ncs", RATE GAIN "-InputRange 500\r\n", one, 1);
    must_fail(folder, NULL, "32000Hz_1000uV, 2000Hz, 32000Hz_500uV");
    must_fail(folder, "3200Hz", "no stream is named 3200Hz");
    r = must_open(paths, 1, "32000Hz_500uV");
    ck_assert_uint_eq(r->source->n_channels, 1);
    nset_recording_close(r);
    r = must_open(paths, 1, "32000Hz");
    ck_assert_uint_eq(r->source->n_channels, 2);
    nset_recording_close(r);
    for (int i = 0; i < 3; i++)
        remove(p[i]);
}
END_TEST

START_TEST(memory_runs_out)
{
    const rec a[3] = { { 0, 512 }, { STEP_US, 512 }, { 500000, 512 } }, b[2] = { { 100, 512 }, { 500000, 512 } };
    char p[2][300];
    const char *const paths[1] = { folder };

    write_ncs(p[0], 300, "m1.ncs", RATE GAIN "-ADChannel 1\r\n", a, 3);
    write_ncs(p[1], 300, "m2.ncs", RATE GAIN "-ADChannel 2\r\n", b, 2);
    sweep(paths, 1);
    remove(p[0]);
    remove(p[1]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("neuralynx");
    TCase *tc = tcase_create("core");
    SRunner *runner;
    int failed;

    if (!mkdtemp(folder))
        return 99;
    tcase_add_test(tc, channels_that_begin_and_pause_apart);
    tcase_add_test(tc, a_recording_stopped_and_gone_on);
    tcase_add_test(tc, clocks_that_lie);
    tcase_add_test(tc, streams_are_chosen);
    tcase_add_test(tc, memory_runs_out);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    remove(folder);
    return failed != 0;
}
