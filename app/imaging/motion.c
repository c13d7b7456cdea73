#include "imaging/motion.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <neuroset/memory.h>

#include "cli/progress.h"
#include "imaging/motion_blocks.h"
#include "imaging/motion_quality.h"
#include "imaging/pixels.h"
#include "imaging/shift.h"
#include "imaging/thumbs.h"
#include "signal/robust.h"

enum { AT_ONCE = 16, LEAST_SIDE = 16 };
/* Median of frames' peaks over their second: 1.4 to 2.1 were seen for cells in darkness, 3.6 and more for tissue. */
#define CLEAR_PEAK 2.5f
#define STILL_PX .25    /* a movie that moves less, root mean square, is left as it is */
#define JUMP_HEIGHT .3f /* of the usual peak */

/* One frame on its way. */
typedef struct slot {
    float *frame, *thumb, *moved, *window; /* parts of one block */
    nset_correlator_room room;
    nset_blocks_room blocks;
    nset_status status;
    nset_error err;
} slot;

typedef struct job {
    nset_motion *m;
    nset_movie *movie;
    nset_reference reference;
    nset_blocks blocks;
    size_t reach; /* thumb pixels */
    slot slot[AT_ONCE];
    size_t n_slots;
    int64_t first;
    nset_peak *peak;       /* (n_frames) */
    double (*likeness)[2]; /* (n_frames) before and after */
} job;

/* ---- one frame ---- */

static void find_shifts(void *ctx, size_t first, size_t last, size_t chunk)
{
    job *j = ctx;
    nset_motion *m = j->m;
    const nset_reference *r = &j->reference;
    size_t n = r->height * r->width;

    (void)chunk;
    for (size_t i = first; i < last; i++) {
        slot *s = &j->slot[i];
        size_t t = (size_t)j->first + i;
        s->status = NSET_OK;
        if (m->left_out[t] != NSET_LEFT_NOT)
            continue;
        if ((s->status = j->movie->read(j->movie, s->frame, (int64_t)t, &s->err)) != NSET_OK)
            continue;
        nset_lines_move(s->frame, m->height, m->width, r->line_offset);
        nset_thumb_make(s->thumb, s->frame, m->height, m->width, r->factor);
        j->peak[t] = nset_reference_find(r, s->thumb, &s->room, s->window, j->reach);
        if (m->rows)
            nset_blocks_find(
                &j->blocks, r, m->block + t * m->rows * m->columns * 2, s->thumb, j->peak[t].shift, &s->blocks);
        nset_image_shift(s->moved, s->thumb, NULL, r->height, r->width, j->peak[t].shift);
        j->likeness[t][0] = nset_image_correlation(s->thumb, r->image, n);
        j->likeness[t][1] = nset_image_correlation(s->moved, r->image, n);
    }
}

static nset_status all_frames(job *j, nset_workers *workers, nset_error *err)
{
    int64_t n = (int64_t)j->m->n_frames;
    size_t most = j->n_slots;
    nset_status status = NSET_OK;

    nset_progress_begin("motion", (double)n, "frames");
    for (j->first = 0; j->first < n && status == NSET_OK; j->first += (int64_t)most) {
        j->n_slots = n - j->first < (int64_t)most ? (size_t)(n - j->first) : most;
        nset_parallel_for(j->movie->concurrent ? workers : NULL, j->n_slots, 1, find_shifts, j);
        for (size_t i = 0; i < j->n_slots && status == NSET_OK; i++)
            if (j->slot[i].status != NSET_OK)
                status = nset_fail(err, j->slot[i].status, "%s", j->slot[i].err.text);
        if (status == NSET_OK && nset_cancelled())
            status = nset_fail_cancelled(err);
        nset_progress_at((double)j->first + (double)j->n_slots);
    }
    j->n_slots = most;
    nset_progress_end();
    return status;
}

/* ---- what the shifts say ---- */

/* Most frames must show the reference by themselves. Where cells blink in darkness the reference is the cells: a frame
 * in which none is active has no peak of its own, and one in which some are would be moved to them. */
static bool most_are_clear(const job *j, float *room)
{
    size_t n = 0;

    for (size_t t = 0; t < j->m->n_frames; t++)
        if (j->m->left_out[t] == NSET_LEFT_NOT)
            room[n++] = j->peak[t].second > 0 ? j->peak[t].height / j->peak[t].second : FLT_MAX;
    return n > 0 && nset_median(room, n) >= CLEAR_PEAK;
}

/* Frames whose peak is far below the usual, or that moved as far as was looked, are jumps; where the
 * reference is unclear there is nothing to register, and where shifts are small nothing to put right. */
static nset_status judge(job *j, nset_error *err)
{
    nset_motion *m = j->m;
    double limit = (double)j->reach - .5, moved = 0, kept = 0;
    float *height = nset_calloc(m->n_frames, sizeof *height), usual;
    size_t n = 0;

    if (!height)
        return nset_fail_oom(err, m->n_frames, sizeof *height);
    for (size_t t = 0; t < m->n_frames; t++)
        if (m->left_out[t] == NSET_LEFT_NOT)
            height[n++] = j->peak[t].height;
    usual = nset_median(height, n);
    m->unclear = !j->reference.clear || !most_are_clear(j, height);
    nset_free(height);
    for (size_t t = 0; t < m->n_frames; t++) {
        const nset_peak *p = &j->peak[t];
        if (m->left_out[t] != NSET_LEFT_NOT || m->unclear)
            continue;
        if (p->height < JUMP_HEIGHT * usual || fabs(p->shift[0]) > limit || fabs(p->shift[1]) > limit)
            m->left_out[t] = NSET_LEFT_JUMP;
        for (int c = 0; c < 2; c++)
            m->shift[t][c] = p->shift[c] * (double)j->reference.factor;
        if (m->left_out[t] != NSET_LEFT_NOT)
            continue;
        moved += m->shift[t][0] * m->shift[t][0] + m->shift[t][1] * m->shift[t][1];
        kept++;
    }
    m->still = m->unclear || !(sqrt(moved / kept) >= STILL_PX);
    return NSET_OK;
}

static bool blocks_move(const nset_motion *m)
{
    size_t n = m->rows * m->columns;
    double moved = 0, count = 0;

    for (size_t t = 0; t < m->n_frames; t++)
        for (size_t k = 0; k < n && m->left_out[t] == NSET_LEFT_NOT; k++) {
            const float *b = m->block + 2 * (t * n + k);
            moved += (double)(b[0] * b[0] + b[1] * b[1]);
            count++;
        }
    return count > 0 && sqrt(moved / count) >= STILL_PX;
}

/* Shifts of blocks in pixels of the movie; of frames left out none. */
static void finish_blocks(job *j)
{
    nset_motion *m = j->m;
    size_t n = m->rows * m->columns * 2;
    float factor = (float)j->reference.factor;

    for (size_t t = 0; t < m->n_frames; t++)
        for (size_t k = 0; k < n; k++)
            m->block[t * n + k] =
                m->left_out[t] == NSET_LEFT_NOT ? m->block[t * n + k] * factor : (float)m->shift[t][k & 1];
    if (m->still && !m->unclear && blocks_move(m))
        m->still = false;
}

static void forget_shifts(nset_motion *m)
{
    memset(m->shift, 0, m->n_frames * sizeof *m->shift);
    nset_free(m->block);
    nset_free(m->row);
    nset_free(m->column);
    m->block = NULL;
    m->row = m->column = NULL;
    m->rows = m->columns = 0;
}

/* ---- quality, and what moves in from outside ---- */

static void measure_likeness(job *j)
{
    nset_motion *m = j->m;
    nset_motion_quality *q = &m->quality;
    double n = 0;

    for (size_t t = 0; t < m->n_frames; t++) {
        if (m->left_out[t] != NSET_LEFT_NOT)
            continue;
        q->correlation_before += j->likeness[t][0];
        q->correlation_after += j->likeness[t][m->still ? 0 : 1];
        n++;
    }
    q->correlation_before /= fmax(n, 1);
    q->correlation_after /= fmax(n, 1);
}

/* The sample again, put right: its mean fills edges, its thumbs tell what is left. */
static nset_status measure_sample(job *j, nset_error *err)
{
    nset_motion *m = j->m;
    nset_reference *r = &j->reference;
    size_t n = m->height * m->width, kept = 0;
    float *raw = nset_calloc(n + nset_motion_room(m), sizeof *raw), *right = nset_calloc(n, sizeof *right),
          *before = nset_calloc(n, sizeof *before), *fill = nset_calloc(n, sizeof *fill);
    nset_status status = raw && right && before && fill ? NSET_OK : nset_fail_oom(err, n, 4 * sizeof *raw);

    for (size_t i = 0; i < r->n && status == NSET_OK; i++) {
        if (m->left_out[r->frame[i]] != NSET_LEFT_NOT)
            continue;
        if ((status = j->movie->read(j->movie, raw, r->frame[i], err)) != NSET_OK)
            break;
        nset_pixels_now()->add(before, raw, n);
        nset_motion_apply(m, right, raw, r->frame[i], raw + n);
        nset_pixels_now()->add(fill, right, n);
        nset_thumb_make(r->thumb + kept++ * r->height * r->width, right, m->height, m->width, r->factor);
    }
    if (status == NSET_OK && kept) {
        nset_pixels_now()->scale(before, 1 / (float)kept, n);
        nset_pixels_now()->scale(fill, 1 / (float)kept, n);
        m->quality.crispness_before = nset_image_crispness(before, m->height, m->width, raw, right);
        m->quality.crispness_after = nset_image_crispness(fill, m->height, m->width, raw, right);
        m->fill = fill;
        fill = NULL;
        status = nset_motion_residual(&m->quality.residual_px, r->thumb, kept, r, err);
    }
    nset_free(raw);
    nset_free(right);
    nset_free(before);
    nset_free(fill);
    return status;
}

/* ---- all ---- */

static nset_status make_slots(job *j, float **block, nset_error *err)
{
    const nset_reference *r = &j->reference;
    size_t n = j->m->height * j->m->width, thumb = r->height * r->width, side = 2 * j->reach + 1,
           each = n + 2 * thumb + side * side;
    nset_status status = NSET_OK;

    j->n_slots = nset_frames_at_once(each * sizeof **block, AT_ONCE);
    if (!(*block = nset_calloc(j->n_slots, each * sizeof **block)))
        return nset_fail_oom(err, j->n_slots, each * sizeof **block);
    for (size_t i = 0; i < j->n_slots && status == NSET_OK; i++) {
        float *at = *block + i * each;
        j->slot[i] = (slot){ .frame = at, .thumb = at + n, .moved = at + n + thumb, .window = at + n + 2 * thumb };
        if ((status = nset_correlator_room_init(&j->slot[i].room, &r->correlator, err)) == NSET_OK && j->m->rows)
            status = nset_blocks_room_init(&j->slot[i].blocks, &j->blocks, err);
    }
    return status;
}

/* Where the blocks' middles lie in the movie, and room for their shifts. */
static nset_status prepare_blocks(job *j, nset_error *err)
{
    nset_motion *m = j->m;
    nset_blocks *b = &j->blocks;
    double factor = (double)j->reference.factor;
    nset_status status = nset_blocks_init(b, &j->reference, err);

    if (status != NSET_OK)
        return status;
    m->row = nset_calloc(b->rows, sizeof *m->row);
    m->column = nset_calloc(b->columns, sizeof *m->column);
    m->block = nset_calloc(m->n_frames, b->rows * b->columns * 2 * sizeof *m->block);
    if (!m->row || !m->column || !m->block)
        return nset_fail_oom(err, m->n_frames, b->rows * b->columns * 2 * sizeof *m->block);
    m->rows = b->rows;
    m->columns = b->columns;
    for (size_t i = 0; i < m->rows; i++)
        m->row[i] = ((double)b->row[i] + .5 * (double)b->height) * factor - .5;
    for (size_t i = 0; i < m->columns; i++)
        m->column[i] = ((double)b->column[i] + .5 * (double)b->width) * factor - .5;
    return NSET_OK;
}

static nset_status estimate(job *j, const nset_motion_options *o, nset_workers *workers, nset_error *err)
{
    nset_motion *m = j->m;
    nset_reference *r = &j->reference;
    float *block = NULL;
    nset_status status = nset_reference_make(r, m->left_out, j->movie, o->reach, workers, err);

    if (status != NSET_OK || r->n < 2) {
        m->still = true;
        return status;
    }
    m->line_offset = r->line_offset;
    j->reach = nset_reference_reach(r, o->reach);
    j->peak = nset_calloc(m->n_frames, sizeof *j->peak);
    j->likeness = nset_calloc(m->n_frames, sizeof *j->likeness);
    if (!j->peak || !j->likeness)
        return nset_fail_oom(err, m->n_frames, sizeof *j->peak);
    if ((!o->blocks || (status = prepare_blocks(j, err)) == NSET_OK) &&
        (status = make_slots(j, &block, err)) == NSET_OK && (status = all_frames(j, workers, err)) == NSET_OK &&
        (status = judge(j, err)) == NSET_OK) {
        if (m->rows)
            finish_blocks(j);
        if (m->still)
            forget_shifts(m);
        measure_likeness(j);
        status = measure_sample(j, err);
    }
    nset_free(block);
    return status;
}

static void free_job(job *j)
{
    for (size_t i = 0; i < AT_ONCE; i++) {
        nset_correlator_room_fini(&j->slot[i].room);
        nset_blocks_room_fini(&j->slot[i].blocks);
    }
    nset_blocks_fini(&j->blocks);
    nset_reference_fini(&j->reference);
    nset_free(j->peak);
    nset_free(j->likeness);
}

nset_status nset_motion_estimate(
    nset_motion *out, nset_movie *movie, const nset_motion_options *o, nset_workers *workers, nset_error *err)
{
    job j = { .m = out, .movie = movie };
    nset_status status = NSET_OK;

    *out = (nset_motion){ .n_frames = (size_t)movie->n_frames, .height = movie->height, .width = movie->width };
    out->shift = nset_calloc(out->n_frames, sizeof *out->shift);
    out->left_out = nset_calloc(out->n_frames, 1);
    out->valid = nset_calloc(out->n_frames, 1);
    if (!out->shift || !out->left_out || !out->valid)
        status = nset_fail_oom(err, out->n_frames, sizeof *out->shift);
    else if (movie->height < LEAST_SIDE || movie->width < LEAST_SIDE || movie->height > INT32_MAX / movie->width)
        out->still = true;
    else
        status = estimate(&j, o, workers, err);
    free_job(&j);
    for (size_t t = 0; t < out->n_frames && status == NSET_OK; t++)
        out->valid[t] = out->left_out[t] == NSET_LEFT_NOT;
    if (status != NSET_OK)
        nset_motion_fini(out);
    return status;
}

bool nset_motion_changes(const nset_motion *m)
{
    return !m->still || m->line_offset != 0;
}

size_t nset_motion_bytes(const nset_motion *m)
{
    return m->n_frames * (sizeof *m->shift + 1 + m->rows * m->columns * 2 * sizeof *m->block) +
           m->height * m->width * sizeof *m->fill;
}

void nset_motion_fini(nset_motion *m)
{
    nset_free(m->shift);
    nset_free(m->left_out);
    nset_free(m->valid);
    nset_free(m->row);
    nset_free(m->column);
    nset_free(m->block);
    nset_free(m->fill);
    *m = (nset_motion){ 0 };
}
