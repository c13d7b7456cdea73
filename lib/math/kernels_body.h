/* The body of every row of the kernel table. The file that includes it defines
 *
 *   KERNELS_NAME, KERNELS_TABLE   text and variable of the row
 *   W, TILE_ROWS                  numbers of a vector; lines of a register tile of NSET_PANEL columns
 *   vec, LOAD, STORE, SET1, FMA   the vector type and what plain operators cannot say
 *   SUM16(v)                      of 16 lanes: lane k + lane k + 8, then + 4, + 2, + 1
 *
 * Products are written with vectors; the rest are plain loops over functions of elementary.h that the compiler
 * vectorises. Nothing here may depend on W but the speed. */

#include <string.h>

#include "elementary.h"
#include "kernels.h"

enum { VECS = NSET_PANEL / W };

#define INLINE static inline __attribute__((always_inline))

/* ---- products ---- */

/* c (lines, 16) := init + a b, init a line each init_step numbers (0: the same line for all). */
INLINE void tile(const int lines, nset_real *c, size_t ldc, const nset_real *init, size_t init_step, const nset_rows *a,
    const nset_real *from, const nset_real *b)
{
    vec sum[TILE_ROWS][VECS];

#pragma GCC unroll 16
    for (int r = 0; r < lines; r++)
#pragma GCC unroll 16
        for (int v = 0; v < VECS; v++)
            sum[r][v] = LOAD(init + (size_t)r * init_step + v * W);
    for (size_t s = 0; s < a->n_seg; s++) {
        const nset_real *p = from + s * a->seg;
        for (size_t k = 0; k < a->k_seg; k++, p++, b += NSET_PANEL) {
#pragma GCC unroll 16
            for (int r = 0; r < lines; r++) {
                vec left = SET1(p[(size_t)r * a->row]);
#pragma GCC unroll 16
                for (int v = 0; v < VECS; v++)
                    sum[r][v] = FMA(left, LOAD(b + v * W), sum[r][v]);
            }
        }
    }
#pragma GCC unroll 16
    for (int r = 0; r < lines; r++)
#pragma GCC unroll 16
        for (int v = 0; v < VECS; v++)
            STORE(c + (size_t)r * ldc + v * W, sum[r][v]);
}

static void tile_full(nset_real *c, size_t ldc, const nset_real *init, size_t init_step, const nset_rows *a,
    const nset_real *from, const nset_real *b)
{
    tile(TILE_ROWS, c, ldc, init, init_step, a, from, b);
}

/* The last lines: 4, 2 and 1 at a time, so that a lone row costs a sixth of a tile. */
static void tile_rest(size_t lines, nset_real *c, size_t ldc, const nset_real *init, size_t init_step,
    const nset_rows *a, const nset_real *from, const nset_real *b)
{
    for (; lines >= 4; lines -= 4, c += 4 * ldc, init += 4 * init_step, from += 4 * a->row)
        tile(4, c, ldc, init, init_step, a, from, b);
    for (; lines >= 2; lines -= 2, c += 2 * ldc, init += 2 * init_step, from += 2 * a->row)
        tile(2, c, ldc, init, init_step, a, from, b);
    if (lines)
        tile(1, c, ldc, init, init_step, a, from, b);
}

/* One panel of at most 16 columns. */
static void panel(
    nset_real *c, size_t ldc, size_t m, const nset_rows *a, const nset_real *b, size_t width, const nset_real *bias)
{
    nset_real edge[TILE_ROWS * NSET_PANEL] = { 0 }, line[NSET_PANEL] = { 0 };

    if (bias)
        memcpy(line, bias, width * sizeof *bias);
    for (size_t i = 0; i < m; i += TILE_ROWS) {
        size_t lines = m - i < TILE_ROWS ? m - i : TILE_ROWS;
        const nset_real *from = a->data + i * a->row, *init = bias ? line : c + i * ldc;
        nset_real *to = c + i * ldc;
        size_t to_step = ldc, init_step = bias ? 0 : ldc;
        if (width < NSET_PANEL) { /* through a buffer of whole lines */
            for (size_t r = 0; r < lines && !bias; r++)
                memcpy(edge + r * NSET_PANEL, to + r * ldc, width * sizeof *to);
            init = bias ? line : edge;
            init_step = bias ? 0 : NSET_PANEL;
            to = edge;
            to_step = NSET_PANEL;
        }
        if (lines == TILE_ROWS)
            tile_full(to, to_step, init, init_step, a, from, b);
        else
            tile_rest(lines, to, to_step, init, init_step, a, from, b);
        for (size_t r = 0; r < lines && width < NSET_PANEL; r++)
            memcpy(c + (i + r) * ldc, edge + r * NSET_PANEL, width * sizeof *c);
    }
}

static void gemm(
    nset_real *c, size_t ldc, size_t m, const nset_rows *a, const nset_real *packed, size_t n, const nset_real *bias)
{
    size_t k = a->n_seg * a->k_seg;

    for (size_t j = 0; j < n; j += NSET_PANEL) {
        size_t width = n - j < NSET_PANEL ? n - j : NSET_PANEL;
        panel(c + j, ldc, m, a, packed + j * k, width, bias ? bias + j : NULL);
    }
}

/* c (lines, 16) += a^T g, lines columns of a from column first on. */
INLINE void tile_tn(const int lines, nset_real *c, size_t ldc, const nset_rows *a, size_t m_seg, size_t first,
    const nset_real *g, size_t ldg)
{
    vec sum[TILE_ROWS][VECS];

#pragma GCC unroll 16
    for (int r = 0; r < lines; r++)
#pragma GCC unroll 16
        for (int v = 0; v < VECS; v++)
            sum[r][v] = LOAD(c + (size_t)r * ldc + v * W);
    for (size_t s = 0; s < a->n_seg; s++) {
        const nset_real *p = a->data + s * a->seg + first;
        for (size_t i = 0; i < m_seg; i++, p += a->row, g += ldg) {
#pragma GCC unroll 16
            for (int r = 0; r < lines; r++) {
                vec left = SET1(p[r]);
#pragma GCC unroll 16
                for (int v = 0; v < VECS; v++)
                    sum[r][v] = FMA(left, LOAD(g + v * W), sum[r][v]);
            }
        }
    }
#pragma GCC unroll 16
    for (int r = 0; r < lines; r++)
#pragma GCC unroll 16
        for (int v = 0; v < VECS; v++)
            STORE(c + (size_t)r * ldc + v * W, sum[r][v]);
}

static void panel_tn(nset_real *c, size_t ldc, const nset_rows *a, size_t m_seg, const nset_real *g, size_t ldg)
{
    size_t i = 0, k = a->k_seg;

    for (; i + TILE_ROWS <= k; i += TILE_ROWS)
        tile_tn(TILE_ROWS, c + i * ldc, ldc, a, m_seg, i, g, ldg);
    for (; i + 4 <= k; i += 4)
        tile_tn(4, c + i * ldc, ldc, a, m_seg, i, g, ldg);
    for (; i < k; i++)
        tile_tn(1, c + i * ldc, ldc, a, m_seg, i, g, ldg);
}

/* The last columns, fewer than 16: g and c through buffers of whole lines. */
static void edge_tn(
    nset_real *c, size_t ldc, const nset_rows *a, size_t m_seg, const nset_real *g, size_t ldg, size_t width)
{
    nset_real wide[NSET_TN_ROWS * NSET_PANEL], sum[TILE_ROWS * NSET_PANEL];
    size_t m = a->n_seg * m_seg;

    memset(wide, 0, m * NSET_PANEL * sizeof *wide);
    for (size_t i = 0; i < m; i++)
        memcpy(wide + i * NSET_PANEL, g + i * ldg, width * sizeof *g);
    memset(sum, 0, sizeof sum);
    for (size_t i = 0; i < a->k_seg; i += TILE_ROWS) {
        nset_rows part = *a;
        part.data += i;
        part.k_seg = a->k_seg - i < TILE_ROWS ? a->k_seg - i : TILE_ROWS;
        for (size_t r = 0; r < part.k_seg; r++)
            memcpy(sum + r * NSET_PANEL, c + (i + r) * ldc, width * sizeof *c);
        panel_tn(sum, NSET_PANEL, &part, m_seg, wide, NSET_PANEL);
        for (size_t r = 0; r < part.k_seg; r++)
            memcpy(c + (i + r) * ldc, sum + r * NSET_PANEL, width * sizeof *c);
    }
}

static void gemm_tn(
    nset_real *c, size_t ldc, const nset_rows *a, size_t m_seg, const nset_real *g, size_t ldg, size_t n)
{
    size_t j = 0;

    for (; j + NSET_PANEL <= n; j += NSET_PANEL)
        panel_tn(c + j, ldc, a, m_seg, g + j, ldg);
    if (j < n)
        edge_tn(c + j, ldc, a, m_seg, g + j, ldg, n - j);
}

static void add_rows(nset_real *sum, const nset_real *g, size_t ldg, size_t m, size_t n)
{
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++)
            sum[j] += g[i * ldg + j];
}

/* ---- elementwise ---- */

INLINE nset_real relu(nset_real x)
{
    return x < 0 ? 0 : x;
}

INLINE nset_real relu_slope(nset_real x, nset_real y)
{
    (void)y;
    return x > 0 ? 1 : 0;
}

INLINE nset_real elu(nset_real x)
{
    nset_real e = real_expm1(x > 0 ? 0 : x);
    return x > 0 ? x : e;
}

INLINE nset_real elu_slope(nset_real x, nset_real y)
{
    return x > 0 ? 1 : y + 1;
}

INLINE nset_real gelu(nset_real x)
{
    nset_real density;

    return x * real_phi(x, &density);
}

INLINE nset_real gelu_slope(nset_real x, nset_real y)
{
    nset_real density, below = real_phi(x, &density);

    (void)y;
    return below + x * density;
}

INLINE nset_real tanh_slope(nset_real x, nset_real y)
{
    (void)x;
    return 1 - y * y;
}

INLINE nset_real sigmoid_slope(nset_real x, nset_real y)
{
    (void)x;
    return y * (1 - y);
}

#define MAP(name, function)                                                                                            \
    static void map_##name(nset_real *y, const nset_real *x, size_t n)                                                 \
    {                                                                                                                  \
        for (size_t i = 0; i < n; i++)                                                                                 \
            y[i] = function(x[i]);                                                                                     \
    }
#define MAP_BACK(name)                                                                                                 \
    static void back_##name(nset_real *restrict dx, const nset_real *restrict x, const nset_real *restrict y,          \
        const nset_real *restrict dy, size_t n)                                                                        \
    {                                                                                                                  \
        for (size_t i = 0; i < n; i++)                                                                                 \
            dx[i] += name##_slope(x[i], y[i]) * dy[i];                                                                 \
    }

MAP(relu, relu)
MAP(elu, elu)
MAP(gelu, gelu)
MAP(tanh, real_tanh)
MAP(sigmoid, real_sigmoid)
MAP(exp, real_exp)
MAP(log, real_log)
MAP_BACK(relu)
MAP_BACK(elu)
MAP_BACK(gelu)
MAP_BACK(tanh)
MAP_BACK(sigmoid)

/* ---- layer norm: sums run in 16 lanes and one fixed tree, whatever W is ---- */

enum { NORM_ROWS = 32 }; /* rows a pass, so that roots and quotients are taken by vectors */

typedef struct block {
    vec v[VECS];
} block;

/* 16 numbers of x, the last of a row filled up by fill. */
INLINE block load_block(const nset_real *x, size_t left, nset_real fill)
{
    nset_real some[NSET_PANEL];
    block b;

    if (left < NSET_PANEL) {
        for (size_t k = 0; k < NSET_PANEL; k++)
            some[k] = k < left ? x[k] : fill;
        x = some;
    }
    for (int v = 0; v < VECS; v++)
        b.v[v] = LOAD(x + v * W);
    return b;
}

INLINE nset_real row_sum(const nset_real *x, size_t d)
{
    block sum = { 0 };

    for (size_t j = 0; j < d; j += NSET_PANEL) {
        block b = load_block(x + j, d - j, 0);
        for (int v = 0; v < VECS; v++)
            sum.v[v] += b.v[v];
    }
    return SUM16(sum.v);
}

/* Sum of (x - mean)^2. */
INLINE nset_real row_spread(const nset_real *x, nset_real mean, size_t d)
{
    block sum = { 0 };

    for (size_t j = 0; j < d; j += NSET_PANEL) {
        block b = load_block(x + j, d - j, mean);
        for (int v = 0; v < VECS; v++)
            sum.v[v] += (b.v[v] - SET1(mean)) * (b.v[v] - SET1(mean));
    }
    return SUM16(sum.v);
}

static void norm(nset_real *y, nset_real *stat, const nset_real *x, const nset_real *scale, const nset_real *shift,
    size_t m, size_t d)
{
    nset_real mean[NORM_ROWS], rstd[NORM_ROWS];

    for (size_t first = 0; first < m; first += NORM_ROWS) {
        size_t rows = m - first < NORM_ROWS ? m - first : NORM_ROWS;
        for (size_t i = 0; i < rows; i++)
            mean[i] = row_sum(x + (first + i) * d, d) / (nset_real)d;
        for (size_t i = 0; i < rows; i++)
            rstd[i] = row_spread(x + (first + i) * d, mean[i], d);
        for (size_t i = 0; i < rows; i++)
            rstd[i] = 1 / real_sqrt(rstd[i] / (nset_real)d + (nset_real)1e-5);
        for (size_t i = 0; i < rows; i++)
            for (size_t j = 0, at = (first + i) * d; j < d; j++)
                y[at + j] = (x[at + j] - mean[i]) * rstd[i] * scale[j] + shift[j];
        for (size_t i = 0; i < rows && stat; i++) {
            stat[2 * (first + i)] = mean[i];
            stat[2 * (first + i) + 1] = rstd[i];
        }
    }
}

/* With z = (x - mean) rstd and g = dy scale: dx = rstd (g - mean(g) - z mean(g z)). */
INLINE void norm_back_x(nset_real *dx, const nset_real *x, nset_real mean, nset_real rstd, const nset_real *dy,
    const nset_real *scale, size_t d)
{
    block sum = { 0 }, sum_z = { 0 };
    nset_real mean_g, mean_gz;

    for (size_t j = 0; j < d; j += NSET_PANEL) {
        block z = load_block(x + j, d - j, mean), g = load_block(dy + j, d - j, 0), s = load_block(scale + j, d - j, 0);
        for (int v = 0; v < VECS; v++) {
            vec gs = g.v[v] * s.v[v];
            sum.v[v] += gs;
            sum_z.v[v] += gs * ((z.v[v] - SET1(mean)) * SET1(rstd));
        }
    }
    mean_g = SUM16(sum.v) / (nset_real)d;
    mean_gz = SUM16(sum_z.v) / (nset_real)d;
    for (size_t j = 0; j < d; j++)
        dx[j] += rstd * (dy[j] * scale[j] - mean_g - (x[j] - mean) * rstd * mean_gz);
}

static void norm_back(nset_real *restrict dx, nset_real *restrict dscale, nset_real *restrict dshift,
    const nset_real *restrict x, const nset_real *restrict stat, const nset_real *restrict dy,
    const nset_real *restrict scale, size_t m, size_t d)
{
    for (size_t i = 0; i < m; i++, x += d, dy += d) {
        nset_real mean = stat[2 * i], rstd = stat[2 * i + 1];
        for (size_t j = 0; j < d; j++) {
            dscale[j] += dy[j] * ((x[j] - mean) * rstd);
            dshift[j] += dy[j];
        }
        if (dx)
            norm_back_x(dx + i * d, x, mean, rstd, dy, scale, d);
    }
}

/* ---- pooling ---- */

static void range(
    uint32_t *restrict high, uint32_t *restrict low, const float *restrict x, size_t n, size_t d, size_t stride)
{
    memset(high, 0, d * sizeof *high);
    memset(low, 0xff, d * sizeof *low);
    for (size_t i = 0; i < n; i++) {
        const float *row = x + i * stride;
        for (size_t j = 0; j < d; j++) {
            union {
                float f;
                uint32_t u;
            } v = { .f = row[j] };
            uint32_t bits = v.u & 0x7fffffffu, less = bits - 1;
            high[j] = bits > high[j] ? bits : high[j];
            low[j] = less < low[j] ? less : low[j];
        }
    }
}

static void sum(double *restrict sums, const float *restrict x, size_t n, size_t d, size_t stride)
{
    memset(sums, 0, d * sizeof *sums);
    for (size_t i = 0; i < n; i++) {
        const float *row = x + i * stride;
        for (size_t j = 0; j < d; j++)
            sums[j] += row[j];
    }
}

static void sum_grid(
    double *restrict sums, const double *restrict scale, const float *restrict x, size_t n, size_t d, size_t stride)
{
    memset(sums, 0, d * sizeof *sums);
    for (size_t i = 0; i < n; i++) {
        const float *row = x + i * stride;
        for (size_t j = 0; j < d; j++)
            sums[j] += (row[j] + scale[j]) - scale[j];
    }
}

static void largest(
    nset_real *restrict out, nset_real sign, const nset_real *restrict x, size_t n, size_t d, size_t stride)
{
    for (size_t j = 0; j < d; j++)
        out[j] = sign * x[j] + 0;
    for (size_t i = 1; i < n; i++) {
        const nset_real *row = x + i * stride;
        for (size_t j = 0; j < d; j++) {
            nset_real v = sign * row[j] + 0;
            out[j] = v <= out[j] || out[j] != out[j] ? out[j] : v; /* NaN comes in and stays */
        }
    }
}

const nset_kernels KERNELS_TABLE = {
    .name = KERNELS_NAME,
    .gemm = gemm,
    .gemm_tn = gemm_tn,
    .add_rows = add_rows,
    .map = { map_relu, map_elu, map_gelu, map_tanh, map_sigmoid },
    .map_back = { back_relu, back_elu, back_gelu, back_tanh, back_sigmoid },
    .exp = map_exp,
    .log = map_log,
    .norm = norm,
    .norm_back = norm_back,
    .range = range,
    .sum = sum,
    .sum_grid = sum_grid,
    .largest = largest,
};
