#include "imaging/fields.h"

#include <dirent.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include <neuroset/memory.h>
#include <neuroset/random.h>

#include "cli/progress.h"
#include "imaging/blur.h"
#include "imaging/images.h"
#include "imaging/simulate.h"
#include "signal/robust.h"

enum { MOST_IMAGES = 24, BIN = 4 };

void nset_fields_fini(nset_fields *f)
{
    for (size_t i = 0; i < f->n; i++) {
        nset_free(f->field[i].input);
        nset_free(f->field[i].images);
        nset_free(f->field[i].label);
        nset_free(f->field[i].region);
    }
    nset_free(f->field);
    *f = (nset_fields){ 0 };
}

static nset_status new_field(
    nset_field **out, nset_fields *f, const char *name, size_t height, size_t width, size_t n_regions, nset_error *err)
{
    nset_status status = nset_grow(&f->field, &f->capacity, f->n + 1, sizeof *f->field, err);
    nset_field *field;

    if (status != NSET_OK)
        return status;
    field = &f->field[f->n++];
    *field = (nset_field){ .height = height, .width = width, .n_regions = n_regions };
    snprintf(field->name, sizeof field->name, "%s", name);
    field->input = nset_calloc(height * width * NSET_SEG_INPUTS, sizeof *field->input);
    field->label = nset_calloc(height * width, sizeof *field->label);
    field->region = nset_calloc(n_regions, sizeof *field->region);
    if (!field->input || !field->label || !field->region)
        return nset_fail_oom(err, height * width * NSET_SEG_INPUTS, sizeof *field->input);
    *out = field;
    return NSET_OK;
}

/* ---- real summary images ---- */

static int by_size(const void *a, const void *b)
{
    size_t p = *(const size_t *)a, q = *(const size_t *)b;

    return (p > q) - (p < q);
}

static double median_diameter(json_t *regions)
{
    size_t n = json_array_size(regions);
    size_t *area = nset_calloc(n, sizeof *area), middle;

    if (!area || n == 0) {
        nset_free(area);
        return NSET_SEG_LABEL;
    }
    for (size_t i = 0; i < n; i++)
        area[i] = json_array_size(json_object_get(json_array_get(regions, i), "coordinates"));
    qsort(area, n, sizeof *area, by_size);
    middle = area[n / 2];
    nset_free(area);
    return middle > 0 ? 2 * sqrt((double)middle / 3.14159) : NSET_SEG_LABEL;
}

/* Labels on a grid scale times as fine, nearest pixel. */
static nset_status paint(
    nset_field *field, json_t *regions, size_t height, size_t width, const char *path, nset_error *err)
{
    int32_t *small = nset_calloc(height * width, sizeof *small);
    double fy = (double)field->height / (double)height, fx = (double)field->width / (double)width;

    if (!small)
        return nset_fail_oom(err, height * width, sizeof *small);
    for (size_t i = 0; i < field->n_regions; i++) {
        json_t *region = json_array_get(regions, i), *list = json_object_get(region, "coordinates");
        size_t n = json_array_size(list);
        double row = 0, column = 0;
        for (size_t k = 0; k < n; k++) {
            json_int_t y = json_integer_value(json_array_get(json_array_get(list, k), 0));
            json_int_t x = json_integer_value(json_array_get(json_array_get(list, k), 1));
            if (y < 0 || x < 0 || y >= (json_int_t)height || x >= (json_int_t)width) {
                nset_free(small);
                return nset_fail(err, NSET_ERR_FORMAT, "%s: region %zu: pixel (%lld, %lld) lies outside %zu x %zu",
                    path, i, (long long)y, (long long)x, height, width);
            }
            small[(size_t)y * width + (size_t)x] = (int32_t)i + 1;
            row += (double)y / (double)n;
            column += (double)x / (double)n;
        }
        field->region[i] = (nset_region){ (row + .5) * fy - .5, (column + .5) * fx - .5,
            json_is_true(json_object_get(region, "touching")) };
    }
    for (size_t y = 0; y < field->height; y++)
        for (size_t x = 0; x < field->width; x++) {
            size_t i = (size_t)(((double)y + .5) / fy), j = (size_t)(((double)x + .5) / fx);
            field->label[y * field->width + x] =
                small[(i < height ? i : height - 1) * width + (j < width ? j : width - 1)];
        }
    nset_free(small);
    return NSET_OK;
}

static double folder_weight(const char *name)
{
    return !strncmp(name, "neurofinder_00", 14) ? 2 : !strncmp(name, "neurofinder", 11) ? 1 : .5;
}

/* A map (h2, w2) of an image (h, w): photon noise of share times the image's own texture is added, which is even on the
 * scale of roots (Anscombe), as if fewer frames had been averaged. room: h w numbers. */
static void make_map(float *map, size_t h2, size_t w2, float *image, size_t h, size_t w, double share, uint64_t seed,
    float *room, float *room2)
{
    nset_random r = nset_random_stream(seed, "fewer frames", 0);
    double factor = (double)h2 / (double)h, sd;
    size_t n = h * w;

    for (size_t i = 0; i < n; i++)
        room[i] = image[i] = sqrtf(fmaxf(image[i], 0));
    nset_blur(room, h, w, 4, room2);
    for (size_t i = 0; i < n; i++)
        room[i] = image[i] - room[i];
    sd = share * (double)nset_mad_sd(room, n);
    for (size_t i = 0; i < n; i++) {
        float v = fmaxf(image[i] + (float)(sd * nset_random_normal(&r)), 0);
        image[i] = v * v;
    }
    if (factor < .8)
        nset_blur(image, h, w, .4 / factor, room);
    nset_resize(map, h2, w2, image, h, w);
}

/* noise: 0 for the image as it is. */
static nset_status use_summary(nset_fields *f, nset_movie *summary, json_t *regions, const char *name, const char *path,
    double noise, nset_error *err)
{
    double factor = NSET_SEG_LABEL / median_diameter(regions);
    size_t h = summary->height, w = summary->width, h2 = (size_t)lround((double)h * factor),
           w2 = (size_t)lround((double)w * factor);
    float *image = nset_calloc(3 * h * w, sizeof *image), *maps = nset_calloc(NSET_N_MAPS * h2 * w2, sizeof *maps);
    nset_field *field = NULL;
    nset_status status = image && maps ? NSET_OK : nset_fail_oom(err, 3 * h * w, sizeof *image);

    for (int page = 0; page < 2 && page < summary->n_frames && status == NSET_OK; page++) {
        float *map = maps + (size_t)(page == 0 ? NSET_MAP_MEAN : NSET_MAP_BRIGHTEST) * h2 * w2;
        if ((status = summary->read(summary, image, page, err)) == NSET_OK)
            make_map(map, h2, w2, image, h, w, (page + 1) * noise, XXH3_64bits(name, strlen(name)) + (uint64_t)page,
                image + h * w, image + 2 * h * w);
    }
    if (status == NSET_OK && (status = new_field(&field, f, name, h2, w2, json_array_size(regions), err)) == NSET_OK) {
        field->weight = folder_weight(name);
        if ((status = nset_segnet_inputs(field->input, maps, h2, w2, 1, NSET_SEG_DIAMETER, err)) == NSET_OK)
            status = paint(field, regions, h, w, path, err);
    }
    nset_free(image);
    nset_free(maps);
    return status;
}

static nset_status load_regions(json_t **out, const char *path, nset_error *err)
{
    json_error_t why;

    if ((*out = json_load_file(path, 0, &why)) && json_is_array(*out))
        return NSET_OK;
    if (*out) {
        json_decref(*out);
        return nset_fail(
            err, NSET_ERR_FORMAT, "%s: this is no list of regions, as neurofinder's regions.json is", path);
    }
    if (why.line < 0)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: it cannot be read", path);
    return nset_fail(err, NSET_ERR_FORMAT, "%s: line %d: %s", path, why.line, why.text);
}

/* A field is learnt as it is and as fewer frames would show it. */
static nset_status add_summary(nset_fields *f, const char *folder, const char *name, nset_error *err)
{
    static const double noise[NSET_FIELD_VIEWS] = { 0, .15, .3 };
    const nset_movie_options any = { 0 };
    char path[4200];
    const char *file = path;
    nset_movie *summary = NULL;
    json_t *regions;
    nset_status status;

    snprintf(path, sizeof path, "%s/regions.json", folder);
    if ((status = load_regions(&regions, path, err)) != NSET_OK)
        return status;
    snprintf(path, sizeof path, "%s/summary.tif", folder);
    status = nset_movie_open(&summary, &file, 1, &any, err);
    for (size_t k = 0; k < NSET_FIELD_VIEWS && status == NSET_OK; k++)
        status = use_summary(f, summary, regions, name, path, noise[k], err);
    nset_movie_close(summary);
    json_decref(regions);
    return status;
}

static int no_dots(const struct dirent *e)
{
    return e->d_name[0] != '.';
}

nset_status nset_fields_add_folder(nset_fields *f, const char *dir, nset_error *err)
{
    struct dirent **list = NULL;
    int n = scandir(dir, &list, no_dots, alphasort);
    nset_status status = NSET_OK;
    char path[4096], summary[4200];

    if (n < 0)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: this folder cannot be read", dir);
    for (int i = 0; i < n; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, list[i]->d_name);
        snprintf(summary, sizeof summary, "%s/summary.tif", path);
        if (status == NSET_OK && access(summary, R_OK) == 0)
            status = add_summary(f, path, list[i]->d_name, err);
        free(list[i]);
    }
    free(list);
    return status;
}

/* ---- a user's movie ---- */

/* Outside of area nobody looked: pixels are unknown, and so are cells with their centre there. */
static void forget_outside(nset_field *f, nset_area area, double factor)
{
    struct {
        double top, left, bottom, right;
    } box = { (double)area.top * factor, (double)area.left * factor, (double)area.bottom * factor,
        (double)area.right * factor };

    for (size_t y = 0; y < f->height; y++)
        for (size_t x = 0; x < f->width; x++)
            if ((double)y < box.top || (double)y >= box.bottom || (double)x < box.left || (double)x >= box.right)
                f->label[y * f->width + x] = -1;
    for (size_t i = 0; i < f->n_regions; i++) {
        nset_region *r = &f->region[i];
        if (r->row < box.top || r->row >= box.bottom || r->column < box.left || r->column >= box.right)
            r->touching = true; /* no centre is asked */
    }
}

/* Interleaved (H, W, d) or, for d = 1, plain images to the field's size. */
static void to_field(
    float *to, const nset_field *f, const float *from, size_t h, size_t w, size_t d, float *a, float *b)
{
    for (size_t k = 0; k < d; k++) {
        for (size_t i = 0; i < h * w; i++)
            a[i] = from[i * d + k];
        nset_resize(b, f->height, f->width, a, h, w);
        for (size_t i = 0; i < f->height * f->width; i++)
            to[i * d + k] = b[i];
    }
}

static nset_status use_images(nset_fields *f, const nset_images *images, json_t *regions, double factor, nset_area area,
    const char *path, nset_error *err)
{
    size_t h = images->sums.height, w = images->sums.width, h2 = (size_t)lround((double)h * factor),
           w2 = (size_t)lround((double)w * factor), n = h * w, n2 = h2 * w2;
    float *maps = nset_calloc(NSET_N_MAPS * n, sizeof *maps), *input = nset_calloc(NSET_SEG_INPUTS * n, sizeof *input),
          *a = nset_calloc(n, sizeof *a), *b = nset_calloc(n2, sizeof *b);
    nset_field *field;
    nset_status status = maps && input && a && b ? NSET_OK : nset_fail_oom(err, n, NSET_N_MAPS * sizeof *maps);

    if (status != NSET_OK)
        goto done;
    nset_accumulator_maps(&images->sums, maps);
    if ((status = nset_segnet_inputs(input, maps, h, w, images->sums.n, NSET_SEG_DIAMETER / factor, err)) != NSET_OK ||
        (status = new_field(&field, f, "the movie", h2, w2, json_array_size(regions), err)) != NSET_OK ||
        (status = paint(field, regions, h, w, path, err)) != NSET_OK)
        goto done;
    if (!(field->images = nset_calloc(images->n_kept * n2, sizeof *field->images))) {
        status = nset_fail_oom(err, images->n_kept * n2, sizeof *field->images);
        goto done;
    }
    field->n_images = images->n_kept;
    field->has_activity = images->sums.n > 1;
    field->weight = 1;
    to_field(field->input, field, input, h, w, NSET_SEG_INPUTS, a, b);
    for (size_t k = 0; k < images->n_kept; k++)
        to_field(field->images + k * n2, field, images->kept + k * n, h, w, 1, a, b);
    if (area.bottom > 0)
        forget_outside(field, area, factor);

done:
    nset_free(maps);
    nset_free(input);
    nset_free(a);
    nset_free(b);
    return status;
}

nset_status nset_fields_add_movie(nset_fields *f, nset_movie *movie, const unsigned char *valid, const char *path,
    nset_area area, const nset_net *phi, nset_workers *workers, nset_error *err)
{
    nset_images_options o = { .valid = valid, .keep = MOST_IMAGES };
    nset_images images = { 0 };
    json_t *regions = NULL;
    double factor;
    nset_status status = load_regions(&regions, path, err);

    if (status != NSET_OK)
        return status;
    if (json_array_size(regions) == 0) {
        json_decref(regions);
        return nset_fail(err, NSET_ERR_FORMAT, "%s: it holds no region: there is nothing to learn from it", path);
    }
    if (area.bottom > (long)movie->height || area.right > (long)movie->width) {
        json_decref(regions);
        return nset_fail(err, NSET_ERR_ARG, "--area ends at row %ld, column %ld: the movie has %zu rows, %zu columns",
            area.bottom, area.right, movie->height, movie->width);
    }
    factor = NSET_SEG_LABEL / median_diameter(regions);
    o.diameter = NSET_SEG_DIAMETER / factor;
    if ((status = nset_images_make(&images, movie, &o, phi, workers, err)) == NSET_OK)
        status = use_images(f, &images, regions, factor, area, path, err);
    nset_images_fini(&images);
    json_decref(regions);
    return status;
}

/* ---- simulated movies ---- */

static nset_sim_movie_options random_options(uint64_t seed)
{
    nset_random r = nset_random_stream(seed, "field", 0);
    nset_sim_movie_options o = NSET_SIM_MOVIE_INIT;

    o.seed = seed;
    o.height = o.width = 144;
    o.n_frames = 120 + 40 * nset_random_below(&r, 7);
    o.one_photon = nset_random_uniform(&r) < .2;
    o.n_cells = nset_random_uniform(&r) < .04 ? 0 : 8 + nset_random_below(&r, 54); /* some fields hold nothing */
    o.diameter_px = 9 + 3 * nset_random_uniform(&r);
    o.rate_hz = 5 + 5 * nset_random_uniform(&r);
    o.photons = exp(log(1) + log(20) * nset_random_uniform(&r)) * (o.one_photon ? 20 : 1);
    o.neuropil = .3 + 1.2 * nset_random_uniform(&r);
    o.silent = (o.one_photon ? .2 : .5) * nset_random_uniform(&r);
    o.contaminants = .2 + 2.3 * nset_random_uniform(&r);
    o.motion_px = .4 * nset_random_uniform(&r); /* what registration leaves */
    return o;
}

static void bin_image(float *image, const nset_sim_movie *m, size_t b)
{
    size_t n = m->height * m->width;

    memset(image, 0, n * sizeof *image);
    for (size_t t = b * BIN; t < (b + 1) * BIN; t++)
        for (size_t i = 0; i < n; i++)
            image[i] += (float)m->frames[t * n + i] / BIN;
}

static nset_status use_movie(nset_fields *f, const nset_sim_movie *m, const char *name, nset_error *err)
{
    size_t h = m->height, w = m->width, n = h * w, n_bins = m->n_frames / BIN, kept = 0;
    float *image = nset_calloc(n, sizeof *image), *band = nset_calloc(n, sizeof *band),
          *room = nset_calloc(n, sizeof *room);
    float *maps = nset_calloc(NSET_N_MAPS * n, sizeof *maps);
    nset_accumulator a = { 0 };
    nset_field *field = NULL;
    nset_status status = image && band && room && maps ? NSET_OK : nset_fail_oom(err, NSET_N_MAPS * n, sizeof *maps);

    if (status != NSET_OK || (status = new_field(&field, f, name, h, w, m->n_cells, err)) != NSET_OK ||
        (status = nset_accumulator_init(&a, h, w, err)) != NSET_OK)
        goto done;
    field->n_images = n_bins < MOST_IMAGES ? n_bins : MOST_IMAGES;
    field->has_activity = true;
    field->weight = .6;
    if (!(field->images = nset_calloc(field->n_images * n, sizeof *field->images))) {
        status = nset_fail_oom(err, field->n_images * n, sizeof *field->images);
        goto done;
    }
    for (size_t b = 0; b < n_bins; b++) {
        bin_image(image, m, b);
        nset_accumulator_add_mean(&a, image);
    }
    if ((status = nset_accumulator_settle(&a, NSET_SEG_DIAMETER, err)) != NSET_OK)
        goto done;
    for (size_t b = 0; b < n_bins; b++) {
        bin_image(image, m, b);
        if ((status = nset_accumulator_add(&a, image, band, err)) != NSET_OK)
            goto done;
        if (b * field->n_images / n_bins >= kept && kept < field->n_images) {
            nset_segnet_image(band, h, w, room);
            memcpy(field->images + kept++ * n, band, n * sizeof *band);
        }
    }
    nset_accumulator_maps(&a, maps);
    status = nset_segnet_inputs(field->input, maps, h, w, a.n, NSET_SEG_DIAMETER, err);
    for (size_t c = 0; c < m->n_cells; c++) {
        field->region[c] = (nset_region){ m->cells[c].row, m->cells[c].column, m->cells[c].n_pixels == 0 };
        for (size_t k = 0; k < m->cells[c].n_pixels; k++)
            field->label[m->cells[c].pixel[k]] = (int32_t)c + 1;
    }

done:
    nset_accumulator_fini(&a);
    nset_free(image);
    nset_free(band);
    nset_free(room);
    nset_free(maps);
    return status;
}

nset_status nset_fields_add_simulated(nset_fields *f, size_t n, uint64_t seed, nset_error *err)
{
    nset_status status = NSET_OK;

    for (size_t i = 0; i < n && status == NSET_OK; i++) {
        nset_sim_movie_options o = random_options(seed + i);
        nset_sim_movie *m = NULL;
        char name[64];
        snprintf(name, sizeof name, "simulated_%zu", i);
        if ((status = nset_sim_movie_make(&m, &o, err)) == NSET_OK)
            status = use_movie(f, m, name, err);
        nset_sim_movie_free(m);
    }
    return status;
}
