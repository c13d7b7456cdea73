/* MountainSort's .mda: (channels, samples) in Fortran order, so sample after sample. The rate stands in params.json
 * beside it, if anywhere, the places in geom.csv.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <neuroset/memory.h>

#include "ephys/bytes.h"
#include "ephys/folder.h"
#include "ephys/layout.h"
#include "results/small_files.h"

enum { START = 12, MAX_COLUMNS = 65536 };

static void data_file(char *out, size_t n, const char *path)
{
    snprintf(out, n, nset_is_folder(path) ? "%s/raw.mda" : "%s", path);
}

static bool probe(const char *path)
{
    char data[4096];

    data_file(data, sizeof data, path);
    return nset_has_ending(data, ".mda") && access(data, R_OK) == 0;
}

static const char *type_name(int code)
{
    static const char *const names[] = { "uint8", "float32", "int16", "int32", "uint16", "float64", "uint32" };

    return code <= -2 && code >= -8 ? names[-2 - code] : NULL;
}

static nset_status parse(nset_layout *l, const unsigned char *b, size_t got, const char *path, nset_error *err)
{
    int code = (int32_t)nset_le32(b), size = (int32_t)nset_le32(b + 4), rank = (int32_t)nset_le32(b + 8);
    const char *type = type_name(code);
    int64_t dims[2];

    if (got < START)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: %zu bytes are no .mda file", path, got);
    if (code >= 0 || code == -1)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: complex numbers, which no recording has", path);
    if (!type || size != (int)nset_dtype_size(type))
        return nset_fail(
            err, NSET_ERR_FORMAT, "%s: type code %d with %d bytes a number is no .mda type", path, code, size);
    if (rank != 2 && rank != -2)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: %d axes; a recording has two, (channels, samples)", path,
            rank < 0 ? -rank : rank);
    l->header_bytes = START + 2 * (rank < 0 ? 8 : 4);
    if (got < (size_t)l->header_bytes)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: the file ends inside its header", path);
    for (int i = 0; i < 2; i++)
        dims[i] = rank < 0 ? (int64_t)nset_le64(b + START + 8 * i) : (int32_t)nset_le32(b + START + 4 * i);
    if (dims[0] < 1 || dims[0] > MAX_COLUMNS || dims[1] < 0)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: (channels, samples) is (%lld, %lld); 1 to %d channels are expected",
            path, (long long)dims[0], (long long)dims[1], MAX_COLUMNS);
    l->n_columns = (size_t)dims[0];
    l->stated_samples = (double)dims[1];
    snprintf(l->dtype, sizeof l->dtype, "%s", type);
    if (dims[0] > dims[1])
        nset_layout_warn(l, "%s has more channels (%lld) than samples (%lld): are its axes (channels, samples)?", path,
            (long long)dims[0], (long long)dims[1]);
    return NSET_OK;
}

static nset_status read_header(nset_layout *l, const char *path, nset_error *err)
{
    unsigned char b[START + 16] = { 0 };
    FILE *f = fopen(path, "rb");
    size_t got;

    if (!f)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: %s", path, strerror(errno));
    got = fread(b, 1, sizeof b, f);
    fclose(f);
    return parse(l, b, got, path, err);
}

/* What stands beside it: the rate, unless --rate says it, and the places, unless --probe does. */
static nset_status use_neighbours(nset_layout *l, const char *path, const nset_recording_options *o, nset_error *err)
{
    char beside[4096];
    json_t *root = NULL;
    nset_status status;

    l->rate_hz = o->rate_hz;
    if (o->rate_hz > 0)
        nset_layout_fact(l, "rate", "--rate", "%.10g Hz", l->rate_hz);
    nset_path_beside(beside, sizeof beside, path, "params.json");
    if (o->rate_hz <= 0 && access(beside, R_OK) == 0) {
        if ((status = nset_read_json(&root, beside, err)) != NSET_OK)
            return status;
        l->rate_hz = json_number_value(json_object_get(root, "samplerate"));
        json_decref(root);
        if (l->rate_hz > 0)
            nset_layout_fact(l, "rate", beside, "%.10g Hz", l->rate_hz);
    }
    nset_path_beside(beside, sizeof beside, path, "geom.csv");
    if (o->probe || access(beside, R_OK))
        return NSET_OK;
    return nset_probe_file(l, beside, err);
}

static nset_status open_mda(nset_layout *l, const char *path, const nset_recording_options *o, nset_error *err)
{
    char data[4096];
    int64_t n = 0;
    nset_status status;

    data_file(data, sizeof data, path);
    if (!(l->data_path = nset_strdup(data)))
        return nset_fail_oom(err, strlen(data), 1);
    if (nset_has_ending(data, "/firings.mda"))
        return nset_fail(err, NSET_ERR_FORMAT, "%s: it holds times of spikes, not the recording: give raw.mda", data);
    if ((status = read_header(l, data, err)) != NSET_OK ||
        (status = nset_file_frames(&n, data, l->header_bytes, l->n_columns * nset_dtype_size(l->dtype), err)) !=
            NSET_OK)
        return status;
    if (n == 0)
        return nset_fail(
            err, NSET_ERR_FORMAT, "%s: a header of %zu channels, but not one sample of each", data, l->n_columns);
    if ((status = nset_layout_channels(l, l->n_columns, err)) != NSET_OK)
        return status;
    for (size_t i = 0; i < l->n; i++)
        l->gain_uv[i] = o->gain_uv != 0 ? o->gain_uv : 1;
    nset_layout_fact(l, "dtype", data, "%s", l->dtype);
    nset_layout_fact(l, "gain", o->gain_uv != 0 ? "--gain" : "guessed", "%.10g uV a count", l->gain_uv[0]);
    if (o->gain_uv == 0)
        nset_layout_warn(l, "no gain is known: values are taken as microvolts; give it with --gain");
    return use_neighbours(l, data, o, err);
}

const nset_reader nset_reader_mda = { "mda", "MountainSort .mda", true, probe, open_mda, NULL };
