#include "recording.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const nset_recording_options options = { 0 }, chosen = { .stream = "b" };
    const char *path = fuzz_file("structure.oebin", data, size);

    fuzz_recording(path, &options);
    fuzz_recording(path, &chosen);
    return 0;
}
