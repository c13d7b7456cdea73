/* Each row of the kernel table against the plain row, bit by bit, and the plain row against oracles. */
#include <check.h>
#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <neuroset/device.h>
#include <neuroset/memory.h>
#include <neuroset/random.h>

#include "math/kernels.h"

enum { ROOM = 12288 };
static const float GUARD = 12345.f; /* what must stay where a kernel has no business */

static const char *const row_names[] = { "avx2", "avx512" };
enum { N_ROWS = sizeof row_names / sizeof *row_names };

static float *numbers(uint64_t seed, size_t n)
{
    float *x = nset_calloc(n, sizeof *x);
    nset_random r = nset_random_stream(seed, "kernels", 0);

    ck_assert_ptr_nonnull(x);
    for (size_t i = 0; i < n; i++) {
        double wide = nset_random_below(&r, 8) ? 1 : ldexp(1, (int)nset_random_below(&r, 240) - 140);
        x[i] = (float)(nset_random_normal(&r) * wide);
    }
    return x;
}

static bool same_bits(const float *a, const float *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (memcmp(&a[i], &b[i], sizeof *a) != 0 && !(isnan(a[i]) && isnan(b[i])))
            return false;
    return true;
}

/* ---- products ---- */

static const size_t sizes_m[] = { 0, 1, 2, 3, 5, 6, 7, 11, 12, 13, 23, 25 };
static const size_t sizes_k[] = { 1, 2, 3, 17, 48 };
static const size_t sizes_n[] = { 1, 4, 15, 16, 17, 31, 33, 48 };

/* A plain loop: one fma chain an element. */
static void oracle_gemm(float *c, size_t ldc, size_t m, const nset_rows *a, const float *b, size_t n, const float *bias)
{
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++) {
            float sum = bias ? bias[j] : c[i * ldc + j];
            for (size_t s = 0, k = 0; s < a->n_seg; s++)
                for (size_t q = 0; q < a->k_seg; q++, k++)
                    sum = fmaf(a->data[i * a->row + s * a->seg + q], b[k * n + j], sum);
            c[i * ldc + j] = sum;
        }
}

static void check_gemm(const nset_kernels *kernels, size_t m, size_t k, size_t n, size_t n_seg, bool with_bias)
{
    size_t ldc = n + 3, row = k > 1 ? k / 2 : 1; /* rows overlap, as in a convolution */
    float *x = numbers(m * 1000 + k, ROOM), *b = numbers(n, n_seg * k * n), *bias = numbers(7, n);
    float *packed = nset_calloc(nset_packed_size(n_seg * k, n), sizeof *packed);
    float *want = numbers(3, m * ldc + 16), *got = numbers(3, m * ldc + 16);
    nset_rows a = { .data = x, .row = row, .seg = 2000, .n_seg = n_seg, .k_seg = k };

    nset_pack(packed, b, n_seg * k, n, n, 1);
    oracle_gemm(want, ldc, m, &a, b, n, with_bias ? bias : NULL);
    kernels->gemm(got, ldc, m, &a, packed, n, with_bias ? bias : NULL);
    ck_assert_msg(same_bits(want, got, m * ldc + 16), "%s: m %zu, k %zu x %zu, n %zu", kernels->name, m, n_seg, k, n);
    nset_free(x);
    nset_free(b);
    nset_free(bias);
    nset_free(packed);
    nset_free(want);
    nset_free(got);
}

static void check_all_gemm(const nset_kernels *kernels)
{
    for (size_t i = 0; i < sizeof sizes_m / sizeof *sizes_m; i++)
        for (size_t j = 0; j < sizeof sizes_k / sizeof *sizes_k; j++)
            for (size_t l = 0; l < sizeof sizes_n / sizeof *sizes_n; l++)
                check_gemm(kernels, sizes_m[i], sizes_k[j], sizes_n[l], 1 + (i + l) % 3, (i + j + l) % 2);
}

START_TEST(a_product_is_one_fma_chain_an_element_in_the_plain_row)
{
    check_all_gemm(&nset_kernels_c);
}
END_TEST

START_TEST(a_product_is_one_fma_chain_an_element_in_each_row)
{
    const nset_kernels *kernels = nset_kernels_named(row_names[_i]);

    if (kernels)
        check_all_gemm(kernels);
}
END_TEST

START_TEST(a_row_of_a_product_has_the_same_bits_alone_and_in_a_batch)
{
    enum { M = 53, K = 70, N = 30 };
    const nset_kernels *kernels = nset_kernels_now();
    float *x = numbers(1, M * K), *b = numbers(2, K * N), *bias = numbers(3, N), all[M * N], one[N];
    float *packed = nset_calloc(nset_packed_size(K, N), sizeof *packed);
    nset_rows a = { .data = x, .row = K, .n_seg = 1, .k_seg = K };

    nset_pack(packed, b, K, N, N, 1);
    kernels->gemm(all, N, M, &a, packed, N, bias);
    for (size_t i = 0; i < M; i++) {
        a.data = x + i * K;
        kernels->gemm(one, N, 1, &a, packed, N, bias);
        ck_assert_msg(same_bits(one, all + i * N, N), "row %zu", i);
    }
    nset_free(x);
    nset_free(b);
    nset_free(bias);
    nset_free(packed);
}
END_TEST

static void check_gemm_tn(const nset_kernels *kernels, size_t m_seg, size_t k, size_t n, size_t n_seg)
{
    size_t ldc = n + 2, ldg = n + 5;
    float *x = numbers(m_seg + k, ROOM), *g = numbers(n, n_seg * m_seg * ldg);
    float *want = numbers(3, k * ldc + 16), *got = numbers(3, k * ldc + 16);
    nset_rows a = { .data = x, .row = k > 2 ? k / 2 : 1, .seg = 3000, .n_seg = n_seg, .k_seg = k };

    for (size_t i = 0; i < k; i++)
        for (size_t j = 0; j < n; j++)
            for (size_t r = 0; r < n_seg * m_seg; r++)
                want[i * ldc + j] =
                    fmaf(x[r / m_seg * a.seg + r % m_seg * a.row + i], g[r * ldg + j], want[i * ldc + j]);
    kernels->gemm_tn(got, ldc, &a, m_seg, g, ldg, n);
    ck_assert_msg(
        same_bits(want, got, k * ldc + 16), "%s: m %zu x %zu, k %zu, n %zu", kernels->name, n_seg, m_seg, k, n);
    nset_free(x);
    nset_free(g);
    nset_free(want);
    nset_free(got);
}

START_TEST(the_gradient_of_weights_is_one_fma_chain_an_element_in_each_row)
{
    static const size_t sizes_k_tn[] = { 1, 3, 4, 6, 7, 12, 17, 29 };
    const nset_kernels *kernels = _i == N_ROWS ? &nset_kernels_c : nset_kernels_named(row_names[_i]);

    for (size_t i = 0; kernels && i < sizeof sizes_k_tn / sizeof *sizes_k_tn; i++)
        for (size_t l = 0; l < sizeof sizes_n / sizeof *sizes_n; l++) {
            check_gemm_tn(kernels, 1 + 5 * (i + l) % 40, sizes_k_tn[i], sizes_n[l], 1 + (i + l) % 3);
            if (l == 4)
                check_gemm_tn(kernels, NSET_TN_ROWS, sizes_k_tn[i], sizes_n[l], 1);
        }
}
END_TEST

static float any_bits(nset_random *r)
{
    uint32_t bits = nset_random_u32(r);
    float x;

    memcpy(&x, &bits, sizeof x);
    return x;
}

/* 1 or a few units in the last place beside it. */
static float beside_1(nset_random *r)
{
    return 1 + ((float)nset_random_below(r, 7) - 3) * 0x1p-23f;
}

/* A float with spacing 2: one more lies in the middle of two floats, and what a product of two numbers beside 1
 * differs from 1 is lost in a double. */
static float spacing_2(nset_random *r)
{
    return (float)(0x800000u | nset_random_u32(r) >> 9) * (nset_random_below(r, 2) ? 2.f : -2.f);
}

START_TEST(one_step_of_a_chain_is_rounded_once)
{
    const nset_kernels *kernels = _i == N_ROWS ? &nset_kernels_c : nset_kernels_named(row_names[_i]);
    nset_random r = nset_random_stream(9, "fma", 0);

    for (int trial = 0; kernels && trial < 20000; trial++) {
        float x = trial % 2 ? any_bits(&r) : beside_1(&r), b[NSET_PANEL], c[NSET_PANEL], want[NSET_PANEL];
        nset_rows a = { .data = &x, .row = 1, .n_seg = 1, .k_seg = 1 };
        for (int j = 0; j < NSET_PANEL; j++) {
            b[j] = trial % 2 ? any_bits(&r) : beside_1(&r);
            c[j] = trial % 2 ? any_bits(&r) : spacing_2(&r);
            want[j] = fmaf(x, b[j], c[j]);
        }
        kernels->gemm(c, NSET_PANEL, 1, &a, b, NSET_PANEL, NULL);
        ck_assert_msg(same_bits(want, c, NSET_PANEL), "%s: trial %d", kernels->name, trial);
    }
}
END_TEST

/* ---- elementwise and rows ---- */

static const float special[] = { 0.f, -0.f, 1.f, -1.f, INFINITY, -INFINITY, NAN, 1e-45f, -1e-45f, FLT_MIN, FLT_MAX,
    -FLT_MAX, 88.72f, 88.8f, -87.4f, -103.9f, -104.5f, 9.01f, -9.03f, 13.9f, -14.1f, 1e-8f, -1e-8f, .35f, -.35f };
enum { N_SPECIAL = sizeof special / sizeof *special, N_X = 5000 + N_SPECIAL };

static void fill_x(float *x)
{
    nset_random r = nset_random_stream(5, "elementwise", 0);

    for (size_t i = 0; i < N_X; i++)
        x[i] = i < N_SPECIAL ? special[i] : (float)(nset_random_normal(&r) * (i % 3 ? 2 : 40));
}

START_TEST(elementwise_functions_have_the_bits_of_the_plain_row)
{
    const nset_kernels *kernels = nset_kernels_named(row_names[_i]);
    static float x[N_X], y[N_X], want[N_X], got[N_X], dy[N_X];

    if (!kernels)
        return;
    fill_x(x);
    for (size_t i = 0; i < N_X; i++)
        dy[i] = x[(i * 7 + 1000) % N_X];
    for (int how = 0; how < NSET_N_MAPS; how++) {
        nset_kernels_c.map[how](want, x, N_X);
        kernels->map[how](got, x, N_X);
        ck_assert_msg(same_bits(want, got, N_X), "%s: function %d", kernels->name, how);
        for (size_t n = 0; n < 40; n++) { /* heads and tails of vectors; in place */
            memcpy(got, x + 100 + n, n * sizeof *x);
            got[n] = GUARD;
            kernels->map[how](got, got, n);
            ck_assert_msg(same_bits(want + 100 + n, got, n) && got[n] == GUARD, "%s: function %d of %zu numbers",
                kernels->name, how, n);
        }
        memcpy(y, want, sizeof y);
        memset(want, 0, sizeof want);
        memset(got, 0, sizeof got);
        nset_kernels_c.map_back[how](want, x, y, dy, N_X);
        kernels->map_back[how](got, x, y, dy, N_X);
        ck_assert_msg(same_bits(want, got, N_X), "%s: slope of function %d", kernels->name, how);
    }
    nset_kernels_c.exp(want, x, N_X);
    kernels->exp(got, x, N_X);
    ck_assert_msg(same_bits(want, got, N_X), "%s: exp", kernels->name);
    for (size_t i = 0; i < N_X; i++)
        x[i] = isnormal(x[i]) ? fabsf(x[i]) : 1;
    nset_kernels_c.log(want, x, N_X);
    kernels->log(got, x, N_X);
    ck_assert_msg(same_bits(want, got, N_X), "%s: log", kernels->name);
}
END_TEST

START_TEST(layer_norm_has_the_bits_of_the_plain_row)
{
    enum { M = 9, D = 70 };
    const nset_kernels *kernels = nset_kernels_named(row_names[_i]);
    static float y[2][M * D], stat[2][2 * M], dx[2][M * D], dscale[2][D], dshift[2][D];
    float *x = numbers(1, M * D), *dy = numbers(2, M * D), *scale = numbers(3, D), *shift = numbers(4, D);

    for (size_t d = 1; kernels && d <= D; d++) {
        memset(dx, 0, sizeof dx);
        memset(dscale, 0, sizeof dscale);
        memset(dshift, 0, sizeof dshift);
        for (int side = 0; side < 2; side++) {
            const nset_kernels *k = side ? kernels : &nset_kernels_c;
            k->norm(y[side], stat[side], x, scale, shift, M, d);
            k->norm_back(dx[side], dscale[side], dshift[side], x, stat[side], dy, scale, M, d);
        }
        ck_assert_msg(same_bits(y[0], y[1], M * d) && same_bits(stat[0], stat[1], 2 * M), "%s: %zu", kernels->name, d);
        ck_assert_msg(
            same_bits(dx[0], dx[1], M * d) && same_bits(dscale[0], dscale[1], d) && same_bits(dshift[0], dshift[1], d),
            "%s: backward of %zu", kernels->name, d);
    }
    nset_free(x);
    nset_free(dy);
    nset_free(scale);
    nset_free(shift);
}
END_TEST

START_TEST(pooling_kernels_have_the_bits_of_the_plain_row)
{
    enum { N = 37, STRIDE = 70 };
    const nset_kernels *kernels = nset_kernels_named(row_names[_i]);
    float *x = numbers(1, N * STRIDE);
    double scale[NSET_POOL_BLOCK], sum[2][NSET_POOL_BLOCK], grid[2][NSET_POOL_BLOCK];
    uint32_t high[2][NSET_POOL_BLOCK], low[2][NSET_POOL_BLOCK];
    float most[2][NSET_POOL_BLOCK], least[2][NSET_POOL_BLOCK];

    for (size_t i = 0; i < N * STRIDE; i += 11)
        x[i] = special[i / 11 % N_SPECIAL];
    for (size_t j = 0; j < NSET_POOL_BLOCK; j++)
        scale[j] = j % 3 ? ldexp(1.5, (int)j - 20) : 0;
    for (size_t d = 1; kernels && d <= NSET_POOL_BLOCK; d++) {
        for (int side = 0; side < 2; side++) {
            const nset_kernels *k = side ? kernels : &nset_kernels_c;
            k->range(high[side], low[side], x, N, d, STRIDE);
            k->sum(sum[side], x, N, d, STRIDE);
            k->sum_grid(grid[side], scale, x, N, d, STRIDE);
            k->largest(most[side], 1, x, N, d, STRIDE);
            k->largest(least[side], -1, x, N, d, STRIDE);
        }
        ck_assert_mem_eq(high[0], high[1], d * sizeof **high);
        ck_assert_mem_eq(low[0], low[1], d * sizeof **low);
        ck_assert(same_bits(most[0], most[1], d) && same_bits(least[0], least[1], d));
        for (size_t j = 0; j < d; j++) {
            ck_assert(memcmp(&sum[0][j], &sum[1][j], sizeof(double)) == 0 || (isnan(sum[0][j]) && isnan(sum[1][j])));
            ck_assert(
                memcmp(&grid[0][j], &grid[1][j], sizeof(double)) == 0 || (isnan(grid[0][j]) && isnan(grid[1][j])));
        }
    }
    nset_free(x);
}
END_TEST

/* ---- accuracy: measured 0.98, 0.84, 0.87, 2.4, 2.4, 6.3 ulp ---- */

static double gelu(double x)
{
    return x * .5 * erfc(-x * 0.70710678118654752);
}

static double elu(double x)
{
    return x > 0 ? x : expm1(x);
}

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

static void check_ulp(const char *name, void (*f)(float *y, const float *x, size_t n), double (*exact)(double x),
    double low, double high, double limit)
{
    for (int i = 0; i <= 100000; i++) {
        float x = (float)(low + (high - low) * i / 100000.), y;
        double want = exact((double)x), ulp = 0x1p-149;
        int e;
        f(&y, &x, 1);
        frexp(want, &e);
        if (fabs(want) >= FLT_MIN)
            ulp = ldexp(1, e - 24);
        ck_assert_msg(
            fabs(y - want) <= limit * ulp, "%s(%a) = %a, %.2f ulp from %a", name, x, y, fabs(y - want) / ulp, want);
    }
}

START_TEST(elementary_functions_are_within_a_few_ulp)
{
    const nset_kernels *k = nset_kernels_now();

    check_ulp("exp", k->exp, exp, -104, 88.7, 1.2);
    check_ulp("exp", k->exp, exp, -.5, .5, 1.2);
    check_ulp("log", k->log, log, 1e-6, 2, 1.2);
    check_ulp("log", k->log, log, 1, 1e6, 1.2);
    check_ulp("elu", k->map[NSET_MAP_ELU], elu, -20, 1, 1.2);
    check_ulp("elu", k->map[NSET_MAP_ELU], elu, -.01, 0, 1.2);
    check_ulp("tanh", k->map[NSET_MAP_TANH], tanh, -10, 10, 3);
    check_ulp("tanh", k->map[NSET_MAP_TANH], tanh, -.1, .1, 3);
    check_ulp("sigmoid", k->map[NSET_MAP_SIGMOID], sigmoid, -87, 87, 3);
    check_ulp("gelu", k->map[NSET_MAP_GELU], gelu, -12, 12, 8);
    check_ulp("gelu", k->map[NSET_MAP_GELU], gelu, -.1, .1, 8);
}
END_TEST

START_TEST(elementary_functions_keep_nan_and_limits)
{
    static const float x[] = { NAN, INFINITY, -INFINITY, 0.f, 200.f, -200.f };
    const nset_kernels *k = nset_kernels_now();
    float y[6];

    k->exp(y, x, 6);
    ck_assert(isnan(y[0]) && y[1] == INFINITY && y[2] == 0 && y[3] == 1 && y[4] == INFINITY && y[5] == 0);
    k->map[NSET_MAP_TANH](y, x, 6);
    ck_assert(isnan(y[0]) && y[1] == 1 && y[2] == -1 && y[3] == 0 && y[4] == 1 && y[5] == -1);
    k->map[NSET_MAP_SIGMOID](y, x, 6);
    ck_assert(isnan(y[0]) && y[1] == 1 && y[2] == 0 && y[3] == .5f && y[4] == 1 && y[5] == 0);
    k->map[NSET_MAP_ELU](y, x, 6);
    ck_assert(isnan(y[0]) && y[1] == INFINITY && y[2] == -1 && y[3] == 0 && y[4] == 200 && y[5] == -1);
    k->map[NSET_MAP_RELU](y, x, 6);
    ck_assert(isnan(y[0]) && y[1] == INFINITY && y[2] == 0 && y[3] == 0 && y[4] == 200 && y[5] == 0);
    k->map[NSET_MAP_GELU](y, x, 6);
    ck_assert(isnan(y[0]) && y[1] == INFINITY && y[3] == 0 && y[4] == 200 && fabsf(y[5]) < 1e-30f);
}
END_TEST

START_TEST(an_unknown_device_is_refused_and_a_known_one_is_used)
{
    nset_error err = { 0 };

    ck_assert_int_eq(nset_device_use("abacus", &err), NSET_ERR_ARG);
    ck_assert_ptr_nonnull(strstr(err.text, "abacus"));
    ck_assert_int_eq(nset_device_use("c", NULL), NSET_OK);
    ck_assert_str_eq(nset_device_name(), "c");
    ck_assert_int_eq(nset_device_use("auto", NULL), NSET_OK);
    ck_assert_str_eq(nset_device_name(), nset_kernels_named("auto")->name);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("kernels");
    TCase *t = tcase_create("kernels");
    SRunner *runner;
    int failed;

    tcase_add_test(t, a_product_is_one_fma_chain_an_element_in_the_plain_row);
    tcase_add_loop_test(t, a_product_is_one_fma_chain_an_element_in_each_row, 0, N_ROWS);
    tcase_add_test(t, a_row_of_a_product_has_the_same_bits_alone_and_in_a_batch);
    tcase_add_loop_test(t, the_gradient_of_weights_is_one_fma_chain_an_element_in_each_row, 0, N_ROWS + 1);
    tcase_add_loop_test(t, one_step_of_a_chain_is_rounded_once, 0, N_ROWS + 1);
    tcase_add_loop_test(t, elementwise_functions_have_the_bits_of_the_plain_row, 0, N_ROWS);
    tcase_add_loop_test(t, layer_norm_has_the_bits_of_the_plain_row, 0, N_ROWS);
    tcase_add_loop_test(t, pooling_kernels_have_the_bits_of_the_plain_row, 0, N_ROWS);
    tcase_add_test(t, elementary_functions_are_within_a_few_ulp);
    tcase_add_test(t, elementary_functions_keep_nan_and_limits);
    tcase_add_test(t, an_unknown_device_is_refused_and_a_known_one_is_used);
    suite_add_tcase(suite, t);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
