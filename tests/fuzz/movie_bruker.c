/* The XML file of a folder beside a TIFF file of one page of 2 x 3 pixels. */
#include "movie.h"

static const uint8_t tiff[] = { 'I', 'I', 42, 0, 14, 0, 0, 0, 1, 2, 3, 4, 5, 6, 8, 0, 0, 1, 3, 0, 1, 0, 0, 0, 3, 0, 0,
    0, 1, 1, 3, 0, 1, 0, 0, 0, 2, 0, 0, 0, 2, 1, 3, 0, 1, 0, 0, 0, 8, 0, 0, 0, 3, 1, 3, 0, 1, 0, 0, 0, 1, 0, 0, 0, 6, 1,
    3, 0, 1, 0, 0, 0, 1, 0, 0, 0, 17, 1, 4, 0, 1, 0, 0, 0, 8, 0, 0, 0, 22, 1, 3, 0, 1, 0, 0, 0, 2, 0, 0, 0, 23, 1, 4, 0,
    1, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const nset_movie_options o = { 0 };

    fuzz_file("bruker/a.tif", tiff, sizeof tiff);
    fuzz_movie(fuzz_file("bruker/scan.xml", data, size), &o);
    return 0;
}
