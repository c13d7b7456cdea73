#include "imaging/accumulate.h"

#include <math.h>
#include <string.h>

#include <neuroset/memory.h>

#include "imaging/blur.h"
#include "signal/robust.h"

enum { LIMIT = 1 << 21 }; /* of a grid value: squares and products of 2^20 images stay inside 62 bits */

static const ptrdiff_t neighbour[NSET_NEIGHBOURS][2] = { { 0, 1 }, { 1, 0 }, { 1, 1 }, { 1, -1 } };

nset_status nset_accumulator_init(
    nset_accumulator *a, size_t height, size_t width, double diameter_px, int fine, nset_error *err)
{
    size_t n = height * width;
    int ok = 1;

    *a = (nset_accumulator){ .height = height, .width = width, .scale = fine ? 1024 : 16 };
    a->sigma_in = .12 * diameter_px;
    a->sigma_out = .7 * diameter_px;
    a->sum = nset_calloc(n, sizeof *a->sum);
    a->first = nset_calloc(n, sizeof *a->first);
    a->second = nset_calloc(n, sizeof *a->second);
    a->largest = nset_calloc(n, sizeof *a->largest);
    for (int k = 0; k < NSET_NEIGHBOURS; k++)
        ok &= (a->product[k] = nset_calloc(n, sizeof *a->product[k])) != NULL;
    for (int k = 0; k < 3; k++)
        ok &= (a->room[k] = nset_calloc(n, sizeof *a->room[k])) != NULL;
    if (ok && a->sum && a->first && a->second && a->largest)
        return NSET_OK;
    nset_accumulator_fini(a);
    return nset_fail_oom(err, n, sizeof *a->sum);
}

void nset_accumulator_fini(nset_accumulator *a)
{
    nset_free(a->sum);
    nset_free(a->first);
    nset_free(a->second);
    nset_free(a->largest);
    for (int k = 0; k < NSET_NEIGHBOURS; k++)
        nset_free(a->product[k]);
    for (int k = 0; k < 3; k++)
        nset_free(a->room[k]);
    *a = (nset_accumulator){ 0 };
}

static int64_t on_grid(double x)
{
    return x > LIMIT ? LIMIT : x < -LIMIT ? -LIMIT : llrint(x);
}

void nset_accumulator_add(nset_accumulator *a, const float *image, float *band)
{
    size_t h = a->height, w = a->width, n = h * w;
    float *in = a->room[0], *out = a->room[1];
    int64_t z[2] = { 0 };

    memcpy(in, image, n * sizeof *in);
    memcpy(out, image, n * sizeof *out);
    nset_blur(in, h, w, a->sigma_in, a->room[2]);
    nset_blur(out, h, w, a->sigma_out, a->room[2]);
    for (size_t i = 0; i < n; i++) {
        a->sum[i] += llrint((double)image[i] * a->scale);
        in[i] = in[i] - out[i];
    }
    if (band)
        memcpy(band, in, n * sizeof *band);
    for (size_t i = 0; i < n; i++) /* from here on whole numbers, small enough to be exact floats or doubles */
        out[i] = (float)on_grid((double)in[i] * a->scale);
    for (size_t i = 0; i < n; i++) {
        z[0] = (int64_t)out[i];
        a->first[i] += z[0];
        a->second[i] += z[0] * z[0];
        if (a->n == 0 || z[0] > a->largest[i])
            a->largest[i] = (int32_t)z[0];
    }
    for (int k = 0; k < NSET_NEIGHBOURS; k++) {
        ptrdiff_t dy = neighbour[k][0], dx = neighbour[k][1];
        for (size_t y = 0; y + (size_t)dy < h; y++) {
            size_t from = dx < 0 ? 1 : 0, to = dx > 0 ? w - 1 : w;
            const float *p = out + y * w, *q = out + (y + (size_t)dy) * w;
            int64_t *sum = a->product[k] + y * w;
            for (size_t x = from; x < to; x++)
                sum[x] += (int64_t)p[x] * (int64_t)q[(size_t)((ptrdiff_t)x + dx)];
        }
    }
    a->n++;
}

static double variance(const nset_accumulator *a, size_t i)
{
    double m = (double)a->first[i] / (double)a->n;

    return (double)a->second[i] / (double)a->n - m * m;
}

static void correlation_map(const nset_accumulator *a, float *map)
{
    size_t h = a->height, w = a->width;
    float *count = a->room[2];

    memset(map, 0, h * w * sizeof *map);
    memset(count, 0, h * w * sizeof *count);
    for (int k = 0; k < NSET_NEIGHBOURS; k++)
        for (size_t y = 0; y + (size_t)neighbour[k][0] < h; y++)
            for (size_t x = neighbour[k][1] < 0 ? 1 : 0; x < (neighbour[k][1] > 0 ? w - 1 : w); x++) {
                size_t i = y * w + x;
                size_t j = (size_t)((ptrdiff_t)i + neighbour[k][0] * (ptrdiff_t)w + neighbour[k][1]);
                double n = (double)a->n, c, v = variance(a, i) * variance(a, j);
                c = (double)a->product[k][i] / n - (double)a->first[i] / n * ((double)a->first[j] / n);
                c = v > 0 ? c / sqrt(v) : 0;
                map[i] += (float)c;
                map[j] += (float)c;
                count[i]++;
                count[j]++;
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
        double v = variance(a, i), m = (double)a->sum[i] / (double)a->n / a->scale;
        mean[i] = (float)m;
        peak[i] = v > 0 ? (float)(((double)a->largest[i] - (double)a->first[i] / (double)a->n) / sqrt(v)) : 0;
        sd[i] = (float)(sqrt(fmax(v, 0)) / a->scale);
    }
    correlation_map(a, maps + NSET_MAP_CORRELATION * n);
    for (size_t i = 0; i < n; i++) /* photon noise grows with the root of the local mean */
        a->room[0][i] = mean[i] > 0 ? mean[i] : 0;
    nset_blur(a->room[0], a->height, a->width, a->sigma_out, a->room[2]);
    for (size_t i = 0; i < n; i++)
        sd[i] = a->room[0][i] > 0 ? sd[i] / sqrtf(a->room[0][i]) : 0;
}
