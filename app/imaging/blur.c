#include "imaging/blur.h"

#include <math.h>

#include "imaging/pixels.h"

enum { STRIP = 64 }; /* columns whose three passes stay in the cache */

/* room := x, each column smoothed by three boxes; x is lost. */
static void boxes(const nset_pixels *k, float *room, float *x, size_t height, size_t width, size_t r)
{
    for (size_t c = 0; c < width; c += STRIP) {
        size_t m = width - c < STRIP ? width - c : STRIP;
        k->box(room + c, x + c, height, m, width, r);
        k->box(x + c, room + c, height, m, width, r);
        k->box(room + c, x + c, height, m, width, r);
    }
}

static void make_kernel(float *w, double sigma)
{
    double sum = 0;

    for (int i = 0; i <= NSET_KERNEL_REACH; i++) {
        w[i] = (float)exp(-.5 * i * i / (sigma * sigma));
        sum += i ? 2 * (double)w[i] : (double)w[i];
    }
    for (int i = 0; i <= NSET_KERNEL_REACH; i++)
        w[i] = (float)((double)w[i] / sum);
}

/* Columns, then, the image turned, rows. */
void nset_blur(float *x, size_t height, size_t width, double sigma, float *room)
{
    const nset_pixels *k = nset_pixels_now();
    size_t r = (size_t)lround(.5 * (sqrt(4 * sigma * sigma + 1) - 1)); /* three boxes of variance sigma^2 / 3 each */
    float w[NSET_KERNEL_REACH + 1];

    if (sigma <= 0)
        return;
    make_kernel(w, sigma);
    for (int turn = 0; turn < 2; turn++) {
        size_t n_rows = turn ? width : height, n_columns = turn ? height : width;
        if (sigma < 2)
            k->weigh_rows(room, x, n_rows, n_columns, n_columns, w);
        else
            boxes(k, room, x, n_rows, n_columns, r);
        k->transpose(x, room, n_rows, n_columns);
    }
}

void nset_resize(float *out, size_t h2, size_t w2, const float *x, size_t height, size_t width)
{
    for (size_t i = 0; i < h2; i++) {
        double y = ((double)i + .5) * (double)height / (double)h2 - .5;
        y = y < 0 ? 0 : y > (double)(height - 1) ? (double)(height - 1) : y;
        size_t y0 = (size_t)y, y1 = y0 + 1 < height ? y0 + 1 : y0;
        float fy = (float)(y - (double)y0);
        for (size_t j = 0; j < w2; j++) {
            double c = ((double)j + .5) * (double)width / (double)w2 - .5;
            c = c < 0 ? 0 : c > (double)(width - 1) ? (double)(width - 1) : c;
            size_t c0 = (size_t)c, c1 = c0 + 1 < width ? c0 + 1 : c0;
            float fc = (float)(c - (double)c0);
            float top = x[y0 * width + c0] * (1 - fc) + x[y0 * width + c1] * fc;
            float bottom = x[y1 * width + c0] * (1 - fc) + x[y1 * width + c1] * fc;
            out[i * w2 + j] = top * (1 - fy) + bottom * fy;
        }
    }
}
