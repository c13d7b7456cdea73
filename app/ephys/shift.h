/* Waveforms moved by a fraction of a sample: band-limited interpolation. */
#ifndef NSET_EPHYS_SHIFT_H
#define NSET_EPHYS_SHIFT_H

#include <stddef.h>

enum { NSET_SHIFTS = 9, NSET_SHIFT_MIDDLE = 4 }; /* -1/2, -3/8 .. 1/2 of a sample */

/* The shift that number i of NSET_SHIFTS stands for, in samples. */
static inline float nset_shift_of(size_t i)
{
    return .125f * ((float)i - NSET_SHIFT_MIDDLE);
}

/* Number of the shift nearest to tau (samples, within a half). */
size_t nset_shift_nearest(float tau);

/* out[s] := x at s - tau, any number of samples, by a Lanczos kernel of 9 samples; x is 0 outside its n samples.
 * stride: of out, x lies dense. A whole number of samples copies. */
void nset_shift_by(float *out, const float *x, size_t n, size_t stride, double tau);
/* The same for shift number i, stride 1. */
void nset_shift(float *out, const float *x, size_t n, size_t i);

/* Where between its neighbours the largest of three equally spaced values lies (-1/2 .. 1/2), and *peak, the value of
 * the parabola there. */
float nset_parabola(float before, float middle, float after, float *peak);

#endif
