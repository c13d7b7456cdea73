/* The total order of rows of numbers. */
#ifndef NSET_SYMMETRY_ROWS_H
#define NSET_SYMMETRY_ROWS_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Grows with x: -inf < .. < -0 = 0 < .. < inf < NaN. */
static inline uint32_t nset_float_key(float x)
{
    uint32_t bits;

    if (isnan(x))
        return UINT32_MAX;
    x += 0; /* -0 becomes +0 */
    memcpy(&bits, &x, sizeof bits);
    return bits >> 31 ? ~bits : bits | 0x80000000u;
}

static inline int nset_rows_compare(const float *a, const float *b, size_t d)
{
    for (size_t j = 0; j < d; j++) {
        uint32_t p = nset_float_key(a[j]), q = nset_float_key(b[j]);
        if (p != q)
            return p < q ? -1 : 1;
    }
    return 0;
}

#endif
