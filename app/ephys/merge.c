/* Joining the parts: by distance in noise units, never by similarity alone. */
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <neuroset/memory.h>

#include "ephys/templates.h"

#define FAR_UM 150. /* templates with homes further apart are not compared */
#define NORM_RATIO .7f

typedef struct pair {
    float score; /* distance over what is allowed; INFINITY: not comparable */
    int lag;
} pair;

typedef struct merger {
    nset_templates *t;
    nset_trains *trains;
    const nset_probe *probe;
    int most_lag;
    int64_t same;         /* samples within which two spikes are one */
    pair *pairs;          /* (n, n), i > j used */
    unsigned char *alive; /* (n) */
} merger;

float nset_templates_nearness(
    const nset_templates *t, const nset_probe *probe, size_t i, size_t j, int most_lag, int *lag_of_i)
{
    float small = fminf(t->norm[i], t->norm[j]), large = fmaxf(t->norm[i], t->norm[j]);
    double aa = (double)t->norm[i] * t->norm[i], bb = (double)t->norm[j] * t->norm[j], best = INFINITY;
    size_t p = t->home[i], q = t->home[j];

    *lag_of_i = 0;
    if (small < NORM_RATIO * large || large == 0 || probe->shank[p] != probe->shank[q] ||
        hypot(probe->x_um[p] - probe->x_um[q], probe->y_um[p] - probe->y_um[q]) > FAR_UM)
        return INFINITY;
    for (int lag = -most_lag; lag <= most_lag; lag++) {
        double ab = nset_templates_product(t, i, j, lag), s = ab / bb;
        s = s < .8 ? .8 : s > 1.25 ? 1.25 : s;
        double d2 = aa - 2 * s * ab + s * s * bb;
        if (d2 < best) {
            best = d2;
            *lag_of_i = lag;
        }
    }
    return (float)(sqrt(fmax(best, 0)) / (3 + .15 * (double)small));
}

static pair compare(const merger *m, size_t i, size_t j)
{
    pair out;

    out.score = nset_templates_nearness(m->t, m->probe, i, j, m->most_lag, &out.lag);
    return out;
}

static int by_value(const void *a, const void *b)
{
    int64_t p = *(const int64_t *)a, q = *(const int64_t *)b;

    return (p > q) - (p < q);
}

/* Train j takes train i's spikes, moved by lag; spikes within `same` samples are one. */
static nset_status join_trains(nset_train *j, const nset_train *i, int lag, int64_t same, nset_error *err)
{
    size_t n = 0;
    nset_status status;

    if ((status = nset_grow(&j->sample, &j->capacity, j->n + i->n, sizeof *j->sample, err)) != NSET_OK)
        return status;
    for (size_t k = 0; k < i->n; k++)
        j->sample[j->n + k] = i->sample[k] + lag;
    j->n += i->n;
    qsort(j->sample, j->n, sizeof *j->sample, by_value);
    for (size_t k = 0; k < j->n; k++)
        if (n == 0 || j->sample[k] - j->sample[n - 1] > same)
            j->sample[n++] = j->sample[k];
    j->n = n;
    return NSET_OK;
}

/* Template j becomes the mean of both, weighted by spikes: near enough until it is learnt anew. */
static void join_templates(nset_templates *t, size_t i, size_t j, int lag, double weight_i)
{
    size_t size = t->length * t->n_channels;
    const float *a = t->data + i * size;
    float *b = t->data + j * size;

    for (size_t s = 0; s < t->length; s++) {
        int64_t from = (int64_t)s + lag;
        for (size_t c = 0; c < t->n_channels; c++) {
            float other = from < 0 || from >= (int64_t)t->length ? 0 : a[(size_t)from * t->n_channels + c];
            float *to = b + s * t->n_channels + c;
            *to = (float)((1 - weight_i) * (double)*to + weight_i * (double)other);
        }
    }
    nset_templates_measure(t, j);
}

static bool find_nearest(const merger *m, size_t *at_i, size_t *at_j)
{
    float best = 1;
    bool found = false;

    for (size_t i = 1; i < m->t->n; i++)
        for (size_t j = 0; j < i && m->alive[i]; j++)
            if (m->alive[j] && m->pairs[i * m->t->n + j].score < best) {
                best = m->pairs[i * m->t->n + j].score;
                *at_i = i;
                *at_j = j;
                found = true;
            }
    return found;
}

static nset_status merge_all(merger *m, nset_error *err)
{
    size_t n = m->t->n, i = 0, j = 0;
    nset_status status;

    for (size_t a = 1; a < n; a++)
        for (size_t b = 0; b < a; b++)
            m->pairs[a * n + b] = compare(m, a, b);
    while (find_nearest(m, &i, &j)) {
        nset_train *ti = &m->trains->train[i], *tj = &m->trains->train[j];
        int lag = m->pairs[i * n + j].lag;
        join_templates(m->t, i, j, lag, (double)ti->n / (double)(ti->n + tj->n));
        if ((status = join_trains(tj, ti, lag, m->same, err)) != NSET_OK)
            return status;
        tj->home = m->t->home[j];
        m->alive[i] = 0;
        for (size_t k = 0; k < n; k++)
            if (m->alive[k] && k != j)
                *(k < j ? &m->pairs[j * n + k] : &m->pairs[k * n + j]) = k < j ? compare(m, j, k) : compare(m, k, j);
    }
    return NSET_OK;
}

nset_status nset_templates_merge(
    nset_templates *t, nset_trains *trains, const nset_probe *probe, double rate_hz, nset_error *err)
{
    merger m = { .t = t,
        .trains = trains,
        .probe = probe,
        .most_lag = (int)lround(.0006 * rate_hz),
        .same = nset_same_spike(rate_hz) };
    nset_status status;

    m.pairs = nset_calloc(t->n * t->n, sizeof *m.pairs);
    m.alive = nset_calloc(t->n, 1);
    if (!m.pairs || !m.alive) {
        status = nset_fail_oom(err, t->n * t->n, sizeof *m.pairs);
    } else {
        memset(m.alive, 1, t->n);
        if ((status = merge_all(&m, err)) == NSET_OK) {
            nset_trains_keep(trains, m.alive);
            nset_templates_keep(t, m.alive);
        }
    }
    nset_free(m.pairs);
    nset_free(m.alive);
    return status;
}
