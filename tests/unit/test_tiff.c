/* TIFF files: what is written is read back; cut and contradictory files are refused with a line. */
#include <check.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tiffio.h>
#include <unistd.h>

#include "imaging/movie.h"
#include "imaging/tiff.h"
#include "test_folder.h"

enum { PAGES = 5, HEIGHT = 9, WIDTH = 13, PIXELS = HEIGHT * WIDTH };

/* Page i holds 1000 i + place, which every type from 16 bits on can. */
typedef struct variant {
    const char *mode;
    uint16_t bits, format, compression, predictor;
    bool tiled;
} variant;

static const variant variants[] = {
    { "wl", 16, SAMPLEFORMAT_UINT, COMPRESSION_NONE, 1, false },
    { "wb", 16, SAMPLEFORMAT_UINT, COMPRESSION_NONE, 1, false },
    { "wl8", 16, SAMPLEFORMAT_INT, COMPRESSION_NONE, 1, false },
    { "wb8", 32, SAMPLEFORMAT_UINT, COMPRESSION_NONE, 1, false },
    { "wl", 32, SAMPLEFORMAT_INT, COMPRESSION_LZW, 1, false },
    { "wb", 32, SAMPLEFORMAT_IEEEFP, COMPRESSION_NONE, 1, false },
    { "wl", 64, SAMPLEFORMAT_IEEEFP, COMPRESSION_PACKBITS, 1, false },
    { "wl", 16, SAMPLEFORMAT_UINT, COMPRESSION_ADOBE_DEFLATE, 2, false },
    { "wb", 16, SAMPLEFORMAT_UINT, COMPRESSION_ADOBE_DEFLATE, 2, true },
    { "wl", 32, SAMPLEFORMAT_IEEEFP, COMPRESSION_LZW, 3, true },
};

static void put_sample(unsigned char *at, const variant *v, double x)
{
    if (v->format == SAMPLEFORMAT_IEEEFP && v->bits == 32)
        memcpy(at, &(float){ (float)x }, 4);
    else if (v->format == SAMPLEFORMAT_IEEEFP)
        memcpy(at, &x, 8);
    else if (v->bits == 32)
        memcpy(at, &(int32_t){ (int32_t)x }, 4);
    else
        memcpy(at, &(int16_t){ (int16_t)x }, 2);
}

static void write_variant(const char *path, const variant *v, int n_pages, const char *description)
{
    size_t item = v->bits / 8u;
    unsigned char buffer[32 * 32 * 8] = { 0 };
    TIFF *f = TIFFOpen(path, v->mode);

    for (int i = 0; i < n_pages; i++) {
        uint32_t side = v->tiled ? 16 : WIDTH;
        TIFFSetField(f, TIFFTAG_IMAGEWIDTH, WIDTH);
        TIFFSetField(f, TIFFTAG_IMAGELENGTH, HEIGHT);
        TIFFSetField(f, TIFFTAG_BITSPERSAMPLE, v->bits);
        TIFFSetField(f, TIFFTAG_SAMPLEFORMAT, v->format);
        TIFFSetField(f, TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISBLACK);
        TIFFSetField(f, TIFFTAG_COMPRESSION, v->compression);
        if (v->predictor > 1)
            TIFFSetField(f, TIFFTAG_PREDICTOR, v->predictor);
        if (v->tiled) {
            TIFFSetField(f, TIFFTAG_TILEWIDTH, 16);
            TIFFSetField(f, TIFFTAG_TILELENGTH, 16);
        } else {
            TIFFSetField(f, TIFFTAG_ROWSPERSTRIP, 4);
        }
        if (description && i == 0)
            TIFFSetField(f, TIFFTAG_IMAGEDESCRIPTION, description);
        for (uint32_t p = 0; p < PIXELS; p++)
            put_sample(buffer + (p / WIDTH * side + p % WIDTH) * item, v, 1000 * i + (double)p);
        if (v->tiled)
            TIFFWriteEncodedTile(f, 0, buffer, 16 * 16 * (tmsize_t)item);
        else
            for (uint32_t s = 0, row = 0; row < HEIGHT; s++, row += 4)
                TIFFWriteEncodedStrip(f, s, buffer + row * WIDTH * item,
                    (tmsize_t)((HEIGHT - row < 4 ? HEIGHT - row : 4) * WIDTH * item));
        TIFFWriteDirectory(f);
    }
    TIFFClose(f);
}

/* Opens a file of the folder; the test ends when that fails. */
static nset_movie *open_movie(const char *name, const nset_movie_options *o)
{
    const nset_movie_options none = { 0 };
    const char *path = in_folder(name);
    nset_error err = { 0 };
    nset_movie *m = NULL;

    ck_assert_msg(nset_movie_open(&m, &path, 1, o ? o : &none, &err) == NSET_OK, "%s", err.text);
    return m;
}

START_TEST(every_layout_is_read_in_any_order)
{
    static const int order[] = { 3, 0, 4, 4, 1, 2 };
    nset_error err = { 0 };
    nset_movie *m;
    float x[PIXELS];

    make_folder();
    write_variant(in_folder("a.tif"), &variants[_i], PAGES, NULL);
    m = open_movie("a.tif", NULL);
    ck_assert_int_eq(m->n_frames, PAGES);
    for (size_t k = 0; k < sizeof order / sizeof *order; k++) {
        ck_assert_msg(m->read(m, x, order[k], &err) == NSET_OK, "%s", err.text);
        for (int p = 0; p < PIXELS; p++)
            ck_assert_msg(
                fabsf(x[p] - (float)(1000 * order[k] + p)) <= 0, "page %d pixel %d: %g", order[k], p, (double)x[p]);
    }
    nset_movie_close(m);
    drop_folder();
}
END_TEST

START_TEST(files_cut_anywhere_are_refused_with_a_line)
{
    static unsigned char bytes[1 << 16];
    size_t n;
    FILE *f;

    make_folder();
    write_variant(in_folder("a.tif"), &variants[_i], 2, NULL);
    f = fopen(in_folder("a.tif"), "rb");
    n = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    for (size_t cut = 0; cut < n - 8; cut += 7) {
        nset_error err = { 0 };
        const nset_movie_options o = { .allow_missing = cut % 2 };
        const char *path = in_folder("cut.tif");
        nset_movie *m = NULL;
        float x[PIXELS];
        nset_status status;
        f = fopen(path, "wb");
        fwrite(bytes, 1, cut, f);
        fclose(f);
        status = nset_movie_open(&m, &path, 1, &o, &err);
        for (int64_t i = 0; status == NSET_OK && i < m->n_frames; i++)
            status = m->read(m, x, i, &err);
        ck_assert_msg(status == NSET_OK || strstr(err.text, "cut.tif"), "cut at %zu: '%s'", cut, err.text);
        nset_movie_close(m);
    }
    drop_folder();
}
END_TEST

START_TEST(pages_are_believed_against_the_description)
{
    nset_movie *m;

    make_folder();
    write_variant(in_folder("a.tif"), &variants[0], PAGES, "ImageJ=1.53\nimages=3\nfinterval=0.05\n");
    m = open_movie("a.tif", NULL);
    ck_assert_int_eq(m->n_frames, PAGES);
    ck_assert_double_eq_tol(m->rate_hz, 20, 1e-9);
    ck_assert_ptr_nonnull(
        strstr(json_string_value(json_array_get(m->warnings, 0)), "states 3 pictures, 5 are in the file"));
    nset_movie_close(m);
    drop_folder();
}
END_TEST

START_TEST(written_stacks_are_read_back)
{
    uint16_t counts[3 * PIXELS];
    nset_movie *m;
    float x[PIXELS];

    make_folder();
    for (int k = 0; k < 3 * PIXELS; k++)
        counts[k] = (uint16_t)(k * 177);
    ck_assert_int_eq(nset_tiff_write_u16(in_folder("a.tif"), counts, 3, HEIGHT, WIDTH, NULL), NSET_OK);
    m = open_movie("a.tif", NULL);
    ck_assert_int_eq(m->n_frames, 3);
    ck_assert_int_eq(m->read(m, x, 2, NULL), NSET_OK);
    for (int p = 0; p < PIXELS; p++)
        ck_assert_int_eq((int)x[p], counts[2 * PIXELS + p]);
    nset_movie_close(m);
    drop_folder();
}
END_TEST

START_TEST(a_folder_is_one_movie_in_natural_order)
{
    const nset_movie_options o = { 0 };
    nset_movie *m = NULL;
    nset_error err = { 0 };
    const char *path = folder;
    float x[PIXELS];

    make_folder();
    write_variant(in_folder("frame10.tif"), &variants[0], 3, NULL);
    write_variant(in_folder("frame2.tif"), &variants[0], 2, NULL);
    ck_assert_msg(nset_movie_open(&m, &path, 1, &o, &err) == NSET_OK, "%s", err.text);
    ck_assert_int_eq(m->n_frames, 5);
    ck_assert_int_eq(m->read(m, x, 4, NULL), NSET_OK);
    ck_assert_float_eq(x[0], 2000);
    ck_assert_int_eq(m->read(m, x, 1, NULL), NSET_OK);
    ck_assert_float_eq(x[0], 1000);
    ck_assert_int_eq(m->read(m, x, 5, NULL), NSET_ERR_ARG);
    nset_movie_close(m);
    drop_folder();
}
END_TEST

int main(void)
{
    enum { N = sizeof variants / sizeof *variants };
    Suite *suite = suite_create("tiff");
    TCase *t = tcase_create("tiff");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_loop_test(t, every_layout_is_read_in_any_order, 0, N);
    tcase_add_loop_test(t, files_cut_anywhere_are_refused_with_a_line, 0, N);
    tcase_add_test(t, pages_are_believed_against_the_description);
    tcase_add_test(t, written_stacks_are_read_back);
    tcase_add_test(t, a_folder_is_one_movie_in_natural_order);
    suite_add_tcase(suite, t);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
