/* What `neuroset segment` leaves in its result folder.
 *
 * rois.json: a list of {"id", "coordinates": [[row, column], ...], "weights", "probability", "center", "area", "snr",
 * "stability"}, zero-based, the form of the neurofinder challenge with keys of our own; rejected.json: the same for
 * candidates that were not kept, with "reason". rois.csv: a row a cell. labels.tif: 16-bit ImageJ stack, id + 1 of each
 * pixel's cell; where cells overlap the further ones are on further pages. summary/: each map as float TIFF and PNG,
 * and the outlines of the masks on the mean.
 */
#ifndef NSET_IMAGING_WRITE_H
#define NSET_IMAGING_WRITE_H

#include "imaging/masks.h"
#include "imaging/motion.h"
#include "imaging/traces.h"
#include "results/run.h"

/* rejected may be NULL. Errors of all: NSET_ERR_IO, NSET_ERR_NOMEM; NSET_ERR_ARG beyond 65535 cells. */
nset_status nset_masks_write(
    const nset_masks *masks, const nset_masks *rejected, nset_run_folder *folder, nset_error *err);
nset_status nset_summary_write(
    const nset_maps *maps, const nset_masks *masks, nset_run_folder *folder, nset_error *err);
/* traces.npz: id, raw, neuropil, corrected, dff, fit, events (n_rois, n_frames), share, noise, decay_s, flags, rate_hz.
 * traces.csv: a row a frame, time in seconds (empty when the rate is not known), dF/F of each cell. */
nset_status nset_traces_write(
    const nset_traces *traces, const nset_masks *masks, nset_run_folder *folder, nset_error *err);
/* shifts.csv: frame, rows, columns, kept. */
nset_status nset_shifts_write(const nset_motion *motion, nset_run_folder *folder, nset_error *err);

#endif
