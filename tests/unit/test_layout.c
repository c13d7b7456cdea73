/* Samples of a layout: pieces of files one after the other, frames that a reader makes, gaps between them. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <neuroset/memory.h>

#include "ephys/layout.h"

static char folder[] = "/tmp/neuroset-layout-XXXXXX";
static const size_t in_order[2] = { 0, 1 };

/* path := a file of n frames of two channels, counts 10 t + c from t = first on, after skip bytes. */
static void write_counts(char *path, size_t size, const char *name, int first, int n, size_t skip, size_t torn)
{
    FILE *f;

    snprintf(path, size, "%s/%s", folder, name);
    ck_assert_ptr_nonnull(f = fopen(path, "wb"));
    for (size_t i = 0; i < skip; i++)
        fputc(77, f);
    for (int t = first; t < first + n; t++)
        for (int c = 0; c < 2; c++) {
            int16_t v = (int16_t)(10 * t + c);
            fwrite(&v, sizeof v, 1, f);
        }
    for (size_t i = 0; i < torn; i++)
        fputc(77, f);
    fclose(f);
}

static void start(nset_layout *l)
{
    nset_error err = { 0 };

    *l = (nset_layout){ .dtype = "int16", .rate_hz = 1000, .n_columns = 2 };
    l->data_path = nset_strdup("it");
    ck_assert_int_eq(nset_layout_channels(l, 2, &err), NSET_OK);
}

/* Any cut gives counts 10 t + c. */
static void check_ramp(nset_source *s, int64_t n)
{
    nset_error err = { 0 };
    float x[64];

    ck_assert_int_eq(s->n_samples, n);
    for (int64_t from = 0; from < n; from++)
        for (int64_t to = from + 1; to <= n; to++) {
            ck_assert_msg(s->read(s, x, from, (size_t)(to - from), &err) == NSET_OK, "%s", err.text);
            for (int64_t t = from; t < to; t++)
                for (int c = 0; c < 2; c++)
                    ck_assert_float_eq(x[2 * (t - from) + c], (float)(10 * t + c));
        }
}

START_TEST(pieces_read_as_one)
{
    nset_layout l;
    nset_source *s = NULL;
    nset_error err = { 0 };
    char a[200], b[200];

    write_counts(a, sizeof a, "a", 0, 5, 3, 0);
    write_counts(b, sizeof b, "b", 3, 9, 0, 1); /* frames 3, 4 are there twice: they are skipped by the offset */
    start(&l);
    ck_assert_int_eq(nset_layout_add_piece(&l, a, 3, 2, &err), NSET_OK);
    ck_assert_int_eq(nset_layout_add_piece(&l, a, 3 + 8, 3, &err), NSET_OK);
    ck_assert_int_eq(nset_layout_add_piece(&l, a, 3 + 20, -1, &err), NSET_OK); /* nothing is left of it */
    ck_assert_int_eq(nset_layout_add_piece(&l, b, 8, -1, &err), NSET_OK);
    ck_assert_msg(nset_layout_source(&s, &l, in_order, &err) == NSET_OK, "%s", err.text);
    check_ramp(s, 12);
    ck_assert_uint_eq(json_array_size(l.warnings), 1);
    ck_assert_ptr_nonnull(strstr(json_string_value(json_array_get(l.warnings, 0)), "torn frame of 1 of 4 bytes"));
    s->close(s);
    nset_layout_fini(&l);
}
END_TEST

START_TEST(a_piece_longer_than_its_file_is_cut)
{
    nset_layout l;
    nset_source *s = NULL;
    nset_error err = { 0 };
    char a[200];

    write_counts(a, sizeof a, "a", 0, 6, 0, 0);
    start(&l);
    ck_assert_int_eq(nset_layout_add_piece(&l, a, 0, 99, &err), NSET_OK);
    ck_assert_int_eq(nset_layout_source(&s, &l, in_order, &err), NSET_OK);
    check_ramp(s, 6);
    ck_assert_int_eq(l.piece[0].n_frames, 6);
    ck_assert_ptr_nonnull(strstr(json_string_value(json_array_get(l.warnings, 0)), "99 frames are announced"));
    s->close(s);
    nset_layout_fini(&l);
}
END_TEST

START_TEST(a_missing_piece_is_an_error)
{
    nset_layout l;
    nset_source *s = NULL;
    nset_error err = { 0 };
    char a[200];

    write_counts(a, sizeof a, "a", 0, 6, 0, 0);
    start(&l);
    ck_assert_int_eq(nset_layout_add_piece(&l, a, 0, -1, &err), NSET_OK);
    ck_assert_int_eq(nset_layout_add_piece(&l, "/nowhere/b", 0, -1, &err), NSET_OK);
    ck_assert_int_eq(nset_layout_source(&s, &l, in_order, &err), NSET_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "/nowhere/b"));
    nset_layout_fini(&l);
    start(&l);
    err = (nset_error){ 0 };
    ck_assert_int_eq(nset_layout_add_piece(&l, a, 25, -1, &err), NSET_OK);
    ck_assert_int_eq(nset_layout_source(&s, &l, in_order, &err), NSET_ERR_FORMAT);
    nset_layout_fini(&l);
}
END_TEST

typedef struct ramp {
    nset_frames base;
    int *closed;
} ramp;

static nset_status read_ramp(nset_frames *self, double *raw, int64_t from, size_t n, nset_error *err)
{
    (void)err;
    for (size_t t = 0; t < n; t++)
        for (size_t c = 0; c < self->n_columns; c++)
            raw[t * self->n_columns + c] = c == 0 ? 0. / 0. : (double)(10 * (from + (int64_t)t)) + (double)c - 1;
    return NSET_OK;
}

static void close_ramp(nset_frames *self)
{
    ++*((ramp *)self)->closed;
    nset_free(self);
}

static nset_frames *make_ramp(size_t n_columns, int *closed)
{
    ramp *r = nset_calloc(1, sizeof *r);

    r->base = (nset_frames){ .n_frames = 12, .n_columns = n_columns, .read = read_ramp, .close = close_ramp };
    r->closed = closed;
    return &r->base;
}

START_TEST(frames_are_read_scaled_and_closed_once)
{
    nset_layout l;
    nset_source *s = NULL;
    nset_error err = { 0 };
    int closed = 0;
    float x[2];

    start(&l);
    l.n_columns = 3;
    l.column[0] = 1;
    l.column[1] = 2;
    l.frames = make_ramp(3, &closed);
    ck_assert_int_eq(nset_layout_source(&s, &l, in_order, &err), NSET_OK);
    check_ramp(s, 12);
    nset_layout_fini(&l);
    ck_assert_int_eq(closed, 0);
    s->close(s);
    ck_assert_int_eq(closed, 1);

    start(&l);
    l.n_columns = 3;
    l.gain_uv[1] = .5;
    l.offset_uv[1] = -7;
    l.column[1] = 2;
    l.frames = make_ramp(3, &closed);
    ck_assert_int_eq(nset_layout_source(&s, &l, in_order, &err), NSET_OK);
    ck_assert_int_eq(s->read(s, x, 3, 1, &err), NSET_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "sample 3 of column 0 is not a finite number"));
    s->close(s);
    nset_layout_fini(&l);

    start(&l);
    l.n_columns = 3;
    l.gain_uv[1] = .5;
    l.offset_uv[1] = -7;
    l.column[1] = 2;
    l.zero_not_finite = true;
    l.frames = make_ramp(3, &closed);
    ck_assert_int_eq(nset_layout_source(&s, &l, in_order, &err), NSET_OK);
    ck_assert_int_eq(s->read(s, x, 3, 1, &err), NSET_OK);
    ck_assert_float_eq(x[0], 0);
    ck_assert_float_eq(x[1], 31 * .5f - 7);
    s->close(s);
    nset_layout_fini(&l);

    start(&l);
    l.frames = make_ramp(3, &closed); /* the layout says two columns */
    ck_assert_int_eq(nset_layout_source(&s, &l, in_order, &err), NSET_ERR_FORMAT);
    nset_layout_fini(&l);
    ck_assert_int_eq(closed, 4);
}
END_TEST

START_TEST(gaps_outside_are_dropped_and_unordered_ones_refused)
{
    nset_layout l;
    nset_source *s = NULL;
    nset_error err = { 0 };
    int closed = 0;

    start(&l);
    l.frames = make_ramp(2, &closed);
    ck_assert_int_eq(nset_layout_add_gap(&l, 0, 1, &err), NSET_OK);
    ck_assert_int_eq(nset_layout_add_gap(&l, 4, 2, &err), NSET_OK);
    ck_assert_int_eq(nset_layout_add_gap(&l, 5, 0, &err), NSET_OK);
    ck_assert_int_eq(nset_layout_add_gap(&l, 12, 3, &err), NSET_OK);
    ck_assert_int_eq(nset_layout_source(&s, &l, in_order, &err), NSET_OK);
    ck_assert_uint_eq(l.n_gaps, 2); /* a joint of no length stays: nothing is found across it */
    ck_assert_int_eq(l.gap[0].sample, 4);
    ck_assert_int_eq(l.gap[1].sample, 5);
    s->close(s);
    nset_layout_fini(&l);

    start(&l);
    l.frames = make_ramp(2, &closed);
    ck_assert_int_eq(nset_layout_add_gap(&l, 4, 2, &err), NSET_OK);
    ck_assert_int_eq(nset_layout_add_gap(&l, 3, 2, &err), NSET_OK);
    ck_assert_int_eq(nset_layout_source(&s, &l, in_order, &err), NSET_ERR_FORMAT);
    nset_layout_fini(&l);
}
END_TEST

START_TEST(seconds_count_the_gaps_before_a_sample)
{
    nset_source source = { .rate_hz = 1000, .n_samples = 100 };
    nset_gap gaps[2] = { { 10, 2 }, { 20, -.5 } };
    nset_recording r = { .source = &source, .gap = gaps, .n_gaps = 2, .start_s = 7 };

    ck_assert_double_eq(nset_recording_seconds(&r, 0), 7);
    ck_assert_double_eq(nset_recording_seconds(&r, 9), 7.009);
    ck_assert_double_eq(nset_recording_seconds(&r, 10), 9.01);
    ck_assert_double_eq(nset_recording_seconds(&r, 20), 8.52);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("layout");
    TCase *t = tcase_create("all");
    SRunner *runner;
    int failed;

    if (!mkdtemp(folder))
        return 1;
    tcase_add_test(t, pieces_read_as_one);
    tcase_add_test(t, a_piece_longer_than_its_file_is_cut);
    tcase_add_test(t, a_missing_piece_is_an_error);
    tcase_add_test(t, frames_are_read_scaled_and_closed_once);
    tcase_add_test(t, gaps_outside_are_dropped_and_unordered_ones_refused);
    tcase_add_test(t, seconds_count_the_gaps_before_a_sample);
    suite_add_tcase(s, t);
    runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    if (failed == 0) {
        char path[300];
        for (const char *name = "ab"; *name; name++) {
            snprintf(path, sizeof path, "%s/%c", folder, *name);
            unlink(path);
        }
        rmdir(folder);
    }
    return failed != 0;
}
