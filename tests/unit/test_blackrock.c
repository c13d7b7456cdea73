/* Blackrock recordings made here byte by byte: packets, pauses, crashes, a packet a frame, a scale in another file. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "recording_tests.h"

static char folder[] = "/tmp/neuroset-nsx-XXXXXX";

static void put_text(FILE *f, const char *text, int n)
{
    for (int i = 0; i < n; i++)
        fputc(i < (int)strlen(text) ? text[i] : 0, f);
}

/* 32000 counts are 8000 units: .25 a count. */
static void put_channel(FILE *f, int id, const char *label, const char *unit)
{
    put_text(f, "CC", 2);
    put(f, (uint64_t)id, 2);
    put_text(f, label, 16);
    put(f, 0, 2);
    put(f, (uint64_t)-32000, 2);
    put(f, 32000, 2);
    put(f, (uint64_t)-8000, 2);
    put(f, 8000, 2);
    put_text(f, unit, 16);
    put(f, 0, 10);
    put(f, 0, 10);
}

/* Two electrodes and an analogue input between them, a sample every 3 ticks of 1 / 30000 s. */
static FILE *start(char *path, size_t n, const char *name, int major, uint32_t ticks)
{
    FILE *f;

    snprintf(path, n, "%s/%s", folder, name);
    ck_assert_ptr_nonnull(f = fopen(path, "wb"));
    put_text(f, major == 3 ? "BRSMPGRP" : "NEURALCD", 8);
    put(f, (uint64_t)major, 1);
    put(f, major == 3 ? 0 : 3, 1);
    put(f, 314 + 3 * 66, 4);
    put_text(f, "10 kS/s", 16);
    put_text(f, "made for a test", 256);
    put(f, 3, 4);
    put(f, ticks, 4);
    put(f, 0, 16);
    put(f, 3, 4);
    put_channel(f, 1, "chan1", "uV");
    put_channel(f, 129, "ainp1", "mV");
    put_channel(f, 2, "chan2", "uV");
    ck_assert_int_eq(ftell(f), 314 + 3 * 66);
    return f;
}

/* Frames t, t, -t. */
static void put_packet(FILE *f, uint64_t time, int time_bytes, uint32_t stated, int t, int n)
{
    put(f, 1, 1);
    put(f, time, time_bytes);
    put(f, stated, 4);
    for (; n > 0; n--, t++) {
        put(f, (uint64_t)t, 2);
        put(f, (uint64_t)t, 2);
        put(f, (uint64_t)-t, 2);
    }
}

static nset_recording *must_open(const char *const *paths, size_t n)
{
    return must_open_with(paths, n, &(nset_recording_options){ 0 });
}

static void must_fail(const char *const *paths, size_t n, const char *says)
{
    must_fail_with(paths, n, &(nset_recording_options){ 0 }, says);
}

/* Samples 0, 1, ... in quarters of a microvolt, of the two electrodes. */
static void check_ramp(nset_recording *r, int64_t n)
{
    nset_error err = { 0 };
    float x[2];

    ck_assert_int_eq(r->source->n_samples, n);
    ck_assert_uint_eq(r->source->n_channels, 2);
    ck_assert_uint_eq(r->n_file_channels, 3);
    for (int64_t t = 0; t < n; t++) {
        ck_assert_int_eq(r->source->read(r->source, x, t, 1, &err), NSET_OK);
        ck_assert_float_eq(x[0], (float)t / 4);
        ck_assert_float_eq(x[1], (float)-t / 4);
    }
}

static bool is_warned(const nset_recording *r, const char *words)
{
    json_t *w;
    size_t i;

    json_array_foreach(r->warnings, i, w) if (strstr(json_string_value(w), words)) return true;
    return false;
}

START_TEST(packets_pauses_and_crashes)
{
    char path[300];
    const char *const paths[1] = { path };
    nset_recording *r;
    FILE *f = start(path, sizeof path, "a.ns4", 2, 30000);

    put_packet(f, 30, 4, 0, 0, 0); /* an empty one before others */
    put_packet(f, 30, 4, 10, 0, 10);
    put_packet(f, 60, 4, 5, 10, 5);    /* goes on where the first ends */
    put_packet(f, 30030, 4, 0, 15, 7); /* never closed */
    fputs("x", f);
    fclose(f);
    r = must_open(paths, 1);
    check_ramp(r, 22);
    ck_assert_double_eq(r->source->rate_hz, 10000);
    ck_assert_double_eq(r->start_s, .001);
    ck_assert_uint_eq(r->n_gaps, 1);
    ck_assert_int_eq(r->gap[0].sample, 15);
    ck_assert_double_eq_tol(r->gap[0].seconds, 1.001 - .0025, 1e-12);
    ck_assert(is_warned(r, "says 0 samples, the file holds 7"));
    nset_recording_close(r);

    f = start(path, sizeof path, "a.ns4", 3, 30000);
    put_packet(f, 0, 8, 1000, 0, 20); /* says more than there is */
    fclose(f);
    r = must_open(paths, 1);
    check_ramp(r, 20);
    ck_assert(is_warned(r, "says 1000 samples"));
    nset_recording_close(r);

    f = start(path, sizeof path, "a.ns4", 2, 30000);
    put_packet(f, 0, 4, 20, 0, 20);
    put(f, 0, 100);
    fclose(f);
    r = must_open(paths, 1);
    check_ramp(r, 20);
    ck_assert(is_warned(r, "100 bytes are left out"));
    nset_recording_close(r);
    remove(path);
}
END_TEST

START_TEST(a_packet_a_frame)
{
    const uint64_t epoch = UINT64_C(1700000000000000000);
    char path[300], two[300];
    const char *const paths[2] = { path, two };
    nset_recording *r;
    FILE *f = start(path, sizeof path, "b.ns4", 3, 1000000000);

    for (int t = 0; t < 9000; t++) /* 100 us a sample, 3 us of jitter, 5 ms lost before sample 5000 */
        put_packet(f, epoch + (uint64_t)t * 100000 + (uint64_t)(t % 3) * 3000 + (t < 5000 ? 0 : 5000000), 8, 1, t, 1);
    fputs("torn", f);
    fclose(f);
    f = start(two, sizeof two, "c.ns4", 3, 1000000000);
    for (int t = 0; t < 10; t++)
        put_packet(f, epoch + 2000000000 + (uint64_t)t * 100000, 8, 1, 9000 + t, 1);
    fclose(f);
    r = must_open(paths, 2);
    check_ramp(r, 9010);
    ck_assert_uint_eq(r->n_gaps, 2);
    ck_assert_int_eq(r->gap[0].sample, 5000);
    ck_assert_double_eq_tol(r->gap[0].seconds, .005, 1e-5);
    ck_assert_int_eq(r->gap[1].sample, 9000);
    ck_assert_double_eq_tol(nset_recording_seconds(r, 9000) - r->start_s, 2, 1e-5);
    ck_assert(is_warned(r, "torn packet of 4 of 19 bytes"));
    nset_recording_close(r);

    f = fopen(path, "r+b"); /* a packet of two in between is no such file */
    ck_assert_ptr_nonnull(f);
    fseek(f, 314 + 3 * 66 + 19 * 4095 + 9, SEEK_SET);
    put(f, 2, 4);
    fclose(f);
    must_fail(paths, 1, "a packet of one sample is expected");
    remove(path);
    remove(two);
}
END_TEST

START_TEST(a_scale_in_another_file)
{
    char path[300], nev[300];
    const char *const paths[1] = { path };
    nset_recording *r;
    FILE *f;

    snprintf(path, sizeof path, "%s/d.ns5", folder);
    ck_assert_ptr_nonnull(f = fopen(path, "wb"));
    put_text(f, "NEURALSG", 8);
    put_text(f, "30 kS/s", 16);
    put(f, 1, 4);
    put(f, 2, 4);
    put(f, 7, 4);
    put(f, 8, 4);
    for (int t = 0; t < 10; t++)
        put(f, (uint64_t)t | (uint64_t)t << 16, 4);
    fclose(f);
    r = must_open(paths, 1);
    ck_assert_double_eq(r->gain_uv, 1);
    ck_assert(is_warned(r, "need the .nev"));
    ck_assert_int_eq(r->source->n_samples, 10);
    nset_recording_close(r);

    snprintf(nev, sizeof nev, "%s/d.nev", folder);
    ck_assert_ptr_nonnull(f = fopen(nev, "wb"));
    put_text(f, "NEURALEV", 8);
    put_text(f, "", 324);
    put(f, 2, 4);
    for (int id = 7; id < 9; id++) {
        put_text(f, "NEUEVWAV", 8);
        put(f, (uint64_t)id, 2);
        put(f, 0, 2);
        put(f, 250, 2);
        put_text(f, "", 18);
    }
    fclose(f);
    r = must_open(paths, 1);
    ck_assert_double_eq(r->gain_uv, .25);
    nset_recording_close(r);
    remove(path);
    remove(nev);
}
END_TEST

START_TEST(what_is_damaged)
{
    char path[300];
    const char *const paths[1] = { path };
    FILE *f = start(path, sizeof path, "e.ns4", 2, 30000);

    fclose(f);
    must_fail(paths, 1, "a header but no data");
    f = fopen(path, "r+b");
    ck_assert_ptr_nonnull(f);
    fseek(f, 310, SEEK_SET);
    put(f, 0, 4);
    fclose(f);
    must_fail(paths, 1, "0 channels");
    f = fopen(path, "r+b");
    ck_assert_ptr_nonnull(f);
    fseek(f, 310, SEEK_SET);
    put(f, 4, 4);
    fclose(f);
    must_fail(paths, 1, "inside the header");
    remove(path);
}
END_TEST

START_TEST(memory_runs_out)
{
    char path[300];
    const char *const paths[1] = { path };
    FILE *f = start(path, sizeof path, "m.ns4", 2, 30000);

    put_packet(f, 0, 4, 10, 0, 10);
    put_packet(f, 30000, 4, 5, 10, 5);
    fclose(f);
    sweep(paths, 1);
    f = start(path, sizeof path, "m.ns4", 3, 1000000000);
    for (int t = 0; t < 10; t++)
        put_packet(f, (uint64_t)t * 100000 + (t > 4 ? 1000000 : 0), 8, 1, t, 1);
    fclose(f);
    sweep(paths, 1);
    remove(path);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("blackrock");
    TCase *tc = tcase_create("core");
    SRunner *runner;
    int failed;

    if (!mkdtemp(folder))
        return 99;
    tcase_add_test(tc, packets_pauses_and_crashes);
    tcase_add_test(tc, a_packet_a_frame);
    tcase_add_test(tc, a_scale_in_another_file);
    tcase_add_test(tc, what_is_damaged);
    tcase_add_test(tc, memory_runs_out);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    remove(folder);
    return failed != 0;
}
