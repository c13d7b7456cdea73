/* What is done to each pixel of each frame: plain loops, compiled once for each instruction set.
 *
 * Every row of the table gives the same bits: numbers are whole, or floats whose operations stand in one order.
 * Images are row-major, n_rows x n_columns.
 */
#ifndef NSET_IMAGING_PIXELS_H
#define NSET_IMAGING_PIXELS_H

#include <stddef.h>
#include <stdint.h>

enum { NSET_KERNEL_REACH = 6 };

typedef struct nset_pixels {
    /* to := mean of the 2 r + 1 rows around each row, mirrored at the edges; both images have rows stride apart. */
    void (*box)(float *to, const float *x, size_t n_rows, size_t n_columns, size_t stride, size_t r);
    /* to := rows weighted by their distance, weight[0 .. NSET_KERNEL_REACH]; mirrored, rows stride apart. */
    void (*weigh_rows)(float *to, const float *x, size_t n_rows, size_t n_columns, size_t stride, const float *weight);
    /* to (n_columns, n_rows) := x (n_rows, n_columns) */
    void (*transpose)(float *to, const float *x, size_t n_rows, size_t n_columns);
    void (*add)(float *sum, const float *x, size_t n);
    void (*scale)(float *x, float factor, size_t n);
    /* z := x times scale, rounded, within +-limit < 2^22; x that are no numbers give 0. */
    void (*to_grid)(int32_t *z, const float *x, size_t n, float scale, float limit);
    /* sum += x times scale, rounded; |x scale| < 2^50. */
    void (*sum_up_scaled)(int64_t *sum, const float *x, size_t n, double scale);
    /* sum += z, or z times its neighbour, or the larger one is kept. */
    void (*sum_up)(int64_t *sum, const int32_t *z, size_t n);
    void (*sum_products)(int64_t *sum, const int32_t *a, const int32_t *b, size_t n);
    void (*keep_larger)(int32_t *largest, const int32_t *z, size_t n);
    /* to := bilinear between the pixel of row a, the next, and those of row b below: fy, fx of the way. a, b (n + 1) */
    void (*blend)(float *to, const float *a, const float *b, const float *fy, const float *fx, size_t n);
    /* Of places y, x of a height x width image, brought inside: at := first of the four pixels around (row-major), fy
     * and fx := by how much of the way to the next ones. Sides of 2 or more, fewer than 2^31 pixels. */
    void (*places)(
        int32_t *at, float *fy, float *fx, const float *y, const float *x, size_t n, size_t height, size_t width);
    /* to := fill where y, x lie outside of the image. */
    void (*fill_outside)(
        float *to, const float *fill, const float *y, const float *x, size_t n, size_t height, size_t width);
} nset_pixels;

/* The row of the instruction set in use (neuroset/device.h). */
const nset_pixels *nset_pixels_now(void);

extern const nset_pixels nset_pixels_c, nset_pixels_avx2;

#endif
