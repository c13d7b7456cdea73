/* Masks of a Suite2p folder: stat.npy, and iscell.npy beside it. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "imaging/regions.h"
#include "results/npz.h"
#include "results/pickle.h"
#include "results/small_files.h"

static nset_status read_roi(
    nset_regions *r, const nset_value *d, size_t index, double probability, const char *path, nset_error *err)
{
    const nset_value *y = nset_value_get(d, "ypix"), *x = nset_value_get(d, "xpix"), *w = nset_value_get(d, "lam");
    size_t n = nset_value_count(y);
    nset_region *region = NULL;
    nset_status status;

    if (!y || !x || nset_value_count(x) != n || (w && nset_value_count(w) != n))
        return nset_fail(
            err, NSET_ERR_FORMAT, "%s: ROI %zu has no ypix and xpix (and lam) of the same length", path, index);
    if (n == 0)
        return NSET_OK;
    if ((status = nset_regions_add(&region, r, n, w != NULL, err)) != NSET_OK)
        return status;
    region->id = (int64_t)index;
    region->probability = probability;
    for (size_t k = 0; k < n; k++) {
        double row = NAN, column = NAN, weight = 0;
        nset_value_number(&row, y, k);
        nset_value_number(&column, x, k);
        if (!(fabs(row) < 1e9) || !(fabs(column) < 1e9) || (w && !nset_value_number(&weight, w, k)))
            return nset_fail(err, NSET_ERR_FORMAT, "%s: ROI %zu: pixel %zu is no number in range", path, index, k);
        region->at[k][0] = (int32_t)row;
        region->at[k][1] = (int32_t)column;
        if (w)
            region->weight[k] = (float)weight;
    }
    return nset_region_settle(region, err);
}

/* *is (n, 2): label and probability of iscell.npy, NULL when there is none. */
static nset_status open_labels(
    nset_npz **z, const double **is, size_t *columns, size_t n, const char *path, nset_error *err)
{
    char file[4096];
    size_t shape[4] = { 0 }, count = 0;
    nset_status status;

    nset_path_beside(file, sizeof file, path, "iscell.npy");
    if (access(file, F_OK))
        return NSET_OK;
    if ((status = nset_npz_open(z, file, err)) != NSET_OK)
        return status;
    *is = nset_npz_f64(*z, "", &count);
    if (!*is || nset_npz_shape(*z, "", shape) < 1 || shape[0] != n || count != n * (count / (n ? n : 1)))
        return nset_fail(err, NSET_ERR_FORMAT, "%s: a row for each of the %zu ROIs of stat.npy is expected", file, n);
    *columns = n ? count / n : 0;
    return NSET_OK;
}

nset_status nset_regions_read_suite2p(nset_regions *r, const char *path, nset_error *err)
{
    nset_pickle *p = NULL;
    nset_npz *z = NULL;
    const double *is = NULL;
    const nset_value *root;
    size_t columns = 0;
    nset_status status = nset_pickle_open(&p, path, err);

    if (status != NSET_OK)
        return status;
    root = nset_pickle_root(p);
    status = open_labels(&z, &is, &columns, root->n, path, err);
    for (size_t i = 0; i < root->n && status == NSET_OK; i++) {
        if (is && columns && is[i * columns] == 0)
            r->n_not_cells++;
        else
            status = read_roi(r, root->item[i], i, is && columns > 1 ? is[i * columns + 1] : NAN, path, err);
    }
    nset_npz_close(z);
    nset_pickle_close(p);
    return status;
}
