#include "ephys/unit_columns.h"

#include <string.h>

#define AT(field) offsetof(nset_unit, field)
const nset_unit_column nset_unit_columns[] = {
    { "rate_hz", "spikes a second of the recording", AT(rate_hz) },
    { "snr", "size of the mean waveform at its largest contact over the noise there", AT(snr) },
    { "amplitude_uv", "size of the mean waveform at its largest contact in microvolts", AT(amplitude_uv) },
    { "isi_violations_ratio", "rate of intervals below 1.5 ms over what another neuron's spikes would give (Hill 2011)",
        AT(isi_violations_ratio) },
    { "rp_contamination", "share of other neurons' spikes, from a refractory period of 1 ms (Llobet 2022)",
        AT(rp_contamination) },
    { "presence", "share of the recording in which the unit fires", AT(presence) },
    { "amplitude_cutoff", "share of spikes below the threshold, from the shape of the amplitudes",
        AT(amplitude_cutoff) },
    { "isolation", "distance to the most similar other unit in standard deviations of the noise", AT(isolation) },
    { "sliding_rp", "smallest contamination that the autocorrelogram excludes with 90 % confidence",
        AT(more.sliding_rp) },
    { "amplitude_median", "median of the spikes' amplitudes in microvolts", AT(more.amplitude_median) },
    { "amplitude_cv_median", "coefficient of variation of the amplitudes: median over bins of 50 spikes",
        AT(more.amplitude_cv_median) },
    { "amplitude_cv_range", "the same: range from 5 to 95 % of the bins", AT(more.amplitude_cv_range) },
    { "firing_range", "rate in bins of 5 s: range from 5 to 95 % of the bins in Hz", AT(more.firing_range) },
    { "sync_spike_2", "share of spikes at one sample with at least 1 other unit's", AT(more.sync_spike_2) },
    { "sync_spike_4", "share of spikes at one sample with at least 3 other units'", AT(more.sync_spike_4) },
    { "sync_spike_8", "share of spikes at one sample with at least 7 other units'", AT(more.sync_spike_8) },
    { "sd_ratio", "spread of the amplitudes from spike to spike over the noise of the contact", AT(more.sd_ratio) },
    { "drift_ptp", "movement of the spikes' median depth, bins of 60 s: peak to peak in micrometres",
        AT(more.drift_ptp) },
    { "drift_std", "the same: standard deviation", AT(more.drift_std) },
    { "drift_mad", "the same: median absolute deviation", AT(more.drift_mad) },
    { "peak_to_trough_ms", "time from the trough to the peak after it in ms", AT(more.peak_to_trough_ms) },
    { "trough_half_width_ms", "width of the trough at half its depth in ms", AT(more.trough_half_width_ms) },
    { "peak_half_width_ms", "width of the larger peak at half its height in ms", AT(more.peak_half_width_ms) },
    { "repolarization_slope", "slope from the trough to 0 in microvolts a second", AT(more.repolarization_slope) },
    { "recovery_slope", "slope in the 0.7 ms after the peak in microvolts a second", AT(more.recovery_slope) },
    { "peak_to_trough_ratio", "height of the larger peak over the depth of the trough", AT(more.peak_to_trough_ratio) },
    { "isolation_distance", "squared Mahalanobis distance within which as many foreign spikes lie as the unit has",
        AT(cluster.isolation_distance) },
    { "l_ratio", "foreign spikes that the unit's distribution would hold, over its spikes", AT(cluster.l_ratio) },
    { "d_prime", "distance from the spikes around along Fisher's discriminant in standard deviations",
        AT(cluster.d_prime) },
    { "nn_hit_rate", "share of the 5 nearest neighbours of its spikes that are its own", AT(cluster.nn_hit_rate) },
    { "nn_miss_rate", "share of the 5 nearest neighbours of foreign spikes that are its own",
        AT(cluster.nn_miss_rate) },
    { "nn_isolation", "share of the 4 nearest neighbours that are of a spike's own unit, with the most similar unit",
        AT(cluster.nn_isolation) },
    { "silhouette", "how much nearer its spikes are to its mean than to another unit's, from -1 to 1",
        AT(cluster.silhouette) },
};
const size_t nset_n_unit_columns = sizeof nset_unit_columns / sizeof *nset_unit_columns;

double nset_unit_value(const nset_unit *u, const nset_unit_column *c)
{
    double v;

    memcpy(&v, (const char *)u + c->at, sizeof v);
    return v;
}
