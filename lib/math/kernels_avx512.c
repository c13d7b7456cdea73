/* Compiled with -mavx512f, bw, dq, vl: 12 x 16 tiles, a line a register. */
#include <immintrin.h>

#define KERNELS_NAME "avx512"
#define KERNELS_TABLE nset_kernels_avx512
#define W 16
#define TILE_ROWS 12
#define LOAD(p) _mm512_loadu_ps(p)
#define STORE(p, v) _mm512_storeu_ps(p, v)
#define SET1(x) _mm512_set1_ps(x)
#define FMA(a, b, c) _mm512_fmadd_ps(a, b, c)

typedef __m512 vec;

static inline float sum16(const vec *v)
{
    __m256 eight = _mm512_castps512_ps256(v[0]) + _mm512_extractf32x8_ps(v[0], 1);
    __m128 four = _mm256_castps256_ps128(eight) + _mm256_extractf128_ps(eight, 1);

    four += _mm_movehl_ps(four, four);
    return four[0] + four[1];
}

#define SUM16(v) sum16(v)

#include "kernels_body.h"
