/* Raw binary: with NAME.json beside it, with options alone, or as a NumPy array. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <neuroset/memory.h>

#include "ephys/layout.h"

static bool ends_with(const char *path, const char *ending)
{
    size_t n = strlen(path), m = strlen(ending);

    return n >= m && !strcmp(path + n - m, ending);
}

static nset_status set_path(nset_layout *l, const char *path, nset_error *err)
{
    return (l->data_path = nset_strdup(path)) ? NSET_OK : nset_fail_oom(err, strlen(path), 1);
}

static nset_status check_columns(const char *path, long n, nset_error *err)
{
    if (n < 1 || n > 65536)
        return nset_fail(
            err, NSET_ERR_FORMAT, "%s: %ld channels: a number from 1 to 65536 is expected; see --channels", path, n);
    return NSET_OK;
}

static void set_gain(nset_layout *l, double gain, double offset)
{
    for (size_t i = 0; i < l->n; i++) {
        l->gain_uv[i] = gain;
        l->offset_uv[i] = offset;
    }
}

/* ---- NAME.json beside NAME.bin ---- */

static void json_path(char *out, size_t n, const char *path)
{
    const char *dot = strrchr(path, '.'), *slash = strrchr(path, '/');
    size_t stem = dot && (!slash || dot > slash) ? (size_t)(dot - path) : strlen(path);

    snprintf(out, n, "%.*s.json", (int)stem, path);
}

static bool probe_json(const char *path)
{
    char beside[4096];

    if (ends_with(path, ".json"))
        return access(path, R_OK) == 0;
    json_path(beside, sizeof beside, path);
    return access(beside, R_OK) == 0;
}

static double number(json_t *root, const char *const *names)
{
    for (; *names; names++)
        if (json_is_number(json_object_get(root, *names)))
            return json_number_value(json_object_get(root, *names));
    return 0;
}

static nset_status use_json(
    nset_layout *l, json_t *root, const char *path, const char *json, const nset_recording_options *o, nset_error *err)
{
    static const char *const rates[] = { "sampling_rate", "sampling_frequency", "rate_hz", NULL };
    static const char *const counts[] = { "num_channels", "n_channels", NULL };
    static const char *const gains[] = { "gain_to_uv", "gain_uv", NULL }, *const offsets[] = { "offset_to_uv", NULL };
    const char *dtype = json_string_value(json_object_get(root, "dtype"));
    const char *probe = json_string_value(json_object_get(root, "probe"));
    double gain = number(root, gains);
    char place[4096];
    nset_status status;

    l->rate_hz = o->rate_hz > 0 ? o->rate_hz : number(root, rates);
    l->n_columns = (size_t)(o->n_channels ? (double)o->n_channels : number(root, counts));
    snprintf(l->dtype, sizeof l->dtype, "%s", o->dtype ? o->dtype : dtype ? dtype : "int16");
    l->header_bytes = o->header_bytes;
    if ((status = check_columns(json, (long)l->n_columns, err)) != NSET_OK ||
        (status = nset_layout_channels(l, l->n_columns, err)) != NSET_OK)
        return status;
    if (o->gain_uv != 0)
        gain = o->gain_uv;
    if (gain == 0)
        nset_layout_warn(l, "%s has no gain: counts are taken as microvolts", json);
    set_gain(l, gain == 0 ? 1 : gain, number(root, offsets));
    nset_layout_fact(l, "rate", o->rate_hz > 0 ? "--rate" : json, "%.10g Hz", l->rate_hz);
    nset_layout_fact(l, "gain",
        o->gain_uv != 0 ? "--gain"
        : gain != 0     ? json
                        : "guessed",
        "%.10g uV a count", l->gain_uv[0]);
    nset_layout_fact(l, "dtype", o->dtype ? "--dtype" : dtype ? json : "guessed", "%s", l->dtype);
    l->stated_samples = json_number_value(json_object_get(root, "num_samples"));
    if (!o->probe && probe) {
        nset_path_beside(place, sizeof place, path, probe);
        return nset_probe_file(l, place, err);
    }
    return NSET_OK;
}

static nset_status open_json(nset_layout *l, const char *path, const nset_recording_options *o, nset_error *err)
{
    char json[4096], data[4096];
    json_t *root = NULL;
    const char *file;
    nset_status status;

    if (ends_with(path, ".json"))
        snprintf(json, sizeof json, "%s", path);
    else
        json_path(json, sizeof json, path);
    if ((status = nset_read_json(&root, json, err)) != NSET_OK)
        return status;
    file = json_string_value(json_object_get(root, "file"));
    if (ends_with(path, ".json") && file)
        nset_path_beside(data, sizeof data, path, file);
    else
        snprintf(data, sizeof data, "%s", path);
    if (ends_with(path, ".json") && !file)
        status = nset_fail(err, NSET_ERR_FORMAT, "%s: it has no \"file\": which is the data file?", path);
    else if ((status = set_path(l, data, err)) == NSET_OK)
        status = use_json(l, root, path, json, o, err);
    json_decref(root);
    return status;
}

static nset_status open_jsons(
    nset_layout *l, const char *const *paths, size_t n, const nset_recording_options *o, nset_error *err)
{
    return nset_layout_open_each(l, open_json, paths, n, o, err);
}

const nset_reader nset_reader_json = { .name = "json",
    .about = "raw binary described by the JSON file beside it",
    .says_all = false,
    .probe = probe_json,
    .open = open_json,
    .open_many = open_jsons };

/* ---- options alone ---- */

static bool probe_raw(const char *path)
{
    return ends_with(path, ".bin") || ends_with(path, ".dat") || ends_with(path, ".raw");
}

static nset_status open_raw(nset_layout *l, const char *path, const nset_recording_options *o, nset_error *err)
{
    nset_status status;

    if (access(path, R_OK))
        return nset_fail(err, NSET_ERR_FORMAT, "%s: %s", path, strerror(errno));
    if (o->n_channels == 0 || o->rate_hz <= 0)
        return nset_fail(err, NSET_ERR_FORMAT,
            "%s: a raw file says neither its channels nor its rate: give --channels and "
            "--rate",
            path);
    if ((status = check_columns(path, o->n_channels, err)) != NSET_OK || (status = set_path(l, path, err)) != NSET_OK)
        return status;
    l->rate_hz = o->rate_hz;
    l->n_columns = (size_t)o->n_channels;
    l->header_bytes = o->header_bytes;
    snprintf(l->dtype, sizeof l->dtype, "%s", o->dtype ? o->dtype : "int16");
    if ((status = nset_layout_channels(l, l->n_columns, err)) != NSET_OK)
        return status;
    set_gain(l, o->gain_uv != 0 ? o->gain_uv : 1, 0);
    nset_layout_fact(l, "rate", "--rate", "%.10g Hz", l->rate_hz);
    nset_layout_fact(l, "dtype", o->dtype ? "--dtype" : "guessed", "%s", l->dtype);
    nset_layout_fact(l, "gain", o->gain_uv != 0 ? "--gain" : "guessed", "%.10g uV a count", l->gain_uv[0]);
    if (o->gain_uv == 0)
        nset_layout_warn(l, "no gain is known: counts are taken as microvolts; give it with --gain");
    return NSET_OK;
}

static nset_status open_raws(
    nset_layout *l, const char *const *paths, size_t n, const nset_recording_options *o, nset_error *err)
{
    return nset_layout_open_each(l, open_raw, paths, n, o, err);
}

const nset_reader nset_reader_raw = { .name = "raw",
    .about = "raw binary described by options",
    .says_all = false,
    .probe = probe_raw,
    .open = open_raw,
    .open_many = open_raws };

/* ---- NumPy ---- */

static bool probe_npy(const char *path)
{
    char magic[6] = "";
    FILE *f = fopen(path, "rb");

    if (!f)
        return false;
    if (fread(magic, 1, 6, f) != 6)
        magic[0] = '\0';
    fclose(f);
    return !memcmp(magic, "\x93NUMPY", 6);
}

static const char *value_of(const char *header, const char *key)
{
    const char *p = strstr(header, key);

    if (!p)
        return "";
    for (p += strlen(key); *p == ' ' || *p == ':' || *p == '\'' || *p == '"'; p++)
        ;
    return p;
}

static nset_status parse_npy(nset_layout *l, const char *header, const char *path, nset_error *err)
{
    static const char *const kinds[][2] = { { "i1", "int8" }, { "u1", "uint8" }, { "i2", "int16" }, { "u2", "uint16" },
        { "i4", "int32" }, { "u4", "uint32" }, { "f4", "float32" }, { "f8", "float64" } };
    const char *descr = value_of(header, "descr'"), *shape = value_of(header, "shape'");
    char *end;
    size_t k = 0;

    while (k < 8 && *descr && strncmp(descr + 1, kinds[k][0], 2))
        k++;
    if (!*descr || k == 8)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: the array's type '%.8s' is not read here", path, descr);
    snprintf(l->dtype, sizeof l->dtype, "%s", kinds[k][1]);
    l->big_endian = *descr == '>';
    if (strstr(header, "'fortran_order': True"))
        return nset_fail(
            err, NSET_ERR_FORMAT, "%s: the array is in Fortran order; save it as np.ascontiguousarray", path);
    if (*shape != '(' || !isdigit((unsigned char)shape[1]))
        return nset_fail(err, NSET_ERR_FORMAT, "%s: the array must be (samples, channels)", path);
    l->stated_samples = (double)strtoull(shape + 1, &end, 10);
    while (*end == ',' || *end == ' ' || *end == 'L')
        end++;
    l->n_columns = *end == ')' ? 1 : strtoull(end, &end, 10);
    while (*end == ',' || *end == ' ' || *end == 'L')
        end++;
    if (*end && *end != ')')
        return nset_fail(
            err, NSET_ERR_FORMAT, "%s: the array has more than two axes; (samples, channels) is expected", path);
    if (l->stated_samples < (double)l->n_columns)
        nset_layout_warn(l,
            "%s has more channels (%zu) than samples (%.0f): are its axes (channels, samples)? (samples, channels) is "
            "expected",
            path, l->n_columns, l->stated_samples);
    return check_columns(path, (long)l->n_columns, err);
}

static nset_status read_npy_header(nset_layout *l, const char *path, nset_error *err)
{
    char header[8192 + 1];
    unsigned char start[12];
    FILE *f = fopen(path, "rb");
    size_t length, skip, got;

    if (!f)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: %s", path, strerror(errno));
    got = fread(start, 1, 12, f);
    skip = got == 12 && start[6] == 1 ? 10 : 12;
    length = got < 12 ? 0
                      : start[8] | (size_t)start[9] << 8 |
                            (skip == 12 ? (size_t)start[10] << 16 | (size_t)start[11] << 24 : 0);
    if (length == 0 || length > 8192 || fseek(f, (long)skip, SEEK_SET) || fread(header, 1, length, f) != length) {
        fclose(f);
        return nset_fail(err, NSET_ERR_FORMAT, "%s: the NumPy header is cut short or over 8192 bytes", path);
    }
    fclose(f);
    header[length] = '\0';
    l->header_bytes = (int64_t)(skip + length);
    return parse_npy(l, header, path, err);
}

static nset_status open_npy(nset_layout *l, const char *path, const nset_recording_options *o, nset_error *err)
{
    nset_status status;

    if ((status = set_path(l, path, err)) != NSET_OK || (status = read_npy_header(l, path, err)) != NSET_OK ||
        (status = nset_layout_channels(l, l->n_columns, err)) != NSET_OK)
        return status;
    l->rate_hz = o->rate_hz;
    set_gain(l, o->gain_uv != 0 ? o->gain_uv : 1, 0);
    if (o->rate_hz > 0)
        nset_layout_fact(l, "rate", "--rate", "%.10g Hz", l->rate_hz);
    nset_layout_fact(l, "dtype", "the array's header", "%s", l->dtype);
    nset_layout_fact(l, "gain", o->gain_uv != 0 ? "--gain" : "guessed", "%.10g uV a count", l->gain_uv[0]);
    if (o->gain_uv == 0)
        nset_layout_warn(l, "no gain is known: values are taken as microvolts; give it with --gain");
    return NSET_OK;
}

static nset_status open_npys(
    nset_layout *l, const char *const *paths, size_t n, const nset_recording_options *o, nset_error *err)
{
    return nset_layout_open_each(l, open_npy, paths, n, o, err);
}

const nset_reader nset_reader_npy = { .name = "npy",
    .about = "NumPy array (samples, channels)",
    .says_all = true,
    .probe = probe_npy,
    .open = open_npy,
    .open_many = open_npys };
