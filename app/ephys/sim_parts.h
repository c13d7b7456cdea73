/* The parts of the simulator: cells, spike trains, noise. Included by the simulator only. */
#ifndef NSET_EPHYS_SIM_PARTS_H
#define NSET_EPHYS_SIM_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <neuroset/error.h>
#include <neuroset/random.h>
#include <neuroset/workers.h>
#include "ephys/probe.h"
#include "ephys/simulate.h"

enum {
    SIM_PHASES = 8, /* places of a spike between two samples */
    SIM_MAX_CHANNELS = 384,
};

/* Errors: NSET_ERR_ARG (what is wrong and what is wanted). */
nset_status sim_check_options(const nset_sim_options *o, nset_error *err);
double sim_layout_gain_uv(const char *layout); /* microvolts a count; 0: no such layout */
void sim_place_contacts(nset_probe *probe, const nset_sim_options *o);

/* Time of templates: length samples with the trough at pre; on the fine grid the trough is at (pre + 1) * SIM_PHASES.
 */
typedef struct sim_grid {
    double rate_hz;
    size_t pre, length, n_fine;
} sim_grid;

sim_grid sim_grid_of(double rate_hz);

typedef struct sim_cell {
    const char *kind;
    size_t n_sources, n_fine;
    float *current;     /* (2, n_sources, n_fine): as it is, and widened as after a burst; owned */
    double (*place)[3]; /* (n_sources) um from the cell's origin; contacts lie at z = 0; owned */
    double soft_um, scale;
    double reach_um, fade_um; /* of a measured cell: the rows are what contacts at place saw; reach 0: currents */
} sim_cell;

/* A random cell depth_um above the contacts, its largest potential -1 (or 1) somewhere near. */
nset_status sim_cell_make(sim_cell *cell, nset_random *r, const sim_grid *grid, double depth_um, nset_error *err);
void sim_cell_free(sim_cell *cell);
/* Low-pass in front of a converter below 20 kHz, without which a spike would look another between other samples: for
 * both makers of cells, on what they have made. Errors: NSET_ERR_NOMEM. */
nset_status sim_cell_limit_band(sim_cell *cell, const sim_grid *grid, nset_error *err);
/* out (n_fine) := scaled potential at a contact (x, y) from the cell's origin; widened: 0 or 1. */
void sim_cell_at(float *out, const sim_cell *cell, double x_um, double y_um, int widened);

/* Measured mean waveforms: an npz with templates (units, samples, contacts) in any unit, positions (contacts, 2) or
 * (units, contacts, 2) in um, sampling_rate. Numbers that are not finite leave their contact out. */
typedef struct sim_library sim_library;
nset_status sim_library_open(
    sim_library **out, const char *path, nset_error *err); /* NSET_ERR_FORMAT, NSET_ERR_NOMEM */
void sim_library_close(sim_library *l);                    /* NULL is legal */
size_t sim_library_count(const sim_library *l);
/* As sim_cell_make: waveform index of the library, its largest value 1. */
nset_status sim_library_cell(
    sim_cell *cell, const sim_library *l, size_t index, nset_random *r, const sim_grid *grid, nset_error *err);
void sim_measured_at(float *out, const sim_cell *cell, double x_um, double y_um, int widened); /* of such a cell */

/* Templates of a cell at one displacement, on the channels where they pass a floor. */
typedef struct sim_bank {
    size_t n_channels;
    size_t *channel; /* (n_channels); owned */
    float *w;        /* (2, SIM_PHASES, length, n_channels); owned */
} sim_bank;

nset_status sim_bank_make(sim_bank *bank, const sim_cell *cell, const nset_probe *probe, double x_um, double y_um,
    const sim_grid *grid, double floor_uv, nset_error *err);
void sim_bank_free(sim_bank *bank);

/* What all trains share: a modulation of mean 1 on a 1 ms grid, and the times of population events. */
typedef struct sim_population {
    double seconds;
    size_t n;      /* steps of modulation */
    double *clock; /* (n + 1) integral of the modulation in s; owned */
    size_t n_events;
    double *event_s; /* owned */
} sim_population;

nset_status sim_population_make(sim_population *p, uint64_t seed, double seconds, double sync, nset_error *err);
void sim_population_free(sim_population *p);

typedef struct sim_train {
    size_t n, capacity;
    double *time_s;   /* owned, as below */
    float *amplitude; /* factor of the template */
    float *widening;  /* 0 .. 1 share of the widened template */
} sim_train;

/* A gamma renewal process under the modulation, with bursts and population events, refractory_s at least. */
nset_status sim_train_make(sim_train *t, nset_random *r, const sim_population *p, double rate_hz, double refractory_s,
    double bursting, double jitter, double modulation, nset_error *err);
void sim_train_free(sim_train *t);

/* A stretch of the recording made at once. */
typedef struct sim_block {
    int64_t first;
    size_t n, index;
    bool last;
} sim_block;

enum { SIM_FIELDS = 3 };

/* What one block of noise leaves to the next. */
typedef struct sim_noise {
    float *tail[SIM_FIELDS]; /* of each field, (C, fade) */
    double *line;            /* of the line's oscillators */
} sim_noise;

void sim_noise_free(sim_noise *s);
/* x (n, C) += noise of standard deviation uv in 300-6000 Hz: white and pink with exp(-distance / reach). Blocks are
 * made in order. */
nset_status sim_noise_add(float *x, const sim_block *b, sim_noise *s, const nset_probe *probe,
    const nset_sim_options *o, nset_workers *workers, nset_error *err);
/* x (n, C) += slow potentials correlated over 500 um, and line noise. */
nset_status sim_slow_add(float *x, const sim_block *b, sim_noise *s, const nset_probe *probe, const nset_sim_options *o,
    nset_workers *workers, nset_error *err);
/* Zero-phase band 300-6000 Hz of each of the rows (n_rows, n), in place. */
nset_status sim_band(float *rows, size_t n_rows, size_t n, double rate_hz, nset_error *err);

/* Called for each block, in order: x (n, C) microvolts. */
typedef nset_status (*sim_take)(void *ctx, const float *x, size_t n_values, nset_error *err);
/* As nset_sim_make, but x is only ever one block, and NULL in the end. */
nset_status sim_make_blocks(
    nset_sim **out, const nset_sim_options *options, nset_workers *workers, sim_take take, void *ctx, nset_error *err);

#endif
