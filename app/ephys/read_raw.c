/* Raw binary: with NAME.json beside it, or with options alone. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <neuroset/memory.h>

#include "ephys/planes.h"
#include "results/small_files.h"

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

/* Frames of planes: how many the file holds, and nothing left over. */
static nset_status open_planes(nset_layout *l, nset_error *err)
{
    size_t frame = l->n_columns * nset_dtype_size(l->dtype);
    int64_t n = 0, bytes = 0;
    nset_status status;

    if (frame == 0)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: samples of type '%s' are not read here", l->data_path, l->dtype);
    if ((status = nset_file_frames(&n, l->data_path, l->header_bytes, frame, err)) != NSET_OK ||
        (status = nset_file_frames(&bytes, l->data_path, l->header_bytes, 1, err)) != NSET_OK)
        return status;
    if (bytes != n * (int64_t)frame)
        return nset_fail(err, NSET_ERR_FORMAT,
            "%s: %lld bytes are not %zu channels of %s of the same length: where a channel ends is not known",
            l->data_path, (long long)bytes, l->n_columns, l->dtype);
    return nset_planes_open(l, n, err);
}

/* What options alone say of the samples: byte order, and that a channel's lie together. */
static nset_status use_order(nset_layout *l, const nset_recording_options *o, nset_error *err)
{
    l->big_endian = o->endian && o->endian[0] == 'b';
    if (o->endian)
        nset_layout_fact(l, "byte order", "--endian", "%s-endian", o->endian);
    if (o->order)
        nset_layout_fact(
            l, "axes", "--order", "(%s)", nset_channel_major(o) ? "channels, samples" : "samples, channels");
    return nset_channel_major(o) ? open_planes(l, err) : NSET_OK;
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
    if ((status = use_order(l, o, err)) != NSET_OK)
        return status;
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
    nset_layout_plain_gain(l, o);
    nset_layout_fact(l, "rate", "--rate", "%.10g Hz", l->rate_hz);
    nset_layout_fact(l, "dtype", o->dtype ? "--dtype" : "guessed", "%s", l->dtype);
    return use_order(l, o, err);
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
