/* A result as a Suite2p folder: suite2p/plane0/ with stat.npy, ops.npy, F.npy, Fneu.npy, spks.npy, iscell.npy.
 *
 * F is the weighted mean of each mask, Fneu its ring, spks the events, in the movie's counts (Suite2p itself halves
 * 16-bit input). stat holds pixels, weights that sum to 1, median place and the shape measures of Suite2p's
 * detection/stats.py, in its units: mrs and radius over the diameter, npix_norm over the median; skew and std are of
 * the trace without neuropil. What only Suite2p's own detection knows is not invented: footprint is 0, as Suite2p has
 * it then. All masks are cells in iscell, with the network's probability (1 for masks that were given without one).
 */
#ifndef NSET_IMAGING_SUITE2P_H
#define NSET_IMAGING_SUITE2P_H

#include "imaging/masks.h"
#include "imaging/motion.h"
#include "imaging/traces.h"
#include "results/run.h"

/* summary: its maps mean, correlation and peak become meanImg, Vcorr and max_proj. motion NULL or without frames: not
 * registered, no shifts. A rate that is not known is written as the 10 Hz that the traces assumed. Errors: NSET_ERR_IO,
 * NSET_ERR_NOMEM. */
nset_status nset_suite2p_write(const nset_masks *masks, const nset_traces *traces, const nset_maps *summary,
    const nset_motion *motion, double diameter, nset_run_folder *folder, nset_error *err);

#endif
