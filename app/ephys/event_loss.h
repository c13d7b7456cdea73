/* What the embedding of events is trained with. */
#ifndef NSET_EPHYS_EVENT_LOSS_H
#define NSET_EPHYS_EVENT_LOSS_H

#include <stddef.h>
#include <stdint.h>
#include <neuroset/error.h>
#include <neuroset/net.h>

/* Supervised contrast of embeddings z (n, d) against the means of the units around: -log of the probability of an
 * event's own unit under Gaussians of standard deviation 1 about each unit's mean, the event itself left out of its
 * own mean. So the loss is least when distances are in noise units. label (n): 0 .. n_labels-1, or < 0: of no unit
 * (noise, hash): an alternative for everybody, each with a Gaussian of its own, all together as likely as one unit, and
 * an anchor for nobody. Units of fewer than three events take no part.
 *
 * To it, scale_weight times the mean over dimensions of (log of the variance within units)^2 / 2, which holds the unit
 * of dimensions that the units at hand do not test.
 *
 * Snell et al. 2017, eqs. 1 and 2. *loss := mean over the events that take part; dz (n, d) := gradient (may be NULL);
 * *n_right := events whose own unit is the most probable (may be NULL); *n_tested: those that take part (may be NULL).
 * Errors: NSET_ERR_NOMEM. */
nset_status nset_loss_prototypes(double *loss, nset_real *dz, size_t *n_right, size_t *n_tested, const nset_real *z,
    const int32_t *label, size_t n_labels, size_t n, size_t d, double scale_weight, nset_error *err);

#endif
