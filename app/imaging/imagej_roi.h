/* ImageJ's regions of interest: NAME.roi, and RoiSet.zip of several.
 *
 * A region holds the pixels whose centres lie inside of its outline, as ImageJ's own fill does. Areas are read:
 * polygons, freehand and traced ones, rectangles, ovals, ellipses and composites of several outlines; whole and
 * subpixel coordinates. Lines, points and angles hold no pixels and are refused by name.
 *
 * Byte layout: ij.io.RoiDecoder, ImageJ 1.53.
 */
#ifndef NSET_IMAGING_IMAGEJ_ROI_H
#define NSET_IMAGING_IMAGEJ_ROI_H

#include "imaging/masks.h"
#include "imaging/regions.h"
#include "results/run.h"

/* Adds the region of one file's bytes, if it holds a pixel. what: its name for messages. Errors: NSET_ERR_FORMAT,
 * NSET_ERR_NOMEM. */
nset_status nset_imagej_roi_read(
    nset_regions *r, const unsigned char *bytes, size_t n, const char *what, nset_error *err);

/* RoiSet.zip in the folder, an entry a mask in their order, named by id: a traced outline along the edges of its
 * pixels, or a composite where it has several parts or holes, so that the pixels come back exactly. Weights are not
 * kept. The same masks give the same bytes. Errors: NSET_ERR_IO, NSET_ERR_NOMEM. */
nset_status nset_roiset_write(const nset_masks *masks, nset_run_folder *folder, nset_error *err);

#endif
