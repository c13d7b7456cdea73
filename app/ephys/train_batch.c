#include "ephys/train_batch.h"

#include <math.h>
#include <string.h>

#include <neuroset/memory.h>
#include <neuroset/random.h>
#include "ephys/event_net.h"

#define LOCALE_UM 90.
#define DROP_CHANCE .35 /* that an event loses channels */
#define DROP_SHARE .25  /* up to that share of them */
enum { OF_A_UNIT = 24, OF_NONE = 40, MAX_UNITS = 10, MAX_OF_LOCALE = OF_A_UNIT * MAX_UNITS + OF_NONE };

static nset_status allocate(train_batch *b, nset_error *err)
{
    size_t n = TRAIN_MAX_LOCALES * MAX_OF_LOCALE;

    if (b->offsets)
        return NSET_OK;
    b->offsets = nset_calloc(n + 1, sizeof *b->offsets);
    b->label = nset_calloc(n, sizeof *b->label);
    b->is_spike = nset_calloc(n, sizeof *b->is_spike);
    b->target = nset_calloc(2 * n, sizeof *b->target);
    b->target_weight = nset_calloc(2 * n, sizeof *b->target_weight);
    b->dz = nset_calloc(n * NSET_EMBEDDING, sizeof *b->dz);
    b->dspike = nset_calloc(n, sizeof *b->dspike);
    b->dplace = nset_calloc(2 * n, sizeof *b->dplace);
    if (b->offsets && b->label && b->is_spike && b->target && b->target_weight && b->dz && b->dspike && b->dplace)
        return NSET_OK;
    train_batch_fini(b);
    return nset_fail_oom(err, n, NSET_EMBEDDING * sizeof *b->dz);
}

void train_batch_fini(train_batch *b)
{
    nset_free(b->offsets);
    nset_free(b->tokens);
    nset_free(b->spread);
    nset_free(b->other);
    nset_free(b->label);
    nset_free(b->is_spike);
    nset_free(b->target);
    nset_free(b->target_weight);
    nset_free(b->dz);
    nset_free(b->dspike);
    nset_free(b->dplace);
    memset(b, 0, sizeof *b);
}

/* Copies an event's tokens, some channels left out at random. The peak's channel stays. */
static nset_status add_event(train_batch *b, const nset_train_events *set, size_t e, nset_random *r, nset_error *err)
{
    size_t i = b->n_events, n = (size_t)(set->offsets[e + 1] - set->offsets[e]);
    double drop = nset_random_uniform(r) < DROP_CHANCE ? DROP_SHARE * nset_random_uniform(r) : 0;
    const float *from = set->tokens + set->offsets[e] * NSET_TOKEN;
    nset_status status =
        nset_grow(&b->tokens, &b->token_capacity, (b->n_tokens + n) * NSET_TOKEN, sizeof *b->tokens, err);

    if (status != NSET_OK)
        return status;
    for (size_t k = 0; k < n; k++)
        if (k == 0 || nset_random_uniform(r) >= drop)
            memcpy(b->tokens + b->n_tokens++ * NSET_TOKEN, from + k * NSET_TOKEN, NSET_TOKEN * sizeof *from);
    b->offsets[i + 1] = (int64_t)b->n_tokens;
    b->label[i] = set->unit[e];
    b->is_spike[i] = set->unit[e] >= 0;
    for (int k = 0; k < 2; k++) {
        b->target[2 * i + (size_t)k] = (nset_real)((double)set->target[2 * e + (size_t)k] / NSET_EVENT_PLACE_UM);
        b->target_weight[2 * i + (size_t)k] = set->unit[e] >= 0;
    }
    b->n_events++;
    return NSET_OK;
}

/* A labelled event, or any when there is none. */
static size_t draw_anchor(const nset_train_events *set, nset_random *r)
{
    size_t e = 0;

    for (int k = 0; k < 64; k++) {
        e = nset_random_below(r, (uint32_t)set->n_events);
        if (set->unit[e] >= 0)
            break;
    }
    return e;
}

static nset_status add_locale(train_batch *b, const nset_train_events *set, nset_random *r, nset_error *err)
{
    size_t *order = nset_calloc(set->n_events, sizeof *order), *count = nset_calloc(set->n_units + 1, sizeof *count);
    size_t anchor = draw_anchor(set, r), n_units = 0, first = b->n_events;
    nset_status status = order && count ? NSET_OK : nset_fail_oom(err, set->n_events, sizeof *order);

    for (size_t i = 0; i < set->n_events && status == NSET_OK; i++)
        order[i] = i;
    if (status == NSET_OK)
        nset_random_shuffle(r, order, set->n_events);
    for (size_t i = 0; i < set->n_events && status == NSET_OK; i++) {
        size_t e = order[i], u = set->unit[e] >= 0 ? (size_t)set->unit[e] : set->n_units;
        double d =
            hypot(set->place[2 * e] - set->place[2 * anchor], set->place[2 * e + 1] - set->place[2 * anchor + 1]);
        if (d > LOCALE_UM || count[u] >= (u == set->n_units ? OF_NONE : OF_A_UNIT) ||
            (u < set->n_units && count[u] == 0 && n_units == MAX_UNITS) || b->n_events - first == MAX_OF_LOCALE)
            continue;
        n_units += u < set->n_units && count[u] == 0;
        count[u]++;
        status = add_event(b, set, e, r, err);
    }
    nset_free(order);
    nset_free(count);
    return status;
}

nset_status train_batch_draw(train_batch *b, const nset_train_events *set, size_t n_sets, uint64_t seed, uint64_t step,
    size_t n_locales, nset_error *err)
{
    nset_random r = nset_random_stream(seed, "batch", step);
    nset_status status = allocate(b, err);

    b->n_events = b->n_tokens = b->n_locales = 0;
    for (size_t l = 0; l < n_locales && status == NSET_OK; l++) {
        const nset_train_events *s = &set[nset_random_below(&r, (uint32_t)n_sets)];
        b->locale[l] = b->n_events;
        b->n_labels[l] = s->n_units;
        if (s->n_events)
            status = add_locale(b, s, &r, err);
        b->locale[l + 1] = b->n_events;
        b->n_locales++;
    }
    if (status != NSET_OK ||
        (status = nset_grow(&b->spread, &b->spread_capacity, (b->n_tokens + 1) * NSET_EVENT_SPREAD, sizeof *b->spread,
             err)) != NSET_OK ||
        (status = nset_grow(
             &b->other, &b->other_capacity, (b->n_tokens + 1) * NSET_EVENT_OTHER, sizeof *b->other, err)) != NSET_OK)
        return status;
    nset_event_inputs(b->spread, b->other, b->tokens, b->offsets, b->n_events);
    return NSET_OK;
}
