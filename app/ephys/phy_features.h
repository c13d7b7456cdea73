/* What Phy draws clouds of spikes from: principal components a channel, and how well a spike fits each template.
 *
 * For spikes in the segments given, with N such spikes, 3 components, L the contacts nearest to the template's largest
 * one (its shank first) and M the templates most like the spike's own, itself first:
 *   pc_features.npy (N, 3, L), pc_feature_ind.npy (n_templates, L): projections of the whitened snippet of each contact
 *     on the leading components of the units' whitened waveforms; noise has the same size in each;
 *   template_features.npy (N, M), template_feature_ind.npy (n_templates, M): size of the spike along each template over
 *     those contacts, in noise standard deviations;
 *   pc_feature_spike_ids.npy, template_feature_spike_ids.npy (N): which spikes, where it is not all of them.
 * Rows go to the files as the signal is read: memory does not grow with the recording. Fewer than two spikes have no
 * features, since Phy drops axes of length one; a single unit has no template features for the same reason.
 */
#ifndef NSET_EPHYS_PHY_FEATURES_H
#define NSET_EPHYS_PHY_FEATURES_H

#include "ephys/sorting.h"
#include "ephys/whiten.h"
#include "results/run.h"

enum { NSET_PHY_COMPONENTS = 3, NSET_PHY_CONTACTS = 12, NSET_PHY_TEMPLATES = 8 };

/* segments (n_segments) ascend. Errors: NSET_ERR_IO, NSET_ERR_NOMEM, NSET_ERR_FORMAT (the recording), CANCELLED. */
nset_status nset_phy_features_write(const nset_sorting *s, const nset_probe *probe, nset_whitened *w,
    const int64_t *segments, size_t n_segments, nset_run_folder *folder, nset_workers *workers, nset_error *err);

/* The contacts (n_units, n_near) that stand for each unit, and the units (n_units, n_like) most like each.
 * n_near <= n_channels, n_like <= n_units. */
void nset_phy_near_contacts(uint32_t *contact, size_t n_near, const nset_sorting *s, const nset_probe *probe);
nset_status nset_phy_like_units(uint32_t *like, size_t n_like, const nset_sorting *s, nset_error *err);

/* component (NSET_PHY_COMPONENTS, template_length) := leading components, about 0, of the whitened waveforms of all
 * units on their contacts (n_units, n_near), also shifted by a sample; signs such that the entry largest in size is
 * positive. Errors: NSET_ERR_NOMEM. */
nset_status nset_phy_components(
    float *component, const nset_sorting *s, const uint32_t *contact, size_t n_near, nset_error *err);

#endif
