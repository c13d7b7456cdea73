/* Pages of TIFF files, one after the other: read in any order, by several threads at once.
 *
 * Pixels that lie uncompressed and back to back are read by one pread a page and no library; all others through
 * libtiff, a handle of its own for each thread that reads. Raw files and NumPy arrays are such pages too, without
 * directories.
 */
#ifndef NSET_IMAGING_PAGES_H
#define NSET_IMAGING_PAGES_H

#include <jansson.h>
#include "imaging/ifd.h"
#include "imaging/sample.h"

typedef struct nset_page {
    uint64_t ifd;   /* offset of its directory, 0: it has none */
    uint64_t plain; /* byte of its pixels, 0 with a directory: only libtiff reads them */
    uint32_t file, kind;
} nset_page;

typedef struct nset_pages {
    nset_tiff_file *file; /* owned */
    size_t n_files, file_room;
    nset_page *page; /* owned */
    size_t n_pages, page_room;
    nset_page_kind *kind; /* distinct ones, owned */
    size_t n_kinds, kind_room;
    nset_sample_type type; /* of all pages */
    json_t *warnings;      /* array of strings, owned */
    bool allow_missing;    /* set before files are added: what is cut off is left out with a warning, not an error */
    struct nset_page_readers *readers;
} nset_pages;

nset_status nset_pages_init(nset_pages *p, nset_error *err);
void nset_pages_fini(nset_pages *p); /* a zeroed struct is legal */
void nset_pages_warn(nset_pages *p, const char *format, ...) NSET_PRINTF(2, 3);

/* Adds the pages of a file that are frames: reduced copies are not. All pages of all files must agree in size, samples
 * and type; compression and strips may differ. A loop of directories ends the file with a warning, as do pixels that
 * the end of the file cuts off.
 * Errors: NSET_ERR_FORMAT naming file and page, NSET_ERR_NOMEM. */
nset_status nset_pages_add_tiff(nset_pages *p, const char *path, nset_error *err);
/* Adds n pages of kind k that lie back to back from byte at of a file on; swap: of the other byte order.
 * Errors: NSET_ERR_FORMAT when the file is shorter than that, NSET_ERR_NOMEM. */
nset_status nset_pages_add_raw(
    nset_pages *p, const char *path, const nset_page_kind *k, uint64_t at, uint64_t n, bool swap, nset_error *err);
/* More pages of the kind of page 0 behind it in its file, n in all; the caller has checked that they are there. */
nset_status nset_pages_extend(nset_pages *p, uint64_t n, nset_error *err);

/* The directory of a page that has one. Errors: NSET_ERR_FORMAT. */
nset_status nset_pages_ifd(const nset_pages *p, size_t page, nset_ifd *d, nset_error *err);
/* Bytes of a page's pixels. */
uint64_t nset_pages_bytes(const nset_pages *p, size_t page);

/* to (height, width) := one sample of a page. Numbers of min-is-white pages are turned. Safe from several threads.
 * Errors: NSET_ERR_FORMAT naming file and page, NSET_ERR_NOMEM. */
nset_status nset_pages_read(const nset_pages *p, float *to, size_t page, size_t sample, nset_error *err);

#endif
