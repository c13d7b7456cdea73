#include <neuroset/random.h>

#include <math.h>

/* Constants of Philox 4x32 (Salmon et al. 2011, section 4). */
#define MUL_0 0xD2511F53u
#define MUL_1 0xCD9E8D57u
#define WEYL_0 0x9E3779B9u
#define WEYL_1 0xBB67AE85u

static void philox(uint32_t out[4], const uint32_t counter[4], const uint32_t key[2])
{
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    uint32_t k0 = key[0], k1 = key[1];

    for (int round = 0; round < 10; round++) {
        uint64_t a = (uint64_t)MUL_0 * c0, b = (uint64_t)MUL_1 * c2;
        uint32_t n0 = (uint32_t)(b >> 32) ^ c1 ^ k0, n2 = (uint32_t)(a >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)b;
        c3 = (uint32_t)a;
        c0 = n0;
        c2 = n2;
        k0 += WEYL_0;
        k1 += WEYL_1;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

/* FNV-1a: names are ours and few, so a simple hash is enough. */
static uint64_t hash_name(const char *name)
{
    uint64_t h = 0xcbf29ce484222325u;

    for (; *name; name++)
        h = (h ^ (unsigned char)*name) * 0x100000001b3u;
    return h;
}

nset_random nset_random_stream(uint64_t seed, const char *name, uint64_t index)
{
    nset_random r = { .left = 0 };
    uint64_t key = seed ^ hash_name(name);

    r.key[0] = (uint32_t)key;
    r.key[1] = (uint32_t)(key >> 32);
    r.counter[2] = (uint32_t)index;
    r.counter[3] = (uint32_t)(index >> 32);
    return r;
}

uint32_t nset_random_u32(nset_random *r)
{
    if (r->left == 0) {
        philox(r->block, r->counter, r->key);
        if (++r->counter[0] == 0)
            r->counter[1]++;
        r->left = 4;
    }
    return r->block[4 - r->left--];
}

double nset_random_uniform(nset_random *r)
{
    uint64_t high = nset_random_u32(r) >> 5, low = nset_random_u32(r) >> 6;

    return (double)(high << 26 | low) * 0x1p-53;
}

double nset_random_normal(nset_random *r)
{
    double u = 1 - nset_random_uniform(r), v = nset_random_uniform(r);

    return sqrt(-2 * log(u)) * cos(6.283185307179586 * v);
}

uint32_t nset_random_below(nset_random *r, uint32_t n)
{
    uint32_t limit = UINT32_MAX - UINT32_MAX % n, x;

    do
        x = nset_random_u32(r);
    while (x >= limit);
    return x % n;
}

double nset_random_exponential(nset_random *r)
{
    return -log(1 - nset_random_uniform(r));
}

/* Marsaglia & Tsang 2000, "A simple method for generating gamma variables". */
double nset_random_gamma(nset_random *r, double shape)
{
    double d, c, x, v, u;

    if (shape < 1)
        return nset_random_gamma(r, shape + 1) * pow(1 - nset_random_uniform(r), 1 / shape);
    d = shape - 1. / 3;
    c = 1 / sqrt(9 * d);
    for (;;) {
        x = nset_random_normal(r);
        v = 1 + c * x;
        if (v <= 0)
            continue;
        v = v * v * v;
        u = 1 - nset_random_uniform(r);
        if (log(u) < .5 * x * x + d - d * v + d * log(v))
            return d * v;
    }
}

uint32_t nset_random_poisson(nset_random *r, double mean)
{
    double p, limit;
    uint32_t k = 0;

    if (mean > 60) { /* normal approximation; photon counts this large need no better */
        p = mean + sqrt(mean) * nset_random_normal(r) + .5;
        return p > 0 ? (uint32_t)p : 0;
    }
    limit = exp(-mean);
    for (p = nset_random_uniform(r); p > limit; p *= nset_random_uniform(r))
        k++;
    return k;
}

void nset_random_shuffle(nset_random *r, size_t *index, size_t n)
{
    for (size_t i = n; i > 1; i--) {
        size_t j = nset_random_below(r, (uint32_t)i), t = index[i - 1];
        index[i - 1] = index[j];
        index[j] = t;
    }
}
