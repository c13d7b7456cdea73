#include <stdio.h>
#include <tiffio.h>

#include "imaging/tiff.h"

static int write_page(TIFF *file, const void *x, size_t height, size_t width, int bits, const char *description)
{
    int format = bits == 32 ? SAMPLEFORMAT_IEEEFP : SAMPLEFORMAT_UINT;
    size_t bytes = height * width * (size_t)bits / 8;

    TIFFSetField(file, TIFFTAG_IMAGEWIDTH, (uint32_t)width);
    TIFFSetField(file, TIFFTAG_IMAGELENGTH, (uint32_t)height);
    TIFFSetField(file, TIFFTAG_BITSPERSAMPLE, bits);
    TIFFSetField(file, TIFFTAG_SAMPLESPERPIXEL, 1);
    TIFFSetField(file, TIFFTAG_SAMPLEFORMAT, format);
    TIFFSetField(file, TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISBLACK);
    TIFFSetField(file, TIFFTAG_COMPRESSION, COMPRESSION_ADOBE_DEFLATE);
    TIFFSetField(file, TIFFTAG_ROWSPERSTRIP, (uint32_t)height);
    TIFFSetField(file, TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG);
    if (description)
        TIFFSetField(file, TIFFTAG_IMAGEDESCRIPTION, description);
    return TIFFWriteEncodedStrip(file, 0, (void *)(uintptr_t)x, (tmsize_t)bytes) == (tmsize_t)bytes &&
           TIFFWriteDirectory(file);
}

static nset_status write_stack(
    const char *path, const char *x, size_t n, size_t height, size_t width, int bits, nset_error *err)
{
    TIFF *file = TIFFOpen(path, "w");
    size_t frame = height * width * (size_t)bits / 8;
    char description[128];
    int ok = 1;

    if (!file)
        return nset_fail(err, NSET_ERR_IO, "%s: cannot be written", path);
    snprintf(description, sizeof description, "ImageJ=1.53t\nimages=%zu\nslices=%zu\nloop=false\n", n, n);
    for (size_t i = 0; i < n && ok; i++)
        ok = write_page(file, x + i * frame, height, width, bits, i == 0 ? description : NULL);
    TIFFClose(file);
    return ok ? NSET_OK : nset_fail(err, NSET_ERR_IO, "%s: cannot be written: is the disk full?", path);
}

nset_status nset_tiff_write_u16(
    const char *path, const uint16_t *x, size_t n, size_t height, size_t width, nset_error *err)
{
    return write_stack(path, (const char *)x, n, height, width, 16, err);
}

nset_status nset_tiff_write_f32(
    const char *path, const float *x, size_t n, size_t height, size_t width, nset_error *err)
{
    return write_stack(path, (const char *)x, n, height, width, 32, err);
}
