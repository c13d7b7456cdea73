/* Whitened phase correlation of small images with a reference, to a fraction of a pixel.
 *
 * Images are tapered, transformed and divided by their spectrum's size; the product with the reference's, smoothed by a
 * Gaussian, has its peak where the image has moved to. The peak of a Gaussian lies where a parabola through the
 * logarithms of three points has its top, so that is what refines it, along each axis.
 * Guizar-Sicairos et al. 2008; Pachitariu et al. 2016 for whitening and smoothing.
 */
#ifndef NSET_IMAGING_CORRELATE_H
#define NSET_IMAGING_CORRELATE_H

#include <stddef.h>
#include <neuroset/error.h>
#include "signal/fft.h"

typedef struct nset_correlator {
    size_t height, width, bins; /* bins: complex numbers of a spectrum */
    float *taper, *smooth;      /* (height, width), (bins); owned */
    nset_fft *fft;
} nset_correlator;

/* Room of one thread. */
typedef struct nset_correlator_room {
    float *image;            /* (height, width): the image before, the correlation after */
    fftwf_complex *spectrum; /* (bins) */
} nset_correlator_room;

/* Errors: NSET_ERR_NOMEM, NSET_ERR_NUMERIC. */
nset_status nset_correlator_init(nset_correlator *c, size_t height, size_t width, nset_error *err);
void nset_correlator_fini(nset_correlator *c); /* of zeros is legal */
nset_status nset_correlator_room_init(nset_correlator_room *r, const nset_correlator *c, nset_error *err);
void nset_correlator_room_fini(nset_correlator_room *r);

/* spectrum (bins) := of the image in r->image, tapered about mean, whitened. */
void nset_correlator_transform(const nset_correlator *c, nset_correlator_room *r, fftwf_complex *spectrum, float mean);
/* The spectrum of an image becomes that of a reference: conjugate, smoothed. */
void nset_correlator_as_reference(const nset_correlator *c, fftwf_complex *spectrum);
/* r->image, tapered about mean, becomes its correlation with reference, no shift at [0]. */
void nset_correlator_apply(
    const nset_correlator *c, nset_correlator_room *r, const fftwf_complex *reference, float mean);

/* A window of a correlation: shifts from -reach to reach along both axes. */
typedef struct nset_peak {
    double shift[2]; /* rows, columns */
    float height;
    float
        second; /* largest value away from the peak: what is no peak is hardly higher; 0 in windows too small for one */
} nset_peak;

/* The peak of a window (2 reach_y + 1, 2 reach_x + 1) of shifts. */
nset_peak nset_peak_find(const float *window, size_t reach_y, size_t reach_x);
/* window := shifts within the reach out of the correlation in r->image; reach < half of each side. */
void nset_correlator_window(
    const nset_correlator *c, const nset_correlator_room *r, float *window, size_t reach_y, size_t reach_x);

#endif
