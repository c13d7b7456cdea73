/* Compiled with -mavx2 -mfma: 6 x 16 tiles take 12 of the 16 registers. */
#include <immintrin.h>

#define KERNELS_NAME "avx2"
#define KERNELS_TABLE nset_kernels_avx2
#define W 8
#define TILE_ROWS 6
#define LOAD(p) _mm256_loadu_ps(p)
#define STORE(p, v) _mm256_storeu_ps(p, v)
#define SET1(x) _mm256_set1_ps(x)
#define FMA(a, b, c) _mm256_fmadd_ps(a, b, c)

typedef __m256 vec;

static inline float sum16(const vec *v)
{
    __m256 eight = v[0] + v[1];
    __m128 four = _mm256_castps256_ps128(eight) + _mm256_extractf128_ps(eight, 1);

    four += _mm_movehl_ps(four, four);
    return four[0] + four[1];
}

#define SUM16(v) sum16(v)

#include "kernels_body.h"
