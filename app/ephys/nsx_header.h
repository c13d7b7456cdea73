/* Headers of Blackrock's continuous files (.ns1 to .ns6): specifications 2.1, 2.2, 2.3 and 3.0.
 *
 * The scale of a file of specification 2.1 stands in the .nev file of the same name, if anywhere.
 */
#ifndef NSET_EPHYS_NSX_HEADER_H
#define NSET_EPHYS_NSX_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <neuroset/error.h>

typedef struct nset_nsx_channel {
    unsigned id;
    char label[17], unit[17];
    double gain_uv, offset_uv; /* gain 0: not known */
    bool is_input;             /* an analogue input of the recorder, not an electrode */
} nset_nsx_channel;

typedef struct nset_nsx_header {
    char version[8];
    bool has_packets, long_times; /* packets of data with times; of 64 bits */
    double rate_hz;
    double ticks_hz; /* of the times */
    int64_t bytes;   /* where data start */
    size_t n;
    nset_nsx_channel *channel; /* (n), owned */
    char scale_from[16];       /* "the file", ".nev" or "" */
} nset_nsx_header;

/* Is it Blackrock's? Never an error. */
bool nset_nsx_is(const char *path);

/* Fini in every case. Errors: NSET_ERR_FORMAT, NSET_ERR_NOMEM. */
nset_status nset_nsx_header_read(nset_nsx_header *h, const char *path, nset_error *err);
void nset_nsx_header_fini(nset_nsx_header *h);

#endif
