/* What a stage leaves, as a file: from it a later run goes on as if there had been no pause.
 *
 * The bytes of the machine, since the file is read where it was written, and an XXH3-128 of all of them at the end.
 * Written beside and renamed. It is not synced to the disk, which takes longer than a stage may: what a power cut
 * spoils, the sum tells.
 */
#ifndef NSET_RESULTS_STATE_H
#define NSET_RESULTS_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <neuroset/error.h>

typedef struct nset_state_out nset_state_out;

/* Errors: NSET_ERR_IO, NSET_ERR_NOMEM. */
nset_status nset_state_create(nset_state_out **out, const char *path, nset_error *err);
/* That it failed is told by the commit. */
void nset_state_put(nset_state_out *to, const void *bytes, size_t n);
/* Puts the file in its place; frees to. Errors: NSET_ERR_IO. */
nset_status nset_state_commit(nset_state_out *to, nset_error *err);

typedef struct nset_state_in nset_state_in;

/* Reads the whole file once to compare its sum, so that no count in it is taken before it is known to be what was
 * written. Errors: NSET_ERR_IO; NSET_ERR_FORMAT (cut or changed); NSET_ERR_NOMEM. */
nset_status nset_state_open(nset_state_in **out, const char *path, nset_error *err);
void nset_state_close(nset_state_in *from); /* NULL is legal */
/* bytes := the next n. Errors: NSET_ERR_FORMAT when fewer are left. */
nset_status nset_state_take(nset_state_in *from, void *bytes, size_t n, nset_error *err);
/* The pointer at out := n new things of size bytes each, read; nset_free. Errors: as above, NSET_ERR_NOMEM. */
nset_status nset_state_take_new(void *out, nset_state_in *from, uint64_t n, size_t size, nset_error *err);
uint64_t nset_state_left(const nset_state_in *from);
/* May n things of size bytes still come? */
bool nset_state_may_come(const nset_state_in *from, uint64_t n, size_t size);
/* Fails with the words for a file that is not what it should be. */
nset_status nset_state_damaged(const nset_state_in *from, nset_error *err);

#endif
