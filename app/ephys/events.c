#include "ephys/events.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <neuroset/memory.h>

#include "cli/progress.h"

nset_status nset_neighbours_init(nset_neighbours *n, const nset_probe *probe, double radius_um, nset_error *err)
{
    size_t count = 0, n_channels = probe->n_channels;

    *n = (nset_neighbours){ .n_channels = n_channels };
    for (int pass = 0; pass < 2; pass++) {
        if (pass == 1) {
            n->offset = nset_calloc(n_channels + 1, sizeof *n->offset);
            n->channel = nset_calloc(count, sizeof *n->channel);
            if (!n->offset || !n->channel) {
                nset_neighbours_fini(n);
                return nset_fail_oom(err, count, sizeof *n->channel);
            }
        }
        count = 0;
        for (size_t a = 0; a < n_channels; a++) {
            for (size_t b = 0; b < n_channels; b++)
                if (probe->shank[a] == probe->shank[b] &&
                    hypot(probe->x_um[a] - probe->x_um[b], probe->y_um[a] - probe->y_um[b]) <= radius_um) {
                    if (pass == 1)
                        n->channel[count] = b;
                    count++;
                }
            if (pass == 1)
                n->offset[a + 1] = count;
        }
    }
    return NSET_OK;
}

void nset_neighbours_fini(nset_neighbours *n)
{
    nset_free(n->offset);
    nset_free(n->channel);
    *n = (nset_neighbours){ 0 };
}

void nset_events_fini(nset_events *e)
{
    nset_free(e->event);
    *e = (nset_events){ 0 };
}

/* One segment with `reach` samples on each side, and what each piece of channels finds in it. */
typedef struct detector {
    const nset_neighbours *near;
    float *x; /* (n_channels, room) */
    size_t room, reach, length;
    int64_t start;
    float threshold, density;
    nset_events *found; /* (n_channels / PIECE, rounded up) */
    bool failed;
} detector;

enum { PIECE = 4 }; /* channels */

/* Is |x| of channel c at t the largest within reach samples and the neighbourhood? Equal values: the first in time,
 * then channel, wins. */
static bool is_extreme(const detector *d, size_t t, size_t c)
{
    float here = fabsf(d->x[c * d->room + t]);

    for (size_t k = d->near->offset[c]; k < d->near->offset[c + 1]; k++) {
        size_t b = d->near->channel[k];
        const float *x = d->x + b * d->room;
        for (size_t s = t - d->reach; s <= t + d->reach; s++) {
            float other = fabsf(x[s]);
            if (other > here || (other == here && (s < t || (s == t && b < c))))
                return false;
        }
    }
    return true;
}

static void detect_channels(void *ctx, size_t first, size_t last, size_t chunk)
{
    detector *d = ctx;
    nset_events *out = &d->found[chunk];

    for (size_t c = first; c < last; c++) {
        const float *x = d->x + c * d->room;
        for (size_t t = d->reach; t < d->reach + d->length; t++) {
            float here = fabsf(x[t]);
            if (here <= d->threshold || here < fabsf(x[t - 1]) || here < fabsf(x[t + 1]) || !is_extreme(d, t, c))
                continue;
            if (nset_grow(&out->event, &out->capacity, out->n + 1, sizeof *out->event, NULL) != NSET_OK) {
                d->failed = true;
                return;
            }
            out->event[out->n++] = (nset_event){
                .sample = d->start + (int64_t)(t - d->reach), .channel = (uint32_t)c, .size = here / d->density
            };
        }
    }
}

static int by_sample(const void *a, const void *b)
{
    const nset_event *p = a, *q = b;

    if (p->sample != q->sample)
        return p->sample < q->sample ? -1 : 1;
    return (p->channel > q->channel) - (p->channel < q->channel);
}

/* Adds what was found in a segment, in the order of time. */
static nset_status add_events(nset_events *out, detector *d, size_t n_pieces, nset_error *err)
{
    size_t first = out->n, n = first;
    nset_status status = d->failed ? nset_fail_oom(err, d->length, sizeof *out->event) : NSET_OK;

    for (size_t i = 0; i < n_pieces; i++)
        n += d->found[i].n;
    if (status == NSET_OK)
        status = nset_grow(&out->event, &out->capacity, n, sizeof *out->event, err);
    for (size_t i = 0; i < n_pieces && status == NSET_OK; i++) {
        if (d->found[i].n)
            memcpy(out->event + out->n, d->found[i].event, d->found[i].n * sizeof *out->event);
        out->n += d->found[i].n;
        d->found[i].n = 0;
    }
    if (out->n > first)
        qsort(out->event + first, out->n - first, sizeof *out->event, by_sample);
    return status;
}

nset_status nset_events_detect(nset_events *out, nset_whitened *w, const nset_neighbours *near, const int64_t *segments,
    size_t n_segments, double threshold, nset_workers *workers, nset_error *err)
{
    size_t n = near->n_channels, n_pieces = (n + PIECE - 1) / PIECE;
    detector d = { .near = near, .reach = (size_t)lround(.0004 * nset_whitened_rate(w)) };
    nset_status status;

    *out = (nset_events){ 0 };
    d.reach = d.reach < 1 ? 1 : d.reach;
    d.density = nset_whitened_density(w);
    d.threshold = (float)threshold * d.density;
    d.x = nset_calloc((NSET_HOP + 2 * d.reach) * n, sizeof *d.x);
    d.found = nset_calloc(n_pieces, sizeof *d.found);
    status = d.x && d.found ? NSET_OK : nset_fail_oom(err, (NSET_HOP + 2 * d.reach) * n, sizeof *d.x);
    for (size_t i = 0; i < n_segments && status == NSET_OK; i++) {
        d.start = segments[i] * NSET_HOP;
        d.length = nset_whitened_segment_length(w, segments[i]);
        d.room = d.length + 2 * d.reach;
        if ((status = nset_whitened_planes(w, d.x, d.start - (int64_t)d.reach, d.room, err)) != NSET_OK)
            break;
        nset_parallel_for(workers, n, PIECE, detect_channels, &d);
        status = add_events(out, &d, n_pieces, err);
        nset_progress_at((double)(i + 1));
    }
    for (size_t i = 0; i < n_pieces && d.found; i++)
        nset_events_fini(&d.found[i]);
    nset_free(d.found);
    nset_free(d.x);
    if (status != NSET_OK)
        nset_events_fini(out);
    return status;
}
