/* The segmenter's parts: sums over a set of images, the decoder, the simulator, training. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <neuroset/memory.h>
#include <neuroset/model.h>
#include <neuroset/random.h>

#include "imaging/accumulate.h"
#include "imaging/decode.h"
#include "imaging/gain.h"
#include "imaging/infer.h"
#include "imaging/second_look.h"
#include "imaging/segmenter.h"
#include "imaging/simulate.h"
#include "imaging/train_segmenter.h"

enum { H = 13, W = 17, N = H * W, IMAGES = 9 };

/* ---- sums over the set ---- */

static void random_images(float *images)
{
    nset_random r = nset_random_stream(3, "images", 0);

    for (int i = 0; i < IMAGES * N; i++)
        images[i] = (float)(100 + 30 * nset_random_normal(&r));
}

static void sum_up(nset_accumulator *a, const float *images, const int *order)
{
    ck_assert_int_eq(nset_accumulator_init(a, H, W, NULL), NSET_OK);
    for (int i = 0; i < IMAGES; i++)
        nset_accumulator_add_mean(a, images + (size_t)order[i] * N);
    ck_assert_int_eq(nset_accumulator_settle(a, 8, NULL), NSET_OK);
    for (int i = 0; i < IMAGES; i++)
        ck_assert_int_eq(nset_accumulator_add(a, images + (size_t)order[i] * N, NULL, NULL), NSET_OK);
}

START_TEST(images_in_any_order_sum_to_the_same_bits)
{
    static const int forth[IMAGES] = { 0, 1, 2, 3, 4, 5, 6, 7, 8 }, mixed[IMAGES] = { 5, 0, 8, 3, 1, 7, 2, 6, 4 };
    static float images[IMAGES * N], p[NSET_N_MAPS * N], q[NSET_N_MAPS * N];
    nset_accumulator a, b;

    random_images(images);
    sum_up(&a, images, forth);
    sum_up(&b, images, mixed);
    for (int k = 0; k < NSET_N_SUMS; k++)
        ck_assert_mem_eq(a.sum[k], b.sum[k], N * sizeof *a.sum[k]);
    ck_assert_mem_eq(a.largest, b.largest, N * sizeof *a.largest);
    nset_accumulator_maps(&a, p);
    nset_accumulator_maps(&b, q);
    ck_assert_mem_eq(p, q, sizeof p);
    nset_accumulator_fini(&a);
    nset_accumulator_fini(&b);
}
END_TEST

/* Pearson correlation of two pixels' bands over the images. */
static double pearson(const float *bands, size_t i, size_t j)
{
    double x = 0, y = 0, xx = 0, yy = 0, xy = 0;

    for (size_t t = 0; t < IMAGES; t++) {
        double u = (double)bands[t * N + i], v = (double)bands[t * N + j];
        x += u / IMAGES;
        y += v / IMAGES;
        xx += u * u / IMAGES;
        yy += v * v / IMAGES;
        xy += u * v / IMAGES;
    }
    return (xy - x * y) / sqrt((xx - x * x) * (yy - y * y));
}

START_TEST(maps_are_what_plain_formulas_give)
{
    static float images[IMAGES * N], bands[IMAGES * N], maps[NSET_N_MAPS * N];
    nset_accumulator a;

    random_images(images);
    ck_assert_int_eq(nset_accumulator_init(&a, H, W, NULL), NSET_OK);
    for (size_t t = 0; t < IMAGES; t++)
        nset_accumulator_add_mean(&a, images + t * N);
    ck_assert_int_eq(nset_accumulator_settle(&a, 8, NULL), NSET_OK);
    for (size_t t = 0; t < IMAGES; t++)
        ck_assert_int_eq(nset_accumulator_add(&a, images + t * N, bands + t * N, NULL), NSET_OK);
    nset_accumulator_maps(&a, maps);
    for (size_t y = 2; y + 2 < H; y++) /* at a diameter of 8 the neighbours are two pixels away */
        for (size_t x = 2; x + 2 < W; x++) {
            static const ptrdiff_t step[8] = { -2, 2, -2 * W, 2 * W, -2 * W - 2, -2 * W + 2, 2 * W - 2, 2 * W + 2 };
            size_t i = y * W + x;
            double mean = 0, correlation = 0;
            for (size_t t = 0; t < IMAGES; t++)
                mean += (double)images[t * N + i] / IMAGES;
            for (size_t k = 0; k < 8; k++)
                correlation += pearson(bands, i, (size_t)((ptrdiff_t)i + step[k])) / 8;
            ck_assert_double_eq_tol((double)maps[NSET_MAP_MEAN * N + i], mean, 1e-3);
            ck_assert_double_eq_tol((double)maps[NSET_MAP_CORRELATION * N + i], correlation, 1e-3);
        }
    nset_accumulator_fini(&a);
}
END_TEST

START_TEST(one_image_and_a_constant_set_have_no_activity)
{
    static float flat[N], maps[NSET_N_MAPS * N];
    nset_accumulator a;

    for (int i = 0; i < N; i++)
        flat[i] = 7;
    ck_assert_int_eq(nset_accumulator_init(&a, H, W, NULL), NSET_OK);
    nset_accumulator_maps(&a, maps); /* of the empty set */
    ck_assert(maps[0] == 0);
    for (int n = 0; n < 3; n++) {
        nset_accumulator_add_mean(&a, flat);
        ck_assert_int_eq(nset_accumulator_settle(&a, 8, NULL), NSET_OK);
        ck_assert_int_eq(nset_accumulator_add(&a, flat, NULL, NULL), NSET_OK);
        nset_accumulator_maps(&a, maps);
        for (int i = 0; i < N; i++) {
            ck_assert(maps[NSET_MAP_MEAN * N + i] == 7);
            ck_assert(maps[NSET_MAP_CORRELATION * N + i] == 0 && maps[NSET_MAP_DEVIATION * N + i] == 0);
        }
    }
    nset_accumulator_fini(&a);
}
END_TEST

/* A still texture whose left half brightens and fades, and one cell that fires: the texture's share goes, the cell
 * stays. */
START_TEST(what_brightens_a_neighbourhood_goes_and_a_cell_stays)
{
    enum { S = 120, M = S * S };
    static float mean[M], band[M];
    nset_random r = nset_random_stream(5, "texture", 0);
    nset_gain g;
    float *room;
    double left = 0, cell = 0;

    for (int i = 0; i < M; i++)
        mean[i] = (float)(10 * nset_random_normal(&r));
    ck_assert_int_eq(nset_gain_init(&g, mean, S, S, 8, NULL), NSET_OK);
    room = nset_calloc(nset_gain_room(&g), sizeof *room);
    for (int i = 0; i < M; i++) {
        int y = i / S, x = i % S, inside = (y - 60) * (y - 60) + (x - 30) * (x - 30) <= 16;
        band[i] = mean[i] * (x < S / 2 ? 1.5f : 1) + (inside ? 40 : 0);
    }
    nset_gain_remove(&g, band, room);
    for (int i = 0; i < M; i++) {
        int y = i / S, x = i % S, inside = (y - 60) * (y - 60) + (x - 30) * (x - 30) <= 16;
        double rest = (double)(band[i] - mean[i]);
        if (inside)
            cell += rest / 49;
        else if (x < S / 4)
            left += rest * rest / (S * S / 4);
    }
    ck_assert_double_lt(sqrt(left), 1); /* it was 5 */
    ck_assert_double_gt(cell, 36);
    nset_free(room);
    nset_gain_fini(&g);
}
END_TEST

/* An image turned gives the answer turned: the eight views are the whole group. */
START_TEST(a_turned_image_gives_the_turned_answer)
{
    enum { A = 14, B = 9 };
    static float x[A * B * NSET_SEG_INPUTS], phi[A * B * NSET_SEG_PHI], y[A * B * NSET_SEG_INPUTS],
        psi[A * B * NSET_SEG_PHI];
    nset_random r = nset_random_stream(6, "input", 0);
    nset_net *net = NULL;
    nset_seg_maps p = { 0 }, q = { 0 };

    for (int i = 0; i < A * B; i++) {
        int j = i % B * A + A - 1 - i / B; /* a quarter turn: pixel (row, column) goes to (column, A - 1 - row) */
        for (int k = 0; k < NSET_SEG_INPUTS; k++)
            y[j * NSET_SEG_INPUTS + k] = x[i * NSET_SEG_INPUTS + k] =
                k < NSET_SEG_INPUTS - 1 ? (float)nset_random_normal(&r) : 1;
        for (int k = 0; k < NSET_SEG_PHI; k++)
            psi[j * NSET_SEG_PHI + k] = phi[i * NSET_SEG_PHI + k] = (float)nset_random_normal(&r);
    }
    ck_assert_int_eq(nset_segnet_build(&net, NSET_SEG_RHO_ONLY, 2, NULL), NSET_OK);
    ck_assert_int_eq(nset_seg_maps_init(&p, A, B, NULL), NSET_OK);
    ck_assert_int_eq(nset_seg_maps_init(&q, B, A, NULL), NSET_OK);
    ck_assert_int_eq(nset_segnet_apply(&p, net, x, phi, NSET_SEG_VIEWS, NULL, NULL), NSET_OK);
    ck_assert_int_eq(nset_segnet_apply(&q, net, y, psi, NSET_SEG_VIEWS, NULL, NULL), NSET_OK);
    for (int i = 0; i < A * B; i++) {
        int row = i / B, column = i % B, j = column * A + A - 1 - row;
        ck_assert_double_eq_tol((double)p.centre[i], (double)q.centre[j], 1e-5);
        ck_assert_double_eq_tol((double)p.offset[2 * i], (double)-q.offset[2 * j + 1], 1e-4);
        ck_assert_double_eq_tol((double)p.offset[2 * i + 1], (double)q.offset[2 * j], 1e-4);
    }
    nset_seg_maps_fini(&p);
    nset_seg_maps_fini(&q);
    nset_net_free(net);
}
END_TEST

/* ---- decoder ---- */

enum { SIDE = 40 };

/* A disk of radius 4 that votes for its centre, and a peak there. */
static void put_cell(nset_seg_maps *m, int row, int column, float score)
{
    for (int y = -4; y <= 4; y++)
        for (int x = -4; x <= 4; x++) {
            size_t p = (size_t)((row + y) * SIDE + column + x);
            if (y * y + x * x > 16 || row + y < 0 || column + x < 0 || row + y >= SIDE || column + x >= SIDE)
                continue;
            m->mask[p] = .9f;
            m->offset[2 * p] = (float)-y;
            m->offset[2 * p + 1] = (float)-x;
        }
    m->centre[row * SIDE + column] = score;
}

/* Of two masks in a field of photon noise the one over a real cell stays, the other goes with its reason. */
START_TEST(what_is_no_more_than_noise_is_rejected)
{
    enum { S = 40, M = S * S, T = 60 };
    static float image[M];
    nset_accumulator a;
    nset_masks *m = NULL, *rejected = NULL;
    nset_seg_maps maps = { 0 };

    ck_assert_int_eq(nset_accumulator_init(&a, S, S, NULL), NSET_OK);
    for (int pass = 0; pass < 2; pass++) {
        nset_random r = nset_random_stream(9, "photons", 0);
        for (int t = 0; t < T; t++) {
            for (int i = 0; i < M; i++) {
                int y = i / S - 12, x = i % S - 12;
                image[i] = (float)(100 + 10 * nset_random_normal(&r) + (y * y + x * x <= 16 ? 8 : 0));
            }
            if (pass == 0)
                nset_accumulator_add_mean(&a, image);
            else
                ck_assert_int_eq(nset_accumulator_add(&a, image, NULL, NULL), NSET_OK);
        }
        if (pass == 0)
            ck_assert_int_eq(nset_accumulator_settle(&a, 10, NULL), NSET_OK);
    }
    ck_assert_int_eq(nset_seg_maps_init(&maps, S, S, NULL), NSET_OK);
    put_cell(&maps, 12, 12, .9f);
    put_cell(&maps, 28, 28, .95f);
    ck_assert_int_eq(nset_decode(&m, &rejected, &maps, 10, .5, NULL), NSET_OK);
    ck_assert_uint_eq(m->n, 2);
    ck_assert_int_eq(nset_second_look(m, rejected, &a, NULL), NSET_OK);
    ck_assert_uint_eq(m->n, 1);
    ck_assert_uint_eq(rejected->n, 1);
    ck_assert_double_eq_tol(m->roi[0].row, 12, 1);
    ck_assert_double_eq_tol(rejected->roi[0].row, 28, 1);
    ck_assert_ptr_nonnull(strstr(rejected->roi[0].reason, "no more than noise"));
    nset_masks_free(m);
    nset_masks_free(rejected);
    nset_seg_maps_fini(&maps);
    nset_accumulator_fini(&a);
}
END_TEST

START_TEST(touching_cells_are_two)
{
    nset_seg_maps m;
    nset_masks *found = NULL, *rejected = NULL;

    ck_assert_int_eq(nset_seg_maps_init(&m, SIDE, SIDE, NULL), NSET_OK);
    put_cell(&m, 12, 10, .8f);
    put_cell(&m, 12, 19, .9f);
    put_cell(&m, 30, 30, .3f);
    ck_assert_int_eq(nset_decode(&found, &rejected, &m, 9, .5, NULL), NSET_OK);
    ck_assert_uint_eq(found->n, 2);
    ck_assert_uint_eq(rejected->n, 1);
    ck_assert_double_eq_tol(found->roi[0].column, 19, 1e-6); /* the surer one first */
    ck_assert_double_eq_tol(found->roi[1].column, 10, 1e-6);
    ck_assert_uint_eq(found->roi[0].n_pixels, 49);
    ck_assert_uint_eq(found->roi[1].n_pixels, 49);
    ck_assert_str_eq(found->roi[0].reason, "");
    ck_assert(rejected->roi[0].reason[0] != '\0');
    nset_masks_free(found);
    nset_masks_free(rejected);
    nset_seg_maps_fini(&m);
}
END_TEST

START_TEST(nothing_is_found_in_nothing)
{
    nset_seg_maps m;
    nset_masks *found = NULL;

    for (size_t side = 1; side <= 8; side += 7) {
        ck_assert_int_eq(nset_seg_maps_init(&m, side, side, NULL), NSET_OK);
        ck_assert_int_eq(nset_decode(&found, NULL, &m, 10, .5, NULL), NSET_OK);
        ck_assert_uint_eq(found->n, 0);
        nset_masks_free(found);
        nset_seg_maps_fini(&m);
    }
}
END_TEST

START_TEST(a_centre_without_votes_is_drawn_as_a_disk)
{
    nset_seg_maps m;
    nset_masks *found = NULL;

    ck_assert_int_eq(nset_seg_maps_init(&m, SIDE, SIDE, NULL), NSET_OK);
    m.centre[20 * SIDE + 20] = .9f;
    ck_assert_int_eq(nset_decode(&found, NULL, &m, 10, .5, NULL), NSET_OK);
    ck_assert_uint_eq(found->n, 1);
    ck_assert_uint_eq(found->roi[0].n_pixels, 69); /* pixels of a disk of radius 4.5 */
    nset_masks_free(found);
    nset_seg_maps_fini(&m);
}
END_TEST

/* ---- simulator ---- */

START_TEST(a_seed_gives_the_same_movie)
{
    nset_sim_movie_options o = NSET_SIM_MOVIE_INIT;
    nset_sim_movie *a = NULL, *b = NULL, *c = NULL;
    size_t n = 48 * 40 * 6;

    o.height = 48;
    o.width = 40;
    o.n_frames = 6;
    o.n_cells = 4;
    ck_assert_int_eq(nset_sim_movie_make(&a, &o, NULL), NSET_OK);
    ck_assert_int_eq(nset_sim_movie_make(&b, &o, NULL), NSET_OK);
    o.seed = 2;
    ck_assert_int_eq(nset_sim_movie_make(&c, &o, NULL), NSET_OK);
    ck_assert_mem_eq(a->frames, b->frames, n * sizeof *a->frames);
    ck_assert_mem_ne(a->frames, c->frames, n * sizeof *a->frames);
    ck_assert_uint_eq(a->n_cells, 4);
    for (size_t i = 0; i < a->n_cells; i++)
        for (size_t k = 0; k < a->cells[i].n_pixels; k++)
            ck_assert_int_lt(a->cells[i].pixel[k], 48 * 40);
    nset_sim_movie_free(a);
    nset_sim_movie_free(b);
    nset_sim_movie_free(c);
}
END_TEST

/* ---- training ---- */

static char *slurp(const char *path, long *n)
{
    FILE *f = fopen(path, "rb");
    char *text;

    ck_assert_ptr_nonnull(f);
    fseek(f, 0, SEEK_END);
    *n = ftell(f);
    rewind(f);
    text = malloc((size_t)*n);
    ck_assert_uint_eq(fread(text, 1, (size_t)*n, f), (size_t)*n);
    fclose(f);
    return text;
}

START_TEST(training_does_not_depend_on_threads)
{
    char dir[] = "/tmp/neuroset-segmenter-XXXXXX", path[2][64], card[2][64];
    char *text[2];
    long n[2];

    ck_assert_ptr_nonnull(mkdtemp(dir));
    for (int k = 0; k < 2; k++) {
        nset_train_segmenter_options o = { .seed = 4, .steps = 2, .simulated = 2 };
        nset_workers *workers = NULL;
        snprintf(path[k], sizeof path[k], "%s/%d.safetensors", dir, k);
        snprintf(card[k], sizeof card[k], "%s/%d.json", dir, k);
        o.out = path[k];
        ck_assert_int_eq(nset_workers_create(&workers, k ? 2 : 1, NULL), NSET_OK);
        ck_assert_int_eq(nset_train_segmenter(&o, workers, NULL), NSET_OK);
        nset_workers_free(workers);
        text[k] = slurp(path[k], &n[k]);
    }
    ck_assert_int_eq(n[0], n[1]);
    ck_assert_mem_eq(text[0], text[1], (size_t)n[0]);
    for (int k = 0; k < 2; k++) {
        free(text[k]);
        unlink(path[k]);
        unlink(card[k]);
    }
    rmdir(dir);
}
END_TEST

/* ---- the whole pass ---- */

enum { SIDE_MOVIE = 24, FRAMES = 60 }; /* more frames than phi looks at */

typedef struct memory_movie {
    nset_movie movie;
    const int *order;
} memory_movie;

static nset_status read_memory(nset_movie *self, float *frame, int64_t index, nset_error *err)
{
    nset_random r = nset_random_stream(8, "frame", (uint64_t)((memory_movie *)self)->order[index]);

    (void)err;
    for (int i = 0; i < SIDE_MOVIE * SIDE_MOVIE; i++)
        frame[i] = (float)nset_random_below(&r, 1000);
    return NSET_OK;
}

/* Untrained weights do: what the network says must not depend on the order either. */
static nset_maps *segment_in_order(const char *model, const int *order)
{
    memory_movie m = {
        { .n_frames = FRAMES, .height = SIDE_MOVIE, .width = SIDE_MOVIE, .dtype = "uint16", .read = read_memory }, order
    };
    nset_segment_options o = { .images = { .bin = 1, .diameter = 10 } };
    nset_images images;
    nset_segmenter *s = NULL;
    nset_masks *masks = NULL;
    nset_maps *maps = NULL;

    ck_assert_int_eq(nset_segmenter_open(&s, model, NULL, NULL), NSET_OK);
    ck_assert_int_eq(nset_segmenter_look(&images, s, &m.movie, &o, NULL), NSET_OK);
    ck_assert_int_eq(nset_segmenter_conclude(s, &images, &o, &masks, NULL, &maps, NULL), NSET_OK);
    nset_images_fini(&images);
    nset_segmenter_close(s);
    nset_masks_free(masks);
    return maps;
}

START_TEST(a_long_movie_in_another_order_gives_the_same_bits)
{
    char dir[] = "/tmp/neuroset-segmenter-XXXXXX", model[64];
    nset_meta meta[] = { { "kind", "segmenter-2" }, { "threshold", "0.5" } };
    int forth[FRAMES], back[FRAMES];
    nset_net *net = NULL;
    nset_maps *a, *b;

    for (int t = 0; t < FRAMES; t++)
        back[FRAMES - 1 - t] = forth[t] = t;
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(model, sizeof model, "%s/m.safetensors", dir);
    ck_assert_int_eq(nset_segnet_build(&net, NSET_SEG_WHOLE, 2, NULL), NSET_OK);
    ck_assert_int_eq(nset_model_save(model, net, meta, 2, NULL), NSET_OK);
    nset_net_free(net);
    a = segment_in_order(model, forth);
    b = segment_in_order(model, back);
    ck_assert_mem_eq(a->data, b->data, a->n * a->height * a->width * sizeof *a->data);
    nset_maps_free(a);
    nset_maps_free(b);
    unlink(model);
    rmdir(dir);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("segmenter");
    TCase *c = tcase_create("all");
    SRunner *runner;
    int failed;

    tcase_set_timeout(c, 280);
    tcase_add_test(c, images_in_any_order_sum_to_the_same_bits);
    tcase_add_test(c, maps_are_what_plain_formulas_give);
    tcase_add_test(c, one_image_and_a_constant_set_have_no_activity);
    tcase_add_test(c, what_brightens_a_neighbourhood_goes_and_a_cell_stays);
    tcase_add_test(c, a_turned_image_gives_the_turned_answer);
    tcase_add_test(c, what_is_no_more_than_noise_is_rejected);
    tcase_add_test(c, touching_cells_are_two);
    tcase_add_test(c, nothing_is_found_in_nothing);
    tcase_add_test(c, a_centre_without_votes_is_drawn_as_a_disk);
    tcase_add_test(c, a_seed_gives_the_same_movie);
    tcase_add_test(c, a_long_movie_in_another_order_gives_the_same_bits);
    tcase_add_test(c, training_does_not_depend_on_threads);
    suite_add_tcase(suite, c);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
