/* neuroset simulate recording|movie -o DIR: data with exact truth. */
#include "commands/commands.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <neuroset/workers.h>
#include "cli/progress.h"
#include "ephys/simulate.h"
#include "imaging/simulate.h"

typedef struct settings {
    nset_common common;
    const char *out, *name, *units;
    nset_sim_options sim;
    const char *preset;
    long height, width, frames, cells;
} settings;

#define AT(field) offsetof(settings, field)
static const opt_spec options[] = {
    { .name = "out",
        .letter = 'o',
        .type = OPT_TEXT,
        .at = AT(out),
        .fallback = "data",
        .unit = "DIR",
        .help = "folder for the files, made if it is not there" },
    { .name = "name",
        .type = OPT_TEXT,
        .at = AT(name),
        .unit = "NAME",
        .help = "first part of the files' names; else recording" },
    { .name = "layout",
        .type = OPT_CHOICE,
        .at = AT(sim.layout),
        .fallback = "np1",
        .unit = "np1|np2|shanks|tetrode|linear|grid",
        .help = "places of the contacts" },
    { .name = "channels",
        .type = OPT_INT,
        .at = AT(sim.n_channels),
        .min = 1,
        .max = 384,
        .fallback = "32",
        .help = "contacts of the probe" },
    { .name = "units",
        .type = OPT_TEXT,
        .at = AT(units),
        .fallback = "15",
        .unit = "N or FILE.npz",
        .help = "neurons whose spikes are the truth: their number, or a file of measured waveforms (templates, "
                "positions, sampling_rate)" },
    { .name = "n-units",
        .type = OPT_INT,
        .at = AT(sim.n_units),
        .min = 1,
        .max = 2000,
        .help = "number of neurons when --units names a file; else all that it holds" },
    { .name = "seconds",
        .type = OPT_FLOAT,
        .at = AT(sim.seconds),
        .min = .05,
        .max = 36000,
        .fallback = "60",
        .unit = "s",
        .help = "length" },
    { .name = "rate",
        .type = OPT_FLOAT,
        .at = AT(sim.rate_hz),
        .min = 8000,
        .max = 100000,
        .fallback = "30000",
        .unit = "Hz",
        .help = "sampling rate" },
    { .name = "pitch",
        .type = OPT_FLOAT,
        .at = AT(sim.pitch_um),
        .min = 1,
        .max = 1000,
        .fallback = "25",
        .unit = "um",
        .help = "distance of neighbouring contacts (tetrode, linear, grid)" },
    { .name = "noise",
        .type = OPT_FLOAT,
        .at = AT(sim.noise_uv),
        .min = .1,
        .max = 1000,
        .fallback = "8",
        .unit = "uV",
        .help = "standard deviation of the noise in 300-6000 Hz" },
    { .name = "min-snr",
        .type = OPT_FLOAT,
        .at = AT(sim.min_snr),
        .min = .1,
        .max = 1000,
        .fallback = "3.5",
        .help = "least peak of a unit over the noise" },
    { .name = "median-snr",
        .type = OPT_FLOAT,
        .at = AT(sim.median_snr),
        .min = .1,
        .max = 1000,
        .fallback = "8",
        .help = "median peak of the units over the noise" },
    { .name = "max-snr",
        .type = OPT_FLOAT,
        .at = AT(sim.max_snr),
        .min = .1,
        .max = 1000,
        .fallback = "30",
        .help = "largest peak of a unit over the noise" },
    { .name = "snr-sigma",
        .type = OPT_FLOAT,
        .at = AT(sim.snr_sigma),
        .min = 0,
        .max = 3,
        .fallback = "0.5",
        .help = "standard deviation of log SNR" },
    { .name = "median-rate",
        .type = OPT_FLOAT,
        .at = AT(sim.median_hz),
        .min = .1,
        .max = 100,
        .fallback = "5",
        .unit = "Hz",
        .help = "median firing rate" },
    { .name = "rate-sigma",
        .type = OPT_FLOAT,
        .at = AT(sim.hz_sigma),
        .min = 0,
        .max = 3,
        .fallback = "0.8",
        .help = "standard deviation of log firing rate" },
    { .name = "bursting",
        .type = OPT_FLOAT,
        .at = AT(sim.bursting),
        .min = 0,
        .max = 1,
        .fallback = "0.5",
        .help = "share of the units that burst" },
    { .name = "refractory",
        .type = OPT_FLOAT,
        .at = AT(sim.refractory_ms),
        .min = 0,
        .max = 100,
        .fallback = "2",
        .unit = "ms",
        .help = "least interval of a unit" },
    { .name = "jitter",
        .type = OPT_FLOAT,
        .at = AT(sim.jitter),
        .min = 0,
        .max = 1,
        .fallback = "0.08",
        .help = "standard deviation of a spike's amplitude, relative" },
    { .name = "sync",
        .type = OPT_FLOAT,
        .at = AT(sim.sync),
        .min = 0,
        .max = 3,
        .fallback = "1",
        .help = "common modulation of the units; 0: independent" },
    { .name = "hash",
        .type = OPT_FLOAT,
        .at = AT(sim.hash),
        .min = 0,
        .max = 100,
        .fallback = "6",
        .help = "small cells a channel that are not in the truth" },
    { .name = "hash-max",
        .type = OPT_FLOAT,
        .at = AT(sim.hash_max),
        .min = .2,
        .max = 10,
        .fallback = "1.5",
        .help = "their largest peak over the noise" },
    { .name = "pink",
        .type = OPT_FLOAT,
        .at = AT(sim.pink),
        .min = 0,
        .max = 1,
        .fallback = "0.6",
        .help = "share of the noise that is pink and correlated over space" },
    { .name = "reach",
        .type = OPT_FLOAT,
        .at = AT(sim.reach_um),
        .min = 1,
        .max = 1000,
        .fallback = "45",
        .unit = "um",
        .help = "distance over which it is correlated" },
    { .name = "lfp",
        .type = OPT_FLOAT,
        .at = AT(sim.lfp_uv),
        .min = 0,
        .max = 5000,
        .fallback = "120",
        .unit = "uV",
        .help = "standard deviation of the slow field potential" },
    { .name = "line",
        .type = OPT_FLOAT,
        .at = AT(sim.line_uv),
        .min = 0,
        .max = 5000,
        .fallback = "4",
        .unit = "uV",
        .help = "amplitude of line noise" },
    { .name = "gain-spread",
        .type = OPT_FLOAT,
        .at = AT(sim.gain_spread),
        .min = 0,
        .max = 1,
        .fallback = "0.04",
        .help = "standard deviation of log gain over the channels" },
    { .name = "drift",
        .type = OPT_FLOAT,
        .at = AT(sim.drift_um),
        .min = 0,
        .max = 200,
        .fallback = "0",
        .unit = "um",
        .help = "movement of the probe, peak to peak" },
    { .name = "drift-jumps",
        .type = OPT_INT,
        .at = AT(sim.drift_jumps),
        .min = 0,
        .max = 1000,
        .fallback = "1",
        .help = "sudden movements among the slow one" },
    { .name = "drift-nonrigid",
        .type = OPT_FLOAT,
        .at = AT(sim.drift_nonrigid),
        .min = 0,
        .max = 2,
        .fallback = "0",
        .help = "difference of the movement between the ends of the probe, relative" },
    { .name = "artefacts",
        .type = OPT_INT,
        .at = AT(sim.n_artefacts),
        .min = 0,
        .max = 10000,
        .fallback = "2",
        .help = "short disturbances common to all channels" },
    { .name = "preset",
        .type = OPT_CHOICE,
        .at = AT(preset),
        .fallback = "easy",
        .unit = "easy|dense|lowsnr|onephoton",
        .help = "movie: light, crowding and motion" },
    { .name = "height",
        .type = OPT_INT,
        .at = AT(height),
        .min = 8,
        .max = 4096,
        .fallback = "160",
        .unit = "pixels",
        .help = "movie: rows of a frame" },
    { .name = "width",
        .type = OPT_INT,
        .at = AT(width),
        .min = 8,
        .max = 4096,
        .fallback = "160",
        .unit = "pixels",
        .help = "movie: columns of a frame" },
    { .name = "frames",
        .type = OPT_INT,
        .at = AT(frames),
        .min = 1,
        .max = 1e6,
        .fallback = "400",
        .help = "movie: frames" },
    { .name = "cells",
        .type = OPT_INT,
        .at = AT(cells),
        .min = 0,
        .max = 100000,
        .fallback = "25",
        .help = "movie: cells of the truth" },
    { 0 },
};

/* --units: a number, or a file. */
static nset_status choose_units(nset_sim_options *o, const char *units, nset_error *err)
{
    char *end;
    long n = strtol(units, &end, 10);

    if (end != units && !*end) {
        if (n < 0 || n > 2000)
            return nset_fail(err, NSET_ERR_ARG, "--units: '%s' is not a whole number from 0 to 2000", units);
        o->n_units = n;
        return NSET_OK;
    }
    if (access(units, R_OK))
        return nset_fail(err, NSET_ERR_ARG, "--units: '%s' is neither a number nor a file that can be read", units);
    o->library = units;
    return o->n_units > 0 ? NSET_OK : nset_sim_library_count(&o->n_units, units, err);
}

static nset_status simulate_recording(const settings *s, nset_error *err)
{
    char prefix[4096];
    nset_sim_options o = s->sim;
    nset_workers *workers = NULL;
    nset_sim *sim = NULL;
    nset_status status;

    o.seed = (uint64_t)s->common.seed;
    if ((status = choose_units(&o, s->units, err)) != NSET_OK)
        return status;
    if (snprintf(prefix, sizeof prefix, "%s/%s", s->out, s->name ? s->name : "recording") >= (int)sizeof prefix)
        return nset_fail(err, NSET_ERR_ARG, "--out: the path is too long");
    if ((status = nset_workers_create(&workers, (size_t)s->common.threads, err)) != NSET_OK)
        return status;
    if ((status = nset_sim_record(&sim, &o, prefix, workers, err)) == NSET_OK)
        printf("%s.bin: %zu channels, %.1f s at %.0f Hz, %zu units, %zu spikes\n", prefix, sim->n_channels, o.seconds,
            o.rate_hz, sim->n_units, sim->n_spikes);
    nset_sim_free(sim);
    nset_workers_free(workers);
    return status;
}

static nset_status simulate_movie(const settings *s, nset_error *err)
{
    nset_sim_movie_options o = NSET_SIM_MOVIE_INIT;

    if (!strcmp(s->preset, "dense")) {
        o.neuropil = 1;
        o.silent = .35;
        o.contaminants = .6;
        o.motion_px = 1;
    } else if (!strcmp(s->preset, "lowsnr")) {
        o.photons = 1.5;
        o.neuropil = 1.2;
        o.silent = .4;
        o.motion_px = 1;
    } else if (!strcmp(s->preset, "onephoton")) {
        o.one_photon = true;
        o.diameter_px = 14;
        o.rate_hz = 20;
        o.photons = 200;
        o.neuropil = 1.5;
        o.silent = .1;
        o.contaminants = 1;
    }
    o.seed = (uint64_t)s->common.seed;
    o.height = (size_t)s->height;
    o.width = (size_t)s->width;
    o.n_frames = (size_t)s->frames;
    o.n_cells = (size_t)s->cells;
    return nset_simulate_movie(s->out, &o, err);
}

static nset_status run(void *settings_, const char *const *args, size_t n_args, json_t *origins, nset_error *err)
{
    const settings *s = settings_;

    (void)n_args;
    (void)origins;
    if (strcmp(args[0], "movie") == 0)
        return simulate_movie(s, err);
    if (strcmp(args[0], "recording") != 0)
        return nset_fail(err, NSET_ERR_ARG, "'%s' cannot be simulated: recording or movie is wanted", args[0]);
    if (mkdir(s->out, 0777) != 0 && errno != EEXIST)
        return nset_fail(err, NSET_ERR_IO, "%s: %s", s->out, strerror(errno));
    return simulate_recording(s, err);
}

const nset_command nset_cmd_simulate = {
    .name = "simulate",
    .arguments = "recording|movie -o DIR",
    .help = "make data with exact truth",
    .options = options,
    .settings_size = sizeof(settings),
    .min_arguments = 1,
    .max_arguments = 1,
    .run = run,
};
