/* Brute force for maximal invariants and counts for tests of laws, for the tests and the table of reproductions. */
#ifndef NSET_TESTS_INVARIANT_CASES_H
#define NSET_TESTS_INVARIANT_CASES_H

#include <string.h>

#include <neuroset/invariant.h>
#include <neuroset/law.h>
#include <neuroset/random.h>

/* The least of all rotations, and reflections, by trying. */
static inline void least_by_trying(float *best, const float *x, size_t n, bool reflections)
{
    float candidate[16];

    for (size_t k = 0; k < (reflections ? 2 * n : n); k++) {
        for (size_t j = 0; j < n; j++)
            candidate[j] = k < n ? x[(k + j) % n] : x[(2 * n - 1 - (k + j) % n) % n];
        for (size_t j = 0; j <= n; j++) {
            if (k == 0 || (j < n && candidate[j] < best[j])) {
                memcpy(best, candidate, n * sizeof *best);
                break;
            }
            if (j == n || candidate[j] > best[j])
                break;
        }
    }
}

/* Is the canonical ring the least one, and is it told whether only the identity leaves x as it is? */
static inline bool ring_is_right(const float *x, size_t n, bool reflections)
{
    uint32_t tau[16];
    float found[16], best[16];
    size_t fixing = 0;
    bool is_free;

    nset_tau_ring(tau, &is_free, x, n, 1, reflections);
    nset_canonical(found, tau, x, n, 1);
    least_by_trying(best, x, n, reflections);
    for (size_t k = 0; k < (reflections && n > 2 ? 2 * n : n); k++) {
        bool same = true;
        for (size_t j = 0; j < n; j++)
            same &= x[j] == (k < n ? x[(j + k) % n] : x[(2 * n - 1 - j + k) % n]);
        fixing += same;
    }
    return memcmp(found, best, n * sizeof *best) == 0 && is_free == (fixing == 1);
}

/* Rings of n of so many letters that are not right, with and without reflections, n up to longest. */
static inline size_t wrong_rings(size_t letters, size_t longest, size_t *tried)
{
    size_t wrong = 0, all = letters;
    float x[16];

    for (size_t n = 1; n <= longest; n++, all *= letters)
        for (size_t code = 0; code < all; code++) {
            for (size_t j = 0, left = code; j < n; j++, left /= letters)
                x[j] = (float)(left % letters);
            wrong += !ring_is_right(x, n, false);
            wrong += !ring_is_right(x, n, true);
            *tried += 2;
        }
    return wrong;
}

enum { LAW_TRIALS = 200 };

/* Rejections at .05 of equal laws, and of laws 3 standard deviations apart at the least p there is. */
static inline void count_rejections(int *ks, int *mmd, int *power)
{
    double x[60], y[60], p = 0;

    *ks = *mmd = *power = 0;
    for (uint64_t seed = 0; seed < LAW_TRIALS; seed++) {
        nset_random r = nset_random_stream(seed, "law", 0);
        for (int i = 0; i < 60; i++) {
            x[i] = nset_random_normal(&r);
            y[i] = nset_random_normal(&r);
        }
        *mmd += nset_mmd_two(&p, x, 30, y, 30, 2, 100, seed, NULL) == NSET_OK && p <= .05;
        *ks += nset_ks_two(NULL, x, 60, y, 60) <= .05;
        for (int i = 0; i < 60; i++)
            y[i] = 3 + nset_random_normal(&r);
        *power += nset_mmd_two(&p, x, 30, y, 30, 2, 100, seed, NULL) == NSET_OK && p == 1. / 101 &&
                  nset_ks_two(NULL, x, 60, y, 60) < .001;
    }
}

#endif
