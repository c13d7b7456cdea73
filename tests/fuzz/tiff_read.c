#include "fuzz.h"
#include "imaging/tiff.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static float frame[1 << 20];
    nset_tiff *t = NULL;
    nset_error err = { 0 };
    nset_status status = nset_tiff_open(&t, fuzz_file("a.tif", data, size), size % 2 ? "pages" : NULL, &err);

    fuzz_check(status, &err);
    if (status == NSET_OK) {
        const nset_tiff_info *info = nset_tiff_about(t);
        if (info->n_frames > 0 && info->height * info->width <= sizeof frame / sizeof *frame) {
            nset_error first = { 0 }, last = { 0 };
            fuzz_check(nset_tiff_read(t, frame, 0, &first), &first);
            fuzz_check(nset_tiff_read(t, frame, info->n_frames - 1, &last), &last);
        }
    }
    nset_tiff_close(t);
    return 0;
}
