/* Geometry of SpikeGLX headers and probe files of every kind against what probeinterface makes of them (expected.json).
 *
 * A header without data gets an empty data file beside a copy. probeinterface counts x from another origin, so places
 * are compared from the least x and y on.
 */
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "ephys/recording.h"
#include "golden.h"

static char folder[] = "/tmp/neuroset-golden-XXXXXX";
static int failures;

static void fail(const char *name, const char *what)
{
    printf("FAIL %s: %s\n", name, what);
    failures++;
}

static bool ends(const char *name, const char *ending)
{
    size_t n = strlen(name), k = strlen(ending);

    return n > k && !strcmp(name + n - k, ending);
}

static void copy(const char *from, const char *to)
{
    FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
    char block[65536];
    size_t n;

    while (in && out && (n = fread(block, 1, sizeof block, in)) > 0)
        fwrite(block, 1, n, out);
    if (in)
        fclose(in);
    if (out)
        fclose(out);
}

static double least(const double *x, size_t n)
{
    double m = INFINITY;

    for (size_t i = 0; i < n; i++)
        m = fmin(m, x[i]);
    return m;
}

/* Index of the channel of the file's column c. */
static size_t channel_of(const nset_recording *r, size_t c)
{
    for (size_t i = 0; i < r->probe.n_channels; i++)
        if (r->file_channel[i] == c)
            return i;
    return 0;
}

static void check_place(const nset_recording *r, const char *name, size_t column, json_t *want, double x0)
{
    size_t i = channel_of(r, column);
    double x = r->probe.x_um[i] - least(r->probe.x_um, r->probe.n_channels);
    double want_x = json_number_value(json_array_get(want, 0)) - x0;
    char text[200];

    snprintf(text, sizeof text, "column %zu is at (%g, %g), expected (%g, %g)", column, x, r->probe.y_um[i], want_x,
        json_number_value(json_array_get(want, 1)));
    if (fabs(x - want_x) > 1e-9 || fabs(r->probe.y_um[i] - json_number_value(json_array_get(want, 1))) > 1e-9)
        fail(name, text);
}

static void check_places(const nset_recording *r, const char *name, json_t *want)
{
    json_t *unique = json_object_get(want, "x_unique"), *first = json_object_get(want, "positions_um_first3"), *p;
    double x0 = json_number_value(json_array_get(unique, 0));
    size_t n = (size_t)json_integer_value(json_object_get(want, "n_contacts")), i;

    if (r->probe.n_channels != n) {
        fail(name, "the number of contacts differs");
        return;
    }
    json_array_foreach(first, i, p) check_place(r, name, i, p, x0);
    check_place(r, name, n - 1, json_object_get(want, "positions_um_last"), x0);
    for (size_t c = 0; c < n && json_array_size(unique) < 24; c++) { /* longer lists were cut */
        bool found = false;
        double x = r->probe.x_um[c] - least(r->probe.x_um, n);
        json_array_foreach(unique, i, p) found = found || fabs(json_number_value(p) - x0 - x) < 1e-9;
        if (!found) {
            fail(name, "an x is not one of the expected ones");
            return;
        }
    }
}

static bool geometry_was_guessed(const nset_recording *r)
{
    json_t *fact;
    size_t i;

    json_array_foreach(
        r->facts, i, fact) if (!strcmp(json_string_value(json_object_get(fact, "name")), "geometry") &&
                               strstr(json_string_value(json_object_get(fact, "from")), "guessed")) return true;
    return false;
}

/* A copy of a header without its line that begins with key. */
static void copy_without(const char *from, const char *to, const char *key)
{
    FILE *in = fopen(from, "r"), *out = fopen(to, "w");
    char *line = NULL;
    size_t room = 0;

    while (in && out && getline(&line, &room, in) > 0)
        if (strncmp(line, key, strlen(key)) != 0)
            fputs(line, out);
    free(line);
    if (in)
        fclose(in);
    if (out)
        fclose(out);
}

/* The places come from snsGeomMap where it is, or from the table of sites when that is taken away. */
static void check_meta(const char *name, json_t *want, bool without_map)
{
    char from[4096], meta[4096], data[4096];
    const char *path = data;
    nset_recording_options o = { 0 };
    nset_recording *r = NULL;
    nset_error err = { 0 };

    golden_path(from, sizeof from, "ephys/%s", name);
    snprintf(meta, sizeof meta, "%s/x.meta", folder);
    snprintf(data, sizeof data, "%s/x.bin", folder);
    copy_without(from, meta, without_map ? "~snsGeomMap=" : "no such key");
    copy("/dev/null", data);
    if (nset_recording_open(&r, &path, 1, &o, &err) != NSET_OK)
        fail(name, err.text);
    else if (geometry_was_guessed(r))
        fail(name, "the geometry was not found");
    else
        check_places(r, name, want);
    nset_recording_close(r);
    unlink(meta);
    unlink(data);
}

/* A probe file for a recording of n columns, without samples. */
static nset_status open_with(nset_recording **r, const char *probe, size_t n, nset_error *err)
{
    char data[4096];
    const char *path = data;
    nset_recording_options o = { .format = "raw", .rate_hz = 30000, .gain_uv = 1, .probe = probe };
    nset_status status;

    snprintf(data, sizeof data, "%s/x.bin", folder);
    copy("/dev/null", data);
    o.n_channels = (long)n;
    status = nset_recording_open(r, &path, 1, &o, err);
    unlink(data);
    return status;
}

/* All places, bit for bit, in the order of the columns. */
static void check_bits(const nset_recording *r, const char *name, json_t *want)
{
    double xy[2 * 512];
    char crc[16];

    for (size_t c = 0; c < r->probe.n_channels && c < 512; c++) {
        xy[2 * c] = r->probe.x_um[channel_of(r, c)];
        xy[2 * c + 1] = r->probe.y_um[channel_of(r, c)];
    }
    snprintf(crc, sizeof crc, "%08x", (unsigned)golden_crc32(xy, 2 * sizeof *xy * r->probe.n_channels));
    if (strcmp(crc, json_string_value(json_object_get(want, "crc32_positions_f64_C"))))
        fail(name, "the places differ from the reference's bytes");
}

/* Contact i of the file is wired to column i, or as device_channel_indices_first8 says. */
static void check_probe_file(const char *name, const char *path, json_t *want)
{
    json_t *wires = json_object_get(want, "device_channel_indices_first8"), *unique = json_object_get(want, "x_unique");
    json_t *first = json_object_get(want, "positions_um_first3"), *p;
    size_t n = (size_t)json_integer_value(json_object_get(want, "n_contacts")), columns = n, i;
    nset_recording *r = NULL;
    nset_error err = { 0 };
    bool plain = true;

    json_array_foreach(wires, i, p) plain = plain && json_integer_value(p) == (json_int_t)i;
    if (!plain)
        columns = 256;
    if (open_with(&r, path, columns, &err) != NSET_OK) {
        fail(name, err.text);
    } else if (plain) {
        check_places(r, name, want);
        if (ends(name, ".prb"))
            check_bits(r, name, want);
    } else if (r->probe.n_channels != n) {
        fail(name, "the number of contacts differs");
    } else {
        json_array_foreach(first, i, p) check_place(r, name, (size_t)json_integer_value(json_array_get(wires, i)), p,
            json_number_value(json_array_get(unique, 0)));
    }
    nset_recording_close(r);
}

static void check_refused(const char *name, const char *path, size_t n_columns, const char *because)
{
    nset_recording *r = NULL;
    nset_error err = { 0 };

    if (open_with(&r, path, n_columns, &err) == NSET_OK)
        fail(name, "is read, a refusal is expected");
    else if (!strstr(err.text, because))
        fail(name, err.text);
    nset_recording_close(r);
}

/* The table of sites of a SpikeGLX header as a file of its own. Where a type number stands for probes of several
 * shapes only the header knows which it is. */
static bool check_table(const char *name, json_t *want)
{
    const char *model = json_string_value(json_object_get(want, "model_name"));
    char path[4096], *line = NULL;
    size_t room = 0;
    FILE *in, *out;
    bool found = false;

    if (!model || !strncmp(model, "NP1015", 6) || !strncmp(model, "NP103", 5) || strstr(name, "subset") ||
        strstr(name, "np_ultra_stub"))
        return false;
    in = fopen(golden_path(path, sizeof path, "ephys/%s", name), "r");
    snprintf(path, sizeof path, "%s/x.imro", folder);
    while (in && !found && getline(&line, &room, in) > 0)
        if (!strncmp(line, "~imroTbl=", 9) && (out = fopen(path, "w"))) {
            fputs(line + 9, out);
            fclose(out);
            found = true;
        }
    free(line);
    if (in)
        fclose(in);
    if (found)
        check_probe_file(name, path, want);
    unlink(path);
    return found;
}

/* Kilosort's map of phy's example: three columns of contacts on one shank. */
static void check_kilosort(void)
{
    char path[4096];
    const char *name = "probes/kilosort/chanMap_phy_example_0.mat";
    nset_recording *r = NULL;
    nset_error err = { 0 };
    size_t at;

    golden_path(path, sizeof path, "ephys/%s", name);
    if (open_with(&r, path, 32, &err) != NSET_OK) {
        fail(name, err.text);
        return;
    }
    at = channel_of(r, 0);
    if (r->probe.n_channels != 32 || r->probe.x_um[at] != -18 || r->probe.y_um[at] != -117.1875)
        fail(name, "channel 0 is not at (-18, -117.1875)");
    for (size_t i = 0; i < r->probe.n_channels; i++)
        if (r->probe.shank[i] != 0)
            fail(name, "there is more than one shank");
    nset_recording_close(r);
    check_refused(name, path, 31, "31 channels");
}

int main(void)
{
    json_t *root = golden_json("ephys/expected.json"), *want;
    const char *name;
    int checked = 0, tables = 0;

    if (!root)
        return 77;
    if (!mkdtemp(folder))
        return 99;
    json_object_foreach(json_object_get(root, "_probes"), name, want)
    {
        json_t *probes = json_object_get(want, "probes");
        char path[4096];
        golden_path(path, sizeof path, "ephys/%s", name);
        if (ends(name, ".meta")) {
            check_meta(name, want, false);
            check_meta(name, want, true);
            tables += check_table(name, want);
        } else if (ends(name, "adrien.prb")) {
            check_refused(name, path, 32, "line 5: 'def'");
        } else if (ends(name, "ASSY-37-P.prb")) {
            check_refused(name, path, 32, "line ");
        } else if (json_object_get(want, "reference_error")) {
            check_refused(name, path, 384, "catalogue");
        } else {
            check_probe_file(name, path, probes ? json_array_get(probes, 0) : want);
        }
        checked++;
    }
    check_kilosort();
    rmdir(folder);
    json_decref(root);
    printf("%d probes, %d tables of headers, %d failures\n", checked, tables, failures);
    return failures != 0 || checked < 49 || tables < 20;
}
