/* One TIFF file as a stack of gray frames, through libtiff. */
#ifndef NSET_IMAGING_TIFF_H
#define NSET_IMAGING_TIFF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <neuroset/error.h>

typedef struct nset_tiff nset_tiff;

typedef struct nset_tiff_info {
    int64_t n_frames, n_pages; /* frames by the rule below; directories in the file */
    int64_t n_stated;          /* images that ImageJ's description states, 0: it states none */
    size_t height, width;
    int bits;                 /* 8, 16, 32, 64 */
    char kind;                /* u, i, f */
    bool contiguous;          /* one directory, the frames of an ImageJ stack follow each other in the file */
    double rate_hz, pixel_um; /* 0: not stated */
} nset_tiff_info;

/* believe: NULL, "pages" or "metadata", for files whose pages and ImageJ description disagree.
 * Errors: NSET_ERR_FORMAT with file, page, what was expected and found; NSET_ERR_NOMEM. */
nset_status nset_tiff_open(nset_tiff **out, const char *path, const char *believe, nset_error *err);
const nset_tiff_info *nset_tiff_about(const nset_tiff *t);
/* frame (height, width) := frame i in counts. */
nset_status nset_tiff_read(nset_tiff *t, float *frame, int64_t i, nset_error *err);
void nset_tiff_close(nset_tiff *t);

/* Writes pages (n, height, width) of 16-bit counts or 32-bit floats as an ImageJ stack, deflated. Errors: NSET_ERR_IO.
 */
nset_status nset_tiff_write_u16(
    const char *path, const uint16_t *x, size_t n, size_t height, size_t width, nset_error *err);
nset_status nset_tiff_write_f32(
    const char *path, const float *x, size_t n, size_t height, size_t width, nset_error *err);

#endif
