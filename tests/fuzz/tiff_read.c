#include "fuzz.h"
#include "imaging/movie.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static float frame[1 << 20];
    const nset_movie_options o = { .allow_missing = size % 2, .plane = size % 3 == 0 };
    const char *path = fuzz_file("a.tif", data, size);
    nset_movie *m = NULL;
    nset_error err = { 0 };
    nset_status status = nset_movie_open(&m, &path, 1, &o, &err);

    fuzz_check(status, &err);
    if (status != NSET_OK)
        return 0;
    if (m->height * m->width <= sizeof frame / sizeof *frame) {
        nset_error first = { 0 }, last = { 0 };
        fuzz_check(m->read(m, frame, 0, &first), &first);
        fuzz_check(m->read(m, frame, m->n_frames - 1, &last), &last);
    }
    nset_movie_close(m);
    return 0;
}
