#include "imaging/accumulate.h"

#include <math.h>
#include <string.h>

#include <neuroset/memory.h>

#include "imaging/blur.h"
#include "imaging/pixels.h"

enum { LIMIT = 1 << 21 }; /* of a grid value: squares and products of 2^20 images stay inside 62 bits */
enum { MEAN_SCALE = 1024, HEADROOM = 16 }; /* grid steps a count of the mean; times the mean that an image may reach */

/* What each sum adds up. */
static const struct term {
    enum { IMAGE, BAND, PRODUCT } of;
    int dy, dx; /* direction of the neighbour whose band is the other factor */
} terms[NSET_N_SUMS] = {
    [NSET_SUM_IMAGE] = { IMAGE, 0, 0 },
    [NSET_SUM_BAND] = { BAND, 0, 0 },
    [NSET_SUM_SQUARE] = { PRODUCT, 0, 0 },
    [NSET_SUM_RIGHT] = { PRODUCT, 0, 1 },
    [NSET_SUM_BELOW] = { PRODUCT, 1, 0 },
    [NSET_SUM_BELOW_RIGHT] = { PRODUCT, 1, 1 },
    [NSET_SUM_BELOW_LEFT] = { PRODUCT, 1, -1 },
};

nset_status nset_accumulator_init(nset_accumulator *a, size_t height, size_t width, nset_error *err)
{
    size_t n = height * width;
    int ok = 1;

    *a = (nset_accumulator){ .height = height, .width = width, .scale = 1 };
    for (int k = 0; k < NSET_N_SUMS; k++)
        ok &= (a->sum[k] = nset_calloc(n, sizeof *a->sum[k])) != NULL;
    a->largest = nset_calloc(n, sizeof *a->largest);
    a->brightest = nset_calloc(n, sizeof *a->brightest);
    a->room = nset_calloc(n, 4 * sizeof *a->room);
    if (ok && a->largest && a->brightest && a->room)
        return NSET_OK;
    nset_accumulator_fini(a);
    return nset_fail_oom(err, n, sizeof *a->sum[0]);
}

void nset_accumulator_fini(nset_accumulator *a)
{
    for (int k = 0; k < NSET_N_SUMS; k++)
        nset_free(a->sum[k]);
    nset_gain_fini(&a->gain);
    nset_free(a->largest);
    nset_free(a->brightest);
    nset_free(a->room);
    *a = (nset_accumulator){ 0 };
}

/* ---- first pass ---- */

void nset_accumulator_add_mean_rows(nset_accumulator *a, const float *image, size_t first, size_t last)
{
    size_t at = first * a->width;

    nset_pixels_now()->sum_up_scaled(a->sum[NSET_SUM_IMAGE] + at, image + at, (last - first) * a->width, MEAN_SCALE);
}

void nset_accumulator_add_mean(nset_accumulator *a, const float *image)
{
    nset_accumulator_add_mean_rows(a, image, 0, a->height);
    a->n_mean++;
}

static void mean_image(const nset_accumulator *a, float *mean)
{
    for (size_t i = 0; i < a->height * a->width; i++)
        mean[i] = a->n_mean ? (float)((double)a->sum[NSET_SUM_IMAGE][i] / (double)a->n_mean / MEAN_SCALE) : 0;
}

/* band (H, W) := image band-passed. room: 2 H W numbers. */
static void band_pass(const nset_accumulator *a, float *band, const float *image, float *room)
{
    size_t h = a->height, w = a->width, n = h * w;

    memcpy(band, image, n * sizeof *band);
    memcpy(room, image, n * sizeof *room);
    nset_blur(band, h, w, a->sigma_in, room + n);
    nset_blur(room, h, w, a->sigma_out, room + n);
    for (size_t i = 0; i < n; i++)
        band[i] -= room[i];
}

/* A power of two, so that scaling is exact: as fine as the brightest place of the mean leaves room for. */
static double grid_scale(const float *mean, size_t n)
{
    float most = 0;

    for (size_t i = 0; i < n; i++)
        most = fmaxf(most, fabsf(mean[i]));
    return most > 0 ? exp2(fmin(floor(log2(LIMIT / HEADROOM / (double)most)), 40)) : 1;
}

nset_status nset_accumulator_settle(nset_accumulator *a, double diameter_px, nset_error *err)
{
    size_t n = a->height * a->width;

    a->sigma_in = .12 * diameter_px;
    a->sigma_out = .7 * diameter_px;
    a->straight = (int)fmax(1, lround(.3 * diameter_px));
    a->aslant = (int)fmax(1, lround(.21 * diameter_px));
    a->n = 0;
    for (int k = 0; k < NSET_N_SUMS; k++)
        if (k != NSET_SUM_IMAGE)
            memset(a->sum[k], 0, n * sizeof *a->sum[k]);
    for (size_t i = 0; i < n; i++)
        a->largest[i] = a->brightest[i] = INT32_MIN;
    mean_image(a, a->room);
    a->scale = grid_scale(a->room, n);
    band_pass(a, a->room + n, a->room, a->room + 2 * n);
    nset_gain_fini(&a->gain);
    return nset_gain_init(&a->gain, a->room + n, a->height, a->width, diameter_px, err);
}

/* ---- second pass ---- */

size_t nset_accumulator_room(const nset_accumulator *a)
{
    size_t n = 2 * a->height * a->width, gain = nset_gain_room(&a->gain);

    return n > gain ? n : gain;
}

void nset_accumulator_band(const nset_accumulator *a, nset_banded b, const float *image, float *room)
{
    const nset_pixels *k = nset_pixels_now();
    size_t n = a->height * a->width;

    memcpy(room, image, n * sizeof *room);
    nset_blur(room, a->height, a->width, .5 * a->sigma_in, room + n);
    k->to_grid(b.bright, room, n, (float)a->scale, LIMIT);
    band_pass(a, b.band, image, room);
    nset_gain_remove(&a->gain, b.band, room);
    k->to_grid(b.grid, b.band, n, (float)a->scale, LIMIT);
}

/* Pixels to the other factor of a term's products. */
static void neighbour(const nset_accumulator *a, const struct term *t, ptrdiff_t *dy, ptrdiff_t *dx)
{
    int far = t->dy && t->dx ? a->aslant : a->straight;

    *dy = t->dy * far;
    *dx = t->dx * far;
}

/* Row y of one term. */
static void add_row(nset_accumulator *a, enum nset_sum s, const int32_t *grid, size_t y)
{
    const nset_pixels *k = nset_pixels_now();
    const struct term *t = &terms[s];
    size_t w = a->width, at = y * w;
    ptrdiff_t dy, dx;

    neighbour(a, t, &dy, &dx);
    if (t->of == BAND) {
        k->sum_up(a->sum[s] + at, grid + at, w);
    } else if (t->of == PRODUCT && y + (size_t)dy < a->height) {
        size_t aside = (size_t)(dx < 0 ? -dx : dx), first = dx < 0 ? aside : 0;
        if (aside < w)
            k->sum_products(a->sum[s] + at + first, grid + at + first,
                grid + (size_t)((ptrdiff_t)(at + (size_t)dy * w + first) + dx), w - aside);
    }
}

void nset_accumulator_add_rows(nset_accumulator *a, nset_banded b, size_t first, size_t last)
{
    const nset_pixels *k = nset_pixels_now();

    for (size_t y = first, w = a->width; y < last; y++) {
        for (int s = 0; s < NSET_N_SUMS; s++)
            add_row(a, (enum nset_sum)s, b.grid, y);
        k->keep_larger(a->largest + y * w, b.grid + y * w, w);
        k->keep_larger(a->brightest + y * w, b.bright + y * w, w);
    }
}

nset_status nset_accumulator_add(nset_accumulator *a, const float *image, float *band, nset_error *err)
{
    size_t n = a->height * a->width;
    float *room = nset_calloc(nset_accumulator_room(a) + n, sizeof *room);
    int32_t *grid = nset_calloc(2 * n, sizeof *grid);
    nset_banded b = { band ? band : room + nset_accumulator_room(a), grid, grid ? grid + n : NULL };
    nset_status status = room && grid ? NSET_OK : nset_fail_oom(err, n, sizeof *room);

    if (status == NSET_OK) {
        nset_accumulator_band(a, b, image, room);
        nset_accumulator_add_rows(a, b, 0, a->height);
        a->n++;
    }
    nset_free(room);
    nset_free(grid);
    return status;
}

/* ---- maps ---- */

static double mean_band(const nset_accumulator *a, size_t i)
{
    return (double)a->sum[NSET_SUM_BAND][i] / (double)a->n;
}

static double variance(const nset_accumulator *a, size_t i)
{
    double m = mean_band(a, i);

    return (double)a->sum[NSET_SUM_SQUARE][i] / (double)a->n - m * m;
}

/* Adds one neighbour's correlation and covariance, each pair counted for both. */
static void add_pairs(const nset_accumulator *a, enum nset_sum s, float *correlation, float *covariance, float *count)
{
    size_t h = a->height, w = a->width;
    ptrdiff_t dy, dx;

    neighbour(a, &terms[s], &dy, &dx);
    for (size_t y = 0; y + (size_t)dy < h; y++)
        for (size_t x = dx < 0 ? (size_t)-dx : 0; x + (dx > 0 ? (size_t)dx : 0) < w; x++) {
            size_t i = y * w + x, j = (size_t)((ptrdiff_t)i + dy * (ptrdiff_t)w + dx);
            double c = (double)a->sum[s][i] / (double)a->n - mean_band(a, i) * mean_band(a, j);
            double v = variance(a, i) * variance(a, j);
            float rho = v > 0 ? (float)(c / sqrt(v)) : 0, counts = (float)(c / a->scale / a->scale);
            correlation[i] += rho;
            correlation[j] += rho;
            covariance[i] += counts;
            covariance[j] += counts;
            count[i]++;
            count[j]++;
        }
}

static void neighbour_maps(const nset_accumulator *a, float *correlation, float *covariance)
{
    size_t n = a->height * a->width;
    float *count = a->room;

    memset(count, 0, n * sizeof *count);
    for (int s = NSET_SUM_RIGHT; s < NSET_N_SUMS; s++)
        add_pairs(a, (enum nset_sum)s, correlation, covariance, count);
    for (size_t i = 0; i < n; i++) {
        float c = count[i] > 0 ? covariance[i] / count[i] : 0;
        correlation[i] = count[i] > 0 ? correlation[i] / count[i] : 0;
        covariance[i] = copysignf(sqrtf(fabsf(c)), c);
    }
}

void nset_light(float *light, const float *mean, size_t n)
{
    float least = 0;

    for (size_t i = 0; i < n; i++)
        least = fminf(least, mean[i]);
    for (size_t i = 0; i < n; i++)
        light[i] = mean[i] - least;
}

void nset_accumulator_maps(const nset_accumulator *a, float *maps)
{
    size_t n = a->height * a->width;
    float *mean = maps + NSET_MAP_MEAN * n, *sd = maps + NSET_MAP_DEVIATION * n, *peak = maps + NSET_MAP_PEAK * n,
          *covariance = maps + NSET_MAP_COVARIANCE * n, *line = a->room;

    memset(maps, 0, NSET_N_MAPS * n * sizeof *maps);
    mean_image(a, mean);
    if (a->n == 0)
        return;
    for (size_t i = 0; i < n; i++) {
        peak[i] = (float)(((double)a->largest[i] - mean_band(a, i)) / a->scale);
        sd[i] = (float)(sqrt(fmax(variance(a, i), 0)) / a->scale);
        maps[NSET_MAP_BRIGHTEST * n + i] = (float)((double)a->brightest[i] / a->scale);
    }
    neighbour_maps(a, maps + NSET_MAP_CORRELATION * n, covariance);
    nset_light(line, mean, n); /* photon noise grows with the root of the local mean */
    nset_blur(line, a->height, a->width, a->sigma_out, a->room + n);
    for (size_t i = 0; i < n; i++) {
        float over = line[i] > 0 ? 1 / sqrtf(line[i]) : 0;
        sd[i] *= over;
        peak[i] *= over;
        covariance[i] *= over;
    }
}
