#include <neuroset/memory.h>

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "test_hooks.h"

static atomic_long fail_at = -1; /* allocations until the one that fails; negative: none */
static atomic_long live_blocks;

static int must_fail(void)
{
    if (atomic_load_explicit(&fail_at, memory_order_relaxed) < 0)
        return 0;
    return atomic_fetch_sub(&fail_at, 1) == 0;
}

void nset_test_fail_alloc_at(long k)
{
    atomic_store(&fail_at, k);
}

long nset_test_live_allocs(void)
{
    return atomic_load(&live_blocks);
}

void *nset_calloc(size_t n, size_t size)
{
    size_t bytes;
    void *p;

    if (__builtin_mul_overflow(n, size, &bytes) || bytes > PTRDIFF_MAX - NSET_ALIGN || must_fail())
        return NULL;
    bytes = bytes ? (bytes + NSET_ALIGN - 1) & ~(size_t)(NSET_ALIGN - 1) : NSET_ALIGN;
    p = aligned_alloc(NSET_ALIGN, bytes);
    if (!p)
        return NULL;
    atomic_fetch_add_explicit(&live_blocks, 1, memory_order_relaxed);
    return memset(p, 0, bytes);
}

void nset_free(void *p)
{
    if (!p)
        return;
    atomic_fetch_sub_explicit(&live_blocks, 1, memory_order_relaxed);
    free(p);
}

char *nset_strdup(const char *text)
{
    size_t n = strlen(text) + 1;
    char *copy = nset_calloc(n, 1);

    return copy ? memcpy(copy, text, n) : NULL;
}

nset_status nset_grow(void *array, size_t *capacity, size_t need, size_t size, nset_error *err)
{
    void *old, *bigger;
    size_t n;

    if (need <= *capacity)
        return NSET_OK;
    memcpy(&old, array, sizeof old); /* array is the address of a pointer of some type */
    n = *capacity > SIZE_MAX / 2 ? need : *capacity * 2;
    n = n < need ? need : n;
    n = n < 16 ? 16 : n;
    if (!(bigger = nset_calloc(n, size)))
        return nset_fail_oom(err, n, size);
    if (old)
        memcpy(bigger, old, *capacity * size);
    nset_free(old);
    memcpy(array, &bigger, sizeof bigger);
    *capacity = n;
    return NSET_OK;
}
