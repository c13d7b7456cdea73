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
    for (uint32_t b = 0; b < N_BLOBS; b++) {
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
    return (scene){ .base = { .n_frames = T, .height = H, .width = W, .read = read_scene, .close = close_nothing },
        .noise = noise };
}

static nset_motion estimate(scene *s, size_t threads)
{
    nset_motion m;
    nset_workers *workers = NULL;
    nset_error err = { 0 };

    ck_assert_int_eq(nset_workers_create(&workers, threads, NULL), NSET_OK);
    ck_assert_msg(nset_motion_estimate(&m, &s->base, 0, workers, &err) == NSET_OK, "%s", err.text);
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
        ck_assert_int_eq(m.valid[t], 1);
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
    ck_assert_mem_eq(one.valid, three.valid, T);
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
        ck_assert(m.shift[t][0] == 0 && m.shift[t][1] == 0 && m.valid[t]);
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
        ck_assert_msg(m.valid[t] == (t != 31), "frame %d", t);
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
    suite_add_tcase(s, c);
    srunner_run_all(r, CK_NORMAL);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
