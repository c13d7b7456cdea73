/* probeinterface JSON: contacts in their own order, wired to columns by device_channel_indices. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <neuroset/memory.h>

#include "ephys/layout.h"

typedef struct contact {
    bool seen;
    double x, y;
    char shank[32];
    size_t probe;
} contact;

static double unit_factor(const char *name)
{
    return !name || !strcmp(name, "um") ? 1 : !strcmp(name, "mm") ? 1e3 : !strcmp(name, "m") ? 1e6 : 0;
}

static nset_status read_contact(contact *to, const char *path, json_t *probe, size_t i, size_t p, nset_error *err)
{
    json_t *place = json_array_get(json_object_get(probe, "contact_positions"), i);
    const char *shank = json_string_value(json_array_get(json_object_get(probe, "shank_ids"), i));
    double factor = unit_factor(json_string_value(json_object_get(probe, "si_units")));

    if (!json_is_number(json_array_get(place, 0)) || !json_is_number(json_array_get(place, 1)) || factor == 0)
        return nset_fail(
            err, NSET_ERR_FORMAT, "%s: probe %zu, contact %zu: two numbers in um, mm or m are expected", path, p, i);
    to->seen = true;
    to->x = factor * json_number_value(json_array_get(place, 0));
    to->y = factor * json_number_value(json_array_get(place, 1));
    to->probe = p;
    snprintf(to->shank, sizeof to->shank, "%s", shank ? shank : "");
    if (!isfinite(to->x) || !isfinite(to->y))
        return nset_fail(err, NSET_ERR_FORMAT, "%s: probe %zu, contact %zu: the place is not finite", path, p, i);
    return NSET_OK;
}

static nset_status read_probe(
    contact *columns, size_t n_columns, const char *path, json_t *probe, size_t p, nset_error *err)
{
    json_t *wires = json_object_get(probe, "device_channel_indices");
    size_t n = json_array_size(json_object_get(probe, "contact_positions"));
    nset_status status;

    if (wires && json_array_size(wires) != n)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: probe %zu has %zu contacts and %zu device_channel_indices", path, p,
            n, json_array_size(wires));
    if (!wires && n != n_columns)
        return nset_fail(err, NSET_ERR_FORMAT,
            "%s: the probe has %zu contacts without device_channel_indices, the recording "
            "%zu channels: they do not belong together",
            path, n, n_columns);
    for (size_t i = 0; i < n; i++) {
        json_int_t c = wires ? json_integer_value(json_array_get(wires, i)) : (json_int_t)i;
        if (wires && !json_is_integer(json_array_get(wires, i)))
            return nset_fail(err, NSET_ERR_FORMAT,
                "%s: probe %zu, contact %zu: device_channel_indices holds no whole "
                "number",
                path, p, i);
        if (c < 0)
            continue;
        if ((size_t)c >= n_columns)
            return nset_fail(err, NSET_ERR_FORMAT,
                "%s: contact %zu is wired to channel %lld, the recording has %zu "
                "channels",
                path, i, (long long)c, n_columns);
        if (columns[c].seen)
            return nset_fail(err, NSET_ERR_FORMAT, "%s: two contacts are wired to channel %lld", path, (long long)c);
        if ((status = read_contact(&columns[c], path, probe, i, p, err)) != NSET_OK)
            return status;
    }
    return NSET_OK;
}

/* Shanks are numbered by the place of their first contact, so that names and order do not matter. */
static int shank_number(const contact *columns, size_t n_columns, const contact *of)
{
    int number = 0;
    double left = INFINITY;

    for (size_t i = 0; i < n_columns; i++)
        if (columns[i].seen && columns[i].probe == of->probe && !strcmp(columns[i].shank, of->shank))
            left = fmin(left, columns[i].x);
    for (size_t i = 0; i < n_columns; i++) {
        const contact *c = &columns[i];
        bool first = c->seen;
        double other = INFINITY;
        if (!c->seen || (c->probe == of->probe && !strcmp(c->shank, of->shank)))
            continue;
        for (size_t j = 0; j < n_columns; j++)
            if (columns[j].seen && columns[j].probe == c->probe && !strcmp(columns[j].shank, c->shank)) {
                other = fmin(other, columns[j].x);
                if (j < i)
                    first = false;
            }
        if (first &&
            (c->probe < of->probe ||
                (c->probe == of->probe && (other < left || (other == left && strcmp(c->shank, of->shank) < 0)))))
            number++;
    }
    return number;
}

static nset_status apply(nset_layout *l, const contact *columns, const char *path, nset_error *err)
{
    size_t kept = 0;

    for (size_t i = 0; i < l->n; i++) {
        const contact *c = &columns[l->column[i]];
        if (!c->seen)
            continue;
        l->column[kept] = l->column[i];
        l->gain_uv[kept] = l->gain_uv[i];
        l->offset_uv[kept] = l->offset_uv[i];
        l->probe.x_um[kept] = c->x;
        l->probe.y_um[kept] = c->y;
        l->probe.shank[kept++] = shank_number(columns, l->n_columns, c);
    }
    if (kept == 0)
        return nset_fail(
            err, NSET_ERR_FORMAT, "%s: no contact of the probe is wired to a channel of the recording", path);
    if (kept < l->n)
        nset_layout_warn(l, "%zu channels have no contact in %s and are left out", l->n - kept, path);
    l->n = l->probe.n_channels = kept;
    l->has_places = true;
    nset_layout_fact(l, "geometry", path, "%zu contacts", kept);
    return NSET_OK;
}

nset_status nset_probe_file(nset_layout *l, const char *path, nset_error *err)
{
    contact *columns = nset_calloc(l->n_columns, sizeof *columns);
    json_t *root = NULL, *probes;
    nset_status status;

    if (!columns)
        return nset_fail_oom(err, l->n_columns, sizeof *columns);
    if ((status = nset_read_json(&root, path, err)) != NSET_OK)
        goto done;
    probes = json_object_get(root, "probes");
    if (!json_is_array(probes) || json_array_size(probes) == 0) {
        status = nset_fail(err, NSET_ERR_FORMAT, "%s: this is no probeinterface file: it has no list of probes", path);
        goto done;
    }
    for (size_t p = 0; p < json_array_size(probes); p++)
        if ((status = read_probe(columns, l->n_columns, path, json_array_get(probes, p), p, err)) != NSET_OK)
            goto done;
    status = apply(l, columns, path, err);

done:
    json_decref(root);
    nset_free(columns);
    return status;
}
