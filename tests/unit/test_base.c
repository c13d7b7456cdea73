#include <check.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <neuroset/error.h>
#include <neuroset/file.h>
#include <neuroset/memory.h>
#include <neuroset/random.h>
#include <neuroset/workers.h>

#include "base/test_hooks.h"

/* ---- errors ---- */

START_TEST(the_first_cause_wins_and_nobody_may_listen)
{
    nset_error err = { 0 };
    char longer[600];

    ck_assert_int_eq(nset_fail(NULL, NSET_ERR_IO, "unheard"), NSET_ERR_IO);
    ck_assert_int_eq(nset_fail(&err, NSET_ERR_FORMAT, "%s: line %d", "a.json", 4), NSET_ERR_FORMAT);
    ck_assert_int_eq(nset_fail(&err, NSET_ERR_IO, "later"), NSET_ERR_IO);
    ck_assert_int_eq(err.status, NSET_ERR_FORMAT);
    ck_assert_str_eq(err.text, "a.json: line 4");
    memset(longer, 'x', sizeof longer);
    longer[sizeof longer - 1] = 0;
    err = (nset_error){ 0 };
    nset_fail(&err, NSET_ERR_IO, "a\nb\x7f\tc\xc3\xa9");
    ck_assert_str_eq(err.text, "a?b??c\xc3\xa9");
    err = (nset_error){ 0 };
    nset_fail(&err, NSET_ERR_IO, "%s", longer);
    ck_assert_uint_eq(strlen(err.text), sizeof err.text - 1);
}
END_TEST

/* ---- memory ---- */

START_TEST(a_product_that_overflows_gives_no_memory)
{
    ck_assert_ptr_null(nset_calloc(SIZE_MAX / 2, 3));
    ck_assert_ptr_null(nset_calloc(SIZE_MAX, 1));
    ck_assert_ptr_null(nset_calloc((size_t)PTRDIFF_MAX, 1));
}
END_TEST

START_TEST(memory_is_aligned_zero_and_counted)
{
    static const size_t sizes[] = { 0, 1, 63, 64, 65, 4097 };
    const long live = nset_test_live_allocs();

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        unsigned char *p = nset_calloc(sizes[i], 1);
        ck_assert_ptr_nonnull(p);
        ck_assert_uint_eq((uintptr_t)p % NSET_ALIGN, 0);
        for (size_t k = 0; k < sizes[i]; k++)
            ck_assert_uint_eq(p[k], 0);
        ck_assert_int_eq(nset_test_live_allocs(), live + 1);
        nset_free(p);
    }
    nset_free(NULL);
    ck_assert_int_eq(nset_test_live_allocs(), live);
}
END_TEST

START_TEST(growing_keeps_contents_and_a_failure_keeps_all)
{
    size_t capacity = 0, was;
    int *x = NULL, *old;
    nset_error err = { 0 };

    for (size_t n = 1; n <= 1000; n++) {
        ck_assert_int_eq(nset_grow(&x, &capacity, n, sizeof *x, NULL), NSET_OK);
        ck_assert_uint_ge(capacity, n);
        ck_assert_int_eq(x[n - 1], 0);
        x[n - 1] = (int)n;
    }
    for (int i = 0; i < 1000; i++)
        ck_assert_int_eq(x[i], i + 1);
    old = x;
    was = capacity;
    nset_test_fail_alloc_at(0);
    ck_assert_int_eq(nset_grow(&x, &capacity, was + 1, sizeof *x, &err), NSET_ERR_NOMEM);
    nset_test_fail_alloc_at(-1);
    ck_assert_int_eq(nset_grow(&x, &capacity, SIZE_MAX / 2, sizeof *x, NULL), NSET_ERR_NOMEM);
    ck_assert_ptr_eq(x, old);
    ck_assert_uint_eq(capacity, was);
    ck_assert(err.text[0]);
    nset_free(x);
}
END_TEST

/* ---- random numbers ---- */

/* The vectors published with the generator (Random123, kat_vectors: philox4x32, 10 rounds). */
START_TEST(the_generator_gives_its_published_numbers)
{
    static const struct {
        uint32_t counter[4], key[2], want[4];
    } rows[] = { { { 0, 0, 0, 0 }, { 0, 0 }, { 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 } },
        { { UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX }, { UINT32_MAX, UINT32_MAX },
            { 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd } },
        { { 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344 }, { 0xa4093822, 0x299f31d0 },
            { 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1 } } };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        nset_random r = { .left = 0 };
        memcpy(r.key, rows[i].key, sizeof r.key);
        memcpy(r.counter, rows[i].counter, sizeof r.counter);
        for (int k = 0; k < 4; k++)
            ck_assert_uint_eq(nset_random_u32(&r), rows[i].want[k]);
    }
}
END_TEST

START_TEST(a_stream_depends_on_its_seed_name_and_index_only)
{
    nset_random a = nset_random_stream(7, "jitter", 3), b = nset_random_stream(7, "jitter", 3);
    nset_random others[] = { nset_random_stream(7, "jitter", 4), nset_random_stream(8, "jitter", 3),
        nset_random_stream(7, "noise", 3), nset_random_stream(7, "jitter", 3 + ((uint64_t)1 << 32)) };
    const uint32_t first = nset_random_u32(&a);

    ck_assert_uint_eq(first, nset_random_u32(&b));
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        ck_assert_uint_ne(first, nset_random_u32(&others[i]));
}
END_TEST

typedef struct moments {
    double mean, variance;
} moments;

static double draw(nset_random *r, int which)
{
    switch (which) {
    case 0:
        return nset_random_uniform(r);
    case 1:
        return nset_random_normal(r);
    case 2:
        return nset_random_exponential(r);
    case 3:
        return nset_random_gamma(r, 2.5);
    case 4:
        return nset_random_gamma(r, .3);
    case 5:
        return nset_random_poisson(r, 3);
    case 6:
        return nset_random_poisson(r, 200);
    default:
        return nset_random_below(r, 6);
    }
}

/* Bounds of 5 standard errors; the stream is fixed, so the test cannot fail by chance. */
START_TEST(numbers_have_the_moments_of_their_distribution)
{
    static const moments want[] = { { .5, 1. / 12 }, { 0, 1 }, { 1, 1 }, { 2.5, 2.5 }, { .3, .3 }, { 3, 3 },
        { 200, 200 }, { 2.5, 35. / 12 } };
    enum { N = 100000 };
    nset_random r = nset_random_stream(1, "moments", (uint64_t)_i);
    double sum = 0, square = 0, mean, variance;

    for (int i = 0; i < N; i++) {
        const double x = draw(&r, _i) - want[_i].mean;
        sum += x;
        square += x * x;
    }
    mean = sum / N;
    variance = square / N - mean * mean;
    ck_assert_double_le(fabs(mean), 5 * sqrt(want[_i].variance / N));
    ck_assert_double_eq_tol(variance / want[_i].variance, 1, .06);
}
END_TEST

START_TEST(extremes_of_random_numbers_are_legal)
{
    nset_random r = nset_random_stream(1, "extremes", 0);
    size_t one[1] = { 0 }, index[100], seen[100] = { 0 };

    ck_assert_uint_eq(nset_random_below(&r, 1), 0);
    ck_assert_uint_eq(nset_random_poisson(&r, 0), 0);
    for (int i = 0; i < 1000; i++)
        ck_assert_uint_lt(nset_random_below(&r, UINT32_MAX), UINT32_MAX);
    nset_random_shuffle(&r, NULL, 0);
    nset_random_shuffle(&r, one, 1);
    for (size_t i = 0; i < 100; i++)
        index[i] = i;
    nset_random_shuffle(&r, index, 100);
    for (size_t i = 0; i < 100; i++)
        seen[index[i]]++;
    for (size_t i = 0; i < 100; i++)
        ck_assert_uint_eq(seen[i], 1);
}
END_TEST

/* ---- workers ---- */

static void mark(void *ctx, size_t first, size_t last, size_t chunk)
{
    int *seen = ctx;

    for (size_t i = first; i < last; i++)
        seen[i] += 1 + (int)chunk;
}

START_TEST(chunks_cover_all_items_once_for_any_number_of_threads)
{
    for (size_t n_threads = 1; n_threads <= 3; n_threads++) {
        nset_workers *w = NULL;
        ck_assert_int_eq(nset_workers_create(&w, n_threads, NULL), NSET_OK);
        ck_assert_uint_eq(nset_workers_count(w), n_threads);
        for (int round = 0; round < 200; round++) { /* jobs one after another do not mix */
            int seen[1000] = { 0 };
            nset_parallel_for(w, 1000, 7, mark, seen);
            for (int i = 0; i < 1000; i++)
                ck_assert_int_eq(seen[i], 1 + i / 7);
        }
        nset_workers_free(w);
    }
}
END_TEST

START_TEST(no_workers_and_no_items_are_legal)
{
    int seen[10] = { 0 };

    ck_assert_uint_eq(nset_workers_count(NULL), 1);
    nset_parallel_for(NULL, 0, 3, mark, seen);
    ck_assert_int_eq(seen[0], 0);
    nset_parallel_for(NULL, 10, 0, mark, seen); /* chunks of 0 items are chunks of one */
    ck_assert_int_eq(seen[9], 10);
    nset_workers_free(NULL);
}
END_TEST

typedef struct nest {
    nset_workers *workers;
    int seen[20][10];
} nest;

static void mark_nested(void *ctx, size_t first, size_t last, size_t chunk)
{
    nest *n = ctx;

    (void)chunk;
    for (size_t i = first; i < last; i++)
        nset_parallel_for(n->workers, 10, 1, mark, n->seen[i]);
}

START_TEST(a_job_inside_a_job_runs_in_its_own_thread)
{
    nest n = { .workers = NULL };

    ck_assert_int_eq(nset_workers_create(&n.workers, 3, NULL), NSET_OK);
    nset_parallel_for(n.workers, 20, 1, mark_nested, &n);
    for (int i = 0; i < 20; i++)
        for (int k = 0; k < 10; k++)
            ck_assert_int_eq(n.seen[i][k], 1 + k);
    nset_workers_free(n.workers);
}
END_TEST

START_TEST(workers_refuse_silly_numbers_and_bear_no_memory)
{
    const long live = nset_test_live_allocs();
    nset_workers *w = NULL;
    nset_error err = { 0 };

    ck_assert_int_eq(nset_workers_create(&w, 0, &err), NSET_ERR_ARG);
    ck_assert_int_eq(nset_workers_create(&w, 1025, NULL), NSET_ERR_ARG);
    ck_assert(err.text[0]);
    for (long k = 0;; k++) {
        nset_status status;
        err = (nset_error){ 0 };
        nset_test_fail_alloc_at(k);
        status = nset_workers_create(&w, 2, &err);
        nset_test_fail_alloc_at(-1);
        if (status == NSET_OK)
            break;
        ck_assert_int_eq(status, NSET_ERR_NOMEM);
        ck_assert_int_eq(nset_test_live_allocs(), live);
    }
    nset_workers_free(w);
    ck_assert_int_eq(nset_test_live_allocs(), live);
}
END_TEST

/* ---- files ---- */

static char folder[] = "test_base_XXXXXX";

static void enter_folder(void)
{
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(chdir(folder), 0);
}

static void leave_folder(void)
{
    unlink("a");
    unlink("a.tmp");
    ck_assert_int_eq(chdir(".."), 0);
    ck_assert_int_eq(rmdir(folder), 0); /* and nothing else is left in it */
    memset(folder + sizeof folder - 7, 'X', 6);
}

static void put(const char *text)
{
    nset_atomic_file *f = NULL;

    ck_assert_int_eq(nset_atomic_open(&f, "a", NULL), NSET_OK);
    fputs(text, nset_atomic_stream(f));
    ck_assert_int_eq(nset_atomic_commit(f, NULL), NSET_OK);
}

static void assert_holds(const char *text)
{
    char got[32] = "";
    FILE *f = fopen("a", "r");

    ck_assert_ptr_nonnull(f);
    ck_assert_ptr_nonnull(fgets(got, sizeof got, f));
    fclose(f);
    ck_assert_str_eq(got, text);
}

START_TEST(a_file_appears_whole_and_replaces_the_old_one)
{
    nset_atomic_file *f = NULL;

    put("old");
    ck_assert_int_eq(nset_atomic_open(&f, "a", NULL), NSET_OK);
    fputs("new", nset_atomic_stream(f));
    fflush(nset_atomic_stream(f));
    assert_holds("old");
    ck_assert_int_eq(nset_atomic_commit(f, NULL), NSET_OK);
    assert_holds("new");
    ck_assert_int_ne(access("a.tmp", F_OK), 0);
}
END_TEST

START_TEST(a_file_given_up_leaves_the_old_one)
{
    nset_atomic_file *f = NULL;

    put("old");
    ck_assert_int_eq(nset_atomic_open(&f, "a", NULL), NSET_OK);
    fputs("new", nset_atomic_stream(f));
    nset_atomic_abort(f);
    nset_atomic_abort(NULL);
    assert_holds("old");
    ck_assert_int_ne(access("a.tmp", F_OK), 0);
}
END_TEST

/* A part that is a link to /dev/full stands for a full disk. */
START_TEST(a_full_disk_is_told_at_the_commit)
{
    nset_atomic_file *f = NULL;
    nset_error err = { 0 };

    put("old");
    ck_assert_int_eq(symlink("/dev/full", "a.tmp"), 0);
    ck_assert_int_eq(nset_atomic_open(&f, "a", &err), NSET_OK);
    fputs("new", nset_atomic_stream(f));
    ck_assert_int_eq(nset_atomic_commit(f, &err), NSET_ERR_IO);
    ck_assert_str_eq(err.text, "a: cannot be written: No space left on device");
    assert_holds("old");
}
END_TEST

START_TEST(a_folder_that_is_not_there_is_named)
{
    nset_atomic_file *f = NULL;
    nset_error err = { 0 };

    ck_assert_int_eq(nset_atomic_open(&f, "none/a", &err), NSET_ERR_IO);
    ck_assert_str_eq(err.text, "none/a.tmp: cannot be written: No such file or directory");
}
END_TEST

START_TEST(opening_a_file_bears_no_memory)
{
    const long live = nset_test_live_allocs();
    nset_atomic_file *f = NULL;

    for (long k = 0;; k++) {
        nset_error err = { 0 };
        nset_status status;
        nset_test_fail_alloc_at(k);
        status = nset_atomic_open(&f, "a", &err);
        nset_test_fail_alloc_at(-1);
        if (status == NSET_OK)
            break;
        ck_assert_int_eq(status, NSET_ERR_NOMEM);
        ck_assert_int_eq(nset_test_live_allocs(), live);
    }
    nset_atomic_abort(f);
    ck_assert_int_eq(nset_test_live_allocs(), live);
}
END_TEST

static Suite *base_suite(void)
{
    Suite *suite = suite_create("base");
    TCase *t = tcase_create("base"), *files = tcase_create("files");

    tcase_add_test(t, the_first_cause_wins_and_nobody_may_listen);
    tcase_add_test(t, a_product_that_overflows_gives_no_memory);
    tcase_add_test(t, memory_is_aligned_zero_and_counted);
    tcase_add_test(t, growing_keeps_contents_and_a_failure_keeps_all);
    tcase_add_test(t, the_generator_gives_its_published_numbers);
    tcase_add_test(t, a_stream_depends_on_its_seed_name_and_index_only);
    tcase_add_loop_test(t, numbers_have_the_moments_of_their_distribution, 0, 8);
    tcase_add_test(t, extremes_of_random_numbers_are_legal);
    tcase_add_test(t, chunks_cover_all_items_once_for_any_number_of_threads);
    tcase_add_test(t, no_workers_and_no_items_are_legal);
    tcase_add_test(t, a_job_inside_a_job_runs_in_its_own_thread);
    tcase_add_test(t, workers_refuse_silly_numbers_and_bear_no_memory);
    suite_add_tcase(suite, t);
    tcase_add_checked_fixture(files, enter_folder, leave_folder);
    tcase_add_test(files, a_file_appears_whole_and_replaces_the_old_one);
    tcase_add_test(files, a_file_given_up_leaves_the_old_one);
    tcase_add_test(files, a_full_disk_is_told_at_the_commit);
    tcase_add_test(files, a_folder_that_is_not_there_is_named);
    tcase_add_test(files, opening_a_file_bears_no_memory);
    suite_add_tcase(suite, files);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(base_suite());
    int failed;

    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
