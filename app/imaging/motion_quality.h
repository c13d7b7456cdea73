/* How well frames lie on each other, without any truth (imaging/motion.h). */
#ifndef NSET_IMAGING_MOTION_QUALITY_H
#define NSET_IMAGING_MOTION_QUALITY_H

#include <stddef.h>
#include <stdint.h>
#include <neuroset/error.h>
#include "imaging/reference.h"

/* Pearson's r of a third of the pixels of two images; 0 where one is flat. */
double nset_image_correlation(const float *a, const float *b, size_t n);
/* Root mean square difference of neighbours of an image smoothed by a pixel, since interpolation changes noise too.
 * smooth, room: height * width numbers each. */
double nset_image_crispness(const float *image, size_t height, size_t width, float *smooth, float *room);
/* thumbs (n, height, width) of frames put right, which are lost. *residual_px := largest shift, in pixels of the movie,
 * between the means of those lowest and highest along the first components of what differs. Errors: NSET_ERR_NOMEM. */
nset_status nset_motion_residual(
    double *residual_px, float *thumbs, size_t n, const nset_reference *r, nset_error *err);

#endif
