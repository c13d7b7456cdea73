/* Geometry of SpikeGLX headers and probeinterface files against what probeinterface makes of them (expected.json).
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
    for (size_t c = 0; c < n; c++) {
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

static void check_meta(const char *name, json_t *want)
{
    char from[4096], meta[4096], data[4096];
    const char *path = data;
    nset_recording_options o = { 0 };
    nset_recording *r = NULL;
    nset_error err = { 0 };

    golden_path(from, sizeof from, "ephys/%s", name);
    snprintf(meta, sizeof meta, "%s/x.meta", folder);
    snprintf(data, sizeof data, "%s/x.bin", folder);
    copy(from, meta);
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

static void check_probe_file(const char *name, json_t *want)
{
    char probe[4096], data[4096];
    const char *path = data;
    nset_recording_options o = { .format = "raw", .rate_hz = 30000, .gain_uv = 1, .probe = probe };
    nset_recording *r = NULL;
    nset_error err = { 0 };

    golden_path(probe, sizeof probe, "ephys/%s", name);
    snprintf(data, sizeof data, "%s/x.bin", folder);
    copy("/dev/null", data);
    o.n_channels = (long)json_integer_value(json_object_get(want, "n_contacts"));
    if (nset_recording_open(&r, &path, 1, &o, &err) != NSET_OK)
        fail(name, err.text);
    else
        check_places(r, name, want);
    nset_recording_close(r);
    unlink(data);
}

int main(void)
{
    json_t *root = golden_json("ephys/expected.json"), *want;
    const char *name;
    int checked = 0;

    if (!root)
        return 77;
    if (!mkdtemp(folder))
        return 99;
    json_object_foreach(json_object_get(root, "_probes"), name, want)
    {
        size_t n = strlen(name);
        if (n > 5 && !strcmp(name + n - 5, ".meta"))
            check_meta(name, want);
        else if (strstr(name, "probes/probeinterface/"))
            check_probe_file(name, json_array_get(json_object_get(want, "probes"), 0));
        else
            continue;
        checked++;
    }
    rmdir(folder);
    json_decref(root);
    printf("%d probes, %d failures\n", checked, failures);
    return failures != 0 || checked < 30;
}
