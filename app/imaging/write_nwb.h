/* A segmentation as an NWB file: segmentation.nwb in the result folder.
 *
 * /processing/ophys holds PlaneSegmentation (masks as images and as pixels, measures), Fluorescence (raw, Neuropil,
 * Deconvolved), DfOverF, and the mean and correlation images. Masks and images are (x, y) as NWB has them: width before
 * height. Nothing is invented (results/nwb_file.h): of the imaging plane what neither the movie nor the metadata tell
 * is written as unknown, wavelengths as NaN.
 *
 * NWB schema 2.8.0, ophys, https://nwb-schema.readthedocs.io.
 */
#ifndef NSET_IMAGING_WRITE_NWB_H
#define NSET_IMAGING_WRITE_NWB_H

#include "imaging/masks.h"
#include "imaging/traces.h"
#include "results/nwb_file.h"
#include "results/run.h"

typedef struct nset_segmentation {
    const nset_masks *masks;
    const nset_traces *traces; /* whose rate is known */
    const nset_maps *summary;
    double pixel_um; /* 0: not known */
} nset_segmentation;

/* Errors: NSET_ERR_ARG when the rate is not known, NSET_ERR_IO, NSET_ERR_NOMEM. */
nset_status nset_segmentation_write_nwb(
    const nset_segmentation *s, const nset_nwb_options *o, nset_run_folder *folder, nset_error *err);

#endif
