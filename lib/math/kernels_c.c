/* The plain row: scalars, fma correctly rounded by libm where the CPU has none. */
#define KERNELS_NAME "c"
#define KERNELS_TABLE nset_kernels_c
#define W 1
#define TILE_ROWS 6
#define LOAD(p) (*(p))
#define STORE(p, v) (*(p) = (v))
#define SET1(x) (x)
#define FMA(a, b, c) real_fma(a, b, c)

#include <neuroset/real.h>

typedef nset_real vec;

#include "kernels_body.h"
