/* SpikeGLX metas: gains by kind of probe and by acquired channel, sites that are not used, NI-DAQ and OneBox. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ephys/bad_channels.h"
#include "ephys/recording.h"

static char folder[] = "/tmp/neuroset-glx-XXXXXX";

/* A file of four frames of n columns with that meta. */
static nset_recording *open_meta(const char *meta, size_t n)
{
    nset_recording_options o = { 0 };
    nset_recording *r = NULL;
    nset_error err = { 0 };
    char bin[300], path[300];
    const char *paths[] = { bin };
    FILE *f;

    snprintf(bin, sizeof bin, "%s/a.bin", folder);
    snprintf(path, sizeof path, "%s/a.meta", folder);
    ck_assert_ptr_nonnull(f = fopen(bin, "wb"));
    for (size_t i = 0; i < 4 * n; i++)
        fwrite(&(int16_t){ (int16_t)(i + 1) }, 2, 1, f);
    fclose(f);
    ck_assert_ptr_nonnull(f = fopen(path, "w"));
    fprintf(f, "nSavedChans=%zu\n%s", n, meta);
    fclose(f);
    ck_assert_msg(nset_recording_open(&r, paths, 1, &o, &err) == NSET_OK, "%s", err.text);
    return r;
}

/* Microvolts a count of the file's column: its first sample is column + 1 counts. */
static double gain_of(nset_recording *r, size_t column)
{
    nset_error err = { 0 };
    float x[8];

    ck_assert_int_eq(r->source->read(r->source, x, 0, 1, &err), NSET_OK);
    for (size_t i = 0; i < r->source->n_channels; i++)
        if (r->file_channel[i] == column)
            return (double)x[i] / (double)(column + 1);
    ck_abort_msg("column %zu is no channel", column);
    return 0;
}

#define NEAR(got, want) ck_assert_double_eq_tol(got, want, 1e-5 * (want))

START_TEST(gains_belong_to_acquired_channels)
{
    nset_recording *r = open_meta("typeThis=imec\nimSampRate=30000\nimAiRangeMax=0.6\nimMaxInt=512\nsnsApLfSy=2,0,1\n"
                                  "acqApLfSy=4,4,1\nsnsSaveChanSubset=1,3,8\nimDatPrb_pn=NP1000\n"
                                  "~imroTbl=(0,4)(0 0 0 500 250 1)(1 0 0 250 125 1)(3 0 0 1000 50 1)(2 0 0 50 50 1)\n",
        3);

    ck_assert_uint_eq(r->source->n_channels, 2);
    NEAR(gain_of(r, 0), .6e6 / 512 / 250);
    NEAR(gain_of(r, 1), .6e6 / 512 / 1000); /* the entry that says 3, though it is the third */
    nset_recording_close(r);
    r = open_meta("typeThis=imec\nimSampRate=2500\nimAiRangeMax=0.6\nimMaxInt=512\nsnsApLfSy=0,2,1\nacqApLfSy=4,4,1\n"
                  "snsSaveChanSubset=5,6,8\n"
                  "~imroTbl=(0,4)(0 0 0 500 250 1)(1 0 0 250 125 1)(2 0 0 50 100 1)(3 0 0 1000 50 1)\n",
        3);
    NEAR(gain_of(r, 0), .6e6 / 512 / 125);
    NEAR(gain_of(r, 1), .6e6 / 512 / 100);
    nset_recording_close(r);
}
END_TEST

START_TEST(probes_of_one_gain_do_not_take_the_reference_for_it)
{
    static const struct {
        const char *meta;
        double gain_uv;
    } cases[] = {
        { "imAiRangeMax=0.5\nimMaxInt=8192\nimDatPrb_type=24\n~imroTbl=(24,2)(0 0 0 2 0)(1 0 0 2 1)\n",
            .5e6 / 8192 / 80 },
        { "imAiRangeMax=0.5\nimDatPrb_type=24\n~imroTbl=(24,2)(0 0 0 2 0)(1 0 0 2 1)\n", .5e6 / 8192 / 80 },
        { "imAiRangeMax=0.62\nimMaxInt=2048\n~imroTbl=(2013,2)(0 0 0 2 0)(1 0 0 2 1)\n", .62e6 / 2048 / 100 },
        { "imAiRangeMax=0.62\nimMaxInt=2048\n~imroTbl=(NP2020,2)(0 0 0 2 0)(1 0 0 2 1)\n", .62e6 / 2048 / 100 },
        { "imAiRangeMax=0.67\nimMaxInt=2048\nimChan0apGain=90\n~imroTbl=(3010,2)(0 0 1 0)(1 0 1 1)\n",
            .67e6 / 2048 / 90 },
        { "imAiRangeMax=0.6\n~imroTbl=(641251510,3,384)(0 0 0 200 250)(1 0 0 200 250)\n", .6e6 / 512 / 200 },
        { "imAiRangeMax=0.6\nimMaxInt=512\n~imroTbl=(1110,2,0,400,250,1)(0 0 0)(1 0 0)\n", .6e6 / 512 / 400 },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char meta[600];
        nset_recording *r;
        snprintf(
            meta, sizeof meta, "typeThis=imec\nimSampRate=30000\nsnsApLfSy=2,0,0\nacqApLfSy=2,0,0\n%s", cases[i].meta);
        r = open_meta(meta, 2);
        NEAR(gain_of(r, 0), cases[i].gain_uv);
        NEAR(gain_of(r, 1), cases[i].gain_uv);
        nset_recording_close(r);
    }
}
END_TEST

START_TEST(sites_that_are_not_used_are_not_sorted)
{
    nset_recording *r = open_meta("typeThis=imec\nimSampRate=30000\nimAiRangeMax=0.6\nimMaxInt=512\nsnsApLfSy=3,0,1\n"
                                  "acqApLfSy=3,0,1\nimChan0apGain=500\n"
                                  "~snsGeomMap=(NP1000,1,0,70)(0:59:20:1)(0:27:0:0)(0:27:20:1)\n",
        4);
    nset_channel_survey s = { 0 };
    nset_recording *v = NULL;
    nset_error err = { 0 };

    ck_assert_uint_eq(r->source->n_channels, 3);
    ck_assert_uint_eq(r->file_channel[0], 1); /* the lowest */
    ck_assert(r->unused[0] && !r->unused[1] && !r->unused[2]);
    ck_assert_int_eq(nset_bad_channels(&s, r, NULL, &err), NSET_OK);
    for (size_t c = 0; c < 3; c++)
        s.channel[c].fault = c ? NSET_CHANNEL_GOOD : s.channel[c].fault; /* four samples are too few to judge by */
    ck_assert(s.channel[0].fault != NSET_CHANNEL_GOOD);
    s.n_bad = 1;
    ck_assert_int_eq(nset_recording_without(&v, r, &s, &err), NSET_OK);
    ck_assert_uint_eq(v->source->n_channels, 2);
    ck_assert_ptr_null(v->unused);
    nset_recording_close(v);
    nset_channel_survey_fini(&s);
    nset_recording_close(r);
}
END_TEST

START_TEST(places_by_shank_column_and_row_where_nothing_else_tells_them)
{
    nset_recording *r = open_meta("typeThis=imec\nimSampRate=30000\nimAiRangeMax=0.5\nimMaxInt=8192\nsnsApLfSy=3,0,0\n"
                                  "imChan0apGain=80\nimDatPrb_pn=NP2010\n"
                                  "~snsShankMap=(4,2,640)(2:1:7:1)(0:0:0:1)(0:1:0:0)\n",
        3);
    static const double x[] = { 27, 59, 2 * 250 + 32 + 27 }, y[] = { 0, 0, 105 };
    static const size_t column[] = { 1, 2, 0 };

    for (size_t i = 0; i < 3; i++) {
        ck_assert_uint_eq(r->file_channel[i], column[i]);
        ck_assert_double_eq(r->probe.x_um[i], x[i]);
        ck_assert_double_eq(r->probe.y_um[i], y[i]);
        ck_assert_int_eq(r->probe.shank[i], i == 2 ? 2 : 0);
        ck_assert(r->unused[i] == (i == 1));
    }
    nset_recording_close(r);
}
END_TEST

START_TEST(analogue_inputs_without_digital_words)
{
    nset_recording *r = open_meta("typeThis=nidq\nniSampRate=25000\nniAiRangeMax=5\nniMaxInt=16384\nniMNGain=10\n"
                                  "niMAGain=2\nsnsMnMaXaDw=1,1,1,2\nfirstSample=50000\n",
        5);

    ck_assert_uint_eq(r->source->n_channels, 3);
    NEAR(gain_of(r, 0), 5e6 / 16384 / 10);
    NEAR(gain_of(r, 1), 5e6 / 16384 / 2);
    NEAR(gain_of(r, 2), 5e6 / 16384);
    ck_assert_double_eq(r->start_s, 2);
    nset_recording_close(r);
    r = open_meta("typeThis=obx\nobSampRate=30303\nobAiRangeMax=5\nobMaxInt=32768\nsnsXaDwSy=2,1,1\n", 4);
    ck_assert_uint_eq(r->source->n_channels, 2);
    NEAR(gain_of(r, 1), 5e6 / 32768);
    ck_assert_double_eq(r->source->rate_hz, 30303);
    nset_recording_close(r);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("spikeglx");
    TCase *t = tcase_create("all");
    SRunner *runner;
    char remove[300];
    int failed;

    if (!mkdtemp(folder))
        return 1;
    tcase_add_test(t, gains_belong_to_acquired_channels);
    tcase_add_test(t, probes_of_one_gain_do_not_take_the_reference_for_it);
    tcase_add_test(t, sites_that_are_not_used_are_not_sorted);
    tcase_add_test(t, places_by_shank_column_and_row_where_nothing_else_tells_them);
    tcase_add_test(t, analogue_inputs_without_digital_words);
    suite_add_tcase(s, t);
    runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    snprintf(remove, sizeof remove, "rm -r '%s'", folder);
    return system(remove) != 0 || failed != 0;
}
