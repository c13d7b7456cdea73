/* Cells from measured mean waveforms: what a contact sees between the measured places is a weighted mean of what they
 * saw, fading beyond them. */
#include "ephys/sim_parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <neuroset/memory.h>

#include "results/npz.h"

enum { MOST_VALUES = 1 << 28, MOST_CONTACTS = 1024 };
#define QUIET .12 /* share of the largest range below which a contact holds mostly noise */
#define FADE_IN_MS .3
#define FADE_OUT_MS .5
#define PI 3.14159265358979323846

struct sim_library {
    nset_npz *file;
    const double *templates; /* (n, length, n_contacts) */
    const double *places;    /* (n, n_contacts, 2) or (n_contacts, 2) um */
    size_t n, length, n_contacts;
    bool own_places; /* each unit has its own */
    double rate_hz;
};

void sim_library_close(sim_library *l)
{
    if (!l)
        return;
    nset_npz_close(l->file);
    nset_free(l);
}

size_t sim_library_count(const sim_library *l)
{
    return l->n;
}

static nset_status check(sim_library *l, const char *path, nset_error *err)
{
    size_t shape[4] = { 0 }, places[4] = { 0 }, n, n_rate = 0;
    size_t rank = nset_npz_shape(l->file, "templates", shape),
           place_rank = nset_npz_shape(l->file, "positions", places);
    const double *rate = nset_npz_f64(l->file, "sampling_rate", &n_rate);
    size_t at = place_rank == 3 ? 1 : 0;

    if (rank != 3 || shape[0] < 1 || shape[1] < 4 || shape[2] < 1 || shape[2] > MOST_CONTACTS ||
        shape[0] > MOST_VALUES / shape[1] / shape[2])
        return nset_fail(err, NSET_ERR_FORMAT,
            "%s: templates (units, samples, contacts) are expected, at least one unit of 4 samples on 1 to %d contacts",
            path, MOST_CONTACTS);
    if ((place_rank != 2 && place_rank != 3) || places[at] != shape[2] || places[at + 1] != 2 ||
        (at && places[0] != shape[0]))
        return nset_fail(err, NSET_ERR_FORMAT,
            "%s: positions of the %zu contacts are expected, in um, (contacts, 2) or (units, contacts, 2)", path,
            shape[2]);
    if (!rate || n_rate != 1 || !(rate[0] >= 1000 && rate[0] <= 1e6))
        return nset_fail(err, NSET_ERR_FORMAT, "%s: sampling_rate is expected, 1000 to 1000000 Hz", path);
    l->templates = nset_npz_f64(l->file, "templates", &n);
    l->places = nset_npz_f64(l->file, "positions", &n);
    if (!l->templates || !l->places)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: templates and positions are no numbers", path);
    l->n = shape[0];
    l->length = shape[1];
    l->n_contacts = shape[2];
    l->own_places = at;
    l->rate_hz = rate[0];
    return NSET_OK;
}

nset_status sim_library_open(sim_library **out, const char *path, nset_error *err)
{
    sim_library *l = nset_calloc(1, sizeof *l);
    nset_status status;

    if (!l)
        return nset_fail_oom(err, 1, sizeof *l);
    if ((status = nset_npz_open(&l->file, path, err)) != NSET_OK || (status = check(l, path, err)) != NSET_OK) {
        sim_library_close(l);
        return status;
    }
    *out = l;
    return NSET_OK;
}

nset_status nset_sim_library_count(long *n, const char *path, nset_error *err)
{
    sim_library *l = NULL;
    nset_status status = sim_library_open(&l, path, err);

    if (status == NSET_OK)
        *n = l->n < 2000 ? (long)l->n : 2000;
    sim_library_close(l);
    return status;
}

/* ---- one unit ---- */

typedef struct measured {
    const sim_library *l;
    const double *w, *place;
    size_t *contact;  /* (n) those with finite numbers */
    size_t n, trough; /* sample of the largest |value| */
    double *base;     /* (n) */
    double *weight;   /* (n) 1, or less for quiet contacts */
} measured;

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static bool is_finite_contact(const measured *m, size_t c)
{
    bool fine = isfinite(m->place[2 * c]) && isfinite(m->place[2 * c + 1]) && fabs(m->place[2 * c]) < 1e6 &&
                fabs(m->place[2 * c + 1]) < 1e6;

    for (size_t i = 0; i < m->l->length && fine; i++)
        fine = isfinite(m->w[i * m->l->n_contacts + c]);
    return fine;
}

/* Median of the first tenth of a contact's samples. */
static double base_of(const measured *m, size_t c, double *row)
{
    size_t n = m->l->length / 10 > 4 ? m->l->length / 10 : 4;

    for (size_t i = 0; i < n; i++)
        row[i] = m->w[i * m->l->n_contacts + c];
    qsort(row, n, sizeof *row, by_value);
    return n % 2 ? row[n / 2] : .5 * (row[n / 2 - 1] + row[n / 2]);
}

/* Bases, weights and the trough; false: the unit holds nothing. */
static bool look_at(measured *m, double *row)
{
    double most = 0, widest = 0;

    for (size_t c = 0; c < m->l->n_contacts; c++)
        if (is_finite_contact(m, c))
            m->contact[m->n++] = c;
    for (size_t k = 0; k < m->n; k++) {
        double low = INFINITY, high = -INFINITY;
        m->base[k] = base_of(m, m->contact[k], row);
        for (size_t i = 0; i < m->l->length; i++) {
            double v = m->w[i * m->l->n_contacts + m->contact[k]];
            low = fmin(low, v);
            high = fmax(high, v);
            if (fabs(v - m->base[k]) > most) {
                most = fabs(v - m->base[k]);
                m->trough = i;
            }
        }
        m->weight[k] = high - low;
        widest = fmax(widest, high - low);
    }
    for (size_t k = 0; k < m->n && widest > 0; k++)
        m->weight[k] = fmin(1, pow(m->weight[k] / widest / QUIET, 2));
    return most > 0;
}

/* Value of a contact at a time in samples of the library, between them by a cubic. */
static double value_at(const measured *m, size_t k, double at)
{
    size_t n = m->l->length, step = m->l->n_contacts, i;
    const double *w = m->w + m->contact[k];
    double f, a, b, c, d;

    if (!(at >= 0 && at <= (double)(n - 1)))
        return 0;
    i = at >= (double)(n - 1) ? n - 2 : (size_t)at;
    f = at - (double)i;
    b = w[i * step];
    c = w[(i + 1) * step];
    a = i > 0 ? w[(i - 1) * step] : b;
    d = i + 2 < n ? w[(i + 2) * step] : c;
    return b + .5 * f * (c - a + f * (2 * a - 5 * b + 4 * c - d + f * (3 * (b - c) + d - a))) - m->base[k];
}

static double fade(double from_start_ms, double to_end_ms)
{
    double in = fmin(fmax(from_start_ms / FADE_IN_MS, 0), 1), out = fmin(fmax(to_end_ms / FADE_OUT_MS, 0), 1);

    return (.5 - .5 * cos(PI * in)) * (.5 - .5 * cos(PI * out));
}

static void fill_rows(sim_cell *cell, const measured *m, const sim_grid *g, double stretch)
{
    double centre = (double)((g->pre + 1) * SIM_PHASES), step = m->l->rate_hz / (g->rate_hz * SIM_PHASES);
    double ms = 1e3 / m->l->rate_hz, last = (double)(m->l->length - 1);

    for (int wide = 0; wide < 2; wide++)
        for (size_t i = 0; i < g->n_fine; i++) {
            double at = (double)m->trough + ((double)i - centre) * step / (wide ? stretch : 1);
            double grid_ms = 1e3 / (g->rate_hz * SIM_PHASES), size;
            size = fade(at * ms, (last - at) * ms) *
                   fade((double)i * grid_ms, (double)(g->n_fine - 1 - i) * grid_ms); /* the grid may be shorter */
            for (size_t k = 0; k < m->n; k++)
                cell->current[((size_t)wide * m->n + k) * g->n_fine + i] =
                    (float)(size * m->weight[k] * value_at(m, k, at));
        }
}

/* Contacts around the middle of the unit, which is the cell's origin; mirrored left to right half of the time. */
static void place_rows(sim_cell *cell, const measured *m, nset_random *r)
{
    double sum = 0, x = 0, y = 0, near_um = 0, flip = nset_random_uniform(r) < .5 ? -1 : 1;

    for (size_t k = 0; k < m->n; k++) {
        double size = m->weight[k] * m->weight[k];
        sum += size;
        x += size * m->place[2 * m->contact[k]];
        y += size * m->place[2 * m->contact[k] + 1];
    }
    for (size_t k = 0; k < m->n; k++) {
        double nearest = INFINITY;
        cell->place[k][0] = flip * (m->place[2 * m->contact[k]] - x / sum);
        cell->place[k][1] = m->place[2 * m->contact[k] + 1] - y / sum;
        for (size_t j = 0; j < m->n; j++) {
            double d = hypot(m->place[2 * m->contact[k]] - m->place[2 * m->contact[j]],
                m->place[2 * m->contact[k] + 1] - m->place[2 * m->contact[j] + 1]);
            nearest = d > 0 ? fmin(nearest, d) : nearest;
        }
        near_um += (isfinite(nearest) ? nearest : 0) / (double)m->n;
    }
    cell->reach_um = fmax(.6 * near_um, 6);
    cell->fade_um = 16 + 12 * nset_random_uniform(r);
}

void sim_measured_at(float *out, const sim_cell *cell, double x_um, double y_um, int widened)
{
    const float *rows = cell->current + (size_t)widened * cell->n_sources * cell->n_fine;
    double sum = 0, nearest = INFINITY;

    memset(out, 0, cell->n_fine * sizeof *out);
    for (size_t k = 0; k < cell->n_sources; k++)
        nearest = fmin(nearest, hypot(x_um - cell->place[k][0], y_um - cell->place[k][1]));
    for (int pass = 0; pass < 2; pass++)
        for (size_t k = 0; k < cell->n_sources; k++) {
            double d = hypot(x_um - cell->place[k][0], y_um - cell->place[k][1]);
            double w = exp(-.5 * (d * d - nearest * nearest) / (cell->reach_um * cell->reach_um));
            if (pass == 0)
                sum += w;
            else if (w > 1e-4 * sum)
                for (size_t i = 0; i < cell->n_fine; i++)
                    out[i] += (float)(cell->scale * w / sum * exp(-fmax(nearest - cell->reach_um, 0) / cell->fade_um)) *
                              rows[k * cell->n_fine + i];
        }
}

static double largest_near(const sim_cell *cell, float *row)
{
    double most = 0;

    for (size_t k = 0; k < cell->n_sources; k++) {
        sim_measured_at(row, cell, cell->place[k][0], cell->place[k][1], 0);
        for (size_t i = 0; i < cell->n_fine; i++)
            most = fmax(most, fabs((double)row[i]));
    }
    return most;
}

nset_status sim_library_cell(
    sim_cell *cell, const sim_library *l, size_t index, nset_random *r, const sim_grid *g, nset_error *err)
{
    measured m = { .l = l, .w = l->templates + index * l->length * l->n_contacts };
    double *row = nset_calloc(l->length + 4, sizeof *row), most;
    float *fine = nset_calloc(g->n_fine, sizeof *fine);
    nset_status status = NSET_OK;

    memset(cell, 0, sizeof *cell);
    m.place = l->places + (l->own_places ? index * 2 * l->n_contacts : 0);
    m.contact = nset_calloc(l->n_contacts, sizeof *m.contact);
    m.base = nset_calloc(l->n_contacts, sizeof *m.base);
    m.weight = nset_calloc(l->n_contacts, sizeof *m.weight);
    cell->place = nset_calloc(l->n_contacts, sizeof *cell->place);
    cell->current = nset_calloc(2 * l->n_contacts * g->n_fine, sizeof *cell->current);
    if (!row || !fine || !m.contact || !m.base || !m.weight || !cell->place || !cell->current) {
        status = nset_fail_oom(err, 2 * l->n_contacts * g->n_fine, sizeof *cell->current);
    } else if (!look_at(&m, row)) {
        status = nset_fail(err, NSET_ERR_FORMAT, "unit %zu of the library holds no waveform", index);
    } else {
        cell->kind = "given";
        cell->n_sources = m.n;
        cell->n_fine = g->n_fine;
        cell->scale = 1;
        place_rows(cell, &m, r);
        fill_rows(cell, &m, g, 1.08 + .17 * nset_random_uniform(r));
        status = sim_cell_limit_band(cell, g, err);
        most = largest_near(cell, fine);
        cell->scale = most > 0 ? 1 / most : 1;
    }
    nset_free(row);
    nset_free(fine);
    nset_free(m.contact);
    nset_free(m.base);
    nset_free(m.weight);
    if (status != NSET_OK)
        sim_cell_free(cell);
    return status;
}
