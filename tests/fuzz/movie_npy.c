#include "movie.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const nset_movie_options o = { 0 };

    fuzz_movie(fuzz_file("a.npy", data, size), &o);
    return 0;
}
