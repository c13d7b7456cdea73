/* The threads' own means of reading pages: a descriptor, a handle of libtiff, a buffer. Used by pages.c alone. */
#ifndef NSET_IMAGING_PAGE_READERS_H
#define NSET_IMAGING_PAGE_READERS_H

#include "imaging/pages.h"

enum { NSET_PAGE_SAMPLES = 1 << 28 }; /* of the largest page */

typedef struct nset_page_readers nset_page_readers;

nset_status nset_page_readers_create(nset_page_readers **out, nset_error *err);
void nset_page_readers_free(nset_page_readers *r); /* NULL is legal */

/* Does libtiff read the directory at ifd of a file, and can it decode what it says? n: the page, for the message.
 * Errors: NSET_ERR_FORMAT, NSET_ERR_NOMEM. */
nset_status nset_page_readers_check(
    const nset_pages *p, const nset_page_kind *k, uint32_t file, uint64_t ifd, size_t n, nset_error *err);

#endif
