#include "kernels.h"

#include <stdatomic.h>
#include <string.h>

#include <neuroset/device.h>

static _Atomic(const nset_kernels *) in_use;

#ifdef NSET_DOUBLE

const nset_kernels *nset_kernels_named(const char *name)
{
    return strcmp(name, "auto") == 0 || strcmp(name, "c") == 0 ? &nset_kernels_c : NULL;
}

#else

static int has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

static int has_avx512(void)
{
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

static int has_c(void)
{
    return 1;
}

static const struct row {
    const nset_kernels *kernels;
    int (*has)(void);
} rows[] = { { &nset_kernels_avx512, has_avx512 }, { &nset_kernels_avx2, has_avx2 }, { &nset_kernels_c, has_c } };

const nset_kernels *nset_kernels_named(const char *name)
{
    int any = strcmp(name, "auto") == 0;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if ((any || strcmp(name, rows[i].kernels->name) == 0) && rows[i].has())
            return rows[i].kernels;
    return NULL;
}

#endif

const nset_kernels *nset_kernels_now(void)
{
    const nset_kernels *k = atomic_load_explicit(&in_use, memory_order_acquire);

    if (!k) { /* threads that meet here store the same row */
        k = nset_kernels_named("auto");
        atomic_store_explicit(&in_use, k, memory_order_release);
    }
    return k;
}

nset_status nset_device_use(const char *name, nset_error *err)
{
    const nset_kernels *k = nset_kernels_named(name);

    if (!k)
        return nset_fail(err, NSET_ERR_ARG,
            "device '%s': this CPU and this build have no such instruction set; 'auto' takes the best there is", name);
    atomic_store_explicit(&in_use, k, memory_order_release);
    return NSET_OK;
}

const char *nset_device_name(void)
{
    return nset_kernels_now()->name;
}

size_t nset_packed_size(size_t k, size_t n)
{
    return (n + NSET_PANEL - 1) / NSET_PANEL * NSET_PANEL * k;
}

void nset_pack(nset_real *packed, const nset_real *b, size_t k, size_t n, size_t row, size_t column)
{
    for (size_t first = 0; first < n; first += NSET_PANEL) {
        size_t width = n - first < NSET_PANEL ? n - first : NSET_PANEL;
        for (size_t i = 0; i < k; i++, packed += NSET_PANEL) {
            const nset_real *from = b + i * row + first * column;
            for (size_t j = 0; j < width; j++)
                packed[j] = from[j * column];
            for (size_t j = width; j < NSET_PANEL; j++)
                packed[j] = 0;
        }
    }
}
