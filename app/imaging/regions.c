/* Regions of pixels from neurofinder files, label images and result folders. */
#include "imaging/compare.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include <neuroset/memory.h>

#include "imaging/movie.h"

void nset_regions_free(nset_regions *r)
{
    if (!r)
        return;
    for (size_t i = 0; r->region && i < r->n; i++)
        nset_free(r->region[i].at);
    nset_free(r->region);
    nset_free(r);
}

static int by_place(const void *a, const void *b)
{
    const int32_t *x = a, *y = b;

    return x[0] != y[0] ? (x[0] > y[0]) - (x[0] < y[0]) : (x[1] > y[1]) - (x[1] < y[1]);
}

/* Sorts, drops repeated pixels, finds the centre. */
static void settle(nset_region *r)
{
    size_t n = 0;

    qsort(r->at, r->n, sizeof *r->at, by_place);
    r->row = r->column = 0;
    for (size_t i = 0; i < r->n; i++) {
        if (n && !by_place(r->at[n - 1], r->at[i]))
            continue;
        memmove(r->at[n++], r->at[i], sizeof *r->at);
        r->row += r->at[n - 1][0];
        r->column += r->at[n - 1][1];
    }
    r->n = n;
    r->row /= (double)n;
    r->column /= (double)n;
}

void nset_regions_transpose(nset_regions *r)
{
    for (size_t i = 0; i < r->n; i++) {
        for (size_t k = 0; k < r->region[i].n; k++) {
            int32_t row = r->region[i].at[k][0];
            r->region[i].at[k][0] = r->region[i].at[k][1];
            r->region[i].at[k][1] = row;
        }
        settle(&r->region[i]);
    }
}

/* ---- JSON ---- */

static nset_status read_region(nset_regions *out, const json_t *item, size_t index, const char *path, nset_error *err)
{
    const json_t *list = json_object_get(item, "coordinates"), *id = json_object_get(item, "id"),
                 *active = json_object_get(item, "active"), *pair;
    nset_region *r = &out->region[out->n];
    size_t k;

    if (!json_is_array(list))
        return nset_fail(
            err, NSET_ERR_FORMAT, "%s: region %zu has no list \"coordinates\" of [row, column]", path, index);
    if (!json_array_size(list))
        return NSET_OK;
    if (!(r->at = nset_calloc(json_array_size(list), sizeof *r->at)))
        return nset_fail_oom(err, json_array_size(list), sizeof *r->at);
    out->n++;
    r->id = json_is_integer(id) ? (int64_t)json_integer_value(id) : (int64_t)index;
    r->active = json_is_true(active) || json_number_value(active) != 0;
    out->has_active = out->has_active || active;
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
    r->n = json_array_size(list);
    settle(r);
    return NSET_OK;
}

static nset_status read_json(nset_regions *out, const char *path, nset_error *err)
{
    json_error_t where;
    json_t *root = json_load_file(path, 0, &where), *list = root, *item;
    nset_status status = NSET_OK;
    size_t i;

    if (!root)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: line %d: %s", path, where.line, where.text);
    if (json_is_object(root) && !(list = json_object_get(root, "regions")))
        list = json_object_get(root, "sources");
    if (!json_is_array(list))
        status = nset_fail(
            err, NSET_ERR_FORMAT, "%s: not a list of regions, nor an object with one under \"regions\"", path);
    else if (!(out->region = nset_calloc(json_array_size(list), sizeof *out->region)))
        status = nset_fail_oom(err, json_array_size(list), sizeof *out->region);
    for (i = 0; status == NSET_OK && (item = json_array_get(list, i)); i++)
        status = read_region(out, item, i, path, err);
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
        json_array_foreach(
            list, k, item) if (json_is_number(item) && json_number_value(item) == (double)r->region[i].id) r->region[i]
            .active = true;
    }
    r->has_active = true;
    json_decref(list);
    return NSET_OK;
}

/* ---- label images ---- */

static int by_number(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;

    return (x > y) - (x < y);
}

/* Pixels of x (H, W) that are value, or any but 0 when any; none: no region is added. */
static nset_status add_value(
    nset_regions *out, size_t *capacity, const float *x, size_t h, size_t w, float value, bool any, nset_error *err)
{
    nset_status status = nset_grow(&out->region, capacity, out->n + 1, sizeof *out->region, err);
    nset_region *r;
    size_t n = 0, k = 0;

    if (status != NSET_OK)
        return status;
    for (size_t i = 0; i < h * w; i++)
        n += any ? x[i] != 0 : x[i] == value;
    if (n == 0)
        return NSET_OK;
    r = &out->region[out->n];
    if (!(r->at = nset_calloc(n, sizeof *r->at)))
        return nset_fail_oom(err, n, sizeof *r->at);
    out->n++;
    for (size_t i = 0; i < h * w; i++)
        if (any ? x[i] != 0 : x[i] == value) {
            r->at[k][0] = (int32_t)(i / w);
            r->at[k++][1] = (int32_t)(i % w);
        }
    r->n = n;
    settle(r);
    return NSET_OK;
}

static nset_status read_label_page(
    nset_regions *out, size_t *capacity, const float *x, size_t h, size_t w, nset_error *err)
{
    float *sorted = nset_calloc(h * w, sizeof *sorted);
    nset_status status = NSET_OK;

    if (!sorted)
        return nset_fail_oom(err, h * w, sizeof *sorted);
    memcpy(sorted, x, h * w * sizeof *sorted);
    qsort(sorted, h * w, sizeof *sorted, by_number);
    for (size_t i = 0; i < h * w && status == NSET_OK; i++) {
        size_t before = out->n;
        if (sorted[i] == 0 || (i && sorted[i] == sorted[i - 1]))
            continue;
        status = add_value(out, capacity, x, h, w, sorted[i], false, err);
        if (status == NSET_OK && out->n > before)
            out->region[before].id = (int64_t)sorted[i];
    }
    nset_free(sorted);
    return status;
}

static nset_status read_labels(nset_regions *out, const char *path, nset_error *err)
{
    const nset_movie_options any = { 0 };
    nset_movie *m = NULL;
    nset_status status = nset_movie_open(&m, &path, 1, &any, err);
    size_t capacity = 0, n;
    float *x = NULL;

    if (status != NSET_OK)
        return status;
    n = m->height * m->width;
    if (!(x = nset_calloc(n, sizeof *x)))
        status = nset_fail_oom(err, n, sizeof *x);
    for (int64_t i = 0; i < m->n_frames && status == NSET_OK; i++) {
        size_t before = out->n;
        if ((status = m->read(m, x, i, err)) != NSET_OK)
            break;
        if (m->n_frames == 1)
            status = read_label_page(out, &capacity, x, m->height, m->width, err);
        else
            status = add_value(out, &capacity, x, m->height, m->width, 0, true, err);
        if (status == NSET_OK && m->n_frames > 1 && out->n > before)
            out->region[before].id = i;
    }
    nset_free(x);
    nset_movie_close(m);
    return status;
}

/* ---- any ---- */

static bool ends_with(const char *path, const char *end)
{
    size_t n = strlen(path), m = strlen(end);

    return n >= m && !strcasecmp(path + n - m, end);
}

static bool has_rois(const char *path, char *inside, size_t n)
{
    struct stat s;

    return snprintf(inside, n, "%s/rois.json", path) < (int)n && stat(inside, &s) == 0;
}

static bool is_tiff(const char *path)
{
    return ends_with(path, ".tif") || ends_with(path, ".tiff") || ends_with(path, ".btf");
}

bool nset_is_regions(const char *path)
{
    char inside[4096];

    return is_tiff(path) || ends_with(path, ".json") || has_rois(path, inside, sizeof inside);
}

nset_status nset_regions_read(nset_regions **out, const char *path, nset_error *err)
{
    char inside[4096];
    nset_regions *r = nset_calloc(1, sizeof *r);
    nset_status status;

    if (!r)
        return nset_fail_oom(err, 1, sizeof *r);
    if (is_tiff(path))
        status = read_labels(r, path, err);
    else
        status = read_json(r, has_rois(path, inside, sizeof inside) ? inside : path, err);
    if (status != NSET_OK) {
        nset_regions_free(r);
        return status;
    }
    *out = r;
    return NSET_OK;
}
