/* Scores of masks and traces by hand-worked cases. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <neuroset/memory.h>

#include "imaging/compare.h"
#include "imaging/compare_traces.h"
#include "results/npz.h"

static char folder[] = "/tmp/neuroset-compare-XXXXXX";

/* A region of n pixels along row, from column on. */
static void add_bar(nset_regions *r, int64_t id, int32_t row, int32_t column, size_t n)
{
    nset_region *one = NULL;

    ck_assert_int_eq(nset_regions_add(&one, r, n, false, NULL), NSET_OK);
    for (size_t k = 0; k < n; k++) {
        one->at[k][0] = row;
        one->at[k][1] = column + (int32_t)k;
    }
    one->id = id;
    ck_assert_int_eq(nset_region_settle(one, NULL), NSET_OK);
}

static void free_regions(nset_regions *r)
{
    for (size_t i = 0; i < r->n; i++)
        nset_free(r->region[i].at);
    nset_free(r->region);
}

/* One is found as it is (IoU 1: ten thresholds), one by 3 of its 4 pixels and another (3/5: .5, .55, .6), one is false:
 * 2 hits of 2 + 3 - 2 three times, 1 of 2 + 3 - 1 seven times. */
START_TEST(average_precision_by_hand)
{
    nset_regions truth = { 0 }, found = { 0 };
    nset_mask_score s;
    nset_error err = { 0 };
    size_t pair[2];

    add_bar(&truth, 0, 0, 0, 4);
    add_bar(&truth, 1, 9, 0, 4);
    add_bar(&found, 0, 50, 50, 4);
    add_bar(&found, 1, 9, 1, 4);
    add_bar(&found, 2, 0, 0, 4);
    ck_assert_int_eq(nset_compare_masks(&s, pair, &found, &truth, NULL, 5, .5, &err), NSET_OK);
    ck_assert_double_eq_tol(s.average_precision, (3 * 2 / 3. + 7 * 1 / 4.) / 10, 1e-12);
    ck_assert_uint_eq(s.iou.hits, 2);
    ck_assert_uint_eq(pair[0], 2);
    ck_assert_uint_eq(pair[1], 1);
    free_regions(&truth);
    free_regions(&found);
}
END_TEST

/* At 8 frames a second bins are 2 and 4 frames. Cell 5 is found as 7; cell 6 is silent, cell 8 has no mask. */
START_TEST(traces_and_events_by_hand)
{
    static const int32_t true_id[3] = { 8, 6, 5 }, found_id[2] = { 7, 9 };
    static const double rate = 8;
    static const float spikes[3][8] = { { 1, 1, 0, 0, 0, 0, 0, 0 }, { 0 }, { 0, 1, 0, 0, 0, 0, 2, 0 } };
    static const float trace[3][8] = { { 1, 2 }, { 1, 0, 1, 0, 1 }, { 0, 4, 2, 1, 0, 0, 8, 4 } };
    static const float events[2][8] = { { 1, 0, 0, 0, 0, 0, 0, 2 }, { 1 } };
    static const float corrected[2][8] = { { 1, 9, 5, 3, 1, 1, 17, 9 }, { 0, 1 } };
    nset_array t[] = { { "ids", "<i4", 1, { 3 }, true_id }, { "trace", "<f4", 2, { 3, 8 }, trace },
        { "spikes", "<f4", 2, { 3, 8 }, spikes } };
    nset_array f[] = { { "id", "<i4", 1, { 2 }, found_id }, { "corrected", "<f4", 2, { 2, 8 }, corrected },
        { "events", "<f4", 2, { 2, 8 }, events }, { "rate_hz", "<f8", 0, { 0 }, &rate } };
    nset_regions truth = { .has_ids = true }, found = { .has_ids = true };
    const size_t pair[2] = { 0, 1 };
    nset_trace_score s;
    nset_error err = { 0 };
    char path[2][200];

    add_bar(&truth, 5, 0, 0, 1);
    add_bar(&truth, 6, 1, 0, 1);
    add_bar(&found, 7, 0, 0, 1);
    add_bar(&found, 9, 1, 0, 1);
    snprintf(path[0], sizeof path[0], "%s/truth.npz", folder);
    snprintf(path[1], sizeof path[1], "%s/found/traces.npz", folder);
    ck_assert_int_eq(nset_npz_write(path[0], t, 3, &err), NSET_OK);
    snprintf(path[0], sizeof path[0], "%s/found", folder);
    mkdir(path[0], 0777);
    ck_assert_int_eq(nset_compare_traces(&s, pair, &found, path[0], &truth, folder, &err), NSET_OK);
    ck_assert(!s.scored);
    ck_assert_int_eq(nset_npz_write(path[1], f, 4, &err), NSET_OK);
    snprintf(path[1], sizeof path[1], "%s/regions.json", folder); /* beside it */
    ck_assert_msg(nset_compare_traces(&s, pair, &found, path[0], &truth, path[1], &err) == NSET_OK, "%s", err.text);
    ck_assert(s.scored);
    ck_assert_uint_eq(s.n_pairs, 2);
    ck_assert_uint_eq(s.n_traces, 1);
    ck_assert_double_eq_tol(s.trace, 1, 1e-12); /* 2 x + 1 */
    ck_assert_double_eq_tol(s.bin_s[0], .25, 1e-12);
    ck_assert_double_eq_tol(s.events[0], 1, 1e-12); /* 1 0 0 2 both */
    ck_assert_double_eq_tol(s.events[1], 1, 1e-12); /* 1 2 both */
    f[1].shape[1] = f[2].shape[1] = 4;
    f[1].shape[0] = f[2].shape[0] = 2;
    snprintf(path[1], sizeof path[1], "%s/found/traces.npz", folder);
    ck_assert_int_eq(nset_npz_write(path[1], f, 4, &err), NSET_OK);
    ck_assert_int_eq(nset_compare_traces(&s, pair, &found, path[0], &truth, folder, &err), NSET_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "not the same movie"));
    free_regions(&truth);
    free_regions(&found);
    unlink(path[1]);
    rmdir(path[0]);
    snprintf(path[0], sizeof path[0], "%s/truth.npz", folder);
    unlink(path[0]);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("compare masks");
    TCase *t = tcase_create("all");
    SRunner *runner = srunner_create(s);
    int failed;

    if (!mkdtemp(folder))
        return 1;
    tcase_add_test(t, average_precision_by_hand);
    tcase_add_test(t, traces_and_events_by_hand);
    suite_add_tcase(s, t);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    rmdir(folder);
    return failed != 0;
}
