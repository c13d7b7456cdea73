/* Open Ephys binary: structure.oebin names the streams of a recording, continuous/<folder>/continuous.dat holds them.
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <neuroset/memory.h>

#include "ephys/layout.h"

/* path may be the recording's folder, structure.oebin, or a stream's continuous.dat. */
static bool find_oebin(char *out, size_t n, const char *path)
{
    static const char *const steps[] = { "", "/structure.oebin", "/../../structure.oebin", "/../structure.oebin" };
    const char *slash = strrchr(path, '/');
    struct stat s;

    if (stat(path, &s))
        return false;
    if (S_ISDIR(s.st_mode))
        for (size_t i = 1; i < 4; i++) {
            snprintf(out, n, "%s%s", path, steps[i]);
            if (access(out, R_OK) == 0)
                return true;
        }
    else if (strstr(path, ".oebin")) {
        snprintf(out, n, "%s", path);
        return true;
    } else if (strstr(path, "continuous.dat")) {
        snprintf(out, n, "%.*s../../structure.oebin", slash ? (int)(slash - path + 1) : 0, path);
        return access(out, R_OK) == 0;
    }
    return false;
}

static bool probe(const char *path)
{
    char oebin[4096];

    return find_oebin(oebin, sizeof oebin, path);
}

static bool is_electrode(json_t *channel)
{
    const char *name = json_string_value(json_object_get(channel, "channel_name"));
    const char *about = json_string_value(json_object_get(channel, "description"));

    if (name && name[0] == 'A' && name[1] == 'I' && name[2] >= '0' && name[2] <= '9')
        return false;
    if (name && (!strncmp(name, "ADC", 3) || !strncmp(name, "AUX", 3) || !strncmp(name, "SYNC", 4) ||
                    strstr(name, "_ADC") || strstr(name, "_AUX")))
        return false;
    return !(about && (strstr(about, "ADC") || strstr(about, "AUX") || strstr(about, "Analog Input")));
}

static size_t count_electrodes(json_t *stream)
{
    json_t *channels = json_object_get(stream, "channels");
    size_t n = 0;

    for (size_t i = 0; i < json_array_size(channels); i++)
        n += is_electrode(json_array_get(channels, i));
    return n;
}

static void stream_folder(char *out, size_t n, json_t *stream)
{
    const char *name = json_string_value(json_object_get(stream, "folder_name"));

    snprintf(out, n, "%s", name ? name : "");
    while (*out && out[strlen(out) - 1] == '/')
        out[strlen(out) - 1] = '\0';
}

/* The stream that --stream names, or that path lies in, or the only one with electrodes. */
static nset_status choose_stream(
    json_t **out, json_t *root, const char *oebin, const char *path, const char *wanted, nset_error *err)
{
    json_t *streams = json_object_get(root, "continuous");
    char folder[512], list[400] = "";
    size_t n_fit = 0;

    *out = NULL;
    for (size_t i = 0; i < json_array_size(streams); i++) {
        json_t *s = json_array_get(streams, i);
        const char *name = json_string_value(json_object_get(s, "stream_name"));
        stream_folder(folder, sizeof folder, s);
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", i ? ", " : "", folder);
        if (wanted                                      ? !strcmp(wanted, folder) || (name && !strcmp(wanted, name))
            : strstr(path, "continuous.dat") && *folder ? strstr(path, folder) != NULL
                                                        : count_electrodes(s) > 0) {
            *out = s;
            n_fit++;
        }
    }
    if (n_fit == 1)
        return NSET_OK;
    if (n_fit == 0)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: no stream %s%s; there are: %s", oebin,
            wanted ? "is named " : "has electrodes", wanted ? wanted : "", *list ? list : "none");
    return nset_fail(
        err, NSET_ERR_FORMAT, "%s: %zu streams have electrodes; choose one with --stream: %s", oebin, n_fit, list);
}

static nset_status use_channels(nset_layout *l, json_t *stream, const char *oebin, nset_error *err)
{
    json_t *channels = json_object_get(stream, "channels");
    size_t n = count_electrodes(stream), k = 0;
    nset_status status;

    if (json_array_size(channels) != l->n_columns)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: num_channels is %zu, but %zu channels are listed", oebin,
            l->n_columns, json_array_size(channels));
    if (n == 0)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: the stream holds no electrode channel, only ADC or AUX", oebin);
    if ((status = nset_layout_channels(l, n, err)) != NSET_OK)
        return status;
    for (size_t i = 0; i < l->n_columns; i++) {
        json_t *c = json_array_get(channels, i);
        double gain = json_number_value(json_object_get(c, "bit_volts"));
        if (!is_electrode(c))
            continue;
        l->column[k] = i;
        l->gain_uv[k++] = gain != 0 ? gain : 1;
        if (gain == 0)
            nset_layout_warn(l, "channel %zu has no bit_volts: counts are taken as microvolts", i);
    }
    nset_layout_fact(l, "gain", oebin, "%.10g uV a count", l->gain_uv[0]);
    if (n < l->n_columns)
        nset_layout_fact(l, "left out", oebin, "%zu columns that are no electrodes (ADC, AUX, sync)", l->n_columns - n);
    return NSET_OK;
}

static nset_status use_stream(nset_layout *l, json_t *stream, const char *oebin, nset_error *err)
{
    char folder[512], name[1024], path[4096];
    json_int_t n = json_integer_value(json_object_get(stream, "num_channels"));

    if (n < 1 || n > 65536)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: num_channels is %lld; a number from 1 to 65536 is expected", oebin,
            (long long)n);
    stream_folder(folder, sizeof folder, stream);
    if (!*folder || strstr(folder, "..") || folder[0] == '/')
        return nset_fail(err, NSET_ERR_FORMAT, "%s: folder_name '%s' is not a folder beside it", oebin, folder);
    snprintf(name, sizeof name, "continuous/%s/continuous.dat", folder);
    nset_path_beside(path, sizeof path, oebin, name);
    if (!(l->data_path = nset_strdup(path)))
        return nset_fail_oom(err, strlen(path), 1);
    l->n_columns = (size_t)n;
    l->rate_hz = json_number_value(json_object_get(stream, "sample_rate"));
    snprintf(l->dtype, sizeof l->dtype, "int16");
    nset_layout_fact(l, "stream", oebin, "%s", folder);
    nset_layout_fact(l, "rate", oebin, "%.12g Hz", l->rate_hz);
    nset_layout_fact(l, "dtype", "the format", "int16");
    return use_channels(l, stream, oebin, err);
}

static nset_status open_openephys(nset_layout *l, const char *path, const nset_recording_options *o, nset_error *err)
{
    char oebin[4096];
    json_t *root = NULL, *stream = NULL;
    nset_status status;

    if (!find_oebin(oebin, sizeof oebin, path))
        return nset_fail(err, NSET_ERR_FORMAT, "%s: there is no structure.oebin here", path);
    if ((status = nset_read_json(&root, oebin, err)) != NSET_OK)
        return status;
    if ((status = choose_stream(&stream, root, oebin, path, o->stream, err)) == NSET_OK)
        status = use_stream(l, stream, oebin, err);
    json_decref(root);
    return status;
}

const nset_reader nset_reader_openephys = {
    .name = "openephys", .about = "Open Ephys binary", .says_all = true, .probe = probe, .open = open_openephys
};
