/* Frames put right by their shifts: the movie that the rest of the program reads. */
#include "imaging/motion.h"

#include <math.h>
#include <pthread.h>
#include <string.h>

#include <neuroset/memory.h>

#include "imaging/pixels.h"
#include "imaging/shift.h"
#include "imaging/thumbs.h"

enum { STRIP = 256 }; /* columns whose places are worked out together */

/* shift (columns, 2) := of the blocks at a row, between the two rows of blocks around it. */
static void shifts_at_row(float *shift, const nset_motion *m, const float *block, size_t row)
{
    size_t k = 0, n = 2 * m->columns;
    double f = 0;

    while (k + 2 < m->rows && (double)row >= m->row[k + 1])
        k++;
    if (m->rows > 1)
        f = fmin(fmax(((double)row - m->row[k]) / (m->row[k + 1] - m->row[k]), 0), 1);
    for (size_t i = 0; i < n; i++) {
        float top = block[k * n + i], bottom = m->rows > 1 ? block[(k + 1) * n + i] : top;
        shift[i] = top + (bottom - top) * (float)f;
    }
}

/* y, x (width) := where the pixels of a row are to be read; linear between the middles of blocks. */
static void find_places(const nset_motion *m, float *y, float *x, const float *shift, size_t row)
{
    for (size_t k = 0; k <= m->columns; k++) { /* from the middle before to that of block k; k = 0, columns: outside */
        size_t from = k ? (size_t)ceil(m->column[k - 1]) : 0,
               to = k < m->columns ? (size_t)ceil(m->column[k]) : m->width;
        const float *a = shift + 2 * (k ? k - 1 : 0), *b = shift + 2 * (k < m->columns ? k : k - 1);
        float start = k ? (float)m->column[k - 1] : 0,
              step = k && k < m->columns ? 1 / (float)(m->column[k] - m->column[k - 1]) : 0;
        float y0 = (float)row + a[0], dy = b[0] - a[0], x0 = a[1], dx = b[1] - a[1];
        for (size_t j = from; j < to; j++) {
            float f = ((float)j - start) * step;
            y[j] = y0 + dy * f;
            x[j] = (float)j + x0 + dx * f;
        }
    }
}

/* Pixels column .. column + n - 1 of a row: runs that are read side by side are blended together. */
static void warp_strip(const nset_motion *m, float *to, const float *frame, size_t row, size_t column, size_t n,
    const float *y, const float *x)
{
    const nset_pixels *k = nset_pixels_now();
    float fy[STRIP], fx[STRIP];
    int32_t at[STRIP]; /* first of the four pixels */

    k->places(at, fy, fx, y, x, n, m->height, m->width);
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && at[end] == at[i] + (int32_t)(end - i);)
            end++;
        k->blend(to + i, frame + at[i], frame + at[i] + m->width, fy + i, fx + i, end - i);
    }
    if (m->fill)
        k->fill_outside(to, m->fill + row * m->width + column, y, x, n, m->height, m->width);
}

void nset_motion_apply(const nset_motion *m, float *to, float *frame, int64_t index, float *room)
{
    float *y = room, *x = room + m->width, *shift = room + 2 * m->width;

    nset_lines_move(frame, m->height, m->width, m->line_offset);
    if (m->still) {
        memcpy(to, frame, m->height * m->width * sizeof *to);
        return;
    }
    if (!m->rows) {
        nset_image_shift(to, frame, m->fill, m->height, m->width, m->shift[index]);
        return;
    }
    for (size_t row = 0; row < m->height; row++) {
        shifts_at_row(shift, m, m->block + (size_t)index * m->rows * m->columns * 2, row);
        find_places(m, y, x, shift, row);
        for (size_t column = 0; column < m->width; column += STRIP) {
            size_t n = m->width - column < STRIP ? m->width - column : STRIP;
            warp_strip(m, to + row * m->width + column, frame, row, column, n, y + column, x + column);
        }
    }
}

size_t nset_motion_room(const nset_motion *m)
{
    return 2 * m->width + 2 * m->columns;
}

/* ---- the movie ---- */

enum { MOST_SPARE = 64 };

typedef struct corrected {
    nset_movie base;
    nset_movie *movie;
    const nset_motion *motion;
    pthread_mutex_t lock;
    float *spare[MOST_SPARE]; /* frames' room that no thread is using */
    size_t n_spare;
} corrected;

static float *take_spare(corrected *c)
{
    float *frame = NULL;

    pthread_mutex_lock(&c->lock);
    if (c->n_spare)
        frame = c->spare[--c->n_spare];
    pthread_mutex_unlock(&c->lock);
    return frame ? frame : nset_calloc(c->base.height * c->base.width + nset_motion_room(c->motion), sizeof *frame);
}

static void give_spare(corrected *c, float *frame)
{
    pthread_mutex_lock(&c->lock);
    if (c->n_spare < MOST_SPARE) {
        c->spare[c->n_spare++] = frame;
        frame = NULL;
    }
    pthread_mutex_unlock(&c->lock);
    nset_free(frame);
}

static nset_status read_corrected(nset_movie *self, float *frame, int64_t index, nset_error *err)
{
    corrected *c = (corrected *)self;
    float *raw = take_spare(c);
    nset_status status;

    if (!raw)
        return nset_fail_oom(err, self->height * self->width, sizeof *raw);
    if ((status = c->movie->read(c->movie, raw, index, err)) == NSET_OK)
        nset_motion_apply(c->motion, frame, raw, index, raw + self->height * self->width);
    give_spare(c, raw);
    return status;
}

static void close_corrected(nset_movie *self)
{
    corrected *c = (corrected *)self;

    nset_movie_close(c->movie);
    while (c->n_spare)
        nset_free(c->spare[--c->n_spare]);
    pthread_mutex_destroy(&c->lock);
    nset_free(c);
}

nset_status nset_motion_open(nset_movie **out, nset_movie *movie, const nset_motion *motion, nset_error *err)
{
    corrected *c = nset_calloc(1, sizeof *c);

    if (!c)
        return nset_fail_oom(err, 1, sizeof *c);
    c->base = *movie;
    c->base.read = read_corrected;
    c->base.close = close_corrected;
    c->movie = movie;
    c->motion = motion;
    pthread_mutex_init(&c->lock, NULL);
    *out = &c->base;
    return NSET_OK;
}
