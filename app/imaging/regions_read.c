/* Regions of neurofinder files and label images. */
#include "imaging/regions.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <neuroset/memory.h>

#include "imaging/movie.h"

/* ---- JSON ---- */

static nset_status read_coordinates(nset_region *r, const json_t *list, size_t index, const char *path, nset_error *err)
{
    const json_t *pair;
    size_t k;

    json_array_foreach(list, k, pair)
    {
        for (size_t c = 0; c < 2; c++) {
            double v = json_number_value(json_array_get(pair, c));
            if (json_array_size(pair) != 2 || !json_is_number(json_array_get(pair, c)) || v < -1e9 || v > 1e9)
                return nset_fail(err, NSET_ERR_FORMAT,
                    "%s: coordinate %zu of region %zu is not a [row, column] in range", path, k, index);
            r->at[k][c] = (int32_t)v;
        }
    }
    return NSET_OK;
}

static nset_status read_weights(nset_region *r, const json_t *list, size_t index, const char *path, nset_error *err)
{
    const json_t *one;
    size_t k;

    json_array_foreach(list, k, one)
    {
        if (!json_is_number(one))
            return nset_fail(err, NSET_ERR_FORMAT, "%s: weight %zu of region %zu is no number", path, k, index);
        r->weight[k] = (float)json_number_value(one);
    }
    return NSET_OK;
}

static nset_status read_region(nset_regions *out, const json_t *item, size_t index, const char *path, nset_error *err)
{
    const json_t *list = json_object_get(item, "coordinates"), *weights = json_object_get(item, "weights"),
                 *id = json_object_get(item, "id"), *active = json_object_get(item, "active"),
                 *probability = json_object_get(item, "probability");
    size_t n = json_array_size(list);
    nset_region *r = NULL;
    nset_status status;

    if (!json_is_array(list))
        return nset_fail(
            err, NSET_ERR_FORMAT, "%s: region %zu has no list \"coordinates\" of [row, column]", path, index);
    if (weights && json_array_size(weights) != n)
        return nset_fail(
            err, NSET_ERR_FORMAT, "%s: region %zu has not as many \"weights\" as \"coordinates\"", path, index);
    if (n == 0)
        return NSET_OK;
    if ((status = nset_regions_add(&r, out, n, weights != NULL, err)) != NSET_OK ||
        (status = read_coordinates(r, list, index, path, err)) != NSET_OK ||
        (status = read_weights(r, weights, index, path, err)) != NSET_OK)
        return status;
    r->id = json_is_integer(id) ? (int64_t)json_integer_value(id) : (int64_t)index;
    r->probability = json_is_number(probability) ? json_number_value(probability) : NAN;
    r->active = json_is_true(active) || json_number_value(active) != 0;
    out->has_active = out->has_active || active;
    return nset_region_settle(r, err);
}

nset_status nset_regions_read_json(nset_regions *out, const char *path, nset_error *err)
{
    json_error_t where;
    struct stat s;
    json_t *root, *list, *item;
    nset_status status = NSET_OK;

    if (stat(path, &s) == 0 && S_ISDIR(s.st_mode))
        return nset_fail(err, NSET_ERR_FORMAT,
            "%s: no masks in this folder: rois.json, regions.json, stat.npy or suite2p/plane0/stat.npy is expected",
            path);
    if (!(list = root = json_load_file(path, 0, &where)))
        return nset_fail(err, NSET_ERR_FORMAT, "%s: line %d: %s", path, where.line, where.text);
    if (json_is_object(root) && !(list = json_object_get(root, "regions")))
        list = json_object_get(root, "sources");
    if (!json_is_array(list))
        status = nset_fail(
            err, NSET_ERR_FORMAT, "%s: not a list of regions, nor an object with one under \"regions\"", path);
    for (size_t i = 0; status == NSET_OK && (item = json_array_get(list, i)); i++)
        status = read_region(out, item, i, path, err);
    out->has_ids = true;
    json_decref(root);
    return status;
}

nset_status nset_regions_mark_active(nset_regions *r, const char *path, nset_error *err)
{
    json_error_t where;
    json_t *list = json_load_file(path, 0, &where), *item;
    size_t k;

    if (!list || !json_is_array(list)) {
        json_decref(list);
        return nset_fail(err, NSET_ERR_FORMAT, "%s: not a JSON list of ids", path);
    }
    for (size_t i = 0; i < r->n; i++) {
        r->region[i].active = false;
        json_array_foreach(list, k, item)
        {
            if (json_is_number(item) && json_number_value(item) == (double)r->region[i].id)
                r->region[i].active = true;
        }
    }
    r->has_active = true;
    json_decref(list);
    return NSET_OK;
}

/* ---- label images ---- */

typedef struct labelled { /* a pixel that is not 0 */
    float value;
    int32_t page, at;
} labelled;

static int by_page(const void *a, const void *b)
{
    const labelled *x = a, *y = b;

    return x->page != y->page ? (x->page > y->page) - (x->page < y->page) : (x->at > y->at) - (x->at < y->at);
}

static int by_value(const void *a, const void *b)
{
    const labelled *x = a, *y = b;

    return x->value != y->value ? (x->value > y->value) - (x->value < y->value) : by_page(a, b);
}

/* p (n): all pixels but those of 0, page by page. */
static nset_status collect(labelled **p, size_t *n, bool *two_values, nset_movie *m, nset_error *err)
{
    size_t pixels = m->height * m->width, capacity = 0;
    float *x = nset_calloc(pixels, sizeof *x);
    nset_status status = x ? NSET_OK : nset_fail_oom(err, pixels, sizeof *x);

    if (status == NSET_OK && m->n_frames > INT32_MAX)
        status = nset_fail(err, NSET_ERR_FORMAT, "a label image of more pages than can be");
    for (int64_t i = 0; i < m->n_frames && status == NSET_OK; i++) {
        float seen = 0;
        status = m->read(m, x, i, err);
        for (size_t k = 0; k < pixels && status == NSET_OK; k++) {
            if (x[k] == 0 || isnan(x[k]))
                continue;
            *two_values = *two_values || (seen != 0 && x[k] != seen);
            seen = x[k];
            if ((status = nset_grow(p, &capacity, *n + 1, sizeof **p, err)) == NSET_OK)
                (*p)[(*n)++] = (labelled){ x[k], (int32_t)i, (int32_t)k };
        }
    }
    nset_free(x);
    return status;
}

/* A region of pixels (n), all of one page or value. */
static nset_status add_labelled(
    nset_regions *out, const labelled *p, size_t n, size_t width, int64_t id, nset_error *err)
{
    nset_region *r = NULL;
    nset_status status = nset_regions_add(&r, out, n, false, err);

    if (status != NSET_OK)
        return status;
    for (size_t k = 0; k < n; k++) {
        r->at[k][0] = (int32_t)((size_t)p[k].at / width);
        r->at[k][1] = (int32_t)((size_t)p[k].at % width);
    }
    r->id = id;
    return nset_region_settle(r, err);
}

nset_status nset_regions_read_labels(nset_regions *out, const char *path, nset_error *err)
{
    const nset_movie_options any = { 0 };
    nset_movie *m = NULL;
    nset_status status = nset_movie_open(&m, &path, 1, &any, err);
    labelled *p = NULL;
    size_t n = 0, width;
    bool by_labels = false;

    if (status != NSET_OK)
        return status;
    width = m->width;
    status = collect(&p, &n, &by_labels, m, err);
    by_labels = by_labels || m->n_frames == 1;
    if (n)
        qsort(p, n, sizeof *p, by_labels ? by_value : by_page);
    for (size_t i = 0, end; i < n && status == NSET_OK; i = end) {
        for (end = i + 1; end < n && (by_labels ? p[end].value == p[i].value : p[end].page == p[i].page);)
            end++;
        status = add_labelled(out, p + i, end - i, width, by_labels ? (int64_t)p[i].value : p[i].page, err);
    }
    out->from_labels = by_labels;
    nset_free(p);
    nset_movie_close(m);
    return status;
}
