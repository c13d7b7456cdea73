/* Probe files of every kind: what is read, how contacts become channels and shanks, what is refused and where. */
#include <check.h>
#include <hdf5.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "ephys/recording.h"

static char folder[] = "/tmp/neuroset-probes-XXXXXX";
static char probe_path[128], data_path[128];

static void write_probe(const char *name, const void *bytes, size_t n)
{
    FILE *f;

    snprintf(probe_path, sizeof probe_path, "%s/%s", folder, name);
    ck_assert_ptr_nonnull(f = fopen(probe_path, "wb"));
    ck_assert_uint_eq(fwrite(bytes, 1, n, f), n);
    fclose(f);
}

static nset_status open_file(nset_recording **r, size_t n_columns, nset_error *err)
{
    nset_recording_options o = { .format = "raw", .rate_hz = 30000, .gain_uv = 1, .probe = probe_path };
    const char *path = data_path;
    FILE *f;

    snprintf(data_path, sizeof data_path, "%s/a.dat", folder);
    ck_assert_ptr_nonnull(f = fopen(data_path, "wb"));
    fclose(f);
    o.n_channels = (long)n_columns;
    return nset_recording_open(r, &path, 1, &o, err);
}

static nset_recording *read_file(size_t n_columns)
{
    nset_recording *r = NULL;
    nset_error err = { 0 };

    ck_assert_msg(open_file(&r, n_columns, &err) == NSET_OK, "%s", err.text);
    return r;
}

static nset_recording *read_text(const char *name, const char *text, size_t n_columns)
{
    write_probe(name, text, strlen(text));
    return read_file(n_columns);
}

static void refuse_file(size_t n_columns, const char *because)
{
    nset_recording *r = NULL;
    nset_error err = { 0 };

    ck_assert_int_eq(open_file(&r, n_columns, &err), NSET_ERR_FORMAT);
    ck_assert_msg(strstr(err.text, because), "'%s' does not say '%s'", err.text, because);
    ck_assert_ptr_null(strchr(err.text, '\n'));
}

static void refuse(const char *name, const char *text, const char *because)
{
    write_probe(name, text, strlen(text));
    refuse_file(4, because);
}

/* Channel of a column, which must be there. */
static size_t channel(const nset_recording *r, size_t column)
{
    for (size_t i = 0; i < r->probe.n_channels; i++)
        if (r->file_channel[i] == column)
            return i;
    ck_abort_msg("column %zu has no channel", column);
}

static void is_at(const nset_recording *r, size_t column, double x, double y, int shank)
{
    size_t i = channel(r, column);

    ck_assert_double_eq(r->probe.x_um[i], x);
    ck_assert_double_eq(r->probe.y_um[i], y);
    ck_assert_int_eq(r->probe.shank[i], shank);
}

/* ---- .prb ---- */

START_TEST(prb_is_understood)
{
    nset_recording *r = read_text("a.prb",
        "\xEF\xBB\xBF\"\"\"a description\nof two lines\"\"\"\r\n"
        "Total_NB_channels = 6; radius = 1e2 # comment\n"
        "pitch = 20\n"
        "channel_groups = {1: {}, \"right\": {'channels': [4], 'graph': None, 'geometry': {4: [+200.5, -1.5]}}}\n"
        "channel_groups[1]['channels'] = list(range(2)) + [3]\n"
        "channel_groups[1]['geometry'] = {\n"
        "  0: (0, 0 * pitch), # with (an odd ' comment\n"
        "  1: (0, 1 * pitch,),\n"
        "  3: [-(4 - 1), pitch / 8],\n"
        "  5: 'not looked at',\n"
        "}\n"
        "channel_groups[1]['geometry'][1] = (7, 20)\n",
        6);

    ck_assert_uint_eq(r->probe.n_channels, 4);
    is_at(r, 0, 0, 0, 0);
    is_at(r, 1, 7, 20, 0);
    is_at(r, 3, -3, 2.5, 0);
    is_at(r, 4, 200.5, -1.5, 1);
    ck_assert_uint_eq(json_array_size(r->warnings), 1); /* 2 and 5 are left out */
    nset_recording_close(r);
}
END_TEST

START_TEST(prb_groups_at_one_place_are_shanks)
{
    nset_recording *r = read_text("a.prb",
        "channel_groups={5:{'channels':[2,3],'geometry':{2:(0,0),3:(0,20)}},4:{'channels':range(2),"
        "'geometry':[(0,0),(0,20)]}}",
        4);

    is_at(r, 0, 0, 0, 0); /* of equal places the name decides */
    is_at(r, 1, 0, 20, 0);
    is_at(r, 2, 0, 0, 1);
    is_at(r, 3, 0, 20, 1);
    nset_recording_close(r);
}
END_TEST

START_TEST(prb_refusals_name_the_line)
{
    char deep[200];

    refuse("a.prb", "a = 1\n\ndef f(x):\n    return x\n", "line 3: 'def'");
    refuse("a.prb", "import os\n", "line 1: 'import'");
    refuse("a.prb", "for i in range(3):\n  pass", "line 1: 'for'");
    refuse("a.prb", "\n\nos.system('rm -rf /')\n", "line 3: 'os'");
    refuse("a.prb", "x = open('f')\n", "line 1: the call of a function");
    refuse("a.prb", "x = {i: (0, 20*i)\n for i in range(4)}", "line 1: a name");
    refuse("a.prb", "x = [0\n for i in range(4)]", "line 2: a comprehension");
    refuse("a.prb", "x = [1, 2", "line 1:");
    refuse("a.prb", "x = 'abc\n'", "line 1: a string does not end");
    refuse("a.prb", "x = 1 / 0", "line 1: a division by zero");
    refuse("a.prb", "x = range(100000)", "line 1: a range");
    refuse("a.prb", "x = {}\nx[1][2] = 3", "line 2: 'name[key] = value'");
    refuse("a.prb", "x == 3", "line 1:");
    refuse("a.prb", "x = 3 4", "line 1: the line does not end");
    refuse("a.prb", "x = [1]\nx = x + x\n\nx = -x", "line 4: a sign");
    refuse("a.prb", "", "channel_groups");
    memset(deep, '[', sizeof deep);
    memcpy(deep, "x = ", 4);
    deep[sizeof deep - 1] = 0;
    refuse("a.prb", deep, "line 1: brackets are nested too deep");
}
END_TEST

START_TEST(prb_of_another_recording_is_refused)
{
    static const char head[] = "total_nb_channels = 3\n";
    char text[400];

    snprintf(text, sizeof text, "%schannel_groups={0:{'channels':[\n3],'geometry':{3:(0,0)}}}", head);
    refuse("a.prb", text, "line 3: channel 3 of group 0: total_nb_channels is 3");
    refuse("a.prb", "channel_groups={0:{'channels':[4],'geometry':{4:(0,0)}}}",
        "line 1: channel 4 of group 0: the recording has 4 channels");
    refuse("a.prb", "channel_groups={0:{'channels':[1,\n1],'geometry':{1:(0,0)}}}", "line 2: channel 1 stands");
    refuse("a.prb", "channel_groups={0:{'channels':[1],'geometry':{2:(0,0)}}}",
        "line 1: channel 1 of group 0 has no place");
    refuse("a.prb", "channel_groups={0:{'channels':[1.5],'geometry':{2:(0,0)}}}", "a whole number");
    refuse("a.prb", "channel_groups={0:{'channels':[1],'geometry':{1:(0,)}}}", "(x, y)");
    refuse("a.prb", "channel_groups={0:{'channels':[1],'geometry':{1:(1e999,0)}}}", "not finite");
    refuse("a.prb", "channel_groups={0:[1]}", "a group has");
    refuse("a.prb", "channel_groups={}\nchannel_groups[0]=channel_groups", "a group has");
}
END_TEST

/* ---- MATLAB ---- */

typedef struct bytes {
    unsigned char b[4096];
    size_t n;
    bool big;
} bytes;

static void put(bytes *to, uint64_t v, size_t size)
{
    for (size_t i = 0; i < size; i++)
        to->b[to->n++] = (unsigned char)(v >> 8 * (to->big ? size - 1 - i : i));
}

static void put_header(bytes *to)
{
    memset(to->b, ' ', 124);
    memcpy(to->b, "MATLAB 5.0 MAT-file", 19);
    to->n = 124;
    put(to, 0x0100, 2);
    put(to, 'M' << 8 | 'I', 2);
}

/* An n x 1 matrix of doubles. */
static void put_matrix(bytes *to, const char *name, const double *x, uint32_t n)
{
    size_t length = strlen(name), size_at;

    put(to, 14, 4);
    size_at = to->n;
    put(to, 0, 4);
    put(to, 6, 4), put(to, 8, 4), put(to, 6, 4), put(to, 0, 4);
    put(to, 5, 4), put(to, 8, 4), put(to, n, 4), put(to, 1, 4);
    if (length <= 4) { /* a small element */
        put(to, (uint64_t)length << 16 | 1, 4);
    } else {
        put(to, 1, 4), put(to, length, 4);
    }
    for (size_t i = 0; i < (length <= 4 ? 4 : (length + 7) / 8 * 8); i++)
        put(to, i < length ? (unsigned char)name[i] : 0, 1);
    put(to, 9, 4), put(to, 8 * n, 4);
    for (uint32_t i = 0; i < n; i++) {
        uint64_t v;
        memcpy(&v, &x[i], sizeof v);
        put(to, v, 8);
    }
    length = to->n;
    to->n = size_at;
    put(to, length - size_at - 4, 4);
    to->n = length;
}

static const double map[4] = { 4, 2, 3, 1 }, connected[4] = { 1, 1, 0, 1 }, xs[4] = { 16, 0, 5, -250 };
static const double ys[4] = { 0, 20, 40, 60 }, ks[4] = { 2, 2, 2, 1 };

static void put_map(bytes *to)
{
    put_matrix(to, "fs", (double[]){ 30000 }, 1);
    put_matrix(to, "chanMap", map, 4);
    put_matrix(to, "connected", connected, 4);
    put_matrix(to, "xcoords", xs, 4);
    put_matrix(to, "ycoords", ys, 4);
    put_matrix(to, "kcoords", ks, 4);
}

static void check_map(nset_recording *r)
{
    ck_assert_uint_eq(r->probe.n_channels, 3); /* column 2 is not connected */
    is_at(r, 3, 16, 0, 1);
    is_at(r, 1, 0, 20, 1);
    is_at(r, 0, -250, 60, 0);
    nset_recording_close(r);
}

START_TEST(mat_of_either_byte_order_is_read)
{
    for (int big = 0; big < 2; big++) {
        bytes b = { .big = big != 0 };
        put_header(&b);
        put_map(&b);
        write_probe("a.mat", b.b, b.n);
        check_map(read_file(4));
        refuse_file(3, "entry 1 of chanMap");
    }
}
END_TEST

START_TEST(compressed_mat_is_read_and_damage_is_told)
{
    bytes b = { 0 }, plain = { 0 };
    uLongf n = sizeof b.b;

    put_header(&b);
    put_matrix(&plain, "xcoords", xs, 4);
    put_matrix(&b, "chanMap", map, 4);
    put_matrix(&b, "ycoords", ys, 4);
    n -= b.n + 8;
    ck_assert_int_eq(compress(b.b + b.n + 8, &n, plain.b, plain.n), Z_OK);
    put(&b, 15, 4);
    put(&b, n, 4);
    b.n += n;
    write_probe("a.mat", b.b, b.n);
    nset_recording_close(read_file(4));
    write_probe("a.mat", b.b, b.n - 1);
    refuse_file(4, "ends within a variable");
    memset(b.b + b.n - 12, 0x55, 12);
    write_probe("a.mat", b.b, b.n);
    refuse_file(4, "compressed variable");
    write_probe("a.mat", b.b, 100);
    refuse_file(4, "no MAT-file");
}
END_TEST

START_TEST(mat_7_3_is_read)
{
    hid_t create = H5Pcreate(H5P_FILE_CREATE), f;
    hsize_t dims[2] = { 1, 4 };
    hid_t space = H5Screate_simple(2, dims, NULL);
    const struct {
        const char *name;
        const double *x;
    } arrays[] = { { "chanMap", map }, { "connected", connected }, { "xcoords", xs }, { "ycoords", ys },
        { "kcoords", ks } };

    H5Pset_userblock(create, 512);
    snprintf(probe_path, sizeof probe_path, "%s/b.mat", folder);
    f = H5Fcreate(probe_path, H5F_ACC_TRUNC, create, H5P_DEFAULT);
    for (size_t i = 0; i < 5; i++) {
        hid_t d = H5Dcreate2(f, arrays[i].name, H5T_IEEE_F64LE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
        H5Dwrite(d, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, arrays[i].x);
        H5Dclose(d);
    }
    H5Sclose(space);
    H5Pclose(create);
    H5Fclose(f);
    check_map(read_file(4));
    ck_assert_int_eq(truncate(probe_path, 1000), 0);
    refuse_file(4, "HDF5");
}
END_TEST

/* ---- the others ---- */

START_TEST(kilosort_4_json_is_read)
{
    nset_recording *r = read_text("a.json",
        "{\"chanMap\": [3, 0], \"xc\": [200.0, 0], \"yc\": [5, 6.5], \"kcoords\": [1.0, 0], \"n_chan\": 4}", 4);

    ck_assert_uint_eq(r->probe.n_channels, 2);
    is_at(r, 3, 200, 5, 1);
    is_at(r, 0, 0, 6.5, 0);
    nset_recording_close(r);
    refuse("a.json", "{\"chanMap\": [3, 0], \"xc\": [200.0], \"yc\": [5, 6.5]}", "chanMap has 2 entries and xc 1");
    refuse("a.json", "{\"chanMap\": [3, \"0\"], \"xc\": [0, 1], \"yc\": [5, 6.5]}", "entry 1 of chanMap is no number");
    refuse("a.json", "{}", "this is no probe");
}
END_TEST

START_TEST(geom_csv_is_read)
{
    nset_recording *r = read_text("geom.csv", "0,0\r\n\n -20.5 , 1e1\n0,40,7\n5,5", 4);

    is_at(r, 0, 0, 0, 0);
    is_at(r, 1, -20.5, 10, 0);
    is_at(r, 2, 0, 40, 0);
    is_at(r, 3, 5, 5, 0);
    nset_recording_close(r);
    refuse("geom.csv", "0,0\n1 2\n", "line 2: 'x,y'");
    refuse("geom.csv", "0,0\n1,\n2,2", "line 2: 'x,y'");
    refuse("geom.csv", "0,0\n1,1\n2,2\n3,3\n4,4\n", "line 5: wired to channel 4");
}
END_TEST

START_TEST(imro_is_read)
{
    nset_recording *r = read_text("a.imro", "(24,384)(0 3 0 0 4)(2 0 0 0 1)", 4);

    ck_assert_uint_eq(r->probe.n_channels, 2);
    is_at(r, 0, 777, 30, 1); /* third shank: 750 + 27, row 2 */
    is_at(r, 2, 59, 0, 0);
    nset_recording_close(r);
    r = read_text("a.imro", "(NP2010,384)(0 3 0 0 4)(2 0 0 0 1)\n", 4);
    is_at(r, 0, 777, 30, 1);
    nset_recording_close(r);
    r = read_text("a.imro", "(841001234,3,384)(1 1 0 500 250)", 4);
    is_at(r, 1, 27 + 32, 192 * 20, 0); /* electrode 385: row 192, an even one, column 1 */
    nset_recording_close(r);
    refuse("a.imro", "(-10,384,10, 5)(0 0 0 500 125 1)", "begins '(-10,384,10, 5)'");
    refuse("a.imro", "(24,384)(0 3 0 0 4)(2 0 0 0)", "entry 1");
    refuse("a.imro", "(24,384)(0 3 0 0 4)(2 0 0 0 1", "entry 1");
    refuse("a.imro", "(24,384)(0 3 0 0 4)(0 0 0 0 1)", "two contacts");
    refuse("a.imro", "(1110,2,0,500,250,1)(0 0 0)", "entry 1");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("probe files");
    TCase *c = tcase_create("all");
    SRunner *runner;
    char command[200];
    int failed;

    if (!mkdtemp(folder))
        return 99;
    tcase_add_test(c, prb_is_understood);
    tcase_add_test(c, prb_groups_at_one_place_are_shanks);
    tcase_add_test(c, prb_refusals_name_the_line);
    tcase_add_test(c, prb_of_another_recording_is_refused);
    tcase_add_test(c, mat_of_either_byte_order_is_read);
    tcase_add_test(c, compressed_mat_is_read_and_damage_is_told);
    tcase_add_test(c, mat_7_3_is_read);
    tcase_add_test(c, kilosort_4_json_is_read);
    tcase_add_test(c, geom_csv_is_read);
    tcase_add_test(c, imro_is_read);
    suite_add_tcase(s, c);
    runner = srunner_create(s);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command) || failed;
}
