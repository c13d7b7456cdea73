/* Regions of pixels that somebody drew or found, from files of many kinds. */
#ifndef NSET_IMAGING_REGIONS_H
#define NSET_IMAGING_REGIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <neuroset/error.h>

#include "imaging/masks.h"

/* A region is a set of distinct pixels; coordinates may be of any frame size. */
typedef struct nset_region {
    int64_t id;
    size_t n;
    int32_t (*at)[2]; /* (n) row, column; by row, then column, each once; owned */
    float *weight;    /* (n) as the file says, or NULL; owned */
    double row, column;
    double probability; /* NaN: not said */
    bool active;
} nset_region;

typedef struct nset_regions {
    size_t n, capacity;
    nset_region *region; /* without the empty ones */
    bool has_active;     /* some region says whether it is active */
    bool has_ids;        /* ids are the file's own, as traces beside it have them */
    bool from_labels;    /* ids are the values of a label image, 1 the first */
    size_t n_not_cells;  /* left out because the file says that they are none */
} nset_regions;

/* path is one of
 *   a neurofinder list of {"coordinates": [[row, column], ...]} or an object with such a list under "regions" or
 *   "sources"; "weights", "probability", "active" are taken where they are;
 *   a label TIFF: of one page, or of several of which one has two values besides 0: each value but 0 is a region;
 *   else each page is one;
 *   ImageJ's RoiSet.zip or NAME.roi (imagej_roi.h);
 *   a folder of Suite2p's (stat.npy, or suite2p/plane0/stat.npy, beside iscell.npy), or that stat.npy;
 *   a folder with rois.json or regions.json.
 * Errors: NSET_ERR_IO, NSET_ERR_FORMAT, NSET_ERR_NOMEM. */
nset_status nset_regions_read(nset_regions **out, const char *path, nset_error *err);
/* Does path hold masks and not spikes? */
bool nset_is_regions(const char *path);

/* Marks those regions active whose ids are in the JSON list of path, and no others. */
nset_status nset_regions_mark_active(nset_regions *r, const char *path, nset_error *err);
nset_status nset_regions_transpose(nset_regions *r, nset_error *err); /* exchanges rows and columns */
void nset_regions_free(nset_regions *r);                              /* NULL is legal */

/* As masks of a frame of height * width, their weights made to sum to 1; ids are kept where they are 0 ... 65533 and
 * each once (of a label image: value - 1), else counted from 0. Errors: NSET_ERR_FORMAT naming the first region that
 * reaches out of the frame, or that has no positive weight. path is for messages. */
nset_status nset_regions_to_masks(
    nset_masks **out, const nset_regions *r, size_t height, size_t width, const char *path, nset_error *err);

/* ---- for readers ---- */

/* *out := a new last region with room for n >= 1 pixels; its id is its place. */
nset_status nset_regions_add(nset_region **out, nset_regions *r, size_t n, bool weighted, nset_error *err);
/* Sorts its pixels, keeps each once (with its largest weight), finds the centre. */
nset_status nset_region_settle(nset_region *r, nset_error *err);

nset_status nset_regions_read_json(nset_regions *r, const char *path, nset_error *err);
nset_status nset_regions_read_labels(nset_regions *r, const char *path, nset_error *err);
nset_status nset_regions_read_imagej(nset_regions *r, const char *path, nset_error *err);
nset_status nset_regions_read_suite2p(nset_regions *r, const char *stat_path, nset_error *err);

#endif
