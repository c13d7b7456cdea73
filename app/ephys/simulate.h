/* Recordings whose every spike is known.
 *
 * A cell is a small tree of cable compartments: the membrane potential of each is an action potential that travels,
 * fades and widens along its branch, the current through a membrane is what the axial currents leave over (so all
 * currents of a cell sum to zero), and a contact sees each compartment as a point source. Kinds: wide (long apical
 * dendrite), narrow (many short dendrites), axon (a bare travelling potential).
 *
 * A recording is noise of two kinds (white; pink and correlated over space), slow field potential and line noise, many
 * small cells that are in no truth, the units, optional drift and artefacts, each channel with a gain of its own.
 * Each purpose draws from its own random stream: the same options give the same bytes at any number of threads, and
 * leaving one thing out leaves the others as they were.
 *
 * Nunez & Srinivasan 2006, "Electric fields of the brain" (point sources in a homogeneous conductor); Holt & Koch 1999,
 * "Electrical interactions via the extracellular potential near cell bodies" (currents that sum to zero).
 */
#ifndef NSET_EPHYS_SIMULATE_H
#define NSET_EPHYS_SIMULATE_H

#include <stddef.h>
#include <stdint.h>
#include <neuroset/error.h>
#include <neuroset/workers.h>
#include "ephys/probe.h"

typedef struct nset_sim_options {
    const char *layout;  /* np1, np2, shanks, tetrode, linear, grid */
    const char *library; /* npz of measured mean waveforms for the units; NULL: cells are made */
    long n_channels, n_units;
    double pitch_um; /* tetrode, linear, grid */
    double seconds, rate_hz;
    double noise_uv;                     /* standard deviation in 300-6000 Hz */
    double min_snr, median_snr, max_snr; /* peak of the band-passed template over the noise of its channel */
    double snr_sigma;                    /* of log SNR */
    double median_hz, hz_sigma;          /* firing rates, log-normal */
    double bursting;                     /* share of the units that burst */
    double refractory_ms;
    double jitter;   /* standard deviation of a spike's amplitude, relative */
    double sync;     /* 0: independent trains */
    double hash;     /* background cells a channel */
    double hash_max; /* their largest peak in noise standard deviations */
    double pink;     /* share of the noise's power that is pink and correlated */
    double reach_um; /* of its correlation */
    double lfp_uv, line_uv;
    double gain_spread;
    double drift_um; /* peak to peak */
    long drift_jumps;
    double drift_nonrigid; /* the far ends of the probe move by this share more and less, half of it each */
    long n_artefacts;
    uint64_t seed;
} nset_sim_options;

#define NSET_SIM_OPTIONS_INIT                                                                                          \
    {                                                                                                                  \
        .layout = "np1", .n_channels = 32, .n_units = 15, .pitch_um = 25, .seconds = 60, .rate_hz = 30000,             \
        .noise_uv = 8, .min_snr = 3.5, .median_snr = 8, .max_snr = 30, .snr_sigma = .5, .median_hz = 5,                \
        .hz_sigma = .8, .bursting = .5, .refractory_ms = 2, .jitter = .08, .sync = 1, .hash = 6, .hash_max = 1.5,      \
        .pink = .6, .reach_um = 45, .lfp_uv = 120, .line_uv = 4, .gain_spread = .04, .drift_jumps = 1, .seed = 7       \
    }

typedef struct nset_sim_spike {
    int64_t sample; /* nearest to the trough */
    int32_t unit;
    float amplitude, displacement_um;
} nset_sim_spike;

typedef struct nset_sim_unit {
    const char *kind; /* static */
    double x_um, y_um, snr, rate_hz;
    size_t best_channel, n_spikes;
} nset_sim_unit;

typedef struct nset_sim {
    nset_sim_options options;
    int64_t n_samples;
    size_t n_channels, n_units, n_spikes;
    double gain_uv;
    nset_probe probe;
    float *x;                    /* (n_samples, n_channels) microvolts; owned, as all below */
    int64_t x_first;             /* sample of its first row; 0 but while it is made by blocks */
    double *noise_uv;            /* (n_channels) MAD / .6745 in 300-6000 Hz, hash included */
    nset_sim_spike *spikes;      /* (n_spikes) by sample, then unit */
    nset_sim_unit *units;        /* (n_units) */
    size_t length, pre;          /* of templates, in samples */
    float *templates;            /* (n_units, length, n_channels) microvolts, no drift */
    size_t n_drift;              /* points of drift, 10 ms apart */
    double *drift_um;            /* (n_drift) at the middle of the probe */
    double middle_um, height_um; /* of the probe, along y */
    int64_t *artefacts;          /* (n_artefacts, 2) first and past-the-end sample */
    size_t n_artefacts;
} nset_sim;

/* workers may be NULL. Errors: NSET_ERR_ARG (an option out of its range), NSET_ERR_NOMEM, NSET_ERR_CANCELLED. */
nset_status nset_sim_make(nset_sim **out, const nset_sim_options *options, nset_workers *workers, nset_error *err);
void nset_sim_free(nset_sim *s); /* NULL is legal */

/* *n := waveforms in a library, at most 2000. Errors: NSET_ERR_FORMAT. */
nset_status nset_sim_library_count(long *n, const char *path, nset_error *err);

/* Options of the seed-th recording of a varied collection: random probe, units, noise. seconds stays as given. */
nset_sim_options nset_sim_random(uint64_t seed, double seconds);

/* Makes a recording and writes prefix.bin (int16, samples x channels), prefix.json (facts), prefix.probe.json
 * (probeinterface) and prefix.truth.npz (layout of SpikeInterface's NpzSorting, with templates, places, amplitudes). A
 * minute is in memory at a time, the same samples as nset_sim_make gives; *out has no x. Noise of one minute is faded
 * into the next one's. Errors: as nset_sim_make, NSET_ERR_IO. */
nset_status nset_sim_record(
    nset_sim **out, const nset_sim_options *options, const char *prefix, nset_workers *workers, nset_error *err);

#endif
