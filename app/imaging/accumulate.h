/* The images of a movie as a set: two streamed passes of exact, order-free accumulators.
 *
 * An image is the mean of a bin of consecutive frames. The first pass sums images to their mean. In the second each is
 * band-passed (difference of Gaussians about a cell wide), relieved of what brightens whole neighbourhoods (gain.h) and
 * rounded to a fixed grid; a table says what is summed: moments, products with neighbours a third of a cell away, the
 * largest values. Integer sums are exact, so the images may come in any order, and rows may be shared among threads.
 *
 * Local correlation: Smith & Haeusser 2010; second moments beyond the photon line: Suite2p's enhanced maps in spirit.
 */
#ifndef NSET_IMAGING_ACCUMULATE_H
#define NSET_IMAGING_ACCUMULATE_H

#include <stddef.h>
#include <stdint.h>
#include <neuroset/error.h>
#include "imaging/gain.h"

/* What is summed over the images; the table in accumulate.c has a row for each. */
typedef enum nset_sum {
    NSET_SUM_IMAGE, /* the image itself, in the first pass */
    NSET_SUM_BAND,  /* band-passed */
    NSET_SUM_SQUARE,
    NSET_SUM_RIGHT, /* products with neighbours */
    NSET_SUM_BELOW,
    NSET_SUM_BELOW_RIGHT,
    NSET_SUM_BELOW_LEFT,
    NSET_N_SUMS
} nset_sum;

typedef struct nset_accumulator {
    size_t height, width;
    int64_t n_mean, n;          /* images of the first pass and of the second, so far */
    double scale;               /* grid steps a count, from the mean image */
    double sigma_in, sigma_out; /* of the band, pixels */
    int straight, aslant;       /* pixels to a neighbour along an axis, and along each axis to one aslant */
    nset_gain gain;             /* set between the passes */
    int64_t *sum[NSET_N_SUMS];  /* (H, W) each, on the grid or its square */
    int32_t *largest;           /* (H, W) of the band */
    int32_t *brightest;         /* (H, W) of the smoothed image */
    float *room;                /* (4, H, W) of what one thread does alone */
} nset_accumulator;

/* Errors: NSET_ERR_NOMEM. */
nset_status nset_accumulator_init(nset_accumulator *a, size_t height, size_t width, nset_error *err);
void nset_accumulator_fini(nset_accumulator *a);

/* First pass: adds rows first .. last - 1 of an image; threads may share the rows. a->n_mean is the caller's to count.
 */
void nset_accumulator_add_mean_rows(nset_accumulator *a, const float *image, size_t first, size_t last);
/* Between the passes: forgets the second. diameter_px: of a cell. Errors: NSET_ERR_NOMEM. */
nset_status nset_accumulator_settle(nset_accumulator *a, double diameter_px, nset_error *err);

/* What the second pass adds of an image. */
typedef struct nset_banded {
    float *band;            /* (H, W) band-passed, without the neighbourhood's gain */
    int32_t *grid, *bright; /* (H, W) the band, and the image a little smoothed, as whole numbers */
} nset_banded;

size_t nset_accumulator_room(const nset_accumulator *a); /* numbers of working space an image needs, after settling */
/* Fills b from image (H, W). Changes nothing of a: any number of threads may. */
void nset_accumulator_band(const nset_accumulator *a, nset_banded b, const float *image, float *room);
/* Adds rows first .. last - 1; threads may share the rows. a->n is the caller's to count. */
void nset_accumulator_add_rows(nset_accumulator *a, nset_banded b, size_t first, size_t last);

/* All of it, in one thread: image (H, W); band (H, W), may be NULL: receives the band-passed image. */
void nset_accumulator_add_mean(nset_accumulator *a, const float *image);
nset_status nset_accumulator_add(nset_accumulator *a, const float *image, float *band, nset_error *err);

enum {
    NSET_MAP_MEAN,        /* counts */
    NSET_MAP_BRIGHTEST,   /* counts, the largest of the smoothed images */
    NSET_MAP_CORRELATION, /* of neighbours' bands */
    NSET_MAP_COVARIANCE,  /* signed root of that of neighbours' bands, over the photon line */
    NSET_MAP_DEVIATION,   /* standard deviation of the band over the photon line */
    NSET_MAP_PEAK,        /* largest value of the band above its mean, over the photon line */
    NSET_N_MAPS
};

/* The photon line is the root of the local mean. maps (NSET_N_MAPS, H, W). */
void nset_accumulator_maps(const nset_accumulator *a, float *maps);

/* light (n) := mean above zero counts, or above its least where an offset of the camera makes it negative. */
void nset_light(float *light, const float *mean, size_t n);

#endif
