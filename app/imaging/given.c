#include "imaging/given.h"

#include <neuroset/memory.h>

#include "imaging/regions.h"

nset_status nset_given_masks(
    nset_masks **out, size_t *n_not_cells, const char *path, size_t height, size_t width, nset_error *err)
{
    nset_regions *r = NULL;
    nset_status status = nset_regions_read(&r, path, err);

    if (status == NSET_OK && (status = nset_regions_to_masks(out, r, height, width, path, err)) == NSET_OK)
        *n_not_cells = r->n_not_cells;
    nset_regions_free(r);
    return status;
}

nset_status nset_given_summary(nset_maps **out, const nset_images *images, nset_error *err)
{
    static const char *const names[NSET_N_MAPS] = { [NSET_MAP_MEAN] = "mean",
        [NSET_MAP_BRIGHTEST] = "brightest",
        [NSET_MAP_CORRELATION] = "correlation",
        [NSET_MAP_COVARIANCE] = "covariance",
        [NSET_MAP_DEVIATION] = "deviation",
        [NSET_MAP_PEAK] = "peak" };
    size_t height = images->sums.height, width = images->sums.width;
    nset_maps *m = nset_calloc(1, sizeof *m);

    if (!m || !(m->data = nset_calloc(NSET_N_MAPS * height, width * sizeof *m->data))) {
        nset_free(m);
        return nset_fail_oom(err, NSET_N_MAPS * height, width * sizeof *m->data);
    }
    m->n = NSET_N_MAPS;
    m->height = height;
    m->width = width;
    m->names = names;
    nset_accumulator_maps(&images->sums, m->data);
    *out = m;
    return NSET_OK;
}
