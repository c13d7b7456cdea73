/* Masks of cells against labels, by the field's rules.
 *
 * centre: the rule of the neurofinder challenge: true region by true region in the order of the file, each takes the
 * nearest found region still free, by mean of pixels, if it lies within dist. iou: the one-to-one pairing with most,
 * then largest, overlaps of at least iou_min in intersection over union. shape: over the centre matches, the mean of
 * intersection / true area (inclusion), intersection / found area (exclusion) and intersection over union.
 * A found region that matches nothing and whose centre lies within dist of an ignored one, or a quarter of which lies
 * on one, does not count.
 */
#ifndef NSET_IMAGING_COMPARE_H
#define NSET_IMAGING_COMPARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <neuroset/error.h>

/* A region is a set of distinct pixels; coordinates may be of any frame size. */
typedef struct nset_region {
    int64_t id;
    size_t n;
    int32_t (*at)[2]; /* (n) row, column; by row, then column, each once; owned */
    double row, column;
    bool active;
} nset_region;

typedef struct nset_regions {
    size_t n;
    nset_region *region; /* without the empty ones */
    bool has_active;     /* some region says whether it is active */
} nset_regions;

/* path: a neurofinder list of {"coordinates": [[row, column], ...]} or an object with such a list under "regions" or
 * "sources", a label TIFF (one page: each value but 0 a region; several: each page one), or a result folder
 * (its rois.json). Errors: NSET_ERR_IO, NSET_ERR_FORMAT, NSET_ERR_NOMEM. */
nset_status nset_regions_read(nset_regions **out, const char *path, nset_error *err);
/* Marks those regions active whose ids are in the JSON list of path, and no others. */
nset_status nset_regions_mark_active(nset_regions *r, const char *path, nset_error *err);
void nset_regions_transpose(nset_regions *r); /* exchanges rows and columns */
void nset_regions_free(nset_regions *r);      /* NULL is legal */

/* Does path hold masks and not spikes? */
bool nset_is_regions(const char *path);

typedef struct nset_match_score {
    double precision, recall, f1, active_recall;
    size_t hits, found, truth, active;
} nset_match_score;

typedef struct nset_mask_score {
    nset_match_score centre, iou;
    double inclusion, exclusion, mean_iou;
} nset_mask_score;

/* ignore may be NULL. Errors: NSET_ERR_NOMEM. */
nset_status nset_compare_masks(nset_mask_score *out, const nset_regions *found, const nset_regions *truth,
    const nset_regions *ignore, double dist, double iou_min, nset_error *err);

#endif
