#include "ephys/heaps.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <neuroset/memory.h>

#include "ephys/modes.h"
#include "ephys/parts.h"

enum { COMPONENTS = 8, REFINEMENTS = 4, LEAST_TO_SPLIT = 40, MOST_HEAPS = 12 };
#define SHRINK 20.    /* rows that the known noise weighs beside the rows' own covariance */
#define TWO_HEAPS 25. /* log likelihood ratio that divides: many directions are tried */

static int by_value(const void *a, const void *b)
{
    float p = *(const float *)a, q = *(const float *)b;

    return (p > q) - (p < q);
}

/* Solves a (d, d) x = b in place of b; a is symmetric, positive definite, and is destroyed. */
static void solve(double *a, double *b, size_t d)
{
    for (size_t k = 0; k < d; k++)
        for (size_t i = k + 1; i < d; i++) {
            double c = a[i * d + k] / a[k * d + k];
            for (size_t j = k; j < d; j++)
                a[i * d + j] -= c * a[k * d + j];
            b[i] -= c * b[k];
        }
    for (size_t k = d; k-- > 0;) {
        for (size_t j = k + 1; j < d; j++)
            b[k] -= a[k * d + j] * b[j];
        b[k] /= a[k * d + k];
    }
}

typedef struct splitter {
    size_t n;       /* rows */
    float *x;       /* (n, COMPONENTS) their principal components */
    int32_t *label; /* (n) heap of each; the caller's */
    int32_t n_heaps;
    size_t *row;                /* (n) of the heap under test */
    float *y;                   /* (n, COMPONENTS) of it */
    float *line, *sorted;       /* (n) */
    int32_t *part;              /* (n) */
    unsigned char *side, *best; /* (n) */
    uint64_t seed;
} splitter;

/* line := the rows' products with direction; returns the ratio of the best valley between low and high. */
static double look(splitter *s, size_t m, const double *direction, double low, double high, double *cut)
{
    for (size_t i = 0; i < m; i++) {
        double v = 0;
        for (size_t a = 0; a < COMPONENTS; a++)
            v += direction[a] * (double)s->y[i * COMPONENTS + a];
        s->line[i] = (float)v;
    }
    memcpy(s->sorted, s->line, m * sizeof *s->line);
    qsort(s->sorted, m, sizeof *s->sorted, by_value);
    return nset_modes(s->sorted, m, fmax(low, (double)s->sorted[0]), fmin(high, (double)s->sorted[m - 1]), cut);
}

/* Direction of unit length that tells the rows of side 1 from the others best: Fisher's, the noise's known covariance
 * mixed in. low and high: means of both sides on it. False when a side is empty. */
static bool direct(const splitter *s, size_t m, double *direction, double *low, double *high)
{
    double cov[COMPONENTS * COMPONENTS] = { 0 }, centre[2][COMPONENTS] = { { 0 } }, norm = 0;
    size_t count[2] = { 0 };

    for (size_t i = 0; i < m; i++) {
        count[s->side[i]]++;
        for (size_t a = 0; a < COMPONENTS; a++)
            centre[s->side[i]][a] += (double)s->y[i * COMPONENTS + a];
    }
    if (!count[0] || !count[1])
        return false;
    for (size_t a = 0; a < COMPONENTS; a++) {
        centre[0][a] /= (double)count[0];
        centre[1][a] /= (double)count[1];
        direction[a] = centre[1][a] - centre[0][a];
    }
    for (size_t i = 0; i < m; i++)
        for (size_t a = 0; a < COMPONENTS; a++)
            for (size_t b = 0; b < COMPONENTS; b++)
                cov[a * COMPONENTS + b] += ((double)s->y[i * COMPONENTS + a] - centre[s->side[i]][a]) *
                                           ((double)s->y[i * COMPONENTS + b] - centre[s->side[i]][b]) /
                                           ((double)m + SHRINK);
    for (size_t a = 0; a < COMPONENTS; a++)
        cov[a * COMPONENTS + a] += SHRINK / ((double)m + SHRINK);
    solve(cov, direction, COMPONENTS);
    *low = *high = 0;
    for (size_t a = 0; a < COMPONENTS; a++)
        norm += direction[a] * direction[a];
    norm = norm > 0 ? 1 / sqrt(norm) : 0;
    for (size_t a = 0; a < COMPONENTS; a++) {
        direction[a] *= norm;
        *low += direction[a] * centre[0][a];
        *high += direction[a] * centre[1][a];
    }
    return true;
}

/* Divides the rows by side at the best valley of a direction between low and high. Returns the log likelihood ratio of
 * two heaps against one; 0 when they are not apart or one is too small. */
static double try_direction(splitter *s, size_t m, const double *direction, double low, double high)
{
    double cut, apart, ratio, mean[2] = { 0 };
    size_t count[2] = { 0 };

    if (look(s, m, direction, low, high, &cut) <= 0)
        return 0;
    for (size_t i = 0; i < m; i++) {
        s->side[i] = (double)s->line[i] >= cut;
        count[s->side[i]]++;
        mean[s->side[i]] += (double)s->line[i];
    }
    if (count[0] < NSET_LEAST_HEAP || count[1] < NSET_LEAST_HEAP)
        return 0;
    ratio = nset_two_gaussians(s->line, m, mean[0] / (double)count[0], mean[1] / (double)count[1], &apart);
    return apart < NSET_APART ? 0 : ratio;
}

/* side := the best division of the m rows of y found; returns its ratio. Directions tried: the axes (principal
 * components) and those that tell one part from the rest; the best is refined. */
static nset_status best_division(splitter *s, size_t m, double *ratio, nset_error *err)
{
    double direction[COMPONENTS], low, high, now;
    unsigned char *best = s->best;
    size_t n_parts = 0;
    nset_status status = nset_parts(s->part, &n_parts, s->y, m, COMPONENTS, s->seed, m, err);

    *ratio = 0;
    if (status != NSET_OK)
        return status;
    for (size_t k = 0; k < COMPONENTS + n_parts; k++) {
        memset(direction, 0, sizeof direction);
        if (k < COMPONENTS) {
            direction[k] = 1;
        } else {
            for (size_t i = 0; i < m; i++)
                s->side[i] = s->part[i] == (int32_t)(k - COMPONENTS);
            if (!direct(s, m, direction, &low, &high))
                continue;
        }
        if ((now = try_direction(s, m, direction, -INFINITY, INFINITY)) > *ratio) {
            *ratio = now;
            memcpy(best, s->side, m);
        }
    }
    memcpy(s->side, best, m);
    for (int round = 0; round<REFINEMENTS && * ratio> 0 && direct(s, m, direction, &low, &high); round++) {
        if ((now = try_direction(s, m, direction, low, high)) <= *ratio)
            break;
        *ratio = now;
        memcpy(best, s->side, m);
    }
    memcpy(s->side, best, m);
    return NSET_OK;
}

static void splitter_fini(splitter *s)
{
    nset_free(s->x);
    nset_free(s->row);
    nset_free(s->y);
    nset_free(s->line);
    nset_free(s->sorted);
    nset_free(s->part);
    nset_free(s->side);
    nset_free(s->best);
}

/* Divides heap h, if it is two. */
static nset_status test_heap(splitter *s, int32_t h, bool *divided, nset_error *err)
{
    size_t m = 0;
    double ratio;
    nset_status status;

    *divided = false;
    for (size_t i = 0; i < s->n; i++)
        if (s->label[i] == h)
            s->row[m++] = i;
    if (m < LEAST_TO_SPLIT)
        return NSET_OK;
    for (size_t i = 0; i < m; i++)
        memcpy(s->y + i * COMPONENTS, s->x + s->row[i] * COMPONENTS, COMPONENTS * sizeof *s->y);
    if ((status = best_division(s, m, &ratio, err)) != NSET_OK)
        return status;
    if (ratio < TWO_HEAPS)
        return NSET_OK;
    for (size_t i = 0; i < m; i++)
        if (s->side[i])
            s->label[s->row[i]] = s->n_heaps;
    s->n_heaps++;
    *divided = true;
    return NSET_OK;
}

nset_status nset_heaps(
    int32_t *label, size_t *n_heaps, const float *x, size_t n, size_t d, uint64_t seed, nset_error *err)
{
    splitter s = { .n = n, .label = label, .n_heaps = 1, .seed = seed };
    nset_status status = NSET_OK;

    *n_heaps = 1;
    memset(label, 0, n * sizeof *label);
    if (n < LEAST_TO_SPLIT || d < COMPONENTS)
        return NSET_OK;
    s.x = nset_calloc(n, COMPONENTS * sizeof *s.x);
    s.y = nset_calloc(n, COMPONENTS * sizeof *s.y);
    s.row = nset_calloc(n, sizeof *s.row);
    s.line = nset_calloc(n, sizeof *s.line);
    s.sorted = nset_calloc(n, sizeof *s.sorted);
    s.part = nset_calloc(n, sizeof *s.part);
    s.side = nset_calloc(n, 1);
    s.best = nset_calloc(n, 1);
    if (!s.x || !s.y || !s.row || !s.line || !s.sorted || !s.part || !s.side || !s.best)
        status = nset_fail_oom(err, n, COMPONENTS * sizeof *s.x);
    if (status == NSET_OK)
        status = nset_principal(s.x, x, n, d, COMPONENTS, err);
    for (int32_t h = 0; h < s.n_heaps && h < MOST_HEAPS && status == NSET_OK;) {
        bool divided = false;
        status = test_heap(&s, h, &divided, err);
        h += !divided;
    }
    *n_heaps = (size_t)s.n_heaps;
    splitter_fini(&s);
    return status;
}
