#include "results/nwb_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <neuroset/memory.h>

#define UNKNOWN_TIME "1970-01-01T00:00:00+00:00"

/* ---- tables ---- */

void *nset_nwb_room(nset_h5_writer *w, size_t n, size_t size)
{
    void *p = nset_calloc(n, size);

    if (!p && w->status == NSET_OK)
        w->status = nset_fail_oom(w->err, n, size);
    return p;
}

void nset_nwb_column(nset_h5_writer *w, hid_t dataset, const char *description)
{
    nset_h5w_type(w, dataset, "hdmf-common", "VectorData");
    nset_h5w_attr_text(w, dataset, "description", description);
    nset_h5w_close_object(dataset);
}

void nset_nwb_table(nset_h5_writer *w, hid_t table, const char *description, const char *const *columns, size_t n,
    const int64_t *id, size_t n_rows)
{
    int64_t *count_up = nset_nwb_room(w, n_rows, sizeof *count_up);
    hsize_t count = n_rows;
    hid_t d;

    for (size_t i = 0; i < n_rows && count_up; i++)
        count_up[i] = id ? id[i] : (int64_t)i;
    nset_h5w_attr_text(w, table, "description", description);
    nset_h5w_attr_texts(w, table, "colnames", columns, n);
    d = nset_h5w_numbers(w, table, "id", H5T_STD_I64LE, 1, &count, count_up);
    nset_h5w_type(w, d, "hdmf-common", "ElementIdentifiers");
    nset_h5w_close_object(d);
    nset_free(count_up);
}

void nset_nwb_index(nset_h5_writer *w, hid_t table, const char *path, const char *target, const uint64_t *end, size_t n)
{
    uint64_t top = n ? end[n - 1] : 0;
    size_t size = top < 256 ? 1 : top < 65536 ? 2 : top <= UINT32_MAX ? 4 : 8;
    hid_t type = size == 1 ? H5T_STD_U8LE : size == 2 ? H5T_STD_U16LE : size == 4 ? H5T_STD_U32LE : H5T_STD_U64LE, d;
    unsigned char *bytes = nset_nwb_room(w, n, size);
    hsize_t count = n;
    char text[200];

    for (size_t i = 0; i < n && bytes; i++)
        for (size_t b = 0; b < size; b++)
            bytes[i * size + b] = (unsigned char)(end[i] >> 8 * b);
    snprintf(text, sizeof text, "%s_index", target);
    d = nset_h5w_numbers(w, table, text, type, 1, &count, bytes);
    nset_h5w_type(w, d, "hdmf-common", "VectorIndex");
    snprintf(text, sizeof text, "index of %s: the end of each row's run", target);
    nset_h5w_attr_text(w, d, "description", text);
    snprintf(text, sizeof text, "%s/%s", path, target);
    nset_h5w_attr_reference(w, d, "target", text);
    nset_h5w_close_object(d);
    nset_free(bytes);
}

/* ---- what the metadata may tell ---- */

const char *nset_nwb_told(const json_t *object, const char *key, const char *fallback)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : fallback;
}

static void put_if_told(nset_h5_writer *w, hid_t at, const json_t *object, const char *key)
{
    const char *text = nset_nwb_told(object, key, NULL);

    if (text)
        nset_h5w_text(w, at, key, text);
}

/* A list of texts, where the metadata have one text or a list. */
static void put_list(nset_h5_writer *w, hid_t at, const json_t *object, const char *key)
{
    json_t *value = json_object_get(object, key);
    size_t n = json_is_array(value) ? json_array_size(value) : 1;
    const char **text = value ? nset_calloc(n, sizeof *text) : NULL;

    if (!value)
        return;
    if (!text && w->status == NSET_OK)
        w->status = nset_fail_oom(w->err, n, sizeof *text);
    for (size_t i = 0; i < n && text; i++)
        text[i] = json_string_value(json_is_array(value) ? json_array_get(value, i) : value);
    nset_h5w_close_object(nset_h5w_texts(w, at, key, text, n));
    nset_free(text);
}

/* Readers of NWB ask for a subject; one that nobody described is unknown. An age of "P0D/" is an interval without end.
 */
static void put_subject(nset_h5_writer *w, hid_t general, const json_t *subject)
{
    static const char *const keys[] = { "species", "date_of_birth", "genotype", "strain", "weight" };
    hid_t g = nset_h5w_group(w, general, "subject", "core", "Subject");

    nset_h5w_text(w, g, "subject_id", nset_nwb_told(subject, "subject_id", "unknown"));
    nset_h5w_text(w, g, "sex", nset_nwb_told(subject, "sex", "U"));
    nset_h5w_text(w, g, "description", nset_nwb_told(subject, "description", "unknown"));
    if (!nset_nwb_told(subject, "date_of_birth", NULL) || nset_nwb_told(subject, "age", NULL))
        nset_h5w_text(w, g, "age", nset_nwb_told(subject, "age", "P0D/"));
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        put_if_told(w, g, subject, keys[i]);
    nset_h5w_close_object(g);
}

void nset_nwb_device(
    nset_h5_writer *w, char *path, size_t room, hid_t general, const json_t *metadata, const char *name)
{
    const json_t *device = json_object_get(metadata, "device");
    hid_t devices = nset_h5w_group(w, general, "devices", NULL, NULL), d;

    name = nset_nwb_told(device, "name", name);
    d = nset_h5w_group(w, devices, name, "core", "Device");
    nset_h5w_attr_text(w, d, "description", nset_nwb_told(device, "description", "unknown"));
    if (nset_nwb_told(device, "manufacturer", NULL))
        nset_h5w_attr_text(w, d, "manufacturer", nset_nwb_told(device, "manufacturer", NULL));
    nset_h5w_close_object(d);
    nset_h5w_close_object(devices);
    snprintf(path, room, "/general/devices/%s", name);
}

/* ---- the file ---- */

static hid_t put_general(nset_h5_writer *w, const nset_nwb_options *o)
{
    static const char *const texts[] = { "session_id", "institution", "lab", "experiment_description", "notes" };
    hid_t g = nset_h5w_group(w, w->file, "general", NULL, NULL), space, d;
    const char *made_by[2] = { "neuroset", o->version };
    hsize_t shape[2] = { 1, 2 };

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        put_if_told(w, g, o->metadata, texts[i]);
    put_list(w, g, o->metadata, "experimenter");
    put_list(w, g, o->metadata, "keywords");
    put_list(w, g, o->metadata, "related_publications");
    nset_h5w_text(w, g, "data_collection", o->how);
    space = H5Screate_simple(2, shape, NULL);
    d = w->status == NSET_OK
            ? H5Dcreate2(g, "was_generated_by", w->text, space, H5P_DEFAULT, w->dataset_plist, H5P_DEFAULT)
            : -1;
    if (d >= 0 && H5Dwrite(d, w->text, H5S_ALL, H5S_ALL, H5P_DEFAULT, made_by) < 0)
        w->status = nset_fail(w->err, NSET_ERR_IO, "%s: 'was_generated_by' cannot be written", w->path);
    nset_h5w_close_object(d);
    H5Sclose(space);
    put_subject(w, g, json_object_get(o->metadata, "subject"));
    return g;
}

static void put_session(nset_h5_writer *w, const nset_nwb_options *o)
{
    const char *start = nset_nwb_told(o->metadata, "session_start_time", UNKNOWN_TIME);
    const char *created = nset_nwb_told(o->metadata, "file_create_date", UNKNOWN_TIME);
    bool unknown = !strcmp(start, UNKNOWN_TIME);
    char text[200], identifier[64];
    static const char *const empty[] = { "acquisition", "analysis", "processing", "stimulus", "stimulus/presentation",
        "stimulus/templates" };

    snprintf(identifier, sizeof identifier, "neuroset-%016" PRIx64 "%016" PRIx64, w->seed[0], w->seed[1]);
    snprintf(
        text, sizeof text, "unknown%s", unknown ? "; session_start_time is unknown too and written as 1970-01-01" : "");
    nset_h5w_text(w, w->file, "identifier", nset_nwb_told(o->metadata, "identifier", identifier));
    nset_h5w_text(w, w->file, "session_description", nset_nwb_told(o->metadata, "session_description", text));
    nset_h5w_text(w, w->file, "session_start_time", start);
    nset_h5w_text(w, w->file, "timestamps_reference_time", start);
    nset_h5w_close_object(nset_h5w_texts(w, w->file, "file_create_date", &created, 1));
    for (size_t i = 0; i < sizeof empty / sizeof *empty; i++)
        nset_h5w_close_object(nset_h5w_group(w, w->file, empty[i], NULL, NULL));
}

hid_t nset_nwb_open(
    nset_h5_writer *w, const char *path, const uint64_t seed[2], const nset_nwb_options *o, nset_error *err)
{
    nset_h5w_open(w, path, seed, err);
    nset_h5w_type(w, w->file, "core", "NWBFile");
    nset_h5w_attr_text(w, w->file, "nwb_version", "2.8.0");
    put_session(w, o);
    return put_general(w, o);
}
