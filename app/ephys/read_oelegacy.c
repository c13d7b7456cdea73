/* Open Ephys legacy: a .continuous file a channel, another one a start of the recorder. A channel whose records claim
 * samples twice, or that lacks most of what the others have, is left out and named; of the others the samples that all
 * of them have are the recording, what is missing between them its gaps.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <neuroset/memory.h>

#include "ephys/folder.h"
#include "ephys/oelegacy_set.h"

/* ---- names ---- */

static bool is_number(const char *text, size_t n)
{
    return n > 0 && n < 8 && strspn(text, "0123456789") >= n;
}

/* <node>[_<stream>]_<CHn|ADCn|AUXn>[_<start>].continuous; false for other names. */
static bool parse_name(nset_oelegacy_entry *e, const char *path)
{
    const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path, *at = NULL, *end, *p;
    char *stop;

    if (!nset_has_ending(path, ".continuous"))
        return false;
    end = name + strlen(name) - strlen(".continuous");
    for (p = name; (p = strchr(p, '_')) && p < end; p++) {
        size_t letters = strspn(p + 1, "CHADUX"), digits = strspn(p + 1 + letters, "0123456789");
        char after = p[1 + letters + digits];
        if ((letters == 2 || letters == 3) && is_number(p + 1 + letters, digits) && (after == '_' || after == '.'))
            at = p;
    }
    if (!at)
        return false;
    e->path = path;
    snprintf(e->prefix, sizeof e->prefix, "%.*s", (int)(at - name), name);
    snprintf(e->kind, sizeof e->kind, "%.*s", (int)strspn(at + 1, "CHADUX"), at + 1);
    e->number = strtol(at + 1 + strlen(e->kind), &stop, 10);
    p = stop;
    e->start = 1;
    if (p < end && !(*p == '_' && is_number(p + 1, (size_t)(end - p - 1))))
        return false;
    if (p < end)
        e->start = strtol(p + 1, NULL, 10);
    return true;
}

static int by_channel(const void *a, const void *b)
{
    const nset_oelegacy_entry *p = a, *q = b;

    if (p->number != q->number)
        return p->number < q->number ? -1 : 1;
    if (p->start != q->start)
        return p->start < q->start ? -1 : 1;
    return strcmp(p->path, q->path);
}

/* Entries of the electrodes of the stream that is wanted, or of the only one. */
static nset_status list_entries(
    nset_oelegacy_set *g, nset_layout *l, const char *const *paths, size_t n, const char *wanted, nset_error *err)
{
    const char *prefix = NULL;
    size_t others = 0;

    if (!(g->entry = nset_calloc(n + 1, sizeof *g->entry)))
        return nset_fail_oom(err, n, sizeof *g->entry);
    for (size_t i = 0; i < n; i++) {
        nset_oelegacy_entry *e = &g->entry[g->n_entries];
        if (!parse_name(e, paths[i]) || strcmp(e->kind, "CH") != 0 || (wanted && strcmp(e->prefix, wanted) != 0)) {
            others++;
            *e = (nset_oelegacy_entry){ 0 };
            continue;
        }
        if (prefix && strcmp(prefix, e->prefix) != 0)
            return nset_fail(err, NSET_ERR_FORMAT, "%s is of stream %s, another file of %s: choose one with --stream",
                e->path, e->prefix, prefix);
        prefix = g->entry[0].prefix;
        g->n_entries++;
    }
    if (g->n_entries == 0)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: no file NODE_CHn.continuous%s%s", paths[0],
            wanted ? " of stream " : "", wanted ? wanted : "");
    qsort(g->entry, g->n_entries, sizeof *g->entry, by_channel);
    for (size_t i = 1; i < g->n_entries; i++)
        if (g->entry[i].number == g->entry[i - 1].number && g->entry[i].start == g->entry[i - 1].start)
            return nset_fail(
                err, NSET_ERR_FORMAT, "%s and %s are the same channel", g->entry[i - 1].path, g->entry[i].path);
    nset_layout_fact(l, "stream", "the names of the files", "%s", g->entry[0].prefix);
    if (others)
        nset_layout_fact(
            l, "left out", "the names of the files", "%zu files that are no electrodes of the stream", others);
    return NSET_OK;
}

/* ---- the recording ---- */

/* Seconds between two spans: on their clock, or between two starts of the recorder by when their files were made. */
static double between(const nset_oelegacy_set *g, const nset_oelegacy_span *a, const nset_oelegacy_span *b, double rate)
{
    const nset_oelegacy_file *f = &g->entry[g->channel[0] + a->start].file;
    const nset_oelegacy_file *next = &g->entry[g->channel[0] + b->start].file;
    double clock = (double)(b->first - a->first - a->n) / rate;
    double ran = (double)(a->first + a->n - f->run[0].first) / rate, made = next->created_s - f->created_s - ran;

    if (a->start != b->start && a->part == 0 && f->created_s > 0 && next->created_s > 0 && made > 0)
        return made;
    return clock != 0 ? clock : 1 / rate; /* a joint all the same */
}

static nset_status use_clock(nset_layout *l, const nset_oelegacy_set *g, nset_error *err)
{
    size_t others = 0;

    for (size_t i = 1; i < g->n_spans; i++) {
        const nset_oelegacy_span *a = &g->span[i - 1], *b = &g->span[i];
        nset_status status = nset_layout_add_gap(l, b->at, between(g, a, b, l->rate_hz), err);
        if (status != NSET_OK)
            return status;
        others += a->start != b->start || a->part != b->part;
    }
    l->start_s = (double)g->span[0].first / l->rate_hz;
    nset_layout_fact(l, "start", "numbers of the records", "sample %lld of the acquisition, %.6f s",
        (long long)g->span[0].first, l->start_s);
    nset_layout_fact(
        l, "gaps", "numbers of the records", "%zu, of them %zu where the recorder started anew", l->n_gaps, others);
    return NSET_OK;
}

static nset_status fill(nset_layout *l, const nset_oelegacy_set *g, nset_error *err)
{
    const nset_oelegacy_file *first = &g->entry[g->channel[0]].file;
    nset_status status;

    l->rate_hz = first->rate_hz;
    l->n_columns = g->n_channels;
    strcpy(l->dtype, "int16");
    if (!(l->rate_hz > 0))
        return nset_fail(err, NSET_ERR_FORMAT, "%s: the header has no sampleRate", first->path);
    if ((status = nset_layout_channels(l, g->n_channels, err)) != NSET_OK)
        return status;
    for (size_t c = 0; c < g->n_channels; c++) {
        const nset_oelegacy_file *f = &g->entry[g->channel[c]].file;
        l->gain_uv[c] = f->bit_volts != 0 ? f->bit_volts : 1;
        if (f->bit_volts == 0)
            nset_layout_warn(l, "%s has no bitVolts: counts are taken as microvolts", f->path);
    }
    nset_layout_fact(l, "rate", first->path, "%.12g Hz", l->rate_hz);
    nset_layout_fact(l, "dtype", "the format", "int16, big-endian, in records of %lld", (long long)first->block);
    nset_layout_fact(l, "gain", first->path, "%.10g uV a count", l->gain_uv[0]);
    nset_layout_fact(l, "columns", "the names of the files", "CH%ld to CH%ld", g->entry[g->channel[0]].number,
        g->entry[g->channel[g->n_channels - 1]].number);
    return use_clock(l, g, err);
}

static nset_status open_paths(
    nset_layout *l, const char *const *paths, size_t n, const nset_recording_options *o, nset_error *err)
{
    nset_oelegacy_set *g = nset_calloc(1, sizeof *g);
    nset_status status;

    if (!g)
        return nset_fail_oom(err, 1, sizeof *g);
    if ((status = list_entries(g, l, paths, n, o->stream, err)) != NSET_OK ||
        (status = nset_oelegacy_set_open(g, l, err)) != NSET_OK || (status = fill(l, g, err)) != NSET_OK) {
        nset_oelegacy_set_free(g);
        return status;
    }
    l->frames = &g->columns.base;
    return NSET_OK;
}

static nset_status open_many(
    nset_layout *l, const char *const *paths, size_t n, const nset_recording_options *o, nset_error *err)
{
    if (!(l->data_path = nset_strdup(paths[0])))
        return nset_fail_oom(err, strlen(paths[0]), 1);
    return open_paths(l, paths, n, o, err);
}

static nset_status open_one(nset_layout *l, const char *path, const nset_recording_options *o, nset_error *err)
{
    char **paths = NULL;
    size_t n = 0;
    nset_status status;

    if (!nset_is_folder(path))
        return open_many(l, &path, 1, o, err);
    if (!(l->data_path = nset_strdup(path)))
        return nset_fail_oom(err, strlen(path), 1);
    if ((status = nset_folder_list(&paths, &n, path, ".continuous", err)) != NSET_OK)
        return status;
    status = n ? open_paths(l, (const char *const *)paths, n, o, err)
               : nset_fail(err, NSET_ERR_FORMAT, "%s: no .continuous file in this folder", path);
    nset_paths_free(paths, n);
    return status;
}

static bool probe(const char *path)
{
    return nset_is_folder(path) ? nset_folder_has(path, ".continuous") : nset_has_ending(path, ".continuous");
}

const nset_reader nset_reader_oelegacy = { .name = "openephys-legacy",
    .about = "Open Ephys .continuous files",
    .says_all = true,
    .probe = probe,
    .open = open_one,
    .open_many = open_many };
