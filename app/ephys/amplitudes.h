/* Which matches of a template are its unit's spikes and which are hash that it answers to: by their sizes.
 *
 * Sizes are answers of the matched filter in noise sd. Those of a unit scatter around its norm (noise, bursts, slow
 * change); those of the many small sources that nobody can sort pile up at the threshold and fall off exponentially. A
 * mixture of both, fitted by expectation maximisation, says of a size how probable the unit is.
 */
#ifndef NSET_EPHYS_AMPLITUDES_H
#define NSET_EPHYS_AMPLITUDES_H

#include <stddef.h>

typedef struct nset_amplitudes {
    double mean, sd, share; /* the unit's Gaussian and its share of the matches */
    double floor, scale;    /* the hash's exponential: where it starts, how fast it falls */
    double least;           /* size below which a match is rather hash than unit */
} nset_amplitudes;

/* Of sizes (n) of at least floor, which matching asks for. n < 2: everything is the unit's. */
void nset_amplitudes_fit(nset_amplitudes *a, const float *size, size_t n, double floor);
/* Probability that a match of that size is the unit's. */
double nset_amplitudes_posterior(const nset_amplitudes *a, double size);

#endif
