#include "imaging/sample.h"

#include <math.h>
#include <string.h>

#define MOST_EXACT (INT64_C(1) << 53)

const char *nset_sample_name(nset_sample_type t)
{
    static const char *const of_bits[33] = { [1] = "bool",
        [2] = "uint2",
        [3] = "uint3",
        [4] = "uint4",
        [5] = "uint5",
        [6] = "uint6",
        [7] = "uint7",
        [8] = "uint8",
        [10] = "uint10",
        [12] = "uint12",
        [14] = "uint14",
        [16] = "uint16",
        [24] = "uint24",
        [32] = "uint32" };

    if (t.kind == 'f')
        return t.bits == 16 ? "float16" : t.bits == 32 ? "float32" : t.bits == 64 ? "float64" : NULL;
    if (t.bits == 64)
        return t.kind == 'u' ? "uint64" : "int64";
    if (t.kind == 'i')
        return t.bits == 8 ? "int8" : t.bits == 16 ? "int16" : t.bits == 32 ? "int32" : NULL;
    return t.kind == 'u' && t.bits >= 1 && t.bits <= 32 ? of_bits[t.bits] : NULL;
}

float nset_half_to_float(uint16_t h)
{
    int exponent = h >> 10 & 31;
    float mantissa = (float)(h & 1023), x;

    if (exponent == 31)
        x = mantissa != 0 ? NAN : INFINITY;
    else
        x = exponent ? ldexpf(1024 + mantissa, exponent - 25) : ldexpf(mantissa, -24);
    return h >> 15 ? -x : x;
}

/* The common case, samples side by side, is a loop of its own: the compiler makes vectors of it. */
#define CONVERT(type, unsigned_type, SWAP)                                                                             \
    do {                                                                                                               \
        const unsigned char *p = from;                                                                                 \
        unsigned_type u;                                                                                               \
        type v;                                                                                                        \
        if (step == sizeof v && swap)                                                                                  \
            for (size_t i = 0; i < n; i++) {                                                                           \
                memcpy(&u, p + i * sizeof u, sizeof u);                                                                \
                u = SWAP(u);                                                                                           \
                memcpy(&v, &u, sizeof v);                                                                              \
                to[i] = (float)v;                                                                                      \
            }                                                                                                          \
        else if (step == sizeof v)                                                                                     \
            for (size_t i = 0; i < n; i++) {                                                                           \
                memcpy(&v, p + i * sizeof v, sizeof v);                                                                \
                to[i] = (float)v;                                                                                      \
            }                                                                                                          \
        else                                                                                                           \
            for (size_t i = 0; i < n; i++) {                                                                           \
                memcpy(&u, p + i * step, sizeof u);                                                                    \
                u = swap ? SWAP(u) : u;                                                                                \
                memcpy(&v, &u, sizeof v);                                                                              \
                to[i] = (float)v;                                                                                      \
            }                                                                                                          \
    } while (0)

#define SAME(x) (x)
#define SWAP16(x) __builtin_bswap16(x)
#define SWAP32(x) __builtin_bswap32(x)
#define SWAP64(x) __builtin_bswap64(x)

static void convert_halves(float *to, const unsigned char *from, size_t n, size_t step, bool swap)
{
    for (size_t i = 0; i < n; i++) {
        uint16_t h;
        memcpy(&h, from + i * step, sizeof h);
        to[i] = nset_half_to_float(swap ? SWAP16(h) : h);
    }
}

/* Native 24 bits: three bytes, the lowest first. */
static void convert_24(float *to, const unsigned char *from, size_t n, size_t step, bool swap)
{
    for (size_t i = 0; i < n; i++, from += step)
        to[i] = (float)((uint32_t)from[swap ? 2 : 0] | (uint32_t)from[1] << 8 | (uint32_t)from[swap ? 0 : 2] << 16);
}

static bool convert_64(float *to, const unsigned char *from, size_t n, size_t step, bool is_signed, bool swap)
{
    bool exact = true;

    for (size_t i = 0; i < n; i++) {
        uint64_t u;
        int64_t v;
        memcpy(&u, from + i * step, sizeof u);
        u = swap ? SWAP64(u) : u;
        memcpy(&v, &u, sizeof v);
        exact = exact && (is_signed ? v >= -MOST_EXACT && v <= MOST_EXACT : u <= (uint64_t)MOST_EXACT);
        to[i] = is_signed ? (float)v : (float)u;
    }
    return exact;
}

bool nset_samples_convert(float *to, const void *from, size_t n, size_t step, nset_sample_type t, bool swap)
{
    switch (t.kind << 8 | t.bits) {
    case 'u' << 8 | 8:
        CONVERT(uint8_t, uint8_t, SAME);
        break;
    case 'i' << 8 | 8:
        CONVERT(int8_t, uint8_t, SAME);
        break;
    case 'u' << 8 | 16:
        CONVERT(uint16_t, uint16_t, SWAP16);
        break;
    case 'i' << 8 | 16:
        CONVERT(int16_t, uint16_t, SWAP16);
        break;
    case 'f' << 8 | 16:
        convert_halves(to, from, n, step, swap);
        break;
    case 'u' << 8 | 24:
        convert_24(to, from, n, step, swap);
        break;
    case 'u' << 8 | 32:
        CONVERT(uint32_t, uint32_t, SWAP32);
        break;
    case 'i' << 8 | 32:
        CONVERT(int32_t, uint32_t, SWAP32);
        break;
    case 'f' << 8 | 32:
        CONVERT(float, uint32_t, SWAP32);
        break;
    case 'f' << 8 | 64:
        CONVERT(double, uint64_t, SWAP64);
        break;
    default:
        return convert_64(to, from, n, step, t.kind == 'i', swap);
    }
    return true;
}

void nset_samples_unpack(float *to, const void *row, size_t n, size_t first, size_t stride, int bits)
{
    const unsigned char *bytes = row;

    for (size_t i = 0; i < n; i++) {
        size_t bit = (first + i * stride) * (size_t)bits;
        uint32_t v = 0;
        for (int b = 0; b < bits; b++, bit++)
            v = v << 1 | (bytes[bit / 8] >> (7 - bit % 8) & 1u);
        to[i] = (float)v;
    }
}
