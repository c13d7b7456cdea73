#include "imaging/pixels.h"

#include <string.h>

#include <neuroset/device.h>

const nset_pixels *nset_pixels_now(void)
{
    return strcmp(nset_device_name(), "c") ? &nset_pixels_avx2 : &nset_pixels_c;
}
