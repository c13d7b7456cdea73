/* What sorting found: spikes in time order, and units. */
#ifndef NSET_EPHYS_SORTING_H
#define NSET_EPHYS_SORTING_H

#include <stddef.h>
#include <stdint.h>
#include <neuroset/error.h>

typedef enum nset_label { NSET_LABEL_GOOD, NSET_LABEL_MUA, NSET_LABEL_NOISE } nset_label;

/* What each means stands in ephys/measures_more.h. Durations in ms, slopes in microvolts a second. */
typedef struct nset_more_measures {
    double sliding_rp, amplitude_median, amplitude_cv_median, amplitude_cv_range, firing_range;
    double sync_spike_2, sync_spike_4, sync_spike_8, sd_ratio, drift_ptp, drift_std, drift_mad;
    double peak_to_trough_ms, trough_half_width_ms, peak_half_width_ms, repolarization_slope, recovery_slope;
    double peak_to_trough_ratio;
} nset_more_measures;

/* What each means stands in ephys/measures_cluster.h. */
typedef struct nset_cluster_measures {
    double isolation_distance, l_ratio, d_prime, nn_hit_rate, nn_miss_rate, nn_isolation, silhouette;
} nset_cluster_measures;

/* Measures as SpikeInterface defines them (reference: sorting measures). NaN where not defined. */
typedef struct nset_unit {
    int32_t id;
    size_t channel; /* canonical index of the best channel */
    double x_um, y_um;
    size_t n_spikes;
    double rate_hz, snr, amplitude_uv, isi_violations_ratio, rp_contamination, presence, amplitude_cutoff, isolation;
    nset_more_measures more;
    nset_cluster_measures cluster;
    nset_label label;
    char reason[160]; /* why that label */
} nset_unit;

typedef struct nset_spike {
    int64_t sample; /* of the trough (or peak) */
    int32_t unit;   /* id */
    int32_t second; /* second-best unit, -1: none */
    float amplitude_uv, probability, x_um, y_um;
} nset_spike;

typedef struct nset_sorting {
    double rate_hz;
    int64_t n_samples;
    size_t n_channels, n_spikes, n_units;
    nset_spike *spikes; /* (n_spikes), by sample, then unit; owned */
    nset_unit *units;   /* (n_units), ids 0 .. n_units-1; owned */
    size_t template_length, template_pre;
    float *templates;          /* (n_units, template_length, n_channels) microvolts of the band-passed signal; owned */
    float *templates_whitened; /* the same of the whitened signal; owned */
    float *whitening;          /* (n_channels, n_channels); owned */
} nset_sorting;

/* Number of the first spike at or behind a sample; n_spikes: there is none. */
size_t nset_sorting_spike_at(const nset_sorting *s, int64_t sample);
void nset_sorting_free(nset_sorting *s); /* NULL is legal; frees s */

#endif
