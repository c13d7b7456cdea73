#include "imaging/decode.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <neuroset/memory.h>

typedef struct candidate {
    float score;
    size_t row, column;
} candidate;

nset_status nset_seg_maps_init(nset_seg_maps *m, size_t height, size_t width, nset_error *err)
{
    size_t n = height * width;

    *m = (nset_seg_maps){ .height = height, .width = width };
    m->mask = nset_calloc(n, sizeof *m->mask);
    m->centre = nset_calloc(n, sizeof *m->centre);
    m->offset = nset_calloc(2 * n, sizeof *m->offset);
    if (m->mask && m->centre && m->offset)
        return NSET_OK;
    nset_seg_maps_fini(m);
    return nset_fail_oom(err, n, sizeof *m->mask);
}

void nset_seg_maps_fini(nset_seg_maps *m)
{
    nset_free(m->mask);
    nset_free(m->centre);
    nset_free(m->offset);
    *m = (nset_seg_maps){ 0 };
}

static int by_score(const void *a, const void *b)
{
    const candidate *p = a, *q = b;

    if (p->score != q->score)
        return p->score > q->score ? -1 : 1;
    if (p->row != q->row)
        return p->row < q->row ? -1 : 1;
    return (p->column > q->column) - (p->column < q->column);
}

static int is_peak(const nset_seg_maps *m, size_t row, size_t column, ptrdiff_t reach)
{
    float here = m->centre[row * m->width + column];

    for (ptrdiff_t y = -reach; y <= reach; y++)
        for (ptrdiff_t x = -reach; x <= reach; x++) {
            ptrdiff_t i = (ptrdiff_t)row + y, j = (ptrdiff_t)column + x;
            float other;
            if (i < 0 || j < 0 || i >= (ptrdiff_t)m->height || j >= (ptrdiff_t)m->width)
                continue;
            other = m->centre[(size_t)i * m->width + (size_t)j];
            if (other > here || (other == here && (y < 0 || (y == 0 && x < 0))))
                return 0;
        }
    return 1;
}

/* Peaks of the centre map from lowest on, best first, none within .45 diameters of a better one. */
static nset_status find_centres(
    candidate **out, size_t *n_out, const nset_seg_maps *m, double diameter, double lowest, nset_error *err)
{
    size_t n = 0, kept = 0, capacity = 0;
    candidate *list = NULL;
    nset_status status;

    for (size_t i = 0; i < m->height; i++)
        for (size_t j = 0; j < m->width; j++) {
            if ((double)m->centre[i * m->width + j] < lowest || !is_peak(m, i, j, 2))
                continue;
            if ((status = nset_grow(&list, &capacity, n + 1, sizeof *list, err)) != NSET_OK) {
                nset_free(list);
                return status;
            }
            list[n++] = (candidate){ m->centre[i * m->width + j], i, j };
        }
    if (n)
        qsort(list, n, sizeof *list, by_score);
    for (size_t i = 0; i < n; i++) {
        int near = 0;
        for (size_t k = 0; k < kept && !near; k++)
            near = hypot((double)list[i].row - (double)list[k].row, (double)list[i].column - (double)list[k].column) <
                   .45 * diameter;
        if (!near)
            list[kept++] = list[i];
    }
    *out = list;
    *n_out = kept;
    return NSET_OK;
}

/* Does pixel (i, j) belong to centre c? Its vote must fall near c, and no other centre may be much nearer. */
static int belongs(
    const nset_seg_maps *m, const candidate *list, size_t n, size_t c, size_t i, size_t j, double diameter)
{
    size_t p = i * m->width + j;
    double y = (double)i + (double)m->offset[2 * p], x = (double)j + (double)m->offset[2 * p + 1];
    double here = hypot(y - (double)list[c].row, x - (double)list[c].column);

    if (m->mask[p] < .5f || here > .5 * diameter)
        return 0;
    for (size_t k = 0; k < n && here > .2 * diameter; k++)
        if (k != c && hypot(y - (double)list[k].row, x - (double)list[k].column) < here)
            return 0;
    return 1;
}

static nset_status fill_roi(
    nset_roi *r, const nset_seg_maps *m, const candidate *list, size_t n, size_t c, double diameter, nset_error *err)
{
    size_t reach = (size_t)ceil(1.1 * diameter), row = list[c].row, column = list[c].column, capacity = 0;
    size_t first = row > reach ? row - reach : 0, last = row + reach + 1 < m->height ? row + reach + 1 : m->height;
    size_t left = column > reach ? column - reach : 0,
           right = column + reach + 1 < m->width ? column + reach + 1 : m->width;
    double least = .25 * .785 * diameter * diameter, y = 0, x = 0;
    nset_status status;

    r->probability = (double)list[c].score;
    r->snr = r->stability = NAN;
    for (int pass = 0; pass < 2 && (double)r->n_pixels < least; pass++) {
        r->n_pixels = 0;
        for (size_t i = first; i < last; i++)
            for (size_t j = left; j < right; j++) {
                /* a centre few pixels vote for is drawn as a disk of the usual size */
                if (pass == 0 ? !belongs(m, list, n, c, i, j, diameter)
                              : hypot((double)i - (double)row, (double)j - (double)column) > .45 * diameter)
                    continue;
                if ((status = nset_grow(&r->pixel, &capacity, r->n_pixels + 1, sizeof *r->pixel, err)) != NSET_OK)
                    return status;
                r->pixel[r->n_pixels++] = (int32_t)(i * m->width + j);
            }
    }
    if (!(r->weight = nset_calloc(r->n_pixels, sizeof *r->weight)))
        return nset_fail_oom(err, r->n_pixels, sizeof *r->weight);
    for (size_t k = 0; k < r->n_pixels; k++) {
        y += (double)((size_t)r->pixel[k] / m->width) / (double)r->n_pixels;
        x += (double)((size_t)r->pixel[k] % m->width) / (double)r->n_pixels;
        r->weight[k] = (float)(1 / (double)r->n_pixels);
    }
    r->row = y;
    r->column = x;
    return NSET_OK;
}

static nset_status make_masks(nset_masks **out, const nset_seg_maps *m, const candidate *list, size_t n, size_t first,
    size_t last, double diameter, const char *reason, nset_error *err)
{
    nset_masks *masks = nset_calloc(1, sizeof *masks);
    nset_status status = NSET_OK;

    if (!masks || !(masks->roi = nset_calloc(last - first, sizeof *masks->roi))) {
        nset_free(masks);
        return nset_fail_oom(err, last - first, sizeof *masks->roi);
    }
    masks->height = m->height;
    masks->width = m->width;
    masks->n = last - first;
    for (size_t c = first; c < last && status == NSET_OK; c++) {
        nset_roi *r = &masks->roi[c - first];
        r->id = (int32_t)(c - first);
        snprintf(r->reason, sizeof r->reason, "%s", reason);
        status = fill_roi(r, m, list, n, c, diameter, err);
    }
    if (status != NSET_OK) {
        nset_masks_free(masks);
        return status;
    }
    *out = masks;
    return NSET_OK;
}

nset_status nset_decode(
    nset_masks **out, nset_masks **rejected, const nset_seg_maps *m, double diameter, double threshold, nset_error *err)
{
    candidate *list = NULL;
    size_t n = 0, good = 0;
    char reason[96];
    nset_status status;

    if ((status = find_centres(&list, &n, m, diameter, (rejected ? .5 : 1) * threshold, err)) != NSET_OK)
        return status;
    while (good < n && (double)list[good].score >= threshold)
        good++;
    snprintf(reason, sizeof reason, "centre probability below %.3g", threshold);
    status = make_masks(out, m, list, good, 0, good, diameter, "", err);
    if (status == NSET_OK && rejected &&
        (status = make_masks(rejected, m, list, n, good, n, diameter, reason, err)) != NSET_OK) {
        nset_masks_free(*out);
        *out = NULL;
    }
    nset_free(list);
    return status;
}
