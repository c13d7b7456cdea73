/* Places of Neuropixels sites in the settings.xml of Open Ephys: NP_PROBE elements with CHn attributes. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <neuroset/memory.h>

#include "ephys/openephys.h"
#include "results/xml.h"
#include "results/small_files.h"

enum { MOST_PROBES = 64, MOST_SITES = 6144 };
#define SHANK_PITCH_UM 250.

typedef struct np_probe {
    char slot[16], port[16], dock[16], serial[40], name[80], part[40];
    const char *start, *end; /* its element's text */
} np_probe;

typedef struct settings {
    const char *text, *path;
    double version; /* of the GUI: 0.5, 0.6 */
    np_probe probe[MOST_PROBES];
    size_t n_probes;
    char named[MOST_PROBES][80];  /* what the base station calls the probe, "" */
    char stream[MOST_PROBES][80]; /* streams of the Neuropixels processor, in order, AP and LFP of one probe as one */
    size_t n_streams;
} settings;

/* ---- the file ---- */

/* settings_E.xml of experimentE (settings.xml of the first) lies beside the experiment's folder. */
static bool read_settings(char **text, char *path, size_t n, const char *oebin)
{
    const char *at = NULL;
    nset_error err = { 0 };
    long experiment;

    for (const char *p = strstr(oebin, "experiment"); p; p = strstr(p + 1, "experiment"))
        if (p == oebin || p[-1] == '/')
            at = p;
    if (!at)
        return false;
    experiment = strtol(at + strlen("experiment"), NULL, 10);
    snprintf(path, n, "%.*ssettings_%ld.xml", (int)(at - oebin), oebin, experiment);
    if (experiment > 1 && nset_read_text(text, path, 64 << 20, &err) == NSET_OK)
        return true;
    snprintf(path, n, "%.*ssettings.xml", (int)(at - oebin), oebin);
    return nset_read_text(text, path, 64 << 20, &err) == NSET_OK;
}

/* Name of a stream without what tells the two bands of one probe apart. */
static void band_less(char *out, size_t n, const char *stream)
{
    size_t length = strlen(stream);

    if (length > 3 && !strcmp(stream + length - 3, "-AP"))
        length -= 3;
    else if (length > 4 && !strcmp(stream + length - 4, "-LFP"))
        length -= 4;
    snprintf(out, n, "%.*s", (int)length, stream);
}

static void note_stream(settings *s, const nset_xml_tag *tag)
{
    char name[80], bare[80];

    if (!nset_xml_get(tag, "name", name, sizeof name))
        return;
    band_less(bare, sizeof bare, name);
    if (s->n_streams < MOST_PROBES && (s->n_streams == 0 || strcmp(s->stream[s->n_streams - 1], bare) != 0))
        snprintf(s->stream[s->n_streams++], sizeof bare, "%s", bare);
}

static void note_probe(settings *s, const nset_xml_tag *tag, const char *after)
{
    np_probe *p = &s->probe[s->n_probes++];

    nset_xml_get(tag, "slot", p->slot, sizeof p->slot);
    nset_xml_get(tag, "port", p->port, sizeof p->port);
    nset_xml_get(tag, "dock", p->dock, sizeof p->dock);
    nset_xml_get(tag, "probe_serial_number", p->serial, sizeof p->serial);
    nset_xml_get(tag, "custom_probe_name", p->name, sizeof p->name);
    nset_xml_get(tag, "probe_part_number", p->part, sizeof p->part);
    p->start = after;
    p->end = strstr(after, "</NP_PROBE>");
    if (!p->end)
        p->end = after + strlen(after);
}

/* Probes and streams of the Neuropixels processor (name holds "Neuropix"), and the GUI's version. */
static void scan_settings(settings *s)
{
    nset_xml x = { s->text };
    nset_xml_tag tag;
    bool inside = false;
    char name[80];

    while (nset_xml_next(&x, &tag)) {
        if (!strcmp(tag.name, "VERSION") && tag.opens && s->version == 0)
            s->version = strtod(x.at, NULL);
        if (!strcmp(tag.name, "PROCESSOR")) {
            nset_xml_get(&tag, "name", name, sizeof name);
            inside = tag.opens && strstr(name, "Neuropix") != NULL;
        }
        if (inside && tag.opens && !strcmp(tag.name, "STREAM"))
            note_stream(s, &tag);
        if (inside && tag.opens && !strcmp(tag.name, "NP_PROBE") && s->n_probes < MOST_PROBES)
            note_probe(s, &tag, x.at);
    }
}

/* The base station's names: attributes port2dock1="ProbeB" (port2 in old files) of a slot. */
static void name_probes(settings *s)
{
    nset_xml x = { s->text };
    nset_xml_tag tag;
    char slot[16], key[64];

    while (nset_xml_next(&x, &tag)) {
        if (strcmp(tag.name, "BASESTATION") != 0)
            continue;
        nset_xml_get(&tag, "Slot", slot, sizeof slot);
        for (size_t i = 0; i < s->n_probes; i++) {
            const np_probe *p = &s->probe[i];
            if (strcmp(p->slot, slot) != 0)
                continue;
            snprintf(key, sizeof key, "port%sdock%s", p->port, p->dock);
            if (!nset_xml_get(&tag, key, s->named[i], sizeof s->named[i])) {
                snprintf(key, sizeof key, "port%s", p->port);
                nset_xml_get(&tag, key, s->named[i], sizeof s->named[i]);
            }
        }
    }
}

/* ---- which probe ---- */

/* The probe whose stream that is: by a name, by its place among the streams, or because there is only one. */
static const np_probe *find_probe(const settings *s, const char *stream, size_t sub)
{
    const np_probe *found = NULL;
    size_t n = 0;
    char bare[80];

    band_less(bare, sizeof bare, stream);
    for (size_t i = 0; i < s->n_probes && *bare; i++)
        if (!strcmp(s->named[i], bare) || !strcmp(s->probe[i].name, bare) || !strcmp(s->probe[i].serial, bare)) {
            found = &s->probe[i];
            n++;
        }
    if (n == 1)
        return found;
    if (s->n_probes == 1)
        return &s->probe[0];
    for (size_t i = 0; i < s->n_streams && *bare && s->n_streams == s->n_probes; i++)
        if (!strcmp(s->stream[i], bare))
            return &s->probe[i];
    if (!*bare) { /* before 0.6: AP and LFP of a probe are two streams in a row, but for Neuropixels 2 */
        bool two_bands =
            s->n_probes && strncmp(s->probe[0].part, "NP2", 3) != 0 && strncmp(s->probe[0].part, "PRB2", 4) != 0;
        size_t at = two_bands ? sub / 2 : sub;
        return at < s->n_probes ? &s->probe[at] : NULL;
    }
    return NULL;
}

/* ---- its sites ---- */

/* value[k] := first number of attribute CHk of an element inside the probe's, second[k] what follows a colon. The
 * attributes may come in any order; those from most on are left out. How many there are. */
static size_t read_sites(const np_probe *p, const char *element, size_t most, double *value, int *second)
{
    nset_xml x = { p->start };
    nset_xml_tag tag;
    size_t n = 0;

    while (nset_xml_next(&x, &tag) && tag.attributes < p->end) {
        const char *at = tag.attributes;
        char name[64], text[64];
        if (strcmp(tag.name, element) != 0)
            continue;
        while (nset_xml_attribute(&tag, &at, name, sizeof name, text, sizeof text)) {
            char *end;
            long k = strncmp(name, "CH", 2) ? -1 : strtol(name + 2, &end, 10);
            if (k < 0 || *end || (size_t)k >= most)
                continue;
            value[k] = strtod(text, &end);
            if (second)
                second[k] = *end == ':' ? atoi(end + 1) : 0;
            n++;
        }
    }
    return n;
}

typedef struct sites {
    double *x, *y, *bank; /* (n) each, one allocation */
    int *shank;           /* (n) */
    size_t n;
} sites;

/* In 0.5 a shank's pitch was added to y by mistake; x has an origin of its own, sometimes on each shank. */
static void correct_places(nset_layout *l, double version)
{
    double x0 = INFINITY, x1 = -INFINITY;
    bool several = false;

    for (size_t i = 0; i < l->n; i++) {
        if (version > 0 && version < .6)
            l->probe.y_um[i] -= SHANK_PITCH_UM * l->probe.shank[i];
        several = several || l->probe.shank[i] != l->probe.shank[0];
        x0 = fmin(x0, l->probe.x_um[i]);
        x1 = fmax(x1, l->probe.x_um[i]);
    }
    for (size_t i = 0; i < l->n; i++) {
        l->probe.x_um[i] -= x0;
        if (several && x1 - x0 < SHANK_PITCH_UM / 2) /* the shanks lie on each other */
            l->probe.x_um[i] += SHANK_PITCH_UM * l->probe.shank[i];
    }
}

static void place_sites(nset_layout *l, const settings *s, const np_probe *p, sites *at, const size_t *electrode)
{
    for (size_t k = 0; k < at->n; k++)
        at->x[k] = at->y[k] = NAN;
    if (read_sites(p, "ELECTRODE_XPOS", at->n, at->x, NULL) == 0 ||
        read_sites(p, "ELECTRODE_YPOS", at->n, at->y, NULL) == 0)
        return;
    read_sites(p, "CHANNELS", at->n, at->bank, at->shank);
    for (size_t i = 0; i < l->n; i++)
        if (!isfinite(at->x[electrode[i]]) || !isfinite(at->y[electrode[i]]) || at->shank[electrode[i]] < 0 ||
            at->shank[electrode[i]] > 16)
            return;
    for (size_t i = 0; i < l->n; i++) {
        l->probe.x_um[i] = at->x[electrode[i]];
        l->probe.y_um[i] = at->y[electrode[i]];
        l->probe.shank[i] = at->shank[electrode[i]];
    }
    correct_places(l, s->version);
    l->has_places = true;
    nset_layout_fact(l, "geometry", s->path, "NP_PROBE %s, serial %s, %zu contacts", p->part, p->serial, l->n);
}

/* ---- Channel Map ---- */

/* map[i] := the channel that a Channel Map processor before the Record Node puts at place i of the stream; how many. */
static size_t read_channel_map(const settings *s, const char *stream, size_t *map)
{
    nset_xml x = { s->text };
    nset_xml_tag tag;
    bool in_map = false, in_stream = false;
    char text[80], *end;
    size_t n = 0;

    while (nset_xml_next(&x, &tag)) {
        if (!strcmp(tag.name, "PROCESSOR") && tag.opens) {
            nset_xml_get(&tag, "name", text, sizeof text);
            if (!strcmp(text, "Record Node"))
                break;
            in_map = strstr(text, "Channel Map") != NULL;
        }
        if (!strcmp(tag.name, "STREAM")) {
            nset_xml_get(&tag, "name", text, sizeof text);
            in_stream = in_map && tag.opens && !tag.closes && !strcmp(text, stream);
        }
        if (!in_stream || !tag.opens || strcmp(tag.name, "CH") != 0 || n == MOST_SITES)
            continue;
        nset_xml_get(&tag, "enabled", text, sizeof text);
        if (!strcmp(text, "0") || !nset_xml_get(&tag, "index", text, sizeof text))
            continue;
        map[n] = (size_t)strtoul(text, &end, 10);
        n += end != text;
    }
    return n;
}

/* Names that count up say nothing of a channel map, which then is looked up. */
static void apply_channel_map(nset_layout *l, const settings *s, const char *stream, size_t *electrode)
{
    size_t map[MOST_SITES], n;

    for (size_t i = 0; i < l->n; i++)
        if (electrode[i] != i)
            return;
    n = read_channel_map(s, stream, map);
    if (n < l->n || n == 0)
        return;
    for (size_t i = 0; i < l->n; i++)
        electrode[i] = map[i];
    nset_layout_fact(l, "channel map", s->path, "processor Channel Map, %zu channels", l->n);
}

static nset_status use_probe(
    nset_layout *l, const settings *s, const np_probe *p, const size_t *electrode, nset_error *err)
{
    sites at = { 0 };
    bool all;

    for (size_t i = 0; i < l->n; i++)
        at.n = electrode[i] >= at.n ? electrode[i] + 1 : at.n;
    if (at.n == 0 || at.n > MOST_SITES)
        return NSET_OK;
    at.x = nset_calloc(3 * at.n, sizeof *at.x);
    at.shank = nset_calloc(at.n, sizeof *at.shank);
    if ((all = at.x && at.shank)) {
        at.y = at.x + at.n;
        at.bank = at.y + at.n;
        place_sites(l, s, p, &at, electrode);
    }
    nset_free(at.x);
    nset_free(at.shank);
    return all ? NSET_OK : nset_fail_oom(err, 3 * at.n, sizeof *at.x);
}

nset_status nset_openephys_places(nset_layout *l, const char *text, const char *path, const char *stream, size_t sub,
    size_t *electrode, nset_error *err)
{
    settings *s = nset_calloc(1, sizeof *s);
    nset_status status = NSET_OK;
    const np_probe *p;

    if (!s)
        return nset_fail_oom(err, 1, sizeof *s);
    s->text = text;
    s->path = path;
    scan_settings(s);
    name_probes(s);
    if ((p = find_probe(s, stream, sub))) {
        apply_channel_map(l, s, stream, electrode);
        status = use_probe(l, s, p, electrode, err);
    }
    nset_free(s);
    return status;
}

nset_status nset_openephys_probe(
    nset_layout *l, const char *oebin, const char *stream, size_t sub, size_t *electrode, nset_error *err)
{
    char *text = NULL, path[4096];
    nset_status status = NSET_OK;

    if (read_settings(&text, path, sizeof path, oebin))
        status = nset_openephys_places(l, text, path, stream, sub, electrode, err);
    nset_free(text);
    return status;
}
