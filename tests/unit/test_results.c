/* Result folders, NumPy files and pictures. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <neuroset/memory.h>

#include "results/npz.h"
#include "results/png.h"
#include "results/run.h"

static char place[] = "/tmp/neuroset-results-XXXXXX";
static char path[300];

static const char *at(const char *name)
{
    snprintf(path, sizeof path, "%s/%s", place, name);
    return path;
}

static bool there(const char *name)
{
    return access(at(name), F_OK) == 0;
}

static char *slurp(const char *name, size_t *n)
{
    FILE *f = fopen(at(name), "rb");
    char *text = calloc(1, 1 << 16);

    ck_assert_msg(f && text, "%s", path);
    *n = fread(text, 1, 1 << 16, f);
    fclose(f);
    return text;
}

static void spill(const char *name, const char *text, size_t n)
{
    FILE *f = fopen(at(name), "wb");

    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(text, 1, n, f), n);
    fclose(f);
}

static const int32_t counts[6] = { 1, -2, 3, 4, 5, 6 };
static const double values[2] = { .5, -1e300 };
static const nset_array arrays[] = {
    { .name = "counts", .descr = "<i4", .rank = 2, .shape = { 2, 3 }, .data = counts },
    { .name = "values", .descr = "<f8", .rank = 1, .shape = { 2 }, .data = values },
    { .name = "none", .descr = "<i8", .rank = 1, .shape = { 0 }, .data = NULL },
};

START_TEST(arrays_come_back_and_twice_are_the_same_bytes)
{
    nset_error err = { 0 };
    nset_npz *z = NULL;
    size_t n, m, shape[4];
    char *a, *b;
    const int64_t *i;
    const double *f;

    ck_assert_msg(nset_npz_write(at("a.npz"), arrays, 3, &err) == NSET_OK, "%s", err.text);
    sleep(1); /* a clock in the file would show */
    ck_assert_int_eq(nset_npz_write(at("b.npz"), arrays, 3, &err), NSET_OK);
    a = slurp("a.npz", &n);
    b = slurp("b.npz", &m);
    ck_assert(n == m && !memcmp(a, b, n));
    free(a);
    free(b);
    ck_assert_msg(nset_npz_open(&z, at("a.npz"), &err) == NSET_OK, "%s", err.text);
    ck_assert_ptr_nonnull(i = nset_npz_i64(z, "counts", &n));
    ck_assert(n == 6 && i[1] == -2 && i[5] == 6);
    ck_assert_uint_eq(nset_npz_shape(z, "counts", shape), 2);
    ck_assert(shape[0] == 2 && shape[1] == 3);
    ck_assert_ptr_nonnull(f = nset_npz_f64(z, "values", &n));
    ck_assert(n == 2 && f[1] == -1e300);
    nset_npz_i64(z, "none", &n);
    ck_assert_uint_eq(n, 0);
    ck_assert_ptr_null(nset_npz_f64(z, "other", &n));
    nset_npz_close(z);
}
END_TEST

START_TEST(a_cut_npy_is_refused_at_every_byte)
{
    nset_error err = { 0 };
    nset_npz *z = NULL;
    size_t n;
    char *whole;

    ck_assert_int_eq(nset_npy_write(at("whole.npy"), arrays, &err), NSET_OK);
    whole = slurp("whole.npy", &n);
    for (size_t k = 0; k < n; k++) {
        err = (nset_error){ 0 };
        spill("cut.npy", whole, k);
        ck_assert_msg(nset_npz_open(&z, at("cut.npy"), &err) != NSET_OK, "%zu of %zu bytes were read", k, n);
        ck_assert_msg(strstr(err.text, "cut.npy"), "%s", err.text);
    }
    spill("cut.npy", whole, n);
    ck_assert_int_eq(nset_npz_open(&z, at("cut.npy"), &err), NSET_OK);
    nset_npz_close(z);
    free(whole);
}
END_TEST

static nset_run_folder *begin(const char *name, bool overwrite)
{
    nset_error err = { 0 };
    nset_run_folder *f = NULL;

    ck_assert_msg(nset_run_folder_open(&f, at(name), overwrite, &err) == NSET_OK, "%s", err.text);
    return f;
}

static void fill(nset_run_folder *f, const char *name, const char *text)
{
    nset_error err = { 0 };
    const char *full = nset_run_folder_path(f, name, &err);
    FILE *out = full ? fopen(full, "w") : NULL;

    ck_assert_msg(out, "%s", err.text);
    fputs(text, out);
    fclose(out);
}

/* The hash in run.json; a static buffer of two, so that two can be compared. */
static const char *hash_of(const char *name)
{
    static char text[2][40];
    static int turn;
    char file[64];
    json_t *run;

    snprintf(file, sizeof file, "%s/run.json", name);
    ck_assert_ptr_nonnull(run = json_load_file(at(file), 0, NULL));
    turn = !turn;
    snprintf(text[turn], sizeof text[turn], "%s", json_string_value(json_object_get(run, "result_xxh3_128")));
    ck_assert_uint_eq(strlen(text[turn]), 32);
    json_decref(run);
    return text[turn];
}

START_TEST(a_folder_appears_whole_and_its_hash_is_of_names_and_bytes)
{
    static const struct {
        const char *folder, *first, *second;
    } made[] = { { "one", "a", "b" }, { "two", "b", "a" }, { "three", "a", "c" } };
    nset_error err = { 0 };

    for (size_t k = 0; k < 3; k++) {
        nset_run_folder *f = begin(made[k].folder, false);
        fill(f, made[k].first, made[k].first);
        fill(f, made[k].second, made[k].second);
        nset_run_folder_stage(f, "filter", 1000);
        nset_run_folder_warn(f, "%s", "something");
        ck_assert(!there(made[k].folder));
        ck_assert_msg(nset_run_folder_commit(f, &err) == NSET_OK, "%s", err.text);
    }
    ck_assert_str_eq(hash_of("one"), hash_of("two"));
    ck_assert_str_ne(hash_of("one"), hash_of("three"));
}
END_TEST

START_TEST(an_existing_folder_is_kept_unless_told)
{
    nset_error err = { 0 };
    nset_run_folder *f = begin("kept", false), *none = NULL;

    fill(f, "deep/er/old", "old");
    ck_assert_int_eq(nset_run_folder_commit(f, &err), NSET_OK);
    ck_assert_int_eq(nset_run_folder_open(&none, at("kept"), false, &err), NSET_ERR_ARG);
    ck_assert_ptr_null(none);
    f = begin("kept/", true);
    fill(f, "new", "new");
    ck_assert(there("kept/deep/er/old"));
    nset_run_folder_abort(f);
    ck_assert(there("kept/deep/er/old") && !there("kept/new"));
    f = begin("kept", true);
    fill(f, "new", "new");
    err = (nset_error){ 0 };
    ck_assert_msg(nset_run_folder_commit(f, &err) == NSET_OK, "%s", err.text);
    ck_assert(there("kept/new") && !there("kept/deep"));
}
END_TEST

START_TEST(what_cannot_be_a_folder_is_told)
{
    nset_error err = { 0 };
    nset_run_folder *f = NULL;

    spill("file", "x", 1);
    ck_assert_int_ne(nset_run_folder_open(&f, at("file"), true, &err), NSET_OK);
    ck_assert(there("file"));
    err = (nset_error){ 0 };
    ck_assert_int_eq(nset_run_folder_open(&f, "/proc/neuroset", false, &err), NSET_ERR_IO);
    ck_assert_ptr_nonnull(strstr(err.text, "/proc/neuroset"));
    err = (nset_error){ 0 };
    ck_assert_int_eq(nset_run_folder_open(&f, "", false, &err), NSET_ERR_ARG);
    ck_assert_ptr_null(f);
    nset_run_folder_abort(NULL);
}
END_TEST

static void assert_status(const char *folder, const char *status)
{
    char name[400];
    json_t *run;

    snprintf(name, sizeof name, "%s/run.json", folder);
    ck_assert_ptr_nonnull(run = json_load_file(name, 0, NULL));
    ck_assert_str_eq(json_string_value(json_object_get(run, "status")), status);
    json_decref(run);
}

START_TEST(run_json_tells_the_state_at_any_time)
{
    char part[400];
    nset_run_folder *f = begin("state", false);
    nset_error err = { 0 };

    snprintf(part, sizeof part, "%s.tmp-neuroset", at("state"));
    assert_status(part, "running");
    nset_run_folder_stage(f, "noise", 0);
    assert_status(part, "running");
    ck_assert_int_eq(nset_run_folder_commit(f, &err), NSET_OK);
    assert_status(at("state"), "done");
}
END_TEST

static const char key[] = "00ff", other_key[] = "00fe";

static nset_run_folder *resume(const char *name, bool overwrite, const char *with, bool go_on, nset_status expected)
{
    nset_error err = { 0 };
    nset_run_folder *f = NULL;

    ck_assert_msg(nset_run_folder_resume(&f, at(name), overwrite, with, go_on, &err) == expected, "%s", err.text);
    return f;
}

static void leave(nset_run_folder *f, const char *step)
{
    char file[400];
    FILE *out;

    snprintf(file, sizeof file, "%s-%s", nset_run_folder_work(f), step);
    ck_assert_ptr_nonnull(out = fopen(file, "w"));
    fclose(out);
}

/* A run in another process that ends without a word after it has left a step and half a result. */
static void killed(const char *name, const char *with)
{
    pid_t child = fork();
    int how;

    if (child == 0) {
        nset_run_folder *f = resume(name, false, with, false, NSET_OK);
        leave(f, "step");
        fill(f, "half", "ha");
        _exit(0);
    }
    ck_assert(waitpid(child, &how, 0) == child && how == 0);
}

START_TEST(a_run_goes_on_from_what_a_killed_one_left)
{
    nset_error err = { 0 };
    nset_run_folder *f;

    killed("cut", key);
    ck_assert(there("cut.tmp-neuroset/.work/00ff-step") && there("cut.tmp-neuroset/half"));
    f = resume("cut", false, key, true, NSET_OK);
    ck_assert(there("cut.tmp-neuroset/.work/00ff-step") && !there("cut.tmp-neuroset/half"));
    fill(f, "whole", "whole");
    ck_assert_msg(nset_run_folder_commit(f, &err) == NSET_OK, "%s", err.text);
    ck_assert(there("cut/whole") && !there("cut/.work") && !there("cut.tmp-neuroset"));
    ck_assert_ptr_null(resume("cut", false, key, true, NSET_OK)); /* the result is there */
    ck_assert(there("cut/whole") && !there("cut.tmp-neuroset"));
    resume("cut", false, key, false, NSET_ERR_ARG);
    resume("cut", false, other_key, true, NSET_ERR_ARG);
}
END_TEST

START_TEST(what_others_left_is_not_gone_on_with)
{
    killed("other", key);
    nset_run_folder_abort(resume("other", false, other_key, true, NSET_OK));
    ck_assert(!there("other.tmp-neuroset"));
    killed("fresh", key);
    nset_run_folder_abort(resume("fresh", false, key, false, NSET_OK));
    ck_assert(!there("fresh.tmp-neuroset"));
    killed("plain", key);
    nset_run_folder_abort(begin("plain", false));
    ck_assert(!there("plain.tmp-neuroset"));
}
END_TEST

START_TEST(a_result_cut_off_before_its_renaming_is_moved)
{
    nset_error err = { 0 };
    nset_run_folder *f = resume("late", false, key, false, NSET_OK);

    fill(f, "new", "new");
    ck_assert_int_eq(nset_run_folder_commit(f, &err), NSET_OK);
    ck_assert_int_eq(rename(strdupa(at("late")), strdupa(at("late.tmp-neuroset"))), 0);
    ck_assert_int_eq(mkdir(at("late"), 0777), 0);
    spill("late/old", "old", 3);
    resume("late", false, key, true, NSET_ERR_ARG); /* not without --overwrite */
    ck_assert(there("late/old") && there("late.tmp-neuroset/new"));
    ck_assert_ptr_null(resume("late", true, key, true, NSET_OK));
    ck_assert(there("late/new") && !there("late/old") && !there("late.tmp-neuroset"));
}
END_TEST

START_TEST(two_runs_do_not_write_one_folder)
{
    nset_error err = { 0 };
    nset_run_folder *f = begin("both", false), *second = NULL;

    ck_assert_int_eq(nset_run_folder_open(&second, at("both"), false, &err), NSET_ERR_ARG);
    ck_assert_ptr_nonnull(strstr(err.text, "another run"));
    ck_assert(there("both.tmp-neuroset/run.json"));
    nset_run_folder_abort(f);
    nset_run_folder_abort(begin("both", false));
    ck_assert_int_eq(mkdir(at("mine.tmp-neuroset"), 0777), 0);
    spill("mine.tmp-neuroset/thesis", "x", 1);
    err = (nset_error){ 0 };
    ck_assert_int_eq(nset_run_folder_open(&second, at("mine"), false, &err), NSET_ERR_ARG);
    ck_assert_ptr_nonnull(strstr(err.text, "in the way"));
    ck_assert(there("mine.tmp-neuroset/thesis"));
}
END_TEST

START_TEST(the_way_to_a_folder_is_made_and_taken_away_if_nothing_comes)
{
    nset_error err = { 0 };
    nset_run_folder *f = begin("far/far/away", false);

    nset_run_folder_abort(f);
    ck_assert(!there("far"));
    f = begin("far/far/away", false);
    ck_assert_int_eq(nset_run_folder_commit(f, &err), NSET_OK);
    ck_assert(there("far/far/away/run.json"));
    f = begin("far/other/away", false);
    nset_run_folder_abort(f);
    ck_assert(there("far/far/away") && !there("far/other"));
}
END_TEST

START_TEST(inputs_are_known_by_size_and_ends)
{
    enum { BIG = 5 << 20 };
    static char big[BIG];
    char name[400], *hash[4];
    nset_error err = { 0 };
    nset_run_folder *f = begin("inputs", false);
    json_t *run, *list;

    for (int k = 0; k < 4; k++) { /* as it is, changed in the middle, in the last MiB, shorter */
        memset(big, 7, BIG);
        big[k == 1 ? BIG / 2 : BIG - 1] = k == 1 || k == 2 ? 8 : 7;
        spill("input", big, k == 3 ? 10 : BIG);
        nset_run_folder_input(f, at("input"));
    }
    nset_run_folder_input(f, at("not there"));
    ck_assert_int_eq(nset_run_folder_commit(f, &err), NSET_OK);
    snprintf(name, sizeof name, "%s/run.json", at("inputs"));
    ck_assert_ptr_nonnull(run = json_load_file(name, 0, NULL));
    list = json_object_get(run, "input_files");
    ck_assert_uint_eq(json_array_size(list), 4);
    for (size_t k = 0; k < 4; k++)
        hash[k] = strdup(json_string_value(json_object_get(json_array_get(list, k), "xxh64_of_ends")));
    ck_assert_int_eq(json_integer_value(json_object_get(json_array_get(list, 0), "bytes")), BIG);
    ck_assert_int_eq(json_integer_value(json_object_get(json_array_get(list, 3), "bytes")), 10);
    ck_assert_str_eq(hash[0], hash[1]);
    ck_assert_str_ne(hash[0], hash[2]);
    ck_assert_str_ne(hash[0], hash[3]);
    for (size_t k = 0; k < 4; k++)
        free(hash[k]);
    json_decref(run);
}
END_TEST

START_TEST(a_picture_is_a_png_and_a_bad_place_is_told)
{
    static const uint8_t pixels[12] = { 0, 50, 100, 150, 200, 250, 1, 2, 3, 4, 5, 6 };
    nset_error err = { 0 };
    size_t n;
    char *bytes;

    ck_assert_msg(nset_png_write(at("gray.png"), pixels, 3, 4, 1, &err) == NSET_OK, "%s", err.text);
    ck_assert_int_eq(nset_png_write(at("rgb.png"), pixels, 2, 2, 3, &err), NSET_OK);
    bytes = slurp("gray.png", &n);
    ck_assert(n > 40 && !memcmp(bytes, "\x89PNG\r\n\x1a\n", 8));
    ck_assert(bytes[19] == 4 && bytes[23] == 3); /* width, height of the IHDR chunk */
    free(bytes);
    ck_assert_int_eq(nset_png_write("/nowhere/at/all.png", pixels, 2, 2, 3, &err), NSET_ERR_IO);
    ck_assert_ptr_nonnull(strstr(err.text, "/nowhere/at/all.png"));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("results");
    TCase *t = tcase_create("files");
    SRunner *r = srunner_create(s);
    char command[64];
    int failed;

    if (!mkdtemp(place))
        return 99;
    suite_add_tcase(s, t);
    tcase_add_test(t, arrays_come_back_and_twice_are_the_same_bytes);
    tcase_add_test(t, a_cut_npy_is_refused_at_every_byte);
    tcase_add_test(t, a_folder_appears_whole_and_its_hash_is_of_names_and_bytes);
    tcase_add_test(t, an_existing_folder_is_kept_unless_told);
    tcase_add_test(t, what_cannot_be_a_folder_is_told);
    tcase_add_test(t, run_json_tells_the_state_at_any_time);
    tcase_add_test(t, a_run_goes_on_from_what_a_killed_one_left);
    tcase_add_test(t, what_others_left_is_not_gone_on_with);
    tcase_add_test(t, a_result_cut_off_before_its_renaming_is_moved);
    tcase_add_test(t, two_runs_do_not_write_one_folder);
    tcase_add_test(t, the_way_to_a_folder_is_made_and_taken_away_if_nothing_comes);
    tcase_add_test(t, inputs_are_known_by_size_and_ends);
    tcase_add_test(t, a_picture_is_a_png_and_a_bad_place_is_told);
    srunner_run_all(r, CK_NORMAL);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    snprintf(command, sizeof command, "rm -rf %s", place);
    return system(command) != 0 || failed != 0;
}
