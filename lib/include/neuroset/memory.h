/* One allocator for all: 64-byte aligned, zeroed, the multiplication checked, failure injectable. */
#ifndef NEUROSET_MEMORY_H
#define NEUROSET_MEMORY_H

#include <stddef.h>
#include <neuroset/error.h>

#define NSET_ALIGN 64

/* n * size zeroed bytes, aligned to NSET_ALIGN; NULL when that overflows or there is no memory.
 * n or size may be 0: the result can be freed and not be read. Release with nset_free. */
NSET_API void *nset_calloc(size_t n, size_t size);

/* Releases what nset_calloc, nset_strdup or nset_grow gave; NULL is legal. */
NSET_API void nset_free(void *p);

/* A copy of text, or NULL. */
NSET_API char *nset_strdup(const char *text);

/* Makes *array (of *capacity elements of size bytes) hold at least need elements, doubling; contents
 * stay, new elements are zero. array is the address of a pointer: nset_grow(&x, &cap, n, sizeof *x, err).
 * Errors: NSET_ERR_NOMEM, and the array is as it was. */
NSET_API NSET_MUST_CHECK nset_status nset_grow(
    void *array, size_t *capacity, size_t need, size_t size, nset_error *err);

#endif
