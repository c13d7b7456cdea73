/* What decides the bytes of a segmentation, as a name: only stages made from the same may be gone on with. */
#ifndef NSET_COMMANDS_SEGMENT_KEY_H
#define NSET_COMMANDS_SEGMENT_KEY_H

#include <jansson.h>
#include "imaging/movie.h"
#include "results/key.h"

/* more (n_more): further files, NULL: none; model may be NULL. key := hash of program, model, arguments and settings
 * (results/key.h), and the movie: each file's name, size, time and ends, facts, and frames here and there. Errors:
 * NSET_ERR_NOMEM, those of reading. */
nset_status nset_segment_key(char key[NSET_KEY], nset_movie *movie, const char *const *args, size_t n_args,
    const char *const *more, size_t n_more, const json_t *origins, const char *model, nset_error *err);

#endif
