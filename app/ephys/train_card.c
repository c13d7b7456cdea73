#include "ephys/train_card.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <neuroset/file.h>
#include <neuroset/memory.h>
#include <neuroset/model.h>
#include "ephys/event_net.h"

enum { NEIGHBOURS = 7, PATH_BYTES = 4096, D = NSET_EMBEDDING };
#define NEAR_UM 60.

typedef struct outputs {
    const nset_train_events *e;
    float *z, *logit, *place;
} outputs;

static double squared(const float *a, const float *b)
{
    double sum = 0;

    for (int j = 0; j < D; j++)
        sum += ((double)a[j] - (double)b[j]) * ((double)a[j] - (double)b[j]);
    return sum;
}

/* Whether most of the nearest labelled events around event i are of its unit. */
static int vote(const outputs *o, size_t i)
{
    double distance[NEIGHBOURS];
    int32_t unit[NEIGHBOURS];
    int n = 0, own = 0;

    for (size_t k = 0; k < o->e->n_events; k++) {
        double dx = o->e->place[2 * k] - o->e->place[2 * i], dy = o->e->place[2 * k + 1] - o->e->place[2 * i + 1], d;
        int at;
        if (k == i || o->e->unit[k] < 0 || hypot(dx, dy) > NEAR_UM)
            continue;
        d = squared(o->z + k * D, o->z + i * D);
        for (at = n; at > 0 && distance[at - 1] > d; at--)
            if (at < NEIGHBOURS) {
                distance[at] = distance[at - 1];
                unit[at] = unit[at - 1];
            }
        if (at < NEIGHBOURS) {
            distance[at] = d;
            unit[at] = o->e->unit[k];
            n += n < NEIGHBOURS;
        }
    }
    for (int k = 0; k < n; k++)
        own += unit[k] == o->e->unit[i];
    return 2 * own > n;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

typedef struct sums {
    double votes, right[2], count[2], square, freedom;
    double *off; /* distance of positions */
    size_t n_off, off_capacity;
} sums;

static void add_spread(sums *s, const outputs *o)
{
    for (size_t u = 0; u < o->e->n_units; u++) {
        double mean[D] = { 0 }, n = 0;
        for (size_t i = 0; i < o->e->n_events; i++)
            if (o->e->unit[i] == (int32_t)u) {
                n++;
                for (int j = 0; j < D; j++)
                    mean[j] += (double)o->z[i * D + (size_t)j];
            }
        if (n < 5)
            continue;
        for (size_t i = 0; i < o->e->n_events; i++)
            for (int j = 0; j < D && o->e->unit[i] == (int32_t)u; j++) {
                double d = (double)o->z[i * D + (size_t)j] - mean[j] / n;
                s->square += d * d / D;
            }
        s->freedom += n - 1;
    }
}

static nset_status add_scores(sums *s, const outputs *o, nset_error *err)
{
    nset_status status = nset_grow(&s->off, &s->off_capacity, s->n_off + o->e->n_events, sizeof *s->off, err);

    for (size_t i = 0; i < o->e->n_events && status == NSET_OK; i++) {
        int spike = o->e->unit[i] >= 0;
        s->count[spike]++;
        s->right[spike] += (o->logit[i] > 0) == spike;
        if (!spike)
            continue;
        s->votes += vote(o, i);
        s->off[s->n_off++] = hypot(
            (double)(o->place[2 * i] - o->e->target[2 * i]), (double)(o->place[2 * i + 1] - o->e->target[2 * i + 1]));
    }
    if (status == NSET_OK)
        add_spread(s, o);
    return status;
}

static nset_status run_set(outputs *o, nset_event_net *net, const nset_train_events *e, nset_error *err)
{
    o->e = e;
    o->z = nset_calloc(e->n_events * D, sizeof *o->z);
    o->logit = nset_calloc(e->n_events, sizeof *o->logit);
    o->place = nset_calloc(2 * e->n_events, sizeof *o->place);
    if (!o->z || !o->logit || !o->place)
        return nset_fail_oom(err, e->n_events * D, sizeof *o->z);
    return nset_event_net_embed(net, e->n_events, e->offsets, e->tokens, o->z, o->logit, o->place, err);
}

nset_status train_score(train_scores *out, nset_net *net, const nset_train_events *set, size_t n_sets,
    nset_workers *workers, nset_error *err)
{
    nset_event_net *borrowed = NULL;
    sums s = { 0 };
    nset_status status = nset_event_net_borrow(&borrowed, net, workers, err);

    for (size_t k = 0; k < n_sets && status == NSET_OK; k++) {
        outputs o = { 0 };
        if ((status = run_set(&o, borrowed, &set[k], err)) == NSET_OK)
            status = add_scores(&s, &o, err);
        nset_free(o.z);
        nset_free(o.logit);
        nset_free(o.place);
    }
    if (status == NSET_OK) {
        if (s.n_off)
            qsort(s.off, s.n_off, sizeof *s.off, by_value);
        out->n_events = (size_t)(s.count[0] + s.count[1]);
        out->n_spikes = (size_t)s.count[1];
        out->neighbours = s.votes / fmax(s.count[1], 1);
        out->spike_right = .5 * (s.right[0] / fmax(s.count[0], 1) + s.right[1] / fmax(s.count[1], 1));
        out->within = sqrt(s.square / fmax(s.freedom, 1));
        out->position_um = s.n_off ? s.off[s.n_off / 2] : 0;
    }
    nset_free(s.off);
    nset_event_net_close(borrowed);
    return status;
}

static nset_status write_card(const char *path, json_t *card, nset_error *err)
{
    nset_atomic_file *file = NULL;
    nset_status status;

    if (!card)
        return nset_fail_oom(err, 1, sizeof(json_t *));
    if ((status = nset_atomic_open(&file, path, err)) != NSET_OK)
        return status;
    if (json_dumpf(card, nset_atomic_stream(file), JSON_INDENT(1) | JSON_REAL_PRECISION(4)) != 0) {
        nset_atomic_abort(file);
        return nset_fail(err, NSET_ERR_IO, "%s: cannot be written", path);
    }
    fputc('\n', nset_atomic_stream(file));
    return nset_atomic_commit(file, err);
}

nset_status train_save(
    nset_net *net, const nset_train_sorter_options *o, const train_scores *s, double seconds_taken, nset_error *err)
{
    char path[PATH_BYTES], command[256];
    const char *dot = strrchr(o->out, '.');
    nset_meta meta[] = { { "command", command }, { "network", "neuroset event network 1" } };
    json_auto_t *card = NULL;
    nset_status status;

    snprintf(command, sizeof command,
        "neuroset train sorter --seed %llu --steps %ld --recordings %ld --seconds %g --rate %g",
        (unsigned long long)o->seed, o->steps, o->recordings, o->seconds, o->rate);
    if ((status = nset_model_save(o->out, net, meta, 2, err)) != NSET_OK)
        return status;
    card = json_pack("{s:s, s:s, s:s, s:I, s:f, s:{s:I, s:I, s:f, s:f, s:f, s:f}}", "what",
        "embedding, is-a-spike and position of an event from the channels around it", "data",
        "recordings of neuroset's own simulator: random probes, units and noise", "command", command, "parameters",
        (json_int_t)nset_net_n_params(net), "seconds_taken", seconds_taken, "unseen_recordings", "events",
        (json_int_t)s->n_events, "spikes", (json_int_t)s->n_spikes, "of_7_nearest_most_are_of_its_unit", s->neighbours,
        "spike_or_not_balanced", s->spike_right, "deviation_within_units", s->within, "median_position_error_um",
        s->position_um);
    snprintf(path, sizeof path, "%.*s.json", dot ? (int)(dot - o->out) : (int)strlen(o->out), o->out);
    return write_card(path, card, err);
}
