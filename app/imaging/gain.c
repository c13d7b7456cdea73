#include "imaging/gain.h"

#include <math.h>
#include <string.h>

#include <neuroset/memory.h>

#include "imaging/blur.h"
#include "signal/robust.h"

enum { ROUNDS = 3 };
#define REACH_DIAMETERS 2.4 /* sigma of the neighbourhood */
#define STANDS_OUT 2.       /* robust deviations of the mean beyond which a pixel counts less */
#define CLIP 2.5            /* local root mean squares that a residual may have */
#define RIDGE .01

nset_status nset_gain_init(
    nset_gain *g, const float *mean, size_t height, size_t width, double diameter_px, nset_error *err)
{
    size_t n = height * width, step = (size_t)fmax(1, lround(.5 * diameter_px));
    float *room = NULL;
    double sd, total = 0;

    *g = (nset_gain){ .height = height, .width = width, .step = step };
    g->rows = (height + step - 1) / step;
    g->columns = (width + step - 1) / step;
    g->sigma = REACH_DIAMETERS * diameter_px / (double)step;
    g->mean = nset_calloc(n, sizeof *g->mean);
    g->weight = nset_calloc(n, sizeof *g->weight);
    g->energy = nset_calloc(g->rows * g->columns, sizeof *g->energy);
    room = nset_calloc(n, sizeof *room);
    if (!g->mean || !g->weight || !g->energy || !room) {
        nset_free(room);
        nset_gain_fini(g);
        return nset_fail_oom(err, n, sizeof *room);
    }
    memcpy(g->mean, mean, n * sizeof *mean);
    memcpy(room, mean, n * sizeof *mean);
    sd = STANDS_OUT * (double)nset_mad_sd(room, n);
    for (size_t i = 0; i < n; i++) {
        double u = sd > 0 ? (double)mean[i] / sd : 0;
        g->weight[i] = (float)((double)mean[i] / (1 + u * u)); /* times the mean once: the regression's other factor */
        g->energy[i / width / step * g->columns + i % width / step] += g->weight[i] * mean[i];
    }
    nset_blur(g->energy, g->rows, g->columns, g->sigma, room);
    for (size_t k = 0; k < g->rows * g->columns; k++)
        total += (double)g->energy[k] / (double)(g->rows * g->columns);
    for (size_t k = 0; k < g->rows * g->columns; k++)
        g->energy[k] += (float)(RIDGE * ((double)g->energy[k] + total)); /* a factor needs texture to be seen in */
    nset_free(room);
    return NSET_OK;
}

void nset_gain_fini(nset_gain *g)
{
    nset_free(g->mean);
    nset_free(g->weight);
    nset_free(g->energy);
    *g = (nset_gain){ 0 };
}

size_t nset_gain_room(const nset_gain *g)
{
    return 4 * g->rows * g->columns + 2 * g->width;
}

/* row (width) := the grid between its nodes at row y. Nodes stand in the middle of their squares. */
static void row_of_grid(float *row, const nset_gain *g, const float *grid, size_t y)
{
    size_t last = g->rows - 1;
    double v = fmin(fmax(((double)y + .5) / (double)g->step - .5, 0), (double)last);
    size_t r = (size_t)v, below = r < last ? r + 1 : r;
    float share = (float)(v - (double)r);
    const float *a = grid + r * g->columns, *b = grid + below * g->columns;

    for (size_t x = 0; x < g->width; x++) {
        double u = fmin(fmax(((double)x + .5) / (double)g->step - .5, 0), (double)(g->columns - 1));
        size_t c = (size_t)u, right = c + 1 < g->columns ? c + 1 : c;
        float t = (float)(u - (double)c), left_value = a[c] + share * (b[c] - a[c]),
              right_value = a[right] + share * (b[right] - a[right]);
        row[x] = left_value + t * (right_value - left_value);
    }
}

/* Sums over the squares of the grid: weighted residuals of band - factor mean, clipped to limit, and their squares.
 * limit NULL: nothing is clipped. */
static void regress(const nset_gain *g, float *slope, float *square, const float *band, const float *factor,
    const float *limit, float *row)
{
    size_t w = g->width;

    memset(slope, 0, g->rows * g->columns * sizeof *slope);
    memset(square, 0, g->rows * g->columns * sizeof *square);
    for (size_t y = 0; y < g->height; y++) {
        const float *x = band + y * w, *mean = g->mean + y * w, *weight = g->weight + y * w;
        float *to = slope + y / g->step * g->columns, *to2 = square + y / g->step * g->columns;
        row_of_grid(row, g, factor, y);
        if (limit)
            row_of_grid(row + w, g, limit, y);
        for (size_t i = 0; i < w; i++) {
            float r = x[i] - mean[i] - row[i] * mean[i];
            to2[i / g->step] += r * r;
            if (limit)
                r = fminf(fmaxf(r, -row[w + i]), row[w + i]);
            to[i / g->step] += weight[i] * r;
        }
    }
}

void nset_gain_remove(const nset_gain *g, float *band, float *room)
{
    size_t n = g->rows * g->columns;
    float *factor = room, *slope = room + n, *square = room + 2 * n, *scratch = room + 3 * n, *row = room + 4 * n;

    memset(factor, 0, n * sizeof *factor);
    for (int round = 0; round < ROUNDS; round++) {
        regress(g, slope, square, band, factor, round > 0 ? scratch : NULL, row);
        nset_blur(slope, g->rows, g->columns, g->sigma, scratch);
        for (size_t k = 0; k < n; k++)
            factor[k] += g->energy[k] > 0 ? slope[k] / g->energy[k] : 0;
        nset_blur(square, g->rows, g->columns, g->sigma, scratch);
        for (size_t k = 0; k < n; k++)
            scratch[k] = (float)(CLIP * sqrt((double)square[k] / (double)(g->step * g->step)));
    }
    for (size_t y = 0; y < g->height; y++) {
        row_of_grid(row, g, factor, y);
        for (size_t i = 0; i < g->width; i++)
            band[y * g->width + i] -= row[i] * g->mean[y * g->width + i];
    }
}
