#include "ephys/write_nwb.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#include <neuroset/memory.h>

#define UNKNOWN_TIME "1970-01-01T00:00:00+00:00"

/* ---- tables ---- */

void nset_nwb_column(nset_h5_writer *w, hid_t dataset, const char *description)
{
    nset_h5w_type(w, dataset, "hdmf-common", "VectorData");
    nset_h5w_attr_text(w, dataset, "description", description);
    nset_h5w_close_object(dataset);
}

void nset_nwb_table(
    nset_h5_writer *w, hid_t table, const char *description, const char *const *columns, size_t n, size_t n_rows)
{
    int64_t *id = nset_calloc(n_rows, sizeof *id);
    hsize_t count = n_rows;
    hid_t d;

    if (!id && w->status == NSET_OK)
        w->status = nset_fail_oom(w->err, n_rows, sizeof *id);
    for (size_t i = 0; i < n_rows && id; i++)
        id[i] = (int64_t)i;
    nset_h5w_attr_text(w, table, "description", description);
    nset_h5w_attr_texts(w, table, "colnames", columns, n);
    d = nset_h5w_numbers(w, table, "id", H5T_STD_I64LE, 1, &count, id);
    nset_h5w_type(w, d, "hdmf-common", "ElementIdentifiers");
    nset_h5w_close_object(d);
    nset_free(id);
}

/* ---- what the metadata may tell ---- */

static const char *told(const json_t *object, const char *key, const char *fallback)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : fallback;
}

static void put_if_told(nset_h5_writer *w, hid_t at, const json_t *object, const char *key)
{
    const char *text = told(object, key, NULL);

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

    nset_h5w_text(w, g, "subject_id", told(subject, "subject_id", "unknown"));
    nset_h5w_text(w, g, "sex", told(subject, "sex", "U"));
    nset_h5w_text(w, g, "description", told(subject, "description", "unknown"));
    if (!told(subject, "date_of_birth", NULL) || told(subject, "age", NULL))
        nset_h5w_text(w, g, "age", told(subject, "age", "P0D/"));
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        put_if_told(w, g, subject, keys[i]);
    nset_h5w_close_object(g);
}

/* ---- electrodes ---- */

static void put_device(nset_h5_writer *w, hid_t general, const json_t *device, const char *name)
{
    hid_t devices = nset_h5w_group(w, general, "devices", NULL, NULL);
    hid_t d = nset_h5w_group(w, devices, name, "core", "Device");

    nset_h5w_attr_text(w, d, "description", told(device, "description", "unknown"));
    if (told(device, "manufacturer", NULL))
        nset_h5w_attr_text(w, d, "manufacturer", told(device, "manufacturer", NULL));
    nset_h5w_close_object(d);
    nset_h5w_close_object(devices);
}

typedef struct electrodes {
    size_t n;
    const char **location, **group_name, **group; /* (n) */
    int64_t *column;                              /* (n) */
    char (*names)[24], (*paths)[64];              /* (n) what group_name and group point to */
} electrodes;

static bool make_electrodes(electrodes *e, const nset_recording *r, const char *location)
{
    e->n = r->probe.n_channels;
    e->location = nset_calloc(e->n, sizeof *e->location);
    e->group_name = nset_calloc(e->n, sizeof *e->group_name);
    e->group = nset_calloc(e->n, sizeof *e->group);
    e->column = nset_calloc(e->n, sizeof *e->column);
    e->names = nset_calloc(e->n, sizeof *e->names);
    e->paths = nset_calloc(e->n, sizeof *e->paths);
    if (!e->location || !e->group_name || !e->group || !e->column || !e->names || !e->paths)
        return false;
    for (size_t i = 0; i < e->n; i++) {
        snprintf(e->names[i], sizeof e->names[i], "shank%d", r->probe.shank[i]);
        snprintf(e->paths[i], sizeof e->paths[i], "/general/extracellular_ephys/%s", e->names[i]);
        e->location[i] = location;
        e->group_name[i] = e->names[i];
        e->group[i] = e->paths[i];
        e->column[i] = (int64_t)r->file_channel[i];
    }
    return true;
}

static void free_electrodes(electrodes *e)
{
    nset_free(e->location);
    nset_free(e->group_name);
    nset_free(e->group);
    nset_free(e->column);
    nset_free(e->names);
    nset_free(e->paths);
}

static void put_electrode_table(nset_h5_writer *w, hid_t at, const electrodes *e, const nset_recording *r)
{
    static const char *const columns[] = { "location", "group", "group_name", "rel_x", "rel_y", "file_column" };
    hid_t t = nset_h5w_group(w, at, "electrodes", "hdmf-common", "DynamicTable");
    hsize_t n = e->n;

    nset_nwb_table(
        w, t, "contacts that were sorted, by shank, then y, then x", columns, sizeof columns / sizeof *columns, e->n);
    nset_nwb_column(w, nset_h5w_texts(w, t, "location", e->location, e->n), "where in the brain the contact is");
    nset_nwb_column(w, nset_h5w_references(w, t, "group", e->group, e->n), "the group of the contact: its shank");
    nset_nwb_column(w, nset_h5w_texts(w, t, "group_name", e->group_name, e->n), "name of the group of the contact");
    nset_nwb_column(w, nset_h5w_numbers(w, t, "rel_x", H5T_IEEE_F64LE, 1, &n, r->probe.x_um),
        "place across the probe in micrometres");
    nset_nwb_column(w, nset_h5w_numbers(w, t, "rel_y", H5T_IEEE_F64LE, 1, &n, r->probe.y_um),
        "place along the probe in micrometres");
    nset_nwb_column(w, nset_h5w_numbers(w, t, "file_column", H5T_STD_I64LE, 1, &n, e->column),
        "column of the recording's file, from 0 on");
    nset_h5w_close_object(t);
}

static void put_electrodes(nset_h5_writer *w, hid_t general, const nset_recording *r, const json_t *metadata)
{
    const json_t *device = json_object_get(metadata, "device");
    const char *device_name = told(device, "name", "probe"),
               *location = told(metadata, "electrode_location", "unknown");
    hid_t g = nset_h5w_group(w, general, "extracellular_ephys", NULL, NULL);
    electrodes e = { 0 };
    char link[400];

    put_device(w, general, device, device_name);
    snprintf(link, sizeof link, "/general/devices/%s", device_name);
    if (!make_electrodes(&e, r, location) && w->status == NSET_OK)
        w->status = nset_fail_oom(w->err, e.n, sizeof *e.paths);
    for (size_t i = 0; i < e.n && w->status == NSET_OK; i++) {
        hid_t shank;
        if (i && r->probe.shank[i] == r->probe.shank[i - 1])
            continue; /* canonical order: shank by shank */
        shank = nset_h5w_group(w, g, e.names[i], "core", "ElectrodeGroup");
        nset_h5w_attr_text(w, shank, "description", "contacts of one shank, sorted by themselves");
        nset_h5w_attr_text(w, shank, "location", location);
        H5Lcreate_soft(link, shank, "device", H5P_DEFAULT, H5P_DEFAULT);
        nset_h5w_close_object(shank);
    }
    if (w->status == NSET_OK)
        put_electrode_table(w, g, &e, r);
    nset_h5w_close_object(g);
    free_electrodes(&e);
}

/* ---- the file ---- */

static void put_general(nset_h5_writer *w, const nset_recording *r, const nset_nwb_options *o)
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
    put_electrodes(w, g, r, o->metadata);
    nset_h5w_close_object(g);
}

static void put_session(nset_h5_writer *w, const nset_nwb_options *o)
{
    const char *start = told(o->metadata, "session_start_time", UNKNOWN_TIME);
    const char *created = told(o->metadata, "file_create_date", UNKNOWN_TIME);
    bool unknown = !strcmp(start, UNKNOWN_TIME);
    char text[200], identifier[64];
    static const char *const empty[] = { "acquisition", "analysis", "processing", "stimulus", "stimulus/presentation",
        "stimulus/templates" };

    snprintf(identifier, sizeof identifier, "neuroset-%016" PRIx64 "%016" PRIx64, w->seed[0], w->seed[1]);
    snprintf(
        text, sizeof text, "unknown%s", unknown ? "; session_start_time is unknown too and written as 1970-01-01" : "");
    nset_h5w_text(w, w->file, "identifier", told(o->metadata, "identifier", identifier));
    nset_h5w_text(w, w->file, "session_description", told(o->metadata, "session_description", text));
    nset_h5w_text(w, w->file, "session_start_time", start);
    nset_h5w_text(w, w->file, "timestamps_reference_time", start);
    nset_h5w_close_object(nset_h5w_texts(w, w->file, "file_create_date", &created, 1));
    for (size_t i = 0; i < sizeof empty / sizeof *empty; i++)
        nset_h5w_close_object(nset_h5w_group(w, w->file, empty[i], NULL, NULL));
}

/* Two words that follow from what was found: of spikes, templates and places. */
static nset_status content_seed(uint64_t seed[2], const nset_sorting *s, const nset_recording *r, nset_error *err)
{
    XXH3_state_t *state = XXH3_createState();
    XXH128_hash_t h;

    if (!state)
        return nset_fail_oom(err, 1, 512);
    XXH3_128bits_reset(state);
    if (s->n_spikes)
        XXH3_128bits_update(state, s->spikes, s->n_spikes * sizeof *s->spikes);
    if (s->n_units)
        XXH3_128bits_update(
            state, s->templates, s->n_units * s->template_length * s->n_channels * sizeof *s->templates);
    XXH3_128bits_update(state, r->probe.x_um, r->probe.n_channels * sizeof *r->probe.x_um);
    XXH3_128bits_update(state, r->probe.y_um, r->probe.n_channels * sizeof *r->probe.y_um);
    XXH3_128bits_update(state, &r->source->rate_hz, sizeof r->source->rate_hz);
    h = XXH3_128bits_digest(state);
    XXH3_freeState(state);
    seed[0] = h.low64;
    seed[1] = h.high64;
    return NSET_OK;
}

nset_status nset_write_nwb(
    const nset_sorting *s, const nset_recording *r, const nset_nwb_options *o, nset_run_folder *folder, nset_error *err)
{
    const char *path = nset_run_folder_path(folder, "sorting.nwb", err);
    nset_h5_writer w;
    uint64_t seed[2];
    nset_status status;

    if (!path)
        return NSET_ERR_IO;
    if ((status = content_seed(seed, s, r, err)) != NSET_OK)
        return status;
    nset_h5w_open(&w, path, seed, err);
    nset_h5w_type(&w, w.file, "core", "NWBFile");
    nset_h5w_attr_text(&w, w.file, "nwb_version", "2.8.0");
    put_session(&w, o);
    put_general(&w, r, o);
    nset_write_nwb_units(&w, s, r);
    return nset_h5w_close(&w);
}
