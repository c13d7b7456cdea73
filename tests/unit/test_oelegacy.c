/* Open Ephys legacy: channels in order of their numbers, gaps, restarts, damaged and corrupt files. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "recording_tests.h"

enum { BLOCK = 4, RATE = 1000 };

static char root[] = "/tmp/neuroset-oel-XXXXXX";
static char folder[300];

/* A new folder below the root. */
static const char *new_folder(const char *name)
{
    snprintf(folder, sizeof folder, "%s/%s", root, name);
    mkdir(folder, 0777);
    return folder;
}

static FILE *begin(const char *name, const char *version, const char *created)
{
    char path[400], header[1025];
    FILE *f;

    snprintf(path, sizeof path, "%s/%s.continuous", folder, name);
    ck_assert_ptr_nonnull(f = fopen(path, "wb"));
    snprintf(header, sizeof header,
        "header.format = 'Open Ephys Data Format';\nheader.version = %s;\nheader.header_bytes = 1024;\n"
        "header.date_created = '%s';\nheader.channel = 'CH0';\nheader.sampleRate = %d;\nheader.blockLength = %d;\n"
        "header.bitVolts = 0.5;\n",
        version, created, RATE, BLOCK);
    fprintf(f, "%-1024s", header);
    return f;
}

/* A record whose samples are number + 100 channel. */
static void record(FILE *f, int channel, int64_t number, int recording, bool good, bool old)
{
    static const unsigned char marker[10] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 255 };
    int64_t n = BLOCK;

    fwrite(&number, 8, 1, f);
    fwrite(&n, old ? 8 : 2, 1, f);
    if (!old)
        fwrite(&recording, 2, 1, f);
    for (int i = 0; i < BLOCK; i++) {
        int v = (int)number + i + 100 * channel;
        fputc(v >> 8 & 255, f);
        fputc(v & 255, f);
    }
    fwrite(marker, 1, good ? 10 : 9, f);
    if (!good)
        fputc(7, f);
}

static void simple(const char *name, int channel, const int64_t *numbers, size_t n)
{
    FILE *f = begin(name, "0.4", "5-Oct-2018 143727");

    for (size_t i = 0; i < n; i++)
        record(f, channel, numbers[i], 0, true, false);
    fclose(f);
}

static nset_status try_open(nset_recording **r, const char *path, const char *stream, char *why)
{
    nset_recording_options o = { .stream = stream };
    nset_error err = { 0 };
    nset_status status = nset_recording_open(r, &path, 1, &o, &err);

    snprintf(why, 600, "%s", err.text);
    return status;
}

static nset_recording *open_it(void)
{
    nset_recording *r = NULL;
    char why[600];

    ck_assert_msg(try_open(&r, folder, NULL, why) == NSET_OK, "%s", why);
    return r;
}

/* Sample t of the recording has the number, in every channel (given in the order of the columns), whatever is read. */
static void check_numbers(nset_recording *r, const int64_t *number, int64_t n, const int *channel)
{
    size_t c = r->source->n_channels;
    nset_error err = { 0 };
    float x[300];

    ck_assert_int_eq(r->source->n_samples, n);
    for (int64_t step = 1; step <= n; step++)
        for (int64_t t = 0; t + step <= n; t += step) {
            ck_assert_int_eq(r->source->read(r->source, x, t, (size_t)step, &err), NSET_OK);
            for (size_t k = 0; k < (size_t)step * c; k++)
                ck_assert_float_eq(
                    x[k], .5f * (float)(number[t + (int64_t)(k / c)] + 100 * channel[r->file_channel[k % c]]));
        }
}

#define SPAN4(n) (n), (n) + 1, (n) + 2, (n) + 3

START_TEST(channels_are_ordered_by_number_and_gaps_are_kept)
{
    const int64_t starts[] = { 20, 24, 40 }, numbers[] = { SPAN4(20), SPAN4(24), SPAN4(40) };
    nset_recording *r;

    new_folder("a");
    simple("100_CH10", 10, starts, 3);
    simple("100_CH2", 2, starts, 3);
    simple("100_ADC1", 5, starts, 3);
    simple("100_AUX1", 6, starts, 3);
    r = open_it();
    check_numbers(r, numbers, 12, (const int[]){ 2, 10 });
    ck_assert_double_eq(r->start_s, .02);
    ck_assert_uint_eq(r->n_gaps, 1);
    ck_assert_int_eq(r->gap[0].sample, 8);
    ck_assert_double_eq(r->gap[0].seconds, .012);
    ck_assert_double_eq(r->gain_uv, .5);
    nset_recording_close(r);
}
END_TEST

START_TEST(only_samples_that_all_channels_have_are_read)
{
    const int64_t a[] = { 20, 24, 28, 32 }, b[] = { 18, 22, 30, 34 }, c[] = { 24, 28, 32, 36 };
    const int64_t numbers[] = { 24, 25, 30, 31, 32, 33, 34, 35 };
    nset_recording *r;

    new_folder("b");
    simple("100_CH1", 1, a, 4); /* 20 .. 35 */
    simple("100_CH2", 2, b, 4); /* 18 .. 25, 30 .. 37 */
    simple("100_CH3", 3, c, 4); /* 24 .. 39 */
    r = open_it();
    check_numbers(r, numbers, 8, (const int[]){ 1, 2, 3 });
    ck_assert_uint_eq(r->n_gaps, 1);
    ck_assert_int_eq(r->gap[0].sample, 2);
    ck_assert_double_eq(r->gap[0].seconds, .004);
    nset_recording_close(r);
}
END_TEST

START_TEST(a_corrupt_channel_is_left_out_and_named)
{
    const int64_t good[] = { 20, 24, 28 }, bad[] = { 20, 23, 28 }, numbers[] = { SPAN4(20), SPAN4(24), SPAN4(28) };
    nset_recording *r = NULL;
    char why[600];

    new_folder("c");
    simple("100_CH1", 1, bad, 3);
    ck_assert_int_eq(try_open(&r, folder, NULL, why), NSET_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(why, "record 1 begins 1 samples before"));
    simple("100_CH2", 2, good, 3);
    simple("100_CH3", 3, good, 1); /* a third of the others */
    r = open_it();
    check_numbers(r, numbers, 12, (const int[]){ 2 });
    ck_assert(warned(r, "CH1.continuous is corrupt") && warned(r, "channel 1 is left out"));
    ck_assert(warned(r, "has only 4 samples; channel 3 is left out"));
    nset_recording_close(r);
}
END_TEST

START_TEST(damaged_records_are_skipped_and_a_torn_one_dropped)
{
    const int64_t numbers[] = { SPAN4(20), SPAN4(32), SPAN4(36) };
    nset_recording *r;
    FILE *f;

    new_folder("d");
    f = begin("100_CH1", "0.4", "");
    record(f, 1, 20, 0, true, false);
    record(f, 1, 24, 0, false, false); /* its marker is damaged: it and what follows until the next good marker */
    record(f, 1, 28, 0, true, false);
    fputc(9, f); /* a byte too many */
    record(f, 1, 30, 0, true, false);
    record(f, 1, 32, 0, true, false);
    record(f, 1, 36, 0, true, false);
    fputs("torn", f);
    fclose(f);
    r = open_it();
    check_numbers(r, numbers, 12, (const int[]){ 1 });
    ck_assert_uint_eq(r->n_gaps, 1);
    ck_assert_double_eq(r->gap[0].seconds, .008);
    ck_assert(warned(r, "2 damaged records, the first at byte 1054"));
    ck_assert(warned(r, "torn record of 4 of 30 bytes"));
    nset_recording_close(r);
}
END_TEST

START_TEST(the_recorder_may_start_anew)
{
    const int64_t numbers[] = { SPAN4(20), SPAN4(24), SPAN4(10), SPAN4(14), SPAN4(5) };
    nset_recording *r;
    FILE *f;

    new_folder("e");
    f = begin("100_Data_CH1", "0.4", "5-Oct-2018 143727");
    record(f, 1, 20, 0, true, false);
    record(f, 1, 24, 0, true, false);
    record(f, 1, 10, 1, true, false); /* in the same file */
    record(f, 1, 14, 1, true, false);
    fclose(f);
    f = begin("100_Data_CH1_2", "0.4", "5-Oct-2018 143740");
    record(f, 1, 5, 0, true, false);
    fclose(f);
    r = open_it();
    check_numbers(r, numbers, 20, (const int[]){ 1 });
    ck_assert_uint_eq(r->n_gaps, 2);
    ck_assert_int_eq(r->gap[0].sample, 8);
    ck_assert_double_eq(r->gap[0].seconds, -.018);
    ck_assert_int_eq(r->gap[1].sample, 16);
    ck_assert_double_eq(r->gap[1].seconds, -.013); /* how long the first file ran is not known */
    nset_recording_close(r);
    f = begin("100_Data_CH1", "0.4", "5-Oct-2018 143727");
    record(f, 1, 20, 0, true, false);
    record(f, 1, 24, 0, true, false);
    fclose(f);
    r = open_it();
    ck_assert_double_eq_tol(r->gap[0].seconds, 13 - .008, 1e-9);
    nset_recording_close(r);
}
END_TEST

START_TEST(streams_old_records_and_foreign_files)
{
    const int64_t starts[] = { 20, 24 }, numbers[] = { SPAN4(20), SPAN4(24) };
    nset_recording *r = NULL;
    char why[600];
    FILE *f;

    new_folder("f");
    simple("100_A_CH1", 1, starts, 2);
    simple("101_CH2", 2, starts, 2);
    ck_assert_int_eq(try_open(&r, folder, NULL, why), NSET_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(why, "--stream"));
    ck_assert_msg(try_open(&r, folder, "101", why) == NSET_OK, "%s", why);
    check_numbers(r, numbers, 8, (const int[]){ 2 });
    nset_recording_close(r);
    new_folder("g");
    f = begin("100_CH7", "0.1", "");
    record(f, 7, 20, 0, true, true);
    record(f, 7, 24, 0, true, true);
    fclose(f);
    f = begin("100_CH8", "x", "");
    rewind(f);
    fputs("no header at all", f);
    fclose(f);
    r = open_it();
    check_numbers(r, numbers, 8, (const int[]){ 7 });
    ck_assert(warned(r, "CH8.continuous"));
    nset_recording_close(r);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("oelegacy");
    TCase *t = tcase_create("all");
    SRunner *runner;
    char remove[300];
    int failed;

    if (!mkdtemp(root))
        return 1;
    tcase_add_test(t, channels_are_ordered_by_number_and_gaps_are_kept);
    tcase_add_test(t, only_samples_that_all_channels_have_are_read);
    tcase_add_test(t, a_corrupt_channel_is_left_out_and_named);
    tcase_add_test(t, damaged_records_are_skipped_and_a_torn_one_dropped);
    tcase_add_test(t, the_recorder_may_start_anew);
    tcase_add_test(t, streams_old_records_and_foreign_files);
    suite_add_tcase(s, t);
    runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    snprintf(remove, sizeof remove, "rm -r '%s'", root);
    return system(remove) != 0 || failed != 0;
}
