#include <string.h>

#include "recording.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const nset_recording_options options = { .format = "openephys-legacy" };
    const char *paths[3];
    char folder[400];

    paths[0] = fuzz_file("100_CH1.continuous", data, size);
    paths[1] = fuzz_file("100_CH2.continuous", data, size - size / 8); /* cut, as when a recorder stops */
    paths[2] = fuzz_file("100_CH2_2.continuous", data, size);
    strcpy(folder, paths[0]);
    *strrchr(folder, '/') = '\0';
    if (size % 3 == 0)
        fuzz_recording(folder, &options);
    else
        fuzz_recordings(paths + size % 3 - 1, 2, &options);
    return 0;
}
