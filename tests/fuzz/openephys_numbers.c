#include "openephys.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const nset_recording_options options = { .format = "openephys" };
    const char *paths[2] = { fuzz_openephys(), fuzz_openephys() };
    bool is_text = size == 0 || data[0] != 0x93;

    fuzz_file(FUZZ_STREAM "sample_numbers.npy", data, is_text ? 0 : size);
    fuzz_file(FUZZ_RECORDING "sync_messages.txt", data, is_text ? size : 0);
    fuzz_recordings(paths, 2, &options);
    return 0;
}
