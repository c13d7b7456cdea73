#include <neuroset/invariant.h>
#include <neuroset/memory.h>
#include <neuroset/random.h>

#include "rows.h"

/* The finaliser of SplitMix64 over the keys of the numbers. */
static uint64_t mix(uint64_t h)
{
    h = (h ^ h >> 30) * 0xbf58476d1ce4e5b9u;
    h = (h ^ h >> 27) * 0x94d049bb133111ebu;
    return h ^ h >> 31;
}

static uint64_t hash_row(uint64_t h, const float *x, size_t d)
{
    for (size_t j = 0; j < d; j++)
        h = mix(h + 0x9e3779b97f4a7c15u + nset_float_key(x[j]));
    return h;
}

static void draw(float *eta, size_t k, uint64_t seed, const char *name, uint64_t key)
{
    nset_random r = nset_random_stream(seed, name, key);

    for (size_t j = 0; j < k; j++)
        eta[j] = (float)nset_random_normal(&r);
}

/* One set: rows in canonical order, so that equal rows are neighbours and a set's hash has no order. */
static void noise_of_set(float *eta, float *eta_0, const float *x, const uint32_t *tau, size_t n, size_t d, size_t k,
    size_t k_0, uint64_t seed)
{
    uint64_t all = mix(n), twin = 0;

    for (size_t i = 0; i < n; i++) {
        const float *row = x + tau[i] * d;
        twin = i > 0 && nset_rows_compare(x + tau[i - 1] * d, row, d) == 0 ? twin + 1 : 0;
        all = hash_row(all, row, d);
        if (eta)
            draw(eta + tau[i] * k, k, seed, "element noise", hash_row(mix(twin), row, d));
    }
    if (eta_0)
        draw(eta_0, k_0, seed, "set noise", all);
}

nset_status nset_noise(float *eta, float *eta_0, const float *x, const int64_t *offsets, size_t n_sets, size_t d,
    size_t k, size_t k_0, uint64_t seed, nset_error *err)
{
    size_t largest = 0;
    uint32_t *tau;

    for (size_t s = 0; s < n_sets; s++)
        largest = (size_t)(offsets[s + 1] - offsets[s]) > largest ? (size_t)(offsets[s + 1] - offsets[s]) : largest;
    if (!(tau = nset_calloc(largest, sizeof *tau)))
        return nset_fail_oom(err, largest, sizeof *tau);
    for (size_t s = 0; s < n_sets; s++) {
        size_t first = (size_t)offsets[s], n = (size_t)offsets[s + 1] - first;
        nset_tau_set(tau, NULL, x + first * d, n, d);
        noise_of_set(
            eta ? eta + first * k : NULL, eta_0 ? eta_0 + s * k_0 : NULL, x + first * d, tau, n, d, k, k_0, seed);
    }
    nset_free(tau);
    return NSET_OK;
}
