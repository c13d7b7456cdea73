/* Open Ephys binary: which stream, gaps from sample numbers, recordings joined, places from settings.xml. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ephys/recording.h"
#include "results/xml.h"

static char root[] = "/tmp/neuroset-oe-XXXXXX";

/* path of a file below the root; its folders are made. */
static const char *at(const char *name)
{
    static char paths[16][512];
    static int slot;
    char *p = paths[slot = (slot + 1) % 16];

    snprintf(p, sizeof paths[0], "%s/%s", root, name);
    for (char *s = p + strlen(root) + 1; (s = strchr(s, '/')); s++) {
        *s = '\0';
        mkdir(p, 0777);
        *s = '/';
    }
    return p;
}

static void write_text(const char *name, const char *text)
{
    FILE *f = fopen(at(name), "w");

    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    fclose(f);
}

static void write_npy(const char *name, const char *descr, const void *x, size_t n)
{
    FILE *f = fopen(at(name), "wb");
    char line[200];

    ck_assert_ptr_nonnull(f);
    snprintf(line, sizeof line, "{'descr': '%s', 'fortran_order': False, 'shape': (%zu,), }", descr, n);
    fwrite("\x93NUMPY\x01\0\x76\0", 1, 10, f);
    fprintf(f, "%-117s\n", line);
    fwrite(x, 8, n, f);
    fclose(f);
}

/* Counts 10 t + c of two channels from t = first on, numbers from start on. */
static void write_stream(const char *recording, const char *folder, int first, int n, const int64_t *numbers)
{
    char name[300];
    FILE *f;

    snprintf(name, sizeof name, "%s/continuous/%s/continuous.dat", recording, folder);
    ck_assert_ptr_nonnull(f = fopen(at(name), "wb"));
    for (int t = first; t < first + n; t++)
        for (int c = 0; c < 2; c++) {
            int16_t v = (int16_t)(10 * t + c);
            fwrite(&v, 2, 1, f);
        }
    fclose(f);
    snprintf(name, sizeof name, "%s/continuous/%s/sample_numbers.npy", recording, folder);
    if (numbers)
        write_npy(name, "<i8", numbers, (size_t)n);
}

/* structure.oebin with a slow and a fast stream of the Neuropixels plugin, channels named so. */
static void write_oebin(const char *recording, const char *a, const char *b)
{
    char name[300], text[2000];

    snprintf(name, sizeof name, "%s/structure.oebin", recording);
    snprintf(text, sizeof text,
        "{\"GUI version\": \"0.6.0\", \"continuous\": [\n"
        "{\"folder_name\": \"Neuropix-PXI-100.ProbeA-LFP/\", \"sample_rate\": 2500, \"num_channels\": 2, "
        "\"stream_name\": "
        "\"ProbeA-LFP\", \"source_processor_name\": \"Neuropix-PXI\", \"channels\": [{\"channel_name\": \"%s\", "
        "\"bit_volts\": 0.5}, {\"channel_name\": \"%s\", \"bit_volts\": 0.5}]},\n"
        "{\"folder_name\": \"Neuropix-PXI-100.ProbeA-AP\", \"sample_rate\": 10000, \"num_channels\": 2, "
        "\"stream_name\": "
        "\"ProbeA-AP\", \"source_processor_name\": \"Neuropix-PXI\", \"channels\": [{\"channel_name\": \"%s\", "
        "\"bit_volts\": 0.5}, {\"channel_name\": \"%s\", \"bit_volts\": 0.5}]}]}",
        a, b, a, b);
    write_text(name, text);
}

static nset_status try_open(nset_recording **r, const char *const *paths, size_t n, const char *stream, char *why)
{
    nset_recording_options o = { .stream = stream };
    nset_error err = { 0 };
    nset_status status = nset_recording_open(r, paths, n, &o, &err);

    snprintf(why, 600, "%s", err.text);
    return status;
}

static nset_recording *open_all(const char *const *paths, size_t n)
{
    nset_recording *r = NULL;
    char why[600];

    ck_assert_msg(try_open(&r, paths, n, NULL, why) == NSET_OK, "%s", why);
    return r;
}

static void check_ramp(nset_recording *r, int64_t n)
{
    nset_error err = { 0 };
    float x[2];

    ck_assert_int_eq(r->source->n_samples, n);
    for (int64_t t = 0; t < n; t++) {
        ck_assert_int_eq(r->source->read(r->source, x, t, 1, &err), NSET_OK);
        for (size_t c = 0; c < 2; c++)
            ck_assert_float_eq(x[c], .5f * (float)(10 * t + (int64_t)r->file_channel[c]));
    }
}

#define FAST "Neuropix-PXI-100.ProbeA-AP"

START_TEST(steps_of_the_sample_numbers_are_gaps)
{
    const int64_t numbers[] = { 700, 701, 702, 710, 711, 705 };
    const double seconds[] = { 1, 2, 3, 4, 5, 6 };
    const char *path = at("n/experiment1/recording1");
    nset_recording *r;

    write_oebin("n/experiment1/recording1", "CH1", "CH2");
    write_stream("n/experiment1/recording1", FAST, 0, 6, numbers);
    write_npy("n/experiment1/recording1/continuous/" FAST "/timestamps.npy", "<f8", seconds, 6);
    r = open_all(&path, 1); /* the fast stream is meant */
    check_ramp(r, 6);
    ck_assert_double_eq(r->start_s, .07);
    ck_assert_uint_eq(r->n_gaps, 2);
    ck_assert_int_eq(r->gap[0].sample, 3);
    ck_assert_double_eq(r->gap[0].seconds, 7 / 1e4);
    ck_assert_int_eq(r->gap[1].sample, 5);
    ck_assert_double_eq(r->gap[1].seconds, -7 / 1e4);
    ck_assert_double_eq_tol(nset_recording_seconds(r, 5), .0705, 1e-12);
    nset_recording_close(r);
}
END_TEST

START_TEST(without_numbers_the_messages_tell_the_start)
{
    const char *path = at("m/experiment1/recording1");
    nset_recording *r;

    write_oebin("m/experiment1/recording1", "CH1", "CH2");
    write_stream("m/experiment1/recording1", FAST, 0, 6, NULL);
    r = open_all(&path, 1);
    ck_assert_double_eq(r->start_s, 0);
    nset_recording_close(r);
    write_text("m/experiment1/recording1/sync_messages.txt",
        "Software Time (milliseconds since midnight Jan 1st 1970 UTC): 1651601395234\n"
        "Start Time for Neuropix-PXI (100) - ProbeA-LFP @ 2500 Hz: 77\n"
        "Start Time for Neuropix-PXI (100) - ProbeA-AP @ 10000 Hz: 123400\n");
    r = open_all(&path, 1);
    ck_assert_double_eq(r->start_s, 12.34);
    ck_assert_uint_eq(r->n_gaps, 0);
    nset_recording_close(r);
}
END_TEST

START_TEST(recordings_of_an_experiment_are_joined)
{
    const int64_t first[] = { 100, 101, 102 }, second[] = { 103, 104, 106 }, third[] = { 117, 118 };
    const char *path = at("j/Record Node 101/experiment2");
    nset_recording *r;

    for (int i = 0; i < 3; i++) { /* recording10 is the last, not the second */
        char name[100];
        snprintf(name, sizeof name, "j/Record Node 101/experiment2/recording%d", i == 2 ? 10 : i + 1);
        write_oebin(name, "CH1", "CH2");
        write_stream(name, FAST, 3 * i, i == 2 ? 2 : 3, i == 2 ? third : i ? second : first);
    }
    r = open_all(&path, 1);
    check_ramp(r, 8);
    ck_assert_uint_eq(r->n_gaps, 2);
    ck_assert_int_eq(r->gap[0].sample, 5);
    ck_assert_double_eq(r->gap[0].seconds, 1 / 1e4);
    ck_assert_int_eq(r->gap[1].sample, 6);
    ck_assert_double_eq(r->gap[1].seconds, 10 / 1e4);
    ck_assert_double_eq_tol(nset_recording_seconds(r, 7), .0118, 1e-12);
    nset_recording_close(r);
}
END_TEST

START_TEST(experiments_have_clocks_of_their_own)
{
    const int64_t one[] = { 100, 101, 102 }, other[] = { 50, 51, 52 };
    const char *path = at("e"), *both[2];
    nset_recording *r = NULL;
    char why[600];

    both[0] = at("e/experiment1");
    both[1] = at("e/experiment3");
    write_oebin("e/experiment1/recording1", "CH1", "CH2");
    write_stream("e/experiment1/recording1", FAST, 0, 3, one);
    write_oebin("e/experiment3/recording1", "CH1", "CH2");
    write_stream("e/experiment3/recording1", FAST, 3, 3, other);
    write_oebin("e/experiment3/recording2", "CH1", "CH2");
    write_stream("e/experiment3/recording2", FAST, 6, 3, (const int64_t[]){ 63, 64, 65 });
    ck_assert_int_eq(try_open(&r, &path, 1, NULL, why), NSET_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(why, "clocks are not the same"));
    r = open_all(both, 2);
    check_ramp(r, 9);
    ck_assert_uint_eq(r->n_gaps, 2);
    ck_assert_int_eq(r->gap[0].sample, 3);
    ck_assert_double_eq_tol(r->gap[0].seconds, -53 / 1e4, 1e-12);
    ck_assert_int_eq(r->gap[1].sample, 6);
    ck_assert_double_eq_tol(r->gap[1].seconds, 10 / 1e4, 1e-12);
    nset_recording_close(r);
    write_text("e/experiment1/recording1/sync_messages.txt",
        "Software Time (milliseconds since midnight Jan 1st 1970 UTC): 5000\n");
    write_text("e/experiment3/recording1/sync_messages.txt",
        "Software Time (milliseconds since midnight Jan 1st 1970 UTC): 9000\n");
    r = open_all(both, 2);
    ck_assert_double_eq_tol(r->gap[0].seconds, 4 - 3 / 1e4, 1e-9);
    nset_recording_close(r);
}
END_TEST

/* Of two shanks; the numbers of channels are not in order, and 0.5 adds the pitch to y. */
static void write_settings(const char *name, const char *version, const char *extra)
{
    char text[3000];

    snprintf(text, sizeof text,
        "<?xml version=\"1.0\"?>\n<SETTINGS><INFO><VERSION>%s</VERSION></INFO><!-- <NP_PROBE> & more -->\n"
        "<SIGNALCHAIN><PROCESSOR name=\"Neuropix-PXI\"><STREAM name=\"ProbeA-AP\"/><STREAM name='ProbeA-LFP'/>\n"
        "<EDITOR><BASESTATION Slot=\"2\" port1dock1=\"ProbeB\" port2dock1=\"ProbeA\"/>\n"
        "<NP_PROBE slot=\"2\" port=\"1\" dock=\"1\" probe_serial_number=\"1\"><ELECTRODE_XPOS CH0=\"1\" CH1=\"2\"/>"
        "<ELECTRODE_YPOS CH0=\"3\" CH1=\"4\"/></NP_PROBE>\n"
        "<NP_PROBE slot=\"2\" port=\"2\" dock=\"1\" probe_serial_number=\"7\"><CHANNELS CH10=\"0:1\" CH0=\"0:0\" "
        "CH1=\"1:1\"/><ELECTRODE_XPOS CH0=\"8\" CH10=\"300\" CH1=\"258\"/><ELECTRODE_YPOS CH10=\"400\" CH0=\"30\" "
        "CH1=\"260\"/></NP_PROBE></EDITOR></PROCESSOR>%s<PROCESSOR name=\"Record Node\"/></SIGNALCHAIN></SETTINGS>\n",
        version, extra);
    write_text(name, text);
}

/* Place of the file's column. */
static void check_place(const nset_recording *r, size_t column, int shank, double x, double y)
{
    for (size_t i = 0; i < 2; i++)
        if (r->file_channel[i] == column) {
            ck_assert_int_eq(r->probe.shank[i], shank);
            ck_assert_double_eq(r->probe.x_um[i], x);
            ck_assert_double_eq(r->probe.y_um[i], y);
        }
}

START_TEST(places_are_those_of_the_channels_numbers)
{
    const char *path = at("p/experiment2/recording1");
    nset_recording *r;

    write_oebin("p/experiment2/recording1", "AP11", "AP1");
    write_stream("p/experiment2/recording1", FAST, 0, 3, NULL);
    write_settings("p/settings.xml", "0.6.1", "");
    r = open_all(&path, 1);
    check_place(r, 0, 1, 292, 400);
    check_place(r, 1, 0, 0, 30);
    nset_recording_close(r);
    write_settings("p/settings_2.xml", "0.5.5", ""); /* belongs to experiment 2 */
    r = open_all(&path, 1);
    check_place(r, 0, 1, 292, 150);
    nset_recording_close(r);
}
END_TEST

START_TEST(a_channel_map_counts_where_names_do_not)
{
    const char *path = at("c/experiment1/recording1");
    nset_recording *r;

    write_oebin("c/experiment1/recording1", "CH1", "CH2");
    write_stream("c/experiment1/recording1", FAST, 0, 3, NULL);
    write_settings("c/settings.xml", "0.6.1",
        "<PROCESSOR name=\"Channel Map\"><STREAM name=\"ProbeA-AP\"/><CUSTOM_PARAMETERS><STREAM name=\"ProbeA-AP\"><CH "
        "index=\"1\"/><CH index=\"7\" enabled=\"0\"/><CH index=\"0\"/></STREAM></CUSTOM_PARAMETERS></PROCESSOR>");
    r = open_all(&path, 1);
    check_place(r, 0, 1, 250, 260);
    check_place(r, 1, 0, 0, 30);
    nset_recording_close(r);
}
END_TEST

START_TEST(tags_and_attributes)
{
    nset_xml x = { "<!-- <a> --><?x?><b k='1>2' q=\"&lt;&amp;&x;\"/><c\n d = \"e\" f></c><broken k=\"" };
    nset_xml_tag tag;
    char value[32];

    ck_assert(nset_xml_next(&x, &tag) && !strcmp(tag.name, "b") && tag.opens && tag.closes);
    ck_assert(nset_xml_get(&tag, "k", value, sizeof value) && !strcmp(value, "1>2"));
    ck_assert(nset_xml_get(&tag, "q", value, sizeof value) && !strcmp(value, "<&&x;"));
    ck_assert(nset_xml_get(&tag, "q", value, 3) && !strcmp(value, "<&"));
    ck_assert(nset_xml_next(&x, &tag) && !strcmp(tag.name, "c") && tag.opens && !tag.closes);
    ck_assert(nset_xml_get(&tag, "d", value, sizeof value) && !strcmp(value, "e"));
    ck_assert(!nset_xml_get(&tag, "f", value, sizeof value) && !*value);
    ck_assert(nset_xml_next(&x, &tag) && !strcmp(tag.name, "c") && !tag.opens && tag.closes);
    ck_assert(!nset_xml_next(&x, &tag));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("openephys");
    TCase *t = tcase_create("all");
    SRunner *runner;
    char remove[300];
    int failed;

    if (!mkdtemp(root))
        return 1;
    tcase_add_test(t, steps_of_the_sample_numbers_are_gaps);
    tcase_add_test(t, without_numbers_the_messages_tell_the_start);
    tcase_add_test(t, recordings_of_an_experiment_are_joined);
    tcase_add_test(t, experiments_have_clocks_of_their_own);
    tcase_add_test(t, places_are_those_of_the_channels_numbers);
    tcase_add_test(t, a_channel_map_counts_where_names_do_not);
    tcase_add_test(t, tags_and_attributes);
    suite_add_tcase(s, t);
    runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    snprintf(remove, sizeof remove, "rm -r '%s'", root);
    return system(remove) != 0 || failed != 0;
}
