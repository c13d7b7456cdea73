/* The stages of sorting, one by one, on recordings made here. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <neuroset/memory.h>
#include <neuroset/random.h>
#include "ephys/events.h"
#include "ephys/match.h"
#include "ephys/noise.h"
#include "ephys/parts.h"
#include "ephys/templates.h"
#include "ephys/whiten.h"
#include "signal/robust.h"
#include "signal/segments.h"

enum { C = 4, RATE = 30000, SECONDS = 6, N = RATE * SECONDS, SHAPE = 40, TROUGH = 12 };

typedef struct memory_source {
    nset_source base;
    float *x; /* (n_samples, C) */
} memory_source;

static nset_status read_memory(nset_source *self, float *out, int64_t start, size_t n, nset_error *err)
{
    (void)err;
    ck_assert(start >= 0 && start + (int64_t)n <= self->n_samples);
    memcpy(out, ((memory_source *)self)->x + (size_t)start * self->n_channels, n * self->n_channels * sizeof *out);
    return NSET_OK;
}

typedef struct fixture {
    memory_source source;
    nset_recording recording;
} fixture;

static void setup(fixture *f, double noise_uv)
{
    nset_random r = nset_random_stream(3, "noise", 0);

    *f = (fixture){ .source = { .base = { "memory", C, RATE, N, read_memory, NULL } } };
    f->source.x = nset_calloc((size_t)N * C, sizeof *f->source.x);
    for (size_t i = 0; i < (size_t)N * C; i++)
        f->source.x[i] = (float)(noise_uv * nset_random_normal(&r));
    f->recording.source = &f->source.base;
    ck_assert_int_eq(nset_probe_init(&f->recording.probe, C, NULL), NSET_OK);
    for (size_t c = 0; c < C; c++) {
        f->recording.probe.x_um[c] = 25. * (double)(c % 2);
        f->recording.probe.y_um[c] = 25. * (double)(c / 2);
    }
}

static void teardown(fixture *f)
{
    nset_free(f->source.x);
    nset_probe_fini(&f->recording.probe);
}

/* A spike of unit k (0 or 1) with its trough at sample at. */
static void plant(fixture *f, int64_t at, int k)
{
    static const double share[2][C] = { { 1, .6, .3, .1 }, { .1, .4, .7, 1 } };
    double width = k ? 5 : 3;

    for (int s = 0; s < SHAPE; s++) {
        double t = s - TROUGH, v = -110 * exp(-t * t / (2 * width * width)) + 40 * exp(-pow((t - 12) / 7, 2));
        for (size_t c = 0; c < C; c++)
            f->source.x[(size_t)(at - TROUGH + s) * C + c] += (float)(share[k][c] * v);
    }
}

/* Spikes of two units, some of them 10 samples apart. */
static size_t plant_both(fixture *f, int64_t (*sample)[512])
{
    size_t n = 0;

    for (int64_t t = 900; t < N - 1200 && n < 512; t += 700, n++) {
        sample[0][n] = t;
        sample[1][n] = t + (n % 3 == 0 ? 10 : 333);
        plant(f, sample[0][n], 0);
        plant(f, sample[1][n], 1);
    }
    return n;
}

static nset_whitened *whiten(fixture *f, size_t memory, nset_workers *workers)
{
    nset_whitened *w = NULL;
    nset_error err = { 0 };

    ck_assert_msg(nset_whitened_open(&w, &f->recording, false, memory, workers, &err) == NSET_OK, "%s", err.text);
    return w;
}

START_TEST(medians_by_hand)
{
    float odd[] = { 5, 1, 3 }, even[] = { 4, -1, 2, 10 }, one[] = { 7 }, spread[] = { -1, 1, -3, 3, 100 };

    ck_assert_float_eq(nset_median(odd, 3), 3);
    ck_assert_float_eq(nset_median(even, 4), 3);
    ck_assert_float_eq(nset_median(one, 1), 7);
    ck_assert_float_eq(nset_median(NULL, 0), 0);
    ck_assert_float_eq_tol(nset_mad_sd(spread, 5), 3 / .6745, 1e-4);
}
END_TEST

/* A filter is known by its answer to single samples, which the inverse transform gives as a plain sum. */
START_TEST(the_filter_is_the_sum_it_should_be)
{
    enum { FIRST = NSET_HOP - 700, SECOND = NSET_HOP + 300 };
    fixture f;
    nset_segments *s = NULL;
    float *h = nset_calloc(NSET_BINS, sizeof *h), *out = nset_calloc((size_t)C * NSET_FFT, sizeof *out);

    setup(&f, 0);
    f.source.x[(size_t)FIRST * C + 1] = 1000;
    f.source.x[(size_t)SECOND * C + 1] = -500;
    nset_band_response(h, 300, 6000, RATE);
    ck_assert_int_eq(nset_segments_open(&s, &f.source.base, NULL, NULL), NSET_OK);
    ck_assert_int_eq(nset_segments_read(s, out, 1, h, NULL), NSET_OK);
    for (size_t t = 0; t < 1200; t += 29) {
        double want = 0;
        for (int p = 0; p < 2; p++) {
            double lag = (double)NSET_HOP + (double)t - (p ? SECOND : FIRST), sum = (double)h[0];
            for (size_t k = 1; k < NSET_BINS - 1; k++)
                sum += 2 * (double)h[k] * cos(6.283185307179586 * (double)k * lag / NSET_FFT);
            want += (p ? -500 : 1000) * sum / NSET_FFT;
        }
        ck_assert_float_eq_tol(out[NSET_FFT + NSET_MARGIN + t], (float)want, 2e-3);
        ck_assert_float_eq(out[NSET_MARGIN + t], 0);
    }
    nset_segments_close(s);
    nset_free(h);
    nset_free(out);
    teardown(&f);
}
END_TEST

START_TEST(how_much_is_read_at_once_changes_no_bit)
{
    fixture f;
    nset_workers *workers = NULL;
    nset_whitened *a, *b;
    float *x = nset_calloc((size_t)N * C, sizeof *x), *y = nset_calloc((size_t)N * C, sizeof *y);

    setup(&f, 10);
    ck_assert_int_eq(nset_workers_create(&workers, 3, NULL), NSET_OK);
    a = whiten(&f, (size_t)1 << 30, NULL);
    b = whiten(&f, 0, workers);
    ck_assert_int_eq(nset_whitened_read(a, x, 0, N, NULL), NSET_OK);
    for (int64_t t = 0; t < N; t += 7777)
        ck_assert_int_eq(nset_whitened_read(b, y + t * C, t, (size_t)(N - t < 7777 ? N - t : 7777), NULL), NSET_OK);
    ck_assert_mem_eq(x, y, (size_t)N * C * sizeof *x);
    nset_whitened_close(a);
    nset_whitened_close(b);
    nset_workers_free(workers);
    nset_free(x);
    nset_free(y);
    teardown(&f);
}
END_TEST

START_TEST(white_noise_becomes_noise_of_unit_density)
{
    fixture f;
    nset_whitened *w;
    float *x = nset_calloc((size_t)N * C, sizeof *x);
    double density;

    setup(&f, 25);
    w = whiten(&f, (size_t)1 << 30, NULL);
    density = (double)nset_whitened_density(w);
    ck_assert_double_eq_tol(density, sqrt(5700. / 15000.), 1e-6);
    ck_assert_int_eq(nset_whitened_read(w, x, 0, N, NULL), NSET_OK);
    for (size_t c = 0; c < C; c++) {
        double sum = 0;
        for (size_t t = 0; t < N; t++)
            sum += (double)x[t * C + c] * (double)x[t * C + c];
        ck_assert_double_eq_tol(sqrt(sum / N), density, .03 * density);
    }
    nset_whitened_close(w);
    nset_free(x);
    teardown(&f);
}
END_TEST

/* 40 ms common to all channels are an artefact, a spike on all channels is not. */
START_TEST(artefacts_are_blanked_and_spikes_are_not)
{
    fixture f;
    nset_whitened *w;
    const int64_t(*spans)[2];
    float x[C];

    setup(&f, 10);
    for (int64_t t = 60000; t < 61200; t++)
        for (size_t c = 0; c < C; c++)
            f.source.x[(size_t)t * C + c] += (float)(2000 * sin(.4 * (double)t));
    for (size_t c = 0; c < C; c++)
        for (int64_t t = -12; t <= 12; t++)
            f.source.x[(size_t)(90010 + t) * C + c] -= (float)(200 * exp(-(double)(t * t) / 18));
    w = whiten(&f, (size_t)1 << 30, NULL);
    ck_assert_int_eq(nset_whitened_read(w, x, 60500, 1, NULL), NSET_OK);
    for (size_t c = 0; c < C; c++)
        ck_assert_float_eq(x[c], 0);
    ck_assert_int_eq(nset_whitened_read(w, x, 90010, 1, NULL), NSET_OK);
    ck_assert_float_ne(x[0], 0);
    ck_assert_uint_eq(nset_whitened_blanked(w, &spans), 1);
    ck_assert_int_le(spans[0][0], 60000);
    ck_assert_int_ge(spans[0][1], 61200);
    nset_whitened_close(w);
    teardown(&f);
}
END_TEST

START_TEST(events_of_both_signs_are_found_where_they_are)
{
    static const int64_t at[] = { 5000, 30000, NSET_HOP * 2 - 1, 100000 };
    fixture f;
    nset_whitened *w;
    nset_neighbours near = { 0 };
    nset_events e = { 0 };
    int64_t segments[] = { 0, 1, 2, 3, 4, 5, 6 };

    setup(&f, 5);
    for (int i = 0; i < 4; i++)
        for (int64_t t = -4; t <= 4; t++)
            f.source.x[(size_t)(at[i] + t) * C + (size_t)i] +=
                (float)((i % 2 ? 300 : -300) * exp(-(double)(t * t) / 8));
    w = whiten(&f, (size_t)1 << 30, NULL);
    ck_assert_int_eq(nset_neighbours_init(&near, &f.recording.probe, 60, NULL), NSET_OK);
    ck_assert_int_eq(
        nset_events_detect(&e, w, &near, segments, (size_t)nset_whitened_segments(w), 8, NULL, NULL), NSET_OK);
    ck_assert_uint_ge(e.n, 4);
    for (int i = 0; i < 4; i++) {
        size_t found = 0;
        for (size_t k = 0; k < e.n; k++)
            found += llabs(e.event[k].sample - at[i]) <= 2 && e.event[k].channel == (uint32_t)i;
        ck_assert_uint_eq(found, 1);
    }
    nset_events_fini(&e);
    nset_neighbours_fini(&near);
    nset_whitened_close(w);
    teardown(&f);
}
END_TEST

static nset_status add_train(nset_trains *t, const int64_t *sample, size_t n)
{
    return nset_trains_add(t, sample, n, 0, NULL);
}

/* Planted spikes of both units, overlaps included, come back: the right unit within .2 ms; the same bytes for any
 * number of threads and any memory. */
START_TEST(matching_finds_what_was_planted)
{
    fixture f;
    int64_t(*sample)[512] = nset_calloc(2, sizeof *sample);
    int64_t segments[] = { 0, 1, 2, 3, 4, 5, 6 };
    nset_matches first = { 0 };
    size_t n;

    setup(&f, 10);
    n = plant_both(&f, sample);
    for (size_t threads = 1; threads <= 3; threads++) {
        nset_workers *workers = NULL;
        nset_trains trains = { 0 };
        nset_templates t = { 0 };
        nset_neighbours wide = { 0 };
        nset_matches m = { 0 };
        double count[2] = { (double)n, (double)n };
        nset_whitened *w;
        ck_assert_int_eq(nset_workers_create(&workers, threads, NULL), NSET_OK);
        w = whiten(&f, threads == 2 ? 0 : (size_t)1 << 30, workers);
        ck_assert_int_eq(nset_neighbours_init(&wide, &f.recording.probe, 200, NULL), NSET_OK);
        ck_assert_int_eq(add_train(&trains, sample[0], n), NSET_OK);
        ck_assert_int_eq(add_train(&trains, sample[1], n), NSET_OK);
        ck_assert_int_eq(nset_templates_learn(&t, w, &trains, &wide, workers, NULL), NSET_OK);
        ck_assert_uint_eq(t.home[0], 0);
        ck_assert_uint_eq(t.home[1], 3);
        ck_assert_int_eq(
            nset_match_run(&m, w, &t, count, N, segments, (size_t)nset_whitened_segments(w), workers, NULL), NSET_OK);
        if (threads == 1) {
            first = m;
        } else {
            ck_assert_uint_eq(m.n, first.n);
            ck_assert_mem_eq(m.match, first.match, m.n * sizeof *m.match);
            nset_matches_fini(&m);
        }
        nset_trains_fini(&trains);
        nset_templates_fini(&t);
        nset_neighbours_fini(&wide);
        nset_whitened_close(w);
        nset_workers_free(workers);
    }
    for (int k = 0; k < 2; k++) {
        size_t found = 0, own = 0;
        for (size_t i = 0; i < first.n; i++)
            own += first.match[i].unit == k;
        for (size_t s = 0; s < n; s++)
            for (size_t i = 0; i < first.n; i++)
                if (first.match[i].unit == k && llabs(first.match[i].sample - sample[k][s]) <= 6) {
                    found++;
                    break;
                }
        ck_assert_msg(found >= n - n / 50, "unit %d: %zu of %zu found", k, found, n);
        ck_assert_msg(own <= n + n / 50, "unit %d: %zu spikes, %zu planted", k, own, n);
    }
    nset_matches_fini(&first);
    nset_free(sample);
    teardown(&f);
}
END_TEST

/* Template 1 against template 0: its amplitude, its shift, the weight it moves to another channel; joined or not. */
static const struct {
    double amplitude;
    int shift;
    double elsewhere;
    int joined;
} pairs[] = { { 1, 0, 0, 1 }, { 1, 4, 0, 1 }, { 1.2, -3, 0, 1 }, { .5, 0, 0, 0 }, { 1, 0, 1, 0 }, { 1, 20, 0, 0 } };

START_TEST(templates_are_joined_by_distance)
{
    nset_probe probe = { 0 };
    nset_templates t = { 0 };
    nset_trains trains = { 0 };
    const int64_t a[] = { 1000, 3000, 5000 }, b[] = { 2000, 3000, 9000 };

    ck_assert_int_eq(nset_probe_init(&probe, 2, NULL), NSET_OK);
    ck_assert_int_eq(nset_templates_init(&t, 2, 2, RATE, NULL), NSET_OK);
    for (int k = 0; k < 2; k++)
        for (int s = 0; s < (int)t.length; s++) {
            double at = s - 22 - (k ? pairs[_i].shift : 0);
            double v = -12 * exp(-at * at / 18) * (k ? pairs[_i].amplitude : 1);
            double off = k ? pairs[_i].elsewhere : 0;
            t.data[((size_t)k * t.length + (size_t)s) * 2] = (float)(v * (1 - off));
            t.data[((size_t)k * t.length + (size_t)s) * 2 + 1] = (float)(v * off);
        }
    nset_templates_measure(&t, 0);
    nset_templates_measure(&t, 1);
    ck_assert_int_eq(add_train(&trains, a, 3), NSET_OK);
    ck_assert_int_eq(add_train(&trains, b, 3), NSET_OK);
    ck_assert_int_eq(nset_templates_merge(&t, &trains, &probe, RATE, NULL), NSET_OK);
    ck_assert_uint_eq(trains.n, pairs[_i].joined ? 1 : 2);
    ck_assert_uint_eq(t.n, trains.n);
    if (pairs[_i].joined) { /* one spike was in both */
        ck_assert_uint_eq(trains.train[0].n, 5);
        ck_assert_int_eq(trains.train[0].sample[0], 1000);
        ck_assert_int_eq(trains.train[0].sample[1], 2000 + pairs[_i].shift);
    }
    nset_trains_fini(&trains);
    nset_templates_fini(&t);
    nset_probe_fini(&probe);
}
END_TEST

/* Points on a line in five dimensions: the first component is their place on it, the second nothing. */
START_TEST(principal_components_of_a_line)
{
    enum { POINTS = 9, DIMENSIONS = 5 };
    float x[POINTS * DIMENSIONS], out[POINTS * 2];
    double along[DIMENSIONS] = { .5, -.5, .5, -.5, 0 };

    for (int i = 0; i < POINTS; i++)
        for (int j = 0; j < DIMENSIONS; j++)
            x[i * DIMENSIONS + j] = (float)(7 + (i - 4) * along[j]);
    ck_assert_int_eq(nset_principal(out, x, POINTS, DIMENSIONS, 2, NULL), NSET_OK);
    for (int i = 0; i < POINTS; i++) {
        ck_assert_float_eq_tol(fabsf(out[i * 2]), (float)abs(i - 4), 1e-4f);
        ck_assert_float_eq_tol(out[i * 2 + 1], 0, 1e-4f);
    }
}
END_TEST

/* Parts of well separated heaps never mix them, and are the same twice. */
START_TEST(parts_keep_heaps_apart)
{
    enum { POINTS = 400 };
    float x[POINTS * 2];
    int32_t label[POINTS], again[POINTS];
    size_t n = 0, m = 0;
    nset_random r = nset_random_stream(1, "heaps", 0);

    for (int i = 0; i < POINTS; i++)
        for (int j = 0; j < 2; j++)
            x[i * 2 + j] = (float)(nset_random_normal(&r) + (j == 0 ? 40 * (i % 3) : 0));
    ck_assert_int_eq(nset_parts(label, &n, x, POINTS, 2, 1, 0, NULL), NSET_OK);
    ck_assert_int_eq(nset_parts(again, &m, x, POINTS, 2, 1, 0, NULL), NSET_OK);
    ck_assert_mem_eq(label, again, sizeof label);
    ck_assert_uint_ge(n, 3);
    for (int i = 0; i < POINTS; i++)
        for (int j = 0; j < i; j++)
            ck_assert(label[i] != label[j] || i % 3 == j % 3);
}
END_TEST

/* The local root of a chain of channels, each correlated with the next, is the whole one where it reaches: a row times
 * the covariance times the row is 1. */
START_TEST(whitening_near_a_channel_whitens_it)
{
    enum { M = 12 };
    double s[M * M], whole[M * M], counts[M * M];
    float near[M * M] = { 0 }, all[M * M];
    nset_probe probe;

    ck_assert_int_eq(nset_probe_init(&probe, M, NULL), NSET_OK);
    for (size_t a = 0; a < M; a++) {
        probe.y_um[a] = 20. * (double)a;
        for (size_t b = 0; b < M; b++) {
            counts[a * M + b] = 1000;
            whole[a * M + b] = s[a * M + b] = 1000 * pow(.5, fabs((double)a - (double)b)) / (a == b ? 1 : .97);
        }
    }
    nset_covariance_finish(s, counts, 0, 100, M);
    nset_covariance_finish(whole, NULL, 1000, 100, M);
    for (size_t i = 0; i < M * M; i++)
        ck_assert_double_eq_tol(s[i], pow(.5, fabs((double)(i / M) - (double)(i % M))), 1e-9);
    ck_assert_mem_eq(s, whole, sizeof s);
    ck_assert_int_eq(nset_inverse_root_local(near, s, &probe, 60, NULL), NSET_OK);
    ck_assert_int_eq(nset_inverse_root(all, whole, M, NULL), NSET_OK);
    for (size_t a = 0; a < M; a++) {
        double variance = 0;
        for (size_t p = 0; p < M; p++) {
            if (fabs(probe.y_um[p] - probe.y_um[a]) > 60)
                ck_assert_float_eq(near[p * M + a], 0);
            ck_assert_float_eq_tol(near[p * M + a], all[p * M + a], .03f);
            for (size_t q = 0; q < M; q++)
                variance += (double)near[p * M + a] * s[p * M + q] * (double)near[q * M + a];
        }
        ck_assert_double_eq_tol(variance, 1, 1e-5);
    }
    nset_probe_fini(&probe);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("sort stages");
    TCase *t = tcase_create("stages");
    SRunner *runner = srunner_create(s);
    int failed;

    tcase_set_timeout(t, 240);
    tcase_add_test(t, medians_by_hand);
    tcase_add_test(t, the_filter_is_the_sum_it_should_be);
    tcase_add_test(t, how_much_is_read_at_once_changes_no_bit);
    tcase_add_test(t, white_noise_becomes_noise_of_unit_density);
    tcase_add_test(t, artefacts_are_blanked_and_spikes_are_not);
    tcase_add_test(t, events_of_both_signs_are_found_where_they_are);
    tcase_add_test(t, matching_finds_what_was_planted);
    tcase_add_loop_test(t, templates_are_joined_by_distance, 0, sizeof pairs / sizeof *pairs);
    tcase_add_test(t, principal_components_of_a_line);
    tcase_add_test(t, parts_keep_heaps_apart);
    tcase_add_test(t, whitening_near_a_channel_whitens_it);
    suite_add_tcase(s, t);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
