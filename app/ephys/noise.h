/* The noise of a recording: what whiten.c learns from a spread of segments. */
#ifndef NSET_EPHYS_NOISE_H
#define NSET_EPHYS_NOISE_H

#include <stddef.h>
#include <neuroset/error.h>

/* m (n, n) := s^-1/2 of the symmetric positive definite s (n, n), by Jacobi's rotations in a fixed order. s is
 * destroyed. */
nset_status nset_inverse_root(float *m, double *s, size_t n, nset_error *err);

#endif
