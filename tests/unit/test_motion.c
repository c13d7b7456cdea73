/* Motion against movies whose shifts are known. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <neuroset/workers.h>

#include "imaging/motion.h"

enum { H = 72, W = 90, T = 60, N_BLOBS = 40 };

/* A movie in memory: blobs that move by shift, with noise that is the same at each reading. */
typedef struct scene {
    nset_movie base;
    double shift[T][2];
    double noise;
    nset_motion_options options;
    bool no_blobs;
    int empty;     /* frame + 1 that is 5 all over */
    bool blinking; /* two blobs only, each lit in a few frames of its own */
} scene;

static double uniform(uint32_t key)
{
    key = (key ^ 61) ^ key >> 16;
    key *= 9;
    key = (key ^ key >> 4) * 0x27d4eb2d;
    return (double)(key ^ key >> 15) / 4294967296.;
}

static nset_status read_scene(nset_movie *self, float *frame, int64_t t, nset_error *err)
{
    scene *s = (scene *)self;

    (void)err;
    for (uint32_t i = 0; i < H * W; i++)
        frame[i] = (float)(100 + s->noise * (uniform(i + (uint32_t)t * H * W + 7) - .5));
    for (int i = 0; i < H * W && s->empty == t + 1; i++)
        frame[i] = 5;
    for (uint32_t b = 0; b < (s->blinking ? 2 : N_BLOBS) && !s->no_blobs && s->empty != t + 1; b++) {
        if (s->blinking && uniform((uint32_t)t * 5 + b) > .2)
            continue;
        double y = H * uniform(3 * b + 1) + s->shift[t][0], x = W * uniform(3 * b + 2) + s->shift[t][1];
        for (int i = 0; i < H; i++)
            for (int j = 0; j < W; j++)
                if (fabs(i - y) < 8 && fabs(j - x) < 8)
                    frame[i * W + j] += (float)(80 * exp(-((i - y) * (i - y) + (j - x) * (j - x)) / 8));
    }
    return NSET_OK;
}

static void close_nothing(nset_movie *self)
{
    (void)self;
}

static scene make_scene(double noise)
{
    return (scene){ .base = { .n_frames = T,
                        .height = H,
                        .width = W,
                        .read = read_scene,
                        .close = close_nothing,
                        .concurrent = true },
        .noise = noise };
}

static nset_motion estimate(scene *s, size_t threads)
{
    nset_motion m;
    nset_workers *workers = NULL;
    nset_error err = { 0 };

    ck_assert_int_eq(nset_workers_create(&workers, threads, NULL), NSET_OK);
    ck_assert_msg(nset_motion_estimate(&m, &s->base, &s->options, workers, &err) == NSET_OK, "%s", err.text);
    nset_workers_free(workers);
    return m;
}

static void drift(scene *s)
{
    for (int t = 0; t < T; t++) {
        s->shift[t][0] = 3 * sin(t * .37);
        s->shift[t][1] = 2.5 * cos(t * .23) + .4 * sin(t * 1.9);
    }
}

/* Largest distance of the shifts from the truth, up to the one offset of the reference. */
static double worst(const nset_motion *m, const scene *s, int skip)
{
    double mean[2] = { 0 }, most = 0;

    for (int c = 0; c < 2; c++)
        for (int t = 0; t < T; t++)
            mean[c] += t == skip ? 0 : (m->shift[t][c] - s->shift[t][c]) / (T - (skip >= 0));
    for (int t = 0; t < T; t++)
        for (int c = 0; c < 2 && t != skip; c++)
            most = fmax(most, fabs(m->shift[t][c] - s->shift[t][c] - mean[c]));
    return most;
}

START_TEST(known_shifts_are_found_below_a_pixel)
{
    scene s = make_scene(20);
    nset_motion m;

    drift(&s);
    m = estimate(&s, 1);
    ck_assert(!m.still);
    ck_assert_double_lt(worst(&m, &s, -1), .25);
    for (int t = 0; t < T; t++)
        ck_assert_int_eq(m.left_out[t], NSET_LEFT_NOT);
    nset_motion_fini(&m);
}
END_TEST

START_TEST(threads_do_not_change_a_bit)
{
    scene s = make_scene(20);
    nset_motion one, three;

    drift(&s);
    one = estimate(&s, 1);
    three = estimate(&s, 3);
    ck_assert_mem_eq(one.shift, three.shift, T * sizeof *one.shift);
    ck_assert_mem_eq(one.left_out, three.left_out, T);
    nset_motion_fini(&one);
    nset_motion_fini(&three);
}
END_TEST

START_TEST(a_still_movie_is_left_alone)
{
    scene s = make_scene(20);
    nset_motion m = estimate(&s, 1);

    ck_assert(m.still);
    for (int t = 0; t < T; t++)
        ck_assert(m.shift[t][0] == 0 && m.shift[t][1] == 0 && m.left_out[t] == NSET_LEFT_NOT);
    nset_motion_fini(&m);
}
END_TEST

START_TEST(a_jump_is_named_and_harms_no_other_frame)
{
    scene s = make_scene(20);
    nset_motion m;

    drift(&s);
    s.shift[31][0] = 30;
    s.shift[31][1] = -35;
    m = estimate(&s, 1);
    for (int t = 0; t < T; t++)
        ck_assert_msg(m.left_out[t] == (t == 31 ? NSET_LEFT_JUMP : NSET_LEFT_NOT), "frame %d", t);
    ck_assert_double_lt(worst(&m, &s, 31), .25);
    nset_motion_fini(&m);
}
END_TEST

/* Frames that were moved back agree with each other far better than before. */
START_TEST(corrected_frames_lie_on_each_other)
{
    scene s = make_scene(0);
    static float a[H * W], b[H * W], c[H * W], d[H * W];
    double before = 0, after = 0;
    nset_movie *fixed = NULL;
    nset_motion m;

    drift(&s);
    m = estimate(&s, 1);
    ck_assert_int_eq(nset_motion_open(&fixed, &s.base, &m, NULL), NSET_OK);
    ck_assert_int_eq(read_scene(&s.base, a, 4, NULL), NSET_OK);
    ck_assert_int_eq(read_scene(&s.base, b, 13, NULL), NSET_OK);
    ck_assert_int_eq(fixed->read(fixed, c, 4, NULL), NSET_OK);
    ck_assert_int_eq(fixed->read(fixed, d, 13, NULL), NSET_OK);
    for (int i = 8; i < H - 8; i++)
        for (int j = 8; j < W - 8; j++) {
            before += fabs(a[i * W + j] - b[i * W + j]);
            after += fabs(c[i * W + j] - d[i * W + j]);
        }
    ck_assert_double_lt(after, .2 * before);
    nset_movie_close(fixed);
    nset_motion_fini(&m);
}
END_TEST

/* ---- a field that bends ---- */

enum { BENT_H = 200, BENT_W = 210, BENT_T = 40, BENT_BLOBS = 220, MOVED = 7 };

typedef struct bent {
    nset_movie base;
    int order[BENT_T];
    int line_offset;
} bent;

/* How far what rests at (y, x) has moved in frame t: the whole, and up to two pixels that differ over the field. */
static void bend(double to[2], int t, double y, double x)
{
    double a = 1.4 * sin(t * .9), b = 1.4 * cos(t * 1.3);

    to[0] = 2 * sin(t * .37) + a * sin(3.14159 * y / BENT_H) + b * (x / BENT_W - .5);
    to[1] = 1.5 * cos(t * .53) + b * cos(3.14159 * x / BENT_W);
}

static nset_status read_bent(nset_movie *self, float *frame, int64_t index, nset_error *err)
{
    bent *s = (bent *)self;
    int t = s->order[index];

    (void)err;
    for (uint32_t i = 0; i < BENT_H * BENT_W; i++)
        frame[i] = (float)(100 + 30 * (uniform(i + (uint32_t)t * BENT_H * BENT_W + 7) - .5));
    for (uint32_t b = 0; b < BENT_BLOBS; b++) {
        double y = BENT_H * uniform(3 * b + 1), x = BENT_W * uniform(3 * b + 2), by[2];
        bend(by, t, y, x);
        y += by[0];
        x += by[1];
        for (int i = (int)fmax(0, y - 7); i < BENT_H && i < y + 7; i++)
            for (int j = (int)fmax(0, x - 7); j < BENT_W && j < x + 7; j++) {
                double c = j - (i & 1 ? s->line_offset : 0); /* odd rows lie to the right */
                frame[i * BENT_W + j] += (float)(60 * exp(-((i - y) * (i - y) + (c - x) * (c - x)) / 6));
            }
    }
    return NSET_OK;
}

static bent make_bent(void)
{
    bent s = { .base = { .n_frames = BENT_T,
                   .height = BENT_H,
                   .width = BENT_W,
                   .read = read_bent,
                   .close = close_nothing,
                   .concurrent = true } };

    for (int t = 0; t < BENT_T; t++)
        s.order[t] = t;
    return s;
}

static nset_motion estimate_bent(bent *s, size_t threads)
{
    nset_motion_options o = { .blocks = true };
    nset_workers *workers = NULL;
    nset_motion m;

    ck_assert_int_eq(nset_workers_create(&workers, threads, NULL), NSET_OK);
    ck_assert_int_eq(nset_motion_estimate(&m, &s->base, &o, workers, NULL), NSET_OK);
    nset_workers_free(workers);
    return m;
}

/* Root mean square distance from the truth at the blocks' middles; each block's mean is the reference's own place. */
static double block_error(const nset_motion *m)
{
    double square = 0, count = 0;

    for (size_t k = 0; k < m->rows * m->columns; k++)
        for (int c = 0; c < 2; c++) {
            double error[BENT_T], mean = 0, truth[2];
            for (int t = 0; t < BENT_T; t++) {
                bend(truth, t, m->row[k / m->columns], m->column[k % m->columns]);
                error[t] = (double)m->block[((size_t)t * m->rows * m->columns + k) * 2 + (size_t)c] - truth[c];
                mean += error[t] / BENT_T;
            }
            for (int t = 0; t < BENT_T; t++) {
                square += (error[t] - mean) * (error[t] - mean);
                count++;
            }
        }
    return sqrt(square / count);
}

START_TEST(blocks_follow_a_field_that_bends)
{
    bent s = make_bent();
    nset_motion m = estimate_bent(&s, 2);

    ck_assert(!m.still && m.rows > 1 && m.columns > 1);
    ck_assert_double_lt(block_error(&m), .2);
    ck_assert_double_gt(m.quality.correlation_after, m.quality.correlation_before);
    ck_assert_double_gt(m.quality.crispness_after, m.quality.crispness_before);
    ck_assert_double_lt(m.quality.residual_px, .2);
    nset_motion_fini(&m);
}
END_TEST

START_TEST(frames_in_another_order_have_the_same_shifts)
{
    bent s = make_bent(), mixed = make_bent();
    nset_motion a, b;
    size_t n;

    for (int t = 0; t < BENT_T; t++)
        mixed.order[t] = t * MOVED % BENT_T; /* 7 and 40 have no common factor */
    a = estimate_bent(&s, 1);
    b = estimate_bent(&mixed, 3);
    n = a.rows * a.columns * 2;
    ck_assert_uint_eq(n, b.rows * b.columns * 2);
    for (size_t t = 0; t < BENT_T; t++) {
        ck_assert_mem_eq(a.shift[mixed.order[t]], b.shift[t], sizeof *b.shift);
        ck_assert_mem_eq(a.block + n * (size_t)mixed.order[t], b.block + n * t, n * sizeof *b.block);
    }
    ck_assert_mem_eq(a.fill, b.fill, BENT_H * BENT_W * sizeof *a.fill);
    ck_assert(a.quality.residual_px == b.quality.residual_px);
    nset_motion_fini(&a);
    nset_motion_fini(&b);
}
END_TEST

START_TEST(odd_rows_that_lie_beside_are_put_right)
{
    static const int offsets[] = { 0, 3, -2 };
    bent s = make_bent();
    nset_motion m;

    s.line_offset = offsets[_i];
    m = estimate_bent(&s, 2);
    ck_assert_int_eq(m.line_offset, offsets[_i]);
    ck_assert_double_lt(block_error(&m), .25);
    nset_motion_fini(&m);
}
END_TEST

/* Frames of noise have nothing in common: they stay where they are. */
START_TEST(noise_is_not_registered)
{
    scene s = make_scene(20);
    nset_motion m;

    s.no_blobs = true;
    m = estimate(&s, 2);
    ck_assert(m.still);
    ck_assert_int_eq(m.line_offset, 0);
    for (int t = 0; t < T; t++)
        ck_assert_int_eq(m.left_out[t], NSET_LEFT_NOT);
    nset_motion_fini(&m);
}
END_TEST

/* A frame that is one number all over is left out, whatever the number. */
/* Registration must not follow the cells: of such frames most show nothing. */
START_TEST(cells_that_blink_in_darkness_are_not_registered)
{
    scene s = make_scene(60);
    nset_motion m;

    s.blinking = true;
    m = estimate(&s, 2);
    ck_assert(m.still && m.unclear);
    for (int t = 0; t < T; t++)
        ck_assert(m.shift[t][0] == 0 && m.shift[t][1] == 0 && m.left_out[t] == NSET_LEFT_NOT);
    nset_motion_fini(&m);
}
END_TEST

START_TEST(an_empty_frame_is_named)
{
    scene s = make_scene(20);
    nset_motion m;

    drift(&s);
    s.empty = 11;
    m = estimate(&s, 2);
    for (int t = 0; t < T; t++)
        ck_assert_int_eq(m.left_out[t], t == 10 ? NSET_LEFT_EMPTY : NSET_LEFT_NOT);
    ck_assert_double_lt(worst(&m, &s, 10), .25);
    nset_motion_fini(&m);
}
END_TEST

/* What moves in from outside is the mean of the frames, not a smear of the edge. */
START_TEST(edges_are_filled_with_the_mean)
{
    nset_motion m = { .n_frames = 1, .height = 4, .width = 5 };
    double shift[1][2] = { { -1, 2 } };
    float fill[20], frame[20], to[20];

    for (int i = 0; i < 20; i++) {
        frame[i] = (float)i;
        fill[i] = 100;
    }
    m.shift = shift;
    m.fill = fill;
    nset_motion_apply(&m, to, frame, 0, NULL);
    for (int y = 0; y < 4; y++)
        for (int x = 0; x < 5; x++)
            ck_assert(to[y * 5 + x] == (y < 1 || x > 2 ? 100 : (float)((y - 1) * 5 + x + 2)));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("motion");
    TCase *c = tcase_create("motion");
    SRunner *r = srunner_create(s);
    int failed;

    tcase_add_test(c, known_shifts_are_found_below_a_pixel);
    tcase_add_test(c, threads_do_not_change_a_bit);
    tcase_add_test(c, a_still_movie_is_left_alone);
    tcase_add_test(c, a_jump_is_named_and_harms_no_other_frame);
    tcase_add_test(c, corrected_frames_lie_on_each_other);
    tcase_add_test(c, blocks_follow_a_field_that_bends);
    tcase_add_test(c, frames_in_another_order_have_the_same_shifts);
    tcase_add_loop_test(c, odd_rows_that_lie_beside_are_put_right, 0, 3);
    tcase_add_test(c, noise_is_not_registered);
    tcase_add_test(c, cells_that_blink_in_darkness_are_not_registered);
    tcase_add_test(c, an_empty_frame_is_named);
    tcase_add_test(c, edges_are_filled_with_the_mean);
    suite_add_tcase(s, c);
    srunner_run_all(r, CK_NORMAL);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
