#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <neuroset/memory.h>

#include "ephys/oelegacy_set.h"

void nset_oelegacy_set_free(nset_oelegacy_set *g)
{
    for (size_t i = 0; i < g->n_entries; i++)
        nset_oelegacy_fini(&g->entry[i].file);
    nset_free(g->entry);
    nset_free(g->channel);
    nset_free(g->span);
    nset_columns_fini(&g->columns);
    nset_free(g);
}

/* ---- channels ---- */

/* The channel whose entries begin at i: entries must have every start that the first one has. */
static size_t count_starts(const nset_oelegacy_set *g, size_t i)
{
    size_t n = 1;

    while (i + n < g->n_entries && g->entry[i + n].number == g->entry[i].number)
        n++;
    return n;
}

static bool is_damaged(nset_layout *l, const nset_oelegacy_entry *e, const nset_oelegacy_file *first)
{
    const nset_oelegacy_file *f = &e->file;

    if (f->overlap > 0)
        nset_layout_warn(l,
            "%s is corrupt: record %lld begins %lld samples before the one before it ends; channel %ld "
            "is left out",
            e->path, (long long)f->overlap_at, (long long)f->overlap, e->number);
    else if (f->n_runs == 0)
        nset_layout_warn(l, "%s holds no whole record; channel %ld is left out", e->path, e->number);
    else if (first && (f->rate_hz != first->rate_hz))
        nset_layout_warn(l, "%s says %.10g Hz, others %.10g Hz; channel %ld is left out", e->path, f->rate_hz,
            first->rate_hz, e->number);
    else
        return false;
    return true;
}

static void report(nset_layout *l, const nset_oelegacy_entry *e)
{
    const nset_oelegacy_file *f = &e->file;

    if (f->n_bad)
        nset_layout_warn(l, "%s: %zu damaged record%s, the first at byte %lld: left out", e->path, f->n_bad,
            f->n_bad == 1 ? "" : "s", (long long)f->bad_at);
    if (f->torn && f->overlap == 0)
        nset_layout_warn(l, "%s ends with a torn record of %lld of %lld bytes, which is left out", e->path,
            (long long)f->torn, (long long)f->record_bytes);
}

/* Scans the files of the channel at entry i; keep: whether it is a part of the recording. */
static nset_status scan_channel(nset_oelegacy_set *g, nset_layout *l, size_t i, size_t n, bool *keep, nset_error *err)
{
    const nset_oelegacy_file *first = g->n_channels ? &g->entry[g->channel[0]].file : NULL;

    *keep = true;
    for (size_t k = i; k < i + n; k++) {
        nset_error why = { 0 };
        nset_status status = nset_oelegacy_scan(&g->entry[k].file, g->entry[k].path, &why);
        if (status == NSET_ERR_NOMEM)
            return nset_fail_oom(err, 1, 1);
        if (status != NSET_OK)
            nset_layout_warn(l, "%s; channel %ld is left out", why.text, g->entry[k].number);
        else
            report(l, &g->entry[k]);
        if (status != NSET_OK || is_damaged(l, &g->entry[k], first))
            *keep = false;
    }
    if (*keep && g->n_starts && n != g->n_starts) {
        nset_layout_warn(
            l, "channel %ld has %zu files, others %zu: it is left out", g->entry[i].number, n, g->n_starts);
        *keep = false;
    }
    return NSET_OK;
}

static nset_status scan_channels(nset_oelegacy_set *g, nset_layout *l, nset_error *err)
{
    size_t n;

    if (!(g->channel = nset_calloc(g->n_entries, sizeof *g->channel)))
        return nset_fail_oom(err, g->n_entries, sizeof *g->channel);
    for (size_t i = 0; i < g->n_entries; i += n) {
        nset_status status;
        bool keep = false;
        n = count_starts(g, i);
        if ((status = scan_channel(g, l, i, n, &keep, err)) != NSET_OK)
            return status;
        if (!keep)
            continue;
        g->n_starts = n;
        g->channel[g->n_channels++] = i;
    }
    if (g->n_channels == 0)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: no channel can be read; see info for the reasons: %s",
            g->entry[0].path, l->warnings ? json_string_value(json_array_get(l->warnings, 0)) : "");
    return NSET_OK;
}

static int64_t samples_of(const nset_oelegacy_set *g, size_t c)
{
    int64_t sum = 0;

    for (size_t k = 0; k < g->n_starts; k++) {
        const nset_oelegacy_file *f = &g->entry[g->channel[c] + k].file;
        for (size_t i = 0; i < f->n_runs; i++)
            sum += f->run[i].n;
    }
    return sum;
}

static int by_size(const void *a, const void *b)
{
    const int64_t *p = a, *q = b;

    return (*p > *q) - (*p < *q);
}

/* A channel with less than half of what the middle one has would take the rest with it. */
static nset_status drop_short(nset_oelegacy_set *g, nset_layout *l, nset_error *err)
{
    int64_t *sizes = nset_calloc(g->n_channels, sizeof *sizes), half;
    size_t n = 0;

    if (!sizes)
        return nset_fail_oom(err, g->n_channels, sizeof *sizes);
    for (size_t c = 0; c < g->n_channels; c++)
        sizes[c] = samples_of(g, c);
    qsort(sizes, g->n_channels, sizeof *sizes, by_size);
    half = sizes[g->n_channels / 2] / 2;
    nset_free(sizes);
    for (size_t c = 0; c < g->n_channels; c++) {
        const nset_oelegacy_entry *e = &g->entry[g->channel[c]];
        if (samples_of(g, c) < half)
            nset_layout_warn(l, "%s has only %lld samples; channel %ld is left out", e->path,
                (long long)samples_of(g, c), e->number);
        else
            g->channel[n++] = g->channel[c];
    }
    g->n_channels = n;
    return NSET_OK;
}

/* ---- spans ---- */

static int compare_places(size_t start_a, int part_a, size_t start_b, int part_b)
{
    if (start_a != start_b)
        return start_a < start_b ? -1 : 1;
    return (part_a > part_b) - (part_a < part_b);
}

static nset_status add_span(
    nset_oelegacy_span **list, size_t *n, size_t *capacity, nset_oelegacy_span s, nset_error *err)
{
    nset_oelegacy_span *last = *n ? *list + *n - 1 : NULL;
    nset_status status;

    if (last && compare_places(last->start, last->part, s.start, s.part) == 0 && last->first + last->n == s.first) {
        last->n += s.n;
        return NSET_OK;
    }
    if ((status = nset_grow(list, capacity, *n + 1, sizeof **list, err)) == NSET_OK)
        (*list)[(*n)++] = s;
    return status;
}

/* What span s and the runs of channel c have in common, added to list. i, the run to look at first, moves on. */
static nset_status intersect(const nset_oelegacy_set *g, size_t c, const nset_oelegacy_span *s, size_t *file, size_t *i,
    nset_oelegacy_span **list, size_t *n, size_t *capacity, nset_error *err)
{
    while (*file < g->n_starts) {
        const nset_oelegacy_file *f = &g->entry[g->channel[c] + *file].file;
        const nset_oelegacy_run *r = f->run + *i;
        int order = *i < f->n_runs ? compare_places(*file, r->part, s->start, s->part) : -1;
        int64_t low, high;
        nset_status status;
        if (order > 0)
            return NSET_OK;
        if (order == 0) {
            low = r->first > s->first ? r->first : s->first;
            high = r->first + r->n < s->first + s->n ? r->first + r->n : s->first + s->n;
            if (low < high && (status = add_span(list, n, capacity,
                                   (nset_oelegacy_span){ s->start, s->part, low, high - low, 0 }, err)) != NSET_OK)
                return status;
            if (r->first + r->n >= s->first + s->n) /* the next span may still need this run */
                return NSET_OK;
        }
        if (*i < f->n_runs) {
            ++*i;
        } else {
            ++*file;
            *i = 0;
        }
    }
    return NSET_OK;
}

static nset_status first_spans(nset_oelegacy_set *g, nset_error *err)
{
    nset_status status = NSET_OK;

    for (size_t k = 0; k < g->n_starts; k++) {
        const nset_oelegacy_file *f = &g->entry[g->channel[0] + k].file;
        for (size_t i = 0; i < f->n_runs && status == NSET_OK; i++)
            status = add_span(&g->span, &g->n_spans, &g->cap_spans,
                (nset_oelegacy_span){ k, f->run[i].part, f->run[i].first, f->run[i].n, 0 }, err);
    }
    return status;
}

static nset_status find_spans(nset_oelegacy_set *g, nset_error *err)
{
    nset_status status = first_spans(g, err);
    int64_t at = 0;

    for (size_t c = 1; c < g->n_channels && status == NSET_OK; c++) {
        nset_oelegacy_span *list = NULL;
        size_t n = 0, capacity = 0, file = 0, i = 0;
        for (size_t k = 0; k < g->n_spans && status == NSET_OK; k++)
            status = intersect(g, c, &g->span[k], &file, &i, &list, &n, &capacity, err);
        nset_free(g->span);
        g->span = list;
        g->n_spans = n;
        g->cap_spans = capacity;
    }
    for (size_t k = 0; k < g->n_spans; k++) {
        g->span[k].at = at;
        at += g->span[k].n;
    }
    g->columns.base.n_frames = at;
    if (status == NSET_OK && at == 0)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: the channels have no samples in common", g->entry[0].file.path);
    return status;
}

/* ---- frames ---- */

static const nset_oelegacy_span *find_span(const nset_oelegacy_set *g, int64_t sample)
{
    size_t low = 0, high = g->n_spans;

    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (g->span[middle].at <= sample)
            low = middle;
        else
            high = middle;
    }
    return &g->span[low];
}

static const nset_oelegacy_run *find_run(const nset_oelegacy_file *f, int part, int64_t number)
{
    size_t low = 0, high = f->n_runs;

    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        const nset_oelegacy_run *r = &f->run[middle];
        if (r->part < part || (r->part == part && r->first <= number))
            low = middle;
        else
            high = middle;
    }
    return &f->run[low];
}

/* out[k * n_channels] := sample start + k of channel c. */
static nset_status read_channel(
    const nset_oelegacy_set *g, int16_t *out, size_t c, int64_t start, size_t n, nset_error *err)
{
    const nset_oelegacy_file *f = NULL;
    nset_status status = NSET_OK;
    int fd = -1;

    for (size_t done = 0; done < n && status == NSET_OK;) {
        const nset_oelegacy_span *s = find_span(g, start + (int64_t)done);
        int64_t number = s->first + start + (int64_t)done - s->at, left = s->first + s->n - number;
        const nset_oelegacy_run *r;
        if (!f || f != &g->entry[g->channel[c] + s->start].file) {
            f = &g->entry[g->channel[c] + s->start].file;
            if (fd >= 0)
                close(fd);
            if ((fd = open(f->path, O_RDONLY | O_CLOEXEC)) < 0)
                return nset_fail(err, NSET_ERR_FORMAT, "%s: %s", f->path, strerror(errno));
        }
        r = find_run(f, s->part, number);
        left = r->first + r->n - number < left ? r->first + r->n - number : left;
        left = left < (int64_t)(n - done) ? left : (int64_t)(n - done);
        status = nset_oelegacy_read(f, fd, out + done * g->n_channels, g->n_channels, r, number, (size_t)left, err);
        done += (size_t)left;
    }
    if (fd >= 0)
        close(fd);
    return status;
}

static nset_status fill(nset_columns *self, int16_t *block, int64_t start, size_t n, nset_error *err)
{
    const nset_oelegacy_set *g = (const nset_oelegacy_set *)self;
    nset_status status = NSET_OK;

    for (size_t c = 0; c < g->n_channels && status == NSET_OK; c++)
        status = read_channel(g, block + c, c, start, n, err);
    return status;
}

static void close_frames(nset_frames *self)
{
    nset_oelegacy_set_free((nset_oelegacy_set *)self);
}

nset_status nset_oelegacy_set_open(nset_oelegacy_set *g, nset_layout *l, nset_error *err)
{
    nset_status status;

    if ((status = scan_channels(g, l, err)) != NSET_OK || (status = drop_short(g, l, err)) != NSET_OK ||
        (status = find_spans(g, err)) != NSET_OK)
        return status;
    for (size_t i = 0; i < g->n_entries; i++)
        g->entry[i].path = NULL;
    nset_columns_init(&g->columns);
    g->columns.fill = fill;
    g->columns.base.n_columns = g->n_channels;
    g->columns.base.close = close_frames;
    return NSET_OK;
}
