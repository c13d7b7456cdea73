/* Several files as one recording: what is joined, where time is missing, what is refused. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ephys/recording.h"

static char folder[] = "/tmp/neuroset-join-XXXXXX";

static const char *path_of(const char *name)
{
    static char paths[16][512];
    static int slot;

    slot = (slot + 1) % 16;
    snprintf(paths[slot], sizeof paths[slot], "%s/%s", folder, name);
    return paths[slot];
}

/* n frames of two columns, counts 10 t + c from t = first on; further ones of 99 when columns is 3. */
static const char *counts(const char *name, int first, int n, int columns)
{
    FILE *f = fopen(path_of(name), "wb");

    ck_assert_ptr_nonnull(f);
    for (int t = first; t < first + n; t++)
        for (int c = 0; c < columns; c++) {
            int16_t v = (int16_t)(c < 2 ? 10 * t + c : 99);
            fwrite(&v, sizeof v, 1, f);
        }
    fclose(f);
    return path_of(name);
}

/* A stream of two AP channels and sync; run and file names as SpikeGLX gives them. */
static const char *spikeglx(const char *name, int first, int n, int64_t first_sample, const char *serial)
{
    char bin[300], meta[300];
    FILE *f;

    snprintf(bin, sizeof bin, "%s.bin", name);
    snprintf(meta, sizeof meta, "%s.meta", name);
    ck_assert_ptr_nonnull(f = fopen(path_of(meta), "w"));
    fprintf(f,
        "typeThis=imec\nnSavedChans=3\nimSampRate=1000\nimAiRangeMax=0.5\nimMaxInt=500\nimDatPrb_sn=%s\n"
        "snsApLfSy=2,0,1\nacqApLfSy=2,0,1\nsnsSaveChanSubset=all\nimChan0apGain=1000\nfirstSample=%lld\n"
        "~snsGeomMap=(NP1000,1,0,70)(0:27:0:1)(0:59:0:1)\n",
        serial, (long long)first_sample);
    fclose(f);
    return counts(bin, first, n, 3);
}

/* Adds a line to the header of a file. */
static void tell(const char *name, const char *line)
{
    char meta[300];
    FILE *f;

    snprintf(meta, sizeof meta, "%s.meta", name);
    ck_assert_ptr_nonnull(f = fopen(path_of(meta), "a"));
    fprintf(f, "%s\n", line);
    fclose(f);
}

static nset_status try_open(
    nset_recording **r, const char *const *paths, size_t n, bool cut, const char *stream, char *why)
{
    nset_recording_options o = { .cut_overlap = cut, .stream = stream };
    nset_error err = { 0 };
    nset_status status = nset_recording_open(r, paths, n, &o, &err);

    snprintf(why, 600, "%s", err.text);
    return status;
}

/* The ramp of counts, whatever is read at once. */
static void check_ramp(nset_recording *r, int64_t n, double gain)
{
    nset_error err = { 0 };
    float x[200];

    ck_assert_int_eq(r->source->n_samples, n);
    for (size_t step = 1; step <= (size_t)n; step++)
        for (int64_t t = 0; t + (int64_t)step <= n; t += (int64_t)step) {
            ck_assert_int_eq(r->source->read(r->source, x, t, step, &err), NSET_OK);
            for (size_t k = 0; k < step; k++)
                for (int c = 0; c < 2; c++)
                    ck_assert_float_eq(x[2 * k + (size_t)c], (float)(gain * (double)(10 * (t + (int64_t)k) + c)));
        }
}

START_TEST(triggers_and_gates_are_joined_in_time)
{
    nset_recording *r = NULL;
    const char *paths[3];
    char why[600];

    paths[0] = spikeglx("r.1_g1_t0.imec0.ap", 9, 5, 70, "7"); /* given first, recorded last */
    paths[1] = spikeglx("r.1_g0_t0.imec0.ap", 0, 4, 40, "7");
    paths[2] = spikeglx("r.1_g0_t1.imec0.ap", 4, 5, 44, "7");
    ck_assert_msg(try_open(&r, paths, 3, false, NULL, why) == NSET_OK, "%s", why);
    check_ramp(r, 14, 1);
    ck_assert_uint_eq(r->n_pieces, 3);
    ck_assert_uint_eq(r->n_gaps, 1);
    ck_assert_int_eq(r->gap[0].sample, 9);
    ck_assert_double_eq_tol(r->gap[0].seconds, .021, 1e-12);
    ck_assert_double_eq(r->start_s, .04);
    ck_assert_double_eq_tol(nset_recording_seconds(r, 9), .07, 1e-12);
    nset_recording_close(r);
}
END_TEST

START_TEST(frames_that_two_files_hold_are_refused_or_cut)
{
    nset_recording *r = NULL;
    const char *paths[3];
    char why[600];

    paths[0] = spikeglx("o_g0_t0.imec0.ap", 0, 4, 40, "7");
    paths[1] = spikeglx("o_g0_t1.imec0.ap", 3, 3, 43, "7"); /* counts 3, 4, 5 */
    paths[2] = spikeglx("o_g0_t2.imec0.ap", 6, 2, 46, "7");
    ck_assert_int_eq(try_open(&r, paths, 3, false, NULL, why), NSET_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(why, "begins at sample 43, 1 before the end of"));
    ck_assert_ptr_nonnull(strstr(why, "--overlap cut"));
    ck_assert_msg(try_open(&r, paths, 3, true, NULL, why) == NSET_OK, "%s", why);
    check_ramp(r, 8, 1);
    ck_assert_uint_eq(r->n_gaps, 0);
    nset_recording_close(r);
}
END_TEST

START_TEST(a_file_inside_another_gives_nothing_when_cut)
{
    nset_recording *r = NULL;
    const char *paths[3];
    char why[600];

    paths[0] = spikeglx("i_g0_t0.imec0.ap", 0, 8, 40, "7");
    paths[1] = spikeglx("i_g0_t1.imec0.ap", 2, 3, 42, "7");
    paths[2] = spikeglx("i_g0_t2.imec0.ap", 8, 2, 48, "7");
    ck_assert_msg(try_open(&r, paths, 3, true, NULL, why) == NSET_OK, "%s", why);
    check_ramp(r, 10, 1);
    ck_assert_uint_eq(r->n_gaps, 0);
    nset_recording_close(r);
}
END_TEST

START_TEST(a_folder_is_one_stream_of_it)
{
    nset_recording *r = NULL;
    const char *path;
    char why[600];

    mkdir(path_of("run_g0"), 0777);
    mkdir(path_of("run_g0/run_g0_imec0"), 0777);
    path = path_of("run_g0");
    fclose(fopen(path_of("run_g0/other.meta"), "w")); /* of another program */
    ck_assert_int_eq(try_open(&r, &path, 1, false, NULL, why), NSET_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(why, "no reader knows"));
    spikeglx("run_g0/run_g0_imec0/run_g0_t0.imec0.ap", 0, 4, 40, "7");
    spikeglx("run_g0/run_g0_imec0/run_g0_t1.imec0.ap", 4, 4, 50, "7");
    ck_assert_msg(try_open(&r, &path, 1, false, NULL, why) == NSET_OK, "%s", why);
    check_ramp(r, 8, 1);
    ck_assert_uint_eq(r->n_gaps, 1);
    nset_recording_close(r);
    r = NULL;
    mkdir(path_of("run_g0/run_g0_imec1"), 0777);
    spikeglx("run_g0/run_g0_imec1/run_g0_t0.imec1.ap", 0, 6, 40, "8");
    ck_assert_int_eq(try_open(&r, &path, 1, false, NULL, why), NSET_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(why, "imec0.ap of probe 7, imec1.ap of probe 8"));
    ck_assert_int_eq(try_open(&r, &path, 1, false, "imec2.ap", why), NSET_ERR_FORMAT);
    for (int i = 0; i < 3; i++) {
        ck_assert_msg(try_open(&r, &path, 1, false, (const char *[]){ "imec1.ap", "8", "_imec1/" }[i], why) == NSET_OK,
            "%s", why);
        check_ramp(r, 6, 1);
        nset_recording_close(r);
        r = NULL;
    }
}
END_TEST

START_TEST(other_probes_runs_and_formats_are_not_joined)
{
    nset_recording *r = NULL;
    const char *paths[2];
    char why[600];

    paths[0] = spikeglx("a_g0_t0.imec0.ap", 0, 4, 40, "7");
    paths[1] = spikeglx("a_g0_t0.imec1.ap", 0, 4, 44, "8");
    ck_assert_int_eq(try_open(&r, paths, 2, false, NULL, why), NSET_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(why, "give files of one stream"));
    paths[1] = spikeglx("b_g0_t0.imec0.ap", 0, 4, 44, "7");
    ck_assert_int_eq(try_open(&r, paths, 2, false, NULL, why), NSET_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(why, "the clock starts anew"));
}
END_TEST

/* Clocks start anew, headers say when: 10 s after the first file's beginning, which holds 9 ms, then 20 s. */
START_TEST(runs_follow_each_other_as_their_headers_say)
{
    nset_recording *r = NULL;
    const char *paths[4];
    char why[600];

    paths[0] = spikeglx("d_g0_t0.imec0.ap", 13, 2, 5, "7");
    tell("d_g0_t0.imec0.ap", "fileCreateTime=2021-07-03T00:00:09");
    paths[1] = spikeglx("c_g0_t1.imec0.ap", 4, 5, 44, "7");
    tell("c_g0_t1.imec0.ap", "fileCreateTime=2021-07-02T23:59:50");
    paths[2] = spikeglx("c_g0_t0.imec0.ap", 0, 4, 40, "7");
    tell("c_g0_t0.imec0.ap", "fileCreateTime=2021-07-02T23:59:49");
    paths[3] = spikeglx("a2_g0_t0.imec0.ap", 9, 4, 7000, "7");
    tell("a2_g0_t0.imec0.ap", "fileCreateTime=2021-07-02T23:59:59");
    ck_assert_msg(try_open(&r, paths, 4, false, NULL, why) == NSET_OK, "%s", why);
    check_ramp(r, 15, 1);
    ck_assert_uint_eq(r->n_gaps, 2);
    ck_assert_int_eq(r->gap[0].sample, 9);
    ck_assert_double_eq_tol(r->gap[0].seconds, 10 - .009, 1e-9);
    ck_assert_int_eq(r->gap[1].sample, 13);
    ck_assert_double_eq_tol(nset_recording_seconds(r, 13), .04 + 20, 1e-9);
    ck_assert_uint_eq(json_array_size(r->warnings), 2);
    nset_recording_close(r);
    r = NULL;
    paths[0] = spikeglx("e_g0_t0.imec0.ap", 0, 5000, 5, "7"); /* five seconds, the next one begins after two */
    tell("e_g0_t0.imec0.ap", "fileCreateTime=2021-07-03T00:00:00");
    paths[1] = spikeglx("f_g0_t0.imec0.ap", 0, 2, 5, "7");
    tell("f_g0_t0.imec0.ap", "fileCreateTime=2021-07-03T00:00:02");
    ck_assert_int_eq(try_open(&r, paths, 2, false, NULL, why), NSET_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(why, "begun 3 s before the end"));
}
END_TEST

static nset_recording *open_cat(const char *offsets, size_t n_warnings)
{
    nset_recording *r = NULL;
    const char *path = spikeglx("cat/x_imec0/x_g0_tcat.imec0.ap", 0, 20, 40, "7");
    char why[600];
    FILE *f = fopen(path_of("cat/x_g0_ct_offsets.txt"), "w");

    ck_assert_ptr_nonnull(f);
    fputs(offsets, f);
    fclose(f);
    ck_assert_msg(try_open(&r, &path, 1, false, NULL, why) == NSET_OK, "%s", why);
    check_ramp(r, 20, 1);
    ck_assert_uint_eq(json_array_size(r->warnings), n_warnings);
    return r;
}

START_TEST(catgt_tells_where_its_pieces_begin)
{
    nset_recording *r;

    mkdir(path_of("cat"), 0777);
    mkdir(path_of("cat/x_imec0"), 0777);
    r = open_cat("smp_imap01:\t0\t3\nsmp_imap0:\t0\t7\t15\r\nsmp_imlf0:\t0\t1\nsec_imap0:\t0.0\t0.007\n", 0);
    ck_assert_uint_eq(r->n_gaps, 2);
    ck_assert_int_eq(r->gap[0].sample, 7);
    ck_assert_int_eq(r->gap[1].sample, 15);
    ck_assert_double_eq(r->gap[0].seconds, 0);
    ck_assert_double_eq_tol(nset_recording_seconds(r, 15), .055, 1e-12);
    nset_recording_close(r);
    r = open_cat("smp_imap0:\t0\t7\t7\n", 1); /* the second does not follow */
    ck_assert_uint_eq(r->n_gaps, 1);
    nset_recording_close(r);
    r = open_cat("smp_imap0:\t0\t20\n", 1); /* none of the 20 frames */
    ck_assert_uint_eq(r->n_gaps, 0);
    nset_recording_close(r);
    r = open_cat("smp_imap0:\t0\t999999999999999999999999\n", 1);
    ck_assert_uint_eq(r->n_gaps, 0);
    nset_recording_close(r);
    r = open_cat("smp_imap0:\t-4 x\n", 0);
    ck_assert_uint_eq(r->n_gaps, 0);
    nset_recording_close(r);
    r = open_cat("smp_ni:\t0\t5", 0);
    ck_assert_uint_eq(r->n_gaps, 0);
    nset_recording_close(r);
}
END_TEST

START_TEST(raw_files_in_a_row)
{
    nset_recording_options o = { .format = "raw", .rate_hz = 1000, .n_channels = 2, .gain_uv = .5 };
    nset_recording *r = NULL;
    nset_error err = { 0 };
    const char *paths[2];

    paths[0] = counts("a.dat", 0, 7, 2);
    paths[1] = counts("b.dat", 7, 4, 2);
    ck_assert_msg(nset_recording_open(&r, paths, 2, &o, &err) == NSET_OK, "%s", err.text);
    check_ramp(r, 11, .5);
    ck_assert_uint_eq(r->n_gaps, 0);
    ck_assert_uint_eq(r->n_pieces, 2);
    nset_recording_close(r);
}
END_TEST

START_TEST(arrays_of_other_shapes_are_refused)
{
    nset_recording_options o = { .rate_hz = 1000 };
    nset_recording *r = NULL;
    nset_error err = { 0 };
    const char *paths[2];

    for (int i = 0; i < 2; i++) {
        char line[80];
        FILE *f = fopen(path_of(i ? "b.npy" : "a.npy"), "wb");
        snprintf(line, sizeof line, "{'descr': '<i2', 'fortran_order': False, 'shape': (3, %d), }", 2 + i);
        fwrite("\x93NUMPY\x01\0\x3e\0", 1, 10, f);
        fprintf(f, "%-61s\n", line);
        fwrite("0123456789abcdefgh", 1, (size_t)(12 + 6 * i), f);
        fclose(f);
        paths[i] = path_of(i ? "b.npy" : "a.npy");
    }
    ck_assert_int_eq(nset_recording_open(&r, paths, 2, &o, &err), NSET_ERR_FORMAT);
    ck_assert_msg(strstr(err.text, "differs from") && strstr(err.text, "number of channels"), "%s", err.text);
    err = (nset_error){ 0 };
    ck_assert_msg(
        nset_recording_open(&r, (const char *[]){ paths[0], paths[0] }, 2, &o, &err) == NSET_OK, "%s", err.text);
    ck_assert_int_eq(r->source->n_samples, 6);
    nset_recording_close(r);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("join");
    TCase *t = tcase_create("all");
    SRunner *runner;
    char remove[300];
    int failed;

    if (!mkdtemp(folder))
        return 1;
    tcase_add_test(t, triggers_and_gates_are_joined_in_time);
    tcase_add_test(t, frames_that_two_files_hold_are_refused_or_cut);
    tcase_add_test(t, a_file_inside_another_gives_nothing_when_cut);
    tcase_add_test(t, a_folder_is_one_stream_of_it);
    tcase_add_test(t, other_probes_runs_and_formats_are_not_joined);
    tcase_add_test(t, runs_follow_each_other_as_their_headers_say);
    tcase_add_test(t, catgt_tells_where_its_pieces_begin);
    tcase_add_test(t, raw_files_in_a_row);
    tcase_add_test(t, arrays_of_other_shapes_are_refused);
    suite_add_tcase(s, t);
    runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    snprintf(remove, sizeof remove, "rm -r '%s'", folder);
    return system(remove) != 0 || failed != 0;
}
