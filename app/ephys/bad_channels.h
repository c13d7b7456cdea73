/* Channels that must not take part in sorting, and why.
 *
 * A survey looks at up to 8 filter segments spread evenly over a recording: extremes and equal neighbours of the raw
 * samples, noise of the band 300-6000 Hz. Faults, the first that fits:
 *   flat     every raw sample has the same value
 *   dead     noise below .15 of that of three quarters of the channels (below .02 of the other one when there are two)
 *   clipped  a fifth of the raw samples or more stand at the channel's own lowest or highest value
 *   copy     sample by sample the same as a channel before it, in canonical order
 *   unused   the file says so: the reference, or a site that the user switched off
 *   noisy    noise above 5 times the median of the channels left, and no other channel hears it (|r| < .5)
 */
#ifndef NSET_EPHYS_BAD_CHANNELS_H
#define NSET_EPHYS_BAD_CHANNELS_H

#include <neuroset/workers.h>
#include "ephys/recording.h"
#include "results/run.h"

typedef enum nset_channel_fault {
    NSET_CHANNEL_GOOD,
    NSET_CHANNEL_FLAT,
    NSET_CHANNEL_DEAD,
    NSET_CHANNEL_CLIPPED,
    NSET_CHANNEL_COPY,
    NSET_CHANNEL_NOISY,
    NSET_CHANNEL_UNUSED
} nset_channel_fault;

typedef struct nset_channel_state {
    nset_channel_fault fault;
    size_t copy_of; /* canonical index, of a copy */
    double noise_uv, low_uv, high_uv;
    double at_limit; /* share of the samples looked at that stand at low_uv or high_uv, when they stand there in rows */
} nset_channel_state;

typedef struct nset_channel_survey {
    size_t n_channels, n_bad;
    int64_t n_samples;           /* looked at */
    nset_channel_state *channel; /* (n_channels), owned */
    size_t n_band;
    float *band; /* (n_channels, n_band) a thinned out band-passed signal, for correlations; owned */
} nset_channel_survey;

/* workers may be NULL. A recording without samples has no faults. Errors: NSET_ERR_FORMAT, NSET_ERR_NOMEM,
 * NSET_ERR_CANCELLED. */
nset_status nset_bad_channels(
    nset_channel_survey *out, const nset_recording *r, nset_workers *workers, nset_error *err);
void nset_channel_survey_fini(nset_channel_survey *s);

/* "channel 3 (column 7): noisy: ..."; text of n bytes. */
void nset_channel_fault_text(
    char *text, size_t n, const nset_channel_survey *s, const nset_recording *r, size_t channel);
const char *nset_channel_fault_name(nset_channel_fault fault);
/* Correlation of two channels' band-passed signals; 0 when one is flat. */
double nset_channel_correlation(const nset_channel_survey *s, size_t a, size_t b);

/* *out := a view of r: channel (n), ascending. r must outlive it. Errors: NSET_ERR_NOMEM. */
nset_status nset_recording_only(
    nset_recording **out, const nset_recording *r, const size_t *channel, size_t n, nset_error *err);

/* *out := a view of r without the channels that have a fault; r must outlive it. When none would be left, all stay: it
 * is then the sorter's to find that there is nothing. Errors: NSET_ERR_NOMEM. */
nset_status nset_recording_without(
    nset_recording **out, const nset_recording *r, const nset_channel_survey *s, nset_error *err);

/* Surveys r and tells the user and run.json of each bad channel and of contacts at one place. *out := the recording to
 * sort: without them, or a view of all channels when keep says so. r must outlive it; close it. */
nset_status nset_leave_out_bad(nset_recording **out, const nset_recording *r, bool keep, nset_run_folder *folder,
    nset_workers *workers, nset_error *err);

/* Pairs of contacts at one place on one shank; the first such pair in a, b when there is one. */
size_t nset_contacts_at_one_place(size_t *a, size_t *b, const nset_probe *p);

#endif
