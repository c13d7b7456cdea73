/* Writing TIFF files. Reading them: movie.h. */
#ifndef NSET_IMAGING_TIFF_H
#define NSET_IMAGING_TIFF_H

#include <stddef.h>
#include <stdint.h>
#include <neuroset/error.h>

/* Writes pages (n, height, width) of 16-bit counts or 32-bit floats as an ImageJ stack, deflated. Errors: NSET_ERR_IO.
 */
nset_status nset_tiff_write_u16(
    const char *path, const uint16_t *x, size_t n, size_t height, size_t width, nset_error *err);
nset_status nset_tiff_write_f32(
    const char *path, const float *x, size_t n, size_t height, size_t width, nset_error *err);

#endif
