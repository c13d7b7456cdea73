#include "imaging/blur.h"

#include <math.h>
#include <string.h>

static size_t mirror(ptrdiff_t i, size_t n)
{
    while (i < 0 || i >= (ptrdiff_t)n)
        i = i < 0 ? -i - 1 : 2 * (ptrdiff_t)n - 1 - i;
    return (size_t)i;
}

/* Mean of 2 r + 1 neighbours along rows of n numbers, stride apart; count lines next to each other are done together.
 */
static void box(float *out, const float *x, size_t n, size_t stride, size_t count, size_t r)
{
    enum { AT_ONCE = 64 };
    double sum[AT_ONCE], scale = 1 / (double)(2 * r + 1);

    for (size_t first = 0; first < count; first += AT_ONCE) {
        size_t m = count - first < AT_ONCE ? count - first : AT_ONCE;
        memset(sum, 0, sizeof sum);
        for (ptrdiff_t i = -(ptrdiff_t)r; i <= (ptrdiff_t)r; i++)
            for (size_t k = 0; k < m; k++)
                sum[k] += (double)x[mirror(i, n) * stride + first + k];
        for (size_t i = 0; i < n; i++) {
            const float *in = x + mirror((ptrdiff_t)(i + r + 1), n) * stride + first;
            const float *gone = x + mirror((ptrdiff_t)i - (ptrdiff_t)r, n) * stride + first;
            float *to = out + i * stride + first;
            for (size_t k = 0; k < m; k++) {
                to[k] = (float)(sum[k] * scale);
                sum[k] += (double)in[k] - (double)gone[k];
            }
        }
    }
}

static void box_2d(float *x, size_t height, size_t width, size_t r, float *room)
{
    box(room, x, height, width, width, r);
    for (size_t y = 0; y < height; y++) { /* along a row: a running sum */
        const float *in = room + y * width;
        double sum = 0;
        for (ptrdiff_t i = -(ptrdiff_t)r; i <= (ptrdiff_t)r; i++)
            sum += (double)in[mirror(i, width)];
        for (size_t i = 0; i < width; i++) {
            x[y * width + i] = (float)(sum / (double)(2 * r + 1));
            sum += (double)in[mirror((ptrdiff_t)(i + r + 1), width)] -
                   (double)in[mirror((ptrdiff_t)i - (ptrdiff_t)r, width)];
        }
    }
}

static void kernel_2d(float *x, size_t height, size_t width, double sigma, float *room)
{
    enum { REACH = 6 };
    float w[REACH + 1];
    double sum = 0;

    for (int i = 0; i <= REACH; i++) {
        w[i] = (float)exp(-.5 * i * i / (sigma * sigma));
        sum += i ? 2 * (double)w[i] : (double)w[i];
    }
    for (int i = 0; i <= REACH; i++)
        w[i] = (float)((double)w[i] / sum);
    for (size_t y = 0; y < height; y++)
        for (size_t k = 0; k < width; k++) {
            float s = w[0] * x[y * width + k];
            for (int i = 1; i <= REACH; i++)
                s += w[i] * (x[mirror((ptrdiff_t)y - i, height) * width + k] +
                                x[mirror((ptrdiff_t)y + i, height) * width + k]);
            room[y * width + k] = s;
        }
    for (size_t y = 0; y < height; y++) {
        const float *in = room + y * width;
        for (size_t k = 0; k < width; k++) {
            float s = w[0] * in[k];
            for (int i = 1; i <= REACH; i++)
                s += k >= REACH && k + REACH < width
                         ? w[i] * (in[k - (size_t)i] + in[k + (size_t)i])
                         : w[i] * (in[mirror((ptrdiff_t)k - i, width)] + in[mirror((ptrdiff_t)k + i, width)]);
            x[y * width + k] = s;
        }
    }
}

void nset_blur(float *x, size_t height, size_t width, double sigma, float *room)
{
    if (sigma <= 0)
        return;
    if (sigma < 2) {
        kernel_2d(x, height, width, sigma, room);
        return;
    }
    for (int pass = 0; pass < 3; pass++) /* three boxes of variance sigma^2 / 3 each */
        box_2d(x, height, width, (size_t)lround(.5 * (sqrt(4 * sigma * sigma + 1) - 1)), room);
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
