/* A sorting written as a result folder and read back. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ephys/write.h"
#include "results/npz.h"

enum { CHANNELS = 3, LENGTH = 2 };

static char place[] = "/tmp/neuroset-write-XXXXXX";

/* A raw file whose column order is wires[canonical]; its probe lies beside it. */
static nset_recording *open_recording(const char *name, const int *wires)
{
    static const double y[CHANNELS] = { 0, 20, 40 };
    nset_recording_options o = { .format = "raw", .rate_hz = 30000, .n_channels = CHANNELS, .gain_uv = .5 };
    char data[256], probe[256];
    const char *path = data;
    nset_recording *r = NULL;
    nset_error err = { 0 };
    int16_t counts[10 * CHANNELS];
    FILE *f;

    snprintf(data, sizeof data, "%s/%s.bin", place, name);
    snprintf(probe, sizeof probe, "%s/%s.probe.json", place, name);
    for (int t = 0; t < 10; t++)
        for (int c = 0; c < CHANNELS; c++)
            counts[t * CHANNELS + wires[c]] = (int16_t)(10 * t + c);
    ck_assert_ptr_nonnull(f = fopen(data, "wb"));
    fwrite(counts, sizeof *counts, 10 * CHANNELS, f);
    fclose(f);
    ck_assert_ptr_nonnull(f = fopen(probe, "w"));
    fprintf(f,
        "{\"probes\": [{\"contact_positions\": [[0, %g], [0, %g], [0, %g]], "
        "\"device_channel_indices\": [%d, %d, %d]}]}",
        y[0], y[1], y[2], wires[0], wires[1], wires[2]);
    fclose(f);
    o.probe = probe;
    ck_assert_msg(nset_recording_open(&r, &path, 1, &o, &err) == NSET_OK, "%s", err.text);
    return r;
}

static float templates[2 * LENGTH * CHANNELS] = { 0, -3, 0, 0, 4, 0, 0, 0, -5, 0, 0, 0 };
static nset_spike spikes[] = { { 2, 1, -1, -50, .9f, 0, 40 }, { 5, 0, 1, -30.5f, .75f, 1, 20 },
    { 5, 1, 0, NAN, 1, 0, 41 } };

static void fill_sorting(nset_sorting *s, nset_unit units[2], size_t n_units)
{
    for (int i = 0; i < 2; i++)
        units[i] = (nset_unit){ .id = i,
            .channel = 1 + (size_t)i,
            .y_um = 20 + 20 * i,
            .n_spikes = 1 + (size_t)i,
            .rate_hz = .25,
            .snr = 8.5,
            .amplitude_uv = 30,
            .isi_violations_ratio = 0,
            .rp_contamination = NAN,
            .presence = 1,
            .amplitude_cutoff = .01,
            .isolation = NAN,
            .cluster = { 18, 19, 20, 21, 22, 23, 24 },
            .more = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, NAN },
            .label = i ? NSET_LABEL_MUA : NSET_LABEL_GOOD };
    strcpy(units[0].reason, "no violations, \"clean\"");
    strcpy(units[1].reason, "few spikes");
    *s = (nset_sorting){ .rate_hz = 30000,
        .n_samples = 10,
        .n_channels = CHANNELS,
        .n_spikes = n_units ? 3 : 0,
        .n_units = n_units,
        .spikes = spikes,
        .units = units,
        .template_length = LENGTH,
        .template_pre = 1,
        .templates = templates };
}

static void write_folder(const nset_sorting *s, const nset_recording *r, const char *name, char hash[64])
{
    char dir[256];
    nset_run_folder *folder = NULL;
    nset_error err = { 0 };
    json_t *run;

    snprintf(dir, sizeof dir, "%s/%s", place, name);
    ck_assert_msg(nset_run_folder_open(&folder, dir, true, &err) == NSET_OK, "%s", err.text);
    ck_assert_msg(nset_sorting_write(s, r, folder, &err) == NSET_OK, "%s", err.text);
    ck_assert_msg(nset_run_folder_commit(folder, &err) == NSET_OK, "%s", err.text);
    strcat(dir, "/run.json");
    ck_assert_ptr_nonnull(run = json_load_file(dir, 0, NULL));
    snprintf(hash, 64, "%s", json_string_value(json_object_get(run, "result_xxh3_128")));
    json_decref(run);
}

static char *slurp(const char *name, size_t *n)
{
    char path[256], *text = calloc(1, 100000);
    FILE *f;

    snprintf(path, sizeof path, "%s/%s", place, name);
    f = fopen(path, "rb");
    ck_assert_msg(f != NULL, "%s", path);
    *n = fread(text, 1, 99999, f);
    fclose(f);
    return text;
}

static void assert_text(const char *name, const char *want)
{
    size_t n;
    char *got = slurp(name, &n);

    ck_assert_str_eq(got, want);
    free(got);
}

static void assert_numbers(const char *file, const char *array, const double *want, size_t n)
{
    char path[256];
    nset_npz *z = NULL;
    nset_error err = { 0 };
    const double *got;
    size_t k = 0;

    snprintf(path, sizeof path, "%s/%s", place, file);
    ck_assert_msg(nset_npz_open(&z, path, &err) == NSET_OK, "%s", err.text);
    got = nset_npz_f64(z, array, &k);
    ck_assert_ptr_nonnull(got);
    ck_assert_uint_eq(k, n);
    for (size_t i = 0; i < n; i++)
        ck_assert_msg(
            got[i] == want[i] || (isnan(got[i]) && isnan(want[i])), "%s %s [%zu]: %g", file, array, i, got[i]);
    nset_npz_close(z);
}

#define NUMBERS(file, array, ...)                                                                                      \
    assert_numbers(file, array, (double[]){ __VA_ARGS__ }, sizeof((double[]){ __VA_ARGS__ }) / sizeof(double))

START_TEST(every_file_holds_what_was_found)
{
    nset_recording *r = open_recording("plain", (int[]){ 0, 1, 2 });
    nset_unit units[2];
    nset_sorting s;
    char hash[64];

    fill_sorting(&s, units, 2);
    write_folder(&s, r, "a", hash);
    assert_text("a/units.csv",
        "id,channel,x_um,y_um,depth_um,n_spikes,rate_hz,snr,amplitude_uv,isi_violations_ratio,"
        "rp_contamination,presence,"
        "amplitude_cutoff,isolation,sliding_rp,amplitude_median,amplitude_cv_median,amplitude_cv_range,firing_range,"
        "sync_spike_2,sync_spike_4,sync_spike_8,sd_ratio,drift_ptp,drift_std,drift_mad,"
        "peak_to_trough_ms,trough_half_width_ms,peak_half_width_ms,repolarization_slope,recovery_slope,peak_to_trough_"
        "ratio,isolation_distance,l_ratio,d_prime,nn_hit_rate,nn_miss_rate,nn_isolation,silhouette,label,reason\n"
        "0,1,0,20,20,1,0.25,8.5,30,0,,1,0.01,,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,,18,19,20,21,22,23,24,good,"
        "\"no violations, "
        "\"\"clean\"\"\"\n"
        "1,2,0,40,40,2,0.25,8.5,30,0,,1,0.01,,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,,18,19,20,21,22,23,24,mua,few "
        "spikes\n");
    NUMBERS("a/spikes.npz", "unit_ids", 0, 1);
    NUMBERS("a/spikes.npz", "num_segment", 1);
    NUMBERS("a/spikes.npz", "sampling_frequency", 30000);
    NUMBERS("a/spikes.npz", "spike_indexes_seg0", 2, 5, 5);
    NUMBERS("a/spikes.npz", "spike_labels_seg0", 1, 0, 1);
    NUMBERS("a/spikes.npz", "spike_times_s", 2 / 30000., 5 / 30000., 5 / 30000.);
    NUMBERS("a/spikes.npz", "second_unit", -1, 1, 0);
    NUMBERS("a/spikes.npz", "amplitude_uv", -50, -30.5, NAN);
    NUMBERS("a/phy/spike_times.npy", "", 2, 5, 5);
    NUMBERS("a/phy/spike_clusters.npy", "", 1, 0, 1);
    NUMBERS("a/phy/amplitudes.npy", "", -50, -30.5, 0);
    NUMBERS("a/phy/templates.npy", "", 0, -3, 0, 0, 4, 0, 0, 0, -5, 0, 0, 0);
    NUMBERS("a/phy/similar_templates.npy", "", 1, 0, 0, 1);
    NUMBERS("a/phy/channel_map.npy", "", 0, 1, 2);
    NUMBERS("a/phy/channel_positions.npy", "", 0, 0, 0, 20, 0, 40);
    assert_text("a/phy/cluster_group.tsv", "cluster_id\tgroup\n0\tgood\n1\tmua\n");
    nset_recording_close(r);
}
END_TEST

START_TEST(seconds_know_of_gaps_and_pieces_are_listed_for_phy)
{
    nset_recording *r = open_recording("joined", (int[]){ 0, 1, 2 });
    nset_gap gap = { 5, 2.5 };
    nset_unit units[2];
    nset_sorting s;
    char hash[64], *params;
    size_t n;

    fill_sorting(&s, units, 2);
    r->gap = &gap;
    r->n_gaps = 1;
    r->start_s = 100;
    r->piece->offset = 1; /* as if its first byte were left out: Phy can have that */
    write_folder(&s, r, "joined-1", hash);
    NUMBERS("joined-1/spikes.npz", "spike_times_s", 100 + 2 / 30000., 100 + 5 / 30000. + 2.5, 100 + 5 / 30000. + 2.5);
    params = slurp("joined-1/phy/params.py", &n);
    ck_assert_ptr_nonnull(strstr(params, "dat_path = '/"));
    ck_assert_ptr_nonnull(strstr(params, "\noffset = 1\n"));
    free(params);
    r->piece->to_end = false; /* only a part of the file: Phy would show the wrong samples */
    write_folder(&s, r, "joined-2", hash);
    params = slurp("joined-2/phy/params.py", &n);
    ck_assert_ptr_nonnull(strstr(params, "dat_path = ''\n"));
    free(params);
    r->gap = NULL;
    nset_recording_close(r);
}
END_TEST

START_TEST(renumbered_channels_give_the_same_result)
{
    nset_recording *plain = open_recording("plain", (int[]){ 0, 1, 2 });
    nset_recording *other = open_recording("other", (int[]){ 2, 0, 1 });
    nset_unit units[2];
    nset_sorting s;
    char a[64], b[64];

    fill_sorting(&s, units, 2);
    write_folder(&s, plain, "a", a);
    write_folder(&s, other, "b", b);
    ck_assert_str_eq(a, b);
    NUMBERS("b/phy/channel_map.npy", "", 2, 0, 1);
    units[0].snr = 8.6;
    write_folder(&s, other, "b", b);
    ck_assert_str_ne(a, b);
    nset_recording_close(plain);
    nset_recording_close(other);
}
END_TEST

START_TEST(one_unit_is_padded_and_none_is_valid)
{
    nset_recording *r = open_recording("plain", (int[]){ 0, 1, 2 });
    nset_unit units[2];
    nset_sorting s;
    char hash[64];

    fill_sorting(&s, units, 1);
    write_folder(&s, r, "a", hash);
    NUMBERS("a/phy/templates.npy", "", 0, -3, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0);
    NUMBERS("a/phy/similar_templates.npy", "", 1, 0, 0, 0);
    fill_sorting(&s, units, 0);
    s.templates = NULL;
    write_folder(&s, r, "a", hash);
    assert_text("a/phy/cluster_group.tsv", "cluster_id\tgroup\n");
    assert_numbers("a/spikes.npz", "spike_indexes_seg0", NULL, 0);
    nset_recording_close(r);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("write_sorting");
    TCase *t = tcase_create("files");
    SRunner *runner;
    char command[128];
    int failed;

    if (!mkdtemp(place))
        return 99;
    tcase_add_test(t, every_file_holds_what_was_found);
    tcase_add_test(t, seconds_know_of_gaps_and_pieces_are_listed_for_phy);
    tcase_add_test(t, renumbered_channels_give_the_same_result);
    tcase_add_test(t, one_unit_is_padded_and_none_is_valid);
    suite_add_tcase(suite, t);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    snprintf(command, sizeof command, "rm -rf %s", place);
    return system(command) != 0 || failed != 0;
}
