/* Traces of made movies whose cells are known. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <neuroset/memory.h>
#include <neuroset/random.h>

#include "imaging/traces.h"

enum { SIZE = 40, FRAMES = 600 };

typedef struct scene {
    nset_movie base;
    nset_masks masks;
    nset_roi roi[3];
    double noise, surround;
    float *truth; /* (n, FRAMES) activity, relative to a rest of 1 */
    bool constant, holes;
    bool backwards; /* frames stand in the other order */
} scene;

static double light_of(double surround, int64_t t)
{
    return surround * (1 + .5 * sin((double)t / 37));
}

static nset_status read_frame(nset_movie *m, float *frame, int64_t t, nset_error *err)
{
    scene *s = (scene *)m;
    nset_random r = nset_random_stream(1, "frame", (uint64_t)(t = s->backwards ? m->n_frames - 1 - t : t));

    (void)err;
    for (size_t p = 0; p < SIZE * SIZE; p++)
        frame[p] = (float)(s->constant ? 7 : light_of(s->surround, t) + s->noise * nset_random_normal(&r));
    for (size_t i = 0; i < s->masks.n && !s->constant; i++)
        for (size_t k = 0; k < s->roi[i].n_pixels; k++)
            frame[s->roi[i].pixel[k]] +=
                100 * (s->truth ? s->truth[i * FRAMES + (size_t)t] : 1) -
                (k == 0 || !s->surround ? 0 : .3f * (float)light_of(s->surround, t)); /* a cell blocks a part */
    if (s->holes)
        frame[s->roi[0].pixel[(size_t)t % s->roi[0].n_pixels]] = NAN;
    return NSET_OK;
}

static void disc(nset_roi *roi, double row, double column, double radius)
{
    *roi = (nset_roi){ .row = row, .column = column, .pixel = nset_calloc(SIZE * SIZE, sizeof *roi->pixel) };
    for (int p = 0; p < SIZE * SIZE; p++)
        if (hypot(p / SIZE - row, p % SIZE - column) <= radius)
            roi->pixel[roi->n_pixels++] = p;
    roi->weight = nset_calloc(roi->n_pixels, sizeof *roi->weight);
    for (size_t k = 0; k < roi->n_pixels; k++)
        roi->weight[k] = 1 / (float)roi->n_pixels;
}

/* Two discs that overlap and one apart; transients of decay .8. */
static void make(scene *s, size_t n, int64_t n_frames)
{
    static const double place[3][2] = { { 15, 12 }, { 15, 18 }, { 30, 30 } };

    *s = (scene){ .base = { .n_frames = n_frames, .height = SIZE, .width = SIZE, .read = read_frame } };
    s->masks = (nset_masks){ .height = SIZE, .width = SIZE, .n = n, .roi = s->roi };
    s->truth = nset_calloc(3 * FRAMES, sizeof *s->truth);
    for (size_t i = 0; i < n; i++) {
        nset_random r = nset_random_stream(2, "cell", i);
        double x = 0;
        disc(&s->roi[i], place[i][0], place[i][1], 4.5);
        for (size_t t = 0; t < FRAMES; t++) {
            x = .8 * x + (nset_random_uniform(&r) < .02 ? 2 : 0);
            s->truth[i * FRAMES + t] = (float)(1 + x);
        }
    }
}

static void drop(scene *s)
{
    for (size_t i = 0; i < s->masks.n; i++) {
        nset_free(s->roi[i].pixel);
        nset_free(s->roi[i].weight);
    }
    nset_free(s->truth);
}

static nset_traces *traces_of(scene *s, nset_workers *workers)
{
    nset_traces *t = NULL;
    nset_trace_options o = { 0 };
    nset_error err = { 0 };

    ck_assert_msg(nset_traces_make(&t, &s->base, &s->masks, &o, workers, &err) == NSET_OK, "%s", err.text);
    return t;
}

static double correlation(const float *x, const float *y, size_t n)
{
    double a = 0, b = 0, aa = 0, bb = 0, ab = 0;

    for (size_t t = 0; t < n; t++) {
        a += (double)x[t] / (double)n;
        b += (double)y[t] / (double)n;
    }
    for (size_t t = 0; t < n; t++) {
        aa += ((double)x[t] - a) * ((double)x[t] - a);
        bb += ((double)y[t] - b) * ((double)y[t] - b);
        ab += ((double)x[t] - a) * ((double)y[t] - b);
    }
    return ab / sqrt(aa * bb);
}

START_TEST(overlapping_cells_are_unmixed)
{
    nset_traces *t;
    scene s;

    make(&s, 3, FRAMES);
    s.noise = 20;
    s.surround = 40;
    t = traces_of(&s, NULL);
    for (size_t i = 0; i < 2; i++) {
        const float *mine = s.truth + i * FRAMES, *other = s.truth + (1 - i) * FRAMES;
        double own = correlation(t->corrected + i * FRAMES, mine, FRAMES),
               mixed = correlation(t->raw + i * FRAMES, mine, FRAMES),
               leak = correlation(t->corrected + i * FRAMES, other, FRAMES), chance = correlation(mine, other, FRAMES);
        ck_assert_msg(own > .99 && own > mixed, "cell %zu: %g, %g without", i, own, mixed);
        ck_assert_msg(fabs(leak - chance) < .05, "cell %zu: %g with the other, truth %g", i, leak, chance);
        ck_assert(t->flags[i] == NSET_TRACE_UNMIXED);
        ck_assert(s.roi[i].snr > 5 && s.roi[i].stability > .9);
    }
    ck_assert(t->flags[2] == 0);
    nset_traces_free(t);
    drop(&s);
}
END_TEST

START_TEST(dff_and_events_have_the_size_of_the_truth)
{
    double worst = 0, sum = 0, fired = 0;
    nset_traces *t;
    scene s;

    make(&s, 1, FRAMES);
    s.noise = 10;
    t = traces_of(&s, NULL);
    for (size_t k = 0; k < FRAMES; k++) {
        worst = fmax(worst, fabs((double)t->dff[k] - ((double)s.truth[k] - 1)));
        sum += (double)t->events[k];
        fired += k && s.truth[k] - 1 > .8f * (s.truth[k - 1] - 1) + 1 ? 2 : 0;
    }
    ck_assert_msg(worst < .2, "dF/F off by %g", worst);
    ck_assert_msg(fabs(sum - fired) < .2 * fired, "events sum to %g, truth %g", sum, fired);
    ck_assert_double_eq_tol((double)t->decay_s[0], -1 / (log(.8) * 10), .1);
    ck_assert_double_eq_tol((double)t->noise[0], .1 / sqrt((double)s.roi[0].n_pixels), .004);
    nset_traces_free(t);
    drop(&s);
}
END_TEST

START_TEST(constant_movie_is_flagged)
{
    nset_traces *t;
    scene s;

    make(&s, 2, _i ? FRAMES : 1);
    s.constant = true;
    t = traces_of(&s, NULL);
    for (size_t i = 0; i < 2; i++)
        ck_assert_int_eq(t->flags[i], NSET_TRACE_CONSTANT | NSET_TRACE_UNMIXED);
    for (size_t k = 0; k < 2 * t->n_frames; k++)
        ck_assert(t->raw[k] > 6.99f && fabsf(t->dff[k]) <= 0 && fabsf(t->events[k]) <= 0);
    ck_assert(fabsf(t->noise[0]) <= 0);
    nset_traces_free(t);
    drop(&s);
}
END_TEST

START_TEST(no_cells_give_no_traces)
{
    nset_traces *t;
    scene s;

    make(&s, 0, FRAMES);
    t = traces_of(&s, NULL);
    ck_assert_uint_eq(t->n_rois, 0);
    ck_assert_uint_eq(t->n_frames, FRAMES);
    nset_traces_free(t);
    drop(&s);
}
END_TEST

START_TEST(missing_pixels_are_left_out)
{
    nset_traces *t;
    scene s;

    make(&s, 1, FRAMES);
    s.holes = true;
    t = traces_of(&s, NULL);
    for (size_t k = 0; k < FRAMES; k++)
        ck_assert_float_eq_tol(t->raw[k], 100 * s.truth[k], 1e-3f);
    nset_traces_free(t);
    drop(&s);
}
END_TEST

START_TEST(threads_do_not_change_a_byte)
{
    nset_traces *t[3];
    scene s;

    make(&s, 3, FRAMES);
    s.noise = 20;
    for (size_t k = 0; k < 3; k++) {
        nset_workers *workers = NULL;
        ck_assert_int_eq(nset_workers_create(&workers, k + 1, NULL), NSET_OK);
        t[k] = traces_of(&s, workers);
        nset_workers_free(workers);
    }
    for (size_t k = 1; k < 3; k++) {
        ck_assert_mem_eq(t[0]->dff, t[k]->dff, 3 * FRAMES * sizeof(float));
        ck_assert_mem_eq(t[0]->events, t[k]->events, 3 * FRAMES * sizeof(float));
    }
    for (size_t k = 0; k < 3; k++)
        nset_traces_free(t[k]);
    drop(&s);
}
END_TEST

/* A cell that blocks .3 of the light behind it has .7 of its ring's, whether it fires seldom or half of the time. */
START_TEST(share_of_the_ring_is_found)
{
    nset_traces *t;
    scene s;

    make(&s, 1, FRAMES);
    s.noise = 10;
    s.surround = 60;
    for (size_t k = 0; k < FRAMES && _i; k++)
        s.truth[k] = (float)(1 + (k / 50 % 2 ? 2 + sin((double)k) : 0));
    t = traces_of(&s, NULL);
    ck_assert_msg(fabs((double)t->share[0] - .7) < (_i ? .1 : .03), "%g", (double)t->share[0]);
    nset_traces_free(t);
    drop(&s);
}
END_TEST

START_TEST(frames_in_another_order_give_the_same_light)
{
    nset_traces *t[2];
    double stability[3];
    scene s;

    make(&s, 3, FRAMES);
    s.noise = 20;
    s.surround = 40;
    t[0] = traces_of(&s, NULL);
    for (size_t i = 0; i < 3; i++)
        stability[i] = s.roi[i].stability;
    s.backwards = true;
    t[1] = traces_of(&s, NULL);
    for (size_t i = 0; i < 3; i++) {
        ck_assert_mem_eq(&stability[i], &s.roi[i].stability, sizeof(double));
        ck_assert_mem_eq(&t[0]->share[i], &t[1]->share[i], sizeof(float));
        for (size_t k = 0; k < FRAMES; k++) {
            size_t a = i * FRAMES + k, b = (i + 1) * FRAMES - 1 - k;
            ck_assert_mem_eq(&t[0]->raw[a], &t[1]->raw[b], sizeof(float));
            ck_assert_mem_eq(&t[0]->neuropil[a], &t[1]->neuropil[b], sizeof(float));
            ck_assert_msg(fabsf(t[0]->corrected[a] - t[1]->corrected[b]) <= 0, "cell %zu frame %zu: %.9g, %.9g", i, k,
                (double)t[0]->corrected[a], (double)t[1]->corrected[b]);
        }
    }
    nset_traces_free(t[0]);
    nset_traces_free(t[1]);
    drop(&s);
}
END_TEST

START_TEST(masks_outside_of_the_frame_are_refused)
{
    nset_traces *t = NULL;
    nset_trace_options o = { 0 };
    nset_error err = { 0 };
    scene s;

    make(&s, 1, 3);
    s.roi[0].pixel[0] = SIZE * SIZE;
    ck_assert_int_eq(nset_traces_make(&t, &s.base, &s.masks, &o, NULL, &err), NSET_ERR_ARG);
    ck_assert_ptr_null(t);
    ck_assert_msg(strstr(err.text, "outside"), "%s", err.text);
    drop(&s);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("traces");
    TCase *t = tcase_create("traces");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_test(t, overlapping_cells_are_unmixed);
    tcase_add_test(t, dff_and_events_have_the_size_of_the_truth);
    tcase_add_loop_test(t, constant_movie_is_flagged, 0, 2);
    tcase_add_test(t, no_cells_give_no_traces);
    tcase_add_test(t, missing_pixels_are_left_out);
    tcase_add_test(t, threads_do_not_change_a_byte);
    tcase_add_loop_test(t, share_of_the_ring_is_found, 0, 2);
    tcase_add_test(t, frames_in_another_order_give_the_same_light);
    tcase_add_test(t, masks_outside_of_the_frame_are_refused);
    suite_add_tcase(suite, t);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
