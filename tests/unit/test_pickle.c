/* NumPy files of objects: what we write we read, what would run is refused. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "results/pickle.h"

static char path[] = "/tmp/neuroset-pickle-XXXXXX";

/* A file whose pickle, after the header and the opcode PROTO 2, is these bytes. */
static nset_status read_bytes(nset_pickle **p, const char *bytes, size_t n, nset_error *err)
{
    static const char header[] =
        "\x93NUMPY\x01\x00\x46\x00{'descr': '|O', 'fortran_order': False, 'shape': (1,), }          "
        "   \n\x80\x02";
    FILE *f = fopen(path, "wb");

    ck_assert_ptr_nonnull(f);
    fwrite(header, 1, 82, f);
    fwrite(bytes, 1, n, f);
    fclose(f);
    return nset_pickle_open(p, path, err);
}

static double number(const nset_value *v, size_t i)
{
    double x = 0;

    ck_assert(nset_value_number(&x, v, i));
    return x;
}

START_TEST(what_is_written_is_read)
{
    static const float x[2][3] = { { 1, -2.5f, 3e8f }, { 0, 5, 1e-30f } };
    static const int64_t y[2] = { -1, INT64_MAX / 2 };
    static const size_t shape[2] = { 2, 3 };
    nset_pickle *p = NULL;
    nset_error err = { 0 };
    FILE *f = fopen(path, "wb");
    const nset_value *root, *d;

    nset_pickle_begin(f, 2, false);
    for (int i = 0; i < 2; i++) {
        nset_pickle_dict(f);
        nset_pickle_text(f, "x");
        nset_pickle_array(f, "<f4", 2, shape, x);
        nset_pickle_text(f, "y");
        nset_pickle_array(f, "<i8", 1, shape, y);
        nset_pickle_text(f, "list");
        nset_pickle_list(f);
        nset_pickle_int(f, i);
        nset_pickle_float(f, .1);
        nset_pickle_int(f, INT64_MIN);
        nset_pickle_bool(f, true);
        nset_pickle_list_end(f);
        nset_pickle_dict_end(f);
    }
    nset_pickle_end(f);
    fclose(f);
    ck_assert_msg(nset_pickle_open(&p, path, &err) == NSET_OK, "%s", err.text);
    root = nset_pickle_root(p);
    ck_assert_uint_eq(root->n, 2);
    d = root->item[1];
    ck_assert_uint_eq(nset_value_count(nset_value_get(d, "x")), 6);
    ck_assert_uint_eq(nset_value_get(d, "x")->shape[1], 3);
    for (size_t i = 0; i < 6; i++)
        ck_assert(number(nset_value_get(d, "x"), i) == (double)x[i / 3][i % 3]);
    ck_assert(number(nset_value_get(d, "y"), 1) == (double)y[1] && number(nset_value_get(d, "y"), 0) == -1);
    d = nset_value_get(d, "list");
    ck_assert_uint_eq(nset_value_count(d), 4);
    ck_assert(number(d, 0) == 1 && number(d, 1) == .1 && number(d, 2) == (double)INT64_MIN && number(d, 3) == 1);
    ck_assert_ptr_null(nset_value_get(root->item[0], "z"));
    nset_pickle_close(p);
}
END_TEST

START_TEST(no_objects_and_one)
{
    nset_pickle *p = NULL;
    nset_error err = { 0 };

    for (int zero_d = 0; zero_d < 2; zero_d++) {
        FILE *f = fopen(path, "wb");
        nset_pickle_begin(f, 0, zero_d);
        if (zero_d) {
            nset_pickle_dict(f);
            nset_pickle_dict_end(f);
        }
        nset_pickle_end(f);
        fclose(f);
        ck_assert_msg(nset_pickle_open(&p, path, &err) == NSET_OK, "%s", err.text);
        ck_assert_uint_eq(nset_pickle_root(p)->n, (size_t)zero_d);
        nset_pickle_close(p);
    }
}
END_TEST

START_TEST(what_would_run_is_refused)
{
    static const struct {
        const char *bytes, *says;
    } cases[] = {
        { "cos\nsystem\nX\x02...ls\x85R.", "asks for 'os.system'" },
        { "cbuiltins\neval\n.", "asks for 'builtins.eval'" },
        { "c\x01\n\x02\n.", "no name" },
        { "cnumpy\nndarray\n)R.", "call of what is not called" },
        { "N.", "no array of objects" },
        { "(.", "no array of objects" },
        { "", "ends too early" },
        { "R.", "a call of" },
        { "e.", "never began" },
        { "](u.", "no list or dictionary" },
        { "}(Nu.", "no list or dictionary" },
        { "}Ns.", "no list or dictionary" },
        { "h\x05.", "memo that is not there" },
        { "Nq\x05.", "memo out of range" },
        { "J1", "ends too early" },
        { "I1\n.", "opcode 0x49" },
        { "]b.", "a state that is no tuple" },
        { "])b.", "a state of something else" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nset_pickle *p = NULL;
        nset_error err = { 0 };
        ck_assert_msg(
            read_bytes(&p, cases[i].bytes, strlen(cases[i].bytes), &err) == NSET_ERR_FORMAT, "%zu is taken", i);
        ck_assert_msg(
            strstr(err.text, cases[i].says) != NULL, "%zu: '%s' does not say '%s'", i, err.text, cases[i].says);
        ck_assert_ptr_null(p);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("pickle");
    TCase *t = tcase_create("all");
    SRunner *r = srunner_create(s);
    int failed, fd = mkstemp(path);

    close(fd);
    tcase_add_test(t, what_is_written_is_read);
    tcase_add_test(t, no_objects_and_one);
    tcase_add_test(t, what_would_run_is_refused);
    suite_add_tcase(s, t);
    srunner_run_all(r, CK_ENV);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    unlink(path);
    return failed != 0;
}
