/* neuroset segment FILE... -o DIR: a calcium movie to masks, traces and events. */
#include "commands/commands.h"

#include <math.h>
#include <string.h>

#include <neuroset/workers.h>

#include "cli/models.h"
#include "cli/progress.h"
#include "commands/movie_options.h"
#include "imaging/motion.h"
#include "imaging/segmenter.h"
#include "imaging/traces.h"
#include "imaging/write.h"
#include "results/run.h"

typedef struct settings {
    nset_common common;
    const char *output, *model, *motion, *neuropil;
    nset_movie_settings movie;
    double rate, diameter, threshold, reach, tau, rise;
    long bin;
    bool overwrite;
} settings;

#define FIRST_GUESS 10. /* diameter of a cell, pixels */

#define AT(field) offsetof(settings, field)
static const opt_spec options[] = {
    { .name = "output", .letter = 'o', .type = OPT_TEXT, .at = AT(output), .unit = "DIR", .help = "result folder" },
    { .name = "overwrite", .type = OPT_FLAG, .at = AT(overwrite), .help = "replace an existing result folder" },
    { .name = "rate",
        .type = OPT_FLOAT,
        .at = AT(rate),
        .min = 1e-3,
        .max = 1e5,
        .unit = "Hz",
        .help = "frames a second, when the file does not tell" },
    MOVIE_ROWS(settings),
    { .name = "diameter",
        .type = OPT_FLOAT,
        .at = AT(diameter),
        .min = 0,
        .max = 200,
        .fallback = "0",
        .unit = "pixels",
        .help = "of a cell; 0: estimated from what the network finds at several sizes" },
    { .name = "threshold",
        .letter = 't',
        .type = OPT_FLOAT,
        .at = AT(threshold),
        .min = 0,
        .max = 1,
        .fallback = "0",
        .help = "least probability of a cell; 0: the model's own" },
    { .name = "bin",
        .type = OPT_INT,
        .at = AT(bin),
        .min = 0,
        .max = 1e6,
        .fallback = "0",
        .unit = "frames",
        .help = "frames averaged into one image of the set; 0: half a second" },
    { .name = "motion",
        .type = OPT_CHOICE,
        .at = AT(motion),
        .fallback = "rigid",
        .unit = "rigid|none",
        .help = "how frames are registered" },
    { .name = "reach",
        .type = OPT_FLOAT,
        .at = AT(reach),
        .min = 0,
        .max = 1000,
        .fallback = "0",
        .unit = "pixels",
        .help = "largest shift of a frame; 0: a tenth of the smaller side" },
    { .name = "neuropil",
        .type = OPT_CHOICE,
        .at = AT(neuropil),
        .fallback = "cell",
        .unit = "cell|fixed",
        .help = "how much of the light around a cell is taken off it: a share fitted to each, or .7 of it" },
    { .name = "tau",
        .type = OPT_FLOAT,
        .at = AT(tau),
        .min = 0,
        .max = 30,
        .fallback = "0",
        .unit = "s",
        .help = "decay of the indicator, for events; 0: estimated in each trace, .5 s where it is short or calm" },
    { .name = "rise",
        .type = OPT_FLOAT,
        .at = AT(rise),
        .min = 0,
        .max = 10,
        .fallback = "0.05",
        .unit = "s",
        .help = "rise of the indicator, for events; 0: at once" },
    { .name = "model",
        .type = OPT_TEXT,
        .at = AT(model),
        .fallback = "segmenter",
        .unit = "NAME",
        .help = "segmenting network, a name or a file" },
    { 0 },
};

/* What one run holds. */
typedef struct job {
    const settings *s;
    nset_movie *movie;
    const nset_movie *source; /* the movie as it was opened, before frames were moved */
    nset_motion motion;
    nset_workers *workers;
    nset_run_folder *folder;
    json_t *found; /* borrowed from the folder */
} job;

static nset_status open_folder(job *j, const char *const *args, size_t n_args, json_t *origins, nset_error *err)
{
    nset_status status = nset_run_folder_open(&j->folder, j->s->output, j->s->overwrite, err);
    json_t *json, *line, *inputs;
    size_t i;

    if (status != NSET_OK)
        return status;
    json = nset_run_folder_json(j->folder);
    inputs = json_array();
    for (i = 0; i < n_args; i++) {
        json_array_append_new(inputs, json_string(args[i]));
        nset_run_folder_input(j->folder, args[i]);
    }
    json_object_set_new(json, "command", json_string("segment"));
    json_object_set_new(json, "version", json_string(NSET_VERSION));
    json_object_set_new(json, "input", inputs);
    json_object_set(json, "settings", origins);
    json_object_set(json, "facts", j->movie->facts);
    json_object_set_new(json, "found", j->found = json_object());
    json_array_foreach(j->movie->warnings, i, line) nset_run_folder_warn(j->folder, "%s", json_string_value(line));
    j->source = j->movie;
    nset_say("%lld frames of %zu x %zu", (long long)j->movie->n_frames, j->movie->height, j->movie->width);
    return NSET_OK;
}

static nset_status keep_shifts(job *j, nset_error *err)
{
    double largest = 0;
    size_t jumps = 0;

    for (size_t t = 0; t < j->motion.n_frames; t++) {
        jumps += !j->motion.valid[t];
        largest = fmax(largest, hypot(j->motion.shift[t][0], j->motion.shift[t][1]) * j->motion.valid[t]);
    }
    json_object_set_new(j->found, "still", json_boolean(j->motion.still));
    json_object_set_new(j->found, "largest_shift_px", json_real(largest));
    json_object_set_new(j->found, "frames_left_out", json_integer((json_int_t)jumps));
    if (j->motion.still)
        nset_say("the movie is still: frames are not moved");
    if (jumps)
        nset_run_folder_warn(
            j->folder, "%zu frames jump or show nothing to register: left out of the images (shifts.csv)", jumps);
    return nset_shifts_write(&j->motion, j->folder, err);
}

static nset_status register_frames(job *j, nset_error *err)
{
    nset_movie *still = NULL;
    nset_status status;

    if (!strcmp(j->s->motion, "none"))
        return NSET_OK;
    if ((status = nset_motion_estimate(&j->motion, j->movie, j->s->reach, j->workers, err)) != NSET_OK ||
        (status = keep_shifts(j, err)) != NSET_OK)
        return status;
    if (!j->motion.still) {
        if ((status = nset_motion_open(&still, j->movie, &j->motion, err)) != NSET_OK)
            return status;
        j->movie = still;
    }
    nset_run_folder_stage(j->folder, "motion", 0);
    return NSET_OK;
}

/* Images as they are at the size of the cells, which is found by a first look where it is not given. */
static nset_status look(
    nset_images *images, job *j, nset_segmenter *segmenter, nset_segment_options *o, nset_error *err)
{
    const double near = 1.2; /* a factor that the network does not mind */
    double given = j->s->diameter, found = FIRST_GUESS;
    nset_status status;

    o->images.diameter = given > 0 ? given : FIRST_GUESS;
    if ((status = nset_segmenter_look(images, segmenter, j->movie, o, err)) != NSET_OK)
        return status;
    if (given == 0 && (status = nset_segmenter_diameter(&found, segmenter, images, err)) == NSET_OK &&
        (found > near * FIRST_GUESS || found < FIRST_GUESS / near)) {
        o->images.diameter = found;
        nset_images_fini(images);
        status = nset_segmenter_look(images, segmenter, j->movie, o, err);
    }
    json_object_set_new(j->found, "diameter_px", json_real(o->images.diameter));
    json_object_set_new(j->found, "diameter_from",
        json_string(given > 0 ? "option --diameter" : "estimated: where the network is surest"));
    return status;
}

static nset_status work(job *j, const char *model, nset_error *err)
{
    nset_segmenter *segmenter = NULL;
    nset_masks *masks = NULL, *rejected = NULL;
    nset_maps *summary = NULL;
    nset_traces *traces = NULL;
    nset_segment_options o = { .images = { .bin = j->s->bin }, .threshold = j->s->threshold };
    nset_trace_options how = { .rate_hz = j->movie->rate_hz,
        .decay_s = j->s->tau,
        .rise_s = j->s->rise,
        .common_share = !strcmp(j->s->neuropil, "fixed") };
    nset_images images = { 0 };
    nset_status status;

    if ((status = nset_segmenter_open(&segmenter, model, j->workers, err)) != NSET_OK ||
        (status = register_frames(j, err)) != NSET_OK)
        goto done;
    o.images.valid = j->motion.valid;
    if ((status = look(&images, j, segmenter, &o, err)) != NSET_OK)
        goto done;
    nset_run_folder_stage(j->folder, "images", nset_images_bytes(&images));
    if ((status = nset_segmenter_conclude(segmenter, &images, &o, &masks, &rejected, &summary, err)) != NSET_OK)
        goto done;
    nset_run_folder_stage(j->folder, "segment", summary->n * summary->height * summary->width * sizeof(float));
    json_object_set_new(j->found, "cells", json_integer((json_int_t)masks->n));
    json_object_set_new(j->found, "rejected", json_integer((json_int_t)rejected->n));
    if ((status = nset_traces_make(&traces, j->movie, masks, &how, j->workers, err)) != NSET_OK)
        goto done;
    nset_run_folder_stage(j->folder, "traces", 6 * masks->n * traces->n_frames * sizeof(float));
    if ((status = nset_masks_write(masks, rejected, j->folder, err)) != NSET_OK ||
        (status = nset_traces_write(traces, masks, j->folder, err)) != NSET_OK ||
        (status = nset_summary_write(summary, masks, j->folder, err)) != NSET_OK)
        goto done;
    nset_run_folder_stage(j->folder, "write", 0);
    nset_say("%zu cells, %zu candidates rejected", masks->n, rejected->n);

done:
    nset_segmenter_close(segmenter);
    nset_masks_free(masks);
    nset_masks_free(rejected);
    nset_maps_free(summary);
    nset_traces_free(traces);
    nset_images_fini(&images);
    return status;
}

/* Frames in which nothing can be seen are named. */
static void tell_poor_frames(const job *j)
{
    char list[400];
    size_t n = nset_movie_met(j->source, NSET_FRAME_EMPTY, list, sizeof list);

    if (n)
        nset_run_folder_warn(j->folder, "%zu frame%s of one number or none: nothing is to be seen in them (%s)", n,
            n == 1 ? " is" : "s are", list);
    if ((n = nset_movie_met(j->source, NSET_FRAME_PARTLY, list, sizeof list)))
        nset_run_folder_warn(j->folder,
            "%zu frame%s pixels that are no numbers: they are given the mean of the others (%s)", n,
            n == 1 ? " has" : "s have", list);
}

static nset_status run(void *settings_, const char *const *args, size_t n_args, json_t *origins, nset_error *err)
{
    const settings *s = settings_;
    nset_movie_options in = nset_movie_options_of(&s->movie, s->rate);
    job j = { .s = s };
    char model[4096];
    nset_status status;

    if (!s->output)
        return nset_fail(err, NSET_ERR_ARG, "-o DIR is missing: where shall the result go?");
    if ((status = nset_model_find(model, sizeof model, s->model, err)) == NSET_OK &&
        (status = nset_movie_open(&j.movie, args, n_args, &in, err)) == NSET_OK &&
        (status = nset_workers_create(&j.workers, (size_t)s->common.threads, err)) == NSET_OK &&
        (status = open_folder(&j, args, n_args, origins, err)) == NSET_OK &&
        (status = work(&j, model, err)) == NSET_OK) {
        tell_poor_frames(&j);
        status = nset_run_folder_commit(j.folder, err);
        j.folder = NULL;
    }
    nset_run_folder_abort(j.folder);
    nset_workers_free(j.workers);
    nset_movie_close(j.movie);
    nset_motion_fini(&j.motion);
    return status;
}

const nset_command nset_cmd_segment = {
    .name = "segment",
    .arguments = "FILE... -o DIR",
    .help = "masks, traces and events of cells from calcium movies",
    .options = options,
    .settings_size = sizeof(settings),
    .min_arguments = 1,
    .max_arguments = 100000,
    .run = run,
};
