/* How well the spikes of a unit stand apart from those of the units around it, with SpikeInterface's names and
 * definitions (0.105), on principal components.
 *
 * isolation_distance: squared Mahalanobis distance, in the unit's own covariance, of the n-th nearest foreign spike, n
 * the smaller of the two numbers of spikes; l_ratio: sum over foreign spikes of 1 - chi2cdf(distance), over the unit's
 * number of spikes (Schmitzer-Torbert et al. 2005). d_prime: distance of the means in standard deviations along
 * Fisher's discriminant (Hill et al. 2011), positive. nn_hit_rate, nn_miss_rate: share of the 5 nearest neighbours of
 * the unit's spikes, and of foreign ones, that are the unit's (Chung et al. 2017), on an even spread of at most
 * NSET_CLUSTER_NEIGHBOURHOOD spikes. nn_isolation: share of the 4 nearest neighbours that are of a spike's own unit, of
 * the unit and one other, as many spikes of each; the least over the others. silhouette: the simplified one, by
 * distances to the means of the units (Hruschka et al. 2006).
 *
 * No other unit around: nn_hit_rate 1, nn_miss_rate 0, nn_isolation 1, the others NaN. A covariance that has no
 * inverse, as of fewer spikes than components: NaN.
 */
#ifndef NSET_EPHYS_MEASURES_CLUSTER_H
#define NSET_EPHYS_MEASURES_CLUSTER_H

#include "ephys/sorting.h"
#include "ephys/whiten.h"

enum { NSET_CLUSTER_SPIKES = 250, NSET_CLUSTER_CONTACTS = 6, NSET_CLUSTER_NEIGHBOURHOOD = 1000 };

/* x (n, n_dims): spikes in numbers, the n_own of the unit first; unit (n - n_own): whose the others are, any order.
 * Errors: NSET_ERR_NOMEM. */
nset_status nset_cluster_measure(nset_cluster_measures *m, const float *x, size_t n_own, const int32_t *unit, size_t n,
    size_t n_dims, nset_error *err);

/* Fills nset_unit.cluster of all units. The numbers are three principal components (those of pc_features.npy) on the at
 * most NSET_CLUSTER_CONTACTS contacts nearest to the unit's; spikes: an even spread, of those in the segments, of at
 * most NSET_CLUSTER_SPIKES a unit, of the units whose largest contact is among them. Errors: NSET_ERR_NOMEM, those of
 * reading. */
nset_status nset_sorting_measure_clusters(nset_sorting *s, const nset_probe *probe, nset_whitened *w,
    const int64_t *segments, size_t n_segments, nset_error *err);

#endif
