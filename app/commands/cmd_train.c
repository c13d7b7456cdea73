/* neuroset train sorter -o FILE: trains a network of ours and writes it with its card. */
#include "commands/commands.h"

#include <stdio.h>
#include <string.h>

#include <neuroset/workers.h>

#include "cli/models.h"
#include "ephys/train_sorter.h"
#include "imaging/train_segmenter.h"

typedef struct settings {
    nset_common common;
    const char *out, *labelled, *keep_back, *from, *labels, *area;
    bool resume;
    long steps, recordings, simulated, checkpoint_every;
    double seconds, rate, frame_rate;
} settings;

#define AT(field) offsetof(settings, field)
static const opt_spec options[] = {
    { .name = "out",
        .letter = 'o',
        .type = OPT_TEXT,
        .at = AT(out),
        .unit = "FILE",
        .help = "the model; FILE.checkpoint while it trains, and a card beside it" },
    { .name = "resume", .type = OPT_FLAG, .at = AT(resume), .help = "go on from FILE.checkpoint, if it is there" },
    { .name = "steps",
        .type = OPT_INT,
        .at = AT(steps),
        .max = 1e7,
        .fallback = "0",
        .help = "steps of the optimiser, 0: 5000 for the sorter, 3000 for the segmenter" },
    { .name = "recordings",
        .type = OPT_INT,
        .at = AT(recordings),
        .min = 1,
        .max = 10000,
        .fallback = "60",
        .help = "recordings that are simulated to train on" },
    { .name = "seconds",
        .type = OPT_FLOAT,
        .at = AT(seconds),
        .min = .5,
        .max = 600,
        .fallback = "12",
        .unit = "s",
        .help = "length of each" },
    { .name = "learning-rate",
        .type = OPT_FLOAT,
        .at = AT(rate),
        .min = 1e-6,
        .max = 1,
        .fallback = "0.002",
        .help = "of the optimiser at its peak" },
    { .name = "checkpoint-every",
        .type = OPT_INT,
        .at = AT(checkpoint_every),
        .min = 1,
        .max = 1e7,
        .fallback = "500",
        .unit = "steps",
        .help = "distance of checkpoints" },
    { .name = "labelled",
        .type = OPT_TEXT,
        .at = AT(labelled),
        .unit = "DIR,DIR",
        .help = "segmenter: folders of labelled images, each in a folder with summary.tif and regions.json" },
    { .name = "keep-back",
        .type = OPT_TEXT,
        .at = AT(keep_back),
        .unit = "NAME,NAME",
        .help = "segmenter: labelled images that choose the threshold and are not learnt from" },
    { .name = "simulated",
        .type = OPT_INT,
        .at = AT(simulated),
        .min = -1,
        .max = 10000,
        .fallback = "-1",
        .help = "segmenter: simulated movies to learn from; not said: 80, with --from 16" },
    { .name = "from",
        .type = OPT_TEXT,
        .at = AT(from),
        .unit = "NAME",
        .help = "segmenter: go on from this model (a name or a file) with MOVIE and --labels" },
    { .name = "labels",
        .type = OPT_TEXT,
        .at = AT(labels),
        .unit = "FILE",
        .help = "segmenter: outlines of MOVIE's cells, corrected by a person (regions.json, rois.json)" },
    { .name = "area",
        .type = OPT_TEXT,
        .at = AT(area),
        .unit = "TOP,LEFT,BOTTOM,RIGHT",
        .help = "segmenter: pixels within which the labels are complete; not said: the whole field" },
    { .name = "frame-rate",
        .type = OPT_FLOAT,
        .at = AT(frame_rate),
        .min = 1e-3,
        .max = 1e5,
        .unit = "Hz",
        .help = "segmenter: of MOVIE, when the file does not tell" },
    { 0 },
};

static nset_status train_sorter(const settings *s, nset_error *err)
{
    nset_train_sorter_options o = NSET_TRAIN_SORTER_INIT;
    nset_workers *workers = NULL;
    nset_status status = nset_workers_create(&workers, (size_t)s->common.threads, err);

    o.out = s->out;
    o.resume = s->resume;
    o.seed = (uint64_t)s->common.seed;
    o.steps = s->steps ? s->steps : o.steps;
    o.recordings = s->recordings;
    o.seconds = s->seconds;
    o.rate = s->rate;
    o.checkpoint_every = s->checkpoint_every;
    if (status == NSET_OK)
        status = nset_train_sorter(&o, workers, err);
    nset_workers_free(workers);
    return status;
}

static nset_status read_area(nset_area *a, const char *text, nset_error *err)
{
    int end = 0;

    if (!text)
        return NSET_OK;
    if (sscanf(text, "%ld,%ld,%ld,%ld%n", &a->top, &a->left, &a->bottom, &a->right, &end) == 4 && !text[end] &&
        a->top >= 0 && a->left >= 0 && a->top < a->bottom && a->left < a->right)
        return NSET_OK;
    return nset_fail(err, NSET_ERR_ARG,
        "--area %s: TOP,LEFT,BOTTOM,RIGHT are expected: whole numbers, the last two larger than the first two", text);
}

static nset_status train_segmenter(const settings *s, const char *const *movie, size_t n_movie, nset_error *err)
{
    char from[4096];
    nset_train_segmenter_options o = { .out = s->out,
        .movie = movie,
        .n_movie = n_movie,
        .movie_options = { .rate_hz = s->frame_rate },
        .regions = s->labels,
        .labelled = s->labelled,
        .keep_back = s->keep_back,
        .seed = (uint64_t)s->common.seed,
        .steps = s->steps  ? s->steps
                 : s->from ? 200
                           : 3000,
        .simulated = s->simulated >= 0 ? s->simulated
                     : s->from         ? 16
                                       : 80,
        .checkpoint_every = s->checkpoint_every,
        .resume = s->resume };
    nset_workers *workers = NULL;
    nset_status status;

    if (!n_movie != !s->labels)
        return nset_fail(err, NSET_ERR_ARG,
            n_movie ? "--labels FILE is missing: where are the movie's cells?"
                    : "--labels wants its movie: train segmenter MOVIE");
    if ((status = read_area(&o.area, s->area, err)) != NSET_OK ||
        (s->from && (status = nset_model_find(from, sizeof from, s->from, err)) != NSET_OK) ||
        (status = nset_workers_create(&workers, (size_t)s->common.threads, err)) != NSET_OK)
        return status;
    o.from = s->from ? from : NULL;
    status = nset_train_segmenter(&o, workers, err);
    nset_workers_free(workers);
    return status;
}

static nset_status run(void *settings_, const char *const *args, size_t n_args, json_t *origins, nset_error *err)
{
    const settings *s = settings_;

    (void)origins;
    if (!s->out)
        return nset_fail(err, NSET_ERR_ARG, "-o FILE is missing: where shall the model go?");
    if (strcmp(args[0], "sorter") == 0)
        return train_sorter(s, err);
    if (strcmp(args[0], "segmenter") == 0)
        return train_segmenter(s, args + 1, n_args - 1, err);
    return nset_fail(err, NSET_ERR_ARG, "'%s' cannot be trained: sorter or segmenter is wanted", args[0]);
}

const nset_command nset_cmd_train = {
    .name = "train",
    .arguments = "sorter|segmenter [MOVIE...] -o FILE",
    .help = "train a network on simulated and labelled data",
    .options = options,
    .settings_size = sizeof(settings),
    .min_arguments = 1,
    .max_arguments = 100000,
    .run = run,
};
