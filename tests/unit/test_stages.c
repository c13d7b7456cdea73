/* What the stages of a segmentation leave, and what becomes of it when a file is damaged. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <neuroset/memory.h>

#include "imaging/stage_files.h"
#include "results/stages.h"

enum { T = 3, H = 4, W = 5 };

static char dir[64], work[80];

static void enter(void)
{
    strcpy(dir, "/tmp/neuroset-stages-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(work, sizeof work, "%s/key", dir);
}

static void leave(void)
{
    char path[128];

    snprintf(path, sizeof path, "rm -rf %s", dir);
    ck_assert_int_eq(system(path), 0);
}

static nset_motion make_motion(void)
{
    nset_motion m = { .n_frames = T, .height = H, .width = W, .rows = 1, .columns = 2, .line_offset = -2 };

    m.shift = nset_calloc(T, sizeof *m.shift);
    m.left_out = nset_calloc(T, 1);
    m.valid = nset_calloc(T, 1);
    m.row = nset_calloc(1, sizeof *m.row);
    m.column = nset_calloc(2, sizeof *m.column);
    m.block = nset_calloc(T * 4, sizeof *m.block);
    m.fill = nset_calloc(H * W, sizeof *m.fill);
    m.column[1] = 3;
    for (int t = 0; t < T; t++) {
        m.shift[t][0] = .1 * t;
        m.block[4 * t + 3] = (float)t;
    }
    m.left_out[1] = NSET_LEFT_JUMP;
    m.fill[7] = 9;
    m.quality.residual_px = .125;
    return m;
}

START_TEST(a_stage_comes_back_as_it_was)
{
    nset_motion m = make_motion(), back = { .n_frames = T, .height = H, .width = W };
    nset_stages s = { .work = work };

    ck_assert_int_eq(nset_stages_leave(&s, "motion", nset_motion_put, &m, NULL), NSET_OK);
    ck_assert(nset_stages_take(&s, "motion", nset_motion_take, &back));
    ck_assert_mem_eq(m.shift, back.shift, T * sizeof *m.shift);
    ck_assert_mem_eq(m.left_out, back.left_out, T);
    ck_assert_mem_eq(m.block, back.block, T * 4 * sizeof *m.block);
    ck_assert_mem_eq(m.fill, back.fill, H * W * sizeof *m.fill);
    ck_assert(back.line_offset == -2 && back.quality.residual_px == .125 && back.rows == 1 && back.columns == 2);
    nset_motion_fini(&m);
    nset_motion_fini(&back);
}
END_TEST

/* Once a stage has to be made, what later ones left is not looked at: it may be of another one. */
START_TEST(after_a_stage_that_is_missing_none_is_taken)
{
    nset_motion m = make_motion(), back = { .n_frames = T, .height = H, .width = W };
    nset_stages s = { .work = work };

    ck_assert_int_eq(nset_stages_leave(&s, "later", nset_motion_put, &m, NULL), NSET_OK);
    ck_assert(!nset_stages_take(&s, "earlier", nset_motion_take, &back));
    ck_assert(!nset_stages_take(&s, "later", nset_motion_take, &back));
    ck_assert_ptr_null(back.shift);
    nset_motion_fini(&m);
}
END_TEST

/* Cut anywhere, or any one byte changed. */
START_TEST(a_damaged_stage_is_not_taken)
{
    nset_motion m = make_motion();
    nset_stages s = { .work = work };
    char path[128], *bytes;
    long n;
    FILE *f;

    ck_assert_int_eq(nset_stages_leave(&s, "motion", nset_motion_put, &m, NULL), NSET_OK);
    snprintf(path, sizeof path, "%s-motion.state", work);
    f = fopen(path, "rb");
    fseek(f, 0, SEEK_END);
    n = ftell(f);
    rewind(f);
    bytes = malloc((size_t)n);
    ck_assert_uint_eq(fread(bytes, 1, (size_t)n, f), (size_t)n);
    fclose(f);
    for (long i = 0; i < n; i += 7) {
        nset_motion back = { .n_frames = T, .height = H, .width = W };
        nset_stages again = { .work = work };
        bool cut = i % 2;
        bytes[i] ^= 16;
        f = fopen(path, "wb");
        fwrite(bytes, 1, (size_t)(cut ? i : n), f);
        fclose(f);
        bytes[i] ^= 16;
        ck_assert(!nset_stages_take(&again, "motion", nset_motion_take, &back));
        ck_assert_ptr_null(back.shift);
    }
    free(bytes);
    nset_motion_fini(&m);
}
END_TEST

START_TEST(a_stage_of_another_movie_is_not_taken)
{
    nset_motion m = make_motion(), back = { .n_frames = T + 1, .height = H, .width = W };
    nset_stages s = { .work = work };

    ck_assert_int_eq(nset_stages_leave(&s, "motion", nset_motion_put, &m, NULL), NSET_OK);
    ck_assert(!nset_stages_take(&s, "motion", nset_motion_take, &back));
    ck_assert_uint_eq(back.n_frames, T + 1);
    nset_motion_fini(&m);
}
END_TEST

static nset_masks *make_masks(void)
{
    nset_masks *m = nset_calloc(1, sizeof *m);

    *m = (nset_masks){ H, W, 1, nset_calloc(1, sizeof *m->roi) };
    m->roi[0] = (nset_roi){ .n_pixels = 2, .probability = .75, .reason = "none" };
    m->roi[0].pixel = nset_calloc(2, sizeof *m->roi[0].pixel);
    m->roi[0].weight = nset_calloc(2, sizeof *m->roi[0].weight);
    m->roi[0].pixel[1] = H * W - 1;
    m->roi[0].weight[1] = 1;
    return m;
}

START_TEST(masks_come_back_with_pixels_that_lie_inside)
{
    static const char *const names[] = { "mean", NULL };
    nset_stages s = { .work = work }, again = { .work = work };
    nset_found f = { .n_frames = T, .height = H, .width = W, .names = names }, back = f, small = f;

    f.masks = make_masks();
    f.summary = nset_calloc(1, sizeof *f.summary);
    *f.summary = (nset_maps){ 1, H, W, nset_calloc(H * W, sizeof(float)), names };
    ck_assert_int_eq(nset_stages_leave(&s, "masks", nset_found_put, &f, NULL), NSET_OK);
    ck_assert(nset_stages_take(&s, "masks", nset_found_take, &back));
    ck_assert_uint_eq(back.masks->n, 1);
    ck_assert_int_eq(back.masks->roi[0].pixel[1], H * W - 1);
    ck_assert_str_eq(back.masks->roi[0].reason, "none");
    ck_assert_ptr_null(back.rejected);
    nset_found_fini(&back);
    f.masks->roi[0].pixel[1] = H * W; /* a true sum over a false pixel */
    ck_assert_int_eq(nset_stages_leave(&s, "masks", nset_found_put, &f, NULL), NSET_OK);
    ck_assert(!nset_stages_take(&again, "masks", nset_found_take, &small));
    ck_assert_ptr_null(small.masks);
    nset_found_fini(&f);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("stages");
    TCase *c = tcase_create("stages");
    SRunner *r = srunner_create(s);
    int failed;

    tcase_add_checked_fixture(c, enter, leave);
    tcase_add_test(c, a_stage_comes_back_as_it_was);
    tcase_add_test(c, after_a_stage_that_is_missing_none_is_taken);
    tcase_add_test(c, a_damaged_stage_is_not_taken);
    tcase_add_test(c, a_stage_of_another_movie_is_not_taken);
    tcase_add_test(c, masks_come_back_with_pixels_that_lie_inside);
    suite_add_tcase(s, c);
    srunner_run_all(r, CK_NORMAL);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
