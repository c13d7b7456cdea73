#include <neuroset/invariant.h>

#include <stdlib.h>

#include "rows.h"

typedef struct rows {
    const float *x;
    size_t d;
} rows;

static int by_content(const void *a, const void *b, void *ctx)
{
    const rows *r = ctx;
    uint32_t i = *(const uint32_t *)a, j = *(const uint32_t *)b;
    int order = nset_rows_compare(r->x + i * r->d, r->x + j * r->d, r->d);

    return order ? order : i < j ? -1 : i > j;
}

void nset_tau_set(uint32_t *tau, bool *is_free, const float *x, size_t n, size_t d)
{
    rows r = { x, d };
    bool distinct = true;

    for (size_t i = 0; i < n; i++)
        tau[i] = (uint32_t)i;
    qsort_r(tau, n, sizeof *tau, by_content, &r);
    for (size_t i = 1; i < n; i++)
        distinct &= nset_rows_compare(x + tau[i - 1] * d, x + tau[i] * d, d) != 0;
    if (is_free)
        *is_free = distinct;
}

/* A ring read from start on, forwards or backwards. */
typedef struct ring {
    const float *x;
    size_t n, d, start;
    bool backwards;
} ring;

static size_t ring_row(const ring *r, size_t j)
{
    size_t i = (r->start + j) % r->n;

    return r->backwards ? r->n - 1 - i : i;
}

static int ring_compare(const ring *a, const ring *b, size_t j, size_t k)
{
    return nset_rows_compare(a->x + ring_row(a, j) * a->d, b->x + ring_row(b, k) * b->d, a->d);
}

/* Two candidates run side by side; the one found greater at distance l cannot start anywhere within l of itself. Sets
 * start; returns false if another start gives the same. */
static bool least_start(ring *r)
{
    size_t i = 0, j = 1, l = 0, n = r->n;

    r->start = 0;
    while (i < n && j < n && l < n) {
        int order = ring_compare(r, r, i + l, j + l);
        if (order == 0) {
            l++;
            continue;
        }
        if (order > 0)
            i += l + 1;
        else
            j += l + 1;
        if (i == j)
            j++;
        l = 0;
    }
    r->start = i < j ? i : j;
    return l < n || n < 2;
}

void nset_tau_ring(uint32_t *tau, bool *is_free, const float *x, size_t n, size_t d, bool reflections)
{
    ring r = { .x = x, .n = n, .d = d }, back = { .x = x, .n = n, .d = d, .backwards = true };
    bool only = n == 0 || least_start(&r);
    int order = -1;

    if (reflections && n > 0) {
        (void)least_start(&back); /* has the same periods */
        order = 0;
        for (size_t j = 0; j < n && order == 0; j++)
            order = ring_compare(&r, &back, j, j);
    }
    only &= order != 0 || n < 2 || !reflections; /* one and two points: a reflection is a rotation */
    if (n == 2 && reflections)
        only = nset_rows_compare(x, x + d, d) != 0;
    if (order > 0)
        r = back;
    for (size_t j = 0; j < n; j++)
        tau[j] = (uint32_t)ring_row(&r, j);
    if (is_free)
        *is_free = only;
}

void nset_canonical(float *out, const uint32_t *tau, const float *x, size_t n, size_t d)
{
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < d; j++) {
            float v = x[tau[i] * d + j];
            out[i * d + j] = isnan(v) ? (float)NAN : v + 0;
        }
}

void nset_uncanonical(float *out, const uint32_t *tau, const float *y, size_t n, size_t d)
{
    for (size_t i = 0; i < n; i++)
        memcpy(out + tau[i] * d, y + i * d, d * sizeof *y);
}
