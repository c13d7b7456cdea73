#include "movie.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const nset_movie_options o = { .allow_missing = size % 2, .plane = size % 3 == 0 };

    fuzz_movie(fuzz_file("a.tif", data, size), &o);
    return 0;
}
