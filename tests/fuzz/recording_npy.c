#include "recording.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const nset_recording_options options = { .format = "npy", .rate_hz = 30000, .gain_uv = 1 };

    fuzz_recording(fuzz_file("a.npy", data, size), &options);
    return 0;
}
