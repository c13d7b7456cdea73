#include "imaging/compare.h"

#include <math.h>
#include <string.h>

#include <neuroset/assign.h>
#include <neuroset/memory.h>

enum { N_PRECISIONS = 10 }; /* overlaps from .5 to .95 */

static size_t common_pixels(const nset_region *a, const nset_region *b)
{
    size_t i = 0, j = 0, n = 0;

    while (i < a->n && j < b->n) {
        const int32_t *p = a->at[i], *q = b->at[j];
        int order = p[0] != q[0] ? (p[0] > q[0]) - (p[0] < q[0]) : (p[1] > q[1]) - (p[1] < q[1]);
        n += order == 0;
        i += order <= 0;
        j += order >= 0;
    }
    return n;
}

static double distance(const nset_region *a, const nset_region *b)
{
    return hypot(a->row - b->row, a->column - b->column);
}

static double iou_of(const nset_region *a, const nset_region *b, size_t common)
{
    return (double)common / (double)(a->n + b->n - common);
}

/* pair (truth->n) := index of the found region, NSET_UNASSIGNED: none. taken (found->n) is zero on entry. */
static void match_centres(
    size_t *pair, unsigned char *taken, const nset_regions *truth, const nset_regions *found, double dist)
{
    for (size_t i = 0; i < truth->n; i++) {
        double least = INFINITY;
        size_t best = 0;
        pair[i] = NSET_UNASSIGNED;
        for (size_t j = 0; j < found->n; j++) {
            double d = taken[j] ? INFINITY : distance(&found->region[j], &truth->region[i]);
            if (d < least) {
                least = d;
                best = j;
            }
        }
        if (least < dist) {
            pair[i] = best;
            taken[best] = 1;
        }
    }
}

/* iou (truth->n, found->n) */
static void fill_iou(double *iou, const nset_regions *truth, const nset_regions *found)
{
    for (size_t i = 0; i < truth->n; i++)
        for (size_t j = 0; j < found->n; j++) {
            const nset_region *a = &truth->region[i], *b = &found->region[j];
            iou[i * found->n + j] = iou_of(a, b, common_pixels(a, b));
        }
}

/* Most overlaps first, then the largest sum. cost: room as large as iou. */
static nset_status match_overlaps(
    size_t *pair, double *cost, const double *iou, size_t n_true, size_t n_found, double iou_min, nset_error *err)
{
    nset_status status;

    for (size_t k = 0; k < n_true * n_found; k++)
        cost[k] = iou[k] >= iou_min ? -1 - iou[k] : 0;
    status = nset_assign(pair, cost, n_true, n_found, err);
    for (size_t i = 0; i < n_true && status == NSET_OK; i++)
        if (pair[i] != NSET_UNASSIGNED && cost[i * n_found + pair[i]] == 0)
            pair[i] = NSET_UNASSIGNED;
    return status;
}

static bool is_ignored(const nset_region *r, const nset_regions *ignore, double dist)
{
    for (size_t i = 0; ignore && i < ignore->n; i++)
        if (distance(r, &ignore->region[i]) < dist ||
            (double)common_pixels(r, &ignore->region[i]) >= .25 * (double)r->n)
            return true;
    return false;
}

/* taken (found->n) is room. */
static nset_match_score rate(const size_t *pair, unsigned char *taken, const nset_regions *truth,
    const nset_regions *found, const nset_regions *ignore, double dist)
{
    nset_match_score s = { .truth = truth->n };
    size_t active_hits = 0;

    memset(taken, 0, found->n);
    for (size_t i = 0; i < truth->n; i++) {
        bool hit = pair[i] != NSET_UNASSIGNED;
        s.hits += hit;
        s.active += truth->region[i].active;
        active_hits += hit && truth->region[i].active;
        if (hit)
            taken[pair[i]] = 1;
    }
    for (size_t j = 0; j < found->n; j++)
        s.found += taken[j] || !is_ignored(&found->region[j], ignore, dist);
    s.precision = s.found ? (double)s.hits / (double)s.found : 0;
    s.recall = s.truth ? (double)s.hits / (double)s.truth : 0;
    s.f1 = s.hits ? 2 * s.precision * s.recall / (s.precision + s.recall) : 0;
    s.active_recall = s.active ? (double)active_hits / (double)s.active : 0;
    return s;
}

static void rate_shapes(nset_mask_score *s, const size_t *pair, const nset_regions *truth, const nset_regions *found)
{
    size_t n = 0;

    for (size_t i = 0; i < truth->n; i++) {
        const nset_region *a = &truth->region[i], *b;
        double common;
        if (pair[i] == NSET_UNASSIGNED)
            continue;
        b = &found->region[pair[i]];
        common = (double)common_pixels(a, b);
        s->inclusion += common / (double)a->n;
        s->exclusion += common / (double)b->n;
        s->mean_iou += iou_of(a, b, (size_t)common);
        n++;
    }
    s->inclusion /= n ? (double)n : 1;
    s->exclusion /= n ? (double)n : 1;
    s->mean_iou /= n ? (double)n : 1;
}

/* By overlaps: the score at iou_min, and the average precision. */
static nset_status rate_overlaps(nset_mask_score *out, size_t *pair, unsigned char *taken, const nset_regions *truth,
    const nset_regions *found, const nset_regions *ignore, double dist, double iou_min, nset_error *err)
{
    double *iou = nset_calloc(truth->n * found->n, sizeof *iou), *cost = nset_calloc(truth->n * found->n, sizeof *cost);
    nset_status status = iou && cost ? NSET_OK : nset_fail_oom(err, truth->n * found->n, 2 * sizeof *iou);

    if (status == NSET_OK) {
        fill_iou(iou, truth, found);
        status = match_overlaps(pair, cost, iou, truth->n, found->n, iou_min, err);
    }
    if (status == NSET_OK)
        out->iou = rate(pair, taken, truth, found, ignore, dist);
    for (int i = 0; i < N_PRECISIONS && status == NSET_OK; i++) {
        status = match_overlaps(pair, cost, iou, truth->n, found->n, (50 + 5 * i) / 100., err);
        if (status == NSET_OK) {
            nset_match_score s = rate(pair, taken, truth, found, ignore, dist);
            size_t all = s.found + s.truth - s.hits;
            out->average_precision += all ? (double)s.hits / (double)all / N_PRECISIONS : 0;
        }
    }
    nset_free(iou);
    nset_free(cost);
    return status;
}

nset_status nset_compare_masks(nset_mask_score *out, size_t *centre_pair, const nset_regions *found,
    const nset_regions *truth, const nset_regions *ignore, double dist, double iou_min, nset_error *err)
{
    size_t *pair = nset_calloc(truth->n, sizeof *pair);
    unsigned char *taken = nset_calloc(found->n, 1);
    nset_status status = pair && taken ? NSET_OK : nset_fail_oom(err, truth->n + found->n, sizeof *pair);

    if (status == NSET_OK) {
        *out = (nset_mask_score){ 0 };
        match_centres(pair, taken, truth, found, dist);
        if (centre_pair && truth->n)
            memcpy(centre_pair, pair, truth->n * sizeof *pair);
        out->centre = rate(pair, taken, truth, found, ignore, dist);
        rate_shapes(out, pair, truth, found);
        status = rate_overlaps(out, pair, taken, truth, found, ignore, dist, iou_min, err);
    }
    nset_free(pair);
    nset_free(taken);
    return status;
}
