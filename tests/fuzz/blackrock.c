#include "recording.h"

#include <string.h>

enum { NEV_BASIC = 336, NEV_EXTENDED = 32 };

/* A .nev beside it gives channels 1 to 3 of a file without scale one. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t nev[NEV_BASIC + 3 * NEV_EXTENDED];
    const nset_recording_options options = { .format = "blackrock" };

    memcpy(nev, "NEURALEV", 8);
    nev[NEV_BASIC - 4] = 3;
    for (uint8_t i = 0; i < 3; i++) {
        memcpy(nev + NEV_BASIC + i * NEV_EXTENDED, "NEUEVWAV", 8);
        nev[NEV_BASIC + i * NEV_EXTENDED + 8] = i + 1;
        nev[NEV_BASIC + i * NEV_EXTENDED + 12] = 250;
    }
    fuzz_file("a.nev", nev, sizeof nev);
    fuzz_recording(fuzz_file("a.ns5", data, size), &options);
    return 0;
}
