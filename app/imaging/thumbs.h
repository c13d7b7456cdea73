/* What registration sees of a frame: rows put right, pixels binned two by two in large frames, clipped. */
#ifndef NSET_IMAGING_THUMBS_H
#define NSET_IMAGING_THUMBS_H

#include <stddef.h>

/* Frames worked on together, each with so many bytes of room: as many as a fixed share of memory holds, from 2 to most.
 */
size_t nset_frames_at_once(size_t bytes_each, size_t most);
/* Pixels of a frame that make one of a thumb along each side: 2 where both sides have 192 or more, else 1. */
size_t nset_thumb_factor(size_t height, size_t width);
/* thumb (height / factor, width / factor) := frame binned; rows and columns left over at the end are not seen. */
void nset_thumb_make(float *thumb, const float *frame, size_t height, size_t width, size_t factor);
/* Odd rows of frame moved offset columns to the left (bidirectional scans), the last pixel of a row repeated. */
void nset_lines_move(float *frame, size_t height, size_t width, int offset);

#endif
