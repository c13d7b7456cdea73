/* Joints of a recording's stretches: levelled, blanked, listed; nothing near them looks like an event. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <neuroset/memory.h>
#include <neuroset/random.h>
#include "ephys/level.h"
#include "ephys/whiten.h"

enum { C = 3, RATE = 20000, N = 6 * RATE, FIRST = 30011, SECOND = 30020, THIRD = 80000 };

static float x[N * C];
static nset_gap gaps[3] = { { FIRST, 2 }, { SECOND, .01 }, { THIRD, -1 } };

static nset_status read_x(nset_source *self, float *out, int64_t start, size_t n, nset_error *err)
{
    (void)self;
    (void)err;
    ck_assert(start >= 0 && start + (int64_t)n <= N);
    memcpy(out, x + (size_t)start * C, n * C * sizeof *out);
    return NSET_OK;
}

/* Noise of 8 uV on slow waves of 200 uV; each stretch has offsets of its own, thousands of microvolts apart. */
static nset_recording make(nset_source *source)
{
    static const double offset[4][C] = { { 0, -700, 30 }, { 5000, 0, 31 }, { -9000, 0, -4000 }, { 2000, 12000, 0 } };
    nset_random r = nset_random_stream(5, "gaps", 0);

    for (int t = 0; t < N; t++) {
        int stretch = (t >= FIRST) + (t >= SECOND) + (t >= THIRD);
        for (int c = 0; c < C; c++)
            x[t * C + c] =
                (float)(8 * nset_random_normal(&r) + 200 * sin(t * (3 + c) * 6.28 / RATE) + offset[stretch][c]);
    }
    *source = (nset_source){ "memory", C, RATE, N, read_x, NULL };
    return (nset_recording){ .source = source, .gap = gaps, .n_gaps = 3 };
}

START_TEST(steps_are_levelled_whatever_is_read_at_once)
{
    nset_source source, *level = NULL;
    nset_recording r = make(&source);
    static float all[N * C], piece[977 * C];
    nset_error err = { 0 };

    ck_assert_msg(nset_level_open(&level, &r, &err) == NSET_OK, "%s", err.text);
    ck_assert_int_eq(level->read(level, all, 0, N, &err), NSET_OK);
    ck_assert_mem_eq(all, x, FIRST * C * sizeof *x);
    for (int t = FIRST - 400; t < N; t++)
        for (int c = 0; c < C; c++) /* noise, two waves of up to 200 uV and what the short stretch added */
            ck_assert_msg(fabsf(all[t * C + c] - all[(FIRST - 401) * C + c]) < 900, "sample %d channel %d", t, c);
    for (int64_t t = 0; t < N; t += 977) {
        size_t n = N - t < 977 ? (size_t)(N - t) : 977;
        ck_assert_int_eq(level->read(level, piece, t, n, &err), NSET_OK);
        ck_assert_mem_eq(piece, all + t * C, n * C * sizeof *piece);
    }
    level->close(level);
}
END_TEST

START_TEST(joints_are_blanked_and_listed_and_do_not_ring)
{
    nset_source source;
    nset_recording r = make(&source);
    nset_whitened *w = NULL;
    const int64_t(*spans)[2];
    static float y[N * C];
    nset_error err = { 0 };
    float largest = 0;
    size_t n;

    ck_assert_msg(nset_whitened_open(&w, &r, false, 0, NULL, &err) == NSET_OK, "%s", err.text);
    ck_assert_int_eq(nset_whitened_read(w, y, 0, N, &err), NSET_OK);
    for (int t = 0; t < N; t++) {
        bool blank = (t >= FIRST - 100 && t < SECOND + 100) || (t >= THIRD - 100 && t < THIRD + 100);
        bool zero = true; /* on all channels: whole numbers of steps are 0 now and then on one */
        for (int c = 0; c < C; c++) {
            zero = zero && y[t * C + c] == 0;
            largest = fmaxf(largest, fabsf(y[t * C + c]) / nset_whitened_density(w));
        }
        ck_assert_msg(blank ? zero : !zero, "sample %d is %g", t, (double)y[t * C]);
    }
    ck_assert_float_lt(largest, 6); /* 360000 normal numbers reach 4.7; the steps are 1000 sd */
    n = nset_whitened_blanked(w, &spans);
    ck_assert_uint_eq(n, 2);
    ck_assert_int_eq(spans[0][0], FIRST - 100);
    ck_assert_int_eq(spans[0][1], SECOND + 100);
    ck_assert_int_eq(spans[1][0], THIRD - 100);
    ck_assert_int_eq(spans[1][1], THIRD + 100);
    nset_whitened_close(w);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("gaps");
    TCase *t = tcase_create("all");
    SRunner *runner;
    int failed;

    tcase_add_test(t, steps_are_levelled_whatever_is_read_at_once);
    tcase_add_test(t, joints_are_blanked_and_listed_and_do_not_ring);
    tcase_set_timeout(t, 120);
    suite_add_tcase(s, t);
    runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
