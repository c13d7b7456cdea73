#include "imaging/accumulate.h"

#include <math.h>
#include <string.h>

#include <neuroset/memory.h>

#include "imaging/blur.h"
#include "imaging/pixels.h"

enum { LIMIT = 1 << 21 }; /* of a grid value: squares and products of 2^20 images stay inside 62 bits */

/* What each sum adds up. */
static const struct term {
    enum { IMAGE, BAND, PRODUCT } of;
    int dy, dx; /* of the neighbour whose band is the other factor */
} terms[NSET_N_SUMS] = {
    [NSET_SUM_IMAGE] = { IMAGE, 0, 0 },
    [NSET_SUM_BAND] = { BAND, 0, 0 },
    [NSET_SUM_SQUARE] = { PRODUCT, 0, 0 },
    [NSET_SUM_RIGHT] = { PRODUCT, 0, 1 },
    [NSET_SUM_BELOW] = { PRODUCT, 1, 0 },
    [NSET_SUM_BELOW_RIGHT] = { PRODUCT, 1, 1 },
    [NSET_SUM_BELOW_LEFT] = { PRODUCT, 1, -1 },
};

nset_status nset_accumulator_init(
    nset_accumulator *a, size_t height, size_t width, double diameter_px, int fine, nset_error *err)
{
    size_t n = height * width;
    int ok = 1;

    *a = (nset_accumulator){ .height = height, .width = width, .scale = fine ? 1024 : 16 };
    a->sigma_in = .12 * diameter_px;
    a->sigma_out = .7 * diameter_px;
    for (int k = 0; k < NSET_N_SUMS; k++)
        ok &= (a->sum[k] = nset_calloc(n, sizeof *a->sum[k])) != NULL;
    a->largest = nset_calloc(n, sizeof *a->largest);
    a->room = nset_calloc(n, 3 * sizeof *a->room);
    a->grid = nset_calloc(n, sizeof *a->grid);
    if (ok && a->largest && a->room && a->grid) {
        for (size_t i = 0; i < n; i++)
            a->largest[i] = INT32_MIN;
        return NSET_OK;
    }
    nset_accumulator_fini(a);
    return nset_fail_oom(err, n, sizeof *a->sum[0]);
}

void nset_accumulator_fini(nset_accumulator *a)
{
    for (int k = 0; k < NSET_N_SUMS; k++)
        nset_free(a->sum[k]);
    nset_free(a->largest);
    nset_free(a->room);
    nset_free(a->grid);
    *a = (nset_accumulator){ 0 };
}

void nset_accumulator_band(const nset_accumulator *a, float *band, int32_t *grid, const float *image, float *room)
{
    const nset_pixels *k = nset_pixels_now();
    size_t h = a->height, w = a->width, n = h * w;

    memcpy(band, image, n * sizeof *band);
    memcpy(room, image, n * sizeof *room);
    nset_blur(band, h, w, a->sigma_in, room + n);
    nset_blur(room, h, w, a->sigma_out, room + n);
    for (size_t i = 0; i < n; i++)
        band[i] -= room[i];
    k->to_grid(grid, band, n, (float)a->scale, LIMIT);
}

/* Row y of one term. */
static void add_row(nset_accumulator *a, enum nset_sum s, const float *image, const int32_t *grid, size_t y)
{
    const nset_pixels *k = nset_pixels_now();
    const struct term *t = &terms[s];
    size_t w = a->width, at = y * w, n = w, first = 0;

    if (t->of == IMAGE) {
        k->sum_up_scaled(a->sum[s] + at, image + at, w, a->scale);
    } else if (t->of == BAND) {
        k->sum_up(a->sum[s] + at, grid + at, w);
    } else if (y + (size_t)t->dy < a->height) {
        first = t->dx < 0 ? (size_t)-t->dx : 0;
        n = w > (size_t)(t->dx < 0 ? -t->dx : t->dx) ? w - (size_t)(t->dx < 0 ? -t->dx : t->dx) : 0;
        k->sum_products(a->sum[s] + at + first, grid + at + first,
            grid + (size_t)((ptrdiff_t)(at + (size_t)t->dy * w + first) + t->dx), n);
    }
}

void nset_accumulator_add_rows(nset_accumulator *a, const float *image, const int32_t *grid, size_t first, size_t last)
{
    for (size_t y = first; y < last; y++) {
        for (int s = 0; s < NSET_N_SUMS; s++)
            add_row(a, (enum nset_sum)s, image, grid, y);
        nset_pixels_now()->keep_larger(a->largest + y * a->width, grid + y * a->width, a->width);
    }
}

void nset_accumulator_add(nset_accumulator *a, const float *image, float *band)
{
    size_t n = a->height * a->width;

    nset_accumulator_band(a, a->room, a->grid, image, a->room + n);
    if (band)
        memcpy(band, a->room, n * sizeof *band);
    nset_accumulator_add_rows(a, image, a->grid, 0, a->height);
    a->n++;
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

/* Mean correlation with the neighbours, each pair counted for both. */
static void correlation_map(const nset_accumulator *a, float *map)
{
    static const enum nset_sum pairs[] = { NSET_SUM_RIGHT, NSET_SUM_BELOW, NSET_SUM_BELOW_RIGHT, NSET_SUM_BELOW_LEFT };
    size_t h = a->height, w = a->width;
    float *count = a->room;

    memset(map, 0, h * w * sizeof *map);
    memset(count, 0, h * w * sizeof *count);
    for (size_t k = 0; k < sizeof pairs / sizeof *pairs; k++) {
        const struct term *t = &terms[pairs[k]];
        for (size_t y = 0; y + (size_t)t->dy < h; y++)
            for (size_t x = t->dx < 0 ? 1 : 0; x < (t->dx > 0 ? w - 1 : w); x++) {
                size_t i = y * w + x, j = (size_t)((ptrdiff_t)i + t->dy * (ptrdiff_t)w + t->dx);
                double c, v = variance(a, i) * variance(a, j);
                c = (double)a->sum[pairs[k]][i] / (double)a->n - mean_band(a, i) * mean_band(a, j);
                c = v > 0 ? c / sqrt(v) : 0;
                map[i] += (float)c;
                map[j] += (float)c;
                count[i]++;
                count[j]++;
            }
    }
    for (size_t i = 0; i < h * w; i++)
        map[i] = count[i] > 0 ? map[i] / count[i] : 0;
}

void nset_accumulator_maps(const nset_accumulator *a, float *maps)
{
    size_t n = a->height * a->width;
    float *mean = maps + NSET_MAP_MEAN * n, *sd = maps + NSET_MAP_DEVIATION * n, *peak = maps + NSET_MAP_PEAK * n;

    memset(maps, 0, NSET_N_MAPS * n * sizeof *maps);
    if (a->n == 0)
        return;
    for (size_t i = 0; i < n; i++) {
        double v = variance(a, i), m = (double)a->sum[NSET_SUM_IMAGE][i] / (double)a->n / a->scale;
        mean[i] = (float)m;
        peak[i] = v > 0 ? (float)(((double)a->largest[i] - mean_band(a, i)) / sqrt(v)) : 0;
        sd[i] = (float)(sqrt(fmax(v, 0)) / a->scale);
    }
    correlation_map(a, maps + NSET_MAP_CORRELATION * n);
    for (size_t i = 0; i < n; i++) /* photon noise grows with the root of the local mean */
        a->room[i] = mean[i] > 0 ? mean[i] : 0;
    nset_blur(a->room, a->height, a->width, a->sigma_out, a->room + n);
    for (size_t i = 0; i < n; i++)
        sd[i] = a->room[i] > 0 ? sd[i] / sqrtf(a->room[i]) : 0;
}
