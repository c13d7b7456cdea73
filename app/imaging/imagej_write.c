/* Outlines of masks along the edges of their pixels. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <neuroset/memory.h>

#include "imaging/imagej_roi.h"
#include "results/zip_file.h"

enum { HEADER = 64, HEADER2 = 64, VERSION = 228, MOST_WHOLE = 32767, MOST_POINTS = 65535 };
enum { EAST, SOUTH, WEST, NORTH };

/* The mask in its box, with a margin of one pixel; edges of pixels that were walked, a bit a direction. */
typedef struct tracer {
    size_t top, left, height, width; /* of the box with its margin */
    unsigned char *in, *walked;      /* (height, width), owned */
    int32_t (*at)[2];                /* (n) corners x, y of all loops in the movie's pixels, owned */
    size_t *first;                   /* (n_loops), owned */
    size_t n, cap_at, n_loops, cap_first;
} tracer;

static void free_tracer(tracer *t)
{
    nset_free(t->in);
    nset_free(t->walked);
    nset_free(t->at);
    nset_free(t->first);
}

static nset_status fill(tracer *t, const nset_roi *r, size_t width, nset_error *err)
{
    size_t top = SIZE_MAX, left = SIZE_MAX, bottom = 0, right = 0;

    for (size_t k = 0; k < r->n_pixels; k++) {
        size_t y = (size_t)r->pixel[k] / width, x = (size_t)r->pixel[k] % width;
        top = y < top ? y : top;
        left = x < left ? x : left;
        bottom = y > bottom ? y : bottom;
        right = x > right ? x : right;
    }
    t->top = top;
    t->left = left;
    t->height = bottom - top + 3;
    t->width = right - left + 3;
    t->in = nset_calloc(t->height, t->width);
    t->walked = nset_calloc(t->height, t->width);
    if (!t->in || !t->walked)
        return nset_fail_oom(err, t->height, t->width);
    for (size_t k = 0; k < r->n_pixels; k++)
        t->in[((size_t)r->pixel[k] / width - top + 1) * t->width + (size_t)r->pixel[k] % width - left + 1] = 1;
    return NSET_OK;
}

/* Of the four pixels around corner (x, y): the one to the right of a step in that direction. */
static size_t right_of(const tracer *t, size_t y, size_t x, int direction)
{
    size_t row = direction == EAST || direction == SOUTH ? y : y - 1;

    return row * t->width + (direction == SOUTH || direction == WEST ? x - 1 : x);
}

static size_t left_of(const tracer *t, size_t y, size_t x, int direction)
{
    return right_of(t, y, x, (direction + 3) % 4);
}

/* Clockwise about the pixels, with them on the right hand. Where two pixels touch at a corner only, the walk stays with
 * its own, so that each loop is simple. */
static nset_status walk(tracer *t, size_t y, size_t x, nset_error *err)
{
    static const int dy[] = { 0, 1, 0, -1 }, dx[] = { 1, 0, -1, 0 };
    int direction = EAST, before = -1;
    nset_status status = nset_grow(&t->first, &t->cap_first, t->n_loops + 1, sizeof *t->first, err);

    if (status != NSET_OK)
        return status;
    t->first[t->n_loops++] = t->n;
    for (;;) {
        size_t own = right_of(t, y, x, direction);
        if (t->walked[own] & 1 << direction)
            return NSET_OK;
        t->walked[own] |= (unsigned char)(1 << direction);
        if (direction != before) {
            if ((status = nset_grow(&t->at, &t->cap_at, t->n + 1, sizeof *t->at, err)) != NSET_OK)
                return status;
            t->at[t->n][0] = (int32_t)(x + t->left) - 1;
            t->at[t->n++][1] = (int32_t)(y + t->top) - 1;
        }
        before = direction;
        y = (size_t)((ptrdiff_t)y + dy[direction]);
        x = (size_t)((ptrdiff_t)x + dx[direction]);
        if (!t->in[right_of(t, y, x, direction)])
            direction = (direction + 1) % 4;
        else if (t->in[left_of(t, y, x, direction)])
            direction = (direction + 3) % 4;
    }
}

static nset_status trace(tracer *t, nset_error *err)
{
    nset_status status = NSET_OK;

    for (size_t y = 1; y + 1 < t->height; y++)
        for (size_t x = 1; x + 1 < t->width && status == NSET_OK; x++)
            if (t->in[y * t->width + x] && !t->in[(y - 1) * t->width + x] && !(t->walked[y * t->width + x] & 1 << EAST))
                status = walk(t, y, x, err);
    return status;
}

/* ---- bytes ---- */

static void put(unsigned char *b, size_t at, uint32_t x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        b[at + i] = (unsigned char)(x >> 8 * (n - 1 - i));
}

static void put_float(unsigned char *b, size_t at, float x)
{
    uint32_t bits;

    memcpy(&bits, &x, 4);
    put(b, at, bits, 4);
}

static size_t body_size(const tracer *t, bool traced)
{
    return traced ? 4 * t->n : 4 * (3 * t->n + t->n_loops);
}

static void put_traced(unsigned char *b, const tracer *t)
{
    for (size_t i = 0; i < t->n; i++) {
        put(b, HEADER + 2 * i, (uint32_t)(t->at[i][0] - (int32_t)t->left), 2);
        put(b, HEADER + 2 * (t->n + i), (uint32_t)(t->at[i][1] - (int32_t)t->top), 2);
    }
}

static void put_composite(unsigned char *b, const tracer *t)
{
    size_t at = HEADER;

    for (size_t p = 0; p < t->n_loops; p++) {
        size_t end = p + 1 < t->n_loops ? t->first[p + 1] : t->n;
        for (size_t i = t->first[p]; i < end; i++) {
            put_float(b, at, i > t->first[p]);
            put_float(b, at + 4, (float)t->at[i][0]);
            put_float(b, at + 8, (float)t->at[i][1]);
            at += 12;
        }
        put_float(b, at, 4);
        at += 4;
    }
}

/* *out := malloc's bytes of a .roi of that name. */
static nset_status encode(char **out, size_t *n, const tracer *t, const char *name, nset_error *err)
{
    bool traced = t->n_loops == 1 && t->n <= MOST_POINTS;
    size_t body = body_size(t, traced), second = HEADER + body, letters = strlen(name);
    unsigned char *b;

    *n = second + HEADER2 + 2 * letters;
    if (!(b = calloc(*n, 1)))
        return nset_fail_oom(err, *n, 1);
    memcpy(b, "Iout", 4);
    put(b, 4, VERSION, 2);
    b[6] = traced ? 8 : 1;
    put(b, 8, (uint32_t)t->top, 2);
    put(b, 10, (uint32_t)t->left, 2);
    put(b, 12, (uint32_t)(t->top + t->height - 2), 2);
    put(b, 14, (uint32_t)(t->left + t->width - 2), 2);
    put(b, 16, traced ? (uint32_t)t->n : 0, 2);
    put(b, 36, traced ? 0 : (uint32_t)(body / 4), 4);
    put(b, 60, (uint32_t)second, 4);
    if (traced)
        put_traced(b, t);
    else
        put_composite(b, t);
    put(b, second + 16, (uint32_t)(second + HEADER2), 4);
    put(b, second + 20, (uint32_t)letters, 4);
    for (size_t i = 0; i < letters; i++)
        b[second + HEADER2 + 2 * i + 1] = (unsigned char)name[i];
    *out = (char *)b;
    return NSET_OK;
}

static nset_status add_roi(zip_t *zip, const nset_roi *r, size_t width, const char *path, nset_error *err)
{
    tracer t = { 0 };
    char name[32], *bytes = NULL;
    size_t n = 0;
    nset_status status = fill(&t, r, width, err);

    if (status == NSET_OK && t.top + t.height + t.left + t.width > MOST_WHOLE)
        status =
            nset_fail(err, NSET_ERR_ARG, "%s: mask %d lies beyond 32,767 pixels: ImageJ cannot hold it", path, r->id);
    snprintf(name, sizeof name, "%04d", r->id);
    if (status == NSET_OK && (status = trace(&t, err)) == NSET_OK &&
        (status = encode(&bytes, &n, &t, name, err)) == NSET_OK) {
        strcat(name, ".roi");
        status = nset_zip_add(zip, name, bytes, n, path, err);
    }
    free_tracer(&t);
    return status;
}

nset_status nset_roiset_write(const nset_masks *masks, nset_run_folder *folder, nset_error *err)
{
    const char *path = nset_run_folder_path(folder, "RoiSet.zip", err);
    zip_t *zip = NULL;
    nset_status status;

    if (!path)
        return NSET_ERR_IO;
    if ((status = nset_zip_open(&zip, path, err)) != NSET_OK)
        return status;
    for (size_t i = 0; i < masks->n && status == NSET_OK; i++)
        status = add_roi(zip, &masks->roi[i], masks->width, path, err);
    return nset_zip_close(zip, status, path, err);
}
