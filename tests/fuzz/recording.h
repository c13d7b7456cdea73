/* What the targets that open recordings share. */
#ifndef NSET_FUZZ_RECORDING_H
#define NSET_FUZZ_RECORDING_H

#include "ephys/recording.h"
#include "fuzz.h"

/* Opens the paths as one recording and reads a few samples from either end. */
static inline void fuzz_recordings(const char *const *paths, size_t n_paths, const nset_recording_options *options)
{
    nset_recording *r = NULL;
    nset_error err = { 0 };
    nset_status status = nset_recording_open(&r, paths, n_paths, options, &err);

    fuzz_check(status, &err);
    if (status == NSET_OK && r->source->n_channels <= 4096) {
        static float x[2 * 4096];
        int64_t n = r->source->n_samples;
        if (n >= 2) {
            fuzz_check(r->source->read(r->source, x, 0, 2, &err), &err);
            err = (nset_error){ 0 }; /* a sample that is no number is an error */
            fuzz_check(r->source->read(r->source, x, n - 2, 2, &err), &err);
        }
    }
    nset_recording_close(r);
}

static inline void fuzz_recording(const char *path, const nset_recording_options *options)
{
    fuzz_recordings(&path, 1, options);
}

#endif
