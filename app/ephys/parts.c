#include "ephys/parts.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include <neuroset/memory.h>
#include <neuroset/random.h>

enum { PART = 60, FEW = 24, MOST_PARTS = 40, CANDIDATES = 10, ROUNDS = 50, POWER_ROUNDS = 25 };

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

/* row: room for d numbers. */
static void covariance(double *s, double *row, const float *x, const double *mean, size_t n, size_t d)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t b = 0; b < d; b++)
            row[b] = (double)x[i * d + b] - mean[b];
        for (size_t a = 0; a < d; a++)
            for (size_t b = a; b < d; b++)
                s[a * d + b] += row[a] * row[b];
    }
    for (size_t a = 0; a < d; a++)
        for (size_t b = 0; b < a; b++)
            s[a * d + b] = s[b * d + a];
}

nset_status nset_principal(float *out, const float *x, size_t n, size_t d, size_t k, nset_error *err)
{
    enum { MOST = 3000 };
    size_t used = n < MOST ? n : MOST;
    double *s = nset_calloc(d * d, sizeof *s), *v = nset_calloc(k * d, sizeof *v), *t = nset_calloc(k * d, sizeof *t);
    double *mean = nset_calloc(d, sizeof *mean);
    float *sample = nset_calloc(used * d, sizeof *sample);
    nset_random r = nset_random_stream(1, "principal", 0);
    nset_status status = s && v && t && mean && sample ? NSET_OK : nset_fail_oom(err, d * d, sizeof *s);

    if (status != NSET_OK)
        goto done;
    for (size_t i = 0; i < used; i++)
        memcpy(sample + i * d, x + (used < 2 ? 0 : i * (n - 1) / (used - 1)) * d, d * sizeof *x);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < d; j++)
            mean[j] += (double)x[i * d + j] / (double)n;
    covariance(s, t, sample, mean, used, d);
    for (size_t i = 0; i < k * d; i++)
        v[i] = nset_random_normal(&r);
    for (int round = 0; round < POWER_ROUNDS; round++) {
        nset_orthonormalise(v, k, d);
        memset(t, 0, k * d * sizeof *t);
        for (size_t a = 0; a < k; a++)
            for (size_t i = 0; i < d; i++)
                for (size_t j = 0; j < d; j++)
                    t[a * d + j] += v[a * d + i] * s[i * d + j];
        memcpy(v, t, k * d * sizeof *v);
    }
    nset_orthonormalise(v, k, d);
    for (size_t i = 0; i < n; i++)
        for (size_t a = 0; a < k; a++) {
            double dot = 0;
            for (size_t j = 0; j < d; j++)
                dot += ((double)x[i * d + j] - mean[j]) * v[a * d + j];
            out[i * k + a] = (float)dot;
        }

done:
    nset_free(s);
    nset_free(v);
    nset_free(t);
    nset_free(mean);
    nset_free(sample);
    return status;
}

/* ---- k-means ---- */

static double distance2(const float *a, const double *b, size_t d)
{
    double sum = 0;

    for (size_t j = 0; j < d; j++)
        sum += ((double)a[j] - b[j]) * ((double)a[j] - b[j]);
    return sum;
}

typedef struct kmeans {
    const float *x;
    size_t n, d, k;
    double *centre, *near, *trial, *best; /* (k, d), (n), (n), (n) */
    double cap;
} kmeans;

static void set_centre(kmeans *m, size_t c, size_t i)
{
    for (size_t j = 0; j < m->d; j++)
        m->centre[c * m->d + j] = (double)m->x[i * m->d + j];
}

/* Three quarters of the rows are nearer to 0 than the root of cap. */
static double find_cap(kmeans *m)
{
    double zero[64] = { 0 }, low = 0, high = 0;

    for (size_t i = 0; i < m->n; i++) {
        m->trial[i] = distance2(m->x + i * m->d, zero, m->d);
        high = fmax(high, m->trial[i]);
    }
    for (int step = 0; step < 60; step++) {
        double middle = .5 * (low + high);
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
        total += m->near[i];
    at = nset_random_uniform(r) * total;
    for (size_t i = 0; i < m->n; i++)
        if ((at -= m->near[i]) < 0)
            return i;
    return m->n - 1;
}

static double try_centre(kmeans *m, size_t c, size_t i)
{
    double sum = 0;

    set_centre(m, c, i);
    for (size_t j = 0; j < m->n; j++) {
        double d2 = fmin(distance2(m->x + j * m->d, m->centre + c * m->d, m->d), m->cap);
        m->trial[j] = c == 0 || d2 < m->near[j] ? d2 : m->near[j];
        sum += m->trial[j];
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

static bool assign(kmeans *m, int32_t *label)
{
    bool changed = false;

    for (size_t i = 0; i < m->n; i++) {
        double lowest = INFINITY;
        int32_t chosen = 0;
        for (size_t c = 0; c < m->k; c++) {
            double d2 = distance2(m->x + i * m->d, m->centre + c * m->d, m->d);
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
            m->centre[c * m->d + j] = sum[j] / (double)count;
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
