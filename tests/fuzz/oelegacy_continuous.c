#include <string.h>

#include "recording.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const nset_recording_options options = { 0 };
    const char *paths[3];
    char folder[400];

    paths[0] = fuzz_file("100_CH1.continuous", data, size);
    paths[1] = fuzz_file("100_CH2.continuous", data, size - size / 8); /* cut, as when a recorder stops */
    paths[2] = fuzz_file("100_CH2_2.continuous", data, size);
    strcpy(folder, paths[0]);
    *strrchr(folder, '/') = '\0';
    fuzz_recording(folder, &options);
    fuzz_recordings(paths, 2, &options);
    fuzz_recordings(paths + 1, 2, &options);
    return 0;
}
