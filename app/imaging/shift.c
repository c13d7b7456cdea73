#include "imaging/shift.h"

#include <math.h>
#include <string.h>

#include "imaging/pixels.h"

enum { STRIP = 256 };

/* First and last + 1 of n pixels that, read shift further on, lie inside. */
static void inside(size_t *first, size_t *last, size_t n, double shift)
{
    double from = ceil(-shift), to = floor((double)(n - 1) - shift) + 1;

    *first = from > 0 ? (from < (double)n ? (size_t)from : n) : 0;
    *last = to < (double)n ? (to > 0 ? (size_t)to : 0) : n;
    *last = *last < *first ? *first : *last;
}

/* The pixel at or before x and by how much of the next. */
static size_t whole(float *part, double x, size_t n)
{
    size_t i = (size_t)fmin(fmax(x, 0), (double)(n - 1));

    i = i + 2 > n ? n - 2 : i;
    *part = (float)(fmin(fmax(x, 0), (double)(n - 1)) - (double)i);
    return i;
}

/* Columns first .. last - 1 of a row between a and b, which are read from column at on. */
static void blend_row(float *to, const float *a, const float *b, size_t at, float fy, float fx, size_t n)
{
    float y[STRIP], x[STRIP];

    for (size_t i = 0; i < STRIP && i < n; i++) {
        y[i] = fy;
        x[i] = fx;
    }
    for (size_t i = 0; i < n; i += STRIP)
        nset_pixels_now()->blend(to + i, a + at + i, b + at + i, y, x, n - i < STRIP ? n - i : STRIP);
}

void nset_image_shift(
    float *to, const float *image, const float *fill, size_t height, size_t width, const double shift[2])
{
    size_t top, bottom, left, right;

    inside(&top, &bottom, height, shift[0]);
    inside(&left, &right, width, shift[1]);
    for (size_t y = 0; y < height; y++) {
        float fy, fx, *row = to + y * width;
        size_t i = whole(&fy, (double)y + shift[0], height), j = 0;
        const float *a = image + i * width, *b = a + width;
        if (fill && (y < top || y >= bottom)) {
            memcpy(row, fill + y * width, width * sizeof *row);
            continue;
        }
        if (left < right) {
            j = whole(&fx, (double)left + shift[1], width);
            if (j + (right - left) == width) { /* the last one lies on the last pixel: it has no next */
                float last;
                size_t k = whole(&last, (double)(right - 1) + shift[1], width);
                blend_row(row + right - 1, a, b, k, fy, last, 1);
            }
            blend_row(row + left, a, b, j, fy, fx, j + (right - left) == width ? right - left - 1 : right - left);
        }
        for (size_t x = 0; x < width; x++) {
            if (x == left && left < right)
                x = right;
            if (x >= width)
                break;
            j = whole(&fx, (double)x + shift[1], width);
            if (fill)
                row[x] = fill[y * width + x];
            else
                blend_row(row + x, a, b, j, fy, fx, 1);
        }
    }
}
