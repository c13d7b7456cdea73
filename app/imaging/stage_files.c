#include "imaging/stage_files.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <neuroset/memory.h>

/* ---- motion ---- */

typedef struct motion_head {
    size_t size; /* of the struct: another layout is another file */
    uint64_t n_frames, height, width, rows, columns;
    int32_t line_offset, still, unclear, filled;
    nset_motion_quality quality;
} motion_head;

void nset_motion_put(nset_state_out *to, const void *what)
{
    const nset_motion *m = what;
    size_t blocks = m->rows * m->columns;
    motion_head h = { 0 };

    h.size = sizeof *m;
    h.n_frames = m->n_frames;
    h.height = m->height;
    h.width = m->width;
    h.rows = m->rows;
    h.columns = m->columns;
    h.line_offset = m->line_offset;
    h.still = m->still;
    h.unclear = m->unclear;
    h.filled = m->fill != NULL;
    h.quality = m->quality;
    nset_state_put(to, &h, sizeof h);
    nset_state_put(to, m->shift, m->n_frames * sizeof *m->shift);
    nset_state_put(to, m->left_out, m->n_frames);
    nset_state_put(to, m->valid, m->n_frames);
    nset_state_put(to, m->row, m->rows * sizeof *m->row);
    nset_state_put(to, m->column, m->columns * sizeof *m->column);
    nset_state_put(to, m->block, m->n_frames * blocks * 2 * sizeof *m->block);
    if (m->fill)
        nset_state_put(to, m->fill, m->height * m->width * sizeof *m->fill);
}

static bool fits(const motion_head *h, const nset_motion *m)
{
    return h->size == sizeof *m && h->n_frames == m->n_frames && h->height == m->height && h->width == m->width &&
           h->rows <= h->height && h->columns <= h->width && (h->rows == 0) == (h->columns == 0) &&
           (size_t)labs(h->line_offset) < h->width + 1;
}

/* Shifts that reach beyond the frame, or are no numbers, are no shifts. */
static bool are_shifts(const nset_motion *m)
{
    double most = (double)(m->height + m->width);
    size_t n = m->n_frames * m->rows * m->columns * 2;

    for (size_t t = 0; t < m->n_frames; t++)
        if (!(fabs(m->shift[t][0]) <= most) || !(fabs(m->shift[t][1]) <= most))
            return false;
    for (size_t k = 0; k < n; k++)
        if (!(fabs((double)m->block[k]) <= most))
            return false;
    for (size_t k = 1; k < m->rows; k++)
        if (!(m->row[k] > m->row[k - 1]))
            return false;
    for (size_t k = 1; k < m->columns; k++)
        if (!(m->column[k] > m->column[k - 1]))
            return false;
    return true;
}

/* Of two sizes that were held against the movie's. */
static nset_status take_array(void *out, nset_state_in *from, size_t n, size_t m, size_t size, nset_error *err)
{
    size_t count;

    if (__builtin_mul_overflow(n, m, &count))
        return nset_state_damaged(from, err);
    return nset_state_take_new(out, from, count, size, err);
}

nset_status nset_motion_take(void *what, nset_state_in *from, nset_error *err)
{
    nset_motion *m = what, empty = *m;
    motion_head h;
    nset_status status;

    if ((status = nset_state_take(from, &h, sizeof h, err)) != NSET_OK)
        return status;
    if (!fits(&h, m))
        return nset_state_damaged(from, err);
    m->rows = h.rows;
    m->columns = h.columns;
    m->line_offset = h.line_offset;
    m->still = h.still;
    m->unclear = h.unclear;
    m->quality = h.quality;
    if ((status = take_array(&m->shift, from, m->n_frames, 1, sizeof *m->shift, err)) != NSET_OK ||
        (status = take_array(&m->left_out, from, m->n_frames, 1, 1, err)) != NSET_OK ||
        (status = take_array(&m->valid, from, m->n_frames, 1, 1, err)) != NSET_OK ||
        (status = take_array(&m->row, from, m->rows, 1, sizeof *m->row, err)) != NSET_OK ||
        (status = take_array(&m->column, from, m->columns, 1, sizeof *m->column, err)) != NSET_OK ||
        (status = take_array(&m->block, from, m->n_frames, m->rows * m->columns, 2 * sizeof *m->block, err)) !=
            NSET_OK ||
        (h.filled && (status = take_array(&m->fill, from, m->height, m->width, sizeof *m->fill, err)) != NSET_OK))
        goto done;
    if (!are_shifts(m))
        status = nset_state_damaged(from, err);

done:
    if (status != NSET_OK) {
        nset_motion_fini(m);
        *m = empty;
    }
    return status;
}

/* ---- masks and summary ---- */

typedef struct masks_head {
    size_t size; /* of a ROI */
    uint64_t n;
} masks_head;

static void put_masks(nset_state_out *to, const nset_masks *m)
{
    masks_head h = { 0 };

    h.size = sizeof *m->roi;
    h.n = m ? m->n : UINT64_MAX;
    nset_state_put(to, &h, sizeof h);
    for (size_t i = 0; m && i < m->n; i++) {
        const nset_roi *r = &m->roi[i];
        nset_roi plain = *r;
        plain.pixel = NULL;
        plain.weight = NULL;
        nset_state_put(to, &plain, sizeof plain);
        nset_state_put(to, r->pixel, r->n_pixels * sizeof *r->pixel);
        nset_state_put(to, r->weight, r->n_pixels * sizeof *r->weight);
    }
}

static nset_status take_roi(nset_roi *r, nset_state_in *from, size_t n_pixels, nset_error *err)
{
    nset_status status = nset_state_take(from, r, sizeof *r, err);

    r->pixel = NULL;
    r->weight = NULL;
    if (status != NSET_OK || (status = take_array(&r->pixel, from, r->n_pixels, 1, sizeof *r->pixel, err)) != NSET_OK ||
        (status = take_array(&r->weight, from, r->n_pixels, 1, sizeof *r->weight, err)) != NSET_OK)
        return status;
    for (size_t k = 0; k < r->n_pixels; k++)
        if (r->pixel[k] < 0 || (size_t)r->pixel[k] >= n_pixels)
            return nset_state_damaged(from, err);
    return memchr(r->reason, '\0', sizeof r->reason) ? NSET_OK : nset_state_damaged(from, err);
}

static nset_status take_masks(nset_masks **out, nset_state_in *from, const nset_found *f, nset_error *err)
{
    nset_masks *m;
    masks_head h;
    nset_status status = nset_state_take(from, &h, sizeof h, err);

    if (status != NSET_OK)
        return status;
    if (h.n == UINT64_MAX)
        return NSET_OK;
    if (h.size != sizeof *m->roi || !nset_state_may_come(from, h.n, sizeof *m->roi))
        return nset_state_damaged(from, err);
    if (!(m = nset_calloc(1, sizeof *m)) || !(m->roi = nset_calloc(h.n, sizeof *m->roi))) {
        nset_free(m);
        return nset_fail_oom(err, h.n, sizeof *m->roi);
    }
    m->height = f->height;
    m->width = f->width;
    for (; m->n < h.n && status == NSET_OK; m->n++)
        status = take_roi(&m->roi[m->n], from, f->height * f->width, err);
    if (status != NSET_OK) {
        nset_masks_free(m);
        return status;
    }
    *out = m;
    return NSET_OK;
}

typedef struct found_head {
    uint64_t n_frames, height, width, n_maps;
    double diameter;
} found_head;

void nset_found_put(nset_state_out *to, const void *what)
{
    const nset_found *f = what;
    found_head h = { f->n_frames, f->height, f->width, f->summary->n, f->diameter };

    nset_state_put(to, &h, sizeof h);
    put_masks(to, f->masks);
    put_masks(to, f->rejected);
    nset_state_put(to, f->summary->data, f->summary->n * f->height * f->width * sizeof *f->summary->data);
}

nset_status nset_found_take(void *what, nset_state_in *from, nset_error *err)
{
    nset_found *f = what, empty = *f;
    size_t n_names = 0;
    found_head h;
    nset_status status = nset_state_take(from, &h, sizeof h, err);

    while (f->names[n_names])
        n_names++;
    if (status != NSET_OK)
        return status;
    if (h.n_frames != f->n_frames || h.height != f->height || h.width != f->width || h.n_maps > n_names)
        return nset_state_damaged(from, err);
    if ((status = take_masks(&f->masks, from, f, err)) == NSET_OK &&
        (status = take_masks(&f->rejected, from, f, err)) == NSET_OK) {
        f->summary = nset_calloc(1, sizeof *f->summary);
        status = f->summary ? take_array(&f->summary->data, from, h.n_maps, f->height * f->width,
                                  sizeof *f->summary->data, err)
                            : nset_fail_oom(err, 1, sizeof *f->summary);
    }
    if (status == NSET_OK && !f->masks)
        status = nset_state_damaged(from, err);
    if (status != NSET_OK) {
        nset_found_fini(f);
        *f = empty;
        return status;
    }
    f->diameter = h.diameter;
    f->summary->n = h.n_maps;
    f->summary->height = f->height;
    f->summary->width = f->width;
    f->summary->names = f->names;
    return NSET_OK;
}

void nset_found_fini(nset_found *f)
{
    nset_masks_free(f->masks);
    nset_masks_free(f->rejected);
    nset_maps_free(f->summary);
    *f = (nset_found){ 0 };
}

/* ---- traces ---- */

/* Arrays of a nset_traces, each of n_rois, or n_rois times n_frames. */
#define MEMBER(name, frames)                                                                                           \
    {                                                                                                                  \
        offsetof(nset_traces, name), sizeof *((nset_traces *)0)->name, frames                                          \
    }
static const struct member {
    size_t at, size;
    bool frames;
} members[] = {
    MEMBER(raw, true),
    MEMBER(neuropil, true),
    MEMBER(corrected, true),
    MEMBER(dff, true),
    MEMBER(fit, true),
    MEMBER(events, true),
    MEMBER(share, false),
    MEMBER(noise, false),
    MEMBER(decay_s, false),
    MEMBER(flags, false),
};
enum { MEMBERS = sizeof members / sizeof *members };
_Static_assert(
    sizeof(nset_traces) == 3 * sizeof(size_t) + MEMBERS * sizeof(void *), "members[] lists all arrays of it");

static void **member_of(nset_traces *t, const struct member *m)
{
    return (void **)((char *)t + m->at);
}

typedef struct traces_head {
    uint64_t n_rois, n_frames;
    double rate_hz;
} traces_head;

void nset_traced_put(nset_state_out *to, const void *what)
{
    const nset_traced *w = what;
    nset_traces *t = w->traces;
    traces_head h = { t->n_rois, t->n_frames, t->rate_hz };

    nset_state_put(to, &h, sizeof h);
    for (size_t k = 0; k < MEMBERS; k++)
        nset_state_put(
            to, *member_of(t, &members[k]), t->n_rois * (members[k].frames ? t->n_frames : 1) * members[k].size);
    for (size_t i = 0; i < w->masks->n; i++) {
        nset_state_put(to, &w->masks->roi[i].snr, sizeof(double));
        nset_state_put(to, &w->masks->roi[i].stability, sizeof(double));
    }
}

nset_status nset_traced_take(void *what, nset_state_in *from, nset_error *err)
{
    nset_traced *w = what;
    nset_traces *t;
    traces_head h;
    nset_status status = nset_state_take(from, &h, sizeof h, err);

    if (status != NSET_OK)
        return status;
    if (h.n_rois != w->masks->n || h.n_frames != w->n_frames)
        return nset_state_damaged(from, err);
    if (!(t = nset_calloc(1, sizeof *t)))
        return nset_fail_oom(err, 1, sizeof *t);
    *t = (nset_traces){ .n_rois = h.n_rois, .n_frames = h.n_frames, .rate_hz = h.rate_hz };
    for (size_t k = 0; k < MEMBERS && status == NSET_OK; k++)
        status = take_array((void *)member_of(t, &members[k]), from, t->n_rois, members[k].frames ? t->n_frames : 1,
            members[k].size, err);
    for (size_t i = 0; i < w->masks->n && status == NSET_OK; i++)
        if ((status = nset_state_take(from, &w->masks->roi[i].snr, sizeof(double), err)) == NSET_OK)
            status = nset_state_take(from, &w->masks->roi[i].stability, sizeof(double), err);
    if (status != NSET_OK) {
        nset_traces_free(t);
        return status;
    }
    w->traces = t;
    return NSET_OK;
}
