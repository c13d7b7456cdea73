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
    g->node = nset_calloc(width, sizeof *g->node);
    g->past = nset_calloc(width, sizeof *g->past);
    room = nset_calloc(n, sizeof *room);
    if (!g->mean || !g->weight || !g->energy || !g->node || !g->past || !room) {
        nset_free(room);
        nset_gain_fini(g);
        return nset_fail_oom(err, n, sizeof *room);
    }
    for (size_t x = 0; x < width; x++) { /* nodes stand in the middle of their squares */
        double u = fmin(fmax(((double)x + .5) / (double)step - .5, 0), (double)(g->columns - 1));
        g->node[x] = (size_t)u;
        g->past[x] = (float)(u - floor(u));
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
    nset_free(g->node);
    nset_free(g->past);
    *g = (nset_gain){ 0 };
}

size_t nset_gain_room(const nset_gain *g)
{
    return 4 * g->rows * g->columns + g->columns + 1 + 2 * g->width;
}

/* row (width) := the grid between its nodes at row y. line: columns + 1 numbers. */
static void row_of_grid(float *row, const nset_gain *g, const float *grid, size_t y, float *line)
{
    size_t last = g->rows - 1;
    double v = fmin(fmax(((double)y + .5) / (double)g->step - .5, 0), (double)last);
    size_t r = (size_t)v;
    float share = (float)(v - (double)r);
    const float *a = grid + r * g->columns, *b = grid + (r < last ? r + 1 : r) * g->columns;

    for (size_t c = 0; c < g->columns; c++)
        line[c] = a[c] + share * (b[c] - a[c]);
    line[g->columns] = line[g->columns - 1];
    for (size_t x = 0; x < g->width; x++) {
        const float *left = line + g->node[x];
        row[x] = left[0] + g->past[x] * (left[1] - left[0]);
    }
}

/* Sums over the squares of the grid: weighted residuals of band - factor mean, clipped to limit, and their squares.
 * limit NULL: nothing is clipped. */
static void regress(const nset_gain *g, float *slope, float *square, const float *band, const float *factor,
    const float *limit, float *row, float *line)
{
    size_t w = g->width;

    memset(slope, 0, g->rows * g->columns * sizeof *slope);
    memset(square, 0, g->rows * g->columns * sizeof *square);
    for (size_t y = 0; y < g->height; y++) {
        const float *x = band + y * w, *mean = g->mean + y * w, *weight = g->weight + y * w;
        float *to = slope + y / g->step * g->columns, *to2 = square + y / g->step * g->columns;
        row_of_grid(row, g, factor, y, line);
        if (limit)
            row_of_grid(row + w, g, limit, y, line);
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
    float *factor = room, *slope = room + n, *square = room + 2 * n, *scratch = room + 3 * n, *line = room + 4 * n,
          *row = line + g->columns + 1;

    memset(factor, 0, n * sizeof *factor);
    for (int round = 0; round < ROUNDS; round++) {
        regress(g, slope, square, band, factor, round > 0 ? scratch : NULL, row, line);
        nset_blur(slope, g->rows, g->columns, g->sigma, scratch);
        for (size_t k = 0; k < n; k++)
            factor[k] += g->energy[k] > 0 ? slope[k] / g->energy[k] : 0;
        nset_blur(square, g->rows, g->columns, g->sigma, scratch);
        for (size_t k = 0; k < n; k++)
            scratch[k] = (float)(CLIP * sqrt((double)square[k] / (double)(g->step * g->step)));
    }
    for (size_t y = 0; y < g->height; y++) {
        row_of_grid(row, g, factor, y, line);
        for (size_t i = 0; i < g->width; i++)
            band[y * g->width + i] -= row[i] * g->mean[y * g->width + i];
    }
}
