#include "ephys/groups.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <neuroset/memory.h>

#include "ephys/bad_channels.h"
#include "ephys/measures_more.h"

#define REACH_UM 200.
#define BETWEEN_SHANKS_UM 150.
enum { AFTER_SECONDS = 300 };

size_t nset_probe_groups(size_t *group, const nset_probe *p)
{
    size_t n = p->n_channels, n_groups = 0;

    for (size_t c = 0; c < n; c++)
        group[c] = c;
    for (bool changed = true; changed;) { /* each takes the least number within reach */
        changed = false;
        for (size_t a = 0; a < n; a++)
            for (size_t b = 0; b < n; b++) {
                double reach = p->shank[a] == p->shank[b] ? REACH_UM : BETWEEN_SHANKS_UM;
                if (group[b] < group[a] && hypot(p->x_um[a] - p->x_um[b], p->y_um[a] - p->y_um[b]) <= reach) {
                    group[a] = group[b];
                    changed = true;
                }
            }
    }
    for (size_t c = 0; c < n; c++) /* a group's number is that of its first channel: count them off */
        group[c] = group[c] == c ? n_groups++ : group[group[c]];
    return n_groups;
}

/* ---- one sorting of several ---- */

typedef struct part {
    nset_sorting *s;
    size_t *channel; /* (s->n_channels) in the whole; owned */
    size_t n, first_unit;
} part;

static int by_sample(const void *a, const void *b)
{
    const nset_spike *p = a, *q = b;

    if (p->sample != q->sample)
        return p->sample < q->sample ? -1 : 1;
    return (p->unit > q->unit) - (p->unit < q->unit);
}

static void scatter(float *to, const float *from, const part *p, size_t n_rows, size_t n_channels)
{
    for (size_t k = 0; k < n_rows; k++)
        for (size_t c = 0; c < p->n; c++)
            to[k * n_channels + p->channel[c]] = from[k * p->n + c];
}

static void add_part(nset_sorting *all, const part *p)
{
    size_t rows = p->s->n_units * all->template_length, first = p->first_unit * all->template_length;

    for (size_t u = 0; u < p->s->n_units; u++) {
        nset_unit *to = &all->units[p->first_unit + u];
        *to = p->s->units[u];
        to->id += (int32_t)p->first_unit;
        to->channel = p->channel[to->channel];
    }
    for (size_t i = 0; i < p->s->n_spikes; i++) {
        nset_spike *to = &all->spikes[all->n_spikes++];
        *to = p->s->spikes[i];
        to->unit += (int32_t)p->first_unit;
        to->second += to->second < 0 ? 0 : (int32_t)p->first_unit;
    }
    scatter(all->templates + first * all->n_channels, p->s->templates, p, rows, all->n_channels);
    scatter(all->templates_whitened + first * all->n_channels, p->s->templates_whitened, p, rows, all->n_channels);
    for (size_t c = 0; c < p->n; c++)
        for (size_t k = 0; k < p->n; k++)
            all->whitening[p->channel[c] * all->n_channels + p->channel[k]] = p->s->whitening[c * p->n + k];
}

static nset_status join(nset_sorting **out, part *parts, size_t n, size_t n_channels, nset_error *err)
{
    nset_sorting *all = nset_calloc(1, sizeof *all);
    size_t n_spikes = 0, size;
    nset_status status;

    if (!all)
        return nset_fail_oom(err, 1, sizeof *all);
    all->rate_hz = parts[0].s->rate_hz;
    all->n_samples = parts[0].s->n_samples;
    all->template_length = parts[0].s->template_length;
    all->template_pre = parts[0].s->template_pre;
    all->n_channels = n_channels;
    for (size_t g = 0; g < n; g++) {
        parts[g].first_unit = all->n_units;
        all->n_units += parts[g].s->n_units;
        n_spikes += parts[g].s->n_spikes;
    }
    size = all->template_length * n_channels;
    all->spikes = nset_calloc(n_spikes, sizeof *all->spikes);
    all->units = nset_calloc(all->n_units, sizeof *all->units);
    all->templates = nset_calloc(all->n_units, size * sizeof *all->templates);
    all->templates_whitened = nset_calloc(all->n_units, size * sizeof *all->templates);
    all->whitening = nset_calloc(n_channels * n_channels, sizeof *all->whitening);
    if (!all->spikes || !all->units || !all->templates || !all->templates_whitened || !all->whitening) {
        nset_sorting_free(all);
        return nset_fail_oom(err, all->n_units + 1, size * sizeof *all->templates);
    }
    for (size_t g = 0; g < n; g++)
        add_part(all, &parts[g]);
    if (all->n_spikes)
        qsort(all->spikes, all->n_spikes, sizeof *all->spikes, by_sample);
    if ((status = nset_sorting_measure_more(all, err)) != NSET_OK) { /* synchrony is with all units */
        nset_sorting_free(all);
        return status;
    }
    *out = all;
    return NSET_OK;
}

/* ---- facts ---- */

static void add_count(json_t *facts, const char *key, json_t *of_group)
{
    json_int_t sum =
        json_integer_value(json_object_get(facts, key)) + json_integer_value(json_object_get(of_group, key));

    json_object_set_new(facts, key, json_integer(sum));
}

/* counts, and the stretches that any group blanked */
static void add_facts(json_t *facts, json_t *of_group)
{
    json_t *groups = json_object_get(facts, "groups"), *blanked = json_object_get(facts, "blanked_samples");

    if (!groups) {
        json_object_set_new(facts, "groups", groups = json_array());
        json_object_set_new(facts, "blanked_samples", blanked = json_array());
    }
    add_count(facts, "events", of_group);
    add_count(facts, "parts", of_group);
    json_array_extend(blanked, json_object_get(of_group, "blanked_samples"));
    json_array_append(groups, of_group);
}

/* ---- the groups ---- */

static nset_status sort_group(part *p, json_t *facts, const nset_recording *r, const size_t *group, size_t g,
    const nset_sort_options *options, nset_workers *workers, nset_sort_stage stage, void *stage_ctx, nset_error *err)
{
    nset_sort_options o = *options;
    nset_recording *view = NULL;
    json_t *of_group = json_object();
    char work[4096];
    nset_status status;

    o.after = NULL;
    if (options->work) { /* what a group's steps leave is its own */
        snprintf(work, sizeof work, "%s-group-%zu", options->work, g);
        o.work = work;
    }
    if (!(p->channel = nset_calloc(r->probe.n_channels, sizeof *p->channel)))
        status = nset_fail_oom(err, r->probe.n_channels, sizeof *p->channel);
    else {
        for (size_t c = 0; c < r->probe.n_channels; c++)
            if (group[c] == g)
                p->channel[p->n++] = c;
        status = nset_recording_only(&view, r, p->channel, p->n, err);
    }
    if (status == NSET_OK)
        status = nset_sort(&p->s, of_group, view, &o, workers, stage, stage_ctx, err);
    if (status == NSET_OK)
        add_facts(facts, of_group);
    json_decref(of_group);
    nset_recording_close(view);
    return status;
}

/* What follows, on the whitened signal of all channels. */
static nset_status run_after(
    const nset_sorting *s, const nset_recording *r, const nset_sort_options *o, nset_workers *workers, nset_error *err)
{
    nset_whitened *w = NULL;
    int64_t *segments = NULL;
    size_t most = (size_t)ceil(AFTER_SECONDS * s->rate_hz / NSET_HOP), n, all;
    nset_status status;

    if ((status = nset_whitened_open(&w, r, o->reference, o->memory / 2, workers, err)) != NSET_OK)
        return status;
    all = (size_t)nset_whitened_segments(w);
    n = all < most ? all : most;
    if (!(segments = nset_calloc(n, sizeof *segments))) {
        status = nset_fail_oom(err, n, sizeof *segments);
    } else {
        for (size_t i = 0; i < n; i++)
            segments[i] = (int64_t)(n == 1 ? 0 : i * (all - 1) / (n - 1));
        status = o->after(o->after_ctx, s, &r->probe, w, segments, n, err);
    }
    nset_free(segments);
    nset_whitened_close(w);
    return status;
}

nset_status nset_sort_groups(nset_sorting **out, json_t *facts, const nset_recording *r,
    const nset_sort_options *options, nset_workers *workers, nset_sort_stage stage, void *stage_ctx, nset_error *err)
{
    size_t *group = nset_calloc(r->probe.n_channels, sizeof *group), n;
    part parts[NSET_MOST_GROUPS] = { { 0 } };
    nset_status status = NSET_OK;

    if (!group)
        return nset_fail_oom(err, r->probe.n_channels, sizeof *group);
    n = nset_probe_groups(group, &r->probe);
    if (n <= 1 || n > NSET_MOST_GROUPS) {
        nset_free(group);
        return nset_sort(out, facts, r, options, workers, stage, stage_ctx, err);
    }
    for (size_t g = 0; g < n && status == NSET_OK; g++)
        status = sort_group(&parts[g], facts, r, group, g, options, workers, stage, stage_ctx, err);
    if (status == NSET_OK)
        status = join(out, parts, n, r->probe.n_channels, err);
    if (status == NSET_OK && options->after && (status = run_after(*out, r, options, workers, err)) != NSET_OK) {
        nset_sorting_free(*out);
        *out = NULL;
    }
    for (size_t g = 0; g < n; g++) {
        nset_sorting_free(parts[g].s);
        nset_free(parts[g].channel);
    }
    nset_free(group);
    return status;
}
