#include "recording.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const nset_recording_options options = { .format = "mda", .rate_hz = 20000 };

    fuzz_recording(fuzz_file("raw.mda", data, size), &options);
    return 0;
}
