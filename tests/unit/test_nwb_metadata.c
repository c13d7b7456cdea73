/* The metadata file for NWB: what is taken, and that a slip is told instead of lost. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "results/nwb_metadata.h"

static char path[] = "/tmp/neuroset-metadata-XXXXXX";

static nset_status read_it(json_t **out, const char *text, nset_error *err)
{
    FILE *f = fopen(path, "w");

    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    fclose(f);
    return nset_nwb_metadata_read(out, path, err);
}

START_TEST(all_fields_are_taken)
{
    static const char *const times[] = { "2026-01-31T10:00:00Z", "1999-12-31T23:59:59.123456-09:30",
        "2026-01-31T10:00:00+14:00" };
    json_t *m = NULL;
    nset_error err = { 0 };
    char text[200];

    ck_assert_int_eq(read_it(&m, "{}", &err), NSET_OK);
    json_decref(m);
    for (size_t i = 0; i < 3; i++) {
        snprintf(text, sizeof text, "{\"session_start_time\": \"%s\"}", times[i]);
        ck_assert_msg(read_it(&m, text, &err) == NSET_OK, "%s", err.text);
        ck_assert_str_eq(json_string_value(json_object_get(m, "session_start_time")), times[i]);
        json_decref(m);
    }
    ck_assert_msg(read_it(&m,
                      "{\"experimenter\": [\"a\", \"b\"], \"keywords\": \"one\", \"device\": {\"name\": \"np 1.0\"}, "
                      "\"imaging_plane\": {\"excitation_lambda\": 920, \"optical_channel\": {\"name\": \"green\"}}, "
                      "\"subject\": {\"sex\": \"F\", \"date_of_birth\": \"2025-01-01T00:00:00+00:00\"}}",
                      &err) == NSET_OK,
        "%s", err.text);
    json_decref(m);
}
END_TEST

START_TEST(a_slip_is_told)
{
    static const char *const cases[][2] = {
        { "{\"sesion_id\": \"1\"}", "'sesion_id' is no field of the metadata; there are session_start_time," },
        { "{\"subject\": {\"specie\": \"1\"}}", "'subject.specie' is no field" },
        { "{\"lab\": 3}", "'lab': a text that is not empty is expected" },
        { "{\"lab\": \"\"}", "'lab': a text that is not empty is expected" },
        { "{\"keywords\": []}", "'keywords': a text, or a list of texts" },
        { "{\"keywords\": [\"a\", 3]}", "'keywords': texts that are not empty" },
        { "{\"subject\": \"m\"}", "'subject': an object is expected" },
        { "{\"subject\": {\"sex\": \"male\"}}", "'subject.sex': M, F, U" },
        { "{\"subject\": {\"sex\": \" \"}}", "'subject.sex': M, F, U" },
        { "{\"device\": {\"name\": \"a/b\"}}", "'device.name': a name without /" },
        { "{\"device\": {\"name\": \"..\"}}", "'device.name': a name without /" },
        { "{\"session_start_time\": \"2026-01-31\"}", "'session_start_time': a time such as" },
        { "{\"session_start_time\": \"2026-01-31T10:00:00\"}", "with its zone" },
        { "{\"session_start_time\": \"2026-13-31T10:00:00Z\"}", "with its zone" },
        { "{\"session_start_time\": \"2026-01-31 10:00:00Z\"}", "with its zone" },
        { "{\"session_start_time\": \"2026-01-31T10:00:00Zulu\"}", "with its zone" },
        { "{\"session_start_time\": \"2026-01-31T10:00:00+1:00\"}", "with its zone" },
        { "{\"imaging_plane\": {\"excitation_lambda\": \"920\"}}", "'imaging_plane.excitation_lambda': a wavelength" },
        { "{\"imaging_plane\": {\"optical_channel\": {\"emission_lambda\": 0}}}",
            "'imaging_plane.optical_channel.emission_lambda': a wavelength" },
        { "{\"imaging_plane\": {\"optical_channel\": {\"lambda\": 1}}}",
            "'imaging_plane.optical_channel.lambda' is no" },
        { "{\"imaging_plane\": {\"name\": \"a/b\"}}", "'imaging_plane.name': a name without /" },
        { "[]", "a JSON object is expected" },
        { "{\"lab\": \"a\", \"lab\": \"b\"}", "duplicate" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *m = NULL;
        nset_error err = { 0 };
        ck_assert_msg(read_it(&m, cases[i][0], &err) == NSET_ERR_FORMAT, "%s is taken", cases[i][0]);
        ck_assert_msg(strstr(err.text, cases[i][1]) != NULL, "'%s' does not say '%s'", err.text, cases[i][1]);
        ck_assert_ptr_null(strchr(err.text, '\n'));
        ck_assert_ptr_null(m);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("nwb metadata");
    TCase *c = tcase_create("all");
    SRunner *runner;
    int failed, fd = mkstemp(path);

    if (fd < 0)
        return 99;
    close(fd);
    tcase_add_test(c, all_fields_are_taken);
    tcase_add_test(c, a_slip_is_told);
    suite_add_tcase(s, c);
    runner = srunner_create(s);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    unlink(path);
    return failed != 0;
}
