/* What the targets of movies share: open, read first and last frame, close. */
#ifndef NSET_TESTS_FUZZ_MOVIE_H
#define NSET_TESTS_FUZZ_MOVIE_H

#include "fuzz.h"
#include "imaging/movie.h"

static inline void fuzz_movie(const char *path, const nset_movie_options *o)
{
    static float frame[1 << 20];
    nset_movie *m = NULL;
    nset_error err = { 0 };
    nset_status status = nset_movie_open(&m, &path, 1, o, &err);

    fuzz_check(status, &err);
    if (status != NSET_OK)
        return;
    if (m->height * m->width <= sizeof frame / sizeof *frame) {
        nset_error first = { 0 }, last = { 0 };
        fuzz_check(m->read(m, frame, 0, &first), &first);
        fuzz_check(m->read(m, frame, m->n_frames - 1, &last), &last);
    }
    nset_movie_close(m);
}

#endif
