/* An image moved back by one shift, bilinear. */
#ifndef NSET_IMAGING_SHIFT_H
#define NSET_IMAGING_SHIFT_H

#include <stddef.h>

/* to (height, width), both 2 or more, := image read shift (rows, columns) further on. Where that lies outside, fill
 * (height, width) stands in; NULL: the nearest pixel of the edge. */
void nset_image_shift(
    float *to, const float *image, const float *fill, size_t height, size_t width, const double shift[2]);

#endif
