#include "recording.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t samples[64];
    const nset_recording_options options = { .format = "json" };

    const char *json = fuzz_file("a.json", data, size), *bin = fuzz_file("a.bin", samples, sizeof samples);

    fuzz_recording(size % 2 ? json : bin, &options);
    return 0;
}
