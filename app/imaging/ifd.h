/* The directories of a TIFF or BigTIFF file, walked by ourselves: 2 us a page where libtiff takes 20 and more.
 *
 * Everything in a file is untrusted: offsets, counts and sums are checked against the file's size before they are used.
 */
#ifndef NSET_IMAGING_IFD_H
#define NSET_IMAGING_IFD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <neuroset/error.h>

typedef struct nset_tiff_file {
    char *path; /* owned */
    int fd;     /* -1: closed */
    uint64_t size;
    bool big;       /* BigTIFF: offsets of 8 bytes */
    bool swap;      /* of the other byte order */
    uint64_t first; /* offset of the first directory */
} nset_tiff_file;

/* Opens, checks signature and header. Errors: NSET_ERR_FORMAT (what the file is, where its signature is known). */
nset_status nset_tiff_file_open(nset_tiff_file *f, const char *path, nset_error *err);
/* The same for a file of bytes that is no TIFF. */
nset_status nset_tiff_file_open_raw(nset_tiff_file *f, const char *path, nset_error *err);
void nset_tiff_file_close(nset_tiff_file *f);
/* Gives the descriptor back and takes one again: of many files few are open. Errors: NSET_ERR_FORMAT. */
void nset_tiff_file_rest(nset_tiff_file *f);
nset_status nset_tiff_file_wake(nset_tiff_file *f, nset_error *err);

/* to (n) := bytes of the file from offset on; false when they are not there. Safe from several threads. */
bool nset_tiff_file_bytes(const nset_tiff_file *f, void *to, uint64_t offset, size_t n);

/* Numbers of the file's byte order. */
uint16_t nset_tiff_u16(const nset_tiff_file *f, const void *p);
uint32_t nset_tiff_u32(const nset_tiff_file *f, const void *p);
uint64_t nset_tiff_u64(const nset_tiff_file *f, const void *p);

/* What pages of one movie have in common; no padding, so that kinds compare as bytes. */
typedef struct nset_page_kind {
    uint32_t width, height, rows_per_strip, tile_width, tile_height;
    uint16_t samples, bits, format, compression, photometric, planar, predictor, fill_order;
} nset_page_kind;

/* A field of a directory: count values of a type, from byte at of the file on. */
typedef struct nset_ifd_field {
    uint16_t type;
    uint64_t count, at;
} nset_ifd_field;

enum {                /* fields that are kept beside the kind; absent: count 0 */
    NSET_IFD_OFFSETS, /* of strips or tiles */
    NSET_IFD_BYTE_COUNTS,
    NSET_IFD_DESCRIPTION,
    NSET_IFD_DESCRIPTION2, /* Micro-Manager writes two */
    NSET_IFD_SOFTWARE,
    NSET_IFD_ARTIST,
    NSET_IFD_X_RESOLUTION,
    NSET_IFD_Y_RESOLUTION,
    NSET_IFD_MICRO_MANAGER, /* 51123 */
    NSET_IFD_UIC2,          /* 33629, MetaMorph */
    NSET_IFD_LSM,           /* 34412 */
    NSET_IFD_FIELDS
};

typedef struct nset_ifd {
    uint64_t offset; /* its own */
    nset_page_kind kind;
    uint64_t next;    /* 0: the last one */
    uint32_t subfile; /* bit 0: a reduced copy, no frame */
    uint16_t resolution_unit;
    uint64_t n_entries;
    bool tiled;
    nset_ifd_field field[NSET_IFD_FIELDS];
} nset_ifd;

#define NSET_IFD_EMPTY "it has no entries" /* a reason */

/* The directory at offset. Old writers of classic files run past 4 GB with offsets of 32 bits: what such a directory
 * beyond 4 GB refers to is looked for near it. *reason (a static text) says what is wrong with it; false then. */
bool nset_ifd_read(nset_ifd *out, const nset_tiff_file *f, uint64_t offset, const char **reason);

/* Value i of an integer field; 0 beyond its end. */
uint64_t nset_ifd_integer(const nset_tiff_file *f, const nset_ifd_field *field, uint64_t i);
/* A rational or real field's first value, 0 where there is none or it is no number. */
double nset_ifd_real(const nset_tiff_file *f, const nset_ifd_field *field);
/* The text of a field, ending with 0, at most most bytes of it; NULL: none, or no memory. nset_free it. */
char *nset_ifd_text(const nset_tiff_file *f, const nset_ifd_field *field, size_t most);

/* Byte at which the pixels of an uncompressed page begin that lie back to back, strip after strip; 0: they do not.
 * *ends: byte behind them. */
uint64_t nset_ifd_plain_data(const nset_tiff_file *f, const nset_ifd *d, uint64_t *ends);

#endif
