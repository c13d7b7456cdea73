/* The noise of a recording: what whiten.c learns from a spread of segments. */
#ifndef NSET_EPHYS_NOISE_H
#define NSET_EPHYS_NOISE_H

#include <stddef.h>
#include <neuroset/error.h>
#include "ephys/probe.h"

/* m (n, n) := s^-1/2 of the symmetric positive definite s (n, n), by Jacobi's rotations in a fixed order. s is
 * destroyed. */
nset_status nset_inverse_root(float *m, double *s, size_t n, nset_error *err);

/* The same near each channel only, for many of them: column a of m is that of the inverse root of s restricted to the
 * channels within radius_um of a on its shank; 0 elsewhere. Pachitariu et al. 2024 whiten so. s is kept. */
nset_status nset_inverse_root_local(
    float *m, const double *s, const nset_probe *probe, double radius_um, nset_error *err);

/* s (n, n), of which the lower triangle holds sums of products, := their means, shrunk towards the diagonal. pairs (n,
 * n) says how many products each has; NULL: count each. Fewer than least say nothing: 0, or 1 on the diagonal. */
void nset_covariance_finish(double *s, const double *pairs, double count, double least, size_t n);

#endif
