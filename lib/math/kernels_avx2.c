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

#include "kernels_body.h"
