/* Measures of units with SpikeInterface's names and definitions, and the label that follows from them. */
#ifndef NSET_EPHYS_MEASURES_H
#define NSET_EPHYS_MEASURES_H

#include "ephys/sorting.h"

/* Fills rate, ISI violations (1.5 ms), RP contamination (1 ms; Llobet 2022), presence, amplitude cutoff of unit u from
 * the sorting's spikes. Needs n_spikes, rate_hz and n_samples of s. Errors: NSET_ERR_NOMEM. */
nset_status nset_unit_measure(nset_unit *u, const nset_sorting *s, nset_error *err);

/* Label and reason from the measures; confidence: mean probability of its spikes; norm: of its whitened template. */
void nset_unit_label(nset_unit *u, double confidence, double norm);

#endif
