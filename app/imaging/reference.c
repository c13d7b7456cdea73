#include "imaging/reference.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include <neuroset/memory.h>

#include "cli/progress.h"
#include "imaging/lines.h"
#include "imaging/pixels.h"
#include "imaging/shift.h"
#include "imaging/thumbs.h"
#include "signal/robust.h"

enum {
    LEAST_SAMPLE = 8,
    MOST_SAMPLE = 80,
    ALIKE = 20,
    ROUNDS = 4,
    HALF_ROUNDS = 2,
    SAMPLE_BYTES = 48 << 20,
    AT_ONCE = 16
};

#define CLEAR 1.3f /* times the second peak */

/* ---- a look at all frames: which are empty, which are sampled ---- */

typedef struct mark {
    uint64_t hash;
    int64_t frame;
} mark;

typedef struct look {
    nset_movie *movie;
    unsigned char *left_out;
    mark *mark;             /* (n_frames) */
    float *buffer[AT_ONCE]; /* of height * width numbers */
    size_t n_buffers;
    nset_status status[AT_ONCE];
    nset_error err[AT_ONCE];
    int64_t first; /* frame of buffer 0 */
} look;

static void look_at_frames(void *ctx, size_t first, size_t last, size_t chunk)
{
    look *l = ctx;
    size_t n = l->movie->height * l->movie->width;

    (void)chunk;
    for (size_t i = first; i < last; i++) {
        int64_t t = l->first + (int64_t)i;
        l->status[i] = l->movie->read(l->movie, l->buffer[i], t, &l->err[i]);
        if (l->status[i] != NSET_OK)
            continue;
        if (nset_image_is_flat(l->buffer[i], n))
            l->left_out[t] = NSET_LEFT_EMPTY;
        l->mark[t] = (mark){ XXH3_64bits(l->buffer[i], n * sizeof(float)), t };
    }
}

static int by_hash(const void *a, const void *b)
{
    const mark *p = a, *q = b;

    if (p->hash != q->hash)
        return p->hash < q->hash ? -1 : 1;
    return (p->frame > q->frame) - (p->frame < q->frame); /* the same pixels: either will do */
}

static nset_status look_at_movie(look *l, nset_workers *workers, nset_error *err)
{
    int64_t n = l->movie->n_frames;

    nset_progress_begin("look", (double)n, "frames");
    for (l->first = 0; l->first < n; l->first += (int64_t)l->n_buffers) {
        size_t m = n - l->first < (int64_t)l->n_buffers ? (size_t)(n - l->first) : l->n_buffers;
        nset_parallel_for(l->movie->concurrent ? workers : NULL, m, 1, look_at_frames, l);
        nset_progress_at((double)l->first + (double)m);
        for (size_t i = 0; i < m; i++)
            if (l->status[i] != NSET_OK) {
                nset_progress_end();
                return nset_fail(err, l->status[i], "%s", l->err[i].text);
            }
        if (nset_cancelled()) {
            nset_progress_end();
            return nset_fail_cancelled(err);
        }
    }
    nset_progress_end();
    return NSET_OK;
}

static nset_status keep_sample(nset_reference *r, look *l, nset_error *err)
{
    size_t n = (size_t)l->movie->n_frames, m = 0, most = SAMPLE_BYTES / (r->height * r->width * sizeof *r->thumb + 1);

    most = most < LEAST_SAMPLE ? LEAST_SAMPLE : most > MOST_SAMPLE ? MOST_SAMPLE : most;
    qsort(l->mark, n, sizeof *l->mark, by_hash);
    if (!(r->frame = nset_calloc(most, sizeof *r->frame)))
        return nset_fail_oom(err, most, sizeof *r->frame);
    for (size_t i = 0; i < n && m < most; i++)
        if (l->left_out[l->mark[i].frame] == NSET_LEFT_NOT)
            r->frame[m++] = l->mark[i].frame;
    r->n = m;
    return NSET_OK;
}

static nset_status choose_sample(
    nset_reference *r, unsigned char *left_out, nset_movie *movie, nset_workers *workers, nset_error *err)
{
    look l = { .movie = movie, .left_out = left_out };
    size_t n = movie->height * movie->width, m = nset_frames_at_once(n * sizeof(float), AT_ONCE);
    float *block = nset_calloc(m, n * sizeof *block);
    nset_status status;

    l.mark = nset_calloc((size_t)movie->n_frames, sizeof *l.mark);
    l.n_buffers = m;
    if (block && l.mark) {
        for (size_t i = 0; i < m; i++)
            l.buffer[i] = block + i * n;
        if ((status = look_at_movie(&l, workers, err)) == NSET_OK)
            status = keep_sample(r, &l, err);
    } else {
        status = nset_fail_oom(err, m, n * sizeof *block);
    }
    nset_free(block);
    nset_free(l.mark);
    return status;
}

/* ---- thumbs of the sample ---- */

static nset_status take_thumbs(nset_reference *r, nset_movie *movie, nset_error *err)
{
    size_t n = movie->height * movie->width;
    float *frame = nset_calloc(n, sizeof *frame);
    double *curves = nset_calloc(r->n, NSET_LINES * sizeof *curves);
    nset_status status = frame && curves ? NSET_OK : nset_fail_oom(err, n, sizeof *frame);

    for (int again = 0; again < 2 && status == NSET_OK; again++) {
        for (size_t i = 0; i < r->n && status == NSET_OK; i++) {
            if ((status = movie->read(movie, frame, r->frame[i], err)) != NSET_OK)
                break;
            if (!again)
                status = nset_lines_correlate(curves + i * NSET_LINES, frame, movie->height, movie->width, err);
            nset_lines_move(frame, movie->height, movie->width, r->line_offset);
            nset_thumb_make(r->thumb + i * r->height * r->width, frame, movie->height, movie->width, r->factor);
        }
        if (!again && status == NSET_OK && (r->line_offset = nset_lines_offset(curves, r->n)) == 0)
            break;
    }
    nset_free(frame);
    nset_free(curves);
    return status;
}

/* ---- the first reference: frames that are alike ---- */

/* small (side, side) := thumb's means over squares, about 0, of length 1. */
static void make_small(float *small, const float *thumb, size_t h, size_t w, size_t side)
{
    double mean = 0, square = 0;

    for (size_t y = 0; y < side; y++)
        for (size_t x = 0; x < side; x++) {
            size_t y0 = y * h / side, y1 = (y + 1) * h / side, x0 = x * w / side, x1 = (x + 1) * w / side;
            double sum = 0;
            for (size_t i = y0; i < y1; i++)
                for (size_t j = x0; j < x1; j++)
                    sum += (double)thumb[i * w + j];
            sum /= (double)((y1 - y0) * (x1 - x0));
            small[y * side + x] = (float)sum;
            mean += sum / (double)(side * side);
        }
    for (size_t i = 0; i < side * side; i++) {
        small[i] -= (float)mean;
        square += (double)small[i] * (double)small[i];
    }
    for (size_t i = 0; i < side * side && square > 0; i++)
        small[i] /= (float)sqrt(square);
}

typedef struct rank {
    double value;
    size_t i;
} rank;

static int best_first(const void *a, const void *b)
{
    const rank *p = a, *q = b;

    if (p->value < q->value || p->value > q->value)
        return p->value > q->value ? -1 : 1;
    return (p->i > q->i) - (p->i < q->i);
}

/* Fills rank (n) with the frames most alike frame i, itself first, and gives their mean likeness. */
static double rank_like(rank *list, const float *small, size_t n, size_t size, size_t i)
{
    size_t m = n < ALIKE ? n : ALIKE;
    double sum = 0;

    for (size_t j = 0; j < n; j++) {
        double dot = 0;
        for (size_t k = 0; k < size; k++)
            dot += (double)(small[i * size + k] * small[j * size + k]);
        list[j] = (rank){ i == j ? 2 : dot, j };
    }
    qsort(list, n, sizeof *list, best_first);
    for (size_t j = 0; j < m; j++)
        sum += list[j].value;
    return sum;
}

/* r->image := mean of the first m of list, each moved back by its shift of the last round. */
static void average(nset_reference *r, const rank *list, size_t m, float *moved)
{
    size_t n = r->height * r->width;

    memset(r->image, 0, n * sizeof *r->image);
    for (size_t k = 0; k < m; k++) {
        nset_image_shift(moved, r->thumb + list[k].i * n, NULL, r->height, r->width, r->peak[list[k].i].shift);
        nset_pixels_now()->add(r->image, moved, n);
    }
    nset_pixels_now()->scale(r->image, 1 / (float)m, n);
}

static nset_status start_alike(nset_reference *r, rank *list, float *moved, nset_error *err)
{
    size_t side = r->height < r->width ? r->height : r->width, best = 0;
    double value, most = -INFINITY;
    float *small;

    side = side < 48 ? side : 48;
    if (!(small = nset_calloc(r->n, side * side * sizeof *small)))
        return nset_fail_oom(err, r->n, side * side * sizeof *small);
    for (size_t i = 0; i < r->n; i++)
        make_small(small + i * side * side, r->thumb + i * r->height * r->width, r->height, r->width, side);
    for (size_t i = 0; i < r->n; i++)
        if ((value = rank_like(list, small, r->n, side * side, i)) > most) {
            most = value;
            best = i;
        }
    rank_like(list, small, r->n, side * side, best);
    average(r, list, r->n < ALIKE ? r->n : ALIKE, moved);
    nset_free(small);
    return NSET_OK;
}

/* ---- rounds ---- */

static void set_image(nset_reference *r, nset_correlator_room *room, float *copy)
{
    size_t n = r->height * r->width;
    double sum = 0;
    float low, high;

    memcpy(copy, r->image, n * sizeof *copy);
    low = nset_select(copy, n, n / 100);
    high = nset_select(copy, n, n - 1 - n / 100);
    r->least = low - (high - low); /* single frames are noisier than their mean: only what is far outside is cut */
    r->most = high + (high - low);
    for (size_t i = 0; i < n; i++)
        sum += (double)r->image[i];
    r->mean = (float)(sum / (double)n);
    for (size_t i = 0; i < n; i++)
        room->image[i] = fminf(fmaxf(r->image[i], r->least), r->most);
    nset_correlator_transform(&r->correlator, room, r->spectrum, r->mean);
    nset_correlator_as_reference(&r->correlator, r->spectrum);
}

typedef struct register_job {
    nset_reference *r;
    size_t reach;
    nset_status *status; /* (n) */
} register_job;

static void register_thumbs(void *ctx, size_t first, size_t last, size_t chunk)
{
    register_job *j = ctx;
    size_t side = 2 * j->reach + 1;
    float *window = nset_calloc(side * side, sizeof *window);
    nset_correlator_room room = { 0 };

    j->status[chunk] = window ? nset_correlator_room_init(&room, &j->r->correlator, NULL) : NSET_ERR_NOMEM;
    for (size_t i = first; i < last && j->status[chunk] == NSET_OK; i++)
        j->r->peak[i] =
            nset_reference_find(j->r, j->r->thumb + i * j->r->height * j->r->width, &room, window, j->reach);
    nset_correlator_room_fini(&room);
    nset_free(window);
}

static int by_value(const void *a, const void *b)
{
    double p = *(const double *)a, q = *(const double *)b;

    return (p > q) - (p < q);
}

/* So that the field lies where most frames see it. */
static void recentre(nset_reference *r, const rank *list, size_t m)
{
    double middle[MOST_SAMPLE];

    for (int c = 0; c < 2; c++) {
        for (size_t k = 0; k < m; k++)
            middle[k] = r->peak[list[k].i].shift[c];
        qsort(middle, m, sizeof *middle, by_value);
        for (size_t i = 0; i < r->n; i++)
            r->peak[i].shift[c] -= middle[m / 2];
    }
}

static nset_status rounds(
    nset_reference *r, size_t reach, int n_rounds, rank *list, float *moved, nset_workers *workers, nset_error *err)
{
    enum { CHUNK = 4 };
    nset_status status[(MOST_SAMPLE + CHUNK - 1) / CHUNK];
    register_job j = { r, reach, status };
    nset_correlator_room room = { 0 };
    nset_status s = nset_correlator_room_init(&room, &r->correlator, err);

    for (int k = 0; k < n_rounds && s == NSET_OK; k++) {
        size_t m = r->n * (size_t)(k + 2) / ((size_t)n_rounds + 1);
        m = m < 2 ? 2 : m;
        m = m < r->n ? m : r->n;
        set_image(r, &room, moved);
        nset_parallel_for(workers, r->n, CHUNK, register_thumbs, &j);
        for (size_t c = 0; c < (r->n + CHUNK - 1) / CHUNK; c++)
            if (status[c] != NSET_OK)
                s = nset_fail_oom(err, r->height * r->width, sizeof *moved);
        for (size_t i = 0; i < r->n; i++)
            list[i] = (rank){ (double)r->peak[i].height, i };
        qsort(list, r->n, sizeof *list, best_first);
        recentre(r, list, m);
        average(r, list, m, moved);
    }
    if (s == NSET_OK)
        set_image(r, &room, moved);
    nset_correlator_room_fini(&room);
    return s;
}

/* r->image := a reference of the sample's frames first .. first + n - 1 alone. */
static nset_status part_reference(nset_reference *r, size_t first, size_t n, size_t reach, int n_rounds, rank *list,
    float *moved, nset_workers *workers, nset_error *err)
{
    size_t size = r->height * r->width;
    nset_reference part = *r; /* borrows all */
    nset_status status;

    part.n = n;
    part.thumb += first * size;
    part.peak += first;
    memset(part.peak, 0, n * sizeof *part.peak);
    if ((status = start_alike(&part, list, moved, err)) == NSET_OK)
        status = rounds(&part, reach, n_rounds, list, moved, workers, err);
    r->mean = part.mean;
    r->least = part.least;
    r->most = part.most;
    return status;
}

/* Frames of noise agree with a mean that holds their own noise. So the halves of the sample make a reference each, and
 * these are held against each other: a peak must stand out. */
static nset_status compare_halves(
    nset_reference *r, size_t reach, rank *list, float *moved, nset_workers *workers, nset_error *err)
{
    size_t n = r->height * r->width, side = 2 * reach + 1, half = r->n / 2;
    float *window = nset_calloc(side * side, sizeof *window);
    fftwf_complex *spectrum = nset_calloc(r->correlator.bins, sizeof *spectrum);
    nset_correlator_room room = { 0 };
    nset_status status = window && spectrum ? nset_correlator_room_init(&room, &r->correlator, err)
                                            : nset_fail_oom(err, n, sizeof *window);
    nset_peak p;

    if (status == NSET_OK &&
        (status = part_reference(r, 0, half, reach, HALF_ROUNDS, list, moved, workers, err)) == NSET_OK) {
        memcpy(spectrum, r->spectrum, r->correlator.bins * sizeof *spectrum);
        status = part_reference(r, half, r->n - half, reach, HALF_ROUNDS, list, moved, workers, err);
    }
    if (status == NSET_OK) {
        memcpy(room.image, r->image, n * sizeof *moved);
        nset_correlator_apply(&r->correlator, &room, (const fftwf_complex *)spectrum, r->mean);
        nset_correlator_window(&r->correlator, &room, window, reach, reach);
        p = nset_peak_find(window, reach, reach);
        r->clear = p.height > CLEAR * p.second;
    }
    nset_correlator_room_fini(&room);
    nset_free(window);
    nset_free(spectrum);
    return status;
}

static nset_status settle(nset_reference *r, nset_movie *movie, double reach, nset_workers *workers, nset_error *err)
{
    size_t n = r->height * r->width;
    float *moved = nset_calloc(n, sizeof *moved);
    rank *list = nset_calloc(r->n, sizeof *list);
    nset_status status;

    r->thumb = nset_calloc(r->n, n * sizeof *r->thumb);
    r->peak = nset_calloc(r->n, sizeof *r->peak);
    r->image = nset_calloc(n, sizeof *r->image);
    if (!moved || !list || !r->thumb || !r->peak || !r->image)
        status = nset_fail_oom(err, r->n, n * sizeof *r->thumb);
    else if ((status = nset_correlator_init(&r->correlator, r->height, r->width, err)) == NSET_OK) {
        r->spectrum = nset_calloc(r->correlator.bins, sizeof *r->spectrum);
        status = r->spectrum ? take_thumbs(r, movie, err) : nset_fail_oom(err, r->correlator.bins, sizeof *r->spectrum);
    }
    if (status == NSET_OK &&
        (status = compare_halves(r, nset_reference_reach(r, reach), list, moved, workers, err)) == NSET_OK)
        status = part_reference(r, 0, r->n, nset_reference_reach(r, reach), ROUNDS, list, moved, workers, err);
    nset_free(moved);
    nset_free(list);
    return status;
}

nset_status nset_reference_make(
    nset_reference *r, unsigned char *left_out, nset_movie *movie, double reach, nset_workers *workers, nset_error *err)
{
    size_t factor = nset_thumb_factor(movie->height, movie->width);
    nset_status status;

    *r = (nset_reference){ .factor = factor, .height = movie->height / factor, .width = movie->width / factor };
    if ((status = choose_sample(r, left_out, movie, workers, err)) == NSET_OK && r->n >= 2)
        status = settle(r, movie, reach, workers, err);
    if (status != NSET_OK)
        nset_reference_fini(r);
    return status;
}

void nset_reference_fini(nset_reference *r)
{
    nset_free(r->frame);
    nset_free(r->thumb);
    nset_free(r->peak);
    nset_free(r->image);
    nset_free(r->spectrum);
    nset_correlator_fini(&r->correlator);
    *r = (nset_reference){ 0 };
}

/* ---- use ---- */

size_t nset_reference_reach(const nset_reference *r, double reach)
{
    size_t side = r->height < r->width ? r->height : r->width;
    double thumb = reach > 0 ? reach / (double)r->factor : .1 * (double)side;

    return (size_t)fmax(1, fmin(ceil(thumb), (double)(side - 1) / 2 - 1));
}

nset_peak nset_reference_find(
    const nset_reference *r, const float *thumb, nset_correlator_room *room, float *window, size_t reach)
{
    for (size_t i = 0; i < r->height * r->width; i++) {
        float v = thumb[i];
        v = v < r->least ? r->least : v;
        room->image[i] = v > r->most ? r->most : v;
    }
    nset_correlator_apply(&r->correlator, room, (const fftwf_complex *)r->spectrum, r->mean);
    nset_correlator_window(&r->correlator, room, window, reach, reach);
    return nset_peak_find(window, reach, reach);
}

bool nset_image_is_flat(const float *x, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (x[i] < x[0] || x[i] > x[0])
            return false;
    return true;
}
