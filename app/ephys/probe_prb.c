/* .prb: channel_groups = {group: {"channels": [...], "geometry": {channel: (x, y)}}}. Channels are columns of the data
 * file from 0 on; columns in no group are not recorded from. Groups are shanks. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <neuroset/memory.h>

#include "ephys/contacts.h"
#include "ephys/prb.h"

typedef struct site {
    size_t group; /* + 1; 0: none */
    bool placed;
    double x, y;
} site;

typedef struct reading {
    nset_contacts *to;
    site *site;   /* (to->n_columns) */
    double total; /* total_nb_channels, or infinite */
    nset_error *err;
} reading;

static nset_status refuse(reading *r, const nset_prb_value *at, const char *what)
{
    return nset_fail(r->err, NSET_ERR_FORMAT, "%s: line %d: %s", r->to->path, at->line, what);
}

static nset_status claim(reading *r, const nset_prb_value *channel, size_t group, const char *name)
{
    char what[200];
    double c = channel->number;

    if (channel->kind != NSET_PRB_NUMBER || !(c >= 0) || c != floor(c))
        return refuse(r, channel, "a channel is a whole number from 0 on");
    if (c >= r->total) {
        snprintf(what, sizeof what, "channel %.0f of group %s: total_nb_channels is %.0f", c, name, r->total);
        return refuse(r, channel, what);
    }
    if (c >= (double)r->to->n_columns) {
        snprintf(
            what, sizeof what, "channel %.0f of group %s: the recording has %zu channels", c, name, r->to->n_columns);
        return refuse(r, channel, what);
    }
    if (r->site[(size_t)c].group) {
        snprintf(what, sizeof what, "channel %.0f stands in the groups twice", c);
        return refuse(r, channel, what);
    }
    r->site[(size_t)c].group = group + 1;
    return NSET_OK;
}

/* Entries of geometry for channels of other groups, or of none, are left alone. */
static nset_status place(reading *r, double channel, const nset_prb_value *xy, size_t group)
{
    site *to;

    if (!(channel >= 0 && channel < (double)r->to->n_columns && channel == floor(channel)))
        return NSET_OK;
    to = &r->site[(size_t)channel];
    if (to->group != group + 1)
        return NSET_OK;
    if (xy->kind != NSET_PRB_LIST || xy->n < 2 || xy->n > 3 || xy->first->value->kind != NSET_PRB_NUMBER ||
        xy->first->next->value->kind != NSET_PRB_NUMBER)
        return refuse(r, xy, "the place of a channel is (x, y) in um");
    to->x = xy->first->value->number;
    to->y = xy->first->next->value->number;
    to->placed = true;
    return NSET_OK;
}

/* A list instead of a dictionary has the places in the order of the channels. */
static nset_status read_geometry(
    reading *r, const nset_prb_value *geometry, const nset_prb_value *channels, size_t group)
{
    const nset_prb_cell *of = channels->first;
    nset_status status = NSET_OK;

    if (geometry->kind != NSET_PRB_DICT && (geometry->kind != NSET_PRB_LIST || geometry->n != channels->n))
        return refuse(r, geometry, "geometry is {channel: (x, y)}, or a list with a place a channel");
    for (const nset_prb_cell *c = geometry->first; c && status == NSET_OK; c = c->next) {
        const nset_prb_value *key = geometry->kind == NSET_PRB_DICT ? c->key : of->value;
        if (geometry->kind == NSET_PRB_LIST)
            of = of->next;
        if (key->kind == NSET_PRB_NUMBER)
            status = place(r, key->number, c->value, group);
    }
    return status;
}

static nset_status add_group(reading *r, const nset_prb_value *channels, const char *name)
{
    nset_status status = NSET_OK;
    char what[120];

    for (const nset_prb_cell *c = channels->first; c && status == NSET_OK; c = c->next) {
        const site *s = &r->site[(size_t)c->value->number];
        nset_contact k = { .x_um = s->x, .y_um = s->y };
        snprintf(k.shank, sizeof k.shank, "%s", name);
        snprintf(what, sizeof what, "channel %.0f of group %s has no place in its geometry", c->value->number, name);
        if (!s->placed)
            return refuse(r, c->value, what);
        snprintf(what, sizeof what, "line %d", c->value->line);
        status = nset_contacts_add(r->to, what, c->value->number, &k, r->err);
    }
    return status;
}

static nset_status read_group(reading *r, const nset_prb_cell *cell, size_t group)
{
    const nset_prb_value *channels = nset_prb_get(cell->value, "channels");
    const nset_prb_value *geometry = nset_prb_get(cell->value, "geometry");
    nset_status status = NSET_OK;
    char name[NSET_SHANK_NAME];

    if (cell->key->kind == NSET_PRB_NUMBER)
        snprintf(name, sizeof name, "%.17g", cell->key->number);
    else
        snprintf(name, sizeof name, "%.*s", cell->key->n < 63 ? (int)cell->key->n : 63, cell->key->text);
    if (!channels || channels->kind != NSET_PRB_LIST || !geometry)
        return refuse(r, cell->value, "a group has a list of \"channels\" and a \"geometry\"");
    for (const nset_prb_cell *c = channels->first; c && status == NSET_OK; c = c->next)
        status = claim(r, c->value, group, name);
    if (status == NSET_OK)
        status = read_geometry(r, geometry, channels, group);
    return status == NSET_OK ? add_group(r, channels, name) : status;
}

static nset_status read_groups(reading *r, const nset_prb *prb)
{
    const nset_prb_value *groups = nset_prb_name(prb, "channel_groups"), *total;
    nset_status status = NSET_OK;
    size_t g = 0;

    if (!groups || groups->kind != NSET_PRB_DICT || groups->n == 0)
        return nset_fail(r->err, NSET_ERR_FORMAT, "%s: channel_groups = {group: ...} is expected", r->to->path);
    total = nset_prb_name(prb, "total_nb_channels");
    r->total = total && total->kind == NSET_PRB_NUMBER ? total->number : INFINITY;
    if (total && r->total != (double)r->to->n_columns)
        snprintf(r->to->note, sizeof r->to->note, "total_nb_channels is %g, the recording has %zu columns", r->total,
            r->to->n_columns);
    for (const nset_prb_cell *c = groups->first; c && status == NSET_OK; c = c->next)
        status = read_group(r, c, g++);
    return status;
}

nset_status nset_probe_parse_prb(nset_contacts *c, const char *text, nset_error *err)
{
    reading r = { .to = c, .err = err };
    nset_prb *prb = NULL;
    nset_status status;

    if (!(r.site = nset_calloc(c->n_columns, sizeof *r.site)))
        return nset_fail_oom(err, c->n_columns, sizeof *r.site);
    if ((status = nset_prb_parse(&prb, c->path, text, err)) == NSET_OK)
        status = read_groups(&r, prb);
    nset_prb_free(prb);
    nset_free(r.site);
    return status;
}
