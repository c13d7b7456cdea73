#include "ephys/units.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <neuroset/memory.h>

#include "cli/progress.h"
#include "ephys/measures.h"
#include "ephys/measures_cluster.h"
#include "ephys/measures_more.h"
#include "ephys/places.h"

enum { MOST_SNIPPETS = 100 };

/* ---- templates in microvolts, places of spikes ---- */

/* A snippet of the segment at work that its unit's mean takes. */
typedef struct snippet {
    size_t unit, at; /* sample of the segment where it begins */
} snippet;

typedef struct mean_room {
    nset_sorting *s;
    nset_workers *workers;
    size_t *stride, *seen, *taken; /* (n_units) every stride-th spike is taken */
    nset_placer *placer;           /* (n_units) */
    const float *x;                /* the segment, channel c from c * NSET_FFT on */
    int64_t start;
    size_t length, first; /* of the segment; its first spike */
    snippet *snippet;
    size_t n, capacity;
} mean_room;

static void add_snippets(void *ctx, size_t first, size_t last, size_t chunk)
{
    const mean_room *r = ctx;
    const nset_sorting *s = r->s;

    (void)chunk;
    for (size_t i = 0; i < r->n; i++) {
        float *to = s->templates + r->snippet[i].unit * s->template_length * s->n_channels;
        for (size_t c = first; c < last; c++) {
            const float *from = r->x + c * NSET_FFT + r->snippet[i].at;
            for (size_t k = 0; k < s->template_length; k++)
                to[k * s->n_channels + c] += from[k];
        }
    }
}

static void place_spikes(void *ctx, size_t first, size_t last, size_t chunk)
{
    const mean_room *r = ctx;

    (void)chunk;
    for (size_t i = r->first + first; i < r->first + last; i++) {
        nset_spike *spike = &r->s->spikes[i];
        double x, y;
        nset_placer_place(&r->placer[spike->unit], &x, &y, r->x, r->length, 1, NSET_FFT,
            spike->sample - r->start - (int64_t)r->s->template_pre);
        spike->x_um = (float)x;
        spike->y_um = (float)y;
    }
}

/* The places of a segment's spikes, first .. end - 1; with take the means of those wholly in it. */
static nset_status go_through(mean_room *r, size_t end, bool take, nset_error *err)
{
    const nset_sorting *s = r->s;
    nset_status status;

    r->n = 0;
    for (size_t i = r->first; i < end && take; i++) {
        size_t u = (size_t)s->spikes[i].unit;
        int64_t at = s->spikes[i].sample - r->start - (int64_t)s->template_pre;
        if (at < 0 || at + (int64_t)s->template_length > (int64_t)r->length || r->seen[u]++ % r->stride[u] != 0)
            continue;
        if ((status = nset_grow(&r->snippet, &r->capacity, r->n + 1, sizeof *r->snippet, err)) != NSET_OK)
            return status;
        r->snippet[r->n++] = (snippet){ u, (size_t)at };
        r->taken[u]++;
    }
    nset_parallel_for(r->workers, s->n_channels, 8, add_snippets, r);
    nset_parallel_for(r->workers, end - r->first, 64, place_spikes, r);
    return NSET_OK;
}

/* Reads every segment; means are of those listed (n_segments, ascending). */
static nset_status mean_templates(
    mean_room *r, nset_whitened *w, const int64_t *segments, size_t n_segments, nset_error *err)
{
    nset_sorting *s = r->s;
    nset_status status = NSET_OK;
    size_t end = 0, listed = 0;

    for (size_t u = 0; u < s->n_units; u++)
        r->stride[u] = s->units[u].n_spikes / MOST_SNIPPETS + 1;
    for (int64_t g = 0; g < nset_whitened_segments(w) && status == NSET_OK; g++) {
        bool take = listed < n_segments && segments[listed] == g;
        if (nset_cancelled())
            return nset_fail_cancelled(err);
        r->start = g * NSET_HOP;
        r->length = nset_whitened_segment_length(w, g);
        r->first = end;
        while (end < s->n_spikes && s->spikes[end].sample < r->start + (int64_t)r->length)
            end++;
        if (end > r->first && (status = nset_whitened_band(w, &r->x, g, err)) == NSET_OK)
            status = go_through(r, end, take, err);
        listed += take;
        nset_progress_at((double)(g + 1));
    }
    for (size_t u = 0; u < s->n_units; u++)
        for (size_t k = 0; k < s->template_length * s->n_channels && r->taken[u]; k++)
            s->templates[u * s->template_length * s->n_channels + k] /= (float)r->taken[u];
    return status;
}

/* ---- sizes ---- */

static void size_unit(nset_sorting *s, nset_unit *u, const float *noise_uv)
{
    const float *w = s->templates + (size_t)u->id * s->template_length * s->n_channels;
    float extreme = 0;

    for (size_t k = 0; k < s->template_length; k++)
        for (size_t c = 0; c < s->n_channels; c++)
            if (fabsf(w[k * s->n_channels + c]) > extreme) {
                extreme = fabsf(w[k * s->n_channels + c]);
                u->channel = c;
            }
    u->amplitude_uv = (double)extreme;
    u->snr = noise_uv[u->channel] > 0 ? (double)(extreme / noise_uv[u->channel]) : NAN;
}

/* Distance in noise sd to the nearest other template, unaligned. */
static double isolation(const nset_templates *t, size_t i)
{
    double best = INFINITY;

    for (size_t j = 0; j < t->n; j++) {
        double aa = (double)t->norm[i] * (double)t->norm[i], bb = (double)t->norm[j] * (double)t->norm[j];
        if (t->unit[j] != t->unit[i])
            best = fmin(best, aa + bb - 2 * nset_templates_product(t, i, j, 0));
    }
    return isfinite(best) ? sqrt(fmax(best, 0)) : NAN;
}

/* ---- order ---- */

typedef struct rank {
    double y, x;
    float norm;
    size_t index;
} rank;

static int by_place(const void *a, const void *b)
{
    const rank *p = a, *q = b;

    if (p->y != q->y)
        return p->y < q->y ? -1 : 1;
    if (p->x != q->x)
        return p->x < q->x ? -1 : 1;
    if (p->norm != q->norm)
        return p->norm > q->norm ? -1 : 1;
    return (p->index > q->index) - (p->index < q->index);
}

/* number[i]: id of template i's unit, by place; -1 for units without spikes. r: a row a unit, its index the template of
 * most spikes. count: room for (t->n). Returns the number of units. */
static size_t number_units(
    int32_t *number, size_t *count, const nset_templates *t, const nset_matches *m, const nset_probe *probe, rank *r)
{
    size_t n = 0;

    for (size_t i = 0; i < m->n; i++)
        count[m->match[i].unit]++;
    for (size_t i = 0; i < t->n; i++) {
        size_t main = i;
        number[i] = -1;
        for (size_t j = 0; j < t->n; j++)
            if (t->unit[j] == t->unit[i] &&
                (count[j] > count[main] || (count[j] == count[main] && t->norm[j] > t->norm[main])))
                main = j;
        if (main == i && count[i] > 0)
            r[n++] = (rank){ probe->y_um[t->home[i]], probe->x_um[t->home[i]], t->norm[i], i };
    }
    qsort(r, n, sizeof *r, by_place);
    for (size_t k = 0; k < n; k++)
        for (size_t i = 0; i < t->n; i++)
            if (t->unit[i] == t->unit[r[k].index])
                number[i] = (int32_t)k;
    return n;
}

static int by_sample(const void *a, const void *b)
{
    const nset_spike *p = a, *q = b;

    if (p->sample != q->sample)
        return p->sample < q->sample ? -1 : 1;
    return (p->unit > q->unit) - (p->unit < q->unit);
}

static nset_status allocate(nset_sorting *s, const nset_templates *t, const nset_matches *m, nset_error *err)
{
    size_t size = t->length * t->n_channels;

    s->n_spikes = m->n;
    s->template_length = t->length;
    s->template_pre = t->pre;
    s->n_channels = t->n_channels;
    s->spikes = nset_calloc(m->n, sizeof *s->spikes);
    s->units = nset_calloc(s->n_units, sizeof *s->units);
    s->templates = nset_calloc(s->n_units, size * sizeof *s->templates);
    s->templates_whitened = nset_calloc(s->n_units, size * sizeof *s->templates);
    s->whitening = nset_calloc(t->n_channels * t->n_channels, sizeof *s->whitening);
    return s->spikes && s->units && s->templates && s->templates_whitened && s->whitening
               ? NSET_OK
               : nset_fail_oom(err, s->n_units + 1, size * sizeof *s->templates);
}

/* w (length, n_channels) begins d samples later. */
static void move_template(float *w, size_t length, size_t n_channels, int64_t d)
{
    size_t shift = (size_t)llabs(d) * n_channels, size = length * n_channels;

    if (d > 0) {
        memmove(w, w + shift, (size - shift) * sizeof *w);
        memset(w + size - shift, 0, shift * sizeof *w);
    } else if (d < 0) {
        memmove(w + shift, w, (size - shift) * sizeof *w);
        memset(w, 0, shift * sizeof *w);
    }
}

/* A spike's time is that of the extreme of the band-passed signal; whitening may have moved it. */
static void align_unit(nset_sorting *s, int32_t unit)
{
    size_t size = s->template_length * s->n_channels, top = s->template_pre * s->n_channels;
    float *w = s->templates + (size_t)unit * size;
    int64_t d;

    for (size_t k = 0; k < size; k++)
        if (fabsf(w[k]) > fabsf(w[top]))
            top = k;
    d = (int64_t)(top / s->n_channels) - (int64_t)s->template_pre;
    if (d == 0 || llabs(d) > (int64_t)s->template_length / 2)
        return;
    move_template(w, s->template_length, s->n_channels, d);
    move_template(s->templates_whitened + (size_t)unit * size, s->template_length, s->n_channels, d);
    for (size_t i = 0; i < s->n_spikes; i++)
        if (s->spikes[i].unit == unit) {
            int64_t at = s->spikes[i].sample + d;
            s->spikes[i].sample = at < 0 ? 0 : at >= s->n_samples ? s->n_samples - 1 : at;
        }
}

/* Moves what is of unit k to the place of unit `to`. */
static void renumber_unit(nset_sorting *s, rank *r, size_t k, size_t to)
{
    size_t size = s->template_length * s->n_channels;

    s->units[to] = s->units[k];
    s->units[to].id = (int32_t)to;
    r[to] = r[k];
    memmove(s->templates + to * size, s->templates + k * size, size * sizeof *s->templates);
    memmove(s->templates_whitened + to * size, s->templates_whitened + k * size, size * sizeof *s->templates_whitened);
}

/* Is it larger than a step of the converter, as far as is known? */
static bool is_resolved(const nset_unit *u, double count_uv)
{
    return u->amplitude_uv <= 0 || u->amplitude_uv >= count_uv;
}

static int32_t new_id(const nset_sorting *s, int32_t id, double count_uv)
{
    int32_t now = 0;

    if (id < 0 || !is_resolved(&s->units[id], count_uv))
        return -1;
    for (int32_t k = 0; k < id; k++)
        now += is_resolved(&s->units[k], count_uv);
    return now;
}

static void drop_unresolved(nset_sorting *s, rank *r, double count_uv)
{
    size_t n = 0, n_spikes = 0;

    for (size_t k = 0; k < s->n_units; k++)
        n += is_resolved(&s->units[k], count_uv);
    if (n == s->n_units)
        return;
    for (size_t i = 0; i < s->n_spikes; i++) {
        nset_spike spike = s->spikes[i];
        spike.unit = new_id(s, spike.unit, count_uv);
        spike.second = new_id(s, spike.second, count_uv);
        if (spike.unit >= 0)
            s->spikes[n_spikes++] = spike;
    }
    s->n_spikes = n_spikes;
    n = 0;
    for (size_t k = 0; k < s->n_units; k++)
        if (is_resolved(&s->units[k], count_uv))
            renumber_unit(s, r, k, n++);
    s->n_units = n;
}

static nset_status finish_units(nset_sorting *s, nset_whitened *w, const nset_probe *probe, const nset_templates *t,
    const rank *r, const int64_t *segments, size_t n_segments, nset_error *err)
{
    nset_status status;

    for (size_t k = 0; k < s->n_units; k++) {
        nset_unit *u = &s->units[k];
        double confidence = 0;
        for (size_t i = 0; i < s->n_spikes; i++) {
            nset_spike *spike = &s->spikes[i];
            if (spike->unit != u->id)
                continue;
            spike->amplitude_uv *= (float)u->amplitude_uv;
            confidence += (double)spike->probability / (double)u->n_spikes;
        }
        if ((status = nset_unit_measure(u, s, err)) != NSET_OK)
            return status;
        u->isolation = isolation(t, r[k].index);
        nset_unit_label(u, confidence, (double)t->norm[r[k].index]);
    }
    if ((status = nset_sorting_measure_more(s, err)) != NSET_OK)
        return status;
    return nset_sorting_measure_clusters(s, probe, w, segments, n_segments, err);
}

static nset_status make_placers(nset_placer *placer, size_t n_units, const nset_probe *probe, const nset_templates *t,
    const rank *r, nset_error *err)
{
    float *shape = nset_calloc(t->length, sizeof *shape);
    nset_status status = shape ? NSET_OK : nset_fail_oom(err, t->length, sizeof *shape);

    for (size_t k = 0; k < n_units && status == NSET_OK; k++) {
        size_t home = t->home[r[k].index];
        for (size_t i = 0; i < t->length; i++)
            shape[i] = t->data[(r[k].index * t->length + i) * t->n_channels + home];
        status = nset_placer_init(&placer[k], probe, home, shape, t->length, err);
    }
    nset_free(shape);
    return status;
}

static nset_status fill(nset_sorting *s, nset_whitened *w, const nset_probe *probe, const nset_matches *m,
    const nset_templates *t, const int32_t *number, rank *r, mean_room *room, const int64_t *segments,
    size_t n_segments, double count_uv, nset_error *err)
{
    size_t size = t->length * t->n_channels;
    nset_status status;

    if ((status = allocate(s, t, m, err)) != NSET_OK)
        return status;
    memcpy(s->whitening, nset_whitened_matrix(w), t->n_channels * t->n_channels * sizeof *s->whitening);
    for (size_t k = 0; k < s->n_units; k++) {
        s->units[k].id = (int32_t)k;
        memcpy(s->templates_whitened + k * size, t->data + r[k].index * size, size * sizeof *t->data);
    }
    for (size_t i = 0; i < m->n; i++) {
        const nset_match *a = &m->match[i];
        s->spikes[i] = (nset_spike){ .sample = a->sample,
            .unit = number[a->unit],
            .second = a->second < 0 ? -1 : number[a->second],
            .amplitude_uv = a->amplitude,
            .probability = a->probability };
        s->units[s->spikes[i].unit].n_spikes++;
    }
    if (m->n)
        qsort(s->spikes, m->n, sizeof *s->spikes, by_sample);
    if ((status = make_placers(room->placer, s->n_units, probe, t, r, err)) != NSET_OK ||
        (status = mean_templates(room, w, segments, n_segments, err)) != NSET_OK)
        return status;
    for (size_t k = 0; k < s->n_units; k++) {
        nset_placer_place(&room->placer[k], &s->units[k].x_um, &s->units[k].y_um, s->templates + k * size,
            s->template_length, s->n_channels, 1, 0);
        align_unit(s, (int32_t)k);
    }
    if (m->n)
        qsort(s->spikes, m->n, sizeof *s->spikes, by_sample);
    for (size_t k = 0; k < s->n_units; k++)
        size_unit(s, &s->units[k], nset_whitened_noise_uv(w));
    drop_unresolved(s, r, count_uv);
    return finish_units(s, w, probe, t, r, segments, n_segments, err);
}

nset_status nset_units_make(nset_sorting **out, nset_whitened *w, const nset_probe *probe, const nset_matches *m,
    const nset_templates *t, const int64_t *segments, size_t n_segments, double count_uv, nset_workers *workers,
    nset_error *err)
{
    nset_sorting *s = nset_calloc(1, sizeof *s);
    int32_t *number = nset_calloc(t->n, sizeof *number);
    rank *r = nset_calloc(t->n, sizeof *r);
    mean_room room = { .s = s,
        .workers = workers,
        .stride = nset_calloc(t->n, sizeof(size_t)),
        .seen = nset_calloc(t->n, sizeof(size_t)),
        .taken = nset_calloc(t->n, sizeof(size_t)),
        .placer = nset_calloc(t->n, sizeof(nset_placer)) };
    nset_status status;

    if (!s || !number || !r || !room.stride || !room.seen || !room.taken || !room.placer) {
        status = nset_fail_oom(err, t->n, sizeof(nset_placer));
    } else {
        s->rate_hz = nset_whitened_rate(w);
        s->n_samples = nset_whitened_samples(w);
        s->n_units = number_units(number, room.taken, t, m, probe, r);
        memset(room.taken, 0, t->n * sizeof *room.taken);
        status = fill(s, w, probe, m, t, number, r, &room, segments, n_segments, count_uv, err);
    }
    if (status == NSET_OK) {
        *out = s;
        s = NULL;
    }
    nset_sorting_free(s);
    nset_free(number);
    nset_free(r);
    nset_free(room.stride);
    nset_free(room.seen);
    nset_free(room.taken);
    for (size_t k = 0; room.placer && k < t->n; k++)
        nset_placer_fini(&room.placer[k]);
    nset_free(room.placer);
    nset_free(room.snippet);
    return status;
}
