/* One .continuous file of Open Ephys: a text header of 1024 bytes, then records of one channel's samples, each with the
 * number of its first sample and a marker at its end.
 */
#ifndef NSET_EPHYS_OELEGACY_H
#define NSET_EPHYS_OELEGACY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <neuroset/error.h>

/* Records whose numbers and bytes follow each other. */
typedef struct nset_oelegacy_run {
    int64_t first, n; /* number of the first sample; how many samples */
    int64_t offset;   /* byte of the first record */
    int part;         /* counts up where the clock starts anew */
} nset_oelegacy_run;

typedef struct nset_oelegacy_file {
    char *path; /* owned */
    double version, rate_hz, bit_volts;
    double created_s;                                  /* seconds since 1970 by the header, 0: not told */
    int64_t header_bytes, block, record_bytes, before; /* samples of a record, its bytes, those before the samples */
    nset_oelegacy_run *run;                            /* owned, by part and number */
    size_t n_runs, cap_runs;
    size_t n_bad;       /* places where a record was damaged */
    int64_t bad_at;     /* byte of the first of them */
    int64_t torn;       /* bytes after the last whole record */
    int64_t overlap;    /* samples that records claim twice: the channel is corrupt; else 0 */
    int64_t overlap_at; /* record of the first of them */
} nset_oelegacy_file;

/* Reads the header and the frame of every record. Errors: NSET_ERR_FORMAT, NSET_ERR_NOMEM. */
nset_status nset_oelegacy_scan(nset_oelegacy_file *f, const char *path, nset_error *err);
void nset_oelegacy_fini(nset_oelegacy_file *f);

/* out[k * stride] := sample first + k of a part, for n of them, all inside one run. Errors: NSET_ERR_FORMAT. */
nset_status nset_oelegacy_read(const nset_oelegacy_file *f, int fd, int16_t *out, size_t stride,
    const nset_oelegacy_run *run, int64_t first, size_t n, nset_error *err);

#endif
