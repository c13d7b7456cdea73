#include "openephys.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const nset_recording_options options = { 0 };
    const char *path = fuzz_openephys();

    fuzz_file("settings.xml", data, size);
    fuzz_recording(path, &options);
    return 0;
}
