/* Zero-phase filtering of a recording in fixed segments.
 *
 * Segment i holds the samples i * NSET_HOP .. (i + 1) * NSET_HOP - 1; it is filtered by one FFT of NSET_FFT samples
 * that reach NSET_MARGIN beyond both ends (the recording's ends are mirrored), so that a sample's value depends on its
 * place in the recording alone, never on how much is read at once.
 */
#ifndef NSET_SIGNAL_SEGMENTS_H
#define NSET_SIGNAL_SEGMENTS_H

#include <neuroset/workers.h>
#include "signal/source.h"

enum { NSET_FFT = 32768, NSET_MARGIN = 2048, NSET_HOP = NSET_FFT - 2 * NSET_MARGIN, NSET_BINS = NSET_FFT / 2 + 1 };

typedef struct nset_segments nset_segments;

/* source is used, not owned. Errors: NSET_ERR_NOMEM. */
nset_status nset_segments_open(nset_segments **out, nset_source *source, nset_workers *workers, nset_error *err);
void nset_segments_close(nset_segments *s);

int64_t nset_segments_count(const nset_segments *s);
size_t nset_segment_length(const nset_segments *s, int64_t i); /* NSET_HOP, less in the last one */

/* out (n_channels, NSET_FFT), channel by channel: segment i with its margins, filtered with the real gains of
 * response (NSET_BINS); sample t of the segment is at NSET_MARGIN + t. */
nset_status nset_segments_read(nset_segments *s, float *out, int64_t i, const float *response, nset_error *err);

/* response (NSET_BINS) of the band from low_hz to high_hz: 1 inside, raised cosines of 10 % of the edge outside. */
void nset_band_response(float *response, double low_hz, double high_hz, double rate_hz);

#endif
