/* The plain row: scalars and the fma of elementary.h, for any CPU. */
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

static inline nset_real sum16(const vec *v)
{
    nset_real lane[16];

    for (int k = 0; k < 16; k++)
        lane[k] = v[k];
    for (int w = 8; w; w /= 2)
        for (int k = 0; k < w; k++)
            lane[k] += lane[k + w];
    return lane[0];
}

#define SUM16(v) sum16(v)

#include "kernels_body.h"
