/* Movies: files laid down byte by byte. Above 4 GB they are sparse. */
#include <check.h>
#include <fcntl.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <neuroset/workers.h>

#include "imaging/movie_input.h"
#include "test_folder.h"

static int create(const char *name)
{
    int fd = open(in_folder(name), O_RDWR | O_CREAT | O_TRUNC, 0666);

    ck_assert_int_ge(fd, 0);
    return fd;
}

static void put(int fd, uint64_t at, const void *bytes, size_t n)
{
    ck_assert_int_eq(pwrite(fd, bytes, n, (off_t)at), (ssize_t)n);
}

typedef struct page {
    uint64_t ifd, data, next;
    uint32_t height, width;
    uint16_t bits, format; /* 1 unsigned, 2 signed, 3 float */
    const char *description;
} page;

/* A little-endian classic directory of one strip; offsets lose what is above 32 bits, as old writers let them. */
static void put_page(int fd, const page *p)
{
    uint32_t n = p->description ? 10 : 9, text = (uint32_t)(p->ifd + 2 + 12 * n + 4);
    const uint32_t field[10][4] = { { 256, 4, 1, p->width }, { 257, 4, 1, p->height }, { 258, 3, 1, p->bits },
        { 259, 3, 1, 1 }, { 262, 3, 1, 1 }, { 273, 4, 1, (uint32_t)p->data }, { 277, 3, 1, 1 },
        { 279, 4, 1, p->width * p->height * p->bits / 8 }, { 339, 3, 1, p->format },
        { 270, 2, p->description ? (uint32_t)strlen(p->description) + 1 : 0, text } };
    unsigned char b[200] = { (unsigned char)n, 0 };
    uint32_t next = (uint32_t)p->next;

    for (uint32_t i = 0; i < n; i++) {
        uint16_t head[2] = { (uint16_t)field[i][0], (uint16_t)field[i][1] };
        memcpy(b + 2 + 12 * i, head, 4);
        memcpy(b + 6 + 12 * i, &field[i][2], 8);
    }
    memcpy(b + 2 + 12 * n, &next, 4);
    put(fd, p->ifd, b, 2 + 12 * n + 4);
    if (p->description)
        put(fd, text, p->description, strlen(p->description) + 1);
}

static void put_header(int fd)
{
    static const unsigned char header[8] = { 'I', 'I', 42, 0, 8, 0, 0, 0 };

    put(fd, 0, header, sizeof header);
}

static nset_movie *open_movie(const char *path, const nset_movie_options *o)
{
    const nset_movie_options none = { 0 };
    nset_error err = { 0 };
    nset_movie *m = NULL;

    ck_assert_msg(nset_movie_open(&m, &path, 1, o ? o : &none, &err) == NSET_OK, "%s", err.text);
    return m;
}

static void refuse(const char *path, const char *word)
{
    const nset_movie_options none = { 0 };
    nset_error err = { 0 };
    nset_movie *m = NULL;

    ck_assert_int_eq(nset_movie_open(&m, &path, 1, &none, &err), NSET_ERR_FORMAT);
    ck_assert_msg(strstr(err.text, word), "'%s' is not in '%s'", word, err.text);
}

/* n frames of one row of 4 numbers, one page a frame. */
static void write_rows(const char *name, int n, uint16_t bits, uint16_t format, const void *numbers)
{
    size_t bytes = 4u * bits / 8;
    int fd = create(name);

    put_header(fd);
    for (int i = 0; i < n; i++) {
        uint64_t at = 8 + 200 * (uint64_t)i;
        page p = { at, at + 150, i + 1 < n ? at + 200 : 0, 1, 4, bits, format, NULL };
        put_page(fd, &p);
        put(fd, p.data, (const char *)numbers + (size_t)i * bytes, bytes);
    }
    close(fd);
}

START_TEST(the_same_numbers_in_any_type_are_the_same_frames)
{
    static const uint8_t u8[8] = { 1, 2, 3, 200, 7, 0, 9, 11 };
    static const int16_t i16[8] = { 1, 2, 3, 200, 7, 0, 9, 11 };
    static const float f32[8] = { 1, 2, 3, 200, 7, 0, 9, 11 };
    static const struct {
        uint16_t bits, format;
        const void *numbers;
        const char *name;
    } types[] = { { 8, 1, u8, "uint8" }, { 16, 2, i16, "int16" }, { 32, 3, f32, "float32" } };
    float x[4];

    make_folder();
    for (size_t k = 0; k < 3; k++) {
        nset_movie *m;
        write_rows("a.tif", 2, types[k].bits, types[k].format, types[k].numbers);
        m = open_movie(in_folder("a.tif"), NULL);
        ck_assert_str_eq(m->dtype, types[k].name);
        ck_assert_int_eq(m->n_frames, 2);
        ck_assert(m->height == 1 && m->width == 4);
        for (int t = 0; t < 2; t++) {
            ck_assert_int_eq(m->read(m, x, t, NULL), NSET_OK);
            ck_assert_mem_eq(x, f32 + 4 * t, sizeof x);
        }
        nset_movie_close(m);
    }
    drop_folder();
}
END_TEST

START_TEST(negative_numbers_stay_negative)
{
    static const int16_t i16[4] = { -32768, -1, 0, 32767 };
    float x[4];
    nset_movie *m;

    make_folder();
    write_rows("a.tif", 1, 16, 2, i16);
    m = open_movie(in_folder("a.tif"), NULL);
    ck_assert_int_eq(m->read(m, x, 0, NULL), NSET_OK);
    for (int i = 0; i < 4; i++)
        ck_assert_float_eq(x[i], i16[i]);
    nset_movie_close(m);
    drop_folder();
}
END_TEST

START_TEST(pixels_that_are_no_numbers_are_the_mean_of_the_others)
{
    const float f32[12] = { 1, NAN, 3, 8, NAN, NAN, INFINITY, NAN, 5, 6, 7, 8 };
    char list[64];
    float x[4];
    nset_movie *m;

    make_folder();
    write_rows("a.tif", 3, 32, 3, f32);
    m = open_movie(in_folder("a.tif"), NULL);
    ck_assert_int_eq(m->read(m, x, 0, NULL), NSET_OK);
    ck_assert_float_eq(x[1], 4);
    ck_assert_float_eq(x[3], 8);
    ck_assert_int_eq(m->read(m, x, 1, NULL), NSET_OK);
    for (int i = 0; i < 4; i++)
        ck_assert_float_eq(x[i], 0);
    ck_assert_int_eq(nset_movie_met(m, NSET_FRAME_PARTLY, list, sizeof list), 1);
    ck_assert_str_eq(list, "0");
    ck_assert_int_eq(nset_movie_met(m, NSET_FRAME_EMPTY, list, sizeof list), 1);
    ck_assert_str_eq(list, "1");
    nset_movie_close(m);
    drop_folder();
}
END_TEST

/* One directory and all planes behind it, 4.3 GB: what ImageJ writes then. */
START_TEST(contiguous_planes_above_4_gb)
{
    enum { SIDE = 512, N = 8300 };
    const uint64_t frame = 2 * SIDE * SIDE, data = 1024, last = data + (N - 1) * frame;
    static uint16_t row[SIDE] = { 11, 22, 65535 };
    static float x[SIDE * SIDE];
    page p = { 8, data, 0, SIDE, SIDE, 16, 1, "ImageJ=1.53t\nimages=8300\nframes=8300\nfinterval=0.5\n" };
    nset_movie *m;
    int fd;

    make_folder();
    fd = create("a.tif");
    put_header(fd);
    put_page(fd, &p);
    put(fd, last + frame - sizeof row, row, sizeof row);
    close(fd);
    m = open_movie(in_folder("a.tif"), NULL);
    ck_assert_int_eq(m->n_frames, N);
    ck_assert_double_eq(m->rate_hz, 2);
    ck_assert_int_eq(m->read(m, x, N - 1, NULL), NSET_OK);
    ck_assert(x[SIDE * (SIDE - 1) + 1] == 22 && x[SIDE * (SIDE - 1) + 2] == 65535 && x[0] == 0);
    nset_movie_close(m);
    ck_assert_int_eq(truncate(in_folder("a.tif"), (off_t)last), 0);
    refuse(in_folder("a.tif"), "page 8299 ends beyond");
    m = open_movie(in_folder("a.tif"), &(nset_movie_options){ .allow_missing = true });
    ck_assert_int_eq(m->n_frames, N - 1);
    nset_movie_close(m);
    drop_folder();
}
END_TEST

/* A classic file whose writer went on past 4 GB with offsets of 32 bits. */
START_TEST(a_chain_that_lost_its_upper_bits_is_followed)
{
    static const uint64_t at[4] = { 8, 3000000000u, 5000000000u, 7000000000u };
    uint16_t numbers[4] = { 0 };
    float x[4];
    nset_movie *m;
    int fd;

    make_folder();
    fd = create("a.tif");
    put_header(fd);
    for (int i = 0; i < 4; i++) {
        page p = { at[i], at[i] + 200, i < 3 ? at[i + 1] : 0, 1, 4, 16, 1, NULL };
        put_page(fd, &p);
        numbers[2] = (uint16_t)(100 + i);
        put(fd, p.data, numbers, sizeof numbers);
    }
    close(fd);
    m = open_movie(in_folder("a.tif"), NULL);
    ck_assert_int_eq(m->n_frames, 4);
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(m->read(m, x, i, NULL), NSET_OK);
        ck_assert_float_eq(x[2], (float)(100 + i));
    }
    nset_movie_close(m);
    drop_folder();
}
END_TEST

typedef struct job {
    nset_movie *m;
    int bad[64];
} job;

static void read_some(void *context, size_t first, size_t last, size_t chunk)
{
    job *j = context;
    float x[4];

    for (size_t i = first; i < last; i++) {
        int64_t t = (int64_t)(i * 37 % 64);
        j->bad[i] = j->m->read(j->m, x, t, NULL) != NSET_OK || x[0] != (float)(4 * t) || x[3] != (float)(4 * t + 3);
    }
    (void)chunk;
}

/* A folder of files, so that readers change files too. */
START_TEST(threads_read_different_frames_at_once)
{
    uint16_t numbers[64];
    nset_workers *workers = NULL;
    job j = { 0 };
    char name[32];

    make_folder();
    for (int k = 0; k < 64; k++)
        numbers[k] = 0;
    for (int k = 0; k < 4; k++) {
        for (int i = 0; i < 64; i++)
            numbers[i] = (uint16_t)(64 * k + i);
        snprintf(name, sizeof name, "part%d.tif", k + 8); /* 8, 9, 10, 11 */
        write_rows(name, 16, 16, 1, numbers);
    }
    j.m = open_movie(folder, NULL);
    ck_assert_int_eq(j.m->n_frames, 64);
    ck_assert(j.m->concurrent);
    ck_assert_int_eq(nset_workers_create(&workers, 4, NULL), NSET_OK);
    for (int round = 0; round < 20; round++) {
        nset_parallel_for(workers, 64, 3, read_some, &j);
        for (int i = 0; i < 64; i++)
            ck_assert_int_eq(j.bad[i], 0);
    }
    nset_workers_free(workers);
    nset_movie_close(j.m);
    drop_folder();
}
END_TEST

START_TEST(folders_leave_out_what_is_no_frame)
{
    static const uint16_t numbers[4] = { 1, 2, 3, 4 };
    char all[2000] = "";
    nset_movie *m;
    json_t *w;
    size_t i;

    make_folder();
    write_rows("img_001.tif", 1, 16, 1, numbers);
    write_rows("img_002.TIF", 1, 16, 1, numbers);
    write_rows("img_005.tif", 1, 16, 1, numbers);
    close(create("._img_001.tif"));
    close(create("img_009.tif"));
    close(create("Thumbs.db"));
    m = open_movie(folder, NULL);
    ck_assert_int_eq(m->n_frames, 3);
    json_array_foreach(m->warnings, i, w) strcat(all, json_string_value(w));
    ck_assert_ptr_nonnull(strstr(all, "1 file of no bytes"));
    nset_movie_close(m);
    write_rows("img_007.tif", 1, 8, 1, numbers);
    refuse(folder, "img_007.tif");
    drop_folder();
}
END_TEST

/* Micro-Manager's folder: time, channel, depth in the names; the metadata lack their last brace. */
START_TEST(names_of_files_tell_time_channel_and_depth)
{
    static const char metadata[] =
        "{\"Summary\": {\"PixelSize_um\": 0.65, \"Interval_ms\": 50},\n\"FrameKey-0-0-0\": {}\n";
    uint16_t numbers[4] = { 0 };
    float x[4];
    nset_movie *m;
    int fd;

    make_folder();
    for (int t = 0; t < 3; t++)
        for (int c = 0; c < 2; c++)
            for (int z = 0; z < 2; z++) {
                char name[64];
                snprintf(name, sizeof name, "img_%09d_%s_%03d.tif", t, c ? "mCherry" : "GFP_low", z);
                numbers[1] = (uint16_t)(100 * t + 10 * c + z);
                write_rows(name, 1, 16, 1, numbers);
            }
    fd = create("metadata.txt");
    put(fd, 0, metadata, sizeof metadata - 1);
    close(fd);
    m = open_movie(folder, &(nset_movie_options){ .channel = "mcherry", .plane = 2 });
    ck_assert_str_eq(m->format, "micromanager");
    ck_assert(m->n_frames == 3 && m->n_channels == 2 && m->n_planes == 2 && m->channel == 1 && m->plane == 1);
    ck_assert_double_eq(m->rate_hz, 20);
    ck_assert_double_eq(m->pixel_um, .65);
    ck_assert_int_eq(m->read(m, x, 2, NULL), NSET_OK);
    ck_assert_float_eq(x[1], 211);
    nset_movie_close(m);
    ck_assert_int_eq(unlink(in_folder("img_000000001_GFP_low_000.tif")), 0);
    m = open_movie(folder, NULL);
    ck_assert_int_eq(m->n_frames, 2);
    nset_movie_close(m);
    drop_folder();
}
END_TEST

START_TEST(numbers_and_lines_of_headers)
{
    static const char text[] = "ImageJ=1.53\nframes=12\rSI.hX.rate = 3.5e1\nframesPerSlice=7\nunit=micron \nbad=x\n";
    const char *end;
    char word[16];
    double x = 0;

    ck_assert_double_eq(nset_number("1e-008", &end), 1e-8);
    ck_assert_double_eq_tol(nset_number("-6.3107e-05]", &end), -6.3107e-5, 1e-18);
    ck_assert_str_eq(end, "]");
    ck_assert_double_eq(nset_number("30.0141", &end), 30.0141);
    nset_number("-", &end);
    ck_assert_str_eq(end, "-");
    ck_assert(nset_keyed_number(&x, text, "frames") && x == 12);
    ck_assert(nset_keyed_number(&x, text, "SI.hX.rate") && x == 35);
    ck_assert(!nset_keyed_number(&x, text, "bad") && !nset_keyed_number(&x, text, "rate"));
    ck_assert(nset_keyed_text(word, sizeof word, text, "unit"));
    ck_assert_str_eq(word, "micron");
    ck_assert_double_eq(nset_length_um(word), 1);
    ck_assert_double_eq(nset_length_um("pixel"), 0);
    ck_assert_double_eq(nset_time_s("ms"), 1e-3);
}
END_TEST

START_TEST(names_sort_by_their_numbers)
{
    ck_assert_int_lt(nset_natural_order("frame2", "frame10"), 0);
    ck_assert_int_lt(nset_natural_order("a9b1", "a10b0"), 0);
    ck_assert_int_lt(nset_natural_order("a01", "a1"), 0);
    ck_assert_int_eq(nset_natural_order("a1", "a1"), 0);
    ck_assert_int_lt(nset_natural_order("x99999999999999999999998", "x99999999999999999999999"), 0);
    ck_assert_int_gt(nset_natural_order("b", "a100"), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("movie");
    TCase *t = tcase_create("movie");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_set_timeout(t, 60);
    tcase_add_test(t, the_same_numbers_in_any_type_are_the_same_frames);
    tcase_add_test(t, negative_numbers_stay_negative);
    tcase_add_test(t, pixels_that_are_no_numbers_are_the_mean_of_the_others);
    tcase_add_test(t, contiguous_planes_above_4_gb);
    tcase_add_test(t, a_chain_that_lost_its_upper_bits_is_followed);
    tcase_add_test(t, threads_read_different_frames_at_once);
    tcase_add_test(t, folders_leave_out_what_is_no_frame);
    tcase_add_test(t, names_of_files_tell_time_channel_and_depth);
    tcase_add_test(t, numbers_and_lines_of_headers);
    tcase_add_test(t, names_sort_by_their_numbers);
    suite_add_tcase(suite, t);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
