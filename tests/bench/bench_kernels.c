/* How fast each row of the kernel table is: products and convolutions in GFlop/s beside the fma peak of the core,
 * elementwise functions, layer norm and exact pooling in ns a number, a U-Net in ms a pass. Best of several runs of
 * processor time; one line a figure on stdout. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <neuroset/device.h>
#include <neuroset/memory.h>
#include <neuroset/net.h>
#include <neuroset/pool.h>
#include <neuroset/random.h>

#include "math/kernels.h"

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Runs statement for some 0.2 s; *best := the least seconds of one run. */
#define BEST(best, statement)                                                                                          \
    do {                                                                                                               \
        double end_ = now() + .2, from_, took_;                                                                        \
        (best) = 1e9;                                                                                                  \
        do {                                                                                                           \
            from_ = now();                                                                                             \
            statement;                                                                                                 \
            took_ = now() - from_;                                                                                     \
            (best) = took_ < (best) ? took_ : (best);                                                                  \
        } while (now() < end_);                                                                                        \
    } while (0)

static void *need(void *p)
{
    if (!p) {
        fprintf(stderr, "bench: no memory\n");
        exit(1);
    }
    return p;
}

static void must(nset_status status, const nset_error *err)
{
    if (status != NSET_OK) {
        fprintf(stderr, "bench: %s\n", err->text);
        exit(1);
    }
}

static float *numbers(size_t n)
{
    float *x = need(nset_calloc(n, sizeof *x));
    nset_random r = nset_random_stream(1, "bench", 0);

    for (size_t i = 0; i < n; i++)
        x[i] = (float)(nset_random_uniform(&r) * 2 - 1);
    return x;
}

/* What a core can do: 12 independent chains of 8 numbers, no memory. */
__attribute__((target("avx2,fma"))) static float peak_chains(size_t n)
{
    typedef float v8 __attribute__((vector_size(32)));
    v8 a = { .5f, .5f, .5f, .5f, .5f, .5f, .5f, .5f }, s[12];

    for (int k = 0; k < 12; k++)
        s[k] = a * (float)(k + n); /* all different: none may be left out */
    for (size_t i = 0; i < n; i++)
#pragma GCC unroll 12
        for (int k = 0; k < 12; k++)
            s[k] = __builtin_ia32_vfmaddps256(s[k], a, a);
    for (int k = 1; k < 12; k++)
        s[0] += s[k];
    return s[0][0];
}

static void bench_peak(void)
{
    volatile float keep;
    double best;

    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma"))
        return;
    BEST(best, keep = peak_chains(100000));
    (void)keep;
    printf("peak of 8-wide fma        %8.1f GFlop/s\n", 100000 * 12 * 16. / best * 1e-9);
}

static void bench_products(const nset_kernels *kernels)
{
    static const size_t shapes[][3] = { { 1, 128, 128 }, { 960, 128, 128 }, { 960, 144, 16 }, { 960, 288, 32 },
        { 960, 576, 64 } };

    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        size_t m = shapes[i][0], k = shapes[i][1], n = shapes[i][2];
        float *x = numbers(m * k), *b = numbers(k * n), *c = numbers(m * n);
        float *packed = need(nset_calloc(nset_packed_size(k, n), sizeof *packed));
        nset_rows a = { .data = x, .row = k, .n_seg = 1, .k_seg = k };
        double flops = 2. * (double)m * (double)k * (double)n, forward, backward;
        nset_pack(packed, b, k, n, n, 1);
        BEST(forward, kernels->gemm(c, n, m, &a, packed, n, b));
        BEST(
            backward, for (size_t f = 0; f < m; f += NSET_TN_ROWS) {
                a.data = x + f * k;
                kernels->gemm_tn(b, n, &a, m - f < NSET_TN_ROWS ? m - f : NSET_TN_ROWS, c + f * n, n, n);
            });
        printf("product %4zu x %3zu x %3zu   %8.1f GFlop/s, of its weights' gradient %.1f\n", m, k, n,
            flops / forward * 1e-9, flops / backward * 1e-9);
        nset_free(x);
        nset_free(b);
        nset_free(c);
        nset_free(packed);
    }
}

static void bench_elementwise(const nset_kernels *kernels)
{
    static const char *const names[NSET_N_MAPS] = { "ReLU", "ELU", "GELU", "tanh", "sigmoid" };
    enum { N = 1 << 15 };
    float *x = numbers(N), *y = numbers(N), *dx = numbers(N), *stat = numbers(N), scale[64] = { 1 }, shift[64] = { 0 };
    double forward, backward;

    for (int how = 0; how < NSET_N_MAPS; how++) {
        BEST(forward, kernels->map[how](y, x, N));
        BEST(backward, kernels->map_back[how](dx, x, y, x, N));
        printf("%-22s    %8.2f ns a number, backward %.2f\n", names[how], forward / N * 1e9, backward / N * 1e9);
    }
    for (size_t d = 16; d <= 64; d *= 4) {
        BEST(forward, kernels->norm(y, stat, x, scale, shift, N / d, d));
        BEST(backward, kernels->norm_back(dx, scale, shift, x, stat, y, scale, N / d, d));
        printf(
            "layer norm of %2zu          %8.2f ns a number, backward %.2f\n", d, forward / N * 1e9, backward / N * 1e9);
    }
    nset_free(x);
    nset_free(y);
    nset_free(dx);
    nset_free(stat);
}

static void bench_pool(void)
{
    static const size_t sizes[] = { 100, 1000, 100000 };
    enum { D = 64 };
    float out[D];
    double near, wide, n;

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        float *x = numbers(sizes[i] * D);
        n = (double)sizes[i] * D;
        for (size_t j = 0; j < sizes[i] * D; j++)
            x[j] += x[j] < 0 ? -1.f : 1.f;
        BEST(near, nset_exact_sum_rows(out, x, sizes[i], D, D));
        for (size_t j = 0; j < D; j++)
            x[j] = 1e20f;
        BEST(wide, nset_exact_sum_rows(out, x, sizes[i], D, D));
        printf("exact sum of %6zu       %8.2f ns a number, terms of wide range %.2f\n", sizes[i], near / n * 1e9,
            wide / n * 1e9);
        nset_free(x);
    }
}

static nset_node stage(nset_net *net, nset_node x, const char *name, size_t c)
{
    char text[64];

    for (int k = 0; k < 2; k++) {
        snprintf(text, sizeof text, "%s.conv%d", name, k);
        x = nset_net_conv2d(net, x, text, 3, c);
        snprintf(text, sizeof text, "%s.norm%d", name, k);
        x = nset_net_activate(net, nset_net_layer_norm(net, x, text), NSET_GELU);
    }
    return x;
}

/* Three levels of 16, 32 and 64 channels, 8 in, 4 out: 120 thousand weights. */
static nset_net *unet(void)
{
    nset_error err = { 0 };
    nset_net *net = NULL;
    nset_node a, b, c;

    must(nset_net_create(&net, &err), &err);
    a = stage(net, nset_net_input(net, NSET_SET, 0, 8), "in0", 16);
    b = stage(net, nset_net_down(net, a), "in1", 32);
    c = stage(net, nset_net_down(net, b), "in2", 64);
    b = stage(net, nset_net_concat(net, nset_net_up(net, c), b), "out1", 32);
    a = stage(net, nset_net_concat(net, nset_net_up(net, b), a), "out0", 16);
    nset_net_output(net, nset_net_dense(net, a, "last", 4));
    must(nset_net_finish(net, 1, &err), &err);
    return net;
}

/* Multiply-adds of convolutions, twice, of one image of 96 x 96. */
static double unet_flops(const nset_net *net)
{
    double flops = 0;

    for (size_t i = 0; i < nset_net_n_views(net); i++) {
        nset_param p = nset_net_view(net, i);
        int level = p.name[0] == 'i' ? p.name[2] - '0' : p.name[0] == 'o' ? p.name[3] - '0' : 0;
        if (p.columns > 1)
            flops += 2. * (double)(p.rows * p.columns) * (double)((96u >> level) * (96u >> level));
    }
    return flops;
}

static void bench_unet(void)
{
    nset_net *net = unet();
    nset_error err = { 0 };
    nset_run *run = NULL;
    float *x = numbers(96 * 96 * 8), *dout = numbers(96 * 96 * 4);
    float *grad = need(nset_calloc(nset_net_n_params(net), sizeof *grad));
    const float *inputs[] = { x }, *douts[] = { dout };
    nset_batch batch = { .n_sets = 1, .height = 96, .width = 96, .inputs = inputs };
    double infer, forward, backward, flops = unet_flops(net);

    must(nset_run_create(&run, net, NULL, &err), &err);
    BEST(infer, must(nset_run_forward(run, &batch, &err), &err));
    BEST(forward, must(nset_run_forward_train(run, &batch, 1, &err), &err));
    BEST(backward, must(nset_run_backward(run, &batch, douts, grad, NULL, &err), &err));
    printf("U-Net, %zu weights, 96 x 96: inference %.2f ms, training %.2f + %.2f ms, %.1f GFlop/s\n",
        nset_net_n_params(net), infer * 1e3, forward * 1e3, backward * 1e3, 3 * flops / (forward + backward) * 1e-9);
    nset_run_free(run);
    nset_net_free(net);
    nset_free(x);
    nset_free(dout);
    nset_free(grad);
}

int main(void)
{
    static const char *const rows[] = { "avx512", "avx2", "c" };

    bench_peak();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const nset_kernels *kernels = nset_kernels_named(rows[i]);
        nset_error err = { 0 };
        if (!kernels) {
            printf("-- %s: not on this CPU\n", rows[i]);
            continue;
        }
        printf("-- %s\n", rows[i]);
        must(nset_device_use(rows[i], &err), &err);
        bench_products(kernels);
        bench_elementwise(kernels);
        bench_pool();
        bench_unet();
    }
    return 0;
}
