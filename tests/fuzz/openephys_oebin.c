#include "recording.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const nset_recording_options options = { .format = "openephys", .stream = size % 2 ? "b" : NULL };
    const char *path = fuzz_file("structure.oebin", data, size);

    fuzz_recording(path, &options);
    return 0;
}
