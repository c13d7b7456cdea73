#include "recording.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t samples[64];
    const nset_recording_options options = { 0 };

    fuzz_recording(fuzz_file("a.json", data, size), &options);
    fuzz_file("a.json", data, size);
    fuzz_recording(fuzz_file("a.bin", samples, sizeof samples), &options);
    return 0;
}
