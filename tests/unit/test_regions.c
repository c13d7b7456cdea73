/* Masks of ImageJ's bytes, label stacks, JSON and Suite2p folders, by hand-worked cases. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "imaging/imagej_roi.h"
#include "imaging/regions.h"
#include "imaging/tiff.h"
#include "results/npz.h"
#include "results/pickle.h"

static char folder[] = "/tmp/neuroset-regions-XXXXXX";

static const char *in_folder(const char *name)
{
    static char path[2][256];
    static int k;

    k = !k;
    snprintf(path[k], sizeof path[k], "%s/%s", folder, name);
    return path[k];
}

static void put16(unsigned char *b, size_t at, int x)
{
    b[at] = (unsigned char)(x >> 8);
    b[at + 1] = (unsigned char)x;
}

static void put32(unsigned char *b, size_t at, uint32_t x)
{
    put16(b, at, (int)(x >> 16));
    put16(b, at + 2, (int)(x & 0xffff));
}

static void put_float(unsigned char *b, size_t at, float x)
{
    uint32_t bits;

    memcpy(&bits, &x, 4);
    put32(b, at, bits);
}

/* The 64 bytes of a region's head. */
static void head(unsigned char *b, int type, int top, int left, int bottom, int right, int n)
{
    memset(b, 0, 64);
    memcpy(b, "Iout", 4);
    put16(b, 4, 227);
    b[6] = (unsigned char)type;
    put16(b, 8, top);
    put16(b, 10, left);
    put16(b, 12, bottom);
    put16(b, 14, right);
    put16(b, 16, n);
}

/* The pixels of a region as text "row,column row,column ..." */
static const char *pixels(const nset_regions *r, size_t i)
{
    static char text[2000];

    text[0] = '\0';
    for (size_t k = 0; k < r->region[i].n; k++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%d,%d", k ? " " : "", r->region[i].at[k][0],
            r->region[i].at[k][1]);
    return text;
}

static nset_regions *read_roi(const unsigned char *b, size_t n)
{
    nset_regions *r = NULL;
    nset_error err = { 0 };
    FILE *f = fopen(in_folder("a.roi"), "wb");

    fwrite(b, 1, n, f);
    fclose(f);
    ck_assert_msg(nset_regions_read(&r, in_folder("a.roi"), &err) == NSET_OK, "%s", err.text);
    return r;
}

START_TEST(imagej_s_outlines_hold_the_pixels_whose_centres_are_inside)
{
    static const int triangle[6] = { 0, 4, 0, 0, 0, 4 }; /* x 0 4 0, y 0 0 4 from the corner (3, 2) */
    static const float donut[] = { 0, 0, 0, 1, 3, 0, 1, 3, 3, 1, 0, 3, 4, 0, 1, 1, 1, 2, 1, 1, 2, 2, 1, 1, 2, 4 };
    unsigned char b[64 + sizeof donut];
    nset_regions *r;

    head(b, 0, 2, 3, 6, 7, 3);
    for (size_t i = 0; i < 6; i++)
        put16(b, 64 + 2 * i, triangle[i]);
    r = read_roi(b, 64 + 12);
    ck_assert_str_eq(pixels(r, 0), "2,3 2,4 2,5 3,3 3,4 4,3"); /* the diagonal runs through centres: these are out */
    nset_regions_free(r);

    head(b, 1, 1, 2, 3, 4, 0);
    r = read_roi(b, 64);
    ck_assert_str_eq(pixels(r, 0), "1,2 1,3 2,2 2,3");
    nset_regions_free(r);

    head(b, 2, 0, 0, 4, 4, 0); /* radius 2 about (2, 2): the corners' centres are 2.12 away, the next 1.58 */
    r = read_roi(b, 64);
    ck_assert_str_eq(pixels(r, 0), "0,1 0,2 1,0 1,1 1,2 1,3 2,0 2,1 2,2 2,3 3,1 3,2");
    nset_regions_free(r);

    head(b, 1, 0, 0, 3, 3, 0);
    put32(b, 36, sizeof donut / sizeof *donut);
    for (size_t i = 0; i < sizeof donut / sizeof *donut; i++)
        put_float(b, 64 + 4 * i, donut[i]);
    r = read_roi(b, sizeof b);
    ck_assert_str_eq(pixels(r, 0), "0,0 0,1 0,2 1,0 1,2 2,0 2,1 2,2");
    nset_regions_free(r);
}
END_TEST

START_TEST(what_is_no_area_is_refused)
{
    static const struct {
        int type, n;
        const char *says;
    } cases[] = { { 3, 0, "a line, which holds no pixels" }, { 10, 1, "a point, which holds" }, { 0, 9, "ends before" },
        { 0, 0, "without points" }, { 11, 0, "of a kind" } };
    unsigned char b[64];

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nset_regions r = { 0 };
        nset_error err = { 0 };
        head(b, cases[i].type, 0, 0, 3, 3, cases[i].n);
        ck_assert_int_eq(nset_imagej_roi_read(&r, b, sizeof b, "a.roi", &err), NSET_ERR_FORMAT);
        ck_assert_msg(strstr(err.text, cases[i].says) != NULL, "'%s' does not say '%s'", err.text, cases[i].says);
    }
}
END_TEST

/* Two pages of labels where 2 overlaps 1; the same pages as masks of one value each. */
START_TEST(pages_of_labels_and_pages_of_masks)
{
    static const uint16_t labels[2][6] = { { 1, 1, 2, 0, 0, 2 }, { 0, 2, 0, 0, 0, 0 } };
    static const uint16_t masks[2][6] = { { 1, 1, 0, 0, 0, 0 }, { 0, 1, 1, 0, 0, 1 } };
    nset_regions *r = NULL;
    nset_masks *m = NULL;
    nset_error err = { 0 };

    ck_assert_int_eq(nset_tiff_write_u16(in_folder("l.tif"), labels[0], 2, 2, 3, &err), NSET_OK);
    ck_assert_msg(nset_regions_read(&r, in_folder("l.tif"), &err) == NSET_OK, "%s", err.text);
    ck_assert_uint_eq(r->n, 2);
    ck_assert_str_eq(pixels(r, 0), "0,0 0,1");
    ck_assert_str_eq(pixels(r, 1), "0,1 0,2 1,2");
    ck_assert_int_eq(r->region[1].id, 2);
    ck_assert_int_eq(nset_regions_to_masks(&m, r, 2, 3, "l.tif", &err), NSET_OK);
    ck_assert_int_eq(m->roi[1].id, 1);
    ck_assert_float_eq(m->roi[0].weight[1], .5f);
    nset_masks_free(m);
    nset_regions_free(r);

    ck_assert_int_eq(nset_tiff_write_u16(in_folder("l.tif"), masks[0], 2, 2, 3, &err), NSET_OK);
    ck_assert_msg(nset_regions_read(&r, in_folder("l.tif"), &err) == NSET_OK, "%s", err.text);
    ck_assert_uint_eq(r->n, 2);
    ck_assert_str_eq(pixels(r, 1), "0,1 0,2 1,2");
    ck_assert_int_eq(r->region[1].id, 1);
    nset_regions_free(r);
}
END_TEST

static nset_status read_text(nset_regions **r, const char *text, nset_error *err)
{
    FILE *f = fopen(in_folder("r.json"), "w");

    fputs(text, f);
    fclose(f);
    return nset_regions_read(r, in_folder("r.json"), err);
}

START_TEST(weights_go_with_their_pixels)
{
    nset_regions *r = NULL;
    nset_masks *m = NULL;
    nset_error err = { 0 };

    ck_assert_msg(read_text(&r,
                      "[{\"id\": 7, \"coordinates\": [[1, 2], [0, 3], [1, 2]], \"weights\": [1, 3, 1], "
                      "\"probability\": 0.5}, {\"id\": 7, \"coordinates\": [[0, 0]]}]",
                      &err) == NSET_OK,
        "%s", err.text);
    ck_assert_int_eq(nset_regions_to_masks(&m, r, 2, 4, "r.json", &err), NSET_OK);
    ck_assert_uint_eq(m->roi[0].n_pixels, 2);
    ck_assert_int_eq(m->roi[0].pixel[0], 3);
    ck_assert_float_eq(m->roi[0].weight[0], .75f);
    ck_assert_float_eq(m->roi[0].weight[1], .25f);
    ck_assert_int_eq(m->roi[0].id, 0); /* 7 is there twice */
    ck_assert_int_eq(m->roi[1].id, 1);
    ck_assert_double_eq(m->roi[0].probability, .5);
    ck_assert(isnan(m->roi[1].probability));
    nset_masks_free(m);
    m = NULL;
    ck_assert_int_eq(nset_regions_to_masks(&m, r, 4, 3, "r.json", &err), NSET_ERR_FORMAT);
    ck_assert_msg(strstr(err.text, "region 0 (id 7): pixel [row 0, column 3] lies outside of the movie's 4 x 3; all "
                                   "would fit with rows and columns exchanged") != NULL,
        "%s", err.text);
    nset_regions_free(r);
}
END_TEST

START_TEST(slips_in_json_are_told)
{
    static const char *const cases[][2] = {
        { "[{\"coordinates\": [[1, 2]], \"weights\": []}]", "not as many \"weights\"" },
        { "[{\"coordinates\": [[1, 2]], \"weights\": [\"a\"]}]", "weight 0 of region 0 is no number" },
        { "[{\"coordinates\": [[1, 2, 3]]}]", "is not a [row, column]" },
        { "[{\"a\": 1}]", "has no list \"coordinates\"" },
        { "{}", "not a list of regions" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nset_regions *r = NULL;
        nset_error err = { 0 };
        ck_assert_int_eq(read_text(&r, cases[i][0], &err), NSET_ERR_FORMAT);
        ck_assert_msg(strstr(err.text, cases[i][1]) != NULL, "'%s' does not say '%s'", err.text, cases[i][1]);
    }
}
END_TEST

START_TEST(suite2p_s_cells_are_taken_and_the_others_counted)
{
    static const int32_t y[2] = { 3, 4 }, x[2] = { 5, 5 };
    static const float lam[2] = { 1, 3 };
    static const double iscell[3][2] = { { 1, .9 }, { 0, .1 }, { 1, .6 } };
    static const size_t shape[1] = { 2 };
    nset_array labels = { .descr = "<f8", .rank = 2, .shape = { 3, 2 }, .data = iscell };
    nset_regions *r = NULL;
    nset_error err = { 0 };
    FILE *f;

    mkdir(in_folder("suite2p"), 0777);
    mkdir(in_folder("suite2p/plane0"), 0777);
    f = fopen(in_folder("suite2p/plane0/stat.npy"), "wb");
    nset_pickle_begin(f, 3, false);
    for (int i = 0; i < 3; i++) {
        nset_pickle_dict(f);
        nset_pickle_text(f, "ypix");
        nset_pickle_array(f, "<i4", 1, shape, y);
        nset_pickle_text(f, "xpix");
        nset_pickle_array(f, "<i4", 1, shape, x);
        nset_pickle_text(f, "lam");
        nset_pickle_array(f, "<f4", 1, shape, lam);
        nset_pickle_dict_end(f);
    }
    nset_pickle_end(f);
    fclose(f);
    ck_assert_int_eq(nset_npy_write(in_folder("suite2p/plane0/iscell.npy"), &labels, &err), NSET_OK);
    ck_assert_msg(nset_regions_read(&r, folder, &err) == NSET_OK, "%s", err.text);
    ck_assert_uint_eq(r->n, 2);
    ck_assert_uint_eq(r->n_not_cells, 1);
    ck_assert_int_eq(r->region[1].id, 2);
    ck_assert_str_eq(pixels(r, 1), "3,5 4,5");
    ck_assert_float_eq(r->region[1].weight[1], 3);
    ck_assert_double_eq(r->region[0].probability, .9);
    nset_regions_free(r);
    mkdir(in_folder("suite2p/plane1"), 0777);
    ck_assert_int_eq(nset_regions_read(&r, folder, &err), NSET_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "of several planes"));
}
END_TEST

/* Every mask of up to 3 x 3 pixels, among them holes, parts and touches at corners, comes back from its outline. */
START_TEST(outlines_give_the_masks_back)
{
    enum { WIDTH = 7 };
    static nset_roi roi[511];
    static int32_t pixel[511][9];
    nset_masks m = { .height = 5, .width = WIDTH, .n = 511, .roi = roi }, *back = NULL;
    nset_regions *r = NULL;
    nset_run_folder *out = NULL;
    nset_error err = { 0 };

    for (int32_t i = 0; i < 511; i++) {
        roi[i] = (nset_roi){ .id = i, .pixel = pixel[i] };
        for (int32_t k = 0; k < 9; k++)
            if ((i + 1) >> k & 1)
                pixel[i][roi[i].n_pixels++] = (k / 3 + i % 3) * WIDTH + k % 3 + i % 5;
    }
    ck_assert_int_eq(nset_run_folder_open(&out, in_folder("result"), true, &err), NSET_OK);
    ck_assert_msg(nset_roiset_write(&m, out, &err) == NSET_OK, "%s", err.text);
    ck_assert_msg(
        nset_regions_read(&r, nset_run_folder_path(out, "RoiSet.zip", &err), &err) == NSET_OK, "%s", err.text);
    ck_assert_int_eq(nset_regions_to_masks(&back, r, m.height, m.width, "RoiSet.zip", &err), NSET_OK);
    ck_assert_uint_eq(back->n, 511);
    for (size_t i = 0; i < 511; i++) {
        ck_assert_uint_eq(back->roi[i].n_pixels, roi[i].n_pixels);
        ck_assert_mem_eq(back->roi[i].pixel, roi[i].pixel, roi[i].n_pixels * sizeof(int32_t));
    }
    nset_masks_free(back);
    nset_regions_free(r);
    nset_run_folder_abort(out);
}
END_TEST

static void remove_folder(void)
{
    static const char *const names[] = { "a.roi", "l.tif", "r.json", "suite2p/plane0/stat.npy",
        "suite2p/plane0/iscell.npy" };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unlink(in_folder(names[i]));
    rmdir(in_folder("suite2p/plane1"));
    rmdir(in_folder("suite2p/plane0"));
    rmdir(in_folder("suite2p"));
    rmdir(folder);
}

int main(void)
{
    Suite *s = suite_create("regions");
    TCase *t = tcase_create("all");
    SRunner *runner = srunner_create(s);
    int failed;

    if (!mkdtemp(folder))
        return 1;
    tcase_add_test(t, imagej_s_outlines_hold_the_pixels_whose_centres_are_inside);
    tcase_add_test(t, what_is_no_area_is_refused);
    tcase_add_test(t, pages_of_labels_and_pages_of_masks);
    tcase_add_test(t, weights_go_with_their_pixels);
    tcase_add_test(t, slips_in_json_are_told);
    tcase_add_test(t, suite2p_s_cells_are_taken_and_the_others_counted);
    tcase_add_test(t, outlines_give_the_masks_back);
    suite_add_tcase(s, t);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    remove_folder();
    return failed != 0;
}
