#include <check.h>
#include <stdint.h>
#include <stdlib.h>

#include <neuroset/memory.h>
#include <neuroset/random.h>
#include <neuroset/workers.h>

START_TEST(a_product_that_overflows_gives_no_memory)
{
    ck_assert_ptr_null(nset_calloc(SIZE_MAX / 2, 3));
}
END_TEST

START_TEST(a_stream_depends_on_its_name_and_index_only)
{
    nset_random a = nset_random_stream(7, "jitter", 3), b = nset_random_stream(7, "jitter", 3);
    nset_random c = nset_random_stream(7, "jitter", 4);
    uint32_t first = nset_random_u32(&a);

    ck_assert_uint_eq(first, nset_random_u32(&b));
    ck_assert_uint_ne(first, nset_random_u32(&c));
}
END_TEST

static void mark(void *ctx, size_t first, size_t last, size_t chunk)
{
    int *seen = ctx;

    for (size_t i = first; i < last; i++)
        seen[i] += 1 + (int)chunk;
}

START_TEST(chunks_cover_all_items_once_for_any_number_of_threads)
{
    for (size_t n_threads = 1; n_threads <= 3; n_threads++) {
        int seen[1000] = { 0 };
        nset_workers *w = NULL;
        ck_assert_int_eq(nset_workers_create(&w, n_threads, NULL), NSET_OK);
        nset_parallel_for(w, 1000, 7, mark, seen);
        for (int i = 0; i < 1000; i++)
            ck_assert_int_eq(seen[i], 1 + i / 7);
        nset_workers_free(w);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base");
    TCase *t = tcase_create("base");
    SRunner *runner;
    int failed;

    tcase_add_test(t, a_product_that_overflows_gives_no_memory);
    tcase_add_test(t, a_stream_depends_on_its_name_and_index_only);
    tcase_add_test(t, chunks_cover_all_items_once_for_any_number_of_threads);
    suite_add_tcase(suite, t);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
