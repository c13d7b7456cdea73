#include "recording.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const nset_recording_options options = { .format = "npy", .rate_hz = 1000 };
    const nset_recording_options wide = { .format = "npy", .rate_hz = 1000, .order = "channel-major" };
    const char *path = fuzz_file("a.npy", data, size);

    fuzz_recording(path, &options);
    fuzz_recording(path, &wide);
    return 0;
}
