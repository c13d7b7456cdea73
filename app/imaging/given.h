/* Masks that the user gives, in place of the network's. */
#ifndef NSET_IMAGING_GIVEN_H
#define NSET_IMAGING_GIVEN_H

#include "imaging/images.h"
#include "imaging/masks.h"

/* The masks of a file (imaging/regions.h) for frames of height * width; *n_not_cells of them the file itself calls
 * none. Errors: as nset_regions_read and nset_regions_to_masks. */
nset_status nset_given_masks(
    nset_masks **out, size_t *n_not_cells, const char *path, size_t height, size_t width, nset_error *err);

/* The maps of a movie's images (imaging/accumulate.h) by their names. Errors: NSET_ERR_NOMEM. */
nset_status nset_given_summary(nset_maps **out, const nset_images *images, nset_error *err);

#endif
