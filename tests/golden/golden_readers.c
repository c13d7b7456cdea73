/* Recordings of the test data opened and read, against what the reference readers say of them (expected.json there).
 *
 * Samples are read in odd pieces in microvolts, put back into file order and into counts, and hashed.
 */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ephys/recording.h"
#include "golden.h"

typedef struct expected {
    size_t n_channels;
    double rate_hz, gain_uv;
    int64_t n_samples;
    json_t *first, *last; /* five samples of first and last channel, or NULL */
    const char *crc;      /* NULL: not comparable */
    double start_s;       /* 0: not known */
    const nset_gap *gap;
    size_t n_gaps;
} expected;

static int failures;

static void fail(const char *what, const char *name, double got, double want)
{
    printf("FAIL %s: %s is %.17g, expected %.17g\n", name, what, got, want);
    failures++;
}

static void check_number(const char *what, const char *name, double got, double want)
{
    if (!(got == want))
        fail(what, name, got, want);
}

static void check_near(const char *what, const char *name, double got, double want)
{
    if (!(fabs(got - want) < 1e-9 * fmax(1, fabs(want))))
        fail(what, name, got, want);
}

/* ---- samples ---- */

/* counts (n_samples, n_channels) in file order. */
static int16_t *read_counts(nset_recording *r, double gain)
{
    size_t n = (size_t)r->source->n_samples, c = r->source->n_channels, step = 997;
    int16_t *counts = calloc(n * c + 1, sizeof *counts);
    float *x = calloc(step * c, sizeof *x);
    size_t *rank = calloc(c, sizeof *rank);
    nset_error err = { 0 };

    for (size_t i = 0; i < c; i++)
        for (size_t j = 0; j < c; j++)
            rank[i] += r->file_channel[j] < r->file_channel[i];
    for (size_t t = 0; t < n; t += step) {
        size_t now = n - t < step ? n - t : step;
        if (r->source->read(r->source, x, (int64_t)t, now, &err) != NSET_OK) {
            printf("FAIL %s\n", err.text);
            failures++;
            break;
        }
        for (size_t k = 0; k < now; k++)
            for (size_t i = 0; i < c; i++)
                counts[(t + k) * c + rank[i]] = (int16_t)lrint((double)x[k * c + i] / gain);
    }
    free(x);
    free(rank);
    return counts;
}

static void check_samples(nset_recording *r, const char *name, const expected *e)
{
    size_t c = r->source->n_channels;
    int16_t *counts = read_counts(r, e->gain_uv);
    char crc[16];

    for (size_t t = 0; t < 5 && e->first; t++)
        check_number("first channel", name, counts[t * c], json_number_value(json_array_get(e->first, t)));
    for (size_t t = 0; t < 5 && e->last; t++)
        check_number("last channel", name, counts[t * c + c - 1], json_number_value(json_array_get(e->last, t)));
    snprintf(crc, sizeof crc, "%08x", golden_crc32(counts, (size_t)r->source->n_samples * c * sizeof *counts));
    if (e->crc && strcmp(crc, e->crc)) {
        printf("FAIL %s: crc32 of the counts is %s, expected %s\n", name, crc, e->crc);
        failures++;
    }
    free(counts);
}

static void check_paths(
    const char *name, const char *const *paths, size_t n, const nset_recording_options *o, const expected *e)
{
    nset_recording *r = NULL;
    nset_error err = { 0 };

    if (nset_recording_open(&r, paths, n, o, &err) != NSET_OK) {
        printf("FAIL %s: %s\n", name, err.text);
        failures++;
        return;
    }
    check_number("channels", name, (double)r->source->n_channels, (double)e->n_channels);
    check_number("rate", name, r->source->rate_hz, e->rate_hz);
    check_number("gain", name, r->gain_uv, e->gain_uv);
    check_number("samples", name, (double)r->source->n_samples, (double)e->n_samples);
    if (r->source->n_channels == e->n_channels && r->source->n_samples == e->n_samples)
        check_samples(r, name, e);
    if (e->start_s > 0)
        check_near("start", name, r->start_s, e->start_s);
    check_number("gaps", name, (double)r->n_gaps, (double)e->n_gaps);
    for (size_t i = 0; i < e->n_gaps && i < r->n_gaps; i++) {
        check_number("gap", name, (double)r->gap[i].sample, (double)e->gap[i].sample);
        check_near("missing time", name, r->gap[i].seconds, e->gap[i].seconds);
    }
    nset_recording_close(r);
}

static void check(const char *name, const char *path, const nset_recording_options *o, const expected *e)
{
    check_paths(name, &path, 1, o, e);
}

/* ---- streams of SpikeGLX and Open Ephys ---- */

static const struct stream_case {
    const char *key, *file, *stream; /* in expected.json; below the key; stream_id there */
    const char *choose;              /* --stream */
    size_t block, segment;
    size_t not_analogue; /* channels of the stream there that are digital words */
} streams[] = {
    { "spikeglx/np1_Noise4Sam_g0", "Noise4Sam_g0_imec0/Noise4Sam_g0_t0.imec0.ap.bin", "imec0.ap", NULL, 0, 0, 0 },
    { "spikeglx/np1_Noise4Sam_g0", "Noise4Sam_g0_t0.nidq.bin", "nidq", NULL, 0, 0, 1 },
    { "spikeglx/NP2_with_sync", "all_chan_g0_imec0/all_chan_g0_t0.imec0.ap.bin", "imec0.ap", NULL, 0, 0, 0 },
    { "spikeglx/NP2_with_sync", "all_chan_g0_t0.nidq.bin", "nidq", NULL, 0, 0, 1 },
    { "spikeglx/NP2_no_sync", "all_chan_g0_t0.exported.imec0.ap.bin", "imec0.ap", NULL, 0, 0, 0 },
    { "spikeglx/TEST_20210920_0_g0", "TEST_20210920_0_g0_t0.imec0.ap.bin", "imec0.ap", NULL, 0, 0, 0 },
    { "spikeglx/np_ultra_stub", "p5_g0_t0.imec0.ap.bin", "imec0.ap", NULL, 0, 0, 0 },
    { "spikeglx/np_ultra_stub", "p5_g0_t0.imec0.lf.meta", "imec0.lf", NULL, 0, 0, 0 },
    { "spikeglx/nhp_long", "snippet_g0_t0.imec0.lf.bin", "imec0.lf", NULL, 0, 0, 0 },
    { "spikeglx/multi_probe_no_info", "probe_1/npx.imec.ap.bin", "imec0.ap", NULL, 0, 0, 0 },
    { "spikeglx/multi_probe_no_info", "probe_2/npx.imec.ap.bin", "imec1.ap", NULL, 0, 0, 0 },
    { "spikeglx/multi_probe_no_info", "probe_3/npx.imec.ap.bin", "imec2.ap", NULL, 0, 0, 0 },
    { "spikeglx/multi_trigger/5-19-2022-CI1", "5-19-2022-CI1_g0/5-19-2022-CI1_g0_t0.imec0.ap.bin", "imec0.ap", NULL, 0,
        0, 0 },
    { "spikeglx/multi_trigger/5-19-2022-CI1", "5-19-2022-CI1_g0/5-19-2022-CI1_g0_t1.imec0.ap.bin", "imec0.ap", NULL, 0,
        1, 0 },
    { "spikeglx/multi_trigger/5-19-2022-CI1", "5-19-2022-CI1_g1/5-19-2022-CI1_g1_t0.imec0.lf.bin", "imec0.lf", NULL, 0,
        2, 0 },
    { "spikeglx/multi_trigger/CatGT-A",
        "catgt_5-19-2022-CI0_g0/5-19-2022-CI0_g0_imec0/5-19-2022-CI0_g0_tcat.imec0.ap.bin", "imec0.ap", NULL, 0, 0, 0 },
    { "spikeglx/multi_trigger/CatGT-A",
        "catgt_5-19-2022-CI0_g0/5-19-2022-CI0_g0_imec0/5-19-2022-CI0_g0_tcat.imec0.lf.bin", "imec0.lf", NULL, 0, 0, 0 },
    { "openephys_binary/gui_example_hippocampus", "experiment1/recording1", "0", NULL, 0, 0, 0 },
    { "openephys_binary/neural_and_non_neural_data_mixed", "experiment1/recording1/structure.oebin", "0", NULL, 0, 0,
        0 },
    { "openephys_binary/v0.5.x_two_nodes",
        "RecordNode103/experiment1/recording1/continuous/File_Reader-100.0/continuous.dat", "0", NULL, 0, 0, 0 },
    { "openephys_binary/v0.6.x_neuropixels_multiexp_multistream", "Record Node 101/experiment1/recording1", "1",
        "ProbeB", 0, 0, 0 },
    { "openephys_binary/v0.6.x_neuropixels_multiexp_multistream", "Record Node 101/experiment3/recording1", "2",
        "Neuropix-PXI-100.ProbeC", 1, 0, 0 },
    { "openephys_binary/v0.6.x_neuropixels_multiexp_multistream",
        "Record Node 101/experiment3/recording1/continuous/Neuropix-PXI-100.ProbeB/continuous.dat", "1", NULL, 1, 0,
        0 },
};

static json_t *find_stream(json_t *root, const struct stream_case *c)
{
    json_t *list = json_object_get(json_object_get(root, c->key), "streams"), *s;
    size_t i;

    json_array_foreach(list, i, s) if (!strcmp(json_string_value(json_object_get(s, "stream_id")), c->stream)) return s;
    return NULL;
}

static void check_stream(json_t *root, const struct stream_case *c)
{
    static const nset_gap ap_joint[] = { { 299, 0 } }, lf_joint[] = { { 25, 0 } };
    json_t *s = find_stream(root, c), *gain = json_object_get(s, "gain_uV");
    json_t *segment = json_array_get(json_array_get(json_object_get(s, "blocks"), c->block), c->segment);
    nset_recording_options o = { .stream = c->choose };
    expected e = { .rate_hz = json_number_value(json_object_get(s, "sampling_rate")),
        .gain_uv = json_number_value(json_is_array(gain) ? json_array_get(gain, 0) : gain),
        .n_samples = json_integer_value(json_object_get(segment, "n_samples")),
        .first = json_object_get(segment, "first5_first_channel"),
        .start_s = json_number_value(json_object_get(segment, "t_start")) };
    char path[4096], name[600];

    snprintf(name, sizeof name, "%s/%s", c->key, c->file);
    if (!segment) {
        printf("FAIL %s: expected.json knows nothing of it\n", name);
        failures++;
        return;
    }
    e.n_channels = (size_t)json_integer_value(json_object_get(s, "n_channels")) - c->not_analogue;
    if (c->not_analogue == 0) {
        e.last = json_object_get(segment, "first5_last_channel");
        e.crc = json_string_value(json_object_get(segment, "crc32"));
    }
    if (strstr(c->file, "_tcat.")) { /* _ct_offsets.txt says where its two files meet */
        e.gap = strstr(c->file, ".lf.") ? lf_joint : ap_joint;
        e.n_gaps = 1;
    }
    check(name, golden_path(path, sizeof path, "ephys/%s", name), &o, &e);
}

/* ---- several files ---- */

/* Checksums of the counts by numpy: the files' electrode columns, one after the other. */
static void check_joined(void)
{
    static const nset_gap ap[] = { { 600, (620363 - 471707) / 30000.061088 } };
    static const nset_gap lf[] = { { 51, (51696 - 39309) / 2500.0050906666665 } };
    static const char *const files[] = { "g1/5-19-2022-CI1_g1_t0", "g0/5-19-2022-CI1_g0_t1", "g0/5-19-2022-CI1_g0_t0" };
    nset_recording_options o = { 0 };
    expected e = { 384, 30000.061088, 2.34375, 900, NULL, NULL, "f03b664e", 471107 / 30000.061088, ap, 1 };
    char text[3][4096], folder[4096];
    const char *paths[3];

    for (int i = 0; i < 3; i++)
        paths[i] = golden_path(text[i], sizeof text[i],
            "ephys/spikeglx/multi_trigger/5-19-2022-CI1/5-19-2022-CI1_%s.imec0.ap.bin", files[i]);
    check_paths("CI1, three files", paths, 3, &o, &e);
    golden_path(folder, sizeof folder, "ephys/spikeglx/multi_trigger/5-19-2022-CI1");
    check("CI1, the folder", folder, &o, &e);
    o.stream = "imec0.lf";
    o.cut_overlap = true; /* 25.0 LF samples a file, each file rounded up to 26 */
    e = (expected){ 384, 2500.0050906666665, 4.6875, 77, NULL, NULL, "043d4ecb", 39258 / 2500.0050906666665, lf, 1 };
    check("CI1, LFP of the folder", folder, &o, &e);
}

/* Sites that the maps mark as the reference, by column: u = 0 in snsGeomMap and in snsShankMap. */
static void check_unused(void)
{
    static const struct {
        const char *file;
        size_t column;
    } cases[] = { { "nhp_long/snippet_g0_t0.imec0.lf.bin", 191 }, { "np_ultra_stub/p5_g0_t0.imec0.ap.bin", 191 },
        { "TEST_20210920_0_g0/TEST_20210920_0_g0_t0.imec0.ap.bin", 127 } };
    nset_recording_options o = { 0 };
    char text[4096];

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *path = golden_path(text, sizeof text, "ephys/spikeglx/%s", cases[i].file);
        nset_recording *r = NULL;
        nset_error err = { 0 };
        if (nset_recording_open(&r, &path, 1, &o, &err) != NSET_OK || !r->unused)
            fail("map of unused sites", cases[i].file, 0, 1);
        for (size_t c = 0; r && r->unused && c < r->probe.n_channels; c++)
            check_number("unused", cases[i].file, r->unused[c], r->file_channel[c] == cases[i].column);
        nset_recording_close(r);
    }
}

/* Two experiments, the time between them by the computer's clock; places of NP2000's first 384 sites. */
static void check_openephys(void)
{
    static const nset_gap gap[] = { { 100, (1651601395.234 - 1651600344.618) - 100 / 30000. } };
    nset_recording_options o = { .stream = "ProbeC" };
    expected e = { 384, 30000, 0.1949999928474426, 200, NULL, NULL, "ee8085e6", 1863781 / 30000., gap, 1 };
    char text[2][4096];
    const char *paths[2];
    nset_recording *r = NULL;
    nset_error err = { 0 };

    for (int i = 0; i < 2; i++)
        paths[i] = golden_path(text[i], sizeof text[i],
            "ephys/openephys_binary/v0.6.x_neuropixels_multiexp_multistream/Record Node 101/experiment%d", 2 * i + 1);
    check_paths("Open Ephys, two experiments", paths, 2, &o, &e);
    if (nset_recording_open(&r, paths, 1, &o, &err) == NSET_OK)
        for (size_t i = 0; i < r->probe.n_channels; i++) {
            check_number("x", "ProbeC", r->probe.x_um[i], r->file_channel[i] % 2 ? 32 : 0);
            check_number("y", "ProbeC", r->probe.y_um[i], (double)(r->file_channel[i] / 2 * 15));
        }
    nset_recording_close(r);
}

/* neo gives each start a segment of its own and refuses the third; checksums of the counts by numpy. */
static void check_legacy(void)
{
    static const nset_gap restart[] = { { 92160, 13 - 92160 / 40000. } }; /* 14:37:27 and 14:37:40 */
    const nset_recording_options o = { 0 };
    const struct {
        const char *folder;
        expected e;
    } cases[] = {
        { "OpenEphys_SampleData_1", { 2, 40000, .05, 423936, NULL, NULL, "54b37d06", 1.2992, NULL, 0 } },
        { "OpenEphys_SampleData_2_multiple_starts",
            { 1, 40000, .05, 167936, NULL, NULL, "87a58ed8", 1.2296, restart, 1 } },
        { "OpenEphys_SampleData_3", { 3, 2000, .195, 61440, NULL, NULL, "2b39c582", 9.6, NULL, 0 } },
    };
    char path[4096];

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check(cases[i].folder, golden_path(path, sizeof path, "ephys/openephys_legacy/%s", cases[i].folder), &o,
            &cases[i].e);
}

/* ---- files that say little of themselves ---- */

static void check_raw(json_t *root, const char *key, const char *file, const nset_recording_options *o, size_t n)
{
    json_t *data = json_object_get(json_object_get(root, key), "data");
    expected e = { .n_channels = n, .rate_hz = o->rate_hz, .gain_uv = o->gain_uv };
    char path[4096];

    if (data) {
        e.first = json_object_get(data, "first5_first_channel");
        e.last = json_object_get(data, "first5_last_channel");
        e.n_samples = json_integer_value(json_object_get(data, "n_samples"));
        e.crc = json_string_value(json_object_get(data, "crc32"));
    } else {
        e.n_samples = json_integer_value(json_array_get(json_object_get(json_object_get(root, key), "shape"), 0));
        e.crc = json_string_value(json_object_get(json_object_get(root, key), "crc32_values_C_order_LE"));
    }
    check(file, golden_path(path, sizeof path, "ephys/%s", file), o, &e);
}

/* The same 2000 frames in other bytes; torn: 1999 of them. */
static void check_orders(nset_recording_options raw, nset_recording_options npy)
{
    expected e = { .n_channels = 4, .rate_hz = 15000, .gain_uv = .25, .n_samples = 2000, .crc = "d434325c" };
    nset_recording_options o = raw;
    char path[4096];

#define CHECK(file, options) check(file, golden_path(path, sizeof path, "ephys/raw/%s", file), options, &e)
    o.endian = "big";
    CHECK("locust_2000x4.int16be.raw", &o);
    o = raw;
    o.dtype = "uint16";
    CHECK("locust_2000x4.uint16le.raw", &o);
    o = raw;
    o.order = npy.order = "channel-major";
    CHECK("locust_2000x4_channelmajor.int16le.raw", &o);
    CHECK("locust_4x2000_int16_C.npy", &npy);
    npy.order = "sample-major";
    CHECK("locust_2000x4_float32_F.npy", &npy);
    npy.order = NULL;
    CHECK("locust_2000x4_float32_F.npy", &npy);
    e.n_samples = 1999;
    e.crc = "15da8178"; /* zlib.crc32 of the first 15992 bytes of locust_2000x4_torn.int16le.raw */
    CHECK("locust_2000x4_torn.int16le.raw", &raw);
#undef CHECK
}

static void check_raws(json_t *root)
{
    nset_recording_options o = { .format = "raw", .rate_hz = 15000, .n_channels = 4, .gain_uv = .25 };
    nset_recording_options npy = { .rate_hz = 15000, .gain_uv = .25 };
    nset_recording_options header = o;

    check_raw(root, "real/locust_trial_01.int16.raw", "real/locust_trial_01.int16.raw", &o, 4);
    header.rate_hz = 20000;
    check_raw(root, "real/phy_test_4ch_1s.dat", "real/phy_test_4ch_1s.dat", &header, 4);
    header = o;
    header.header_bytes = 32;
    check_raw(root, "raw/locust_2000x4_int16_C.npy", "raw/locust_2000x4_header32.int16le.raw", &header, 4);
    check_raw(root, "raw/locust_2000x4_int16_C.npy", "raw/locust_2000x4_int16_C.npy", &npy, 4);
    check_orders(o, npy);
    check_raw(root, "raw/locust_2000x4_bigendian_int16.npy", "raw/locust_2000x4_bigendian_int16.npy", &npy, 4);
    check_raw(root, "raw/locust_v2_header.npy", "raw/locust_v2_header.npy", &npy, 4);
}

static const struct refusal {
    const char *file;
    nset_recording_options options;
    const char *says;
} refusals[] = {
    { "spikeglx/DigitalChannelTest_g0/DigitalChannelTest_g0_t0.nidq.bin", { 0 }, "no analogue channel" },
    { "spikeglx/nhp_long/snippet_g0_t0.imec0.ap.meta", { 0 }, "a header but no data" },
    { "raw/locust_2000x4_int16_C.npy", { 0 }, "--rate" },
    { "raw/zero_spikes_int64.npy", { .rate_hz = 15000 }, "is not read here" },
    { "raw/locust_4x2000_int16_C.npy", { .rate_hz = 15000 }, "--order channel-major" },
    { "raw/locust_2000x4_torn.int16le.raw",
        { .format = "raw", .rate_hz = 15000, .n_channels = 4, .order = "channel-major" }, "where a channel ends" },
    { "spikeglx/np_ultra_stub/p5_g0_t0.imec0.ap.bin", { .order = "channel-major" }, "--order" },
    { "real/locust_trial_01.int16.raw", { 0 }, "--channels" },
    { "openephys_binary/v0.6.x_neuropixels_multiexp_multistream/Record Node 101/experiment1/recording1", { 0 },
        "--stream" },
    { "openephys_binary/v0.6.x_neuropixels_multiexp_multistream", { .stream = "ProbeB" }, "clocks are not the same" },
    { "SOURCES.md", { 0 }, "no reader knows" },
};

static void check_refusal(const struct refusal *c)
{
    nset_recording *r = NULL;
    nset_error err = { 0 };
    char text[4096];
    const char *path = golden_path(text, sizeof text, "ephys/%s", c->file);

    if (nset_recording_open(&r, &path, 1, &c->options, &err) == NSET_OK || !strstr(err.text, c->says)) {
        printf("FAIL %s: a line with '%s' is expected, not '%s'\n", c->file, c->says, err.text);
        failures++;
    }
    nset_recording_close(r);
}

int main(void)
{
    json_t *root = golden_json("ephys/expected.json");

    if (!root)
        return 77;
    for (size_t i = 0; i < sizeof streams / sizeof *streams; i++)
        check_stream(root, &streams[i]);
    check_joined();
    check_unused();
    check_openephys();
    check_legacy();
    check_raws(root);
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++)
        check_refusal(&refusals[i]);
    json_decref(root);
    printf("%d failures\n", failures);
    return failures != 0;
}
