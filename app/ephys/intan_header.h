/* The header that Intan's RHD and RHS recorders put at the start of a recording, or alone into info.rhd or info.rhs.
 *
 * Intan Technologies, "RHD2000 Application note: Data file formats" and its RHS counterpart.
 */
#ifndef NSET_EPHYS_INTAN_HEADER_H
#define NSET_EPHYS_INTAN_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <neuroset/error.h>

enum { NSET_INTAN_NAME = 32 };

typedef struct nset_intan_header {
    bool is_stim; /* RHS */
    int major, minor;
    double rate_hz;
    int notch_hz;         /* 0: none */
    bool unsigned_times;  /* counts of samples are u32, not i32 */
    bool dc_saved;        /* RHS: direct-coupled samples beside each amplifier channel */
    size_t n_temperature; /* sensors */
    size_t n_disabled;    /* amplifier channels without data */
    size_t n_amplifier, n_aux, n_supply, n_adc, n_dac, n_in, n_out; /* enabled channels */
    char (*name)[NSET_INTAN_NAME]; /* (n_amplifier) native names such as A-000, owned */
    int64_t bytes;                 /* length of the header */
} nset_intan_header;

/* Does the file start as one of Intan's? Never an error. */
bool nset_intan_is_header(const char *path);

/* Errors: NSET_ERR_FORMAT, NSET_ERR_NOMEM. Fini in every case. */
nset_status nset_intan_header_read(nset_intan_header *h, const char *path, nset_error *err);
void nset_intan_header_fini(nset_intan_header *h);

/* Samples of a block of the traditional file, and its bytes: counts of samples (4 bytes each), the amplifier's samples
 * channel after channel, then the rest. */
size_t nset_intan_block_samples(const nset_intan_header *h);
size_t nset_intan_block_bytes(const nset_intan_header *h);

#endif
