/* One Neuralynx .ncs file: its header of text, and which of its records follow each other.
 *
 * After 16384 bytes of text come records of 1044 bytes: time (us), channel, rate, number of valid samples, 512 samples.
 */
#ifndef NSET_EPHYS_NCS_FILE_H
#define NSET_EPHYS_NCS_FILE_H

#include "ephys/layout.h"

enum { NSET_NCS_HEADER = 16384, NSET_NCS_RECORD = 1044, NSET_NCS_RECORD_HEADER = 20, NSET_NCS_SAMPLES = 512 };

/* Records without a break: all are full but the last. */
typedef struct nset_ncs_run {
    int64_t record; /* the first */
    int64_t n;      /* samples */
    int64_t start_us;
} nset_ncs_run;

typedef struct nset_ncs {
    char *path;                         /* owned */
    char name[64];                      /* of the channel */
    long channel;                       /* of the AD converter, -1: not said */
    double header_rate_hz, measured_hz; /* measured_hz: by the times of the records, 0: too few */
    double rate_hz;                     /* the one to believe */
    double gain_uv;                     /* 0: not said; negative: input inverted */
    bool is_inverted;
    double range_uv, low_hz, high_hz; /* 0: not said */
    bool delay_not_compensated;
    double delay_us;
    nset_ncs_run *run; /* owned */
    size_t n_runs;
    int64_t n_samples;
    int64_t n_empty;  /* records at the end that were never filled */
    int64_t n_beyond; /* records that say more than 512 valid samples */
    int torn_bytes;
    bool wraps; /* times jump by 2^32 us: taken out of start_us */
    int64_t wrap_sample;
    double wrap_us;
} nset_ncs;

/* Does the file start with Neuralynx's text, and is it called .ncs? Never an error. */
bool nset_ncs_is(const char *path);

/* A file with the header alone, or of 0 bytes, is read and has 0 samples. Fini in every case.
 * Errors: NSET_ERR_FORMAT, NSET_ERR_NOMEM. */
nset_status nset_ncs_read(nset_ncs *f, const char *path, nset_error *err);
void nset_ncs_fini(nset_ncs *f);

#endif
