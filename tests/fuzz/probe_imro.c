#include "recording.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t samples[64];
    nset_recording_options options = { .format = "raw", .rate_hz = 30000, .n_channels = 4, .gain_uv = 1 };

    options.probe = fuzz_file("a.imro", data, size);
    fuzz_recording(fuzz_file("a.bin", samples, sizeof samples), &options);
    return 0;
}
