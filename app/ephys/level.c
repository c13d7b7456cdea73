#include "ephys/level.h"

#include <string.h>

#include <neuroset/memory.h>

#define LEVEL_SECONDS .005

typedef struct level_source {
    nset_source base;
    const nset_recording *recording;
    float *shift; /* (n_gaps, n_channels) to subtract from gap i on; owned */
} level_source;

/* mean (n_channels) := of n samples from start on. */
static nset_status find_mean(
    const level_source *s, double *mean, float *room, int64_t start, int64_t n, nset_error *err)
{
    nset_source *from = s->recording->source;
    nset_status status = from->read(from, room, start, (size_t)n, err);

    memset(mean, 0, from->n_channels * sizeof *mean);
    for (int64_t t = 0; t < n && status == NSET_OK; t++)
        for (size_t c = 0; c < from->n_channels; c++)
            mean[c] += (double)room[(size_t)t * from->n_channels + c] / (double)n;
    return status;
}

static nset_status learn_shifts(level_source *s, nset_error *err)
{
    const nset_recording *r = s->recording;
    size_t n = s->base.n_channels;
    int64_t most = (int64_t)(LEVEL_SECONDS * s->base.rate_hz) + 1;
    float *room = nset_calloc((size_t)most * n, sizeof *room);
    double *before = nset_calloc(2 * n, sizeof *before), *after = before ? before + n : NULL;
    nset_status status = room && before ? NSET_OK : nset_fail_oom(err, (size_t)most * n, sizeof *room);

    for (size_t i = 0; i < r->n_gaps && status == NSET_OK; i++) {
        int64_t at = r->gap[i].sample, start = i ? r->gap[i - 1].sample : 0;
        int64_t end = i + 1 < r->n_gaps ? r->gap[i + 1].sample : s->base.n_samples;
        if (at == start || at == end) { /* two gaps at one place: the last of them knows both sides */
            for (size_t c = 0; c < n && i; c++)
                s->shift[i * n + c] = s->shift[(i - 1) * n + c];
            continue;
        }
        if ((status = find_mean(s, before, room, at - start < most ? start : at - most,
                 at - start < most ? at - start : most, err)) != NSET_OK ||
            (status = find_mean(s, after, room, at, end - at < most ? end - at : most, err)) != NSET_OK)
            break;
        for (size_t c = 0; c < n; c++)
            s->shift[i * n + c] = (float)((i ? (double)s->shift[(i - 1) * n + c] : 0) + after[c] - before[c]);
    }
    nset_free(room);
    nset_free(before);
    return status;
}

static nset_status read_levelled(nset_source *self, float *out, int64_t start, size_t n, nset_error *err)
{
    const level_source *s = (const level_source *)self;
    const nset_recording *r = s->recording;
    nset_status status = r->source->read(r->source, out, start, n, err);
    size_t gap = 0; /* how many lie before the sample */

    for (size_t t = 0; t < n && status == NSET_OK; t++) {
        while (gap < r->n_gaps && r->gap[gap].sample <= start + (int64_t)t)
            gap++;
        for (size_t c = 0; c < self->n_channels && gap; c++)
            out[t * self->n_channels + c] -= s->shift[(gap - 1) * self->n_channels + c];
    }
    return status;
}

static void close_levelled(nset_source *self)
{
    nset_free(((level_source *)self)->shift);
    nset_free(self);
}

nset_status nset_level_open(nset_source **out, const nset_recording *recording, nset_error *err)
{
    level_source *s = nset_calloc(1, sizeof *s);
    nset_status status;

    if (!s)
        return nset_fail_oom(err, 1, sizeof *s);
    s->base = *recording->source;
    s->base.name = "level";
    s->base.read = read_levelled;
    s->base.close = close_levelled;
    s->recording = recording;
    s->shift = nset_calloc(recording->n_gaps * s->base.n_channels + 1, sizeof *s->shift);
    status = s->shift ? learn_shifts(s, err) : nset_fail_oom(err, recording->n_gaps, sizeof *s->shift);
    if (status != NSET_OK) {
        close_levelled(&s->base);
        return status;
    }
    *out = &s->base;
    return NSET_OK;
}
