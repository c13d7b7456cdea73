/* Masks of cells against labels, by the field's rules.
 *
 * centre: the rule of the neurofinder challenge: true region by true region in the order of the file, each takes the
 * nearest found region still free, by mean of pixels, if it lies within dist. iou: the one-to-one pairing with most,
 * then largest, overlaps of at least iou_min in intersection over union. shape: over the centre matches, the mean of
 * intersection / true area (inclusion), intersection / found area (exclusion) and intersection over union.
 * average precision: hits / (hits + found ones that hit nothing + true ones that were missed) by the iou rule, the mean
 * over least overlaps of .5, .55 ... .95 (Stringer et al. 2021, Cellpose; the Data Science Bowl of 2018).
 * A found region that matches nothing and whose centre lies within dist of an ignored one, or a quarter of which lies
 * on one, does not count.
 */
#ifndef NSET_IMAGING_COMPARE_H
#define NSET_IMAGING_COMPARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <neuroset/error.h>

#include "imaging/regions.h"

typedef struct nset_match_score {
    double precision, recall, f1, active_recall;
    size_t hits, found, truth, active;
} nset_match_score;

typedef struct nset_mask_score {
    nset_match_score centre, iou;
    double inclusion, exclusion, mean_iou;
    double average_precision;
} nset_mask_score;

/* pair (truth->n, may be NULL) := the found region of each true one by centres, NSET_UNASSIGNED: none. ignore may be
 * NULL. Errors: NSET_ERR_NOMEM. */
nset_status nset_compare_masks(nset_mask_score *out, size_t *pair, const nset_regions *found, const nset_regions *truth,
    const nset_regions *ignore, double dist, double iou_min, nset_error *err);

#endif
