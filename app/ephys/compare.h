/* A sorting against the truth, by the rules of SpikeInterface's ground-truth comparison.
 *
 * Matches n[i, j]: walking through the true spikes in time, each found spike within delta samples (inclusive) counts
 * for its pair of units, unless the last match of that pair used the same true or the same found spike; at most the
 * spikes of the found unit. Agreement is n / (N_true + N_found - n). Pairing: the assignment of the largest sum of
 * agreements, where only those of at least .5 count; other units stay unpaired. Of a paired true unit accuracy is the
 * agreement, recall n / N_true, precision n / N_found; of an unpaired one all three are 0. Well detected: accuracy >=
 * .8. False positive: a found unit whose agreement with every true unit is below .2. Redundant: unpaired, with an
 * agreement of at least .2 with a true unit whose best found unit is another one. Overmerged: agreement above .2 with
 * two true units or more.
 *
 * Two more rules take for each true unit the best found unit, which may be that of other true units too:
 *   kilosort     a true spike is missed when the found unit has none within delta (.2 ms), a found one is false when
 * the true unit has none; the score is 1 - misses / N_true - false / N_found, not below 0. Looked at are the 20 found
 * units nearest in depth, or all when depths are not known. Found: score above .8. spikeforest  accuracy = agreement
 * with delta 1 ms; the number of units above .8, and the mean over those with an SNR above 8.
 *
 * Pachitariu et al. 2024, "Spike sorting with Kilosort4"; Magland et al. 2020, "SpikeForest".
 */
#ifndef NSET_EPHYS_COMPARE_H
#define NSET_EPHYS_COMPARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <neuroset/error.h>

/* Spikes of units, from whichever files hold them. */
typedef struct nset_trains {
    size_t n, n_units;
    int64_t *sample;  /* (n), by sample, then unit; owned, as all */
    size_t *unit;     /* (n) index of the unit in ids */
    int64_t *ids;     /* (n_units) ascending */
    size_t *n_spikes; /* (n_units) */
    double *snr;      /* (n_units) NaN: not known */
    double *y_um;     /* (n_units) depth, NaN: not known */
    bool *good;       /* (n_units) labelled good in units.csv; all when there is none */
    bool has_labels;
    double rate_hz; /* 0: not known */
} nset_trains;

/* path: a result folder (spikes.npz, units.csv), a Phy folder (spike_times.npy, spike_clusters.npy or
 * spike_templates.npy, params.py for the rate), or an npz with SpikeInterface's NpzSorting keys or samples and labels.
 * Errors: NSET_ERR_FORMAT, NSET_ERR_NOMEM. */
nset_status nset_trains_read(nset_trains **out, const char *path, nset_error *err);
void nset_trains_free(nset_trains *t); /* NULL is legal */

typedef enum nset_compare_rule {
    NSET_COMPARE_SPIKEINTERFACE,
    NSET_COMPARE_KILOSORT,
    NSET_COMPARE_SPIKEFOREST
} nset_compare_rule;

/* How far apart the same spike may lie by the rule, in ms. */
double nset_compare_delta_ms(nset_compare_rule rule);

typedef struct nset_sorting_score {
    size_t n_true, n_found;
    double *accuracy, *recall, *precision; /* (n_true), owned */
    size_t *pair;                          /* (n_true) index of the found unit, NSET_UNASSIGNED: none; owned */
    double *agreement;                     /* (n_true, n_found), owned */
    double mean_accuracy, mean_recall, mean_precision; /* 0 without true units */
    size_t well, false_positive, false_positive_good, redundant, overmerged;
    size_t n_clear;    /* true units of SNR above 8, by the rules of the best unit */
    double mean_clear; /* their mean accuracy */
} nset_sorting_score;

/* delta: samples. Errors: NSET_ERR_NOMEM. */
nset_status nset_sorting_compare(
    nset_sorting_score *out, const nset_trains *truth, const nset_trains *found, int64_t delta, nset_error *err);
/* The same by one of the rules of the best unit: accuracy is the score, agreement stays NULL, false positives,
 * redundant and overmerged units are not defined and 0. Errors: NSET_ERR_NOMEM. */
nset_status nset_sorting_compare_best(nset_sorting_score *out, const nset_trains *truth, const nset_trains *found,
    nset_compare_rule rule, int64_t delta, nset_error *err);
/* matches (n_true, n_found), zeroed := pairs of spikes at most delta apart, as above. */
nset_status nset_compare_matches(
    int64_t *matches, const nset_trains *truth, const nset_trains *found, int64_t delta, nset_error *err);
void nset_sorting_score_fini(nset_sorting_score *s);

#endif
