/* What a fuzz target needs. A target is one function for one reader; see README.md. */
#ifndef NSET_FUZZ_H
#define NSET_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <neuroset/error.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Traps unless a failure has a message of one line of its own status, and success has none. */
void fuzz_check(nset_status status, const nset_error *err);

/* A copy of the bytes that ends with 0, as readers of texts get them; free it. */
char *fuzz_text(const uint8_t *data, size_t size);

/* For readers that want a path: writes a file of that name (and ending) and returns its path, valid until the next
 * call for the same name and removed at exit. Several names give files side by side; a name may hold folders. */
const char *fuzz_file(const char *name, const uint8_t *data, size_t size);

#endif
