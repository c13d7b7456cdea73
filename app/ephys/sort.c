#include "ephys/sort.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <neuroset/memory.h>

#include "cli/progress.h"
#include "ephys/amplitudes.h"
#include "ephys/cluster.h"
#include "ephys/link.h"
#include "ephys/match.h"
#include "ephys/regroup.h"
#include "ephys/sort_state.h"
#include "ephys/units.h"

enum { LEAST_SPIKES = 5, ENOUGH_SPIKES = 20, LEARN_SECONDS = 300 };
#define LEAST_RATE_HZ .33 /* of a unit in a recording too short for ENOUGH_SPIKES */
#define LEAST_NORM 4.f    /* smaller templates are matched everywhere */
#define NEAR_UM 60.       /* events exclude each other */
#define WIDE_UM 200.      /* a template's channels around its home */

typedef struct sorter {
    const nset_recording *recording;
    const nset_sort_options *options;
    nset_workers *workers;
    nset_whitened *w;
    nset_event_net *net;
    nset_neighbours near, wide;
    int64_t *all, *learn; /* segments: every one, and an even spread of at most LEARN_SECONDS */
    size_t n_all, n_learn;
    nset_trains trains;
    nset_templates templates;
    nset_matches matches; /* of the last pass */
    json_t *facts;
    nset_sort_stage stage;
    void *stage_ctx;
} sorter;

static void tell(sorter *s, const char *stage, size_t bytes)
{
    nset_progress_end();
    if (s->stage)
        s->stage(s->stage_ctx, stage, bytes);
}

static nset_status choose_segments(sorter *s, nset_error *err)
{
    size_t most = (size_t)ceil(LEARN_SECONDS * nset_whitened_rate(s->w) / NSET_HOP);

    s->n_all = (size_t)nset_whitened_segments(s->w);
    s->n_learn = s->n_all < most ? s->n_all : most;
    s->all = nset_calloc(s->n_all, sizeof *s->all);
    s->learn = nset_calloc(s->n_learn, sizeof *s->learn);
    if (!s->all || !s->learn)
        return nset_fail_oom(err, s->n_all, sizeof *s->all);
    for (size_t i = 0; i < s->n_all; i++)
        s->all[i] = (int64_t)i;
    for (size_t i = 0; i < s->n_learn; i++)
        s->learn[i] = (int64_t)(s->n_learn == 1 ? 0 : i * (s->n_all - 1) / (s->n_learn - 1));
    return NSET_OK;
}

/* Spikes of the smallest unit: ENOUGH_SPIKES, fewer in less than a minute. */
static size_t least_spikes(const sorter *s)
{
    double n = LEAST_RATE_HZ * (double)nset_whitened_samples(s->w) / nset_whitened_rate(s->w);

    return n < LEAST_SPIKES ? LEAST_SPIKES : n < ENOUGH_SPIKES ? (size_t)n : ENOUGH_SPIKES;
}

static double samples_in(const sorter *s, const int64_t *segments, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += (double)nset_whitened_segment_length(s->w, segments[i]);
    return sum;
}

/* Events and their parts: the first trains. */
static nset_status find_trains(sorter *s, nset_error *err)
{
    nset_events events = { 0 };
    nset_status status;

    nset_progress_begin("detect", (double)s->n_learn, "segments");
    status = nset_events_detect(&events, s->w, &s->near, s->learn, s->n_learn, s->options->threshold, s->workers, err);
    tell(s, "detect", events.n * sizeof *events.event);
    if (status != NSET_OK)
        return status;
    json_object_set_new(s->facts, "events", json_integer((json_int_t)events.n));
    nset_progress_begin("cluster", 1, "groups");
    status = nset_cluster_events(
        &s->trains, s->w, &events, &s->recording->probe, s->net, least_spikes(s), s->options->seed, s->workers, err);
    nset_events_fini(&events);
    json_object_set_new(s->facts, "parts", json_integer((json_int_t)s->trains.n));
    tell(s, "cluster", 0);
    return status;
}

static nset_status learn(sorter *s, nset_error *err)
{
    nset_templates_fini(&s->templates);
    return nset_templates_learn(&s->templates, s->w, &s->trains, &s->wide, s->workers, err);
}

/* Templates of the trains; like ones joined and learnt anew. */
static nset_status learn_and_merge(sorter *s, nset_error *err)
{
    size_t before = s->trains.n;
    nset_status status;

    if ((status = learn(s, err)) != NSET_OK || (status = nset_templates_merge(&s->templates, &s->trains,
                                                    &s->recording->probe, nset_whitened_rate(s->w), err)) != NSET_OK)
        return status;
    return s->trains.n < before ? learn(s, err) : NSET_OK;
}

static nset_status prune(sorter *s, nset_error *err)
{
    unsigned char *keep = nset_calloc(s->trains.n, 1);

    if (!keep)
        return nset_fail_oom(err, s->trains.n, 1);
    for (size_t i = 0; i < s->trains.n; i++)
        keep[i] = s->trains.train[i].n >= least_spikes(s) && s->templates.norm[i] > LEAST_NORM;
    nset_templates_keep(&s->templates, keep);
    nset_trains_keep(&s->trains, keep);
    nset_free(keep);
    return NSET_OK;
}

/* Spikes expected of template i where it was learnt. */
static double expected(const sorter *s, size_t i)
{
    return fmax(s->trains.train[i].count, (double)s->trains.train[i].n);
}

static nset_status match(sorter *s, nset_matches *m, const int64_t *segments, size_t n, nset_error *err)
{
    double *count = nset_calloc(s->trains.n, sizeof *count), samples = samples_in(s, s->learn, s->n_learn);
    nset_status status;

    if (!count)
        return nset_fail_oom(err, s->trains.n, sizeof *count);
    for (size_t i = 0; i < s->trains.n; i++)
        count[i] = expected(s, i);
    nset_progress_begin("match", (double)n, "segments");
    status = nset_match_run(m, s->w, &s->templates, count, samples, segments, n, s->workers, err);
    nset_free(count);
    tell(s, "match", m->n * sizeof *m->match);
    return status;
}

typedef struct weigh_job {
    sorter *s;
    const float *size; /* of all matches, those of template i from start[i] on */
    const size_t *start;
    double samples;
    nset_amplitudes *a;
} weigh_job;

static void fit_sizes(void *ctx, size_t first, size_t last, size_t chunk)
{
    const weigh_job *j = ctx;

    (void)chunk;
    for (size_t i = first; i < last; i++) {
        double floor = nset_match_least_size((double)j->s->templates.norm[i], expected(j->s, i), j->samples);
        nset_amplitudes_fit(&j->a[i], j->size + j->start[i], j->start[i + 1] - j->start[i], floor);
        j->s->templates.least[i] = (float)j->a[i].least;
    }
}

/* Finds the size from which a match of each template is rather the unit's than hash, and lets the matches'
 * probabilities know of the hash. */
static nset_status weigh_sizes(sorter *s, nset_matches *m, nset_error *err)
{
    size_t n = s->templates.n, *start = nset_calloc(n + 2, sizeof *start); /* start[i + 1]: where i's sizes go on */
    float *size = nset_calloc(m->n, sizeof *size);
    nset_amplitudes *a = nset_calloc(n, sizeof *a);
    weigh_job job = { s, size, start, samples_in(s, s->learn, s->n_learn), a };
    nset_status status = start && size && a ? NSET_OK : nset_fail_oom(err, m->n, sizeof *size);

    for (size_t k = 0; k < m->n && status == NSET_OK; k++)
        start[m->match[k].unit + 2]++;
    for (size_t i = 0; i < n && status == NSET_OK; i++)
        start[i + 2] += start[i + 1];
    for (size_t k = 0; k < m->n && status == NSET_OK; k++)
        size[start[m->match[k].unit + 1]++] = m->match[k].size;
    if (status == NSET_OK)
        nset_parallel_for(s->workers, n, 1, fit_sizes, &job);
    for (size_t k = 0; k < m->n && status == NSET_OK; k++)
        m->match[k].probability *= (float)nset_amplitudes_posterior(&a[m->match[k].unit], (double)m->match[k].size);
    nset_free(start);
    nset_free(size);
    nset_free(a);
    return status;
}

/* Matches the learning segments and lets the spikes found make new trains and templates. */
static nset_status refine(sorter *s, nset_error *err)
{
    json_t *reasons = json_object_get(s->facts, "regrouped");
    nset_matches m = { 0 };
    nset_status status;

    if (!reasons)
        json_object_set_new(s->facts, "regrouped", reasons = json_array());
    if ((status = match(s, &m, s->learn, s->n_learn, err)) == NSET_OK && (status = weigh_sizes(s, &m, err)) == NSET_OK)
        status = nset_regroup(&s->trains, s->w, &s->templates, &m, &s->recording->probe, s->learn, s->n_learn,
            least_spikes(s), s->options->seed, reasons, s->workers, err);
    nset_matches_fini(&m);
    tell(s, "group", 0);
    if (status == NSET_OK && (status = learn(s, err)) == NSET_OK)
        status = prune(s, err);
    tell(s, "templates", s->templates.n * s->templates.length * s->templates.n_channels * sizeof(float));
    return status;
}

/* Which templates are one unit; said in the facts. */
static nset_status link_templates(sorter *s, nset_error *err)
{
    json_t *reasons = json_array();

    json_object_set_new(s->facts, "links", reasons);
    return nset_link(&s->templates, &s->trains, &s->recording->probe, nset_whitened_rate(s->w),
        samples_in(s, s->learn, s->n_learn), s->options->drift, reasons, err);
}

static void drop_hash(nset_matches *m, const nset_templates *t)
{
    size_t n = 0;

    for (size_t i = 0; i < m->n; i++)
        if (m->match[i].size >= t->least[m->match[i].unit])
            m->match[n++] = m->match[i];
    m->n = n;
}

/* Matches of units that hold too few spikes to be one are noise. */
static void drop_small_units(nset_matches *m, const nset_templates *t, size_t least, size_t *count)
{
    size_t n = 0;

    for (size_t i = 0; i < m->n; i++)
        count[t->unit[m->match[i].unit]]++;
    for (size_t i = 0; i < m->n; i++)
        if (count[t->unit[m->match[i].unit]] >= least) {
            m->match[n] = m->match[i];
            if (m->match[n].second >= 0 && count[t->unit[m->match[n].second]] < least)
                m->match[n].second = -1;
            n++;
        }
    m->n = n;
}

static void keep_facts(sorter *s)
{
    const int64_t(*spans)[2];
    size_t n = nset_whitened_blanked(s->w, &spans);
    json_t *list = json_array();

    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, json_pack("[I, I]", (json_int_t)spans[i][0], (json_int_t)spans[i][1]));
    json_object_set_new(s->facts, "blanked_samples", list);
    json_object_set_new(s->facts, "learnt_from_segments", json_integer((json_int_t)s->n_learn));
    json_object_set_new(s->facts, "segments", json_integer((json_int_t)s->n_all));
}

static nset_status find_templates(sorter *s, nset_error *err)
{
    nset_status status;

    if ((status = find_trains(s, err)) != NSET_OK || (status = learn_and_merge(s, err)) != NSET_OK ||
        (status = prune(s, err)) != NSET_OK)
        return status;
    tell(s, "templates", s->templates.n * s->templates.length * s->templates.n_channels * sizeof(float));
    return NSET_OK;
}

/* The spikes of the whole recording. */
static nset_status find_spikes(sorter *s, nset_error *err)
{
    nset_matches *m = &s->matches;
    size_t *count;
    nset_status status;

    if ((status = link_templates(s, err)) != NSET_OK || (status = match(s, m, s->all, s->n_all, err)) != NSET_OK ||
        (status = weigh_sizes(s, m, err)) != NSET_OK)
        return status;
    drop_hash(m, &s->templates);
    if (!(count = nset_calloc(s->templates.n, sizeof *count)))
        return nset_fail_oom(err, s->templates.n, sizeof *count);
    drop_small_units(m, &s->templates, least_spikes(s), count);
    nset_free(count);
    keep_facts(s); /* every segment has been read now */
    return NSET_OK;
}

/* ---- steps, and what they leave ---- */

/* Each starts from what sort_state.h keeps, and from nothing else that an earlier one found. */
static const struct step {
    const char *name; /* of its file; each its own */
    nset_status (*run)(sorter *s, nset_error *err);
} steps[] = {
    { "templates", find_templates },
    { "round-1", refine },
    { "round-2", refine },
    { "spikes", find_spikes },
};
enum { STEPS = sizeof steps / sizeof *steps, PATH = 4096 };

static void state_path(const sorter *s, size_t step, char path[PATH])
{
    snprintf(path, PATH, "%s-%s.state", s->options->work, steps[step].name);
}

static nset_sort_state state_of(sorter *s)
{
    return (nset_sort_state){ &s->trains, &s->templates, &s->matches, s->facts };
}

static nset_status leave(sorter *s, size_t step, nset_error *err)
{
    nset_sort_state state = state_of(s);
    char path[PATH];

    if (!s->options->work)
        return NSET_OK;
    state_path(s, step, path);
    return nset_sort_state_write(path, &state, err);
}

/* How many steps an earlier run has done: those up to the last file that can be read. */
static size_t pick_up(sorter *s)
{
    nset_sort_frame frame = { nset_whitened_channels(s->w), nset_whitened_samples(s->w), nset_whitened_rate(s->w) };
    nset_sort_state state = state_of(s);
    char path[PATH];

    for (size_t done = s->options->work ? STEPS : 0; done > 0; done--) {
        nset_error err = { 0 };
        state_path(s, done - 1, path);
        if (access(path, F_OK))
            continue;
        if (nset_sort_state_read(path, &frame, &state, &err) == NSET_OK) {
            json_object_set_new(s->facts, "resumed_after", json_string(steps[done - 1].name));
            nset_say("resume: going on after %s", steps[done - 1].name);
            return done;
        }
        nset_say("resume: %s; that step is done again", err.text);
    }
    return 0;
}

/* Microvolts of a step of the converter; 0: there is none, or channels differ. */
static double count_uv(const nset_recording *r)
{
    return r->dtype && strstr(r->dtype, "int") ? fabs(r->gain_uv) : 0;
}

static nset_status run(sorter *s, nset_sorting **out, nset_error *err)
{
    nset_status status = NSET_OK;

    for (size_t i = pick_up(s); i < STEPS && status == NSET_OK; i++)
        if ((status = steps[i].run(s, err)) == NSET_OK)
            status = leave(s, i, err);
    if (status != NSET_OK)
        return status;
    nset_progress_begin("measure", (double)s->n_all, "segments");
    status = nset_units_make(out, s->w, &s->recording->probe, &s->matches, &s->templates, s->learn, s->n_learn,
        count_uv(s->recording), s->workers, err);
    nset_matches_fini(&s->matches);
    tell(s, "measure", 0);
    return status;
}

static nset_status empty_sorting(sorter *s, nset_sorting **out, nset_error *err)
{
    nset_matches none = { 0 };
    nset_status status;

    nset_templates_fini(&s->templates);
    status = nset_templates_init(&s->templates, 0, nset_whitened_channels(s->w), nset_whitened_rate(s->w), err);
    keep_facts(s);
    return status != NSET_OK
               ? status
               : nset_units_make(out, s->w, &s->recording->probe, &none, &s->templates, NULL, 0, 0, NULL, err);
}

nset_status nset_sort(nset_sorting **out, json_t *facts, const nset_recording *recording,
    const nset_sort_options *options, nset_workers *workers, nset_sort_stage stage, void *stage_ctx, nset_error *err)
{
    sorter s = { .recording = recording,
        .options = options,
        .workers = workers,
        .facts = facts,
        .stage = stage,
        .stage_ctx = stage_ctx };
    nset_status status;

    if ((status = nset_event_net_open(&s.net, options->model, workers, err)) != NSET_OK)
        return status;
    nset_progress_begin("noise", 1, "passes");
    status = nset_whitened_open(&s.w, recording, options->reference, options->memory / 2, workers, err);
    tell(&s, "noise", options->memory / 2);
    if (status != NSET_OK || (status = choose_segments(&s, err)) != NSET_OK ||
        (status = nset_neighbours_init(&s.near, &recording->probe, NEAR_UM, err)) != NSET_OK ||
        (status = nset_neighbours_init(&s.wide, &recording->probe, WIDE_UM, err)) != NSET_OK)
        goto done;
    status = nset_whitened_is_silent(s.w) ? empty_sorting(&s, out, err) : run(&s, out, err);
    if (status == NSET_OK && options->after)
        status = options->after(options->after_ctx, *out, &recording->probe, s.w, s.learn, s.n_learn, err);

done:
    nset_trains_fini(&s.trains);
    nset_templates_fini(&s.templates);
    nset_matches_fini(&s.matches);
    nset_neighbours_fini(&s.near);
    nset_neighbours_fini(&s.wide);
    nset_free(s.all);
    nset_free(s.learn);
    nset_whitened_close(s.w);
    nset_event_net_close(s.net);
    return status;
}
