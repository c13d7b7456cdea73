#include "ephys/train_events.h"

#include <math.h>
#include <string.h>

#include <neuroset/memory.h>
#include <neuroset/random.h>
#include "ephys/event_net.h"
#include "ephys/events.h"
#include "ephys/recording.h"
#include "ephys/whiten.h"

#define THRESHOLD 4.
#define NEAR_UM 60.    /* an event is the largest among the channels so near */
#define EXCLUDE_MS .4  /* and the samples so near */
#define MATCH_MS .4    /* a spike so near in time */
#define SEEN_SHARE .25 /* whose template has that share of its peak on the event's channel, is the event's */

/* A simulated recording as a source of samples. */
typedef struct sim_source {
    nset_source base;
    const nset_sim *sim;
} sim_source;

static nset_status read_sim(nset_source *self, float *out, int64_t start, size_t n, nset_error *err)
{
    const nset_sim *s = ((sim_source *)self)->sim;

    (void)err;
    memcpy(out, s->x + (size_t)start * s->n_channels, n * s->n_channels * sizeof *out);
    return NSET_OK;
}

/* *x := the whole recording whitened, in noise standard deviations; events detected in it. */
static nset_status whiten_and_detect(
    float **x, nset_events *events, const nset_sim *s, nset_workers *workers, nset_error *err)
{
    size_t total = (size_t)s->n_samples * s->n_channels, n_segments;
    sim_source source = { { "simulated", s->n_channels, s->options.rate_hz, s->n_samples, read_sim, NULL }, s };
    nset_recording recording = { .source = &source.base, .probe = s->probe };
    nset_neighbours near = { 0 };
    nset_whitened *w = NULL;
    int64_t *segments = NULL;
    nset_status status;

    if ((status = nset_neighbours_init(&near, &s->probe, NEAR_UM, err)) != NSET_OK ||
        (status = nset_whitened_open(&w, &recording, false, total * sizeof(float), workers, err)) != NSET_OK)
        goto done;
    n_segments = (size_t)nset_whitened_segments(w);
    segments = nset_calloc(n_segments, sizeof *segments);
    if (!(*x = nset_calloc(total, sizeof **x)) || !segments) {
        status = nset_fail_oom(err, total, sizeof **x);
        goto done;
    }
    for (size_t i = 0; i < n_segments; i++)
        segments[i] = (int64_t)i;
    if ((status = nset_events_detect(events, w, &near, segments, n_segments, THRESHOLD, NULL, err)) == NSET_OK)
        status = nset_whitened_read(w, *x, 0, (size_t)s->n_samples, err);
    for (size_t i = 0; i < total; i++)
        (*x)[i] /= nset_whitened_density(w);

done:
    nset_neighbours_fini(&near);
    nset_whitened_close(w);
    nset_free(segments);
    return status;
}

/* Largest |template| of each unit on each channel, (units, channels). */
static void template_sizes(float *size, const nset_sim *s)
{
    for (size_t u = 0; u < s->n_units; u++)
        for (size_t i = 0; i < s->length; i++)
            for (size_t c = 0; c < s->n_channels; c++) {
                float v = fabsf(s->templates[(u * s->length + i) * s->n_channels + c]);
                size[u * s->n_channels + c] = fmaxf(size[u * s->n_channels + c], v);
            }
}

/* The unit whose spike is largest on the event's channel, or -1. first: the first spike not long before, kept. */
static int32_t owner(const nset_sim *s, const float *size, const float *peak, const nset_event *e, size_t *first)
{
    int64_t reach = llrint(MATCH_MS * 1e-3 * s->options.rate_hz);
    int32_t best = -1;
    float largest = 0;

    while (*first < s->n_spikes && s->spikes[*first].sample < e->sample - reach)
        ++*first;
    for (size_t i = *first; i < s->n_spikes && s->spikes[i].sample <= e->sample + reach; i++) {
        int32_t u = s->spikes[i].unit;
        float here = size[(size_t)u * s->n_channels + e->channel] * s->spikes[i].amplitude;
        if (here > largest && here > (float)SEEN_SHARE * peak[u] * s->spikes[i].amplitude) {
            largest = here;
            best = u;
        }
    }
    return best;
}

/* Every event's chance to be kept is the same; which are kept depends on the seed only. */
static void thin(nset_events *list, size_t max_events, uint64_t seed)
{
    nset_random r = nset_random_stream(seed, "thin", 0);
    size_t kept = 0, n = list->n;

    for (size_t i = 0; i < n; i++)
        if (nset_random_uniform(&r) * (double)(n - i) < (double)(max_events - kept))
            list->event[kept++] = list->event[i];
    list->n = kept;
}

static nset_status fill(nset_train_events *out, const nset_sim *s, const float *x, const nset_events *list,
    const nset_event_sets *sets, const float *size, const float *peak, nset_error *err)
{
    size_t total = 0, first = 0, n = list->n;

    for (size_t e = 0; e < n; e++)
        total += (size_t)(sets->offsets[list->event[e].channel + 1] - sets->offsets[list->event[e].channel]);
    out->n_events = n;
    out->n_units = s->n_units;
    out->offsets = nset_calloc(n + 1, sizeof *out->offsets);
    out->tokens = nset_calloc(total * NSET_TOKEN, sizeof *out->tokens);
    out->unit = nset_calloc(n, sizeof *out->unit);
    out->target = nset_calloc(2 * n, sizeof *out->target);
    out->place = nset_calloc(2 * n, sizeof *out->place);
    if (!out->offsets || !out->tokens || !out->unit || !out->target || !out->place)
        return nset_fail_oom(err, total * NSET_TOKEN, sizeof *out->tokens);
    for (size_t e = 0; e < n; e++) {
        const nset_event *v = &list->event[e];
        int32_t u = owner(s, size, peak, v, &first);
        size_t count = nset_event_tokens(out->tokens + out->offsets[e] * NSET_TOKEN, NULL, x, (size_t)s->n_samples,
            s->n_channels, v->sample, v->channel, sets, &s->probe, s->options.rate_hz);
        out->offsets[e + 1] = out->offsets[e] + (int64_t)count;
        out->unit[e] = u;
        out->place[2 * e] = s->probe.x_um[v->channel];
        out->place[2 * e + 1] = s->probe.y_um[v->channel];
        if (u >= 0) {
            out->target[2 * e] = (float)(s->units[u].x_um - out->place[2 * e]);
            out->target[2 * e + 1] = (float)(s->units[u].y_um - out->place[2 * e + 1]);
        }
    }
    return NSET_OK;
}

nset_status nset_train_events_make(
    nset_train_events *out, const nset_sim *s, size_t max_events, nset_workers *workers, nset_error *err)
{
    float *size = nset_calloc(s->n_units * s->n_channels, sizeof *size), *peak = nset_calloc(s->n_units, sizeof *peak);
    float *x = NULL;
    nset_event_sets sets = { 0 };
    nset_events events = { 0 };
    nset_status status = size && peak ? NSET_OK : nset_fail_oom(err, s->n_units * s->n_channels, sizeof *size);

    memset(out, 0, sizeof *out);
    if (status != NSET_OK || (status = whiten_and_detect(&x, &events, s, workers, err)) != NSET_OK ||
        (status = nset_event_sets_init(&sets, &s->probe, NSET_EVENT_RADIUS_UM, err)) != NSET_OK)
        goto done;
    template_sizes(size, s);
    for (size_t u = 0; u < s->n_units; u++)
        for (size_t c = 0; c < s->n_channels; c++)
            peak[u] = fmaxf(peak[u], size[u * s->n_channels + c]);
    if (events.n > max_events)
        thin(&events, max_events, s->options.seed);
    status = fill(out, s, x, &events, &sets, size, peak, err);

done:
    nset_free(size);
    nset_free(peak);
    nset_free(x);
    nset_events_fini(&events);
    nset_event_sets_fini(&sets);
    if (status != NSET_OK)
        nset_train_events_fini(out);
    return status;
}

void nset_train_events_fini(nset_train_events *e)
{
    nset_free(e->offsets);
    nset_free(e->tokens);
    nset_free(e->unit);
    nset_free(e->target);
    nset_free(e->place);
    memset(e, 0, sizeof *e);
}
