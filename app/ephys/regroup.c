#include "ephys/regroup.h"

#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <neuroset/memory.h>

#include "cli/progress.h"
#include "ephys/clean.h"
#include "ephys/heaps.h"
#include "ephys/modes.h"

enum { MOST_ROWS = 1200, LEAST_ROWS = 150 };
#define FEATURE_BYTES 67108864. /* all rows together, where LEAST_ROWS allows it */
#define AMPLITUDE_CV .12        /* spikes of one unit differ by that along its template */
#define NEAR 1.f                /* nearness of templates that are asked about */
#define NEAR_MOVED .6f          /* of those that lie best at another lag, of which nothing more is asked */
#define TWO_UNITS 12.           /* log likelihood ratio that keeps two templates apart */

typedef struct group {
    size_t template, n, into; /* into: the group it has been joined to, itself at first */
    size_t *row;              /* (n) of its template's rows; owned */
    float *mean;              /* (NSET_CLEAN), owned */
} group;

typedef struct regrouper {
    const nset_templates *t;
    const nset_matches *m;
    const nset_probe *probe;
    json_t *reasons;
    int64_t same; /* samples within which two spikes are one */
    nset_clean clean;
    size_t most;                        /* rows a template */
    size_t *seen, *n_seen, *n, *offset; /* (n templates) */
    float *f;                           /* (sum of n, NSET_CLEAN) */
    size_t *match;                      /* (sum of n) */
    group *group;
    size_t n_groups, capacity;
} regrouper;

/* ---- rows: an even spread of each template's spikes ---- */

static nset_status count_rows(regrouper *r, nset_error *err)
{
    size_t n = r->t->n, total = 0;
    double most = FEATURE_BYTES / (NSET_CLEAN * sizeof(float)) / (double)(n ? n : 1);

    r->most = most > MOST_ROWS ? MOST_ROWS : most < LEAST_ROWS ? LEAST_ROWS : (size_t)most;
    r->seen = nset_calloc(n, sizeof *r->seen);
    r->n_seen = nset_calloc(n, sizeof *r->n_seen);
    r->n = nset_calloc(n, sizeof *r->n);
    r->offset = nset_calloc(n + 1, sizeof *r->offset);
    if (!r->seen || !r->n_seen || !r->n || !r->offset)
        return nset_fail_oom(err, n, sizeof *r->seen);
    for (size_t i = 0; i < r->m->n; i++)
        if (r->m->match[i].size >= r->t->least[r->m->match[i].unit])
            r->n_seen[r->m->match[i].unit]++;
    for (size_t k = 0; k < n; k++) {
        r->offset[k] = total;
        total += r->n_seen[k] < r->most ? r->n_seen[k] : r->most;
    }
    r->offset[n] = total;
    r->f = nset_calloc(total, NSET_CLEAN * sizeof *r->f);
    r->match = nset_calloc(total, sizeof *r->match);
    return r->f && r->match ? NSET_OK : nset_fail_oom(err, total, NSET_CLEAN * sizeof *r->f);
}

static nset_status take_rows(void *ctx, size_t first, size_t n, const float *f, nset_error *err)
{
    regrouper *r = ctx;

    (void)err;
    for (size_t i = 0; i < n; i++) {
        const nset_match *m = &r->m->match[first + i];
        size_t k = (size_t)m->unit, at;
        if (m->size < r->t->least[k])
            continue;
        if (r->n_seen[k] > r->most && r->seen[k]++ * r->most / r->n_seen[k] < r->n[k])
            continue;
        if (r->n[k] >= r->most)
            continue;
        at = r->offset[k] + r->n[k]++;
        memcpy(r->f + at * NSET_CLEAN, f + i * NSET_CLEAN, NSET_CLEAN * sizeof *f);
        r->match[at] = first + i;
    }
    return NSET_OK;
}

/* ---- groups ---- */

static nset_status add_group(regrouper *r, size_t k, const int32_t *label, int32_t heap, nset_error *err)
{
    group *g;
    nset_status status = nset_grow(&r->group, &r->capacity, r->n_groups + 1, sizeof *r->group, err);

    if (status != NSET_OK)
        return status;
    g = &r->group[r->n_groups];
    *g = (group){ .template = k, .into = r->n_groups };
    r->n_groups++;
    g->row = nset_calloc(r->n[k], sizeof *g->row);
    g->mean = nset_calloc(NSET_CLEAN, sizeof *g->mean);
    if (!g->row || !g->mean)
        return nset_fail_oom(err, r->n[k], sizeof *g->row);
    for (size_t i = 0; i < r->n[k]; i++)
        if (label[i] == heap)
            g->row[g->n++] = r->offset[k] + i;
    for (size_t q = 0; q < NSET_CLEAN && g->n; q++) {
        double sum = 0;
        for (size_t i = 0; i < g->n; i++)
            sum += (double)r->f[g->row[i] * NSET_CLEAN + q];
        g->mean[q] = (float)(sum / (double)g->n);
    }
    return NSET_OK;
}

/* A reason with the place of template k before it. */
NSET_PRINTF(3, 4) static void say_why(const regrouper *r, size_t k, const char *format, ...)
{
    char why[160];
    va_list list;

    va_start(list, format);
    vsnprintf(why, sizeof why, format, list);
    va_end(list);
    if (r->reasons)
        json_array_append_new(r->reasons,
            json_sprintf("near (%g, %g) um: %s", r->probe->x_um[r->t->home[k]], r->probe->y_um[r->t->home[k]], why));
}

typedef struct split_job {
    const regrouper *r;
    uint64_t seed;
    int32_t *label;  /* of all rows */
    size_t *n_heaps; /* (n templates) */
    bool failed;
} split_job;

static void find_heaps(void *ctx, size_t first, size_t last, size_t chunk)
{
    split_job *j = ctx;
    const regrouper *r = j->r;

    (void)chunk;
    for (size_t k = first; k < last; k++)
        if (r->n[k] > 0 && nset_heaps(j->label + r->offset[k], &j->n_heaps[k], r->f + r->offset[k] * NSET_CLEAN,
                               r->n[k], NSET_CLEAN, j->seed, NULL) != NSET_OK)
            j->failed = true;
}

/* The heaps of each template's rows are its groups. */
static nset_status split_templates(regrouper *r, uint64_t seed, nset_workers *workers, nset_error *err)
{
    size_t n = r->t->n;
    split_job job = { .r = r,
        .seed = seed,
        .label = nset_calloc(r->offset[n], sizeof(int32_t)),
        .n_heaps = nset_calloc(n, sizeof(size_t)) };
    nset_status status = job.label && job.n_heaps ? NSET_OK : nset_fail_oom(err, r->offset[n], sizeof(int32_t));

    if (status == NSET_OK)
        nset_parallel_for(workers, n, 1, find_heaps, &job);
    if (job.failed)
        status = nset_fail_oom(err, r->most, NSET_CLEAN);
    for (size_t k = 0; k < n && status == NSET_OK; k++) {
        if (job.n_heaps[k] > 1)
            say_why(r, k, "%zu spikes are %zu heaps: divided", r->n[k], job.n_heaps[k]);
        for (size_t h = 0; h < job.n_heaps[k] && status == NSET_OK; h++)
            status = add_group(r, k, job.label + r->offset[k], (int32_t)h, err);
    }
    nset_free(job.label);
    nset_free(job.n_heaps);
    return status;
}

/* ---- pairs of groups of different templates ---- */

/* d (NSET_CLEAN) := the direction, in numbers of a's template, that tells the means apart; 0 on channels that only one
 * has. Amplitude counts less, since spikes of one unit differ in it. Returns its length before it became 1. */
static double difference(const regrouper *r, const group *a, const group *b, float *d, float *other, size_t *channel_b)
{
    const size_t *ca = r->clean.channel + a->template * NSET_CLEAN_CHANNELS;
    const size_t *cb = r->clean.channel + b->template * NSET_CLEAN_CHANNELS;
    double norm2 = 0, along = 0, length = 0;

    memset(d, 0, NSET_CLEAN * sizeof *d);
    memset(other, 0, NSET_CLEAN * sizeof *other);
    for (size_t i = 0; i < r->clean.n_channel[a->template]; i++) {
        channel_b[i] = NSET_CLEAN_CHANNELS;
        for (size_t j = 0; j < r->clean.n_channel[b->template]; j++)
            if (ca[i] == cb[j])
                channel_b[i] = j;
        for (size_t q = 0; q < NSET_CLEAN_BASIS && channel_b[i] < NSET_CLEAN_CHANNELS; q++) {
            size_t at = i * NSET_CLEAN_BASIS + q;
            other[at] = b->mean[channel_b[i] * NSET_CLEAN_BASIS + q];
            d[at] = other[at] - a->mean[at];
            norm2 += .25 * pow((double)(other[at] + a->mean[at]), 2);
            along += .5 * (double)d[at] * (double)(other[at] + a->mean[at]);
        }
    }
    for (size_t at = 0; at < NSET_CLEAN; at++) {
        double mean = .5 * (double)(other[at] + a->mean[at]), c2 = AMPLITUDE_CV * AMPLITUDE_CV;
        if (d[at] != 0 || other[at] != 0)
            d[at] -= (float)(c2 * along / (1 + c2 * norm2) * mean);
        length += (double)d[at] * (double)d[at];
    }
    length = sqrt(length);
    for (size_t at = 0; at < NSET_CLEAN && length > 0; at++)
        d[at] = (float)((double)d[at] / length);
    return length;
}

static double dot_b(const float *d, const float *f, const size_t *channel_b, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        for (size_t q = 0; q < NSET_CLEAN_BASIS && channel_b[i] < NSET_CLEAN_CHANNELS; q++)
            sum += (double)d[i * NSET_CLEAN_BASIS + q] * (double)f[channel_b[i] * NSET_CLEAN_BASIS + q];
    return sum;
}

/* Are the spikes of both one heap? line: room for both. */
static bool is_one(const regrouper *r, const group *a, const group *b, float *line)
{
    float d[NSET_CLEAN], other[NSET_CLEAN];
    size_t channel_b[NSET_CLEAN_CHANNELS], m = 0, n = r->clean.n_channel[a->template];
    double low = 0, high, apart;

    if (difference(r, a, b, d, other, channel_b) <= 0)
        return true;
    for (size_t i = 0; i < a->n; i++) {
        double v = 0;
        for (size_t q = 0; q < NSET_CLEAN; q++)
            v += (double)d[q] * (double)r->f[a->row[i] * NSET_CLEAN + q];
        line[m++] = (float)v;
    }
    for (size_t q = 0; q < NSET_CLEAN; q++)
        low += (double)d[q] * (double)a->mean[q];
    high = dot_b(d, b->mean, channel_b, n);
    for (size_t i = 0; i < b->n; i++)
        line[m++] = (float)dot_b(d, r->f + b->row[i] * NSET_CLEAN, channel_b, n);
    return nset_two_gaussians(line, m, low, high, &apart) < TWO_UNITS || apart < NSET_APART;
}

static size_t root(const regrouper *r, size_t g)
{
    while (r->group[g].into != g)
        g = r->group[g].into;
    return g;
}

typedef struct candidate {
    float nearness;
    size_t a, b;
    int lag; /* of a */
} candidate;

static int by_nearness(const void *p, const void *q)
{
    const candidate *a = p, *b = q;

    if (a->nearness != b->nearness)
        return a->nearness < b->nearness ? -1 : 1;
    if (a->a != b->a)
        return a->a < b->a ? -1 : 1;
    return (a->b > b->b) - (a->b < b->b);
}

/* Nearness of the means of two groups of different templates at lag 0, as nset_templates_nearness has it. */
static double mean_nearness(const regrouper *r, const group *a, const group *b)
{
    const size_t *ca = r->clean.channel + a->template * NSET_CLEAN_CHANNELS;
    const size_t *cb = r->clean.channel + b->template * NSET_CLEAN_CHANNELS;
    double aa = 0, bb = 0, ab = 0, s, small;

    for (size_t q = 0; q < NSET_CLEAN; q++) {
        aa += (double)a->mean[q] * (double)a->mean[q];
        bb += (double)b->mean[q] * (double)b->mean[q];
    }
    for (size_t i = 0; i < r->clean.n_channel[a->template]; i++)
        for (size_t j = 0; j < r->clean.n_channel[b->template]; j++)
            for (size_t q = 0; q < NSET_CLEAN_BASIS && ca[i] == cb[j]; q++)
                ab += (double)a->mean[i * NSET_CLEAN_BASIS + q] * (double)b->mean[j * NSET_CLEAN_BASIS + q];
    small = sqrt(fmin(aa, bb));
    if (bb <= 0 || small < .7 * sqrt(fmax(aa, bb)))
        return INFINITY;
    s = ab / bb;
    s = s < .8 ? .8 : s > 1.25 ? 1.25 : s;
    return sqrt(fmax(aa - 2 * s * ab + s * s * bb, 0)) / (3 + .15 * small);
}

static bool is_whole(const regrouper *r, const group *g)
{
    return g->n == r->n[g->template];
}

static bool compare_groups(const regrouper *r, size_t a, size_t b, int most_lag, candidate *c)
{
    const group *p = &r->group[a], *q = &r->group[b];
    float nearness;
    int lag;

    if (p->template == q->template)
        return false;
    nearness = nset_templates_nearness(r->t, r->probe, p->template, q->template, most_lag, &lag);
    *c = (candidate){ .nearness = nearness, .a = a, .b = b, .lag = lag };
    if (abs(lag) > 0)
        return nearness < NEAR_MOVED && is_whole(r, p) && is_whole(r, q);
    c->nearness = (float)mean_nearness(r, p, q);
    return c->nearness < NEAR;
}

static nset_status join_groups(regrouper *r, int most_lag, int *lag, nset_error *err)
{
    candidate *c = NULL, now;
    size_t n = 0, capacity = 0;
    float *line = nset_calloc(2 * r->most, sizeof *line);
    nset_status status = line ? NSET_OK : nset_fail_oom(err, 2 * r->most, sizeof *line);

    for (size_t a = 1; a < r->n_groups && status == NSET_OK; a++)
        for (size_t b = 0; b < a && status == NSET_OK; b++)
            if (compare_groups(r, a, b, most_lag, &now) &&
                (status = nset_grow(&c, &capacity, n + 1, sizeof *c, err)) == NSET_OK)
                c[n++] = now;
    if (n)
        qsort(c, n, sizeof *c, by_nearness);
    for (size_t i = 0; i < n && status == NSET_OK; i++) {
        size_t a = root(r, c[i].a), b = root(r, c[i].b);
        if (a == b || (c[i].lag == 0 && !is_one(r, &r->group[c[i].a], &r->group[c[i].b], line)))
            continue;
        if (c[i].lag != 0 && (a != c[i].a || b != c[i].b)) /* times of joined groups would drift apart */
            continue;
        say_why(r, r->group[a].template,
            "%zu and %zu spikes, their means %.2f of what is allowed apart, one heap: joined", r->group[a].n,
            r->group[b].n, (double)c[i].nearness);
        r->group[a].into = b;
        lag[a] = c[i].lag;
    }
    nset_free(c);
    nset_free(line);
    return status;
}

static int by_sample(const void *a, const void *b)
{
    int64_t p = *(const int64_t *)a, q = *(const int64_t *)b;

    return (p > q) - (p < q);
}

static nset_status make_train(regrouper *r, nset_trains *trains, size_t at, const int *lag, nset_error *err)
{
    size_t n = 0, k = 0, largest = at;
    int64_t *sample;
    double count = 0;
    nset_status status;

    for (size_t g = 0; g < r->n_groups; g++)
        n += root(r, g) == at ? r->group[g].n : 0;
    if (!(sample = nset_calloc(n, sizeof *sample)))
        return nset_fail_oom(err, n, sizeof *sample);
    n = 0;
    for (size_t g = 0; g < r->n_groups; g++) {
        const group *q = &r->group[g];
        if (root(r, g) != at)
            continue;
        largest = q->n > r->group[largest].n ? g : largest;
        count += (double)q->n / (double)r->n[q->template] * (double)r->n_seen[q->template];
        for (size_t i = 0; i < q->n; i++)
            sample[n++] = r->m->match[r->match[q->row[i]]].sample + (g == at ? 0 : lag[g]);
    }
    qsort(sample, n, sizeof *sample, by_sample);
    for (size_t i = 0; i < n; i++)
        if (k == 0 || sample[i] - sample[k - 1] > r->same)
            sample[k++] = sample[i];
    status = nset_trains_add(trains, sample, k, r->t->home[r->group[largest].template], err);
    if (status == NSET_OK)
        trains->train[trains->n - 1].count = count;
    nset_free(sample);
    return status;
}

static void regrouper_fini(regrouper *r)
{
    for (size_t g = 0; g < r->n_groups; g++) {
        nset_free(r->group[g].row);
        nset_free(r->group[g].mean);
    }
    nset_clean_fini(&r->clean);
    nset_free(r->seen);
    nset_free(r->n_seen);
    nset_free(r->n);
    nset_free(r->offset);
    nset_free(r->f);
    nset_free(r->match);
    nset_free(r->group);
}

nset_status nset_regroup(nset_trains *trains, nset_whitened *w, const nset_templates *t, const nset_matches *m,
    const nset_probe *probe, const int64_t *segments, size_t n_segments, size_t least_spikes, uint64_t seed,
    json_t *reasons, nset_workers *workers, nset_error *err)
{
    regrouper r = {
        .t = t, .m = m, .probe = probe, .reasons = reasons, .same = nset_same_spike(nset_whitened_rate(w))
    };
    int *lag = NULL, most_lag = (int)lround(.0006 * nset_whitened_rate(w));
    nset_status status;

    if ((status = nset_clean_init(&r.clean, t, probe, err)) != NSET_OK || (status = count_rows(&r, err)) != NSET_OK)
        goto done;
    nset_progress_begin("group", (double)n_segments, "segments");
    if ((status = nset_clean_run(&r.clean, w, m, segments, n_segments, workers, take_rows, &r, err)) != NSET_OK)
        goto done;
    status = nset_cancelled() ? nset_fail_cancelled(err) : split_templates(&r, seed, workers, err);
    if (status == NSET_OK && !(lag = nset_calloc(r.n_groups, sizeof *lag)))
        status = nset_fail_oom(err, r.n_groups, sizeof *lag);
    if (status == NSET_OK)
        status = join_groups(&r, most_lag, lag, err);
    nset_trains_fini(trains);
    for (size_t g = 0; g < r.n_groups && status == NSET_OK; g++)
        if (root(&r, g) == g)
            status = make_train(&r, trains, g, lag, err);
    for (size_t i = trains->n; i-- > 0 && status == NSET_OK;)
        if (trains->train[i].n < least_spikes)
            nset_trains_drop(trains, i);

done:
    nset_free(lag);
    regrouper_fini(&r);
    return status;
}
