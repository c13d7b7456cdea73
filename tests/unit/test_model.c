#include <check.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <neuroset/memory.h>
#include <neuroset/model.h>

#include "base/test_hooks.h"

static nset_net *small_net(uint64_t seed)
{
    nset_net *net = NULL;
    nset_node x;

    ck_assert_int_eq(nset_net_create(&net, NULL), NSET_OK);
    x = nset_net_dense(net, nset_net_input(net, NSET_ELEMENT, NSET_VECTOR, 2), "phi", 3);
    nset_net_output(net, nset_net_dense(net, nset_net_pool(net, x, NSET_POOL_SUM), "rho", 1));
    ck_assert_int_eq(nset_net_finish(net, seed, NULL), NSET_OK);
    return net;
}

static size_t read_file(unsigned char *bytes, size_t limit, const char *path)
{
    FILE *f = fopen(path, "rb");
    size_t n;

    ck_assert_ptr_nonnull(f);
    n = fread(bytes, 1, limit, f);
    fclose(f);
    return n;
}

/* A saved net in memory. */
static size_t saved_model(unsigned char *bytes, size_t limit)
{
    const nset_meta meta[2] = { { "kind", "test" }, { "note", "\"quoted\"\n" } };
    nset_net *net = small_net(5);
    char path[] = "test_model_XXXXXX";
    size_t n;

    close(mkstemp(path));
    ck_assert_int_eq(nset_model_save(path, net, meta, 2, NULL), NSET_OK);
    n = read_file(bytes, limit, path);
    unlink(path);
    nset_net_free(net);
    ck_assert_uint_lt(n, limit);
    return n;
}

START_TEST(what_was_saved_is_loaded_again)
{
    const nset_meta meta[2] = { { "kind", "test" }, { "note", "\"quoted\"\n" } };
    nset_net *net = small_net(5), *other = small_net(6);
    char path[] = "test_model_XXXXXX";
    nset_model *m = NULL;
    nset_error err = { 0 };
    size_t rows, columns;

    close(mkstemp(path));
    ck_assert_int_eq(nset_model_save(path, net, meta, 2, NULL), NSET_OK);
    ck_assert_msg(nset_model_open(&m, path, &err) == NSET_OK, "%s", err.text);
    ck_assert_str_eq(nset_model_meta(m, "note"), "\"quoted\"\n");
    ck_assert_ptr_null(nset_model_meta(m, "nothing"));
    ck_assert_uint_eq(nset_model_n_tensors(m), nset_net_n_views(net));
    ck_assert_ptr_nonnull(nset_model_tensor(m, "phi.weight", &rows, &columns));
    ck_assert_uint_eq(rows, 2);
    ck_assert_uint_eq(columns, 3);
    ck_assert_ptr_null(nset_model_tensor(m, "phi", &rows, &columns));
    ck_assert_int_eq(nset_model_load(m, other, &err), NSET_OK);
    ck_assert_mem_eq(nset_net_params(net), nset_net_params(other), nset_net_n_params(net) * sizeof(nset_real));
    nset_model_close(m);
    nset_net_free(net);
    nset_net_free(other);
    unlink(path);
}
END_TEST

START_TEST(the_same_net_gives_the_same_bytes_and_data_at_a_multiple_of_8)
{
    unsigned char a[2048], b[2048];
    const size_t n = saved_model(a, sizeof a);
    uint64_t n_header;

    ck_assert_uint_eq(saved_model(b, sizeof b), n);
    ck_assert_mem_eq(a, b, n);
    memcpy(&n_header, a, 8);
    ck_assert_uint_eq(n_header % 8, 0);
}
END_TEST

/* A model or one clear line: nothing else, and nothing left in memory. */
static nset_status parse(const unsigned char *bytes, size_t n)
{
    unsigned char *exact = malloc(n ? n : 1); /* so that valgrind and ASan see a step too far */
    nset_model *m = NULL;
    nset_error err = { 0 };
    nset_status status;

    memcpy(exact, bytes, n);
    status = nset_model_parse(&m, exact, n, "a.safetensors", &err);
    free(exact);
    ck_assert_int_eq(status == NSET_OK, m != NULL);
    if (status != NSET_OK) {
        ck_assert_int_eq(err.status, status);
        ck_assert_int_eq(strncmp(err.text, "a.safetensors: ", 15), 0);
        ck_assert_ptr_null(strchr(err.text, '\n'));
    }
    nset_model_close(m);
    ck_assert_int_eq(nset_test_live_allocs(), 0);
    return status;
}

START_TEST(a_file_cut_at_any_byte_is_refused)
{
    unsigned char bytes[2048];
    const size_t n = saved_model(bytes, sizeof bytes);

    ck_assert_int_eq(parse(bytes, n), NSET_OK);
    for (size_t k = 0; k < n; k++)
        ck_assert_msg(parse(bytes, k) == NSET_ERR_FORMAT, "cut at %zu", k);
}
END_TEST

START_TEST(a_flipped_bit_gives_an_error_or_a_model)
{
    unsigned char bytes[2048];
    const size_t n = saved_model(bytes, sizeof bytes);
    size_t n_refused = 0;
    uint64_t n_header;

    memcpy(&n_header, bytes, 8);
    for (size_t k = 0; k < n * 8; k++) {
        nset_status status;
        bytes[k / 8] ^= (unsigned char)(1 << k % 8);
        status = parse(bytes, n);
        ck_assert(status == NSET_OK || status == NSET_ERR_FORMAT);
        n_refused += status != NSET_OK && k / 8 >= 8 && k / 8 < 8 + n_header;
        bytes[k / 8] ^= (unsigned char)(1 << k % 8);
    }
    ck_assert_uint_gt(
        n_refused, n_header * 8 / 2); /* what passes is a letter of a name or of the metadata, or a space */
}
END_TEST

static const struct hostile {
    const char *name, *header;
    size_t n_numbers;
} hostile_cases[] = {
    { "empty header", "", 0 },
    { "no object", "[]", 0 },
    { "tensor is no object", "{\"a\":[]}", 0 },
    { "data without a tensor", "{}", 1 },
    { "a gap at the end", "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 2 },
    { "a gap at the start", "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}", 2 },
    { "an overlap",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
        "\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]}}",
        3 },
    { "a name twice",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
        "\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}",
        2 },
    { "offsets backwards", "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]}}", 1 },
    { "offsets negative", "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[-4,4]}}", 1 },
    { "offsets behind the end", "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 1 },
    { "offsets not whole", "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4.0]}}", 1 },
    { "three offsets", "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4,4]}}", 1 },
    { "shape and offsets disagree", "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,8]}}", 2 },
    { "a size of 0", "{\"a\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}}", 0 },
    { "a size below 0", "{\"a\":{\"dtype\":\"F32\",\"shape\":[-1,-1],\"data_offsets\":[0,4]}}", 1 },
    { "a product that wraps around",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967297,4294967296],\"data_offsets\":[0,4]}}", 1 },
    { "a size beyond 64 bits", "{\"a\":{\"dtype\":\"F32\",\"shape\":[99999999999999999999],\"data_offsets\":[0,4]}}",
        1 },
    { "no axes", "{\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}", 1 },
    { "three axes", "{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1],\"data_offsets\":[0,4]}}", 1 },
    { "halves", "{\"a\":{\"dtype\":\"F16\",\"shape\":[2],\"data_offsets\":[0,4]}}", 1 },
    { "type no text", "{\"a\":{\"dtype\":32,\"shape\":[1],\"data_offsets\":[0,4]}}", 1 },
    { "something more", "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4],\"x\":1}}", 1 },
    { "no shape", "{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4],\"x\":1}}", 1 },
    { "a name of no letters", "{\"\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 1 },
    { "a name with a new line", "{\"a\\n\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 1 },
    { "metadata a list", "{\"__metadata__\":[]}", 0 },
    { "metadata with a number", "{\"__metadata__\":{\"a\":1}}", 0 },
    { "a new line inside the JSON", "{\"a\n", 0 },
};

static size_t build(unsigned char *bytes, const char *header, size_t n_numbers)
{
    const uint64_t n_header = strlen(header);

    memcpy(bytes, &n_header, 8);
    memcpy(bytes + 8, header, n_header);
    memset(bytes + 8 + n_header, 0, n_numbers * 4);
    return 8 + n_header + n_numbers * 4;
}

START_TEST(a_header_that_lies_is_refused)
{
    const struct hostile *c = &hostile_cases[_i];
    unsigned char bytes[512];

    ck_assert_msg(parse(bytes, build(bytes, c->header, c->n_numbers)) == NSET_ERR_FORMAT, "%s", c->name);
}
END_TEST

START_TEST(a_length_of_the_header_beyond_the_file_is_refused)
{
    static const uint64_t lengths[] = { UINT64_MAX, UINT64_MAX - 7, (uint64_t)1 << 63, 100 << 20, 1000, 11 };
    unsigned char bytes[64];
    const size_t n = build(bytes, "{}", 2);

    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        memcpy(bytes, &lengths[i], 8);
        ck_assert_int_eq(parse(bytes, n), NSET_ERR_FORMAT);
    }
}
END_TEST

START_TEST(weights_that_are_not_finite_are_refused)
{
    static const float worst[] = { NAN, INFINITY, -INFINITY };
    unsigned char bytes[512];
    const size_t n = build(bytes, "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 2);
    nset_net *net;
    char path[] = "test_model_XXXXXX";

    ck_assert_int_eq(parse(bytes, n), NSET_OK);
    for (int i = 0; i < 3; i++) {
        memcpy(bytes + n - 4, &worst[i], 4);
        ck_assert_int_eq(parse(bytes, n), NSET_ERR_FORMAT);
    }
    net = small_net(1);
    close(mkstemp(path));
    nset_net_params(net)[0] = (nset_real)NAN;
    ck_assert_int_eq(nset_model_save(path, net, NULL, 0, NULL), NSET_ERR_NUMERIC);
    unlink(path);
    nset_net_free(net);
}
END_TEST

START_TEST(a_model_of_another_net_is_refused_and_the_net_stays)
{
    static const char *headers[] = { "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}",
        "{\"a.weight\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
        "\"a.bias\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[8,12]}}",
        "{\"a.weight\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
        "\"a.bias\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]},"
        "\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[8,12]}}" };
    static const size_t n_numbers[] = { 1, 3, 3 };
    nset_net *net = NULL;

    ck_assert_int_eq(nset_net_create(&net, NULL), NSET_OK);
    nset_net_output(net, nset_net_dense(net, nset_net_input(net, NSET_SET, NSET_VECTOR, 1), "a", 1));
    ck_assert_int_eq(nset_net_finish(net, 1, NULL), NSET_OK);
    nset_net_params(net)[0] = 3;
    for (int i = 0; i < 3; i++) {
        unsigned char bytes[512];
        nset_model *m = NULL;
        nset_error err = { 0 };
        ck_assert_int_eq(nset_model_parse(&m, bytes, build(bytes, headers[i], n_numbers[i]), "b", &err), NSET_OK);
        ck_assert_int_eq(nset_model_load(m, net, &err), NSET_ERR_FORMAT);
        ck_assert(err.text[0]);
        ck_assert_float_eq((float)nset_net_params(net)[0], 3);
        nset_model_close(m);
    }
    nset_net_free(net);
}
END_TEST

START_TEST(paths_that_cannot_be_used_are_named)
{
    static const char *paths[] = { "/nonexistent/a.safetensors", "/" };
    nset_net *net = small_net(1);
    nset_model *m = NULL;

    for (int i = 0; i < 2; i++) {
        nset_error err = { 0 };
        ck_assert_int_eq(nset_model_open(&m, paths[i], &err), NSET_ERR_IO);
        ck_assert_int_eq(strncmp(err.text, paths[i], strlen(paths[i])), 0);
    }
    ck_assert_int_eq(nset_model_save("/nonexistent/a.safetensors", net, NULL, 0, NULL), NSET_ERR_IO);
    nset_net_free(net);
}
END_TEST

START_TEST(metadata_that_is_no_text_or_comes_twice_is_refused)
{
    const nset_meta twice[2] = { { "a", "1" }, { "a", "2" } }, bytes[1] = { { "a", "\xff\xfe" } };
    nset_net *net = small_net(1);

    ck_assert_int_eq(nset_model_save("never", net, twice, 2, NULL), NSET_ERR_ARG);
    ck_assert_int_eq(nset_model_save("never", net, bytes, 1, NULL), NSET_ERR_ARG);
    ck_assert_int_ne(access("never", F_OK), 0);
    nset_net_free(net);
}
END_TEST

START_TEST(saving_and_loading_bear_no_memory_at_every_allocation)
{
    const nset_meta meta = { "kind", "test" };
    nset_net *net = small_net(5);
    const long live = nset_test_live_allocs();
    char path[] = "test_model_XXXXXX";

    close(mkstemp(path));
    for (long k = 0;; k++) {
        nset_error err = { 0 };
        nset_model *m = NULL;
        nset_status status;
        nset_test_fail_alloc_at(k);
        if ((status = nset_model_save(path, net, &meta, 1, &err)) == NSET_OK)
            status = nset_model_open(&m, path, &err);
        if (status == NSET_OK)
            status = nset_model_load(m, net, &err);
        nset_test_fail_alloc_at(-1);
        nset_model_close(m);
        ck_assert_int_eq(nset_test_live_allocs(), live);
        if (status == NSET_OK)
            break;
        ck_assert_int_eq(status, NSET_ERR_NOMEM);
        ck_assert(err.text[0]);
    }
    unlink(path);
    nset_net_free(net);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("model");
    TCase *t = tcase_create("model");
    SRunner *runner;
    int failed;

    tcase_add_test(t, what_was_saved_is_loaded_again);
    tcase_add_test(t, the_same_net_gives_the_same_bytes_and_data_at_a_multiple_of_8);
    tcase_add_test(t, a_file_cut_at_any_byte_is_refused);
    tcase_add_test(t, a_flipped_bit_gives_an_error_or_a_model);
    tcase_add_loop_test(t, a_header_that_lies_is_refused, 0, sizeof hostile_cases / sizeof *hostile_cases);
    tcase_add_test(t, a_length_of_the_header_beyond_the_file_is_refused);
    tcase_add_test(t, weights_that_are_not_finite_are_refused);
    tcase_add_test(t, a_model_of_another_net_is_refused_and_the_net_stays);
    tcase_add_test(t, paths_that_cannot_be_used_are_named);
    tcase_add_test(t, metadata_that_is_no_text_or_comes_twice_is_refused);
    tcase_add_test(t, saving_and_loading_bear_no_memory_at_every_allocation);
    suite_add_tcase(suite, t);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
