/* A source is something one can read samples of a recording from: a reader, or a stage around another source.
 *
 * Samples are (n_samples, n_channels), row-major, in microvolts (or in the unit that the stage says). Any cut of a
 * recording into reads gives the same samples to the bit: stages work in fixed segments counted from sample 0.
 * A source is used by one thread at a time.
 */
#ifndef NSET_SIGNAL_SOURCE_H
#define NSET_SIGNAL_SOURCE_H

#include <stddef.h>
#include <stdint.h>
#include <neuroset/error.h>

typedef struct nset_source nset_source;

struct nset_source { /* first member of each reader and each stage */
    const char *name;
    size_t n_channels;
    double rate_hz;
    int64_t n_samples;
    /* out (n, n_channels) := samples start .. start+n-1, all inside the recording. */
    nset_status (*read)(nset_source *self, float *out, int64_t start, size_t n, nset_error *err);
    void (*close)(nset_source *self); /* frees self and the sources it owns */
};

#endif
