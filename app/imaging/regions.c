#include "imaging/regions.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include <neuroset/memory.h>

void nset_regions_free(nset_regions *r)
{
    if (!r)
        return;
    for (size_t i = 0; r->region && i < r->n; i++) {
        nset_free(r->region[i].at);
        nset_free(r->region[i].weight);
    }
    nset_free(r->region);
    nset_free(r);
}

nset_status nset_regions_add(nset_region **out, nset_regions *r, size_t n, bool weighted, nset_error *err)
{
    nset_status status = nset_grow(&r->region, &r->capacity, r->n + 1, sizeof *r->region, err);
    nset_region *region;

    if (status != NSET_OK)
        return status;
    region = &r->region[r->n];
    *region = (nset_region){ .id = (int64_t)r->n, .n = n, .probability = NAN };
    region->at = nset_calloc(n, sizeof *region->at);
    region->weight = weighted ? nset_calloc(n, sizeof *region->weight) : NULL;
    r->n++;
    if (!region->at || (weighted && !region->weight))
        return nset_fail_oom(err, n, sizeof *region->at);
    *out = region;
    return NSET_OK;
}

/* ---- pixels in order ---- */

typedef struct placed {
    int32_t at[2];
    float weight;
} placed;

static int by_place(const void *a, const void *b)
{
    const placed *x = a, *y = b;

    if (x->at[0] != y->at[0])
        return x->at[0] > y->at[0] ? 1 : -1;
    if (x->at[1] != y->at[1])
        return x->at[1] > y->at[1] ? 1 : -1;
    return (x->weight < y->weight) - (x->weight > y->weight);
}

nset_status nset_region_settle(nset_region *r, nset_error *err)
{
    placed *p = nset_calloc(r->n, sizeof *p);
    size_t n = 0;

    if (!p)
        return nset_fail_oom(err, r->n, sizeof *p);
    for (size_t i = 0; i < r->n; i++)
        p[i] = (placed){ { r->at[i][0], r->at[i][1] }, r->weight ? r->weight[i] : 0 };
    qsort(p, r->n, sizeof *p, by_place);
    r->row = r->column = 0;
    for (size_t i = 0; i < r->n; i++) {
        if (i && p[i].at[0] == p[i - 1].at[0] && p[i].at[1] == p[i - 1].at[1])
            continue;
        memcpy(r->at[n], p[i].at, sizeof *r->at);
        if (r->weight)
            r->weight[n] = p[i].weight;
        r->row += p[i].at[0];
        r->column += p[i].at[1];
        n++;
    }
    r->n = n;
    r->row /= (double)n;
    r->column /= (double)n;
    nset_free(p);
    return NSET_OK;
}

nset_status nset_regions_transpose(nset_regions *r, nset_error *err)
{
    nset_status status = NSET_OK;

    for (size_t i = 0; i < r->n && status == NSET_OK; i++) {
        for (size_t k = 0; k < r->region[i].n; k++) {
            int32_t row = r->region[i].at[k][0];
            r->region[i].at[k][0] = r->region[i].at[k][1];
            r->region[i].at[k][1] = row;
        }
        status = nset_region_settle(&r->region[i], err);
    }
    return status;
}

/* ---- masks ---- */

static int by_id(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

/* Can ids be kept: each once, and as 16-bit labels? first: the lowest. */
static nset_status ids_are_good(bool *good, const nset_regions *r, int64_t first, nset_error *err)
{
    int64_t *id = nset_calloc(r->n, sizeof *id);

    if (!id)
        return nset_fail_oom(err, r->n, sizeof *id);
    for (size_t i = 0; i < r->n; i++)
        id[i] = r->region[i].id;
    qsort(id, r->n, sizeof *id, by_id);
    *good = r->n == 0 || (id[0] >= first && id[r->n - 1] < 65534 + first);
    for (size_t i = 1; i < r->n; i++)
        *good = *good && id[i] != id[i - 1];
    nset_free(id);
    return NSET_OK;
}

/* Would all regions fit with rows and columns exchanged? */
static bool fits_transposed(const nset_regions *r, size_t height, size_t width)
{
    for (size_t i = 0; i < r->n; i++)
        for (size_t k = 0; k < r->region[i].n; k++) {
            const int32_t *at = r->region[i].at[k];
            if (at[0] < 0 || at[1] < 0 || (size_t)at[1] >= height || (size_t)at[0] >= width)
                return false;
        }
    return true;
}

static nset_status to_roi(nset_roi *roi, const nset_region *r, size_t width, const char *path, nset_error *err)
{
    double total = 0;

    roi->n_pixels = r->n;
    roi->pixel = nset_calloc(r->n, sizeof *roi->pixel);
    roi->weight = nset_calloc(r->n, sizeof *roi->weight);
    if (!roi->pixel || !roi->weight)
        return nset_fail_oom(err, r->n, sizeof *roi->pixel);
    for (size_t k = 0; k < r->n; k++) {
        double w = r->weight ? (double)r->weight[k] : 1;
        if (!(w >= 0) || !isfinite(w))
            return nset_fail(err, NSET_ERR_FORMAT,
                "%s: region of id %lld: the weight of pixel [%d, %d] is %g; a number from 0 on is expected", path,
                (long long)r->id, r->at[k][0], r->at[k][1], w);
        total += w;
    }
    if (!(total > 0))
        return nset_fail(err, NSET_ERR_FORMAT, "%s: region of id %lld: all its weights are 0", path, (long long)r->id);
    for (size_t k = 0; k < r->n; k++) {
        roi->pixel[k] = (int32_t)((size_t)r->at[k][0] * width + (size_t)r->at[k][1]);
        roi->weight[k] = (float)((r->weight ? (double)r->weight[k] : 1) / total);
    }
    roi->row = r->row;
    roi->column = r->column;
    roi->probability = r->probability;
    roi->snr = roi->stability = NAN;
    return NSET_OK;
}

static nset_status check_inside(
    const nset_regions *r, size_t i, size_t height, size_t width, const char *path, nset_error *err)
{
    for (size_t k = 0; k < r->region[i].n; k++) {
        const int32_t *at = r->region[i].at[k];
        if (at[0] < 0 || at[1] < 0 || (size_t)at[0] >= height || (size_t)at[1] >= width)
            return nset_fail(err, NSET_ERR_FORMAT,
                "%s: region %zu (id %lld): pixel [row %d, column %d] lies outside of the movie's %zu x %zu%s", path, i,
                (long long)r->region[i].id, at[0], at[1], height, width,
                fits_transposed(r, height, width) ? "; all would fit with rows and columns exchanged" : "");
    }
    return NSET_OK;
}

nset_status nset_regions_to_masks(
    nset_masks **out, const nset_regions *r, size_t height, size_t width, const char *path, nset_error *err)
{
    nset_masks *m = nset_calloc(1, sizeof *m);
    int64_t first = r->from_labels ? 1 : 0;
    bool keep = false;
    nset_status status = NSET_OK;

    if (!m || !(m->roi = nset_calloc(r->n, sizeof *m->roi)))
        status = nset_fail_oom(err, r->n, sizeof *m->roi);
    else
        status = ids_are_good(&keep, r, first, err);
    for (size_t i = 0; i < r->n && status == NSET_OK; i++) {
        if ((status = check_inside(r, i, height, width, path, err)) != NSET_OK)
            break;
        m->n = i + 1;
        status = to_roi(&m->roi[i], &r->region[i], width, path, err);
        m->roi[i].id = keep ? (int32_t)(r->region[i].id - first) : (int32_t)i;
    }
    if (status != NSET_OK) {
        nset_masks_free(m);
        return status;
    }
    m->height = height;
    m->width = width;
    *out = m;
    return NSET_OK;
}

/* ---- any file ---- */

static bool ends_with(const char *path, const char *end)
{
    size_t n = strlen(path), m = strlen(end);

    return n >= m && !strcasecmp(path + n - m, end);
}

/* inside (n) := the first of these files that the folder path holds. */
static bool has_inside(char *inside, size_t n, const char *path, const char *const *names)
{
    struct stat s;

    for (; *names; names++)
        if (snprintf(inside, n, "%s/%s", path, *names) < (int)n && stat(inside, &s) == 0)
            return true;
    return false;
}

static bool is_tiff(const char *path)
{
    return ends_with(path, ".tif") || ends_with(path, ".tiff") || ends_with(path, ".btf");
}

static const char *const json_names[] = { "rois.json", "regions.json", NULL };
static const char *const stat_names[] = { "stat.npy", "plane0/stat.npy", "suite2p/plane0/stat.npy", NULL };

bool nset_is_regions(const char *path)
{
    char inside[4096];

    return is_tiff(path) || ends_with(path, ".json") || ends_with(path, ".roi") || ends_with(path, ".zip") ||
           ends_with(path, "stat.npy") || has_inside(inside, sizeof inside, path, json_names) ||
           has_inside(inside, sizeof inside, path, stat_names);
}

/* A folder of several planes holds several fields. */
static nset_status check_planes(const char *path, nset_error *err)
{
    static const char *const others[] = { "plane1", "suite2p/plane1", NULL };
    char inside[4096];

    if (has_inside(inside, sizeof inside, path, others))
        return nset_fail(err, NSET_ERR_FORMAT,
            "%s: Suite2p results of several planes; give the folder of one, such as %s", path, inside);
    return NSET_OK;
}

static nset_status read_any(nset_regions *r, const char *path, nset_error *err)
{
    char inside[4096];
    nset_status status;

    if (is_tiff(path))
        return nset_regions_read_labels(r, path, err);
    if (ends_with(path, ".zip") || ends_with(path, ".roi"))
        return nset_regions_read_imagej(r, path, err);
    if (ends_with(path, ".npy"))
        return nset_regions_read_suite2p(r, path, err);
    if (has_inside(inside, sizeof inside, path, json_names))
        return nset_regions_read_json(r, inside, err);
    if (has_inside(inside, sizeof inside, path, stat_names)) {
        if ((status = check_planes(path, err)) != NSET_OK)
            return status;
        return nset_regions_read_suite2p(r, inside, err);
    }
    return nset_regions_read_json(r, path, err);
}

nset_status nset_regions_read(nset_regions **out, const char *path, nset_error *err)
{
    nset_regions *r = nset_calloc(1, sizeof *r);
    nset_status status;

    if (!r)
        return nset_fail_oom(err, 1, sizeof *r);
    if ((status = read_any(r, path, err)) != NSET_OK) {
        nset_regions_free(r);
        return status;
    }
    *out = r;
    return NSET_OK;
}
