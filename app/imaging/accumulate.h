/* The images of a movie as a set: one streamed pass of exact, order-free accumulators.
 *
 * An image is the mean of a bin of consecutive frames. Each is band-passed (difference of Gaussians about a cell wide),
 * rounded to a fixed grid and added to integer sums: first and second moments, products with four neighbours, the
 * largest value; and the learnt phi of the network is pooled on a grid of its own. Integer sums are exact, so the
 * images may come in any order.
 *
 * Local correlation: Smith & Haeusser 2010; second moments beyond the photon line: Suite2p's enhanced maps in spirit.
 */
#ifndef NSET_IMAGING_ACCUMULATE_H
#define NSET_IMAGING_ACCUMULATE_H

#include <stddef.h>
#include <stdint.h>
#include <neuroset/error.h>

enum { NSET_NEIGHBOURS = 4 };

typedef struct nset_accumulator {
    size_t height, width;
    int64_t n;                                          /* images so far */
    double scale;                                       /* grid steps a count */
    double sigma_in, sigma_out;                         /* of the band, pixels */
    int64_t *sum;                                       /* (H, W) of the images on the grid */
    int64_t *first, *second, *product[NSET_NEIGHBOURS]; /* of the band-passed images */
    int32_t *largest;
    float *room[3]; /* (H, W) */
} nset_accumulator;

/* fine: the movie's numbers are not whole counts, so the grid is finer. Errors: NSET_ERR_NOMEM. */
nset_status nset_accumulator_init(
    nset_accumulator *a, size_t height, size_t width, double diameter_px, int fine, nset_error *err);
void nset_accumulator_fini(nset_accumulator *a);

/* image (H, W). band (H, W), may be NULL: receives the band-passed image. */
void nset_accumulator_add(nset_accumulator *a, const float *image, float *band);

enum { NSET_MAP_MEAN, NSET_MAP_CORRELATION, NSET_MAP_DEVIATION, NSET_MAP_PEAK, NSET_N_MAPS };

/* maps (NSET_N_MAPS, H, W): mean image in counts, local correlation, standard deviation of the band over that of the
 * photon line, largest value in standard deviations. */
void nset_accumulator_maps(const nset_accumulator *a, float *maps);

#endif
