#include "ephys/sim_parts.h"

#include <math.h>
#include <string.h>

#include <neuroset/memory.h>

#define STEP_UM 15.
#define PI 3.14159265358979323846
#define ENOUGH_HZ 20000. /* a rate that holds what the narrowest spikes have */
#define CUT .4           /* of a lower rate: where its converter's low-pass stands */
enum { MAX_BRANCHES = 9, MAX_SOURCES = 120 };

typedef struct branch {
    double axis[3];
    double length_um, fade_um, speed_um_ms; /* speed < 0: this branch is ahead of the soma */
    double slow_ms;                         /* low-pass at the branch's end */
    double g;                               /* axial conductance at the soma */
} branch;

typedef struct shape {
    const char *kind;
    double rise_ms, fall_ms, after, after_ms;
    size_t n_branches;
    branch b[MAX_BRANCHES];
} shape;

sim_grid sim_grid_of(double rate_hz)
{
    sim_grid g = { .rate_hz = rate_hz };

    g.pre = (size_t)lrint(1.2e-3 * rate_hz);
    g.length = g.pre + (size_t)lrint(2.2e-3 * rate_hz);
    g.n_fine = (g.length + 1) * SIM_PHASES + 1;
    return g;
}

static double between(nset_random *r, double a, double b)
{
    return a + (b - a) * nset_random_uniform(r);
}

static void random_axis(double axis[3], nset_random *r)
{
    double norm = 0;

    for (int i = 0; i < 3; i++) {
        axis[i] = nset_random_normal(r);
        norm += axis[i] * axis[i];
    }
    for (int i = 0; i < 3; i++)
        axis[i] /= sqrt(norm);
}

/* The apical dendrite of a wide cell stands roughly along the probe. */
static void upright_axis(double axis[3], nset_random *r)
{
    double tilt = .35 * nset_random_normal(r), lean = between(r, -.5, .5);
    double sign = nset_random_uniform(r) < .5 ? -1 : 1;

    axis[0] = sin(tilt) * cos(lean);
    axis[1] = sign * cos(tilt) * cos(lean);
    axis[2] = sin(lean);
}

static void add_dendrites(shape *s, nset_random *r, size_t n, double shortest, double longest, double g)
{
    for (size_t i = 0; i < n; i++) {
        branch *b = &s->b[s->n_branches++];
        random_axis(b->axis, r);
        b->length_um = between(r, shortest, longest);
        b->fade_um = b->length_um * between(r, .5, 1.2);
        b->speed_um_ms = between(r, 250, 600);
        b->slow_ms = between(r, .1, .3);
        b->g = g * between(r, .5, 1.5);
    }
}

static void wide_shape(shape *s, nset_random *r)
{
    branch *apical = &s->b[0];

    s->kind = "wide";
    s->rise_ms = between(r, .04, .075);
    s->fall_ms = between(r, .18, .5);
    s->after = between(r, .05, .2);
    s->after_ms = 3;
    upright_axis(apical->axis, r);
    apical->length_um = between(r, 120, 350);
    apical->fade_um = between(r, 80, 250);
    apical->speed_um_ms = between(r, 250, 600);
    apical->slow_ms = between(r, .15, .5);
    apical->g = between(r, 1, 2.5);
    s->n_branches = 1;
    add_dendrites(s, r, 3 + nset_random_below(r, 3), 40, 110, .4);
}

static void narrow_shape(shape *s, nset_random *r)
{
    s->kind = "narrow";
    s->rise_ms = between(r, .03, .05);
    s->fall_ms = between(r, .08, .18);
    s->after = between(r, .15, .4);
    s->after_ms = 1.5;
    s->n_branches = 0;
    add_dendrites(s, r, 4 + nset_random_below(r, 3), 40, 130, .7);
}

/* A short axon that fires before the soma: the small positive wave before the trough. */
static void add_initial_segment(shape *s, nset_random *r)
{
    branch *b = &s->b[s->n_branches++];

    random_axis(b->axis, r);
    b->length_um = 45;
    b->fade_um = 400;
    b->speed_um_ms = -between(r, 400, 900);
    b->slow_ms = .02;
    b->g = between(r, .05, .3);
}

static void axon_shape(shape *s, nset_random *r)
{
    s->kind = "axon";
    s->rise_ms = between(r, .04, .07);
    s->fall_ms = between(r, .12, .3);
    s->after = between(r, .05, .2);
    s->after_ms = 2;
    s->n_branches = 2;
    upright_axis(s->b[0].axis, r);
    if (nset_random_uniform(r) < .5)
        random_axis(s->b[0].axis, r);
    for (int i = 0; i < 3; i++)
        s->b[1].axis[i] = -s->b[0].axis[i];
    for (int i = 0; i < 2; i++) {
        s->b[i].length_um = between(r, 60, 140);
        s->b[i].fade_um = 2000;
        s->b[i].slow_ms = .01;
        s->b[i].g = 1;
    }
    s->b[0].speed_um_ms = between(r, 250, 600);
    s->b[1].speed_um_ms = -s->b[0].speed_um_ms; /* the potential comes in there and goes out by the other */
}

/* Onset at t = 0, in ms. */
static double potential(const shape *s, double t)
{
    double onset = 1 / (1 + exp(-t / s->rise_ms)), past = t > 0 ? t : 0;

    return onset * ((1 + s->after) * exp(-past / s->fall_ms) - s->after * exp(-past / s->after_ms));
}

/* v (n) := the potential delay_ms later, faded and low-passed. dt in ms, onset at sample at. */
static void compartment(
    float *v, size_t n, const shape *s, double at, double dt, double delay_ms, double size, double slow)
{
    double a = 1 - exp(-dt / (slow + .02)), y1 = 0, y2 = 0;

    for (size_t i = 0; i < n; i++) {
        y1 += a * (potential(s, ((double)i - at) * dt - delay_ms) - y1);
        y2 += 1 / (1 + .02 / dt) * (y1 - y2); /* rounds the corner at the onset */
        v[i] = (float)(size * y2);
    }
}

/* Axial current between neighbours leaves the one and enters the other: what is added to both sums to zero. */
static void join(float *inner_i, float *outer_i, const float *inner_v, const float *outer_v, size_t n, double g)
{
    for (size_t i = 0; i < n; i++) {
        float axial = (float)g * (inner_v[i] - outer_v[i]);
        inner_i[i] -= axial;
        outer_i[i] += axial;
    }
}

/* current (MAX_SOURCES, n), place: filled; returns the number of sources. v: room for two rows. */
static size_t tree_currents(
    float *current, double (*place)[3], float *v, size_t n, const shape *s, double at, double dt)
{
    float *soma = v, *inner = v + n, *outer = v + 2 * n;
    size_t n_sources = 1;

    compartment(soma, n, s, at, dt, 0, 1, 0);
    for (size_t k = 0; k < s->n_branches; k++) {
        const branch *b = &s->b[k];
        float *inner_current = current;
        memcpy(inner, soma, n * sizeof *inner);
        for (double d = STEP_UM; d <= b->length_um + 1e-9 && n_sources < MAX_SOURCES; d += STEP_UM) {
            float *outer_current = current + n_sources * n;
            compartment(outer, n, s, at, dt, d / b->speed_um_ms, exp(-d / b->fade_um), b->slow_ms * d / b->length_um);
            join(inner_current, outer_current, inner, outer, n, b->g * exp(-d / (2 * b->length_um)));
            for (int i = 0; i < 3; i++)
                place[n_sources][i] = d * b->axis[i];
            memcpy(inner, outer, n * sizeof *inner);
            inner_current = outer_current;
            n_sources++;
        }
    }
    return n_sources;
}

static void sum_sources(float *out, const float *current, double (*place)[3], size_t n_sources, size_t n, double x,
    double y, double soft, double scale)
{
    memset(out, 0, n * sizeof *out);
    for (size_t k = 0; k < n_sources; k++) {
        double dx = x - place[k][0], dy = y - place[k][1], dz = place[k][2];
        float w = (float)(scale / sqrt(dx * dx + dy * dy + dz * dz + soft * soft));
        for (size_t i = 0; i < n; i++)
            out[i] += w * current[k * n + i];
    }
}

/* Where and how large the cell's largest potential is on contacts near it. */
static double find_peak(
    size_t *at, float *row, const float *current, double (*place)[3], size_t n_sources, size_t n, double soft)
{
    double best = 0;

    for (int iy = -5; iy <= 5; iy++)
        for (int ix = -2; ix <= 2; ix++) {
            sum_sources(row, current, place, n_sources, n, 15. * ix, 12. * iy, soft, 1);
            for (size_t i = 0; i < n; i++)
                if (fabs((double)row[i]) > best) {
                    best = fabs((double)row[i]);
                    *at = i;
                }
        }
    return best;
}

static double taper(size_t i, size_t n, double step_ms)
{
    double in = fmin(1, (double)i * step_ms / .25), out = fmin(1, (double)(n - 1 - i) * step_ms / .5);

    return (.5 - .5 * cos(PI * in)) * (.5 - .5 * cos(PI * out));
}

/* Cuts the window around the peak out of the long rows, once as it is and once stretched in time about the peak. */
static void cut_window(sim_cell *cell, const float *current, size_t n, size_t peak, const sim_grid *g, double stretch)
{
    double centre = (double)((g->pre + 1) * SIM_PHASES), step_ms = 1e3 / (g->rate_hz * SIM_PHASES);

    for (int wide = 0; wide < 2; wide++)
        for (size_t i = 0; i < g->n_fine; i++) {
            double at = (double)peak + ((double)i - centre) / (wide ? stretch : 1);
            double f = fmin(fmax(at, 0), (double)(n - 2)), fade = taper(i, g->n_fine, step_ms);
            size_t j = (size_t)f;
            for (size_t k = 0; k < cell->n_sources; k++) {
                const float *row = current + k * n;
                double value = row[j] + (f - (double)j) * ((double)row[j + 1] - (double)row[j]);
                cell->current[((size_t)wide * cell->n_sources + k) * g->n_fine + i] = (float)(value * fade);
            }
        }
}

nset_status sim_cell_limit_band(sim_cell *cell, const sim_grid *g, nset_error *err)
{
    enum { REACH = 4 * SIM_PHASES };
    double weight[2 * REACH + 1], sum = 0;
    float *row;

    if (g->rate_hz >= ENOUGH_HZ)
        return NSET_OK;
    if (!(row = nset_calloc(g->n_fine, sizeof *row)))
        return nset_fail_oom(err, g->n_fine, sizeof *row);
    for (int k = -REACH; k <= REACH; k++) {
        double at = 2 * PI * CUT * k / SIM_PHASES;
        weight[k + REACH] = (k ? sin(at) / at : 1) * (.5 + .5 * cos(PI * k / (REACH + 1)));
        sum += weight[k + REACH];
    }
    for (size_t q = 0; q < 2 * cell->n_sources; q++) {
        float *current = cell->current + q * g->n_fine;
        memcpy(row, current, g->n_fine * sizeof *row);
        for (int i = 0; i < (int)g->n_fine; i++) {
            double value = 0;
            for (int k = -REACH; k <= REACH; k++)
                if (i + k >= 0 && i + k < (int)g->n_fine)
                    value += weight[k + REACH] / sum * (double)row[i + k];
            current[i] = (float)value;
        }
    }
    nset_free(row);
    return NSET_OK;
}

static void draw_shape(shape *s, nset_random *r)
{
    double kind = nset_random_uniform(r);

    memset(s, 0, sizeof *s);
    if (kind < .58)
        wide_shape(s, r);
    else if (kind < .87)
        narrow_shape(s, r);
    else
        axon_shape(s, r);
    if (kind < .87 && nset_random_uniform(r) < .5)
        add_initial_segment(s, r);
}

nset_status sim_cell_make(sim_cell *cell, nset_random *r, const sim_grid *g, double depth_um, nset_error *err)
{
    size_t n = 2 * g->n_fine, peak = 0;
    double dt = 1e3 / (g->rate_hz * SIM_PHASES), at = (double)n * .45;
    float *current = nset_calloc(MAX_SOURCES * n, sizeof *current), *v = nset_calloc(3 * n, sizeof *v);
    nset_status status = NSET_OK;
    shape s;

    memset(cell, 0, sizeof *cell);
    draw_shape(&s, r);
    cell->kind = s.kind;
    cell->soft_um = between(r, 8, 14);
    cell->n_fine = g->n_fine;
    cell->place = nset_calloc(MAX_SOURCES, sizeof *cell->place);
    if (!current || !v || !cell->place) {
        status = nset_fail_oom(err, MAX_SOURCES * n, sizeof *current);
        goto done;
    }
    cell->n_sources = tree_currents(current, cell->place, v, n, &s, at, dt);
    for (size_t k = 0; k < cell->n_sources; k++)
        cell->place[k][2] += depth_um;
    cell->scale = 1 / find_peak(&peak, v, current, cell->place, cell->n_sources, n, cell->soft_um);
    cell->current = nset_calloc(2 * cell->n_sources * g->n_fine, sizeof *cell->current);
    if (!cell->current) {
        status = nset_fail_oom(err, 2 * cell->n_sources * g->n_fine, sizeof *cell->current);
        goto done;
    }
    cut_window(cell, current, n, peak, g, between(r, 1.08, 1.25));
    status = sim_cell_limit_band(cell, g, err);

done:
    nset_free(current);
    nset_free(v);
    if (status != NSET_OK)
        sim_cell_free(cell);
    return status;
}

void sim_cell_free(sim_cell *cell)
{
    nset_free(cell->current);
    nset_free(cell->place);
    cell->current = NULL;
    cell->place = NULL;
}

void sim_cell_at(float *out, const sim_cell *cell, double x_um, double y_um, int widened)
{
    if (cell->reach_um > 0) {
        sim_measured_at(out, cell, x_um, y_um, widened);
        return;
    }
    sum_sources(out, cell->current + (size_t)widened * cell->n_sources * cell->n_fine, cell->place, cell->n_sources,
        cell->n_fine, x_um, y_um, cell->soft_um, cell->scale);
}

static float largest(const float *x, size_t n)
{
    float m = 0;

    for (size_t i = 0; i < n; i++)
        m = fmaxf(m, fabsf(x[i]));
    return m;
}

/* Phase p: the trough lies p / SIM_PHASES samples after sample pre. */
static void fill_phases(float *w, const float *fine, size_t column, size_t n_channels, size_t length)
{
    for (size_t p = 0; p < SIM_PHASES; p++)
        for (size_t i = 0; i < length; i++)
            w[(p * length + i) * n_channels + column] = fine[(i + 1) * SIM_PHASES - p];
}

nset_status sim_bank_make(sim_bank *bank, const sim_cell *cell, const nset_probe *probe, double x_um, double y_um,
    const sim_grid *g, double floor_uv, nset_error *err)
{
    float *fine = nset_calloc(g->n_fine, sizeof *fine);
    nset_status status = NSET_OK;
    size_t per_width;

    memset(bank, 0, sizeof *bank);
    bank->channel = nset_calloc(probe->n_channels, sizeof *bank->channel);
    if (!fine || !bank->channel) {
        status = nset_fail_oom(err, g->n_fine, sizeof *fine);
        goto done;
    }
    for (size_t c = 0; c < probe->n_channels; c++) {
        sim_cell_at(fine, cell, probe->x_um[c] - x_um, probe->y_um[c] - y_um, 0);
        if (largest(fine, g->n_fine) > (float)floor_uv)
            bank->channel[bank->n_channels++] = c;
    }
    per_width = SIM_PHASES * g->length * bank->n_channels;
    if (!(bank->w = nset_calloc(2 * per_width, sizeof *bank->w))) {
        status = nset_fail_oom(err, 2 * per_width, sizeof *bank->w);
        goto done;
    }
    for (size_t k = 0; k < bank->n_channels; k++)
        for (int wide = 0; wide < 2; wide++) {
            size_t c = bank->channel[k];
            sim_cell_at(fine, cell, probe->x_um[c] - x_um, probe->y_um[c] - y_um, wide);
            fill_phases(bank->w + (size_t)wide * per_width, fine, k, bank->n_channels, g->length);
        }

done:
    nset_free(fine);
    if (status != NSET_OK)
        sim_bank_free(bank);
    return status;
}

void sim_bank_free(sim_bank *bank)
{
    nset_free(bank->channel);
    nset_free(bank->w);
    bank->channel = NULL;
    bank->w = NULL;
}
