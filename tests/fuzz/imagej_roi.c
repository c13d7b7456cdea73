#include "fuzz.h"

#include <neuroset/memory.h>

#include "imaging/imagej_roi.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    nset_regions *r = nset_calloc(1, sizeof *r);
    nset_error err = { 0 };

    if (r)
        fuzz_check(nset_imagej_roi_read(r, data, size, "a.roi", &err), &err);
    nset_regions_free(r);
    return 0;
}
