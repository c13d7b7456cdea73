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
    bool *good;       /* (n_units) labelled good in units.csv; all when there is none */
    bool has_labels;
    double rate_hz; /* 0: not known */
} nset_trains;

/* path: a result folder (spikes.npz, units.csv), a Phy folder (spike_times.npy, spike_clusters.npy or
 * spike_templates.npy, params.py for the rate), or an npz with SpikeInterface's NpzSorting keys or samples and labels.
 * Errors: NSET_ERR_FORMAT, NSET_ERR_NOMEM. */
nset_status nset_trains_read(nset_trains **out, const char *path, nset_error *err);
void nset_trains_free(nset_trains *t); /* NULL is legal */

typedef struct nset_sorting_score {
    size_t n_true, n_found;
    double *accuracy, *recall, *precision; /* (n_true), owned */
    size_t *pair;                          /* (n_true) index of the found unit, NSET_UNASSIGNED: none; owned */
    double *agreement;                     /* (n_true, n_found), owned */
    double mean_accuracy, mean_recall, mean_precision; /* 0 without true units */
    size_t well, false_positive, false_positive_good, redundant, overmerged;
} nset_sorting_score;

/* delta: samples. Errors: NSET_ERR_NOMEM. */
nset_status nset_sorting_compare(
    nset_sorting_score *out, const nset_trains *truth, const nset_trains *found, int64_t delta, nset_error *err);
void nset_sorting_score_fini(nset_sorting_score *s);

#endif
