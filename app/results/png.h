/* Pictures: PNG, gray or RGB, 8 bits. */
#ifndef NSET_RESULTS_PNG_H
#define NSET_RESULTS_PNG_H

#include <stddef.h>
#include <stdint.h>
#include <neuroset/error.h>

/* pixels (height, width, channels), channels 1 or 3. Errors: NSET_ERR_IO. */
nset_status nset_png_write(
    const char *path, const uint8_t *pixels, size_t height, size_t width, size_t channels, nset_error *err);

#endif
