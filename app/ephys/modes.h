/* One heap or two? Whether numbers on a line, noise sd 1 or more, pile up twice with a valley between. */
#ifndef NSET_EPHYS_MODES_H
#define NSET_EPHYS_MODES_H

#include <stddef.h>

/* Largest log likelihood ratio, over all cuts between low and high, of a valley emptier than the lower of the heaps
 * beside it against one as full; 0 where none is emptier. Counts are those of windows one noise sd wide; Poisson. x (n)
 * is sorted ascending. *cut: where the valley is. */
double nset_modes(const float *x, size_t n, double low, double high, double *cut);

/* Log likelihood ratio of two Gaussians of one width, started at low and high, against one. *apart: distance of their
 * means in standard deviations; skewed single heaps stay below 2.5. x (n) in any order. */
double nset_two_gaussians(const float *x, size_t n, double low, double high, double *apart);

/* Heaps nearer than this, in standard deviations, may be one skewed heap. */
#define NSET_APART 2.8

#endif
