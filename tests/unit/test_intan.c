/* Intan recordings made here byte by byte: blocks, files that follow each other, counts that jump, folders. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "recording_tests.h"

static char folder[] = "/tmp/neuroset-intan-XXXXXX";

enum { N = 128 }; /* samples of a block of version 3 */

static void put_float(FILE *f, float x)
{
    uint32_t bits;

    memcpy(&bits, &x, sizeof bits);
    put(f, bits, 4);
}

static void put_text(FILE *f, const char *text)
{
    put(f, 2 * (uint32_t)strlen(text), 4);
    for (; *text; text++)
        put(f, (unsigned char)*text, 2);
}

static void put_channel(FILE *f, const char *name, int type, int enabled)
{
    put_text(f, name);
    put_text(f, "");
    put(f, 0, 4);
    put(f, (uint32_t)type, 2);
    put(f, (uint32_t)enabled, 2);
    put(f, 0, 4 + 8 + 8);
}

/* Version 3.0 with two amplifier channels, one that is off, one auxiliary. */
static FILE *start(char *path, size_t n, const char *name, const char *second, float rate)
{
    FILE *f;

    snprintf(path, n, "%s/%s", folder, name);
    ck_assert_ptr_nonnull(f = fopen(path, "wb"));
    put(f, 0xC6912702, 4);
    put(f, 3, 2);
    put(f, 0, 2);
    put_float(f, rate);
    for (int i = 0; i < 2 + 6 * 4 + 2 + 2 * 4; i++)
        put(f, 0, 1);
    for (int i = 0; i < 3; i++)
        put(f, UINT32_MAX, 4);
    put(f, 0, 2);
    put(f, 0, 2);
    put_text(f, "ref");
    put(f, 1, 2);
    put_text(f, "Port A");
    put_text(f, "A");
    put(f, 1, 2);
    put(f, 4, 2);
    put(f, 3, 2);
    put_channel(f, "A-000", 0, 1);
    put_channel(f, "A-001", 0, 0);
    put_channel(f, second, 0, 1);
    put_channel(f, "A-AUX1", 1, 1);
    return f;
}

/* Counts 32768 + (t + c) % 1000 from t on; the count of samples beside them. */
static void put_block(FILE *f, int t)
{
    for (int i = 0; i < N; i++)
        put(f, (uint32_t)(t + i), 4);
    for (int c = 0; c < 2; c++)
        for (int i = 0; i < N; i++)
            put(f, (uint32_t)(32768 + (t + i + c) % 1000), 2);
    for (int i = 0; i < N / 4; i++)
        put(f, 1, 2);
}

static void write_blocks(char *path, size_t size, const char *name, int t, int n_blocks)
{
    FILE *f = start(path, size, name, "A-002", 1000);

    for (int b = 0; b < n_blocks; b++)
        put_block(f, t + N * b);
    fclose(f);
}

static nset_recording *must_open(const char *const *paths, size_t n)
{
    return must_open_with(paths, n, &(nset_recording_options){ 0 });
}

static void must_fail(const char *const *paths, size_t n, const char *says)
{
    must_fail_with(paths, n, &(nset_recording_options){ 0 }, says);
}

/* Sample i of channel c, which is .195 uV a count. */
static void check_sample(nset_recording *r, int64_t i, int t)
{
    nset_error err = { 0 };
    float x[2];

    ck_assert_int_eq(r->source->read(r->source, x, i, 1, &err), NSET_OK);
    for (int c = 0; c < 2; c++)
        ck_assert_float_eq_tol(x[c], (float)(.195 * ((t + c) % 1000)), 1e-3f);
}

START_TEST(files_that_follow_are_one)
{
    char a[300], b[300], c[300];
    const char *paths[3] = { a, b, c };
    nset_recording *r;

    write_blocks(a, sizeof a, "one_1.rhd", -N, 2);
    write_blocks(b, sizeof b, "one_2.rhd", N, 1);
    write_blocks(c, sizeof c, "one_3.rhd", 2 * N + 500, 1);
    r = must_open(paths, 3);
    ck_assert_int_eq(r->source->n_samples, 4 * N);
    ck_assert_double_eq(r->start_s, -.128);
    ck_assert_uint_eq(r->n_gaps, 1);
    ck_assert_int_eq(r->gap[0].sample, 3 * N);
    ck_assert_double_eq(r->gap[0].seconds, .5);
    check_sample(r, N, 0);
    check_sample(r, 2 * N - 1, N - 1);
    check_sample(r, 2 * N, N);
    check_sample(r, 3 * N, 2 * N + 500);
    nset_recording_close(r);
    paths[2] = a;
    r = must_open(paths, 3); /* the clock went back: said, not hidden */
    ck_assert_uint_eq(r->n_gaps, 1);
    ck_assert_double_eq(r->gap[0].seconds, -.384);
    nset_recording_close(r);
}
END_TEST

START_TEST(a_jump_inside_a_block)
{
    char path[300];
    const char *const paths[1] = { path };
    FILE *f = start(path, sizeof path, "jump.rhd", "A-002", 1000);
    nset_recording *r;

    put_block(f, 0);
    for (int i = 0; i < N; i++)
        put(f, (uint32_t)(i < 10 ? N + i : N + i + 1000), 4);
    for (int i = 0; i < 2 * N + N / 4; i++)
        put(f, 32768, 2);
    put_block(f, 2 * N + 1000);
    fputs("torn", f);
    fclose(f);
    r = must_open(paths, 1);
    ck_assert_int_eq(r->source->n_samples, 3 * N);
    ck_assert_uint_eq(r->n_gaps, 1);
    ck_assert_int_eq(r->gap[0].sample, N + 10);
    ck_assert_double_eq(r->gap[0].seconds, 1);
    ck_assert_uint_eq(json_array_size(r->warnings), 2); /* the torn block, the unknown probe */
    nset_recording_close(r);
}
END_TEST

START_TEST(files_of_other_recordings)
{
    char a[300], b[300];
    const char *paths[2] = { a, b };

    write_blocks(a, sizeof a, "own.rhd", 0, 1);
    fclose(start(b, sizeof b, "other.rhd", "A-003", 1000));
    must_fail(paths, 2, "in the first file A-002");
    fclose(start(b, sizeof b, "other.rhd", "A-002", 2000));
    must_fail(paths, 2, "at 2000 Hz");
    must_fail(paths + 1, 1, "header but no data");
}
END_TEST

static void write_ramp(const char *name, int n)
{
    char path[300];
    FILE *f;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    ck_assert_ptr_nonnull(f = fopen(path, "wb"));
    for (int t = 0; t < n; t++)
        put(f, (uint32_t)t, 2);
    fclose(f);
}

START_TEST(a_file_a_channel)
{
    char path[300], time[300];
    const char *const paths[1] = { path };
    nset_recording *r;
    nset_error err = { 0 };
    float x[2];
    FILE *f;

    fclose(start(path, sizeof path, "info.rhd", "B-001", 1000));
    write_ramp("amp-A-000.dat", 70000);
    must_fail(paths, 1, "amp-B-001.dat");
    write_ramp("amp-B-001.dat", 69990);
    snprintf(time, sizeof time, "%s/time.dat", folder);
    ck_assert_ptr_nonnull(f = fopen(time, "wb"));
    for (int t = 0; t < 80000; t++)
        put(f, (uint32_t)(t < 50000 ? t : t + 100), 4);
    fclose(f);
    r = must_open(paths, 1);
    ck_assert_int_eq(r->source->n_samples, 69990);
    ck_assert_uint_eq(r->n_gaps, 1);
    ck_assert_int_eq(r->gap[0].sample, 50000);
    ck_assert_double_eq(r->gap[0].seconds, .1);
    ck_assert_int_eq(r->source->read(r->source, x, 69989, 1, &err), NSET_OK);
    ck_assert_float_eq_tol(x[0], (float)(.195 * (int16_t)69989), 1e-3f); /* counts are signed in a folder */
    ck_assert_float_eq(x[0], x[1]);
    nset_recording_close(r);
}
END_TEST

START_TEST(memory_runs_out)
{
    char a[300], b[300], info[300];
    const char *const paths[2] = { a, b }, *const folders[1] = { info };

    write_blocks(a, sizeof a, "m_1.rhd", 0, 2);
    write_blocks(b, sizeof b, "m_2.rhd", 1000, 1);
    sweep(paths, 2);
    fclose(start(info, sizeof info, "info.rhd", "C-001", 1000));
    write_ramp("amp-A-000.dat", 10);
    write_ramp("amp-C-001.dat", 10);
    sweep(folders, 1);
}
END_TEST

static void remove_folder(void)
{
    char command[400];

    snprintf(command, sizeof command, "rm -rf %s", folder);
    if (system(command))
        printf("%s stays\n", folder);
}

int main(void)
{
    Suite *suite = suite_create("intan");
    TCase *tc = tcase_create("core");
    SRunner *runner;
    int failed;

    if (!mkdtemp(folder))
        return 99;
    tcase_add_test(tc, files_that_follow_are_one);
    tcase_add_test(tc, a_jump_inside_a_block);
    tcase_add_test(tc, files_of_other_recordings);
    tcase_add_test(tc, a_file_a_channel);
    tcase_add_test(tc, memory_runs_out);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    remove_folder();
    return failed != 0;
}
