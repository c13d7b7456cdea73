/* More measures of units, with SpikeInterface's names and definitions (0.105), from what a sorting holds.
 *
 * Trains: sliding_rp (smallest contamination of .5 .. 35 % that the autocorrelogram excludes with 90 % confidence for a
 * refractory period between .5 and 10 ms), amplitude median, median and 5-95 % range of the coefficient of variation in
 * bins of 50 spikes, 5-95 % range of the rate in bins of 5 s, share of spikes at the same sample as at least 1, 3, 7
 * other units' (sync_spike_2, 4, 8), sd_ratio (standard deviation of the steps between amplitudes over sqrt(2), spikes
 * within 4 ms of a kept one left out, over the noise of the unit's channel), drift of the median depth in bins of 60 s.
 *
 * Template of the unit's channel, 10 times finer: time from trough to the peak after it, half widths of trough and
 * larger peak, slope from the trough to 0 and in the .7 ms after the peak, larger peak over trough.
 *
 * Not defined, or too few spikes or bins: NaN.
 */
#ifndef NSET_EPHYS_MEASURES_MORE_H
#define NSET_EPHYS_MEASURES_MORE_H

#include "ephys/sorting.h"

/* Fills nset_unit.more of all units; spikes, units with channel, amplitude and SNR, and templates must be there.
 * Errors: NSET_ERR_NOMEM. */
nset_status nset_sorting_measure_more(nset_sorting *s, nset_error *err);

/* template (n) microvolts of one channel. Errors: NSET_ERR_NOMEM. */
nset_status nset_template_measure(
    nset_more_measures *m, const float *template, size_t n, double rate_hz, nset_error *err);

#endif
