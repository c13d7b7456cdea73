/* neuroset segment FILE... -o DIR: a calcium movie to masks, traces and events. */
#include "commands/commands.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include <neuroset/workers.h>

#include "cli/models.h"
#include "cli/progress.h"
#include "commands/movie_options.h"
#include "commands/segment_key.h"
#include "commands/segment_tell.h"
#include "imaging/given.h"
#include "imaging/imagej_roi.h"
#include "imaging/motion.h"
#include "imaging/segmenter.h"
#include "imaging/stage_files.h"
#include "imaging/suite2p.h"
#include "imaging/traces.h"
#include "imaging/write.h"
#include "imaging/write_nwb.h"
#include "results/nwb_metadata.h"
#include "results/run.h"
#include "results/stages.h"

typedef struct settings {
    nset_common common;
    const char *output, *model, *motion, *neuropil, *rois, *metadata;
    nset_movie_settings movie;
    double rate, diameter, threshold, reach, tau, rise;
    long bin;
    bool overwrite, resume, nwb;
} settings;

#define GIVEN "option --diameter"
#define ESTIMATED "estimated: where the network is surest"
#define FIRST_GUESS 10. /* diameter of a cell, pixels */

#define AT(field) offsetof(settings, field)
static const opt_spec options[] = {
    { .name = "output", .letter = 'o', .type = OPT_TEXT, .at = AT(output), .unit = "DIR", .help = "result folder" },
    { .name = "overwrite", .type = OPT_FLAG, .at = AT(overwrite), .help = "replace an existing result folder" },
    { .name = "resume",
        .type = OPT_FLAG,
        .at = AT(resume),
        .help = "go on where a run of the same settings and input was cut off; the result does not depend on it" },
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
    { .name = "rois",
        .type = OPT_TEXT,
        .at = AT(rois),
        .unit = "FILE",
        .help =
            "take these masks and find none: rois.json, neurofinder's regions.json, a label TIFF, ImageJ's RoiSet.zip, "
            "a Suite2p folder" },
    { .name = "nwb", .type = OPT_FLAG, .at = AT(nwb), .help = "write segmentation.nwb (NWB 2.8) as well" },
    { .name = "metadata",
        .type = OPT_TEXT,
        .at = AT(metadata),
        .unit = "FILE",
        .help = "JSON with what the movie does not say of the session, for --nwb; else it is unknown" },
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
        .unit = "none|rigid|blocks",
        .help = "how frames are registered: not, as a whole, or in blocks of 128 pixels that move apart" },
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
    nset_stages stages;
    json_t *found;    /* borrowed from the folder */
    json_t *metadata; /* for NWB, or NULL */
    double diameter;  /* of a cell in pixels */
} job;

/* j->folder stays NULL when the result is there already. */
static nset_status open_folder(
    job *j, const char *const *args, size_t n_args, json_t *origins, const char *model, nset_error *err)
{
    const char *given[2] = { j->s->rois, j->s->metadata };
    char key[NSET_KEY];
    nset_status status;
    json_t *json, *line, *inputs;
    size_t i;

    if ((status = nset_segment_key(key, j->movie, args, n_args, given, 2, origins, model, err)) != NSET_OK ||
        (status = nset_run_folder_resume(&j->folder, j->s->output, j->s->overwrite, key, j->s->resume, err)) !=
            NSET_OK ||
        !j->folder)
        return status;
    j->stages.work = nset_run_folder_work(j->folder);
    json = nset_run_folder_json(j->folder);
    inputs = json_array();
    for (i = 0; i < n_args; i++) {
        json_array_append_new(inputs, json_string(args[i]));
        nset_run_folder_input(j->folder, args[i]);
    }
    if (j->s->rois)
        nset_run_folder_input(j->folder, j->s->rois);
    if (j->metadata)
        json_object_set(json, "metadata", j->metadata);
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

static nset_status register_frames(job *j, nset_error *err)
{
    nset_motion_options o = { .reach = j->s->reach, .blocks = !strcmp(j->s->motion, "blocks") };
    nset_movie *moved = NULL;
    nset_status status;

    if (!strcmp(j->s->motion, "none"))
        return NSET_OK;
    j->motion =
        (nset_motion){ .n_frames = (size_t)j->movie->n_frames, .height = j->movie->height, .width = j->movie->width };
    if (!nset_stages_take(&j->stages, "motion", nset_motion_take, &j->motion) &&
        ((status = nset_motion_estimate(&j->motion, j->movie, &o, j->workers, err)) != NSET_OK ||
            (status = nset_stages_leave(&j->stages, "motion", nset_motion_put, &j->motion, err)) != NSET_OK))
        return status;
    nset_segment_tell_left_out(j->motion.left_out, j->movie->n_frames, j->folder, j->found);
    nset_segment_tell_motion(&j->motion, j->folder, j->found);
    if ((status = nset_shifts_write(&j->motion, j->folder, err)) != NSET_OK)
        return status;
    if (nset_motion_changes(&j->motion)) {
        if ((status = nset_motion_open(&moved, j->movie, &j->motion, err)) != NSET_OK)
            return status;
        j->movie = moved;
    }
    nset_run_folder_stage(j->folder, "motion", nset_motion_bytes(&j->motion));
    return NSET_OK;
}

static void tell_diameter(job *j, double diameter, const char *from)
{
    j->diameter = diameter;
    json_object_set_new(j->found, "diameter_px", json_real(diameter));
    json_object_set_new(j->found, "diameter_from", json_string(from));
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
    tell_diameter(j, o->images.diameter, given > 0 ? GIVEN : ESTIMATED);
    return status;
}

/* What is found, or given, on the way to traces. */
typedef struct cells {
    nset_masks *masks, *rejected; /* rejected NULL: none were looked for */
    nset_maps *summary;
    nset_traces *traces;
} cells;

static void free_cells(cells *c)
{
    nset_masks_free(c->masks);
    nset_masks_free(c->rejected);
    nset_maps_free(c->summary);
    nset_traces_free(c->traces);
}

static nset_status find_masks(cells *c, job *j, const char *model, nset_error *err)
{
    nset_segmenter *segmenter = NULL;
    nset_segment_options o = { .images = { .bin = j->s->bin }, .threshold = j->s->threshold };
    nset_found f = { .n_frames = (size_t)j->movie->n_frames,
        .height = j->movie->height,
        .width = j->movie->width,
        .names = nset_segmenter_map_names() }; /* borrows */
    nset_images images = { 0 };
    nset_status status;

    if ((status = nset_segmenter_open(&segmenter, model, j->workers, err)) != NSET_OK ||
        (status = register_frames(j, err)) != NSET_OK)
        goto done;
    o.images.valid = j->motion.valid;
    if (nset_stages_take(&j->stages, "masks", nset_found_take, &f)) {
        *c = (cells){ f.masks, f.rejected, f.summary, NULL };
        tell_diameter(j, f.diameter, j->s->diameter > 0 ? GIVEN : ESTIMATED);
        json_object_set_new(j->found, "rejected", json_integer((json_int_t)c->rejected->n));
        goto done;
    }
    if ((status = look(&images, j, segmenter, &o, err)) != NSET_OK)
        goto done;
    nset_run_folder_stage(j->folder, "images", nset_images_bytes(&images));
    if ((status = nset_segmenter_conclude(segmenter, &images, &o, &c->masks, &c->rejected, &c->summary, err)) !=
        NSET_OK)
        goto done;
    nset_run_folder_stage(j->folder, "segment", c->summary->n * c->summary->height * c->summary->width * sizeof(float));
    json_object_set_new(j->found, "rejected", json_integer((json_int_t)c->rejected->n));
    f.masks = c->masks;
    f.rejected = c->rejected;
    f.summary = c->summary;
    f.diameter = j->diameter;
    status = nset_stages_leave(&j->stages, "masks", nset_found_put, &f, err);

done:
    nset_segmenter_close(segmenter);
    nset_images_fini(&images);
    return status;
}

/* Diameter of a disk as large as a mask is on average. */
static double size_of(const nset_masks *m)
{
    double pixels = 0;

    for (size_t i = 0; i < m->n; i++)
        pixels += (double)m->roi[i].n_pixels / (double)m->n;
    return m->n ? fmin(200, fmax(3, sqrt(4 * pixels / M_PI))) : FIRST_GUESS;
}

/* The masks are read first: what is wrong with them is told before the movie is. */
static nset_status take_masks(cells *c, job *j, nset_error *err)
{
    nset_images_options o = { .bin = j->s->bin };
    nset_images images = { 0 };
    size_t n_not_cells = 0;
    nset_status status = nset_given_masks(&c->masks, &n_not_cells, j->s->rois, j->movie->height, j->movie->width, err);

    if (status != NSET_OK)
        return status;
    if (n_not_cells)
        nset_run_folder_warn(
            j->folder, "%s: %zu ROIs that it says are no cells are left out (iscell.npy)", j->s->rois, n_not_cells);
    if ((status = register_frames(j, err)) != NSET_OK)
        return status;
    o.valid = j->motion.valid;
    o.diameter = j->s->diameter > 0 ? j->s->diameter : size_of(c->masks);
    tell_diameter(j, o.diameter, j->s->diameter > 0 ? GIVEN : "the masks: of a disk as large as the mean");
    if ((status = nset_images_make(&images, j->movie, &o, NULL, j->workers, err)) == NSET_OK) {
        nset_run_folder_stage(j->folder, "images", nset_images_bytes(&images));
        status = nset_given_summary(&c->summary, &images, err);
    }
    nset_images_fini(&images);
    return status;
}

/* How the program was run, for NWB: settings that change the result, and the input's name without its folders. */
static void tell_how(char *text, size_t n, const job *j, const char *input)
{
    const settings *s = j->s;
    const char *slash = strrchr(input, '/');

    snprintf(text, n, "neuroset segment --diameter %.6g --bin %ld --motion %s --neuropil %s", j->diameter, s->bin,
        s->motion, s->neuropil);
    if (s->rois)
        snprintf(text + strlen(text), n - strlen(text), " with given masks");
    else
        snprintf(text + strlen(text), n - strlen(text), " --model %s --threshold %.6g", s->model, s->threshold);
    snprintf(text + strlen(text), n - strlen(text), ", of %s", slash ? slash + 1 : input);
}

static nset_status write_nwb(const job *j, const cells *c, nset_error *err)
{
    const json_t *json = nset_run_folder_json(j->folder), *input = json_object_get(json, "input");
    nset_segmentation s = { c->masks, c->traces, c->summary, j->movie->pixel_um };
    nset_nwb_options o = { .metadata = json_object_get(json, "metadata"), .version = NSET_VERSION };
    char how[1000];

    tell_how(how, sizeof how, j, json_string_value(json_array_get(input, 0)));
    o.how = how;
    return nset_segmentation_write_nwb(&s, &o, j->folder, err);
}

static nset_status write_result(const job *j, const cells *c, nset_error *err)
{
    nset_status status;

    if ((status = nset_masks_write(c->masks, c->rejected, j->folder, err)) != NSET_OK ||
        (status = nset_traces_write(c->traces, c->masks, j->folder, err)) != NSET_OK ||
        (status = nset_summary_write(c->summary, c->masks, j->folder, err)) != NSET_OK ||
        (status = nset_roiset_write(c->masks, j->folder, err)) != NSET_OK ||
        (status = nset_suite2p_write(c->masks, c->traces, c->summary, &j->motion, j->diameter, j->folder, err)) !=
            NSET_OK)
        return status;
    return j->s->nwb ? write_nwb(j, c, err) : NSET_OK;
}

static nset_status work(job *j, const char *model, nset_error *err)
{
    const nset_trace_options how = { .rate_hz = j->movie->rate_hz,
        .decay_s = j->s->tau,
        .rise_s = j->s->rise,
        .common_share = !strcmp(j->s->neuropil, "fixed") };
    nset_traced t = { 0 };
    cells c = { 0 };
    nset_status status = j->s->rois ? take_masks(&c, j, err) : find_masks(&c, j, model, err);

    if (status != NSET_OK)
        goto done;
    json_object_set_new(j->found, "cells", json_integer((json_int_t)c.masks->n));
    t = (nset_traced){ .masks = c.masks, .n_frames = (size_t)j->movie->n_frames };
    if (!nset_stages_take(&j->stages, "traces", nset_traced_take, &t) &&
        ((status = nset_traces_make(&t.traces, j->movie, c.masks, &how, j->workers, err)) != NSET_OK ||
            (status = nset_stages_leave(&j->stages, "traces", nset_traced_put, &t, err)) != NSET_OK))
        goto done;
    c.traces = t.traces;
    nset_run_folder_stage(j->folder, "traces", 6 * c.masks->n * c.traces->n_frames * sizeof(float));
    if ((status = write_result(j, &c, err)) != NSET_OK)
        goto done;
    nset_run_folder_stage(j->folder, "write", 0);
    if (c.rejected)
        nset_say("%zu cells, %zu candidates rejected", c.masks->n, c.rejected->n);
    else
        nset_say("%zu cells, as %s has them", c.masks->n, j->s->rois);

done:
    free_cells(&c);
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

static nset_status check_rate(const job *j, nset_error *err)
{
    if (j->s->nwb && !(j->movie->rate_hz > 0))
        return nset_fail(err, NSET_ERR_ARG, "--nwb: the movie does not tell its frame rate; give it with --rate");
    return NSET_OK;
}

static nset_status run(void *settings_, const char *const *args, size_t n_args, json_t *origins, nset_error *err)
{
    const settings *s = settings_;
    nset_movie_options in = nset_movie_options_of(&s->movie, s->rate);
    job j = { .s = s };
    char model[4096];
    nset_status status = NSET_OK;

    if (!s->output)
        return nset_fail(err, NSET_ERR_ARG, "-o DIR is missing: where shall the result go?");
    if (s->rois && s->threshold > 0)
        return nset_fail(err, NSET_ERR_ARG, "--threshold is for masks that are found; --rois gives them");
    if (s->metadata && !s->nwb)
        return nset_fail(err, NSET_ERR_ARG, "--metadata is for the NWB file: say --nwb as well");
    if (s->metadata && (status = nset_nwb_metadata_read(&j.metadata, s->metadata, err)) != NSET_OK)
        return status;
    if ((s->rois || (status = nset_model_find(model, sizeof model, s->model, err)) == NSET_OK) &&
        (status = nset_movie_open(&j.movie, args, n_args, &in, err)) == NSET_OK &&
        (status = check_rate(&j, err)) == NSET_OK &&
        (status = nset_workers_create(&j.workers, (size_t)s->common.threads, err)) == NSET_OK &&
        (status = open_folder(&j, args, n_args, origins, s->rois ? NULL : model, err)) == NSET_OK && j.folder &&
        (status = work(&j, model, err)) == NSET_OK) {
        tell_poor_frames(&j);
        status = nset_run_folder_commit(j.folder, err);
        j.folder = NULL;
    }
    nset_run_folder_abort(j.folder);
    nset_workers_free(j.workers);
    nset_movie_close(j.movie);
    nset_motion_fini(&j.motion);
    json_decref(j.metadata);
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
