/* The loops of imaging/pixels.h. Included by one file an instruction set, which names the table. */
#include "imaging/pixels.h"

#include <string.h>

static size_t mirror(ptrdiff_t i, size_t n)
{
    while (i < 0 || i >= (ptrdiff_t)n)
        i = i < 0 ? -i - 1 : 2 * (ptrdiff_t)n - 1 - i;
    return (size_t)i;
}

/* A running sum of rows, kept for a strip of columns that stays in the cache. */
static void box(float *to, const float *x, size_t n_rows, size_t n_columns, size_t stride, size_t r)
{
    enum { STRIP = 64 };
    float scale = 1 / (float)(2 * r + 1);

    for (size_t first = 0; first < n_columns; first += STRIP) {
        size_t m = n_columns - first < STRIP ? n_columns - first : STRIP;
        float sum[STRIP] = { 0 };
        for (ptrdiff_t i = -(ptrdiff_t)r; i <= (ptrdiff_t)r; i++) {
            const float *in = x + mirror(i, n_rows) * stride + first;
            for (size_t k = 0; k < m; k++)
                sum[k] += in[k];
        }
        for (size_t i = 0; i < n_rows; i++) {
            const float *in = x + mirror((ptrdiff_t)(i + r + 1), n_rows) * stride + first;
            const float *gone = x + mirror((ptrdiff_t)i - (ptrdiff_t)r, n_rows) * stride + first;
            float *out = to + i * stride + first;
            for (size_t k = 0; k < m; k++) {
                out[k] = sum[k] * scale;
                sum[k] += in[k] - gone[k];
            }
        }
    }
}

static void weigh_rows(
    float *restrict to, const float *restrict x, size_t n_rows, size_t n_columns, size_t stride, const float *w)
{
    enum { R = NSET_KERNEL_REACH };

    for (size_t y = 0; y < n_rows; y++) {
        const float *row[2 * R + 1];
        float *out = to + y * stride;
        for (int i = -R; i <= R; i++)
            row[i + R] = x + mirror((ptrdiff_t)y + i, n_rows) * stride;
        for (size_t k = 0; k < n_columns; k++) {
            float s = w[0] * row[R][k];
            for (int i = 1; i <= R; i++)
                s += w[i] * (row[R - i][k] + row[R + i][k]);
            out[k] = s;
        }
    }
}

static void transpose(float *restrict to, const float *restrict x, size_t n_rows, size_t n_columns)
{
    enum { TILE = 16 };

    for (size_t y = 0; y < n_rows; y += TILE)
        for (size_t c = 0; c < n_columns; c += TILE) {
            size_t h = n_rows - y < TILE ? n_rows - y : TILE, w = n_columns - c < TILE ? n_columns - c : TILE;
            for (size_t j = 0; j < w; j++)
                for (size_t i = 0; i < h; i++)
                    to[(c + j) * n_rows + y + i] = x[(y + i) * n_columns + c + j];
        }
}

static void add(float *restrict sum, const float *restrict x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        sum[i] += x[i];
}

static void scale(float *x, float factor, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] *= factor;
}

/* Adding and taking off 1.5 * 2^23 rounds to whole numbers. */
static void to_grid(int32_t *restrict z, const float *restrict x, size_t n, float factor, float limit)
{
    const float magic = 12582912;

    for (size_t i = 0; i < n; i++) {
        float v = x[i] * factor;
        v = v > limit ? limit : v;
        v = v > -limit ? v : v <= -limit ? -limit : 0; /* the last: not a number */
        z[i] = (int32_t)(v + magic - magic);
    }
}

/* The same with 1.5 * 2^52; the sum's lowest bits are then the whole number. */
static void sum_up_scaled(int64_t *restrict sum, const float *restrict x, size_t n, double factor)
{
    const double magic = 6755399441055744;
    int64_t zero;

    memcpy(&zero, &magic, sizeof zero);
    for (size_t i = 0; i < n; i++) {
        double v = (double)x[i] * factor + magic;
        int64_t bits;
        memcpy(&bits, &v, sizeof bits);
        sum[i] += bits - zero;
    }
}

static void sum_up(int64_t *restrict sum, const int32_t *restrict z, size_t n)
{
    for (size_t i = 0; i < n; i++)
        sum[i] += z[i];
}

static void sum_products(int64_t *restrict sum, const int32_t *a, const int32_t *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        sum[i] += (int64_t)a[i] * (int64_t)b[i];
}

static void keep_larger(int32_t *restrict largest, const int32_t *restrict z, size_t n)
{
    for (size_t i = 0; i < n; i++)
        largest[i] = z[i] > largest[i] ? z[i] : largest[i];
}

static void blend(float *restrict to, const float *a, const float *b, const float *fy, const float *fx, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        float top = a[i] + (a[i + 1] - a[i]) * fx[i], bottom = b[i] + (b[i + 1] - b[i]) * fx[i];
        to[i] = top + (bottom - top) * fy[i];
    }
}

static void places(int32_t *restrict at, float *restrict fy, float *restrict fx, const float *restrict y,
    const float *restrict x, size_t n, size_t height, size_t width)
{
    float bottom = (float)(height - 1), right = (float)(width - 1);
    int32_t h = (int32_t)height, w = (int32_t)width;

    for (size_t i = 0; i < n; i++) {
        float a = y[i] > 0 ? y[i] : 0, b = x[i] > 0 ? x[i] : 0;
        int32_t p, q;
        a = a < bottom ? a : bottom;
        b = b < right ? b : right;
        p = (int32_t)a;
        q = (int32_t)b;
        p = p < h - 2 ? p : h - 2;
        q = q < w - 2 ? q : w - 2;
        at[i] = p * w + q;
        fy[i] = a - (float)p;
        fx[i] = b - (float)q;
    }
}

static void fill_outside(float *restrict to, const float *restrict fill, const float *restrict y,
    const float *restrict x, size_t n, size_t height, size_t width)
{
    float bottom = (float)(height - 1), right = (float)(width - 1);

    for (size_t i = 0; i < n; i++)
        to[i] = y[i] >= 0 && x[i] >= 0 && y[i] <= bottom && x[i] <= right ? to[i] : fill[i];
}

const nset_pixels PIXELS_TABLE = { box, weigh_rows, transpose, add, scale, to_grid, sum_up_scaled, sum_up, sum_products,
    keep_larger, blend, places, fill_outside };
