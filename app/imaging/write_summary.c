/* summary/: maps as float TIFF and as pictures, and the outlines of the masks. */
#include "imaging/write.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <neuroset/memory.h>

#include "imaging/tiff.h"
#include "results/png.h"

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;

    return (x > y) - (x < y);
}

/* gray (n) := x between its 1st and 99.7th percentile; all 0 for a constant map. */
static nset_status to_gray(uint8_t *gray, const float *x, size_t n, nset_error *err)
{
    float *sorted = nset_calloc(n, sizeof *sorted), low, high;
    size_t k = 0;

    if (!sorted)
        return nset_fail_oom(err, n, sizeof *sorted);
    for (size_t i = 0; i < n; i++)
        if (isfinite(x[i]))
            sorted[k++] = x[i];
    qsort(sorted, k, sizeof *sorted, by_value);
    low = k ? sorted[k / 100] : 0;
    high = k ? sorted[(size_t)((double)(k - 1) * .997)] : 0;
    for (size_t i = 0; i < n; i++) {
        float v = high > low && isfinite(x[i]) ? (x[i] - low) / (high - low) : 0;
        gray[i] = (uint8_t)(255 * (v < 0 ? 0 : v > 1 ? 1 : v) + .5f);
    }
    nset_free(sorted);
    return NSET_OK;
}

static nset_status write_map(
    const float *x, const char *name, size_t height, size_t width, nset_run_folder *folder, nset_error *err)
{
    size_t n = height * width;
    uint8_t *gray = nset_calloc(n, 1);
    char file[64];
    const char *path;
    nset_status status = gray ? to_gray(gray, x, n, err) : nset_fail_oom(err, n, 1);

    snprintf(file, sizeof file, "summary/%s.tif", name);
    if (status == NSET_OK)
        status = (path = nset_run_folder_path(folder, file, err)) ? nset_tiff_write_f32(path, x, 1, height, width, err)
                                                                  : NSET_ERR_IO;
    snprintf(file, sizeof file, "summary/%s.png", name);
    if (status == NSET_OK)
        status = (path = nset_run_folder_path(folder, file, err)) ? nset_png_write(path, gray, height, width, 1, err)
                                                                  : NSET_ERR_IO;
    nset_free(gray);
    return status;
}

/* A pixel of the mask with a neighbour outside of it, or at the edge of the frame. inside (H, W) is 1 in the mask. */
static bool on_outline(const uint8_t *inside, size_t at, size_t height, size_t width)
{
    size_t row = at / width, column = at % width;

    return row == 0 || column == 0 || row + 1 == height || column + 1 == width || !inside[at - 1] || !inside[at + 1] ||
           !inside[at - width] || !inside[at + width];
}

/* Twelve hues by turns, so that neighbours differ. */
static void colour_of(uint8_t rgb[3], size_t i)
{
    double hue = (double)(i * 5 % 12) / 2;

    for (int c = 0; c < 3; c++) {
        double k = fmod(5 - 2 * c + hue, 6), low = fmin(fmin(k, 4 - k), 1);
        rgb[c] = (uint8_t)(255 * (1 - fmax(0, low)));
    }
}

static void draw(uint8_t *rgb, uint8_t *inside, const nset_masks *m)
{
    for (size_t i = 0; i < m->n; i++) {
        const nset_roi *r = &m->roi[i];
        uint8_t colour[3];
        colour_of(colour, i);
        for (size_t k = 0; k < r->n_pixels; k++)
            inside[r->pixel[k]] = 1;
        for (size_t k = 0; k < r->n_pixels; k++)
            if (on_outline(inside, (size_t)r->pixel[k], m->height, m->width))
                memcpy(rgb + 3 * (size_t)r->pixel[k], colour, 3);
        for (size_t k = 0; k < r->n_pixels; k++)
            inside[r->pixel[k]] = 0;
    }
}

static nset_status write_outlines(const float *mean, const nset_masks *m, nset_run_folder *folder, nset_error *err)
{
    size_t n = m->height * m->width;
    uint8_t *gray = nset_calloc(n, 1), *rgb = nset_calloc(n, 3);
    const char *path = nset_run_folder_path(folder, "summary/outlines.png", err);
    nset_status status = !path ? NSET_ERR_IO : gray && rgb ? to_gray(gray, mean, n, err) : nset_fail_oom(err, n, 3);

    if (status == NSET_OK) {
        for (size_t i = 0; i < 3 * n; i++)
            rgb[i] = gray[i / 3];
        memset(gray, 0, n);
        draw(rgb, gray, m);
        status = nset_png_write(path, rgb, m->height, m->width, 3, err);
    }
    nset_free(gray);
    nset_free(rgb);
    return status;
}

nset_status nset_summary_write(const nset_maps *maps, const nset_masks *masks, nset_run_folder *folder, nset_error *err)
{
    size_t n = maps->height * maps->width, mean = 0;
    nset_status status = NSET_OK;

    for (size_t i = 0; i < maps->n && status == NSET_OK; i++) {
        status = write_map(maps->data + i * n, maps->names[i], maps->height, maps->width, folder, err);
        if (!strcmp(maps->names[i], "mean"))
            mean = i;
    }
    return status == NSET_OK ? write_outlines(maps->data + mean * n, masks, folder, err) : status;
}
