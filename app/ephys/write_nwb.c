#include "ephys/write_nwb.h"

#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#include <neuroset/memory.h>

/* ---- electrodes ---- */

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

    nset_nwb_table(w, t, "contacts that were sorted, by shank, then y, then x", columns,
        sizeof columns / sizeof *columns, NULL, e->n);
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
    const char *location = nset_nwb_told(metadata, "electrode_location", "unknown");
    hid_t g = nset_h5w_group(w, general, "extracellular_ephys", NULL, NULL);
    electrodes e = { 0 };
    char link[400];

    nset_nwb_device(w, link, sizeof link, general, metadata, "probe");
    if (!make_electrodes(&e, r, location) && w->status == NSET_OK)
        w->status = nset_fail_oom(w->err, e.n, sizeof *e.paths);
    for (size_t i = 0; i < e.n && w->status == NSET_OK; i++) {
        hid_t shank;
        if (i && r->probe.shank[i] == r->probe.shank[i - 1])
            continue; /* canonical order: shank by shank */
        shank = nset_h5w_group(w, g, e.names[i], "core", "ElectrodeGroup");
        nset_h5w_attr_text(w, shank, "description", "contacts of one shank, sorted by themselves");
        nset_h5w_attr_text(w, shank, "location", location);
        nset_h5w_link(w, shank, "device", link);
        nset_h5w_close_object(shank);
    }
    if (w->status == NSET_OK)
        put_electrode_table(w, g, &e, r);
    nset_h5w_close_object(g);
    free_electrodes(&e);
}

/* ---- the file ---- */

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
    hid_t general;

    if (!path)
        return NSET_ERR_IO;
    if ((status = content_seed(seed, s, r, err)) != NSET_OK)
        return status;
    general = nset_nwb_open(&w, path, seed, o, err);
    put_electrodes(&w, general, r, o->metadata);
    nset_h5w_close_object(general);
    nset_write_nwb_units(&w, s, r);
    return nset_h5w_close(&w);
}
