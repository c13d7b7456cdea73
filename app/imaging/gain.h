/* Brightness that comes and goes over an area, taken out of one band-passed image.
 *
 * Neuropil, bleaching and illumination scale the still texture of a whole neighbourhood by one factor a frame; a
 * cell's transient does not. Around each pixel that factor is found by regressing what the image has over the mean on
 * the mean itself, residuals clipped so that an active cell counts little, and its share is taken away. What is left is
 * activity and photon noise. One image needs the mean only, so images may come in any order.
 */
#ifndef NSET_IMAGING_GAIN_H
#define NSET_IMAGING_GAIN_H

#include <stddef.h>
#include <neuroset/error.h>

typedef struct nset_gain {
    size_t height, width, step, rows, columns; /* the factor's grid: a node every step pixels */
    double sigma;                              /* nodes that are averaged over */
    float *mean, *weight;                      /* (H, W) band-passed mean; trust in a pixel, less where it stands out */
    float *energy;                             /* (rows, columns) of weight mean^2 around a node */
    size_t *node;                              /* (W) node to the left of each pixel, and */
    float *past;                               /* (W) how far it lies past it, 0 to 1 */
} nset_gain;

/* mean (H, W): the band-passed mean image, copied. diameter_px: of a cell. Errors: NSET_ERR_NOMEM. */
nset_status nset_gain_init(
    nset_gain *g, const float *mean, size_t height, size_t width, double diameter_px, nset_error *err);
void nset_gain_fini(nset_gain *g);

size_t nset_gain_room(const nset_gain *g); /* numbers of working space an image needs */
/* band (H, W) := band - factor mean. room: nset_gain_room numbers; images may be done side by side in rooms of their
 * own. */
void nset_gain_remove(const nset_gain *g, float *band, float *room);

#endif
