/* Recordings in vendors' formats of the test data, opened and read, against what the reference readers say of them.
 *
 * The answers stand in expected.json; where the reference reader is known to be wrong, the right number stands here.
 */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ephys/recording.h"
#include "golden.h"

static int failures;

static void check_number(const char *what, const char *name, double got, double want)
{
    if (!(got == want)) {
        printf("FAIL %s: %s is %.17g, expected %.17g\n", name, what, got, want);
        failures++;
    }
}

/* counts (n, n_channels) of samples start .. in file order, unsigned or not in the same 16 bits. */
static uint16_t *read_counts(nset_recording *r, double gain, double offset, int64_t start, size_t n)
{
    size_t c = r->source->n_channels, step = 997;
    uint16_t *counts = calloc(n * c + 1, sizeof *counts);
    float *x = calloc(step * c, sizeof *x);
    nset_error err = { 0 };

    for (size_t t = 0; t < n; t += step) {
        size_t now = n - t < step ? n - t : step;
        if (r->source->read(r->source, x, start + (int64_t)t, now, &err) != NSET_OK) {
            printf("FAIL %s\n", err.text);
            failures++;
            break;
        }
        for (size_t k = 0; k < now; k++)
            for (size_t i = 0; i < c; i++)
                counts[(t + k) * c + r->file_channel[i]] = (uint16_t)lrint(((double)x[k * c + i] - offset) / gain);
    }
    free(x);
    return counts;
}

/* One stretch against its entry there; crc: the right one where the entry's is not. */
static void check_stretch(nset_recording *r, const char *name, json_t *e, double gain, double offset, int64_t start,
    int64_t n, const char *crc)
{
    size_t c = r->source->n_channels;
    const char *type = json_string_value(json_object_get(e, "dtype"));
    json_t *first = json_object_get(e, "first5_first_channel"), *last = json_object_get(e, "first5_last_channel");
    bool is_signed = type && !strcmp(type, "int16");
    uint16_t *counts = read_counts(r, gain, offset, start, (size_t)n);
    char got[16];

    for (size_t t = 0; t < 5; t++) {
        uint16_t a = counts[t * c], b = counts[t * c + c - 1];
        check_number("first channel", name, is_signed ? (int16_t)a : a, json_number_value(json_array_get(first, t)));
        check_number("last channel", name, is_signed ? (int16_t)b : b, json_number_value(json_array_get(last, t)));
    }
    snprintf(got, sizeof got, "%08x", golden_crc32(counts, (size_t)n * c * sizeof *counts));
    if (!crc)
        crc = json_string_value(json_object_get(e, "crc32"));
    if (!crc || strcmp(got, crc)) {
        printf("FAIL %s: crc32 of the counts is %s, expected %s\n", name, got, crc ? crc : "one");
        failures++;
    }
    free(counts);
}

typedef struct vendor_case {
    const char *key;    /* in expected.json */
    const char *path;   /* below ephys/ */
    const char *choose; /* --stream */
    size_t stream;      /* index there */
    double rate_hz;     /* right one, 0: that there */
    int64_t n_samples;  /* right one, 0: that there */
    const char *crc;    /* likewise */
    double gap_s[1];    /* between the stretches there */
    double start_s;
} vendor_case;

static const vendor_case cases[] = {
    { .key = "intan/traditional/sampledata_v3.0.rhd", .path = "intan/traditional/sampledata_v3.0.rhd" },
    { .key = "intan/fps_one_file_per_signal_type/info.rhd", .path = "intan/fps_one_file_per_signal_type/info.rhd" },
    { .key = "intan/fps_one_file_per_signal_type/info.rhd", .path = "intan/fps_one_file_per_signal_type" },
    { .key = "intan/fpc_one_file_per_channel/info.rhd", .path = "intan/fpc_one_file_per_channel/info.rhd" },
    { .key = "intan/fpc_one_file_per_channel/info.rhd", .path = "intan/fpc_one_file_per_channel" },
    { .key = "intan/made_rhs_v3.1.rhs", .path = "intan/made_rhs_v3.1.rhs", .start_s = -256. / 30000 },
    { .key = "neuralynx/BML/original_data", .path = "neuralynx/BML/original_data" },
    /* the reference reader takes the counter that came around for a pause of 71 minutes */
    { .key = "neuralynx/BML_unfilledsplit/original_data#gap_tolerance_ms=0",
        .path = "neuralynx/BML_unfilledsplit/original_data",
        .gap_s = { .006935 } },
    { .key = "neuralynx/Cheetah_v1.1.0/original_data", .path = "neuralynx/Cheetah_v1.1.0/original_data" },
    /* 35 us a sample, whatever the header says */
    { .key = "neuralynx/Cheetah_v4.0.2/original_data",
        .path = "neuralynx/Cheetah_v4.0.2/original_data/CSC14_trunc.Ncs",
        .rate_hz = 1e6 / 35 },
    { .key = "neuralynx/Cheetah_v5.4.0/original_data", .path = "neuralynx/Cheetah_v5.4.0/original_data" },
    { .key = "neuralynx/Cheetah_v5.5.1/original_data",
        .path = "neuralynx/Cheetah_v5.5.1/original_data",
        .start_s = 26122.557633 },
    { .key = "neuralynx/Cheetah_v5.7.4/original_data", .path = "neuralynx/Cheetah_v5.7.4/original_data" },
    { .key = "neuralynx/Cheetah_v6.4.1dev/original_data", .path = "neuralynx/Cheetah_v6.4.1dev/original_data" },
    { .key = "neuralynx/Cheetah_v6.4.1dev/original_data",
        .path = "neuralynx/Cheetah_v6.4.1dev/original_data",
        .choose = "2666.67Hz",
        .stream = 1 },
    { .key = "neuralynx/Cheetah_v6.4.1dev/original_data",
        .path = "neuralynx/Cheetah_v6.4.1dev/original_data",
        .choose = "2000Hz_100000uV_0.1-500Hz",
        .stream = 2 },
    /* the reference reader drops the last frame of version 2.1 */
    { .key = "blackrock/blackrock_2_1/l101210-001.ns2",
        .path = "blackrock/blackrock_2_1/l101210-001.ns2",
        .n_samples = 3641,
        .crc = "c766906c" },
    { .key = "blackrock/test2/test.ns5", .path = "blackrock/test2/test.ns5", .n_samples = 6, .crc = "fe594f80" },
    { .key = "blackrock/segment/PauseCorrect/pause_correct.ns2",
        .path = "blackrock/segment/PauseCorrect/pause_correct.ns2",
        .gap_s = { 31.0087 - 4 } },
    { .key = "blackrock/segment/ResetCorrect/reset.ns2",
        .path = "blackrock/segment/ResetCorrect/reset.ns2",
        .gap_s = { .0032 - 4.02 } },
};

static void check_stretches(nset_recording *r, const vendor_case *c, json_t *segments, double gain, double offset)
{
    int64_t at = 0;
    size_t n = json_array_size(segments);

    check_number("gaps", c->path, (double)r->n_gaps, (double)n - 1);
    for (size_t i = 0; i < n; i++) {
        json_t *e = json_array_get(segments, i);
        int64_t length = c->n_samples ? c->n_samples : json_integer_value(json_object_get(e, "n_samples"));
        if (at + length > r->source->n_samples)
            break; /* said by the number of samples */
        check_stretch(r, c->path, e, gain, offset, at, length, c->crc);
        at += length;
        if (i < r->n_gaps) {
            check_number("sample of the gap", c->path, (double)r->gap[i].sample, (double)at);
            check_number("gap in us", c->path, round(r->gap[i].seconds * 1e6), round(c->gap_s[i] * 1e6));
        }
    }
    check_number("samples", c->path, (double)r->source->n_samples, (double)at);
}

static void check_case(json_t *root, const vendor_case *c)
{
    json_t *s = json_array_get(json_object_get(json_object_get(root, c->key), "streams"), c->stream);
    json_t *unit = json_object_get(s, "gain_uV");
    double gain = json_number_value(unit ? unit : json_object_get(s, "gain"));
    nset_recording_options o = { .stream = c->choose };
    nset_recording *r = NULL;
    nset_error err = { 0 };
    char text[4096];
    const char *path = golden_path(text, sizeof text, "ephys/%s", c->path);

    if (!s || nset_recording_open(&r, &path, 1, &o, &err) != NSET_OK) {
        printf("FAIL %s: %s\n", c->path, s ? err.text : "expected.json knows nothing of it");
        failures++;
        return;
    }
    check_number("channels", c->path, (double)r->source->n_channels,
        (double)json_integer_value(json_object_get(s, "n_channels")));
    check_number("rate", c->path, r->source->rate_hz,
        c->rate_hz > 0 ? c->rate_hz : json_number_value(json_object_get(s, "sampling_rate")));
    check_number("gain", c->path, r->gain_uv, gain);
    if (c->start_s != 0)
        check_number("start", c->path, r->start_s, c->start_s);
    check_stretches(r, c, json_array_get(json_object_get(s, "blocks"), 0), gain,
        json_number_value(json_object_get(s, "offset_uV")));
    nset_recording_close(r);
}

/* Intan's own reader, where the other one cannot read the file. */
static void check_intan_reader(json_t *root, const char *file)
{
    char key[256], text[4096];
    const char *path = golden_path(text, sizeof text, "ephys/%s", file);
    nset_recording_options o = { 0 };
    nset_recording *r = NULL;
    nset_error err = { 0 };
    json_t *e, *counts;

    snprintf(key, sizeof key, "%s#intan_reader", file);
    e = json_object_get(root, key);
    counts = json_object_get(e, "amplifier_uint16");
    if (nset_recording_open(&r, &path, 1, &o, &err) != NSET_OK) {
        printf("FAIL %s: %s\n", file, err.text);
        failures++;
        return;
    }
    check_number(
        "channels", file, (double)r->source->n_channels, (double)json_integer_value(json_object_get(e, "n_channels")));
    check_number("rate", file, r->source->rate_hz, json_number_value(json_object_get(e, "sampling_rate")));
    check_number("gain", file, r->gain_uv, json_number_value(json_object_get(e, "gain_uV")));
    check_number("samples", file, (double)r->source->n_samples,
        (double)json_integer_value(json_object_get(counts, "n_samples")));
    check_number("gaps", file, (double)r->n_gaps, 0);
    check_stretch(
        r, file, counts, r->gain_uv, json_number_value(json_object_get(e, "offset_uV")), 0, r->source->n_samples, NULL);
    nset_recording_close(r);
}

/* Known by name, and refused with what to do. */
static const struct refusal {
    const char *file, *says;
} refusals[] = {
    { "mea/maxone_activity_scan_000008.raw.h5", "Maxwell, 25 channels, 20000 samples; header and mapping can be read" },
    { "plexon/File_plexon_3_trimmed.plx", "Plexon's .plx" },
    { "blackrock/FileSpec2.3001.nev", "holds events and spikes" },
    { "neuralynx/Cheetah_v5.5.1/original_data/STet3a.nse", "spikes of one electrode" },
    { "neuralynx/Cheetah_v5.6.3/original_data", "no reader knows" },
};

static void check_refusal(const struct refusal *c)
{
    char text[4096];
    const char *path = golden_path(text, sizeof text, "ephys/%s", c->file);
    nset_recording_options o = { 0 };
    nset_recording *r = NULL;
    nset_error err = { 0 };

    if (nset_recording_open(&r, &path, 1, &o, &err) == NSET_OK || !strstr(err.text, c->says)) {
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
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_case(root, &cases[i]);
    check_intan_reader(root, "intan/traditional/sampledata_v1.5.rhd");
    check_intan_reader(root, "intan/traditional/sampledata_v3.0.rhd");
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++)
        check_refusal(&refusals[i]);
    json_decref(root);
    printf("%d failures\n", failures);
    return failures != 0;
}
