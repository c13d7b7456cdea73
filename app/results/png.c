#include "results/png.h"

#include <png.h>

#include <neuroset/file.h>

nset_status nset_png_write(
    const char *path, const uint8_t *pixels, size_t height, size_t width, size_t channels, nset_error *err)
{
    png_image image = { .version = PNG_IMAGE_VERSION, .width = (png_uint_32)width, .height = (png_uint_32)height };
    nset_atomic_file *file = NULL;
    nset_status status;

    image.format = channels == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
    if ((status = nset_atomic_open(&file, path, err)) != NSET_OK)
        return status;
    if (!png_image_write_to_stdio(&image, nset_atomic_stream(file), 0, pixels, 0, NULL)) {
        status = nset_fail(err, NSET_ERR_IO, "%s: %s", path, image.message);
        nset_atomic_abort(file);
        return status;
    }
    return nset_atomic_commit(file, err);
}
