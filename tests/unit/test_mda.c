/* MountainSort's .mda and what lies beside it; formats that are refused by name. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "recording_tests.h"
#include "ephys/refused.h"

static char folder[] = "/tmp/neuroset-mda-XXXXXX";

static char *in_folder(char *path, const char *name)
{
    snprintf(path, 300, "%s/%s", folder, name);
    return path;
}

static void write_file(const char *name, const void *bytes, size_t n)
{
    char path[300];
    FILE *f = fopen(in_folder(path, name), "wb");

    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(bytes, 1, n, f), n);
    fclose(f);
}

static void remove_file(const char *name)
{
    char path[300];

    remove(in_folder(path, name));
}

static nset_recording *must_open(const char *path, const nset_recording_options *o)
{
    return must_open_with(&path, 1, o);
}

static void must_fail(const char *path, const char *says)
{
    must_fail_with(&path, 1, &(nset_recording_options){ .rate_hz = 1000 }, says);
}

/* (2, 3) announced as (2, 4): sample after sample, channel 0 first. */
static const struct {
    int32_t start[3];
    int32_t dims[4]; /* two of 64 bits */
    int16_t counts[6];
} small = { { -4, 2, -2 }, { 2, 0, 4, 0 }, { 1, -1, 2, -2, 3, -3 } };

START_TEST(a_recording_with_neighbours)
{
    const char params[] = "{\"samplerate\": 20000, \"spike_sign\": -1}", geom[] = "0,40\n0,0\n";
    nset_recording_options o = { 0 };
    nset_recording *r;
    nset_error err = { 0 };
    char path[300];
    float x[6];

    write_file("raw.mda", &small, 12 + 16 + 12);
    write_file("params.json", params, strlen(params));
    write_file("geom.csv", geom, strlen(geom));
    for (int i = 0; i < 2; i++) {
        r = must_open(i ? folder : in_folder(path, "raw.mda"), &o);
        ck_assert_double_eq(r->source->rate_hz, 20000);
        ck_assert_int_eq(r->source->n_samples, 3);
        ck_assert_double_eq(r->probe.y_um[1], 40);
        ck_assert_int_eq(r->source->read(r->source, x, 0, 3, &err), NSET_OK);
        ck_assert_float_eq(x[4], -3); /* the lower contact comes first */
        ck_assert_float_eq(x[5], 3);
        nset_recording_close(r);
    }
    o.rate_hz = 30000;
    r = must_open(path, &o);
    ck_assert_double_eq(r->source->rate_hz, 30000);
    nset_recording_close(r);
    remove_file("raw.mda");
    remove_file("params.json");
    remove_file("geom.csv");
}
END_TEST

START_TEST(what_is_no_recording)
{
    const int32_t complex[5] = { -1, 8, 2, 2, 2 }, cube[6] = { -4, 2, 3, 2, 2, 2 }, wide[5] = { -4, 4, 2, 2, 2 },
                  negative[5] = { -4, 2, 2, -2, 2 };
    char path[300];

    write_file("a.mda", complex, sizeof complex);
    must_fail(in_folder(path, "a.mda"), "complex");
    write_file("a.mda", cube, sizeof cube);
    must_fail(path, "3 axes");
    write_file("a.mda", wide, sizeof wide);
    must_fail(path, "4 bytes a number");
    write_file("a.mda", negative, sizeof negative);
    must_fail(path, "(-2, 2)");
    write_file("a.mda", negative, 7);
    must_fail(path, "7 bytes");
    remove_file("a.mda");
}
END_TEST

START_TEST(formats_known_by_name)
{
    char path[300], mark[400];

    write_file("a.plx", "PLEX\0\0\0\0", 8);
    must_fail(in_folder(path, "a.plx"), "Plexon's .plx");
    remove(path);
    write_file("a.pl2", "x", 1);
    must_fail(in_folder(path, "a.pl2"), "PL2 is not documented");
    remove(path);
    in_folder(path, "a.zarr");
    ck_assert_int_eq(mkdir(path, 0700), 0);
    ck_assert_int_eq(nset_refuse_known(path, NULL), NSET_OK);
    write_file("a.zarr/.zgroup", "{}", 2);
    must_fail(path, "Zarr");
    snprintf(mark, sizeof mark, "%s/.zgroup", path);
    remove(mark);
    rmdir(path);
    ck_assert_int_eq(nset_refuse_known("/nowhere/a.pl", NULL), NSET_OK);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mda");
    TCase *tc = tcase_create("core");
    SRunner *runner;
    int failed;

    if (!mkdtemp(folder))
        return 99;
    tcase_add_test(tc, a_recording_with_neighbours);
    tcase_add_test(tc, what_is_no_recording);
    tcase_add_test(tc, formats_known_by_name);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    remove(folder);
    return failed != 0;
}
