/* The table of vector kernels: one row an instruction set, the plain C row always there.
 *
 * The promise is the same bits from every row: each output element is computed by the same sequence of correctly
 * rounded operations, whatever the vector width. Products are fma chains over k ascending, one accumulator an
 * element; so the bits of a row of a product do not depend on the other rows, on tiles or on threads either.
 */
#ifndef NSET_MATH_KERNELS_H
#define NSET_MATH_KERNELS_H

#include <stddef.h>
#include <stdint.h>
#include <neuroset/real.h>

enum { NSET_PANEL = 16 };      /* columns of a packed panel */
enum { NSET_TN_ROWS = 256 };   /* most rows of one call of gemm_tn */
enum { NSET_POOL_BLOCK = 64 }; /* most channels of one call of the pooling kernels */

/* Elementwise functions, in the order of nset_activation. */
enum { NSET_MAP_RELU, NSET_MAP_ELU, NSET_MAP_GELU, NSET_MAP_TANH, NSET_MAP_SIGMOID, NSET_N_MAPS };

/* Rows that may overlap: row i is n_seg pieces of k_seg numbers, piece s at data + i * row + s * seg. A plain
 * matrix has n_seg 1. A k x k convolution of an image with a border has n_seg = k, seg = one line of the image. */
typedef struct nset_rows {
    const nset_real *data;
    size_t row, seg;
    size_t n_seg, k_seg;
} nset_rows;

typedef struct nset_kernels {
    const char *name;

    /* c (m, n), line distance ldc := bias + a b, or c + a b if bias is NULL; b (k, n) packed, k = n_seg k_seg. */
    void (*gemm)(nset_real *c, size_t ldc, size_t m, const nset_rows *a, const nset_real *packed, size_t n,
        const nset_real *bias);

    /* c (k, n), line distance ldc += a^T g over m rows: row i of a at a.data + (i / m_seg) seg + (i % m_seg) row,
     * k numbers of it are used (a.k_seg); row i of g at g + i * ldg. m = n_seg m_seg <= NSET_TN_ROWS. */
    void (*gemm_tn)(
        nset_real *c, size_t ldc, const nset_rows *a, size_t m_seg, const nset_real *g, size_t ldg, size_t n);

    /* sum (n) += g over m rows, in order. */
    void (*add_rows)(nset_real *sum, const nset_real *g, size_t ldg, size_t m, size_t n);

    /* y (n) := f(x); y may be x. */
    void (*map[NSET_N_MAPS])(nset_real *y, const nset_real *x, size_t n);
    /* dx (n) += f'(x) dy. */
    void (*map_back[NSET_N_MAPS])(nset_real *dx, const nset_real *x, const nset_real *y, const nset_real *dy, size_t n);

    void (*exp)(nset_real *y, const nset_real *x, size_t n);
    void (*log)(nset_real *y, const nset_real *x, size_t n); /* of positive normal numbers */

    /* y (m, d) := (x - mean) rstd scale + shift a row; stat (m, 2) := mean, rstd, or NULL. */
    void (*norm)(nset_real *y, nset_real *stat, const nset_real *x, const nset_real *scale, const nset_real *shift,
        size_t m, size_t d);
    /* dx += gradient; dscale, dshift (d) += gradient. dx may be NULL. */
    void (*norm_back)(nset_real *dx, nset_real *dscale, nset_real *dshift, const nset_real *x, const nset_real *stat,
        const nset_real *dy, const nset_real *scale, size_t m, size_t d);

    /* Pooling over n rows of d <= NSET_POOL_BLOCK floats, row i at x + i * stride.
     * range: largest bits of |x|, and smallest nonzero bits of |x| less one (UINT32_MAX: all are zero). */
    void (*range)(uint32_t *high, uint32_t *low, const float *x, size_t n, size_t d, size_t stride);
    void (*sum)(double *sum, const float *x, size_t n, size_t d, size_t stride);
    /* The same of terms rounded to the grid of scale (d): (x + scale) - scale. */
    void (*sum_grid)(double *sum, const double *scale, const float *x, size_t n, size_t d, size_t stride);
    /* out (d) := largest; NaN if there is one; +0 for any zero. out of sign * x, sign 1 or -1. n > 0. */
    void (*largest)(nset_real *out, nset_real sign, const nset_real *x, size_t n, size_t d, size_t stride);
} nset_kernels;

extern const nset_kernels nset_kernels_c;
#ifndef NSET_DOUBLE
extern const nset_kernels nset_kernels_avx2, nset_kernels_avx512;
#endif

/* The row in use. */
const nset_kernels *nset_kernels_now(void);
/* The row of that name, or NULL if there is none or this CPU lacks it. */
const nset_kernels *nset_kernels_named(const char *name);

/* Numbers of packed(k, n). */
size_t nset_packed_size(size_t k, size_t n);
/* b (k, n) with element (i, j) at b[i * row + j * column], cut into panels of NSET_PANEL columns, the last padded by 0.
 */
void nset_pack(nset_real *packed, const nset_real *b, size_t k, size_t n, size_t row, size_t column);

#endif
