#include "ephys/events.h"

#include <math.h>

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

/* Is |x| at (t, c) the largest within reach samples and the neighbourhood? Equal values: the first in time, then
 * channel, wins. */
static bool is_extreme(const float *x, size_t n_channels, size_t t, size_t c, size_t reach, const nset_neighbours *near)
{
    float here = fabsf(x[t * n_channels + c]);

    for (size_t s = t - reach; s <= t + reach; s++)
        for (size_t k = near->offset[c]; k < near->offset[c + 1]; k++) {
            size_t b = near->channel[k];
            float other = fabsf(x[s * n_channels + b]);
            if (other > here || (other == here && (s < t || (s == t && b < c))))
                return false;
        }
    return true;
}

static nset_status detect_segment(nset_events *out, const float *x, int64_t start, size_t length, size_t reach,
    const nset_neighbours *near, float threshold, float density, nset_error *err)
{
    size_t n = near->n_channels;
    nset_status status;

    for (size_t t = reach; t < reach + length; t++)
        for (size_t c = 0; c < n; c++) {
            if (fabsf(x[t * n + c]) <= threshold || !is_extreme(x, n, t, c, reach, near))
                continue;
            if ((status = nset_grow(&out->event, &out->capacity, out->n + 1, sizeof *out->event, err)) != NSET_OK)
                return status;
            out->event[out->n++] = (nset_event){
                .sample = start + (int64_t)(t - reach), .channel = (uint32_t)c, .size = fabsf(x[t * n + c]) / density
            };
        }
    return NSET_OK;
}

nset_status nset_events_detect(nset_events *out, nset_whitened *w, const nset_neighbours *near, const int64_t *segments,
    size_t n_segments, double threshold, nset_error *err)
{
    size_t reach = (size_t)lround(.0004 * nset_whitened_rate(w)), room = NSET_HOP + 2 * reach;
    float *x = nset_calloc(room * near->n_channels, sizeof *x), density = nset_whitened_density(w);
    nset_status status = x ? NSET_OK : nset_fail_oom(err, room * near->n_channels, sizeof *x);

    *out = (nset_events){ 0 };
    for (size_t i = 0; i < n_segments && status == NSET_OK; i++) {
        int64_t start = segments[i] * NSET_HOP;
        size_t length = nset_whitened_segment_length(w, segments[i]);
        if ((status = nset_whitened_read(w, x, start - (int64_t)reach, length + 2 * reach, err)) == NSET_OK)
            status = detect_segment(out, x, start, length, reach, near, (float)threshold * density, density, err);
        nset_progress_at((double)(i + 1));
    }
    nset_free(x);
    if (status != NSET_OK)
        nset_events_fini(out);
    return status;
}
