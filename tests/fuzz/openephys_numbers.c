#include "openephys.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const nset_recording_options options = { 0 };
    const char *paths[2] = { fuzz_openephys(), fuzz_openephys() };

    fuzz_file(FUZZ_STREAM "sample_numbers.npy", data, size);
    fuzz_recordings(paths, 2, &options);
    fuzz_file(FUZZ_STREAM "sample_numbers.npy", data, 0);
    fuzz_file(FUZZ_RECORDING "sync_messages.txt", data, size);
    fuzz_recordings(paths, 2, &options);
    return 0;
}
