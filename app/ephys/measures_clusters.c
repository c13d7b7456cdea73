/* The clouds of spikes around each unit, gathered from the whitened signal. */
#include <string.h>

#include <neuroset/memory.h>

#include "cli/progress.h"
#include "ephys/measures_cluster.h"
#include "ephys/phy_features.h"

typedef struct around {
    float *x;                    /* (n, n_dims), the unit's own first; owned */
    int32_t *unit;               /* (n - n_own) of the others; owned */
    size_t n, n_own, own, other; /* own, other: rows of each kind so far */
} around;

typedef struct gatherer {
    const nset_sorting *s;
    size_t n_wide, n_near, n_dims;
    uint32_t *contact; /* (n_units, n_wide) nearest first, the first n_near of them describe spikes */
    float *component;  /* (NSET_PHY_COMPONENTS, template_length) */
    size_t *n, *seen;  /* (n_units) spikes in the segments, and those gone through */
    around *around;    /* (n_units) */
    float *x;          /* (NSET_HOP + template_length, n_channels) */
} gatherer;

static size_t taken_of(size_t n)
{
    return n < NSET_CLUSTER_SPIKES ? n : NSET_CLUSTER_SPIKES;
}

/* Is spike i of n one of the even spread 0, n / most, 2 n / most ...? */
static bool is_taken(size_t i, size_t n)
{
    size_t most = taken_of(n), k = (i * most + n - 1) / n; /* the first whose place is not before i */

    return k < most && k * n / most == i;
}

static bool is_around(const gatherer *g, size_t unit, size_t other)
{
    for (size_t c = 0; c < g->n_near; c++)
        if (g->contact[unit * g->n_wide + c] == g->s->units[other].channel)
            return true;
    return false;
}

static nset_status prepare(
    gatherer *g, const nset_probe *probe, nset_whitened *w, const int64_t *segments, size_t n_segments, nset_error *err)
{
    const nset_sorting *s = g->s;

    g->n_wide = s->n_channels < NSET_PHY_CONTACTS ? s->n_channels : NSET_PHY_CONTACTS;
    g->n_near = s->n_channels < NSET_CLUSTER_CONTACTS ? s->n_channels : NSET_CLUSTER_CONTACTS;
    g->n_dims = g->n_near * NSET_PHY_COMPONENTS;
    g->contact = nset_calloc(s->n_units * g->n_wide, sizeof *g->contact);
    g->component = nset_calloc(NSET_PHY_COMPONENTS * s->template_length, sizeof *g->component);
    g->n = nset_calloc(s->n_units, sizeof *g->n);
    g->seen = nset_calloc(s->n_units, sizeof *g->seen);
    g->around = nset_calloc(s->n_units, sizeof *g->around);
    g->x = nset_calloc((NSET_HOP + s->template_length) * s->n_channels, sizeof *g->x);
    if (!g->contact || !g->component || !g->n || !g->seen || !g->around || !g->x)
        return nset_fail_oom(err, (NSET_HOP + s->template_length) * s->n_channels, sizeof *g->x);
    nset_phy_near_contacts(g->contact, g->n_wide, s, probe);
    for (size_t k = 0; k < n_segments; k++) {
        int64_t start = segments[k] * NSET_HOP;
        size_t end = nset_sorting_spike_at(s, start + (int64_t)nset_whitened_segment_length(w, segments[k]));
        for (size_t i = nset_sorting_spike_at(s, start); i < end; i++)
            g->n[s->spikes[i].unit]++;
    }
    for (size_t u = 0; u < s->n_units; u++) {
        around *a = &g->around[u];
        a->n = a->n_own = taken_of(g->n[u]);
        for (size_t v = 0; v < s->n_units; v++)
            a->n += v != u && is_around(g, u, v) ? taken_of(g->n[v]) : 0;
        a->x = nset_calloc(a->n * g->n_dims, sizeof *a->x);
        a->unit = nset_calloc(a->n - a->n_own, sizeof *a->unit);
        if (!a->x || !a->unit)
            return nset_fail_oom(err, a->n * g->n_dims, sizeof *a->x);
    }
    return nset_phy_components(g->component, s, g->contact, g->n_wide, err);
}

static void release(gatherer *g)
{
    for (size_t u = 0; g->around && u < g->s->n_units; u++) {
        nset_free(g->around[u].x);
        nset_free(g->around[u].unit);
    }
    nset_free(g->contact);
    nset_free(g->component);
    nset_free(g->n);
    nset_free(g->seen);
    nset_free(g->around);
    nset_free(g->x);
}

/* to (n_dims) := the spike whose snippet begins at x, on the contacts of a unit. */
static void describe(const gatherer *g, float *to, size_t unit, const float *x)
{
    const nset_sorting *s = g->s;

    for (size_t c = 0; c < g->n_near; c++) {
        const float *column = x + g->contact[unit * g->n_wide + c];
        for (size_t p = 0; p < NSET_PHY_COMPONENTS; p++) {
            const float *component = g->component + p * s->template_length;
            double sum = 0;
            for (size_t k = 0; k < s->template_length; k++)
                sum += (double)component[k] * (double)column[k * s->n_channels];
            to[p * g->n_near + c] = (float)sum;
        }
    }
}

static void add_spike(gatherer *g, size_t v, const float *x)
{
    for (size_t u = 0; u < g->s->n_units; u++) {
        around *a = &g->around[u];
        if (u == v) {
            describe(g, a->x + a->own++ * g->n_dims, u, x);
        } else if (is_around(g, u, v)) {
            a->unit[a->other] = (int32_t)v;
            describe(g, a->x + (a->n_own + a->other++) * g->n_dims, u, x);
        }
    }
}

static nset_status gather_segment(gatherer *g, nset_whitened *w, int64_t segment, nset_error *err)
{
    const nset_sorting *s = g->s;
    int64_t start = segment * NSET_HOP - (int64_t)s->template_pre;
    size_t first = nset_sorting_spike_at(s, segment * NSET_HOP);
    size_t end = nset_sorting_spike_at(s, segment * NSET_HOP + (int64_t)nset_whitened_segment_length(w, segment));
    nset_status status;

    if (nset_cancelled())
        return nset_fail_cancelled(err);
    if (first == end)
        return NSET_OK;
    if ((status = nset_whitened_read(w, g->x, start, NSET_HOP + s->template_length, err)) != NSET_OK)
        return status;
    for (size_t i = first; i < end; i++) {
        size_t v = (size_t)s->spikes[i].unit;
        if (is_taken(g->seen[v]++, g->n[v]))
            add_spike(g, v, g->x + (size_t)(s->spikes[i].sample - start - (int64_t)s->template_pre) * s->n_channels);
    }
    return NSET_OK;
}

nset_status nset_sorting_measure_clusters(nset_sorting *s, const nset_probe *probe, nset_whitened *w,
    const int64_t *segments, size_t n_segments, nset_error *err)
{
    gatherer g = { .s = s };
    nset_status status;

    if (s->n_units == 0)
        return NSET_OK;
    nset_progress_begin("measures", (double)n_segments, "segments");
    status = prepare(&g, probe, w, segments, n_segments, err);
    for (size_t k = 0; k < n_segments && status == NSET_OK; k++) {
        status = gather_segment(&g, w, segments[k], err);
        nset_progress_at((double)(k + 1));
    }
    for (size_t u = 0; u < s->n_units && status == NSET_OK; u++) {
        const around *a = &g.around[u];
        status = nset_cluster_measure(&s->units[u].cluster, a->x, a->n_own, a->unit, a->n, g.n_dims, err);
    }
    nset_progress_end();
    release(&g);
    return status;
}
