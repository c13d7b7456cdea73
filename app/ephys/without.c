/* A recording seen without its bad channels, and what is said of them. */
#include "ephys/bad_channels.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <neuroset/memory.h>

enum { PIECE = 4096, LISTED = 16 };

typedef struct narrow_source {
    nset_source base;
    nset_source *inner; /* not owned */
    size_t *channel;    /* (n_channels) of inner, owned */
    float *piece;       /* (PIECE, inner channels), owned */
} narrow_source;

static nset_status read_narrow(nset_source *self, float *out, int64_t start, size_t n, nset_error *err)
{
    narrow_source *s = (narrow_source *)self;
    size_t wide = s->inner->n_channels;

    while (n > 0) {
        size_t now = n < PIECE ? n : PIECE;
        nset_status status = s->inner->read(s->inner, s->piece, start, now, err);
        if (status != NSET_OK)
            return status;
        for (size_t t = 0; t < now; t++)
            for (size_t c = 0; c < self->n_channels; c++)
                *out++ = s->piece[t * wide + s->channel[c]];
        start += (int64_t)now;
        n -= now;
    }
    return NSET_OK;
}

/* All channels in their order. */
static nset_status read_same(nset_source *self, float *out, int64_t start, size_t n, nset_error *err)
{
    narrow_source *s = (narrow_source *)self;

    return s->inner->read(s->inner, out, start, n, err);
}

static void close_narrow(nset_source *self)
{
    narrow_source *s = (narrow_source *)self;

    nset_free(s->channel);
    nset_free(s->piece);
    nset_free(s);
}

static nset_status open_narrow(nset_source **out, nset_source *inner, const size_t *channel, size_t n, nset_error *err)
{
    narrow_source *s = nset_calloc(1, sizeof *s);
    bool same = n == inner->n_channels;

    if (!s)
        return nset_fail_oom(err, 1, sizeof *s);
    s->base = *inner;
    s->base.n_channels = n;
    s->base.read = read_narrow;
    s->base.close = close_narrow;
    s->inner = inner;
    s->channel = nset_calloc(n, sizeof *s->channel);
    s->piece = nset_calloc(PIECE * inner->n_channels, sizeof *s->piece);
    if (!s->channel || !s->piece) {
        close_narrow(&s->base);
        return nset_fail_oom(err, PIECE * inner->n_channels, sizeof *s->piece);
    }
    memcpy(s->channel, channel, n * sizeof *channel);
    for (size_t c = 0; c < n; c++)
        same = same && channel[c] == c;
    if (same)
        s->base.read = read_same;
    *out = &s->base;
    return NSET_OK;
}

static nset_status copy_rest(nset_recording *v, const nset_recording *r, const size_t *keep, size_t n, nset_error *err)
{
    nset_status status = nset_probe_init(&v->probe, n, err);

    if (status != NSET_OK)
        return status;
    v->file_channel = nset_calloc(n, sizeof *v->file_channel);
    v->path = nset_strdup(r->path);
    if (!v->file_channel || !v->path)
        return nset_fail_oom(err, n, sizeof *v->file_channel);
    for (size_t i = 0; i < n; i++) {
        v->probe.x_um[i] = r->probe.x_um[keep[i]];
        v->probe.y_um[i] = r->probe.y_um[keep[i]];
        v->probe.shank[i] = r->probe.shank[keep[i]];
        v->file_channel[i] = r->file_channel[keep[i]];
    }
    return open_narrow(&v->source, r->source, keep, n, err);
}

/* The view's own pieces and gaps; those of *v are still r's. */
static nset_status copy_pieces(nset_recording *v, const nset_recording *r, nset_error *err)
{
    v->piece = nset_calloc(r->n_pieces, sizeof *v->piece);
    v->gap = nset_calloc(r->n_gaps, sizeof *v->gap);
    v->n_pieces = v->n_gaps = 0;
    v->unused = NULL;
    if (!v->piece || !v->gap)
        return nset_fail_oom(err, r->n_pieces + r->n_gaps, sizeof *v->piece);
    for (size_t i = 0; i < r->n_pieces; i++) {
        v->piece[i] = r->piece[i];
        v->n_pieces++;
        if (!(v->piece[i].path = nset_strdup(r->piece[i].path)))
            return nset_fail_oom(err, 1, strlen(r->piece[i].path));
    }
    for (size_t i = 0; i < r->n_gaps; i++)
        v->gap[v->n_gaps++] = r->gap[i];
    return NSET_OK;
}

nset_status nset_recording_only(
    nset_recording **out, const nset_recording *r, const size_t *channel, size_t n, nset_error *err)
{
    nset_recording *v = nset_calloc(1, sizeof *v);
    nset_status status;

    if (!v)
        return nset_fail_oom(err, 1, sizeof *v);
    *v = *r;
    v->source = NULL;
    v->probe = (nset_probe){ 0 };
    v->file_channel = NULL;
    v->path = NULL;
    v->facts = json_incref(r->facts);
    v->warnings = json_incref(r->warnings);
    status = copy_pieces(v, r, err);
    if (status == NSET_OK)
        status = copy_rest(v, r, channel, n, err);
    if (status != NSET_OK)
        nset_recording_close(v);
    else
        *out = v;
    return status;
}

nset_status nset_recording_without(
    nset_recording **out, const nset_recording *r, const nset_channel_survey *s, nset_error *err)
{
    size_t n = 0, *keep = nset_calloc(s->n_channels, sizeof *keep);
    nset_status status;

    if (!keep)
        return nset_fail_oom(err, s->n_channels, sizeof *keep);
    for (size_t c = 0; c < s->n_channels; c++)
        if (s->channel[c].fault == NSET_CHANNEL_GOOD || s->n_bad == s->n_channels)
            keep[n++] = c;
    status = nset_recording_only(out, r, keep, n, err);
    nset_free(keep);
    return status;
}

const char *nset_channel_fault_name(nset_channel_fault fault)
{
    static const char *const names[] = { "good", "flat", "dead", "clipped", "copy", "noisy", "unused" };

    return names[fault];
}

void nset_channel_fault_text(
    char *text, size_t n, const nset_channel_survey *s, const nset_recording *r, size_t channel)
{
    const nset_channel_state *k = &s->channel[channel];
    int at = snprintf(text, n, "channel %zu (column %zu, x %g um, y %g um): %s", channel, r->file_channel[channel],
        r->probe.x_um[channel], r->probe.y_um[channel], nset_channel_fault_name(k->fault));

    if (at < 0 || (size_t)at >= n)
        return;
    text += at;
    n -= (size_t)at;
    if (k->fault == NSET_CHANNEL_UNUSED)
        snprintf(text, n, ": the file marks it as the reference or as switched off");
    else if (k->fault == NSET_CHANNEL_FLAT)
        snprintf(text, n, ": constant at %g uV", k->low_uv);
    else if (k->fault == NSET_CHANNEL_CLIPPED)
        snprintf(text, n, ": %.0f %% of the samples stand at %g or %g uV", 100 * k->at_limit, k->low_uv, k->high_uv);
    else if (k->fault == NSET_CHANNEL_COPY)
        snprintf(text, n, " of channel %zu (column %zu)", k->copy_of, r->file_channel[k->copy_of]);
    else
        snprintf(text, n, ": noise %.3g uV in 300-6000 Hz", k->noise_uv);
}

size_t nset_contacts_at_one_place(size_t *a, size_t *b, const nset_probe *p)
{
    size_t pairs = 0;

    for (size_t i = 1; i < p->n_channels; i++) /* canonical order: such contacts are neighbours */
        if (p->shank[i] == p->shank[i - 1] && p->x_um[i] == p->x_um[i - 1] && p->y_um[i] == p->y_um[i - 1] &&
            pairs++ == 0) {
            *a = i - 1;
            *b = i;
        }
    return pairs;
}

static void warn_of_each(const nset_channel_survey *s, const nset_recording *r, bool keep, nset_run_folder *folder)
{
    size_t said = 0;
    char text[300];

    for (size_t c = 0; c < s->n_channels && said <= LISTED; c++) {
        if (s->channel[c].fault == NSET_CHANNEL_GOOD)
            continue;
        nset_channel_fault_text(text, sizeof text, s, r, c);
        if (said++ < LISTED)
            nset_run_folder_warn(folder, "%s; %s", text, keep ? "kept" : "left out");
        else
            nset_run_folder_warn(folder, "... and %zu more, see bad_channels in run.json", s->n_bad - LISTED);
    }
}

static json_t *bad_channels_json(const nset_channel_survey *s, const nset_recording *r, bool keep)
{
    json_t *list = json_array();

    for (size_t c = 0; c < s->n_channels; c++)
        if (s->channel[c].fault != NSET_CHANNEL_GOOD)
            json_array_append_new(
                list, json_pack("{s:I, s:I, s:s, s:b}", "channel", (json_int_t)c, "column",
                          (json_int_t)r->file_channel[c], "fault", nset_channel_fault_name(s->channel[c].fault),
                          "left_out", !keep && s->n_bad < s->n_channels));
    return list;
}

static void tell_of_channels(const nset_channel_survey *s, const nset_recording *r, bool keep, nset_run_folder *folder)
{
    size_t flat = 0, a = 0, b = 0, pairs = nset_contacts_at_one_place(&a, &b, &r->probe);

    for (size_t c = 0; c < s->n_channels; c++)
        flat += s->channel[c].fault == NSET_CHANNEL_FLAT;
    if (flat)
        nset_run_folder_warn(folder, "no variance on %zu of %zu channels: clipped or constant", flat, s->n_channels);
    if (s->n_bad == s->n_channels && flat < s->n_bad)
        nset_run_folder_warn(folder, "no channel is without a fault: all are kept");
    if (flat < s->n_channels)
        warn_of_each(s, r, keep || s->n_bad == s->n_channels, folder);
    if (pairs)
        nset_run_folder_warn(folder,
            "%zu contacts lie where another one lies (first: columns %zu and %zu, at %g, %g um): is the probe right?",
            pairs, r->file_channel[a], r->file_channel[b], r->probe.x_um[a], r->probe.y_um[a]);
    json_object_set_new(nset_run_folder_json(folder), "bad_channels", bad_channels_json(s, r, keep));
}

nset_status nset_leave_out_bad(nset_recording **out, const nset_recording *r, bool keep, nset_run_folder *folder,
    nset_workers *workers, nset_error *err)
{
    nset_channel_survey s = { 0 };
    nset_status status = nset_bad_channels(&s, r, workers, err);

    if (status != NSET_OK)
        return status;
    tell_of_channels(&s, r, keep, folder);
    if (keep)
        s.n_bad = s.n_channels; /* a view of all */
    status = nset_recording_without(out, r, &s, err);
    nset_channel_survey_fini(&s);
    return status;
}
