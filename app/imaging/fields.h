/* Labelled fields that the segmenter learns from: real summary images and simulated movies. */
#ifndef NSET_IMAGING_FIELDS_H
#define NSET_IMAGING_FIELDS_H

#include <stdbool.h>
#include <neuroset/workers.h>
#include "imaging/movie.h"
#include "imaging/segnet.h"

enum { NSET_FIELD_VIEWS = 3 }; /* fields that one labelled image gives: as it is and as fewer frames would show it */

typedef struct nset_region {
    double row, column; /* centre */
    bool touching;      /* two cells or more in one outline: no centre is asked there */
} nset_region;

typedef struct nset_field {
    char name[64];
    size_t height, width;
    double weight; /* how often it is drawn */
    float *input;  /* (H, W, NSET_SEG_INPUTS), owned */
    size_t n_images;
    float *images;       /* (n_images, H, W), owned */
    int32_t *label;      /* (H, W) region + 1, 0: none, -1: nobody looked; owned */
    nset_region *region; /* (n_regions), owned */
    size_t n_regions;
    bool has_activity;
} nset_field;

typedef struct nset_fields {
    nset_field *field; /* (n), owned */
    size_t n, capacity;
} nset_fields;

void nset_fields_fini(nset_fields *f);

/* Adds each DIR/<any>/summary.tif with its regions.json (NSET_FIELD_VIEWS fields), rescaled to the network's diameter;
 * DIR may hold such folders one level deeper. Errors: NSET_ERR_FORMAT, NSET_ERR_NOMEM. */
nset_status nset_fields_add_folder(nset_fields *f, const char *dir, nset_error *err);
/* Adds n simulated movies, seeds seed, seed + 1, ... */
nset_status nset_fields_add_simulated(nset_fields *f, size_t n, uint64_t seed, nset_error *err);

typedef struct nset_area { /* rows top .. bottom - 1, columns left .. right - 1; all 0: everywhere */
    long top, left, bottom, right;
} nset_area;

/* Adds a registered movie with a person's regions of it (JSON as neurofinder's), true within area and unknown outside,
 * rescaled to the network's diameter. valid as in nset_images_options. Errors: the movie's, NSET_ERR_FORMAT,
 * NSET_ERR_NOMEM, NSET_ERR_CANCELLED. */
nset_status nset_fields_add_movie(nset_fields *f, nset_movie *movie, const unsigned char *valid, const char *regions,
    nset_area area, const nset_net *phi, nset_workers *workers, nset_error *err);

#endif
