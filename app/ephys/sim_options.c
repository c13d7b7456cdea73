#include "ephys/sim_parts.h"

#include <math.h>
#include <string.h>

typedef struct layout_row {
    const char *name;
    double gain_uv; /* microvolts a count */
} layout_row;

static const layout_row layouts[] = {
    { "np1", 2.34375 },
    { "np2", .762939453125 },
    { "shanks", .762939453125 },
    { "tetrode", .195 },
    { "linear", .195 },
    { "grid", .195 },
};

static const layout_row *find_layout(const char *name)
{
    for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++)
        if (name && strcmp(layouts[i].name, name) == 0)
            return &layouts[i];
    return NULL;
}

void sim_place_contacts(nset_probe *p, const nset_sim_options *o)
{
    static const double stagger[] = { 43, 11, 59, 27 };
    const char *name = o->layout;
    double pitch = o->pitch_um;
    size_t n = p->n_channels, side = (size_t)ceil(sqrt((double)n));

    for (size_t i = 0; i < n; i++) {
        double *x = &p->x_um[i], *y = &p->y_um[i];
        if (strcmp(name, "np1") == 0) {
            *x = stagger[i % 4];
            *y = 20. * (double)(i / 2);
        } else if (strcmp(name, "np2") == 0) {
            *x = 32. * (double)(i % 2);
            *y = 15. * (double)(i / 2);
        } else if (strcmp(name, "shanks") == 0) { /* up to four, each of two columns */
            size_t of_each = (n + 3) / 4, k = i % of_each;
            p->shank[i] = (int)(i / of_each);
            *x = 250. * (double)(i / of_each) + 32. * (double)(k % 2);
            *y = 15. * (double)(k / 2);
        } else if (strcmp(name, "tetrode") == 0) {
            p->shank[i] = (int)(i / 4);
            *x = pitch * (double)(i % 2) + 300. * (double)(i / 4);
            *y = pitch * (double)(i % 4 / 2);
        } else if (strcmp(name, "linear") == 0) {
            *y = pitch * (double)i;
        } else {
            *x = pitch * (double)(i % side);
            *y = pitch * (double)(i / side);
        }
    }
}

double sim_layout_gain_uv(const char *name)
{
    const layout_row *row = find_layout(name);

    return row ? row->gain_uv : 0;
}

nset_status sim_check_options(const nset_sim_options *o, nset_error *err)
{
    if (!find_layout(o->layout))
        return nset_fail(err, NSET_ERR_ARG, "layout '%s': np1, np2, shanks, tetrode, linear or grid is wanted",
            o->layout ? o->layout : "");
    if (o->n_channels < 1 || o->n_channels > SIM_MAX_CHANNELS || o->n_units < 0 || o->n_units > 2000)
        return nset_fail(err, NSET_ERR_ARG,
            "%ld channels and %ld units: 1 to %d channels and 0 to 2000 units are wanted", o->n_channels, o->n_units,
            SIM_MAX_CHANNELS);
    if (!(o->rate_hz >= 8000 && o->rate_hz <= 100000 && o->seconds >= .05 && o->seconds <= 36000))
        return nset_fail(
            err, NSET_ERR_ARG, "%g s at %g Hz: .05 to 36000 s at 8000 to 100000 Hz are wanted", o->seconds, o->rate_hz);
    if (!(o->noise_uv > 0 && o->min_snr > 0 && o->min_snr <= o->max_snr && o->median_hz > 0 && o->reach_um > 0 &&
            o->pink >= 0 && o->pink <= 1 && o->hash >= 0 && o->hash_max >= .2 && o->n_artefacts >= 0 &&
            o->pitch_um > 0 && o->drift_um >= 0 && o->drift_jumps >= 0 && o->drift_nonrigid >= 0 &&
            o->drift_nonrigid <= 2))
        return nset_fail(
            err, NSET_ERR_ARG, "an option of the simulation is negative, or the least SNR above the largest");
    return NSET_OK;
}

static double between(nset_random *r, double a, double b)
{
    return a + (b - a) * nset_random_uniform(r);
}

nset_sim_options nset_sim_random(uint64_t seed, double seconds)
{
    static const struct {
        const char *name;
        long least, most;
    } kinds[] = { { "tetrode", 4, 4 }, { "np1", 12, 24 }, { "np2", 12, 24 }, { "linear", 6, 16 }, { "grid", 9, 16 } };
    static const int order[] = { 0, 1, 2, 3, 1, 0, 2, 4 };
    nset_random r = nset_random_stream(seed, "collection", 0);
    nset_sim_options o = NSET_SIM_OPTIONS_INIT;
    size_t kind = (size_t)order[seed % 8];

    o.layout = kinds[kind].name;
    o.n_channels = kinds[kind].least + nset_random_below(&r, (uint32_t)(kinds[kind].most - kinds[kind].least + 1));
    o.pitch_um = between(&r, 18, kind == 3 ? 50 : 35);
    o.n_units = kind == 0 ? 4 + nset_random_below(&r, 5) : lrint((double)o.n_channels * between(&r, .4, .8)) + 2;
    o.seconds = seconds;
    o.noise_uv = between(&r, 5, 12);
    o.min_snr = 3.5;
    o.median_snr = between(&r, 6, 11);
    o.median_hz = between(&r, 5, 10);
    o.jitter = between(&r, .05, .12);
    o.sync = between(&r, .3, 1.3);
    o.hash = between(&r, 3, 9);
    o.pink = between(&r, .3, .8);
    o.reach_um = between(&r, 25, 80);
    o.lfp_uv = between(&r, 30, 150);
    o.gain_spread = .05;
    o.drift_um = nset_random_uniform(&r) < .3 ? between(&r, 2, 12) : 0;
    o.n_artefacts = 0;
    o.seed = seed;
    return o;
}
