#include "ephys/simulate.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <neuroset/memory.h>
#include <neuroset/random.h>
#include "cli/progress.h"
#include "ephys/sim_parts.h"

#define DRIFT_STEP_S .01
#define DRIFT_GRID_UM 2. /* templates are made for displacements on this grid */
#define MODULATION .12
#define BLOCK_S 60.      /* of a recording made at once */
enum { NOISE_STEP = 5 }; /* of the samples that a noise level is taken from */

/* ---- drift ---- */

static void stretch(double *x, size_t n, double low, double high, double range)
{
    for (size_t i = 0; i < n; i++)
        x[i] = (x[i] - .5 * (low + high)) / fmax(high - low, 1e-9) * range;
}

/* The jumps after the first one at time t, up or down, as shares of the slow movement; each takes half a second. */
static double more_jumps(const nset_sim *s, double t)
{
    double sum = 0;

    for (long k = 1; k < s->options.drift_jumps; k++) {
        nset_random r = nset_random_stream(s->options.seed, "jump", (uint64_t)k);
        double at = (.1 + .8 * nset_random_uniform(&r)) * s->options.seconds,
               up = nset_random_uniform(&r) < .5 ? -1 : 1;
        sum += up * (.25 + .25 * nset_random_uniform(&r)) / (1 + exp(-(t - at) / .15));
    }
    return sum;
}

static nset_status make_drift(nset_sim *s, nset_error *err)
{
    nset_random r = nset_random_stream(s->options.seed, "drift", 0);
    double low = 0, high = 0, v = 0, phase = 6.28 * nset_random_uniform(&r), period = 15 + 25 * nset_random_uniform(&r);
    double jump_at = (.2 + .6 * nset_random_uniform(&r)) * s->options.seconds, walk = 0;

    s->n_drift = (size_t)(s->options.seconds / DRIFT_STEP_S) + 2;
    if (!(s->drift_um = nset_calloc(s->n_drift, sizeof *s->drift_um)))
        return nset_fail_oom(err, s->n_drift, sizeof *s->drift_um);
    if (s->options.drift_um <= 0)
        return NSET_OK;
    for (size_t i = 0; i < s->n_drift; i++) {
        double t = (double)i * DRIFT_STEP_S, d;
        v = .998 * v + .01 * nset_random_normal(&r);
        walk += v * DRIFT_STEP_S;
        d = walk + .1 * sin(6.28 * t / period + phase);
        if (s->options.drift_jumps > 0)
            d += .15 / (1 + exp(-(t - jump_at) / .15));
        s->drift_um[i] = d;
        low = i ? fmin(low, d) : d;
        high = i ? fmax(high, d) : d;
    }
    stretch(s->drift_um, s->n_drift, low, high, s->options.drift_jumps > 1 ? 1 : s->options.drift_um);
    if (s->options.drift_jumps <= 1)
        return NSET_OK;
    for (size_t i = 0; i < s->n_drift; i++) {
        s->drift_um[i] += more_jumps(s, (double)i * DRIFT_STEP_S);
        low = i ? fmin(low, s->drift_um[i]) : s->drift_um[i];
        high = i ? fmax(high, s->drift_um[i]) : s->drift_um[i];
    }
    stretch(s->drift_um, s->n_drift, low, high, s->options.drift_um);
    return NSET_OK;
}

/* Of the tissue at depth y. */
static double displacement(const nset_sim *s, double time_s, double y_um)
{
    size_t i = (size_t)(time_s / DRIFT_STEP_S);
    double share = s->options.drift_nonrigid * (y_um - s->middle_um) / s->height_um;

    return s->drift_um[i < s->n_drift ? i : s->n_drift - 1] * (1 + share);
}

static void measure_height(nset_sim *s)
{
    double low = INFINITY, high = -INFINITY;

    for (size_t c = 0; c < s->n_channels; c++) {
        low = fmin(low, s->probe.y_um[c]);
        high = fmax(high, s->probe.y_um[c]);
    }
    s->middle_um = .5 * (low + high);
    s->height_um = fmax(high - low, 50);
}

/* ---- spikes of one cell into the samples ---- */

/* What a block takes of a spike. */
static void add_spike(
    nset_sim *s, const sim_block *block, const sim_bank *b, int64_t from, int phase, float amplitude, float widening)
{
    size_t k = b->n_channels, one = s->length * k;
    const float *plain = b->w + (size_t)phase * one, *wide = plain + SIM_PHASES * one;
    int64_t end = block->first + (int64_t)block->n;

    for (int64_t i = from < block->first ? block->first - from : 0; i < (int64_t)s->length && from + i < end; i++) {
        float *row = s->x + (size_t)(from + i - s->x_first) * s->n_channels;
        for (size_t c = 0; c < k; c++) {
            float w = plain[(size_t)i * k + c];
            row[b->channel[c]] += amplitude * (w + widening * (wide[(size_t)i * k + c] - w));
        }
    }
}

typedef struct placed_cell {
    sim_cell cell;
    double x_um, y_um;
} placed_cell;

/* First sample of the window of a spike, and where between samples it lies; false: no sample of it is in the block, or
 * the recording does not hold all of it. */
static bool find_window(int64_t *from, int *phase, const nset_sim *s, const sim_block *block, double time_s)
{
    int64_t at = llrint(time_s * s->options.rate_hz * SIM_PHASES);

    *from = at / SIM_PHASES - (int64_t)s->pre;
    *phase = (int)(at % SIM_PHASES);
    return *from >= 0 && *from + (int64_t)s->length <= s->n_samples &&
           *from<block->first + (int64_t)block->n && * from + (int64_t)s->length> block->first;
}

/* Adds the spikes of a train, one bank of templates for each displacement on the grid. */
static nset_status add_train(nset_sim *s, const sim_block *block, const placed_cell *p, const sim_train *t,
    const sim_grid *g, double floor_uv, nset_error *err)
{
    double most = s->options.drift_um / 2 * (1 + s->options.drift_nonrigid * (.5 + 60 / s->height_um));
    long lowest = lrint(-most / DRIFT_GRID_UM) - 1, highest = 1 - lowest;
    nset_status status = NSET_OK;

    for (long d = lowest; d <= highest && status == NSET_OK; d++) {
        sim_bank bank = { 0 };
        bool made = false;
        for (size_t i = 0; i < t->n && status == NSET_OK; i++) {
            int64_t from;
            int phase;
            if (!find_window(&from, &phase, s, block, t->time_s[i]) ||
                lrint(displacement(s, t->time_s[i], p->y_um) / DRIFT_GRID_UM) != d)
                continue;
            if (!made)
                status = sim_bank_make(
                    &bank, &p->cell, &s->probe, p->x_um, p->y_um + (double)d * DRIFT_GRID_UM, g, floor_uv, err);
            made = true;
            if (status == NSET_OK)
                add_spike(s, block, &bank, from, phase, t->amplitude[i], t->widening[i]);
        }
        sim_bank_free(&bank);
    }
    return status;
}

static void place_near_contact(placed_cell *p, nset_random *r, const nset_probe *probe, double spread)
{
    size_t c = nset_random_below(r, (uint32_t)probe->n_channels);

    p->x_um = probe->x_um[c] + spread * (2 * nset_random_uniform(r) - 1);
    p->y_um = probe->y_um[c] + spread * (2 * nset_random_uniform(r) - 1);
}

/* Largest |potential| of the cell on the probe's contacts; fine: room for n_fine numbers. */
static double peak_on_probe(float *fine, const placed_cell *p, const nset_probe *probe)
{
    double best = 1e-9;

    for (size_t c = 0; c < probe->n_channels; c++) {
        sim_cell_at(fine, &p->cell, probe->x_um[c] - p->x_um, probe->y_um[c] - p->y_um, 0);
        for (size_t i = 0; i < p->cell.n_fine; i++)
            best = fmax(best, fabs((double)fine[i]));
    }
    return best;
}

/* What blocks after the first need of it again. */
typedef struct rendering {
    sim_grid grid;
    sim_population population;
    sim_library *library;
    sim_noise noise;
    sim_train *hash; /* (n_hash); their cells are made anew for each block, which takes less than they do */
    size_t n_hash;
    placed_cell *unit; /* (n_units) */
    sim_train *train;  /* (n_units) */
    size_t capacity;   /* of the spikes */
} rendering;

static nset_status add_hash_cell(
    nset_sim *s, rendering *q, const sim_block *block, size_t k, float *fine, nset_error *err)
{
    const nset_sim_options *o = &s->options;
    nset_random r = nset_random_stream(o->seed, "hash", k);
    placed_cell p = { 0 };
    double size = .2 * pow(o->hash_max / .2, nset_random_uniform(&r)), rate;
    nset_status status = sim_cell_make(&p.cell, &r, &q->grid, 40 + 80 * nset_random_uniform(&r), err);

    if (status != NSET_OK)
        return status;
    place_near_contact(&p, &r, &s->probe, 60);
    p.cell.scale *= size * o->noise_uv / peak_on_probe(fine, &p, &s->probe);
    if (block->index == 0) {
        rate = fmin(fmax(4 * exp(.7 * nset_random_normal(&r)), .5), 20);
        status = sim_train_make(&q->hash[k], &r, &q->population, rate, .002, .3, .15, 0, err);
    }
    if (status == NSET_OK)
        status = add_train(s, block, &p, &q->hash[k], &q->grid, .08 * o->noise_uv, err);
    if (block->last)
        sim_train_free(&q->hash[k]);
    sim_cell_free(&p.cell);
    return status;
}

static nset_status add_hash(nset_sim *s, rendering *q, const sim_block *block, nset_error *err)
{
    float *fine = nset_calloc(q->grid.n_fine, sizeof *fine);
    nset_status status = fine ? NSET_OK : nset_fail_oom(err, q->grid.n_fine, sizeof *fine);

    for (size_t k = 0; k < q->n_hash && status == NSET_OK; k++) {
        status = add_hash_cell(s, q, block, k, fine, err);
        if (nset_cancelled())
            status = nset_fail_cancelled(err);
    }
    nset_free(fine);
    return status;
}

/* ---- noise of each channel, and units of a given SNR above it ---- */

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;

    return (x > y) - (x < y);
}

static nset_status measure_noise(nset_sim *s, nset_error *err)
{
    int64_t ten = (int64_t)(10 * s->options.rate_hz);
    size_t n = (size_t)(s->n_samples < ten ? s->n_samples : ten);
    float *row = nset_calloc(n, sizeof *row);
    nset_status status = row ? NSET_OK : nset_fail_oom(err, n, sizeof *row);

    for (size_t c = 0; c < s->n_channels && status == NSET_OK; c++) {
        size_t count = 0;
        for (size_t i = 0; i < n; i++)
            row[i] = s->x[i * s->n_channels + c];
        if ((status = sim_band(row, 1, n, s->options.rate_hz, err)) != NSET_OK)
            break;
        for (size_t i = 0; i * NOISE_STEP < n; i++)
            row[count++] = fabsf(row[i * NOISE_STEP]);
        qsort(row, count, sizeof *row, by_value);
        s->noise_uv[c] = fmax((double)row[count / 2] / .6745, 1e-6);
    }
    nset_free(row);
    return status;
}

/* template (length, C) := the unit at rest; returns the SNR of its best channel. */
static nset_status rest_template(double *snr, size_t *best, float *template, const nset_sim *s, const placed_cell *p,
    const sim_grid *g, nset_error *err)
{
    size_t C = s->n_channels, n = g->length;
    float *fine = nset_calloc(g->n_fine, sizeof *fine), *row = nset_calloc(n * C, sizeof *row);
    nset_status status = fine && row ? NSET_OK : nset_fail_oom(err, n * C, sizeof *row);

    for (size_t c = 0; c < C && status == NSET_OK; c++) {
        sim_cell_at(fine, &p->cell, s->probe.x_um[c] - p->x_um, s->probe.y_um[c] - p->y_um, 0);
        for (size_t i = 0; i < n; i++)
            template[i * C + c] = row[c * n + i] = fine[(i + 1) * SIM_PHASES];
    }
    if (status == NSET_OK)
        status = sim_band(row, C, n, g->rate_hz, err);
    *snr = 0;
    for (size_t c = 0; c < C && status == NSET_OK; c++)
        for (size_t i = 0; i < n; i++)
            if (fabs((double)row[c * n + i]) > *snr * s->noise_uv[c]) {
                *snr = fabs((double)row[c * n + i]) / s->noise_uv[c];
                *best = c;
            }
    nset_free(fine);
    nset_free(row);
    return status;
}

static double draw_snr(nset_random *r, const nset_sim_options *o)
{
    for (int k = 0; k < 1000; k++) {
        double snr = o->median_snr * exp(o->snr_sigma * nset_random_normal(r));
        if (snr >= o->min_snr && snr <= o->max_snr)
            return snr;
    }
    return o->min_snr;
}

static nset_status keep_spikes(
    nset_sim *s, size_t *capacity, const sim_train *t, size_t unit, double y_um, nset_error *err)
{
    nset_status status = nset_grow(&s->spikes, capacity, s->n_spikes + t->n, sizeof *s->spikes, err);

    for (size_t i = 0; i < t->n && status == NSET_OK; i++) {
        int64_t at = llrint(t->time_s[i] * s->options.rate_hz * SIM_PHASES);
        nset_sim_spike *k = &s->spikes[s->n_spikes++];
        k->sample = (at + SIM_PHASES / 2) / SIM_PHASES;
        k->unit = (int32_t)unit;
        k->amplitude = t->amplitude[i];
        k->displacement_um = (float)displacement(s, t->time_s[i], y_um);
    }
    return status;
}

/* The u-th unit's waveform: each of the library's once, in random order, before one comes again. */
static size_t pick(const nset_sim *s, const sim_library *l, size_t u)
{
    size_t n = sim_library_count(l), turn = u / n, rank = 0;
    nset_random mine = nset_random_stream(s->options.seed, "pick", turn * n + u % n);
    uint32_t key = nset_random_below(&mine, UINT32_MAX);

    for (size_t k = 0; k < n; k++) {
        nset_random r = nset_random_stream(s->options.seed, "pick", turn * n + k);
        uint32_t other = nset_random_below(&r, UINT32_MAX);
        rank += other < key || (other == key && k < u % n);
    }
    return rank;
}

static nset_status make_cell(sim_cell *cell, const nset_sim *s, const sim_library *l, size_t u, nset_random *r,
    const sim_grid *g, double depth_um, nset_error *err)
{
    return l ? sim_library_cell(cell, l, pick(s, l, u), r, g, err) : sim_cell_make(cell, r, g, depth_um, err);
}

static nset_status make_unit(nset_sim *s, rendering *q, size_t u, nset_error *err)
{
    const nset_sim_options *o = &s->options;
    nset_random r = nset_random_stream(o->seed, "unit", u);
    nset_sim_unit *unit = &s->units[u];
    float *template = s->templates + u * s->length * s->n_channels;
    double snr = draw_snr(&r, o), found, depth, rate;
    placed_cell *p = &q->unit[u];
    sim_train *t = &q->train[u];
    nset_status status;

    depth = fmin(fmax(70 / sqrt(snr) + 6 * nset_random_normal(&r), 6), 60); /* large spikes come from near by */
    if ((status = make_cell(&p->cell, s, q->library, u, &r, &q->grid, depth, err)) != NSET_OK)
        return status;
    place_near_contact(p, &r, &s->probe, 12);
    if ((status = rest_template(&found, &unit->best_channel, template, s, p, &q->grid, err)) != NSET_OK)
        return status;
    p->cell.scale *= snr / found;
    for (size_t i = 0; i < s->length * s->n_channels; i++)
        template[i] *= (float)(snr / found);
    rate = fmin(fmax(o->median_hz * exp(o->hz_sigma * nset_random_normal(&r)), .3), 30);
    status =
        sim_train_make(t, &r, &q->population, rate, o->refractory_ms * 1e-3, o->bursting, o->jitter, MODULATION, err);
    if (status == NSET_OK)
        status = keep_spikes(s, &q->capacity, t, u, p->y_um, err);
    *unit = (nset_sim_unit){ p->cell.kind, p->x_um, p->y_um, snr, (double)t->n / o->seconds, unit->best_channel, t->n };
    return status;
}

static nset_status make_units(nset_sim *s, rendering *q, nset_error *err)
{
    nset_status status = measure_noise(s, err);

    for (size_t u = 0; u < s->n_units && status == NSET_OK; u++) {
        status = make_unit(s, q, u, err);
        if (nset_cancelled())
            status = nset_fail_cancelled(err);
    }
    return status;
}

static nset_status add_units(nset_sim *s, const rendering *q, const sim_block *block, nset_error *err)
{
    nset_status status = NSET_OK;

    for (size_t u = 0; u < s->n_units && status == NSET_OK; u++) {
        status = add_train(s, block, &q->unit[u], &q->train[u], &q->grid, .02 * s->options.noise_uv, err);
        if (nset_cancelled())
            status = nset_fail_cancelled(err);
    }
    return status;
}

static int by_sample(const void *a, const void *b)
{
    const nset_sim_spike *x = a, *y = b;

    if (x->sample != y->sample)
        return x->sample < y->sample ? -1 : 1;
    return (x->unit > y->unit) - (x->unit < y->unit);
}

/* ---- artefacts and gains ---- */

static void add_artefacts(nset_sim *s, const sim_block *block)
{
    const nset_sim_options *o = &s->options;
    int64_t end = block->first + (int64_t)block->n;

    for (long k = 0; k < o->n_artefacts; k++) {
        nset_random r = nset_random_stream(o->seed, "artefact", (uint64_t)k);
        int64_t n = (int64_t)((.004 + .05 * nset_random_uniform(&r)) * o->rate_hz);
        int64_t from = (int64_t)((.05 + .9 * nset_random_uniform(&r)) * (double)(s->n_samples - n));
        double size = 300 * exp(.7 * nset_random_normal(&r)), hz = 300 + 2000 * nset_random_uniform(&r);
        if (from < 0 || n < 1 || from + n > s->n_samples)
            continue;
        for (size_t c = 0; c < s->n_channels; c++) {
            double gain = size * (1 + .15 * nset_random_normal(&r));
            for (int64_t i = from < block->first ? block->first - from : 0; i < n && from + i < end; i++) {
                double at = (double)i / (double)n, hum = sin(6.2832 * hz * (1 + at) * (double)i / o->rate_hz);
                s->x[(size_t)(from + i - s->x_first) * s->n_channels + c] += (float)(gain * hum * sin(3.1416 * at));
            }
        }
        if (block->index > 0)
            continue;
        s->artefacts[2 * s->n_artefacts] = from;
        s->artefacts[2 * s->n_artefacts++ + 1] = from + n;
    }
}

static void spread_gains(nset_sim *s, float *x, size_t n)
{
    nset_random r = nset_random_stream(s->options.seed, "gain", 0);

    for (size_t c = 0; c < s->n_channels; c++) {
        float g = (float)exp(s->options.gain_spread * nset_random_normal(&r));
        for (size_t i = 0; i < n; i++)
            x[i * s->n_channels + c] *= g;
    }
}

/* ---- the whole ---- */

/* Samples made at once: any recording up to a minute, or a minute. Fixed, since noise is made by blocks. */
static size_t block_length(const nset_sim *s)
{
    int64_t n = llrint(BLOCK_S * s->options.rate_hz);

    return (size_t)(n < s->n_samples ? n : s->n_samples);
}

static nset_status allocate(nset_sim *s, rendering *q, bool whole, nset_error *err)
{
    const nset_sim_options *o = &s->options;
    size_t n;

    s->n_samples = llrint(o->seconds * o->rate_hz);
    s->n_channels = (size_t)o->n_channels;
    s->n_units = (size_t)o->n_units;
    s->length = q->grid.length;
    s->pre = q->grid.pre;
    s->gain_uv = sim_layout_gain_uv(o->layout);
    q->n_hash = (size_t)llrint(o->hash * (double)s->n_channels);
    n = whole ? (size_t)s->n_samples : block_length(s);
    s->x = nset_calloc(n * s->n_channels, sizeof *s->x);
    s->noise_uv = nset_calloc(s->n_channels, sizeof *s->noise_uv);
    s->units = nset_calloc(s->n_units, sizeof *s->units);
    s->templates = nset_calloc(s->n_units * s->length * s->n_channels, sizeof *s->templates);
    s->artefacts = nset_calloc(2 * (size_t)o->n_artefacts, sizeof *s->artefacts);
    q->hash = nset_calloc(q->n_hash, sizeof *q->hash);
    q->unit = nset_calloc(s->n_units, sizeof *q->unit);
    q->train = nset_calloc(s->n_units, sizeof *q->train);
    if (!s->x || !s->noise_uv || !s->units || !s->templates || !s->artefacts || !q->hash || !q->unit || !q->train)
        return nset_fail_oom(err, n * s->n_channels, sizeof *s->x);
    return nset_probe_init(&s->probe, s->n_channels, err);
}

static void release(rendering *q, size_t n_units)
{
    for (size_t k = 0; q->hash && k < q->n_hash; k++)
        sim_train_free(&q->hash[k]);
    for (size_t u = 0; q->unit && q->train && u < n_units; u++) {
        sim_cell_free(&q->unit[u].cell);
        sim_train_free(&q->train[u]);
    }
    nset_free(q->hash);
    nset_free(q->unit);
    nset_free(q->train);
    sim_library_close(q->library);
    sim_population_free(&q->population);
    sim_noise_free(&q->noise);
}

static nset_status render(nset_sim *s, rendering *q, const sim_block *b, nset_workers *workers, nset_error *err)
{
    const nset_sim_options *o = &s->options;
    float *x = s->x + (size_t)(b->first - s->x_first) * s->n_channels;
    nset_status status;

    if ((status = sim_noise_add(x, b, &q->noise, &s->probe, o, workers, err)) != NSET_OK ||
        (status = add_hash(s, q, b, err)) != NSET_OK ||
        (b->index == 0 && (status = make_units(s, q, err)) != NSET_OK) ||
        (status = add_units(s, q, b, err)) != NSET_OK ||
        (status = sim_slow_add(x, b, &q->noise, &s->probe, o, workers, err)) != NSET_OK)
        return status;
    add_artefacts(s, b);
    spread_gains(s, x, b->n);
    return NSET_OK;
}

/* take NULL: x holds the whole recording. */
static nset_status fill(nset_sim *s, rendering *q, nset_workers *workers, sim_take take, void *ctx, nset_error *err)
{
    const nset_sim_options *o = &s->options;
    size_t length = block_length(s), n_blocks = length ? ((size_t)s->n_samples + length - 1) / length : 1;
    nset_status status;

    if ((o->library && (status = sim_library_open(&q->library, o->library, err)) != NSET_OK) ||
        (status = sim_population_make(&q->population, o->seed, o->seconds, o->sync, err)) != NSET_OK ||
        (status = make_drift(s, err)) != NSET_OK)
        return status;
    for (size_t i = 0; i < n_blocks && status == NSET_OK; i++) {
        sim_block b = { .first = (int64_t)(i * length), .n = length, .index = i, .last = i + 1 == n_blocks };
        if (b.last)
            b.n = (size_t)(s->n_samples - b.first);
        if (take) {
            s->x_first = b.first;
            memset(s->x, 0, b.n * s->n_channels * sizeof *s->x);
        }
        status = render(s, q, &b, workers, err);
        if (status == NSET_OK && take)
            status = take(ctx, s->x, b.n * s->n_channels, err);
    }
    if (status == NSET_OK && s->n_spikes)
        qsort(s->spikes, s->n_spikes, sizeof *s->spikes, by_sample);
    return status;
}

nset_status sim_make_blocks(
    nset_sim **out, const nset_sim_options *options, nset_workers *workers, sim_take take, void *ctx, nset_error *err)
{
    nset_status status = sim_check_options(options, err);
    nset_sim *s = NULL;
    rendering q = { 0 };

    if (status != NSET_OK)
        return status;
    q.grid = sim_grid_of(options->rate_hz);
    if (!(s = nset_calloc(1, sizeof *s)))
        return nset_fail_oom(err, 1, sizeof *s);
    s->options = *options;
    if ((status = allocate(s, &q, !take, err)) == NSET_OK) {
        sim_place_contacts(&s->probe, options);
        measure_height(s);
        status = fill(s, &q, workers, take, ctx, err);
    }
    release(&q, s->n_units);
    if (take) {
        nset_free(s->x);
        s->x = NULL;
    }
    if (status == NSET_OK) {
        *out = s;
        s = NULL;
    }
    nset_sim_free(s);
    return status;
}

nset_status nset_sim_make(nset_sim **out, const nset_sim_options *options, nset_workers *workers, nset_error *err)
{
    return sim_make_blocks(out, options, workers, NULL, NULL, err);
}

void nset_sim_free(nset_sim *s)
{
    if (!s)
        return;
    nset_probe_fini(&s->probe);
    nset_free(s->x);
    nset_free(s->noise_uv);
    nset_free(s->spikes);
    nset_free(s->units);
    nset_free(s->templates);
    nset_free(s->drift_um);
    nset_free(s->artefacts);
    nset_free(s);
}
