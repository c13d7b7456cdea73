/* The images of a movie as a set: one streamed pass of exact, order-free accumulators.
 *
 * An image is the mean of a bin of consecutive frames. Each is band-passed (difference of Gaussians about a cell wide)
 * and rounded to a fixed grid; a table says what is summed of image and band: moments, products with neighbours, the
 * largest value. Integer sums are exact, so the images may come in any order, and rows may be shared among threads.
 *
 * Local correlation: Smith & Haeusser 2010; second moments beyond the photon line: Suite2p's enhanced maps in spirit.
 */
#ifndef NSET_IMAGING_ACCUMULATE_H
#define NSET_IMAGING_ACCUMULATE_H

#include <stddef.h>
#include <stdint.h>
#include <neuroset/error.h>

/* What is summed over the images; the table in accumulate.c has a row for each. */
typedef enum nset_sum {
    NSET_SUM_IMAGE, /* the image itself */
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
    int64_t n;                  /* images so far */
    double scale;               /* grid steps a count */
    double sigma_in, sigma_out; /* of the band, pixels */
    int64_t *sum[NSET_N_SUMS];  /* (H, W) each, on the grid or its square */
    int32_t *largest;           /* (H, W) of the band */
    float *room;                /* (3, H, W) of what one thread does alone */
    int32_t *grid;              /* (H, W) the same */
} nset_accumulator;

/* fine: the movie's numbers are not whole counts, so the grid is finer. Errors: NSET_ERR_NOMEM. */
nset_status nset_accumulator_init(
    nset_accumulator *a, size_t height, size_t width, double diameter_px, int fine, nset_error *err);
void nset_accumulator_fini(nset_accumulator *a);

/* band (H, W) := image band-passed; grid (H, W) := the same as whole numbers. room: 2 H W numbers. Changes nothing of
 * a: any number of threads may. */
void nset_accumulator_band(const nset_accumulator *a, float *band, int32_t *grid, const float *image, float *room);
/* Adds rows first .. last - 1 of an image and its grid; threads may share the rows. a->n is the caller's to count. */
void nset_accumulator_add_rows(nset_accumulator *a, const float *image, const int32_t *grid, size_t first, size_t last);
/* All of it, in one thread: image (H, W); band (H, W), may be NULL: receives the band-passed image. */
void nset_accumulator_add(nset_accumulator *a, const float *image, float *band);

enum { NSET_MAP_MEAN, NSET_MAP_CORRELATION, NSET_MAP_DEVIATION, NSET_MAP_PEAK, NSET_N_MAPS };

/* maps (NSET_N_MAPS, H, W): mean image in counts, local correlation, standard deviation of the band over that of the
 * photon line, largest value in standard deviations. */
void nset_accumulator_maps(const nset_accumulator *a, float *maps);

#endif
