/* Open Ephys binary: structure.oebin names the streams of a recording, continuous/<folder>/continuous.dat holds them.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <neuroset/memory.h>

#include "ephys/openephys.h"
#include "results/small_files.h"

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

/* Is the stream one of spikes, not of a probe's low-frequency band? */
static bool is_fast(json_t *stream)
{
    return json_number_value(json_object_get(stream, "sample_rate")) > 5000;
}

static void stream_folder(char *out, size_t n, json_t *stream)
{
    const char *name = json_string_value(json_object_get(stream, "folder_name"));

    snprintf(out, n, "%s", name ? name : "");
    while (*out && out[strlen(out) - 1] == '/')
        out[strlen(out) - 1] = '\0';
}

/* Is path the continuous.dat of the stream with that folder? */
static bool is_path_of(const char *path, const char *folder)
{
    const char *at = *folder ? strstr(path, folder) : NULL;

    return at && (at == path || at[-1] == '/') && !strcmp(at + strlen(folder), "/continuous.dat");
}

static bool fits(json_t *stream, const char *path, const char *wanted, bool only_fast)
{
    const char *name = json_string_value(json_object_get(stream, "stream_name"));
    bool of_path = strstr(path, "continuous.dat") != NULL;
    char folder[512];

    stream_folder(folder, sizeof folder, stream);
    if (wanted)
        return !strcmp(wanted, folder) || (name && !strcmp(wanted, name));
    return of_path ? is_path_of(path, folder) : count_electrodes(stream) > 0 && (!only_fast || is_fast(stream));
}

/* The stream that --stream names, or that path lies in, or the only one with electrodes, fast ones first. */
static nset_status choose_stream(
    json_t **out, json_t *root, const char *oebin, const char *path, const char *wanted, nset_error *err)
{
    json_t *streams = json_object_get(root, "continuous"), *s;
    char folder[512], list[400] = "";
    size_t n_fit = 0, i;

    for (int only_fast = 1; only_fast >= 0 && n_fit == 0; only_fast--)
        json_array_foreach(streams, i, s) if (fits(s, path, wanted, only_fast))
        {
            *out = s;
            n_fit++;
        }
    if (n_fit == 1)
        return NSET_OK;
    json_array_foreach(streams, i, s)
    {
        stream_folder(folder, sizeof folder, s);
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", i ? ", " : "", folder);
    }
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

/* The probe's channel of each electrode: the number in its name (CH1 is the first) where all are numbered so. */
static nset_status use_probe(nset_layout *l, json_t *stream, const char *oebin, nset_error *err)
{
    json_t *channels = json_object_get(stream, "channels");
    const char *source = json_string_value(json_object_get(stream, "source_processor_name"));
    const char *name = json_string_value(json_object_get(stream, "stream_name"));
    size_t *electrode = nset_calloc(l->n, sizeof *electrode);
    bool numbered = true;
    nset_status status;

    if (!electrode)
        return nset_fail_oom(err, l->n, sizeof *electrode);
    for (size_t i = 0; i < l->n; i++) {
        const char *c = json_string_value(json_object_get(json_array_get(channels, l->column[i]), "channel_name"));
        size_t letters = c ? strcspn(c, "0123456789") : 0, digits = c ? strspn(c + letters, "0123456789") : 0;
        electrode[i] = digits && digits < 6 && !c[letters + digits] ? strtoul(c + letters, NULL, 10) - 1 : SIZE_MAX;
        numbered = numbered && electrode[i] < 6144;
    }
    for (size_t i = 0; i < l->n && !numbered; i++)
        electrode[i] = i;
    if (source && strstr(source, "Neuropix"))
        status = nset_openephys_probe(l, oebin, name ? name : "",
            (size_t)json_integer_value(json_object_get(stream, "source_processor_sub_idx")), electrode, err);
    else
        status = NSET_OK;
    nset_free(electrode);
    return status;
}

static nset_status use_stream(nset_layout *l, json_t *stream, const char *oebin, nset_error *err)
{
    int64_t n_frames = 0;
    nset_status status;
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
    if ((status = use_channels(l, stream, oebin, err)) != NSET_OK ||
        (status = nset_file_frames(&n_frames, path, 0, 2 * l->n_columns, err)) != NSET_OK ||
        (status = nset_openephys_clock(l, oebin, folder, n_frames, err)) != NSET_OK)
        return status;
    return use_probe(l, stream, oebin, err);
}

nset_status nset_openephys_file(
    nset_layout *l, const char *oebin, const char *path, const nset_recording_options *o, nset_error *err)
{
    json_t *root = NULL, *stream = NULL;
    nset_status status;

    if ((status = nset_read_json(&root, oebin, err)) != NSET_OK)
        return status;
    if ((status = choose_stream(&stream, root, oebin, path, o->stream, err)) == NSET_OK)
        status = use_stream(l, stream, oebin, err);
    json_decref(root);
    return status;
}
