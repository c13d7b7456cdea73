/* Real FFTs of one length, single precision. Plans are estimated (measured ones differ from run to run) and made under
 * one lock; executing is free of state, so any number of threads may. */
#ifndef NSET_SIGNAL_FFT_H
#define NSET_SIGNAL_FFT_H

#include <fftw3.h>
#include <stddef.h>
#include <neuroset/error.h>

typedef struct nset_fft nset_fft;

nset_status nset_fft_create(nset_fft **out, size_t n, nset_error *err);
/* A two-dimensional one of (height, width). */
nset_status nset_fft_create_2d(nset_fft **out, size_t height, size_t width, nset_error *err);
void nset_fft_free(nset_fft *f); /* NULL is legal */

/* spectrum (n / 2 + 1), or (height, width / 2 + 1). x and spectrum from nset_calloc: their alignment is part of the
 * plan. The inverse divides by n and destroys spectrum. */
void nset_fft_forward(const nset_fft *f, float *x, fftwf_complex *spectrum);
void nset_fft_inverse(const nset_fft *f, fftwf_complex *spectrum, float *x);

#endif
