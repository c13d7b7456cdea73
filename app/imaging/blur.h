/* Smoothing of images, in a fixed order of operations. */
#ifndef NSET_IMAGING_BLUR_H
#define NSET_IMAGING_BLUR_H

#include <stddef.h>

/* x (height, width) := x convolved with a Gaussian of sigma pixels (three box filters for sigma >= 2, else the kernel
 * itself); edges are mirrored. room: height * width numbers. */
void nset_blur(float *x, size_t height, size_t width, double sigma, float *room);

/* out (h2, w2) := x (height, width) sampled bilinearly at a scale h2 / height, w2 / width. */
void nset_resize(float *out, size_t h2, size_t w2, const float *x, size_t height, size_t width);

#endif
