/* What decides the bytes of a result, as a name: only stages made from the same may be gone on with. */
#ifndef NSET_RESULTS_KEY_H
#define NSET_RESULTS_KEY_H

#include <jansson.h>
#include <stddef.h>
#include <neuroset/error.h>

enum { NSET_KEY = 33 }; /* characters of a key with its end */

typedef struct nset_key nset_key;

nset_status nset_key_create(nset_key **out, nset_error *err);
/* text := the key in hexadecimal; frees k. */
void nset_key_finish(char text[NSET_KEY], nset_key *k);
void nset_key_free(nset_key *k); /* NULL is legal */

void nset_key_add(nset_key *k, const void *bytes, size_t n);
nset_status nset_key_add_json(nset_key *k, const json_t *json, nset_error *err); /* NULL: nothing */
/* The program (version and file), the model's file, the arguments, and the settings of origins but those that never
 * change a result: threads, memory, device and what is told. Errors: NSET_ERR_IO, NSET_ERR_NOMEM. */
nset_status nset_key_add_run(
    nset_key *k, const char *const *args, size_t n_args, const json_t *origins, const char *model, nset_error *err);
/* A file too long to be read whole: size, time of its last change, first and last MiB; of a folder the same of each
 * file in it, but for the bytes. Errors: NSET_ERR_NOMEM. */
nset_status nset_key_add_file(nset_key *k, const char *path, nset_error *err);

#endif
