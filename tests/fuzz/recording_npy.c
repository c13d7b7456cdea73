#include "recording.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const nset_recording_options options = {
        .format = "npy", .rate_hz = 1000, .order = size % 2 ? "channel-major" : NULL
    };
    const char *path = fuzz_file("a.npy", data, size);

    fuzz_recording(path, &options);
    return 0;
}
