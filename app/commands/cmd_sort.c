#include <stdio.h>
#include <string.h>

#include <neuroset/memory.h>
#include <neuroset/workers.h>

#include "cli/models.h"
#include "cli/progress.h"
#include "commands/commands.h"
#include "commands/recording_options.h"
#include "commands/sort_key.h"
#include "ephys/bad_channels.h"
#include "results/nwb_metadata.h"
#include "ephys/phy_features.h"
#include "ephys/groups.h"
#include "ephys/sort.h"
#include "ephys/write.h"
#include "ephys/write_nwb.h"
#include "results/run.h"

typedef struct sort_settings {
    nset_common common;
    nset_recording_settings in;
    const char *output, *model, *reference, *drift, *metadata, *features;
    double threshold;
    bool overwrite, resume, keep_bad, nwb;
} sort_settings;

enum { LEAST_HZ = 5000 };

#define AT(field) offsetof(sort_settings, field)
static const opt_spec options[] = {
    { .name = "output", .letter = 'o', .type = OPT_TEXT, .at = AT(output), .unit = "DIR", .help = "result folder" },
    { .name = "overwrite", .type = OPT_FLAG, .at = AT(overwrite), .help = "replace an existing result folder" },
    { .name = "resume",
        .type = OPT_FLAG,
        .at = AT(resume),
        .help = "go on where a run of the same settings and input was cut off; the result does not depend on it" },
    { .name = "threshold",
        .letter = 't',
        .type = OPT_FLOAT,
        .at = AT(threshold),
        .min = 2,
        .max = 50,
        .fallback = "4",
        .unit = "noise sd",
        .help = "detection threshold of the events that clustering starts from" },
    { .name = "reference",
        .type = OPT_CHOICE,
        .at = AT(reference),
        .fallback = "none",
        .unit = "none|median",
        .help = "what is subtracted from all channels before whitening" },
    { .name = "drift",
        .type = OPT_CHOICE,
        .at = AT(drift),
        .fallback = "auto",
        .unit = "auto|off",
        .help = "link templates that fire at different times and look alike when moved along the probe" },
    { .name = "model",
        .type = OPT_TEXT,
        .at = AT(model),
        .fallback = "sorter",
        .unit = "NAME",
        .help = "event network, a name or a file" },
    { .name = "keep-bad-channels",
        .type = OPT_FLAG,
        .at = AT(keep_bad),
        .help = "sort flat, dead, clipped, noisy and copied channels too; else they are left out and named" },
    { .name = "phy-features",
        .type = OPT_CHOICE,
        .at = AT(features),
        .fallback = "spread",
        .unit = "spread|all|none",
        .help = "spikes that Phy can draw as clouds: those of an even spread of 300 s, all, or none" },
    { .name = "nwb", .type = OPT_FLAG, .at = AT(nwb), .help = "write sorting.nwb (NWB 2.8) as well" },
    { .name = "metadata",
        .type = OPT_TEXT,
        .at = AT(metadata),
        .unit = "FILE",
        .help = "JSON with what the recording does not say of the session, for --nwb; else it is unknown" },
    RECORDING_ROWS(sort_settings),
    { 0 },
};

static void on_stage(void *ctx, const char *stage, size_t bytes)
{
    nset_run_folder_stage(ctx, stage, bytes);
}

/* Adds the name of a file, without its folders. */
static void add_name(char *text, size_t n, const char *path)
{
    const char *slash = strrchr(path, '/');

    snprintf(text + strlen(text), n - strlen(text), " %s", slash ? slash + 1 : path);
}

static nset_status write_nwb(const sort_settings *s, const nset_sorting *sorting, const nset_recording *r,
    nset_run_folder *folder, nset_error *err)
{
    json_t *json = nset_run_folder_json(folder), *input = json_object_get(json, "input"), *one;
    nset_nwb_options o = { .metadata = json_object_get(json, "metadata"), .version = NSET_VERSION };
    char how[1000];
    size_t i;

    snprintf(how, sizeof how, "neuroset sort --threshold %.6g --reference %s --drift %s --model %s --seed %lld%s, of",
        s->threshold, s->reference, s->drift, s->model, (long long)s->common.seed,
        s->keep_bad ? " --keep-bad-channels" : "");
    if (json_is_string(input))
        add_name(how, sizeof how, json_string_value(input));
    json_array_foreach(input, i, one) add_name(how, sizeof how, json_string_value(one));
    o.how = how;
    return nset_write_nwb(sorting, r, &o, folder, err);
}

typedef struct phy_job {
    nset_run_folder *folder;
    nset_workers *workers;
    bool all;
} phy_job;

static nset_status write_features(void *ctx, const nset_sorting *sorting, const nset_probe *probe, nset_whitened *w,
    const int64_t *segments, size_t n, nset_error *err)
{
    const phy_job *j = ctx;
    size_t n_all = (size_t)nset_whitened_segments(w);
    int64_t *all = j->all ? nset_calloc(n_all, sizeof *all) : NULL;
    nset_status status;

    if (j->all && !all)
        return nset_fail_oom(err, n_all, sizeof *all);
    for (size_t i = 0; i < n_all && all; i++)
        all[i] = (int64_t)i;
    status =
        nset_phy_features_write(sorting, probe, w, all ? all : segments, all ? n_all : n, j->folder, j->workers, err);
    nset_free(all);
    nset_run_folder_stage(j->folder, "features", 0);
    return status;
}

static nset_status work(const sort_settings *s, const nset_recording *r, nset_run_folder *folder, const char *model,
    nset_workers *workers, nset_error *err)
{
    phy_job phy = { folder, workers, !strcmp(s->features, "all") };
    nset_sort_options o = { .threshold = s->threshold,
        .reference = !strcmp(s->reference, "median"),
        .drift = !strcmp(s->drift, "auto"),
        .memory = s->common.memory,
        .seed = (uint64_t)s->common.seed,
        .model = model,
        .work = nset_run_folder_work(folder),
        .after = strcmp(s->features, "none") ? write_features : NULL,
        .after_ctx = &phy };
    json_t *found = json_object();
    nset_sorting *sorting = NULL;
    size_t good = 0;
    nset_status status;

    json_object_set_new(nset_run_folder_json(folder), "found", found);
    if ((status = nset_sort_groups(&sorting, found, r, &o, workers, on_stage, folder, err)) != NSET_OK)
        return status;
    for (size_t i = 0; i < sorting->n_units; i++)
        good += sorting->units[i].label == NSET_LABEL_GOOD;
    json_object_set_new(found, "units", json_integer((json_int_t)sorting->n_units));
    json_object_set_new(found, "units_good", json_integer((json_int_t)good));
    json_object_set_new(found, "spikes", json_integer((json_int_t)sorting->n_spikes));
    nset_say("%zu units (%zu good), %zu spikes", sorting->n_units, good, sorting->n_spikes);
    if ((status = nset_sorting_write(sorting, r, folder, err)) == NSET_OK && s->nwb)
        status = write_nwb(s, sorting, r, folder, err);
    nset_sorting_free(sorting);
    nset_run_folder_stage(folder, "write", 0);
    return status;
}

/* One file as a string, several as a list. */
static json_t *inputs(const char *const *args, size_t n)
{
    json_t *list = json_array();

    if (n == 1) {
        json_decref(list);
        return json_string(args[0]);
    }
    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, json_string(args[i]));
    return list;
}

/* gaps: [[sample, seconds missing before it], ...] */
static void set_times(json_t *json, const nset_recording *r)
{
    json_t *gaps = json_array();

    for (size_t i = 0; i < r->n_gaps; i++)
        json_array_append_new(gaps, json_pack("[I, f]", (json_int_t)r->gap[i].sample, r->gap[i].seconds));
    json_object_set_new(json, "gaps", gaps);
    json_object_set_new(json, "start_s", json_real(r->start_s));
}

/* Are there samples, fast enough for spikes of a third of a millisecond? */
static nset_status check_sortable(const nset_recording *r, nset_error *err)
{
    if (r->source->n_samples == 0)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: there is no whole frame of %zu channels in it: nothing to sort",
            r->path, r->n_file_channels);
    if (r->source->rate_hz < LEAST_HZ)
        return nset_fail(err, NSET_ERR_FORMAT,
            "%s: %.10g Hz is too low a rate for spikes, at least %d Hz is needed; is this a file of field potentials?",
            r->path, r->source->rate_hz, LEAST_HZ);
    return NSET_OK;
}

static nset_status run(void *settings, const char *const *args, size_t n_args, json_t *origins, nset_error *err)
{
    const sort_settings *s = settings;
    nset_recording_options in = nset_recording_options_of(&s->in);
    nset_run_folder *folder = NULL;
    nset_recording *r = NULL, *good = NULL;
    nset_workers *workers = NULL;
    char model[4096], key[NSET_KEY];
    json_t *json, *line, *metadata = NULL;
    nset_status status;
    size_t i;

    if (!s->output)
        return nset_fail(err, NSET_ERR_ARG, "-o DIR is missing: where shall the result go?");
    if (s->metadata && !s->nwb)
        return nset_fail(err, NSET_ERR_ARG, "--metadata is for the NWB file: say --nwb as well");
    if ((s->metadata && (status = nset_nwb_metadata_read(&metadata, s->metadata, err)) != NSET_OK) ||
        (status = nset_model_find(model, sizeof model, s->model, err)) != NSET_OK ||
        (status = nset_recording_open(&r, args, n_args, &in, err)) != NSET_OK ||
        (status = check_sortable(r, err)) != NSET_OK ||
        (status = nset_sort_key(key, r, args, n_args, origins, metadata, model, err)) != NSET_OK ||
        (status = nset_run_folder_resume(&folder, s->output, s->overwrite, key, s->resume, err)) != NSET_OK ||
        !folder || /* the result is there */
        (status = nset_workers_create(&workers, (size_t)s->common.threads, err)) != NSET_OK)
        goto done;
    json = nset_run_folder_json(folder);
    json_object_set_new(json, "command", json_string("sort"));
    json_object_set_new(json, "version", json_string(NSET_VERSION));
    json_object_set_new(json, "input", inputs(args, n_args));
    json_object_set(json, "settings", origins);
    json_object_set(json, "facts", r->facts);
    if (metadata)
        json_object_set(json, "metadata", metadata);
    set_times(json, r);
    if (r->n_pieces == 0)
        nset_run_folder_input(folder, r->path);
    for (i = 0; i < r->n_pieces; i++)
        if (i == 0 || strcmp(r->piece[i].path, r->piece[i - 1].path))
            nset_run_folder_input(folder, r->piece[i].path);
    json_array_foreach(r->warnings, i, line) nset_run_folder_warn(folder, "%s", json_string_value(line));
    nset_say("%zu channels, %.6g s, at most %zu MB for buffers", r->source->n_channels,
        (double)r->source->n_samples / r->source->rate_hz, s->common.memory / 1000000);
    status = nset_leave_out_bad(&good, r, s->keep_bad, folder, workers, err);
    nset_run_folder_stage(folder, "channels", 0);
    if (status == NSET_OK)
        status = work(s, good, folder, model, workers, err);
    if (status == NSET_OK) {
        status = nset_run_folder_commit(folder, err);
        folder = NULL;
    }

done:
    nset_run_folder_abort(folder);
    nset_workers_free(workers);
    nset_recording_close(good);
    nset_recording_close(r);
    json_decref(metadata);
    return status;
}

const nset_command nset_cmd_sort = {
    .name = "sort",
    .arguments = "FILE... -o DIR",
    .help = "units, spike times and a Phy folder from multichannel electrophysiology",
    .options = options,
    .settings_size = sizeof(sort_settings),
    .min_arguments = 1,
    .max_arguments = 1000,
    .run = run,
};
