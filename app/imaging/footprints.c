#include "imaging/footprints.h"

#include <stdlib.h>

#include <neuroset/memory.h>

/* ---- rings ---- */

typedef struct grower {
    const nset_masks *masks;
    uint32_t *seen;          /* (pixels) mask i's search writes i + 1 */
    unsigned char *occupied; /* (pixels) by any mask */
    int32_t *queue;          /* (pixels) */
    size_t n_queue;
    int32_t *pixel; /* of all rings so far */
    size_t n, capacity;
} grower;

static void visit(grower *g, ptrdiff_t row, ptrdiff_t column, uint32_t mark)
{
    size_t at;

    if (row < 0 || column < 0 || (size_t)row >= g->masks->height || (size_t)column >= g->masks->width)
        return;
    at = (size_t)row * g->masks->width + (size_t)column;
    if (g->seen[at] == mark)
        return;
    g->seen[at] = mark;
    g->queue[g->n_queue++] = (int32_t)at;
}

static int ascending(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;

    return (x > y) - (x < y);
}

static nset_status grow_ring(grower *g, size_t i, nset_error *err)
{
    const nset_roi *roi = &g->masks->roi[i];
    size_t begin = 0, first = g->n;
    nset_status status;

    g->n_queue = 0;
    for (size_t k = 0; k < roi->n_pixels; k++)
        visit(
            g, roi->pixel[k] / (ptrdiff_t)g->masks->width, roi->pixel[k] % (ptrdiff_t)g->masks->width, (uint32_t)i + 1);
    for (int step = 1; step <= NSET_RING_STEPS && g->n - first < NSET_RING_PIXELS; step++) {
        size_t end = g->n_queue;
        for (size_t k = begin; k < end; k++) {
            ptrdiff_t row = g->queue[k] / (ptrdiff_t)g->masks->width, column = g->queue[k] % (ptrdiff_t)g->masks->width;
            for (ptrdiff_t dy = -1; dy <= 1; dy++)
                for (ptrdiff_t dx = -1; dx <= 1; dx++)
                    if (step % 2 == 0 || dy == 0 || dx == 0)
                        visit(g, row + dy, column + dx, (uint32_t)i + 1);
        }
        begin = end;
        if (step <= NSET_RING_GAP)
            continue;
        if ((status = nset_grow(&g->pixel, &g->capacity, g->n + g->n_queue - end, sizeof *g->pixel, err)) != NSET_OK)
            return status;
        for (size_t k = end; k < g->n_queue; k++)
            if (!g->occupied[g->queue[k]])
                g->pixel[g->n++] = g->queue[k];
    }
    if (g->n > first)
        qsort(g->pixel + first, g->n - first, sizeof *g->pixel, ascending);
    return NSET_OK;
}

nset_status nset_rings_make(nset_rings *out, const nset_masks *masks, nset_error *err)
{
    size_t n_pixels = masks->height * masks->width;
    grower g = { .masks = masks };
    nset_status status = NSET_OK;
    size_t *offset = nset_calloc(masks->n + 1, sizeof *offset);

    g.seen = nset_calloc(n_pixels, sizeof *g.seen);
    g.occupied = nset_calloc(n_pixels, 1);
    g.queue = nset_calloc(n_pixels, sizeof *g.queue);
    if (!offset || !g.seen || !g.occupied || !g.queue)
        status = nset_fail_oom(err, n_pixels, sizeof *g.seen);
    for (size_t i = 0; i < masks->n && status == NSET_OK; i++)
        for (size_t k = 0; k < masks->roi[i].n_pixels; k++)
            g.occupied[masks->roi[i].pixel[k]] = 1;
    for (size_t i = 0; i < masks->n && status == NSET_OK; i++) {
        status = grow_ring(&g, i, err);
        offset[i + 1] = g.n;
    }
    nset_free(g.seen);
    nset_free(g.occupied);
    nset_free(g.queue);
    if (status != NSET_OK) {
        nset_free(offset);
        nset_free(g.pixel);
        return status;
    }
    *out = (nset_rings){ offset, g.pixel };
    return NSET_OK;
}

void nset_rings_fini(nset_rings *r)
{
    nset_free(r->offset);
    nset_free(r->pixel);
    *r = (nset_rings){ 0 };
}

/* ---- overlaps ---- */

typedef struct cover { /* one pixel of one mask */
    int32_t pixel;
    uint32_t mask;
    float weight;
} cover;

typedef struct pair {
    uint32_t a, b;
    double product;
} pair;

static int by_pixel(const void *p, const void *q)
{
    const cover *x = p, *y = q;

    return x->pixel != y->pixel ? (x->pixel > y->pixel) - (x->pixel < y->pixel)
                                : (x->mask > y->mask) - (x->mask < y->mask);
}

static int by_masks(const void *p, const void *q)
{
    const pair *x = p, *y = q;

    return x->a != y->a ? (x->a > y->a) - (x->a < y->a) : (x->b > y->b) - (x->b < y->b);
}

static int by_all(const void *p, const void *q)
{
    const pair *x = p, *y = q;
    int order = by_masks(p, q);

    return order ? order : (x->product > y->product) - (x->product < y->product);
}

/* One pair a shared pixel, each mask with itself too. */
static nset_status list_pairs(pair **out, size_t *n_out, const cover *c, size_t n, nset_error *err)
{
    size_t capacity = 0, m = 0;
    pair *p = NULL;
    nset_status status;

    for (size_t first = 0, last; first < n; first = last) {
        for (last = first + 1; last < n && c[last].pixel == c[first].pixel; last++)
            ;
        if ((status = nset_grow(&p, &capacity, m + (last - first) * (last - first), sizeof *p, err)) != NSET_OK) {
            nset_free(p);
            return status;
        }
        for (size_t i = first; i < last; i++)
            for (size_t j = first; j < last; j++)
                p[m++] = (pair){ c[i].mask, c[j].mask, (double)c[i].weight * (double)c[j].weight };
    }
    *out = p;
    *n_out = m;
    return NSET_OK;
}

/* Sums the products of equal pairs, which follow each other. */
static nset_status merge_pairs(nset_overlaps *out, const pair *p, size_t m, size_t n_masks, nset_error *err)
{
    size_t k = 0;

    out->offset = nset_calloc(n_masks + 1, sizeof *out->offset);
    out->other = nset_calloc(m, sizeof *out->other);
    out->product = nset_calloc(m, sizeof *out->product);
    if (!out->offset || !out->other || !out->product)
        return nset_fail_oom(err, m, sizeof *out->product);
    for (size_t i = 0; i < m; i++) {
        if (i == 0 || by_masks(&p[i - 1], &p[i]) != 0) {
            out->other[k++] = p[i].b;
            out->offset[p[i].a + 1] = k;
        }
        out->product[k - 1] += p[i].product;
    }
    for (size_t i = 0; i < n_masks; i++) /* masks without pixels */
        if (out->offset[i + 1] < out->offset[i])
            out->offset[i + 1] = out->offset[i];
    return NSET_OK;
}

nset_status nset_overlaps_make(nset_overlaps *out, const nset_masks *masks, nset_error *err)
{
    nset_overlaps o = { 0 };
    size_t n = 0, m = 0;
    cover *c = NULL;
    pair *p = NULL;
    nset_status status;

    for (size_t i = 0; i < masks->n; i++)
        n += masks->roi[i].n_pixels;
    if (!(c = nset_calloc(n, sizeof *c)))
        return nset_fail_oom(err, n, sizeof *c);
    n = 0;
    for (size_t i = 0; i < masks->n; i++)
        for (size_t k = 0; k < masks->roi[i].n_pixels; k++)
            c[n++] = (cover){ masks->roi[i].pixel[k], (uint32_t)i, masks->roi[i].weight[k] };
    if (n)
        qsort(c, n, sizeof *c, by_pixel);
    if ((status = list_pairs(&p, &m, c, n, err)) == NSET_OK) {
        if (m)
            qsort(p, m, sizeof *p, by_all);
        status = merge_pairs(&o, p, m, masks->n, err);
    }
    nset_free(c);
    nset_free(p);
    if (status != NSET_OK)
        nset_overlaps_fini(&o);
    else
        *out = o;
    return status;
}

void nset_overlaps_fini(nset_overlaps *o)
{
    nset_free(o->offset);
    nset_free(o->other);
    nset_free(o->product);
    *o = (nset_overlaps){ 0 };
}
