/* NWB recordings made here, sound and broken: both orders of axes, times, scales, places, links, refusals. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "results/h5.h"
#include "ephys/recording.h"

enum { FRAMES = 40, COLUMNS = 3 };

static char folder[] = "/tmp/neuroset-nwb-XXXXXX";
static char path[160];
static hid_t file, series;

static void put_text(hid_t at, const char *name, const char *text)
{
    hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR), a;

    H5Tset_size(type, strlen(text));
    a = H5Acreate2(at, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    H5Awrite(a, type, text);
    H5Aclose(a);
    H5Sclose(space);
    H5Tclose(type);
}

static void put_number(hid_t at, const char *name, double x)
{
    hid_t space = H5Screate(H5S_SCALAR), a = H5Acreate2(at, name, H5T_IEEE_F64LE, space, H5P_DEFAULT, H5P_DEFAULT);

    H5Awrite(a, H5T_NATIVE_DOUBLE, &x);
    H5Aclose(a);
    H5Sclose(space);
}

/* A dataset of doubles (n, m), or (n) where m is 0; stays open. */
static hid_t put(hid_t at, const char *name, hid_t type, const double *x, hsize_t n, hsize_t m)
{
    hsize_t dims[2] = { n, m };
    hid_t space = H5Screate_simple(m ? 2 : 1, dims, NULL);
    hid_t d = H5Dcreate2(at, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);

    ck_assert_int_ge(H5Dwrite(d, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, x), 0);
    H5Sclose(space);
    return d;
}

static void put_away(hid_t at, const char *name, const double *x, hsize_t n)
{
    H5Dclose(put(at, name, H5T_IEEE_F64LE, x, n, 0));
}

static hid_t make_group(hid_t at, const char *name)
{
    return H5Gcreate2(at, name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
}

static void begin(void)
{
    snprintf(path, sizeof path, "%s/a.nwb", folder);
    file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    put_text(file, "nwb_version", "2.6.0");
    H5Gclose(make_group(file, "acquisition"));
    series = make_group(file, "acquisition/Raw");
    put_text(series, "neurodata_type", "ElectricalSeries");
}

/* Counts 10 t + c. */
static hid_t put_data(bool transposed)
{
    double x[FRAMES * COLUMNS];

    for (int t = 0; t < FRAMES; t++)
        for (int c = 0; c < COLUMNS; c++)
            x[transposed ? c * FRAMES + t : t * COLUMNS + c] = 10 * t + c;
    return transposed ? put(series, "data", H5T_STD_I16LE, x, COLUMNS, FRAMES)
                      : put(series, "data", H5T_STD_I16LE, x, FRAMES, COLUMNS);
}

static void put_rate(double start, double rate)
{
    hid_t d = put(series, "starting_time", H5T_IEEE_F64LE, &start, 1, 0);

    put_number(d, "rate", rate);
    H5Dclose(d);
}

static void end(void)
{
    H5Gclose(series);
    H5Fclose(file);
}

static nset_status open_it(nset_recording **r, nset_error *err)
{
    nset_recording_options o = { 0 };
    const char *paths = path;

    return nset_recording_open(r, &paths, 1, &o, err);
}

static nset_recording *opened(void)
{
    nset_recording *r = NULL;
    nset_error err = { 0 };

    ck_assert_msg(open_it(&r, &err) == NSET_OK, "%s", err.text);
    return r;
}

static void refused(const char *because)
{
    nset_recording *r = NULL;
    nset_error err = { 0 };

    ck_assert_int_eq(open_it(&r, &err), NSET_ERR_FORMAT);
    ck_assert_msg(strstr(err.text, because), "'%s' does not say '%s'", err.text, because);
    ck_assert_ptr_null(strchr(err.text, '\n'));
}

/* A sound file with 1000 Hz from 2 s on, as far as the parts that a test leaves out. */
static void make(bool data, bool rate)
{
    begin();
    if (data) {
        hid_t d = put_data(false);
        put_number(d, "conversion", 2e-6);
        H5Dclose(d);
    }
    if (rate)
        put_rate(2, 1000);
}

START_TEST(either_order_of_axes_gives_the_same_samples)
{
    double times[FRAMES];
    float x[2][FRAMES * COLUMNS];
    nset_error err = { 0 };

    for (int t = 0; t < FRAMES; t++)
        times[t] = 5 + t / 1000.;
    for (int transposed = 0; transposed < 2; transposed++) {
        hid_t d;
        nset_recording *r;
        begin();
        d = put_data(transposed);
        put_number(d, "conversion", 1e-6);
        put_number(d, "offset", 3e-6);
        H5Dclose(d);
        put_away(series, "channel_conversion", (double[]){ 1, 2, 4 }, 3);
        put_away(series, "timestamps", times, FRAMES);
        end();
        r = opened();
        ck_assert_uint_eq(r->source->n_channels, COLUMNS);
        ck_assert_int_eq(r->source->n_samples, FRAMES);
        ck_assert_double_eq_tol(r->source->rate_hz, 1000, 1e-6);
        ck_assert_double_eq(r->start_s, 5);
        ck_assert_int_eq(r->source->read(r->source, x[transposed], 0, FRAMES, &err), NSET_OK);
        for (size_t i = 0; i < COLUMNS; i++)
            if (r->file_channel[i] == 2)
                ck_assert_float_eq_tol(x[transposed][7 * COLUMNS + i], 4 * 72 + 3, 1e-4);
        nset_recording_close(r);
    }
    ck_assert_mem_eq(x[0], x[1], sizeof x[0]);
}
END_TEST

START_TEST(gaps_are_found_in_the_times)
{
    double times[FRAMES];
    nset_recording *r;

    for (int t = 0; t < FRAMES; t++)
        times[t] = t / 1000. + (t >= 10 ? .25 : 0) - (t >= 30 ? .5 : 0);
    make(true, false);
    put_away(series, "timestamps", times, FRAMES);
    end();
    r = opened();
    ck_assert_uint_eq(r->n_gaps, 2);
    ck_assert_int_eq(r->gap[0].sample, 10);
    ck_assert_double_eq_tol(r->gap[0].seconds, .25, 1e-9);
    ck_assert_int_eq(r->gap[1].sample, 30);
    ck_assert_double_eq_tol(r->gap[1].seconds, -.5, 1e-9);
    nset_recording_close(r);
    times[20] = NAN;
    make(true, false);
    put_away(series, "timestamps", times, FRAMES);
    end();
    refused("entry 20 is not finite");
    memset(times, 0, sizeof times);
    make(true, false);
    put_away(series, "timestamps", times, FRAMES);
    end();
    refused("timestamps do not increase");
}
END_TEST

static void put_electrodes(const double *rows, const double *x, const char *const *groups)
{
    hid_t type = H5Tcopy(H5T_C_S1), space, d, table;
    hsize_t n = 4;

    H5Gclose(make_group(file, "general"));
    H5Gclose(make_group(file, "general/extracellular_ephys"));
    table = make_group(file, "general/extracellular_ephys/electrodes");
    put_away(table, "rel_x", x, 4);
    put_away(table, "rel_y", (double[]){ 0, 20, 40, 60 }, 4);
    H5Tset_size(type, H5T_VARIABLE);
    space = H5Screate_simple(1, &n, NULL);
    d = H5Dcreate2(table, "group_name", type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    H5Dwrite(d, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, groups);
    H5Dclose(d);
    H5Sclose(space);
    H5Tclose(type);
    H5Gclose(table);
    put_away(series, "electrodes", rows, 3);
}

START_TEST(places_and_shanks_come_from_the_table)
{
    static const char *const groups[4] = { "b", "a", "a", "b" };
    static const double x[4] = { 250, 0, 5, 260 }, bad_x[4] = { 250, 0, 5, NAN };
    nset_recording *r;

    make(true, true);
    put_electrodes((double[]){ 3, 0, 2 }, x, groups);
    end();
    r = opened();
    for (size_t i = 0; i < 3; i++) {
        static const double want_x[3] = { 260, 250, 5 }, want_y[3] = { 60, 0, 40 };
        static const int shank[3] = { 1, 1, 0 };
        ck_assert_double_eq(r->probe.x_um[i], want_x[r->file_channel[i]]);
        ck_assert_double_eq(r->probe.y_um[i], want_y[r->file_channel[i]]);
        ck_assert_int_eq(r->probe.shank[i], shank[r->file_channel[i]]);
    }
    ck_assert_uint_eq(json_array_size(r->warnings), 0);
    nset_recording_close(r);
    for (int broken = 0; broken < 2; broken++) {
        make(true, true);
        put_electrodes(broken ? (double[]){ 3, 0, 4 } : (double[]){ 3, 0, 1 }, broken ? x : bad_x, groups);
        end();
        r = opened();
        ck_assert_ptr_nonnull(
            strstr(json_string_value(json_array_get(r->warnings, 0)), broken ? "not in the table" : "not a number"));
        nset_recording_close(r);
    }
}
END_TEST

START_TEST(links_are_followed_and_circles_end)
{
    nset_recording *r;

    make(true, true);
    H5Lmove(file, "acquisition/Raw", file, "elsewhere", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_soft("/elsewhere", file, "acquisition/Linked", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_soft("/acquisition", file, "acquisition/circle", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_soft("/nowhere", file, "acquisition/lost", H5P_DEFAULT, H5P_DEFAULT);
    end();
    r = opened();
    ck_assert_double_eq(r->start_s, 2);
    nset_recording_close(r);
}
END_TEST

/* A filter no one has, on a chunked dataset. */
static size_t pass(unsigned flags, size_t n, const unsigned *v, size_t bytes, size_t *room, void **data)
{
    (void)flags, (void)n, (void)v, (void)room, (void)data;
    return bytes;
}

START_TEST(a_missing_filter_is_named)
{
    const H5Z_class2_t filter = { H5Z_CLASS_T_VERS, 31999, 1, 1, "mystery", NULL, NULL, pass };
    hsize_t dims[2] = { FRAMES, COLUMNS }, chunk[2] = { 10, 3 };
    int16_t x[FRAMES * COLUMNS] = { 0 };
    hid_t create = H5Pcreate(H5P_DATASET_CREATE), space = H5Screate_simple(2, dims, NULL), d;

    H5Zregister(&filter);
    make(false, true);
    H5Pset_chunk(create, 2, chunk);
    H5Pset_filter(create, 31999, H5Z_FLAG_MANDATORY, 0, NULL);
    d = H5Dcreate2(series, "data", H5T_STD_I16LE, space, H5P_DEFAULT, create, H5P_DEFAULT);
    H5Dwrite(d, H5T_NATIVE_INT16, H5S_ALL, H5S_ALL, H5P_DEFAULT, x);
    put_number(d, "conversion", 1e-6);
    H5Dclose(d);
    H5Sclose(space);
    H5Pclose(create);
    end();
    H5Zunregister(31999);
    refused("filter 31999 (mystery)");
}
END_TEST

START_TEST(what_is_no_recording_is_refused)
{
    make(true, false);
    end();
    refused("rate is not known");
    make(false, true);
    end();
    refused("data are no numbers");
    make(false, true);
    H5Dclose(put(series, "data", H5T_IEEE_F32LE, (double[]){ 0 }, 1, 0));
    H5Adelete(series, "neurodata_type");
    end();
    refused("no ElectricalSeries");
    make(true, true);
    put_away(series, "channel_conversion", (double[]){ 1, 2 }, 2);
    end();
    refused("channel_conversion has 2 entries for 3 columns");
    make(true, true);
    put_away(series, "channel_conversion", (double[]){ 1, 2, INFINITY }, 3);
    end();
    refused("the scale of column 2");
    make(true, false);
    put_away(series, "starting_time", (double[]){ 1, 2, 3 }, 3);
    end();
    refused("'starting_time' holds 3 numbers");
    make(true, true);
    H5Adelete(file, "nwb_version");
    end();
    refused("no NWB file");
    make(true, true);
    end();
    ck_assert_int_eq(truncate(path, 900), 0);
    refused("HDF5");
    snprintf(path, sizeof path, "%s/a.nwb.zarr", folder);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    refused("Zarr");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("nwb");
    TCase *c = tcase_create("all");
    SRunner *runner;
    char command[200];
    int failed;

    if (!mkdtemp(folder))
        return 99;
    nset_h5_quiet();
    tcase_add_test(c, either_order_of_axes_gives_the_same_samples);
    tcase_add_test(c, gaps_are_found_in_the_times);
    tcase_add_test(c, places_and_shanks_come_from_the_table);
    tcase_add_test(c, links_are_followed_and_circles_end);
    tcase_add_test(c, a_missing_filter_is_named);
    tcase_add_test(c, what_is_no_recording_is_refused);
    suite_add_tcase(s, c);
    runner = srunner_create(s);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command) || failed;
}
