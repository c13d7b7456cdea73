/* What decides the bytes of a sorting, as a name: only stages made from the same may be gone on with. */
#ifndef NSET_COMMANDS_SORT_KEY_H
#define NSET_COMMANDS_SORT_KEY_H

#include <jansson.h>
#include <neuroset/error.h>
#include "ephys/recording.h"
#include "results/key.h"

/* key := hash of program, model, arguments and settings (results/key.h), the metadata (NULL: none), and the recording:
 * each file's name, size, time and ends, facts, places, gaps and samples here and there. Errors: NSET_ERR_NOMEM, those
 * of reading. */
nset_status nset_sort_key(char key[NSET_KEY], const nset_recording *r, const char *const *args, size_t n_args,
    const json_t *origins, const json_t *metadata, const char *model, nset_error *err);

#endif
