/* Whitening in time and across channels: noise of unit density in the band.
 *
 * In time: the inverse square root of the median periodogram, 300-6000 Hz, zero phase. Across channels: the inverse
 * square root of the covariance of spike-free samples, shrunk towards its diagonal. Scale: the filtered signal fills
 * the band only, so noise of variance 1 a sample would make a matched filter's noise sqrt(rate / 2 / 5700) times too
 * large; samples are scaled such that a template w answers with noise of variance |w|^2 (unit density). One noise
 * standard deviation is then `density` large.
 *
 * Whitened samples are kept as whole numbers of 1/32 noise sd: rounding adds a noise of .009 sd and halves the memory.
 *
 * Artefacts are found by common mode and duration: three quarters of the channels beyond 4 sd for more than 15 % of
 * 10 ms, longer than spikes last; they are blanked with 10 ms each side. Gaps of the recording are levelled (level.h)
 * and blanked with 5 ms each side, so that no event is locked to a joint.
 *
 * Rossant et al. 2016 and Pachitariu et al. 2024 whiten across channels; for the time axis see Pillow et al. 2013.
 */
#ifndef NSET_EPHYS_WHITEN_H
#define NSET_EPHYS_WHITEN_H

#include <stdbool.h>
#include <neuroset/workers.h>
#include "ephys/recording.h"
#include "signal/segments.h"

#define NSET_WHITENED_HIGH_HZ 6000. /* nothing is above */

typedef struct nset_whitened nset_whitened;

/* Looks at a fixed spread of segments and learns the noise. memory: bytes the cache of segments may take; it changes
 * the time, never the samples. reference: subtract the median over channels first. recording and workers are used, not
 * owned. Errors: NSET_ERR_FORMAT, NSET_ERR_NOMEM, NSET_ERR_CANCELLED. */
nset_status nset_whitened_open(nset_whitened **out, const nset_recording *recording, bool reference, size_t memory,
    nset_workers *workers, nset_error *err);
void nset_whitened_close(nset_whitened *w);

/* Whitened samples start .. start + n - 1, 0 outside the recording. First they are made available, at most 2 NSET_HOP
 * of them and until the next call for others; then any thread may take x (n) of a channel. */
nset_status nset_whitened_hold(nset_whitened *w, int64_t start, size_t n, nset_error *err);
void nset_whitened_take(const nset_whitened *w, float *x, size_t channel, int64_t start, size_t n);
/* The same as stored, whole numbers of nset_whitened_step. */
void nset_whitened_take_stored(const nset_whitened *w, int16_t *x, size_t channel, int64_t start, size_t n);
float nset_whitened_step(const nset_whitened *w, size_t channel);
/* Both for all channels, any n: x (n_channels, n). */
nset_status nset_whitened_planes(nset_whitened *w, float *x, int64_t start, size_t n, nset_error *err);
/* The same with the channels side by side: x (n, n_channels). */
nset_status nset_whitened_read(nset_whitened *w, float *x, int64_t start, size_t n, nset_error *err);
/* x := segment i of the band-passed signal in microvolts, unwhitened, not blanked: sample t of channel c is x[c *
 * NSET_FFT + t]. It is w's and stays until w is read again. */
nset_status nset_whitened_band(nset_whitened *w, const float **x, int64_t i, nset_error *err);

int64_t nset_whitened_segments(const nset_whitened *w);
size_t nset_whitened_segment_length(const nset_whitened *w, int64_t i);
size_t nset_whitened_channels(const nset_whitened *w);
int64_t nset_whitened_samples(const nset_whitened *w);
double nset_whitened_rate(const nset_whitened *w);
float nset_whitened_density(const nset_whitened *w);         /* noise sd of a sample */
const float *nset_whitened_matrix(const nset_whitened *w);   /* (n_channels, n_channels), after the filter in time */
const float *nset_whitened_noise_uv(const nset_whitened *w); /* (n_channels) sd of the band-passed signal */
bool nset_whitened_is_silent(const nset_whitened *w);        /* no channel has any noise: nothing to sort */

/* Blanked spans [first, last) of the segments read so far in samples, in order; owned by w. */
size_t nset_whitened_blanked(const nset_whitened *w, const int64_t (**spans)[2]);

#endif
