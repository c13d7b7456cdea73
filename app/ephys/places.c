#include "ephys/places.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include <neuroset/memory.h>

#define AROUND_UM 80. /* contacts that are asked */
#define ALONG_UM 40.  /* of the source from the home contact, along y */
#define ASIDE_UM 20.  /* of the source beyond the contacts, along x */
#define NEAREST_UM 10.
#define FARTHEST_UM 80.
#define FIRST_STEP_UM 5.
#define LAST_STEP_UM 1.25
enum { X_STARTS = 5, Y_STARTS = 9, Z_STARTS = 2 };
static const double z_starts[Z_STARTS] = { 20, 45 };

/* ---- which contacts ---- */

static double distance(const nset_probe *probe, size_t a, size_t b)
{
    return hypot(probe->x_um[a] - probe->x_um[b], probe->y_um[a] - probe->y_um[b]);
}

/* The nearest to home, home first; of equally near ones those before. */
static void find_contacts(nset_placer *p, const nset_probe *probe, size_t home)
{
    for (size_t c = 0; c < probe->n_channels; c++) {
        double d = distance(probe, c, home);
        size_t at = p->n;
        if (probe->shank[c] != probe->shank[home] || d > AROUND_UM)
            continue;
        for (; at > 0 && (c == home || (p->channel[at - 1] != home && d < distance(probe, p->channel[at - 1], home)));
             at--)
            if (at < NSET_PLACE_CONTACTS)
                p->channel[at] = p->channel[at - 1];
        if (at < NSET_PLACE_CONTACTS)
            p->channel[at] = c;
        p->n += p->n < NSET_PLACE_CONTACTS;
    }
    for (size_t i = 0; i < p->n; i++) {
        p->x[i] = probe->x_um[p->channel[i]];
        p->y[i] = probe->y_um[p->channel[i]];
    }
}

static void find_bounds(nset_placer *p)
{
    double low = p->x[0], high = p->x[0];

    for (size_t i = 1; i < p->n; i++) {
        low = fmin(low, p->x[i]);
        high = fmax(high, p->x[i]);
    }
    p->low[0] = low < high ? low - ASIDE_UM : low;
    p->high[0] = low < high ? high + ASIDE_UM : high;
    p->low[1] = p->n > 1 ? p->y[0] - ALONG_UM : p->y[0];
    p->high[1] = p->n > 1 ? p->y[0] + ALONG_UM : p->y[0];
    p->low[2] = NEAREST_UM;
    p->high[2] = FARTHEST_UM;
}

/* ---- how well a source explains sizes ---- */

/* k (n) := potential of a source of strength 1; returns its squared norm. */
static double potential(double *k, const nset_placer *p, const double at[3])
{
    double sum = 0;

    for (size_t i = 0; i < p->n; i++) {
        double dx = p->x[i] - at[0], dy = p->y[i] - at[1], square = 1 / (dx * dx + dy * dy + at[2] * at[2]);
        k[i] = sqrt(square);
        sum += square;
    }
    return sum;
}

static double fit(const nset_placer *p, const double *size, const double at[3])
{
    double k[NSET_PLACE_CONTACTS], norm2 = potential(k, p, at), sum = 0;

    for (size_t i = 0; i < p->n; i++)
        sum += k[i] * size[i];
    return sum / sqrt(norm2);
}

/* Steps along an axis at a time while that explains more, then steps half as long. */
static void climb(const nset_placer *p, const double *size, double at[3])
{
    double best = fit(p, size, at), step = FIRST_STEP_UM;

    while (step >= LAST_STEP_UM) {
        double found[3] = { at[0], at[1], at[2] };
        bool better = false;
        for (int axis = 0; axis < 3; axis++)
            for (int sign = -1; sign <= 1; sign += 2) {
                double now[3] = { at[0], at[1], at[2] }, value;
                now[axis] += sign * step;
                if (now[axis] < p->low[axis] || now[axis] > p->high[axis] || (value = fit(p, size, now)) <= best)
                    continue;
                best = value;
                memcpy(found, now, sizeof found);
                better = true;
            }
        memcpy(at, found, sizeof found);
        if (!better)
            step /= 2;
    }
}

/* ---- all ---- */

nset_status nset_placer_init(
    nset_placer *p, const nset_probe *probe, size_t home, const float *shape, size_t length, nset_error *err)
{
    size_t n_x, n_y, most = (size_t)X_STARTS * Y_STARTS * Z_STARTS;

    *p = (nset_placer){ .length = length };
    find_contacts(p, probe, home);
    find_bounds(p);
    n_x = p->low[0] < p->high[0] ? X_STARTS : 1;
    n_y = p->low[1] < p->high[1] ? Y_STARTS : 1;
    p->shape = nset_calloc(length, sizeof *p->shape);
    p->start = nset_calloc(most * p->n, sizeof *p->start);
    p->from = nset_calloc(most, sizeof *p->from);
    if (!p->shape || !p->start || !p->from) {
        nset_placer_fini(p);
        return nset_fail_oom(err, most * NSET_PLACE_CONTACTS, sizeof *p->start);
    }
    memcpy(p->shape, shape, length * sizeof *shape);
    for (size_t i = 0; i < n_x * n_y * Z_STARTS; i++) {
        double *at = p->from[p->n_starts], k[NSET_PLACE_CONTACTS], norm2;
        at[0] = n_x > 1 ? p->low[0] + (p->high[0] - p->low[0]) * (double)(i % n_x) / (double)(n_x - 1) : p->low[0];
        at[1] =
            n_y > 1 ? p->low[1] + (p->high[1] - p->low[1]) * (double)(i / n_x % n_y) / (double)(n_y - 1) : p->low[1];
        at[2] = z_starts[i / n_x / n_y];
        norm2 = potential(k, p, at);
        for (size_t c = 0; c < p->n; c++)
            p->start[p->n_starts * p->n + c] = (float)(k[c] / sqrt(norm2));
        p->n_starts++;
    }
    return NSET_OK;
}

void nset_placer_fini(nset_placer *p)
{
    nset_free(p->shape);
    nset_free(p->start);
    nset_free(p->from);
    *p = (nset_placer){ 0 };
}

void nset_placer_place(const nset_placer *p, double *x, double *y, const float *signal, size_t n_rows, size_t row,
    size_t column, ptrdiff_t at)
{
    size_t first = at < 0 ? (size_t)-at : 0, last = p->length, best = 0;
    double size[NSET_PLACE_CONTACTS], most = 0;

    if (at + (ptrdiff_t)last > (ptrdiff_t)n_rows)
        last = (ptrdiff_t)n_rows > at ? (size_t)((ptrdiff_t)n_rows - at) : 0;
    for (size_t i = 0; i < p->n; i++) {
        float sum = 0;
        for (size_t s = first; s < last; s++)
            sum += p->shape[s] * signal[(size_t)(at + (ptrdiff_t)s) * row + p->channel[i] * column];
        size[i] = sum > 0 ? (double)sum : 0;
    }
    for (size_t i = 0; i < p->n_starts; i++) {
        double sum = 0;
        for (size_t c = 0; c < p->n; c++)
            sum += (double)p->start[i * p->n + c] * size[c];
        if (sum > most) {
            most = sum;
            best = i;
        }
    }
    if (most > 0) {
        double found[3] = { p->from[best][0], p->from[best][1], p->from[best][2] };
        climb(p, size, found);
        *x = found[0];
        *y = found[1];
    } else {
        *x = p->x[0];
        *y = p->y[0];
    }
}
