/* Experiment.xml beside a raw file of 480 bytes. */
#include "movie.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t raw[480] = { 1, 2, 3 };
    const nset_movie_options o = { 0 };

    fuzz_file("thorlabs/Image_001_001.raw", raw, sizeof raw);
    fuzz_movie(fuzz_file("thorlabs/Experiment.xml", data, size), &o);
    return 0;
}
