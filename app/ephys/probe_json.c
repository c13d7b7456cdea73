/* JSON: probeinterface's files (contacts in their own order, wired by device_channel_indices) and the channel maps that
 * Kilosort 4 writes. */
#include <stdio.h>
#include <string.h>

#include "ephys/contacts.h"
#include "results/small_files.h"

static double unit_factor(const char *name)
{
    return !name || !strcmp(name, "um") ? 1 : !strcmp(name, "mm") ? 1e3 : !strcmp(name, "m") ? 1e6 : 0;
}

static nset_status read_contact(nset_contacts *to, json_t *probe, size_t i, size_t p, nset_error *err)
{
    json_t *place = json_array_get(json_object_get(probe, "contact_positions"), i);
    json_t *wires = json_object_get(probe, "device_channel_indices"), *wire = json_array_get(wires, i);
    const char *shank = json_string_value(json_array_get(json_object_get(probe, "shank_ids"), i));
    double factor = unit_factor(json_string_value(json_object_get(probe, "si_units")));
    nset_contact k = { .probe = p };
    char what[80];

    snprintf(what, sizeof what, "probe %zu, contact %zu", p, i);
    if (wires && !json_is_integer(wire))
        return nset_fail(err, NSET_ERR_FORMAT, "%s: %s: device_channel_indices holds no whole number", to->path, what);
    if (wires && json_integer_value(wire) < 0)
        return NSET_OK; /* not connected */
    if (!json_is_number(json_array_get(place, 0)) || !json_is_number(json_array_get(place, 1)) || factor == 0)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: %s: two numbers in um, mm or m are expected", to->path, what);
    k.x_um = factor * json_number_value(json_array_get(place, 0));
    k.y_um = factor * json_number_value(json_array_get(place, 1));
    snprintf(k.shank, sizeof k.shank, "%s", shank ? shank : "");
    return nset_contacts_add(to, what, wires ? (double)json_integer_value(wire) : (double)i, &k, err);
}

static nset_status read_probe(nset_contacts *to, json_t *probe, size_t p, nset_error *err)
{
    json_t *wires = json_object_get(probe, "device_channel_indices");
    size_t n = json_array_size(json_object_get(probe, "contact_positions"));
    nset_status status;

    if (wires && json_array_size(wires) != n)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: probe %zu has %zu contacts and %zu device_channel_indices",
            to->path, p, n, json_array_size(wires));
    if (!wires && n != to->n_columns)
        return nset_fail(err, NSET_ERR_FORMAT,
            "%s: the probe has %zu contacts without device_channel_indices, the recording "
            "%zu channels: they do not belong together",
            to->path, n, to->n_columns);
    if (!wires)
        snprintf(to->note, sizeof to->note, "no device_channel_indices: contact i is taken for channel i");
    for (size_t i = 0; i < n; i++)
        if ((status = read_contact(to, probe, i, p, err)) != NSET_OK)
            return status;
    return NSET_OK;
}

/* Kilosort 4: {"chanMap": rows of the file from 0 on, "xc", "yc", "kcoords": lists of equal length, "n_chan"}. */
static nset_status read_kilosort(nset_contacts *to, json_t *root, nset_error *err)
{
    static const char *const names[4] = { "chanMap", "xc", "yc", "kcoords" };
    json_t *list[4];
    nset_status status;

    for (int j = 0; j < 4; j++) {
        list[j] = json_object_get(root, names[j]);
        if (!(j == 3 && !list[j]) && json_array_size(list[j]) != json_array_size(list[0]))
            return nset_fail(err, NSET_ERR_FORMAT, "%s: chanMap has %zu entries and %s %zu", to->path,
                json_array_size(list[0]), names[j], json_array_size(list[j]));
    }
    for (size_t i = 0; i < json_array_size(list[0]); i++) {
        nset_contact k = { 0 };
        char what[40];
        snprintf(what, sizeof what, "entry %zu", i);
        for (int j = 0; j < 4; j++)
            if (list[j] && !json_is_number(json_array_get(list[j], i)))
                return nset_fail(err, NSET_ERR_FORMAT, "%s: %s of %s is no number", to->path, what, names[j]);
        k.x_um = json_number_value(json_array_get(list[1], i));
        k.y_um = json_number_value(json_array_get(list[2], i));
        snprintf(k.shank, sizeof k.shank, "%.17g", json_number_value(json_array_get(list[3], i)));
        if ((status = nset_contacts_add(to, what, json_number_value(json_array_get(list[0], i)), &k, err)) != NSET_OK)
            return status;
    }
    return NSET_OK;
}

nset_status nset_probe_parse_json(nset_contacts *c, const char *text, nset_error *err)
{
    json_t *root = NULL, *probes;
    nset_status status;

    if ((status = nset_parse_json(&root, text, c->path, err)) != NSET_OK)
        return status;
    probes = json_object_get(root, "probes");
    if (json_is_array(json_object_get(root, "chanMap")))
        status = read_kilosort(c, root, err);
    else if (!json_is_array(probes) || json_array_size(probes) == 0)
        status = nset_fail(err, NSET_ERR_FORMAT,
            "%s: this is no probe: probeinterface has a list of probes, Kilosort 4 a chanMap", c->path);
    for (size_t p = 0; p < json_array_size(probes) && status == NSET_OK; p++)
        status = read_probe(c, json_array_get(probes, p), p, err);
    json_decref(root);
    return status;
}
