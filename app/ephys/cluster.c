#include "ephys/cluster.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <neuroset/memory.h>

#include "cli/progress.h"
#include "ephys/parts.h"

enum { MOST_EVENTS = 20000, MOST_EVENTS_A_CHANNEL = 4000, SMALL_SHANK = 8, COMPONENTS = 8 };
enum { FEATURES = COMPONENTS + NSET_EMBEDDING, PIECE = 512, TAPS_REACH = 6 };
/* Weight of the principal components beside the embedding, both in noise units. On 13 recordings of another simulator
 * .5 gave the best mean accuracy, above the components alone and the embedding alone. */
#define COMPONENT_WEIGHT .5f
/* Parts of which the network says so on average (a logit) are noise and hash, not spikes of a unit. Means of parts lie
 * near -8 or near 9, few between. */
#define LEAST_SPIKE -4.
#define PART_SHARE .6 /* of a unit's least spikes that a part needs */
#define SMALL_UM 110. /* a shank of few contacts this close together is one group */
#define NEAR_UM 60.
#define BATCH_BYTES 134217728. /* snippets in memory at once */
#define BEFORE_S .0006         /* of the peak */
#define AFTER_S .0008
#define THIN_HZ 14000. /* the whitened signal ends at 6000 Hz: samples at that rate tell all of a snippet */

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

/* Events of one group and what is known of each. */
typedef struct group_events {
    size_t n, m, d; /* events, channels, numbers of a snippet */
    size_t least;   /* spikes of a unit */
    size_t *channel;
    const nset_event **event;
    float *x, *z; /* (n, d) snippets, (n, NSET_EMBEDDING) */
    float *spike; /* (n) logit of being a spike */
} group_events;

/* An event of the piece at work, and the row of its group that it fills. */
typedef struct taken {
    const nset_event *event;
    group_events *group;
    size_t row;
} taken;

typedef struct feature_room {
    nset_whitened *w;
    const nset_probe *probe;
    nset_event_net *net;
    nset_workers *workers;
    nset_event_sets sets;
    size_t least; /* spikes of a unit */
    nset_neighbours near;
    float *tokens;             /* of the piece */
    int64_t offset[PIECE + 1]; /* where those of each event begin */
    taken taken[PIECE];
    size_t n_piece;
    int64_t first; /* sample of its first event */
    float embedding[PIECE * NSET_EMBEDDING], spike[PIECE];
    bool failed;
} feature_room;

/* Every so many samples of a snippet are used. */
static size_t thinning(const nset_whitened *w)
{
    size_t n = (size_t)(nset_whitened_rate(w) / THIN_HZ);

    return n < 1 ? 1 : n;
}

static size_t samples_before(const nset_whitened *w)
{
    return (size_t)lround(BEFORE_S * nset_whitened_rate(w));
}

static size_t samples_taken(const nset_whitened *w)
{
    return samples_before(w) + (size_t)lround(AFTER_S * nset_whitened_rate(w));
}

static size_t snippet_length(const nset_whitened *w)
{
    return (samples_taken(w) + thinning(w) - 1) / thinning(w);
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
    size_t n = f->probe->n_channels, widest = 0;
    nset_status status;

    if ((status = nset_neighbours_init(&f->near, f->probe, NEAR_UM, err)) != NSET_OK ||
        (status = nset_event_sets_init(&f->sets, f->probe, NSET_EVENT_RADIUS_UM, err)) != NSET_OK)
        return status;
    for (size_t c = 0; c < n; c++) {
        size_t size = (size_t)(f->sets.offsets[c + 1] - f->sets.offsets[c]);
        widest = size > widest ? size : widest;
    }
    f->tokens = nset_calloc(PIECE * widest * NSET_TOKEN, sizeof *f->tokens);
    return f->tokens ? NSET_OK : nset_fail_oom(err, PIECE * widest * NSET_TOKEN, sizeof *f->tokens);
}

static void room_fini(feature_room *f)
{
    nset_neighbours_fini(&f->near);
    nset_event_sets_fini(&f->sets);
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

static void group_events_fini(group_events *q)
{
    nset_free(q->channel);
    nset_free(q->event);
    nset_free(q->x);
    nset_free(q->z);
    nset_free(q->spike);
    *q = (group_events){ 0 };
}

static nset_status group_events_init(
    group_events *q, const feature_room *f, const grouping *g, size_t group, size_t n, nset_error *err)
{
    q->n = 0;
    q->least = f->least;
    if (!(q->channel = nset_calloc(f->probe->n_channels, sizeof *q->channel)))
        return nset_fail_oom(err, f->probe->n_channels, sizeof *q->channel);
    q->m = group_channels(f, g, group, q->channel);
    q->d = snippet_length(f->w) * q->m;
    q->event = nset_calloc(n, sizeof *q->event);
    q->x = nset_calloc(n, q->d * sizeof *q->x);
    q->z = nset_calloc(n, NSET_EMBEDDING * sizeof *q->z);
    q->spike = nset_calloc(n, sizeof *q->spike);
    return q->event && q->x && q->z && q->spike ? NSET_OK : nset_fail_oom(err, n, q->d * sizeof *q->x);
}

/* One event's snippet, in numbers whose noise is that of all samples, and its tokens. column: room for the longest;
 * row: for token_samples of all channels, of which only the set's are filled. */
static void take_event(feature_room *f, size_t i, float *column, float *row)
{
    const nset_event *e = f->taken[i].event;
    group_events *q = f->taken[i].group;
    size_t n_channels = f->probe->n_channels, thin = thinning(f->w), before = token_samples_before(f->w);
    size_t length = token_samples(f->w);
    float to_noise = 1 / nset_whitened_density(f->w), weight = sqrtf((float)thin), *x = q->x + f->taken[i].row * q->d;

    for (size_t c = 0; c < q->m; c++) {
        nset_whitened_take(f->w, column, q->channel[c], e->sample - (int64_t)samples_before(f->w), samples_taken(f->w));
        for (size_t t = 0; t < snippet_length(f->w); t++)
            x[t * q->m + c] = weight * column[t * thin];
    }
    for (int64_t k = f->sets.offsets[e->channel]; k < f->sets.offsets[e->channel + 1]; k++) {
        size_t c = f->sets.channel[k];
        nset_whitened_take(f->w, column, c, e->sample - (int64_t)before, length);
        for (size_t t = 0; t < length; t++)
            row[t * n_channels + c] = to_noise * column[t];
    }
    nset_event_tokens(f->tokens + f->offset[i] * NSET_TOKEN, NULL, row, length, n_channels, (int64_t)before, e->channel,
        &f->sets, f->probe, nset_whitened_rate(f->w));
}

static void take_events(void *ctx, size_t first, size_t last, size_t chunk)
{
    feature_room *f = ctx;
    size_t length = token_samples(f->w) > samples_taken(f->w) ? token_samples(f->w) : samples_taken(f->w);
    float *column = nset_calloc(length, sizeof *column), *row = nset_calloc(length * f->probe->n_channels, sizeof *row);

    (void)chunk;
    for (size_t i = first; i < last && column && row; i++)
        take_event(f, i, column, row);
    if (!column || !row)
        f->failed = true;
    nset_free(column);
    nset_free(row);
}

/* Takes and embeds the piece of events that has been gathered. */
static nset_status finish_piece(feature_room *f, nset_error *err)
{
    int64_t margin = (int64_t)(token_samples(f->w) + samples_taken(f->w));
    nset_status status;

    if (f->n_piece == 0)
        return NSET_OK;
    if (nset_cancelled())
        return nset_fail_cancelled(err);
    if ((status = nset_whitened_hold(f->w, f->first - margin,
             (size_t)(f->taken[f->n_piece - 1].event->sample - f->first + 2 * margin), err)) != NSET_OK)
        return status;
    nset_parallel_for(f->workers, f->n_piece, 64, take_events, f);
    if (f->failed)
        return nset_fail_oom(err, token_samples(f->w) * f->probe->n_channels, sizeof(float));
    status = nset_event_net_embed(f->net, f->n_piece, f->offset, f->tokens, f->embedding, f->spike, NULL, err);
    for (size_t i = 0; i < f->n_piece && status == NSET_OK; i++) {
        group_events *q = f->taken[i].group;
        memcpy(
            q->z + f->taken[i].row * NSET_EMBEDDING, f->embedding + i * NSET_EMBEDDING, NSET_EMBEDDING * sizeof *q->z);
        q->spike[f->taken[i].row] = f->spike[i];
    }
    f->n_piece = 0;
    return status;
}

/* Events come in the order of time; a piece is no longer than what can be held at once. */
static nset_status add_event(feature_room *f, group_events *q, const nset_event *e, nset_error *err)
{
    nset_status status;
    size_t i;

    if ((f->n_piece == PIECE || (f->n_piece > 0 && e->sample - f->first > NSET_HOP)) &&
        (status = finish_piece(f, err)) != NSET_OK)
        return status;
    i = f->n_piece++;
    if (i == 0)
        f->first = e->sample;
    f->taken[i] = (taken){ e, q, q->n };
    f->offset[i + 1] = f->offset[i] + f->sets.offsets[e->channel + 1] - f->sets.offsets[e->channel];
    q->event[q->n++] = e;
    return NSET_OK;
}

/* out (n, FEATURES) := principal components of the snippets beside what the set network makes of each event. */
static nset_status take_features(float *out, const group_events *q, nset_error *err)
{
    float *p = nset_calloc(q->n * COMPONENTS, sizeof *p);
    nset_status status = p ? NSET_OK : nset_fail_oom(err, q->n * COMPONENTS, sizeof *p);

    if (status == NSET_OK)
        status = nset_principal(p, q->x, q->n, q->d, COMPONENTS, err);
    for (size_t i = 0; i < q->n && status == NSET_OK; i++) {
        for (size_t k = 0; k < COMPONENTS; k++)
            out[i * FEATURES + k] = COMPONENT_WEIGHT * p[i * COMPONENTS + k];
        memcpy(out + i * FEATURES + COMPONENTS, q->z + i * NSET_EMBEDDING, NSET_EMBEDDING * sizeof *q->z);
    }
    nset_free(p);
    return status;
}

/* ---- parts ---- */

static nset_status add_parts(nset_trains *trains, const group_events *q, const int32_t *label, size_t n_parts,
    size_t n_channels, nset_error *err)
{
    int64_t *sample = nset_calloc(q->n, sizeof *sample);
    size_t *votes = nset_calloc(n_channels, sizeof *votes);
    nset_status status = sample && votes ? NSET_OK : nset_fail_oom(err, q->n, sizeof *sample);

    for (size_t p = 0; p < n_parts && status == NSET_OK; p++) {
        size_t k = 0, home = 0;
        double spike = 0;
        memset(votes, 0, n_channels * sizeof *votes);
        for (size_t i = 0; i < q->n; i++)
            if (label[i] == (int32_t)p) {
                spike += (double)q->spike[i];
                sample[k++] = q->event[i]->sample;
                votes[q->event[i]->channel]++;
            }
        for (size_t c = 1; c < n_channels; c++)
            home = votes[c] > votes[home] ? c : home;
        if ((double)k >= PART_SHARE * (double)q->least && spike >= LEAST_SPIKE * (double)k)
            status = nset_trains_add(trains, sample, k, home, err);
    }
    nset_free(sample);
    nset_free(votes);
    return status;
}

static nset_status cluster_group(
    nset_trains *trains, const group_events *q, size_t n_channels, size_t group, uint64_t seed, nset_error *err)
{
    size_t n_parts = 0;
    float *x = nset_calloc(q->n * FEATURES, sizeof *x);
    int32_t *label = nset_calloc(q->n, sizeof *label);
    nset_status status = x && label ? NSET_OK : nset_fail_oom(err, q->n * FEATURES, sizeof *x);

    if (status == NSET_OK)
        status = take_features(x, q, err);
    if (status == NSET_OK)
        status = nset_parts(label, &n_parts, x, q->n, FEATURES, seed, group, err);
    if (status == NSET_OK)
        status = add_parts(trains, q, label, n_parts, n_channels, err);
    nset_free(x);
    nset_free(label);
    return status;
}

typedef struct batch {
    const feature_room *f;
    group_events *group; /* those of the batch; first: the number of the first */
    nset_trains *trains; /* what each gives */
    const size_t *count;
    size_t first;
    uint64_t seed;
    bool failed;
} batch;

static void cluster_groups(void *ctx, size_t first, size_t last, size_t chunk)
{
    batch *b = ctx;

    (void)chunk;
    for (size_t i = first; i < last; i++) {
        size_t k = b->first + i;
        if (b->count[k] >= b->f->least &&
            cluster_group(&b->trains[i], &b->group[i], b->f->probe->n_channels, k, b->seed, NULL) != NSET_OK)
            b->failed = true;
        group_events_fini(&b->group[i]);
    }
}

/* The groups of the batch, each by itself, and their parts in the groups' order. */
static nset_status cluster_taken(nset_trains *trains, batch *b, size_t n, nset_error *err)
{
    nset_status status = NSET_OK;

    if (!(b->trains = nset_calloc(n, sizeof *b->trains)))
        return nset_fail_oom(err, n, sizeof *b->trains);
    nset_parallel_for(b->f->workers, n, 1, cluster_groups, b);
    if (b->failed)
        status = nset_fail_oom(err, 1, (size_t)BATCH_BYTES);
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < b->trains[i].n && status == NSET_OK; k++) {
            const nset_train *t = &b->trains[i].train[k];
            status = nset_trains_add(trains, t->sample, t->n, t->home, err);
        }
        nset_trains_fini(&b->trains[i]);
    }
    nset_free(b->trains);
    return status;
}

/* Groups first .. last - 1 in one pass over the recording. chosen[e]: event e takes part. */
static nset_status cluster_batch(nset_trains *trains, feature_room *f, const grouping *g, const nset_events *events,
    const unsigned char *chosen, const size_t *count, size_t first, size_t last, uint64_t seed, nset_error *err)
{
    group_events *q = nset_calloc(last - first, sizeof *q);
    batch b = { .f = f, .group = q, .count = count, .first = first, .seed = seed };
    nset_status status = q ? NSET_OK : nset_fail_oom(err, last - first, sizeof *q);

    for (size_t k = first; k < last && status == NSET_OK; k++)
        status = group_events_init(&q[k - first], f, g, k, count[k], err);
    for (size_t e = 0; e < events->n && status == NSET_OK; e++) {
        size_t k = g->group_of[events->event[e].channel];
        if (chosen[e] && k >= first && k < last)
            status = add_event(f, &q[k - first], &events->event[e], err);
    }
    if (status == NSET_OK)
        status = finish_piece(f, err);
    if (status == NSET_OK)
        status = cluster_taken(trains, &b, last - first, err);
    nset_progress_at((double)last / (double)g->n_groups);
    for (size_t k = first; k < last && q; k++)
        group_events_fini(&q[k - first]);
    nset_free(q);
    return status;
}

/* chosen[e] of all events, of large groups an even spread; count[k]: those of group k. */
static nset_status choose_events(
    unsigned char *chosen, size_t *count, const nset_events *events, const grouping *g, nset_error *err)
{
    size_t *all = nset_calloc(g->n_groups, sizeof *all), *seen = nset_calloc(g->n_groups, sizeof *seen);
    nset_status status = all && seen ? NSET_OK : nset_fail_oom(err, g->n_groups, sizeof *all);

    for (size_t e = 0; e < events->n && status == NSET_OK; e++)
        all[g->group_of[events->event[e].channel]]++;
    for (size_t e = 0; e < events->n && status == NSET_OK; e++) {
        size_t k = g->group_of[events->event[e].channel], most = g->small[k] ? MOST_EVENTS : MOST_EVENTS_A_CHANNEL;
        if (all[k] <= most || seen[k]++ * most / all[k] >= count[k]) {
            chosen[e] = 1;
            count[k]++;
        }
    }
    nset_free(all);
    nset_free(seen);
    return status;
}

nset_status nset_cluster_events(nset_trains *trains, nset_whitened *w, const nset_events *events,
    const nset_probe *probe, nset_event_net *net, size_t least, uint64_t seed, nset_workers *workers, nset_error *err)
{
    feature_room *f = nset_calloc(1, sizeof *f);
    unsigned char *chosen = nset_calloc(events->n, 1);
    size_t *count = nset_calloc(probe->n_channels, sizeof *count);
    grouping g = { 0 };
    nset_status status;

    if (!f || !chosen || !count) {
        status = nset_fail_oom(err, events->n + 1, 1);
        goto done;
    }
    *f = (feature_room){ .w = w, .probe = probe, .net = net, .workers = workers, .least = least };
    if ((status = make_groups(&g, probe, err)) != NSET_OK || (status = room_init(f, err)) != NSET_OK ||
        (status = choose_events(chosen, count, events, &g, err)) != NSET_OK)
        goto done;
    for (size_t first = 0, last; first < g.n_groups && status == NSET_OK; first = last) {
        double bytes = 0;
        for (last = first; last < g.n_groups && (bytes < BATCH_BYTES || last == first); last++) {
            size_t m = f->near.offset[g.home[last] + 1] - f->near.offset[g.home[last]];
            bytes += 4. * (double)(count[last] * m * snippet_length(w));
        }
        status = cluster_batch(trains, f, &g, events, chosen, count, first, last, seed, err);
    }

done:
    if (f)
        room_fini(f);
    grouping_fini(&g);
    nset_free(f);
    nset_free(chosen);
    nset_free(count);
    return status;
}
