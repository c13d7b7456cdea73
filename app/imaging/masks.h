/* Masks of cells: what the network and its decoder give, what traces are taken from, what is written. */
#ifndef NSET_IMAGING_MASKS_H
#define NSET_IMAGING_MASKS_H

#include <stddef.h>
#include <stdint.h>
#include <neuroset/error.h>

typedef struct nset_roi {
    int32_t id;
    size_t n_pixels;
    int32_t *pixel;                  /* (n_pixels) row * width + column, ascending; owned */
    float *weight;                   /* (n_pixels) weight of each pixel in the trace, sums to 1; owned */
    double probability, row, column; /* centre in pixels */
    double snr, stability;           /* of its trace; NaN before traces are taken */
    char reason[96];                 /* of a rejected candidate; empty: kept */
} nset_roi;

typedef struct nset_masks {
    size_t height, width, n;
    nset_roi *roi; /* (n), owned */
} nset_masks;

void nset_masks_free(nset_masks *m); /* NULL is legal; frees m */

/* Maps (n, height, width) of a movie: inputs of the network and summary images. */
typedef struct nset_maps {
    size_t n, height, width;
    float *data;              /* owned */
    const char *const *names; /* (n) "mean", "max", "correlation" ..., static */
} nset_maps;

void nset_maps_free(nset_maps *m);

#endif
