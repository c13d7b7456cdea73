/* Where a spike's source lies, from its sizes on the contacts around its unit's.
 *
 * The size on a contact is the product of its band-passed signal with one waveform, that of the unit's largest contact:
 * less noisy than peaks, and the same share of the spike on each. The source is a point at (x, y), z in front of the
 * probe, whose potential falls with distance, 1 / sqrt(dx^2 + dy^2 + z^2) (Boussard et al. 2021); its strength is
 * fitted, the place searched for within 40 um of the contact along y, within 20 um of the contacts along x (contacts in
 * one column say nothing of x: theirs is kept), z from 10 to 80 um, to about 1 um.
 */
#ifndef NSET_EPHYS_PLACES_H
#define NSET_EPHYS_PLACES_H

#include <stddef.h>
#include <neuroset/error.h>
#include "ephys/probe.h"

enum { NSET_PLACE_CONTACTS = 24 };

typedef struct nset_placer {
    size_t n, length;
    size_t channel[NSET_PLACE_CONTACTS];
    double x[NSET_PLACE_CONTACTS], y[NSET_PLACE_CONTACTS]; /* of the contacts, um */
    double low[3], high[3];                                /* of x, y, z */
    float *shape;                                          /* (length); owned */
    size_t n_starts;
    float *start;      /* (n_starts, n) sizes of sources to start from, norm 1; owned */
    double (*from)[3]; /* (n_starts) their places; owned */
} nset_placer;

/* For spikes of a unit with its largest contact home, where its waveform is shape (length). Errors: NSET_ERR_NOMEM. */
nset_status nset_placer_init(
    nset_placer *p, const nset_probe *probe, size_t home, const float *shape, size_t length, nset_error *err);
void nset_placer_fini(nset_placer *p);

/* Place of the spike whose snippet starts at row `at` of signal, whose row t of channel c is
 * signal[t * row + c * column]; rows outside the n_rows count as 0. The
 * place of the largest contact where the spike has no size at all. */
void nset_placer_place(const nset_placer *p, double *x, double *y, const float *signal, size_t n_rows, size_t row,
    size_t column, ptrdiff_t at);

#endif
