#include "recording.h"

/* A header alone is one of a folder: whose signals or channels lie beside it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t samples[64] = { 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 9 };
    const nset_recording_options options = { .format = "intan" };

    fuzz_file("amplifier.dat", samples, sizeof samples);
    fuzz_file("amp-B-000.dat", samples, sizeof samples);
    fuzz_file("amp-B-001.dat", samples, 10);
    fuzz_file("time.dat", samples, 40);
    fuzz_recording(fuzz_file("info.rhd", data, size), &options);
    return 0;
}
