#include "ephys/sort_state.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <neuroset/memory.h>

#include "ephys/shift.h"
#include "results/state.h"

enum { MOST_FACTS = 1 << 26 };

typedef struct head {
    char kind[16];
    uint64_t match_size; /* of a match in memory: another layout is another kind */
    uint64_t n_trains, n_units, n_templates, length, pre, n_channels, n_matches, n_facts;
} head;

typedef struct train_row {
    uint64_t n, home, unit;
    double count;
    float least, none;
} train_row;

typedef struct template_row {
    uint64_t home, unit, n_channels; /* those kept */
    float norm, least;
} template_row;

static const char kind[16] = "neuroset sort 1";

/* ---- writing ---- */

static void put_trains(nset_state_out *to, const nset_trains *t)
{
    for (size_t i = 0; i < t->n; i++) {
        const nset_train *k = &t->train[i];
        train_row row = { .n = k->n, .home = k->home, .unit = k->unit, .count = k->count, .least = k->least };
        nset_state_put(to, &row, sizeof row);
        nset_state_put(to, k->sample, k->n * sizeof *k->sample);
    }
}

/* Bytes are looked at, not values: -0 is kept too. */
static bool is_zero(const float *w, size_t length, size_t stride)
{
    static const float zero;

    for (size_t s = 0; s < length; s++)
        if (memcmp(&w[s * stride], &zero, sizeof zero))
            return false;
    return true;
}

/* The channels of each template that are not zero: number, then samples. column (length) is room. */
static void put_templates(nset_state_out *to, const nset_templates *t, float *column)
{
    for (size_t i = 0; i < t->n; i++) {
        const float *w = t->data + i * t->length * t->n_channels;
        template_row row = { .home = t->home[i], .unit = t->unit[i], .norm = t->norm[i], .least = t->least[i] };
        for (size_t c = 0; c < t->n_channels; c++)
            row.n_channels += !is_zero(w + c, t->length, t->n_channels);
        nset_state_put(to, &row, sizeof row);
        for (uint64_t c = 0; c < t->n_channels; c++) {
            if (is_zero(w + c, t->length, t->n_channels))
                continue;
            for (size_t s = 0; s < t->length; s++)
                column[s] = w[s * t->n_channels + c];
            nset_state_put(to, &c, sizeof c);
            nset_state_put(to, column, t->length * sizeof *column);
        }
    }
}

static void put_all(nset_state_out *to, const nset_sort_state *s, const char *facts, float *column)
{
    const nset_templates *t = s->templates;
    head h = { .match_size = sizeof *s->matches->match,
        .n_trains = s->trains->n,
        .n_units = s->trains->n_units,
        .n_templates = t->n,
        .length = t->length,
        .pre = t->pre,
        .n_channels = t->n_channels,
        .n_matches = s->matches->n,
        .n_facts = strlen(facts) };

    memcpy(h.kind, kind, sizeof kind);
    nset_state_put(to, &h, sizeof h);
    put_trains(to, s->trains);
    put_templates(to, t, column);
    nset_state_put(to, s->matches->match, s->matches->n * sizeof *s->matches->match);
    nset_state_put(to, facts, h.n_facts);
}

nset_status nset_sort_state_write(const char *path, const nset_sort_state *s, nset_error *err)
{
    char *facts = json_dumps(s->facts, JSON_COMPACT | JSON_REAL_PRECISION(17));
    float *column = nset_calloc(s->templates->length, sizeof *column);
    nset_state_out *to = NULL;
    nset_status status = facts && column ? nset_state_create(&to, path, err) : nset_fail_oom(err, 1, 4096);

    if (status == NSET_OK) {
        put_all(to, s, facts, column);
        status = nset_state_commit(to, err);
    }
    nset_free(column);
    free(facts);
    return status;
}

/* ---- reading ---- */

typedef struct well {
    nset_state_in *in;
    const nset_sort_frame *frame;
    head h;
} well;

static nset_status damaged(const well *from, nset_error *err)
{
    return nset_state_damaged(from->in, err);
}

static nset_status take(well *from, void *bytes, size_t n, nset_error *err)
{
    return nset_state_take(from->in, bytes, n, err);
}

static bool may_come(const well *from, uint64_t n, size_t size)
{
    return nset_state_may_come(from->in, n, size);
}

/* Spikes lie in the recording, give or take a second by which templates were moved. */
static bool is_sample(const nset_sort_frame *f, int64_t sample)
{
    return (double)sample >= -f->rate_hz && (double)sample < (double)f->n_samples + f->rate_hz;
}

static nset_status take_head(well *from, nset_error *err)
{
    const head *h = &from->h;
    nset_status status;
    nset_templates t;

    if ((status = take(from, &from->h, sizeof from->h, err)) != NSET_OK)
        return status;
    if (memcmp(h->kind, kind, sizeof kind) || h->match_size != sizeof(nset_match) || h->n_facts > MOST_FACTS ||
        h->n_channels != from->frame->n_channels || !may_come(from, h->n_trains, sizeof(train_row)) ||
        !may_come(from, h->n_templates, sizeof(template_row)) || !may_come(from, h->n_matches, sizeof(nset_match)) ||
        h->n_templates > h->n_trains)
        return damaged(from, err);
    if ((status = nset_templates_init(&t, 0, from->frame->n_channels, from->frame->rate_hz, err)) != NSET_OK)
        return status;
    if (h->length != t.length || h->pre != t.pre)
        status = damaged(from, err);
    nset_templates_fini(&t);
    return status;
}

static nset_status take_train(well *from, nset_trains *t, nset_error *err)
{
    train_row row;
    nset_train *k;
    nset_status status;

    if ((status = take(from, &row, sizeof row, err)) != NSET_OK)
        return status;
    if (!may_come(from, row.n, sizeof *k->sample) || row.home >= from->h.n_channels || row.unit >= from->h.n_units)
        return damaged(from, err);
    k = &t->train[t->n];
    *k = (nset_train){ .home = row.home, .unit = row.unit, .count = row.count, .least = row.least };
    if ((status = nset_grow(&k->sample, &k->capacity, row.n, sizeof *k->sample, err)) != NSET_OK)
        return status;
    t->n++;
    k->n = row.n;
    if ((status = take(from, k->sample, k->n * sizeof *k->sample, err)) != NSET_OK)
        return status;
    for (size_t i = 0; i < k->n; i++)
        if (!is_sample(from->frame, k->sample[i]) || (i && k->sample[i] < k->sample[i - 1]))
            return damaged(from, err);
    return NSET_OK;
}

static nset_status take_template(well *from, nset_templates *t, size_t i, float *column, nset_error *err)
{
    float *w = t->data + i * t->length * t->n_channels;
    template_row row;
    nset_status status;

    if ((status = take(from, &row, sizeof row, err)) != NSET_OK)
        return status;
    if (row.home >= t->n_channels || row.unit >= from->h.n_units || row.n_channels > t->n_channels)
        return damaged(from, err);
    t->home[i] = row.home;
    t->unit[i] = row.unit;
    t->norm[i] = row.norm;
    t->least[i] = row.least;
    for (uint64_t k = 0; k < row.n_channels; k++) {
        uint64_t c;
        if ((status = take(from, &c, sizeof c, err)) != NSET_OK ||
            (status = take(from, column, t->length * sizeof *column, err)) != NSET_OK)
            return status;
        if (c >= t->n_channels)
            return damaged(from, err);
        for (size_t s = 0; s < t->length; s++)
            w[s * t->n_channels + c] = column[s];
    }
    nset_templates_find_reach(t, i);
    return NSET_OK;
}

static nset_status take_matches(well *from, nset_matches *m, const nset_templates *t, nset_error *err)
{
    int64_t n = (int64_t)t->n;
    nset_status status;

    if (!may_come(from, from->h.n_matches, sizeof *m->match))
        return damaged(from, err);
    if ((status = nset_grow(&m->match, &m->capacity, from->h.n_matches, sizeof *m->match, err)) != NSET_OK)
        return status;
    m->n = from->h.n_matches;
    if ((status = take(from, m->match, m->n * sizeof *m->match, err)) != NSET_OK)
        return status;
    for (size_t i = 0; i < t->n && m->n; i++) /* matched templates were linked: units are counted as they are */
        if (t->unit[i] >= t->n)
            return damaged(from, err);
    for (size_t i = 0; i < m->n; i++) {
        const nset_match *k = &m->match[i];
        if (!is_sample(from->frame, k->sample) || k->unit < 0 || k->unit >= n || k->second < -1 || k->second >= n ||
            k->shift >= NSET_SHIFTS)
            return damaged(from, err);
    }
    return NSET_OK;
}

static nset_status take_facts(well *from, json_t **facts, nset_error *err)
{
    size_t n = from->h.n_facts;
    char *text;
    nset_status status;

    if (nset_state_left(from->in) != n)
        return damaged(from, err);
    if (!(text = nset_calloc(n + 1, 1)))
        return nset_fail_oom(err, n + 1, 1);
    if ((status = take(from, text, n, err)) == NSET_OK) {
        *facts = json_loadb(text, n, 0, NULL);
        if (!json_is_object(*facts))
            status = damaged(from, err);
    }
    nset_free(text);
    return status;
}

static nset_status take_all(well *from, nset_sort_state *s, json_t **facts, nset_error *err)
{
    nset_trains *trains = s->trains;
    float *column = NULL;
    nset_status status;

    if ((status = take_head(from, err)) != NSET_OK || (status = nset_grow(&trains->train, &trains->capacity,
                                                           from->h.n_trains, sizeof *trains->train, err)) != NSET_OK)
        return status;
    while (trains->n < from->h.n_trains)
        if ((status = take_train(from, trains, err)) != NSET_OK)
            return status;
    trains->n_units = from->h.n_units;
    if ((status = nset_templates_init(
             s->templates, from->h.n_templates, from->h.n_channels, from->frame->rate_hz, err)) != NSET_OK)
        return status;
    if (!(column = nset_calloc(from->h.length, sizeof *column)))
        return nset_fail_oom(err, from->h.length, sizeof *column);
    for (size_t i = 0; i < from->h.n_templates && status == NSET_OK; i++)
        status = take_template(from, s->templates, i, column, err);
    nset_free(column);
    if (status == NSET_OK && (status = take_matches(from, s->matches, s->templates, err)) == NSET_OK)
        status = take_facts(from, facts, err);
    return status;
}

nset_status nset_sort_state_read(const char *path, const nset_sort_frame *frame, nset_sort_state *s, nset_error *err)
{
    well from = { .frame = frame };
    json_t *facts = NULL;
    nset_status status = nset_state_open(&from.in, path, err);

    if (status == NSET_OK)
        status = take_all(&from, s, &facts, err);
    if (status == NSET_OK) {
        json_object_update(s->facts, facts);
    } else {
        nset_trains_fini(s->trains);
        nset_templates_fini(s->templates);
        nset_matches_fini(s->matches);
    }
    json_decref(facts);
    nset_state_close(from.in);
    return status;
}
