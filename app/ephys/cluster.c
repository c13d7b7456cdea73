#include "ephys/cluster.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <neuroset/memory.h>

#include "cli/progress.h"
#include "ephys/parts.h"

enum { LEAST_EVENTS = 20, LEAST_PART = 12, MOST_EVENTS = 20000, SMALL_SHANK = 8, COMPONENTS = 8 };
enum { FEATURES = COMPONENTS + NSET_EMBEDDING, PIECE = 512, TAPS_REACH = 6 };
/* Weight of the principal components beside the embedding, both in noise units. On 13 recordings of another simulator
 * .5 gave the best mean accuracy, above the components alone and the embedding alone. */
#define COMPONENT_WEIGHT .5f
#define SMALL_UM 110. /* a shank of few contacts this close together is one group */
#define NEAR_UM 60.
#define BEFORE_S .0006 /* of the peak */
#define AFTER_S .0008

typedef struct grouping {
    const nset_probe *probe;
    size_t n_groups;
    size_t *group_of; /* (n_channels) */
    size_t *home;     /* (n_groups) a channel of it */
    bool *small;      /* (n_groups) a whole shank */
} grouping;

static void grouping_fini(grouping *g)
{
    nset_free(g->group_of);
    nset_free(g->home);
    nset_free(g->small);
}

static bool is_small_shank(const nset_probe *p, size_t c)
{
    size_t n = 0;

    for (size_t b = 0; b < p->n_channels; b++) {
        if (p->shank[b] != p->shank[c])
            continue;
        n++;
        for (size_t a = 0; a < p->n_channels; a++)
            if (p->shank[a] == p->shank[c] && hypot(p->x_um[a] - p->x_um[b], p->y_um[a] - p->y_um[b]) > SMALL_UM)
                return false;
        if (n > SMALL_SHANK)
            return false;
    }
    return true;
}

static nset_status make_groups(grouping *g, const nset_probe *probe, nset_error *err)
{
    size_t n = probe->n_channels;

    *g = (grouping){ .probe = probe };
    g->group_of = nset_calloc(n, sizeof *g->group_of);
    g->home = nset_calloc(n, sizeof *g->home);
    g->small = nset_calloc(n, sizeof *g->small);
    if (!g->group_of || !g->home || !g->small) {
        grouping_fini(g);
        return nset_fail_oom(err, n, sizeof *g->home);
    }
    for (size_t c = 0; c < n; c++) {
        bool small = is_small_shank(probe, c);
        size_t k = small ? 0 : g->n_groups;
        while (k < g->n_groups && !(g->small[k] && probe->shank[g->home[k]] == probe->shank[c]))
            k++;
        if (k == g->n_groups) {
            g->home[k] = c;
            g->small[k] = small;
            g->n_groups++;
        }
        g->group_of[c] = k;
    }
    return NSET_OK;
}

/* ---- features ---- */

typedef struct feature_room {
    nset_whitened *w;
    const nset_probe *probe;
    nset_event_net *net;
    nset_event_sets sets;
    nset_neighbours near;
    float *row, *tokens; /* snippet of all channels; tokens of a piece of events */
    int64_t offset[PIECE + 1];
} feature_room;

static size_t samples_before(const nset_whitened *w)
{
    return (size_t)lround(BEFORE_S * nset_whitened_rate(w));
}

static size_t snippet_length(const nset_whitened *w)
{
    return samples_before(w) + (size_t)lround(AFTER_S * nset_whitened_rate(w));
}

/* Samples around the peak that tokens are made of, and what interpolation reaches for. */
static size_t token_samples_before(const nset_whitened *w)
{
    return (size_t)ceil(NSET_TOKEN_PRE / NSET_TOKEN_RATE_HZ * nset_whitened_rate(w)) + TAPS_REACH;
}

static size_t token_samples(const nset_whitened *w)
{
    return (size_t)ceil(NSET_TOKEN_SAMPLES / NSET_TOKEN_RATE_HZ * nset_whitened_rate(w)) + 2 * TAPS_REACH;
}

static nset_status room_init(feature_room *f, nset_error *err)
{
    size_t n = f->probe->n_channels, widest = 0, length = token_samples(f->w);
    nset_status status;

    if ((status = nset_neighbours_init(&f->near, f->probe, NEAR_UM, err)) != NSET_OK ||
        (status = nset_event_sets_init(&f->sets, f->probe, NSET_EVENT_RADIUS_UM, err)) != NSET_OK)
        return status;
    for (size_t c = 0; c < n; c++) {
        size_t size = (size_t)(f->sets.offsets[c + 1] - f->sets.offsets[c]);
        widest = size > widest ? size : widest;
    }
    length = length > snippet_length(f->w) ? length : snippet_length(f->w);
    f->row = nset_calloc(length * n, sizeof *f->row);
    f->tokens = nset_calloc(PIECE * widest * NSET_TOKEN, sizeof *f->tokens);
    return f->row && f->tokens ? NSET_OK : nset_fail_oom(err, PIECE * widest * NSET_TOKEN, sizeof *f->tokens);
}

static void room_fini(feature_room *f)
{
    nset_neighbours_fini(&f->near);
    nset_event_sets_fini(&f->sets);
    nset_free(f->row);
    nset_free(f->tokens);
}

/* Channels a group's snippets are taken from, ascending. */
static size_t group_channels(const feature_room *f, const grouping *g, size_t group, size_t *channel)
{
    size_t n = 0, home = g->home[group];

    if (g->small[group]) {
        for (size_t c = 0; c < f->probe->n_channels; c++)
            if (g->group_of[c] == group)
                channel[n++] = c;
    } else {
        for (size_t k = f->near.offset[home]; k < f->near.offset[home + 1]; k++)
            channel[n++] = f->near.channel[k];
    }
    return n;
}

static nset_status principal_features(float *out, feature_room *f, const nset_event *const *event, size_t n,
    const size_t *channel, size_t m, nset_error *err)
{
    size_t length = snippet_length(f->w), n_channels = f->probe->n_channels, d = length * m;
    float *x = nset_calloc(n * d, sizeof *x);
    nset_status status = x ? NSET_OK : nset_fail_oom(err, n * d, sizeof *x);

    for (size_t i = 0; i < n && status == NSET_OK; i++) {
        status = nset_whitened_read(f->w, f->row, event[i]->sample - (int64_t)samples_before(f->w), length, err);
        for (size_t t = 0; t < length; t++)
            for (size_t c = 0; c < m; c++)
                x[i * d + t * m + c] = f->row[t * n_channels + channel[c]];
    }
    if (status == NSET_OK)
        status = nset_principal(out, x, n, d, COMPONENTS, err);
    nset_free(x);
    return status;
}

/* f->tokens, f->offset := the channels around each of count events. */
static nset_status take_tokens(feature_room *f, const nset_event *const *event, size_t count, nset_error *err)
{
    size_t before = token_samples_before(f->w), length = token_samples(f->w), n_channels = f->probe->n_channels;
    float to_noise = 1 / nset_whitened_density(f->w);
    nset_status status = NSET_OK;

    for (size_t i = 0; i < count && status == NSET_OK; i++) {
        status = nset_whitened_read(f->w, f->row, event[i]->sample - (int64_t)before, length, err);
        for (size_t k = 0; k < length * n_channels; k++)
            f->row[k] *= to_noise;
        f->offset[i + 1] = f->offset[i] + (int64_t)nset_event_tokens(f->tokens + f->offset[i] * NSET_TOKEN, NULL,
                                              f->row, length, n_channels, (int64_t)before, event[i]->channel, &f->sets,
                                              f->probe, nset_whitened_rate(f->w));
    }
    return status;
}

/* out (n, FEATURES) := principal components of the snippets beside what the set network makes of each event. */
static nset_status take_features(float *out, feature_room *f, const nset_event *const *event, size_t n,
    const size_t *channel, size_t m, nset_error *err)
{
    float *p = nset_calloc(n * COMPONENTS, sizeof *p), *z = nset_calloc(n * NSET_EMBEDDING, sizeof *z);
    nset_status status = p && z ? NSET_OK : nset_fail_oom(err, n * FEATURES, sizeof *p);

    if (status == NSET_OK)
        status = principal_features(p, f, event, n, channel, m, err);
    for (size_t i = 0; i < n && status == NSET_OK; i += PIECE) {
        size_t count = n - i < PIECE ? n - i : PIECE;
        if ((status = take_tokens(f, event + i, count, err)) == NSET_OK)
            status = nset_event_net_embed(f->net, count, f->offset, f->tokens, z + i * NSET_EMBEDDING, NULL, NULL, err);
    }
    for (size_t i = 0; i < n && status == NSET_OK; i++) {
        for (size_t k = 0; k < COMPONENTS; k++)
            out[i * FEATURES + k] = COMPONENT_WEIGHT * p[i * COMPONENTS + k];
        memcpy(out + i * FEATURES + COMPONENTS, z + i * NSET_EMBEDDING, NSET_EMBEDDING * sizeof *z);
    }
    nset_free(p);
    nset_free(z);
    return status;
}

/* ---- parts ---- */

static nset_status add_parts(nset_trains *trains, const nset_event *const *event, const int32_t *label, size_t n,
    size_t n_parts, size_t n_channels, nset_error *err)
{
    int64_t *sample = nset_calloc(n, sizeof *sample);
    size_t *votes = nset_calloc(n_channels, sizeof *votes);
    nset_status status = sample && votes ? NSET_OK : nset_fail_oom(err, n, sizeof *sample);

    for (size_t p = 0; p < n_parts && status == NSET_OK; p++) {
        size_t k = 0, home = 0;
        memset(votes, 0, n_channels * sizeof *votes);
        for (size_t i = 0; i < n; i++)
            if (label[i] == (int32_t)p) {
                sample[k++] = event[i]->sample;
                votes[event[i]->channel]++;
            }
        for (size_t c = 1; c < n_channels; c++)
            home = votes[c] > votes[home] ? c : home;
        if (k >= LEAST_PART)
            status = nset_trains_add(trains, sample, k, home, err);
    }
    nset_free(sample);
    nset_free(votes);
    return status;
}

static nset_status cluster_group(nset_trains *trains, feature_room *f, const grouping *g, size_t group,
    const nset_event *const *event, size_t n, uint64_t seed, nset_error *err)
{
    size_t n_channels = f->probe->n_channels, n_parts = 0, m;
    size_t *channel = nset_calloc(n_channels, sizeof *channel);
    float *x = nset_calloc(n * FEATURES, sizeof *x);
    int32_t *label = nset_calloc(n, sizeof *label);
    nset_status status = channel && x && label ? NSET_OK : nset_fail_oom(err, n * FEATURES, sizeof *x);

    if (status == NSET_OK) {
        m = group_channels(f, g, group, channel);
        status = take_features(x, f, event, n, channel, m, err);
    }
    if (status == NSET_OK)
        status = nset_parts(label, &n_parts, x, n, FEATURES, seed, group, err);
    if (status == NSET_OK)
        status = add_parts(trains, event, label, n, n_parts, n_channels, err);
    nset_free(channel);
    nset_free(x);
    nset_free(label);
    return status;
}

nset_status nset_cluster_events(nset_trains *trains, nset_whitened *w, const nset_events *events,
    const nset_probe *probe, nset_event_net *net, uint64_t seed, nset_error *err)
{
    feature_room f = { .w = w, .probe = probe, .net = net };
    const nset_event **event = nset_calloc(events->n, sizeof *event);
    grouping g = { 0 };
    nset_status status;

    if (!event)
        return nset_fail_oom(err, events->n, sizeof *event);
    if ((status = make_groups(&g, probe, err)) != NSET_OK || (status = room_init(&f, err)) != NSET_OK)
        goto done;
    for (size_t k = 0; k < g.n_groups && status == NSET_OK; k++) {
        size_t all = 0, n = 0, i = 0;
        for (size_t e = 0; e < events->n; e++)
            all += g.group_of[events->event[e].channel] == k;
        for (size_t e = 0; e < events->n; e++) /* an even spread when there are very many */
            if (g.group_of[events->event[e].channel] == k && (all <= MOST_EVENTS || i++ * MOST_EVENTS / all >= n))
                event[n++] = &events->event[e];
        if (nset_cancelled())
            status = nset_fail_cancelled(err);
        else if (n >= LEAST_EVENTS)
            status = cluster_group(trains, &f, &g, k, event, n, seed, err);
        nset_progress_at((double)(k + 1) / (double)g.n_groups);
    }

done:
    room_fini(&f);
    grouping_fini(&g);
    nset_free(event);
    return status;
}
