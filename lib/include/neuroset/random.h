/* Random numbers by counter: the k-th draw of a stream is a function of (seed, name, index, k) alone,
 * so that results do not depend on threads or on who draws first.
 *
 * Philox 4x32-10, Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3".
 */
#ifndef NEUROSET_RANDOM_H
#define NEUROSET_RANDOM_H

#include <stddef.h>
#include <stdint.h>
#include <neuroset/error.h>

typedef struct nset_random {
    uint32_t key[2];
    uint32_t counter[4];
    uint32_t block[4];
    int left; /* unused words of block */
} nset_random;

/* The stream of one purpose ("jitter") and one item (event, cell, example ...). A plain value: copy it freely. */
NSET_API nset_random nset_random_stream(uint64_t seed, const char *name, uint64_t index);

NSET_API uint32_t nset_random_u32(nset_random *r);
NSET_API double nset_random_uniform(nset_random *r);             /* [0, 1), 53 bits */
NSET_API double nset_random_normal(nset_random *r);              /* mean 0, sd 1 */
NSET_API uint32_t nset_random_below(nset_random *r, uint32_t n); /* 0 .. n-1, unbiased; n > 0 */
NSET_API double nset_random_exponential(nset_random *r);         /* mean 1 */
NSET_API double nset_random_gamma(nset_random *r, double shape); /* scale 1; shape > 0 */
NSET_API uint32_t nset_random_poisson(nset_random *r, double mean);
NSET_API void nset_random_shuffle(nset_random *r, size_t *index, size_t n);

#endif
