/* NWB files of the test data against what HDF5 itself reads of them, whose checksums, rates and scales stand in
 * expected.json. */
#include <hdf5.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "ephys/recording.h"
#include "golden.h"

static int failures;

static void check(bool ok, const char *name, const char *what)
{
    if (!ok) {
        printf("FAIL %s: %s\n", name, what);
        failures++;
    }
}

/* The samples as doubles (n, columns), after their bytes gave the expected checksum; free it. */
static double *read_directly(const char *path, const char *series, size_t n, json_t *want)
{
    char name[300], crc[16];
    hid_t f = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT), d, type;
    double *x = calloc(n, sizeof *x);
    char *bytes;

    snprintf(name, sizeof name, "%s/data", series);
    d = H5Dopen2(f, name, H5P_DEFAULT);
    type = H5Dget_type(d);
    bytes = calloc(n, H5Tget_size(type));
    H5Dread(d, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes);
    H5Dread(d, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, x);
    snprintf(crc, sizeof crc, "%08x", (unsigned)golden_crc32(bytes, n * H5Tget_size(type)));
    check(
        !strcmp(crc, json_string_value(json_object_get(want, "data_crc32_LE"))), series, "the test reads other bytes");
    free(bytes);
    H5Tclose(type);
    H5Dclose(d);
    H5Fclose(f);
    return x;
}

static void check_samples(nset_recording *r, const char *name, const double *raw, json_t *want, size_t n_columns)
{
    json_t *si = json_object_get(want, "spikeinterface");
    size_t n = (size_t)r->source->n_samples, step = 613, c = r->source->n_channels, wrong = 0;
    float *x = calloc(step * c, sizeof *x);
    nset_error err = { 0 };

    for (size_t t = 0; t < n; t += step) {
        size_t now = n - t < step ? n - t : step;
        check(r->source->read(r->source, x, (int64_t)t, now, &err) == NSET_OK, name, err.text);
        for (size_t k = 0; k < now; k++)
            for (size_t i = 0; i < c; i++) {
                size_t column = r->file_channel[i];
                double gain = json_number_value(json_array_get(json_object_get(si, "gains_uV"), column));
                double offset = json_number_value(json_array_get(json_object_get(si, "offsets_uV"), column));
                double uv = raw[(t + k) * n_columns + column] * gain + offset;
                wrong += !(fabs((double)x[k * c + i] - uv) <= 1e-6 * fabs(uv) + 1e-9);
            }
    }
    check(wrong == 0, name, "microvolts differ from gain x counts + offset");
    free(x);
}

static void check_series(const char *file, json_t *want)
{
    const char *series = json_string_value(json_object_get(want, "path"));
    json_t *si = json_object_get(want, "spikeinterface"), *shape = json_object_get(want, "shape");
    size_t n = (size_t)json_integer_value(json_array_get(shape, 0));
    size_t n_columns = json_array_size(shape) > 1 ? (size_t)json_integer_value(json_array_get(shape, 1)) : 1;
    nset_recording_options o = { .stream = series };
    char path[4096], name[512];
    const char *paths = path;
    nset_recording *r = NULL;
    nset_error err = { 0 };
    double *raw, fs = json_number_value(json_object_get(si, "fs"));

    golden_path(path, sizeof path, "ephys/%s", file);
    snprintf(name, sizeof name, "%s:%s", file, series);
    if (nset_recording_open(&r, &paths, 1, &o, &err) != NSET_OK) {
        check(false, name, err.text);
        return;
    }
    check(r->source->n_channels == n_columns, name, "the number of channels differs from the data's shape");
    check((size_t)r->source->n_samples == n, name, "the number of samples differs");
    check(fabs(r->source->rate_hz / fs - 1) < 1e-9, name, "the rate differs");
    check(r->start_s == json_number_value(json_object_get(si, "t_start")), name, "the start differs");
    raw = read_directly(path, series, n * n_columns, want);
    if (r->source->n_channels == n_columns && (size_t)r->source->n_samples == n)
        check_samples(r, name, raw, want, n_columns);
    free(raw);
    nset_recording_close(r);
}

static nset_recording *open_plainly(const char *file)
{
    nset_recording_options o = { 0 };
    char path[4096];
    const char *paths = path;
    nset_recording *r = NULL;
    nset_error err = { 0 };

    golden_path(path, sizeof path, "ephys/nwb/%s", file);
    check(nset_recording_open(&r, &paths, 1, &o, &err) == NSET_OK, file, err.text);
    return r;
}

/* What the notes say beside the reference's answers: the gap it passes over, places of permuted electrodes, electrodes
 * that are no columns, two series. */
static void check_notes(void)
{
    nset_recording *r = open_plainly("locust_1d_gap_timestamps.nwb");
    static const char two[] = "locust_float_two_series_units.nwb";
    static const double places[3][2] = { { 50, 50 }, { 50, 0 }, { 0, 0 } }; /* of electrodes 3, 1, 0 */
    nset_recording_options o = { 0 };
    nset_error err = { 0 };
    char path[4096];
    const char *paths = path;

    check(r && r->n_gaps == 1 && r->gap[0].sample == 1500 && fabs(r->gap[0].seconds - .5) < 1e-9, "1d_gap",
        "a gap of 0.5 s at 1500 is expected");
    nset_recording_close(r);
    r = open_plainly("locust_gzip_chunked_timestamps_permuted.nwb");
    for (size_t i = 0; r && i < 3; i++)
        check(r->probe.x_um[i] == places[r->file_channel[i]][0] && r->probe.y_um[i] == places[r->file_channel[i]][1],
            "permuted", "a column is not at the place of its electrode");
    check(r && r->n_gaps == 0 && r->start_s == 2, "permuted", "no gap and a start of 2 s are expected");
    nset_recording_close(r);
    r = open_plainly("ecephys_tutorial_v2.5.0.nwb");
    check(r && strstr(json_string_value(json_array_get(r->warnings, 0)), "12 electrodes are named for 4 columns"),
        "tutorial", "12 electrodes for 4 columns are not told");
    nset_recording_close(r);
    r = NULL;
    golden_path(path, sizeof path, "ephys/nwb/%s", two);
    check(nset_recording_open(&r, &paths, 1, &o, &err) == NSET_ERR_FORMAT && strstr(err.text, "/acquisition/E2"), two,
        "a choice of series is not asked for");
    o.stream = "E2";
    err = (nset_error){ 0 };
    check(nset_recording_open(&r, &paths, 1, &o, &err) == NSET_OK && r->source->n_samples == 1000, two, err.text);
    nset_recording_close(r);
    r = NULL;
    o.stream = "E3";
    check(nset_recording_open(&r, &paths, 1, &o, &err) == NSET_ERR_FORMAT, two, "an unknown series is opened");
    nset_recording_close(r);
}

int main(void)
{
    json_t *root = golden_json("ephys/expected.json"), *want, *series;
    const char *file;
    size_t i;
    int checked = 0;

    if (!root)
        return 77;
    json_object_foreach(json_object_get(root, "_nwb"), file, want)
    {
        json_array_foreach(json_object_get(want, "series"), i, series)
        {
            check_series(file, series);
            checked++;
        }
    }
    check_notes();
    json_decref(root);
    printf("%d series, %d failures\n", checked, failures);
    return failures != 0 || checked < 8;
}
