#include "ephys/parts.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include <neuroset/memory.h>
#include <neuroset/random.h>

#include "signal/wide.h"

enum { PART = 60, FEW = 24, MOST_PARTS = 40, CANDIDATES = 10, ROUNDS = 50, POWER_ROUNDS = 15, LANES = 8 };

/* ---- principal components ---- */

void nset_orthonormalise(double *v, size_t k, size_t d)
{
    for (size_t a = 0; a < k; a++) {
        double norm = 0;
        for (size_t b = 0; b < a; b++) {
            double dot = 0;
            for (size_t j = 0; j < d; j++)
                dot += v[a * d + j] * v[b * d + j];
            for (size_t j = 0; j < d; j++)
                v[a * d + j] -= dot * v[b * d + j];
        }
        for (size_t j = 0; j < d; j++)
            norm += v[a * d + j] * v[a * d + j];
        norm = norm > 1e-30 ? 1 / sqrt(norm) : 0;
        for (size_t j = 0; j < d; j++)
            v[a * d + j] *= norm;
    }
}

/* s (d, d) := sums of products of the rows of x (n, d) less their mean, whose upper triangle is made first. */
NSET_WIDE static void covariance(float *s, const float *x, size_t n, size_t d)
{
    size_t i = 0;

    for (; i + 4 <= n; i += 4) {
        const float *p = x + i * d, *q = p + d, *r = q + d, *u = r + d;
        for (size_t a = 0; a < d; a++) {
            float pa = p[a], qa = q[a], ra = r[a], ua = u[a], *to = s + a * d;
            for (size_t b = a; b < d; b++)
                to[b] += (pa * p[b] + qa * q[b]) + (ra * r[b] + ua * u[b]);
        }
    }
    for (; i < n; i++)
        for (size_t a = 0; a < d; a++)
            for (size_t b = a; b < d; b++)
                s[a * d + b] += x[i * d + a] * x[i * d + b];
    for (size_t a = 0; a < d; a++)
        for (size_t b = 0; b < a; b++)
            s[a * d + b] = s[b * d + a];
}

/* t (k, d) := v (k, d) s (d, d) */
NSET_WIDE static void apply(double *t, const double *v, const float *s, size_t k, size_t d)
{
    memset(t, 0, k * d * sizeof *t);
    for (size_t i = 0; i < d; i++)
        for (size_t a = 0; a < k; a++) {
            double factor = v[a * d + i];
            for (size_t j = 0; j < d; j++)
                t[a * d + j] += factor * (double)s[i * d + j];
        }
}

/* Of a row of x less mean. */
NSET_WIDE static float component(const float *x, const float *mean, const float *v, size_t d)
{
    float lane[LANES] = { 0 }, sum = 0;
    size_t j = 0;

    for (; j + LANES <= d; j += LANES)
        for (size_t l = 0; l < LANES; l++)
            lane[l] += (x[j + l] - mean[j + l]) * v[j + l];
    for (; j < d; j++)
        sum += (x[j] - mean[j]) * v[j];
    for (size_t l = 0; l < LANES; l++)
        sum += lane[l];
    return sum;
}

typedef struct principal {
    double *v, *t, *sum; /* (k, d), (k, d), (d) */
    float *s, *axis;     /* (d, d), (k, d) */
    float *mean;         /* (d) */
    float *sample;       /* (used, d) less the mean */
} principal;

static void find_axes(principal *p, size_t used, size_t k, size_t d)
{
    nset_random r = nset_random_stream(1, "principal", 0);

    covariance(p->s, p->sample, used, d);
    for (size_t i = 0; i < k * d; i++)
        p->v[i] = nset_random_normal(&r);
    for (int round = 0; round < POWER_ROUNDS; round++) {
        nset_orthonormalise(p->v, k, d);
        apply(p->t, p->v, p->s, k, d);
        memcpy(p->v, p->t, k * d * sizeof *p->v);
    }
    nset_orthonormalise(p->v, k, d);
    for (size_t i = 0; i < k * d; i++)
        p->axis[i] = (float)p->v[i];
}

nset_status nset_principal(float *out, const float *x, size_t n, size_t d, size_t k, nset_error *err)
{
    enum { MOST = 3000 };
    size_t used = n < MOST ? n : MOST;
    principal p = { .v = nset_calloc(k * d, sizeof(double)),
        .t = nset_calloc(k * d, sizeof(double)),
        .sum = nset_calloc(d, sizeof(double)),
        .s = nset_calloc(d * d, sizeof(float)),
        .axis = nset_calloc(k * d, sizeof(float)),
        .mean = nset_calloc(d, sizeof(float)),
        .sample = nset_calloc(used * d, sizeof(float)) };
    nset_status status = p.v && p.t && p.sum && p.s && p.axis && p.mean && p.sample
                             ? NSET_OK
                             : nset_fail_oom(err, d * d + used * d, sizeof(float));

    if (status != NSET_OK)
        goto done;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < d; j++)
            p.sum[j] += (double)x[i * d + j];
    for (size_t j = 0; j < d && n; j++)
        p.mean[j] = (float)(p.sum[j] / (double)n);
    for (size_t i = 0; i < used; i++) {
        const float *row = x + (used < 2 ? 0 : i * (n - 1) / (used - 1)) * d;
        for (size_t j = 0; j < d; j++)
            p.sample[i * d + j] = row[j] - p.mean[j];
    }
    find_axes(&p, used, k, d);
    for (size_t i = 0; i < n; i++)
        for (size_t a = 0; a < k; a++)
            out[i * k + a] = component(x + i * d, p.mean, p.axis + a * d, d);

done:
    nset_free(p.v);
    nset_free(p.t);
    nset_free(p.sum);
    nset_free(p.s);
    nset_free(p.axis);
    nset_free(p.mean);
    nset_free(p.sample);
    return status;
}

/* ---- k-means ---- */

static inline float distance2(const float *a, const float *b, size_t d)
{
    float lane[LANES] = { 0 }, sum = 0;
    size_t j = 0;

    for (; j + LANES <= d; j += LANES)
        for (size_t l = 0; l < LANES; l++)
            lane[l] += (a[j + l] - b[j + l]) * (a[j + l] - b[j + l]);
    for (; j < d; j++)
        sum += (a[j] - b[j]) * (a[j] - b[j]);
    return ((lane[0] + lane[4]) + (lane[1] + lane[5])) + ((lane[2] + lane[6]) + (lane[3] + lane[7])) + sum;
}

typedef struct kmeans {
    const float *x;
    size_t n, d, k;
    float *centre, *near, *trial, *best; /* (k, d), (n), (n), (n) */
    float cap;
} kmeans;

static void set_centre(kmeans *m, size_t c, size_t i)
{
    for (size_t j = 0; j < m->d; j++)
        m->centre[c * m->d + j] = m->x[i * m->d + j];
}

/* Three quarters of the rows are nearer to 0 than the root of cap. */
NSET_WIDE static float find_cap(kmeans *m)
{
    float zero[64] = { 0 }, low = 0, high = 0;

    for (size_t i = 0; i < m->n; i++) {
        m->trial[i] = distance2(m->x + i * m->d, zero, m->d);
        high = fmaxf(high, m->trial[i]);
    }
    for (int step = 0; step < 40; step++) {
        float middle = .5f * (low + high);
        size_t below = 0;
        for (size_t i = 0; i < m->n; i++)
            below += m->trial[i] <= middle;
        if (4 * below < 3 * m->n)
            low = middle;
        else
            high = middle;
    }
    return high;
}

static size_t draw(const kmeans *m, nset_random *r)
{
    double total = 0, at;

    for (size_t i = 0; i < m->n; i++)
        total += (double)m->near[i];
    at = nset_random_uniform(r) * total;
    for (size_t i = 0; i < m->n; i++)
        if ((at -= (double)m->near[i]) < 0)
            return i;
    return m->n - 1;
}

NSET_WIDE static double try_centre(kmeans *m, size_t c, size_t i)
{
    double sum = 0;

    set_centre(m, c, i);
    for (size_t j = 0; j < m->n; j++) {
        float d2 = fminf(distance2(m->x + j * m->d, m->centre + c * m->d, m->d), m->cap);
        m->trial[j] = c == 0 || d2 < m->near[j] ? d2 : m->near[j];
        sum += (double)m->trial[j];
    }
    return sum;
}

static void seed_centres(kmeans *m, nset_random *r)
{
    m->cap = find_cap(m);
    try_centre(m, 0, 0);
    memcpy(m->near, m->trial, m->n * sizeof *m->near);
    for (size_t c = 1; c < m->k; c++) {
        double lowest = INFINITY;
        size_t chosen = 0;
        for (int t = 0; t < CANDIDATES; t++) {
            size_t i = draw(m, r);
            double sum = try_centre(m, c, i);
            if (sum < lowest) {
                lowest = sum;
                chosen = i;
                memcpy(m->best, m->trial, m->n * sizeof *m->best);
            }
        }
        set_centre(m, c, chosen);
        memcpy(m->near, m->best, m->n * sizeof *m->near);
    }
}

NSET_WIDE static bool assign(kmeans *m, int32_t *label)
{
    bool changed = false;

    for (size_t i = 0; i < m->n; i++) {
        float lowest = INFINITY;
        int32_t chosen = 0;
        for (size_t c = 0; c < m->k; c++) {
            float d2 = distance2(m->x + i * m->d, m->centre + c * m->d, m->d);
            if (d2 < lowest) {
                lowest = d2;
                chosen = (int32_t)c;
            }
        }
        changed |= label[i] != chosen;
        label[i] = chosen;
    }
    return changed;
}

static void move_centres(kmeans *m, const int32_t *label)
{
    for (size_t c = 0; c < m->k; c++) {
        double sum[64] = { 0 };
        size_t count = 0;
        for (size_t i = 0; i < m->n; i++) {
            if (label[i] != (int32_t)c)
                continue;
            for (size_t j = 0; j < m->d; j++)
                sum[j] += (double)m->x[i * m->d + j];
            count++;
        }
        for (size_t j = 0; j < m->d && count; j++)
            m->centre[c * m->d + j] = (float)(sum[j] / (double)count);
    }
}

nset_status nset_parts(
    int32_t *label, size_t *n_parts, const float *x, size_t n, size_t d, uint64_t seed, uint64_t group, nset_error *err)
{
    kmeans m = { .x = x, .n = n, .d = d };
    nset_random r = nset_random_stream(seed, "parts", group);
    nset_status status = NSET_OK;

    memset(label, 0, n * sizeof *label);
    *n_parts = n > 0;
    if (n < 40)
        return NSET_OK;
    if (d > 64)
        return nset_fail(err, NSET_ERR_ARG, "%zu features are too many for parts", d);
    m.k = n < FEW ? 1 : n / PART < 2 ? 2 : n / PART > MOST_PARTS ? MOST_PARTS : n / PART;
    m.centre = nset_calloc(m.k * d, sizeof *m.centre);
    m.near = nset_calloc(n, sizeof *m.near);
    m.trial = nset_calloc(n, sizeof *m.trial);
    m.best = nset_calloc(n, sizeof *m.best);
    if (!m.centre || !m.near || !m.trial || !m.best) {
        status = nset_fail_oom(err, n, sizeof *m.near);
    } else {
        seed_centres(&m, &r);
        for (int round = 0; round < ROUNDS && (assign(&m, label) || round == 0); round++)
            move_centres(&m, label);
        *n_parts = m.k;
    }
    nset_free(m.best);
    nset_free(m.trial);
    nset_free(m.near);
    nset_free(m.centre);
    return status;
}
