/* Two files of a run: the metas are the input's halves, before and after the first line that begins with =. */
#include <string.h>

#include "recording.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t samples[64];
    const nset_recording_options options = { .format = "spikeglx" };
    const nset_recording_options cut = { .format = "spikeglx", .cut_overlap = true, .stream = "imec" };
    const uint8_t *second = memmem(data, size, "\n=", 2);
    size_t first = second ? (size_t)(second - data) + 1 : size;
    const char *paths[2];
    char folder[400];

    fuzz_file("r_g0_t0.imec0.ap.bin", samples, sizeof samples);
    fuzz_file("r_g0_t1.imec0.ap.bin", samples, sizeof samples);
    paths[0] = fuzz_file("r_g0_t0.imec0.ap.meta", data, first);
    paths[1] = fuzz_file("r_g0_t1.imec0.ap.meta", data + first, size - first);
    strcpy(folder, paths[0]);
    *strrchr(folder, '/') = '\0';
    if (size % 3 == 0)
        fuzz_recording(folder, &options);
    else
        fuzz_recordings(paths, 2, size % 3 == 1 ? &options : &cut);
    return 0;
}
