/* neuroset train sorter -o FILE: trains a network of ours and writes it with its card. */
#include "commands/commands.h"

#include <string.h>

#include <neuroset/workers.h>
#include "ephys/train_sorter.h"

typedef struct settings {
    nset_common common;
    const char *out;
    bool resume;
    long steps, recordings, checkpoint_every;
    double seconds, rate;
} settings;

#define AT(field) offsetof(settings, field)
static const opt_spec options[] = {
    { .name = "out",
        .letter = 'o',
        .type = OPT_TEXT,
        .at = AT(out),
        .fallback = "models/sorter.safetensors",
        .unit = "FILE",
        .help = "the model; FILE.checkpoint while it trains, and a card beside it" },
    { .name = "resume", .type = OPT_FLAG, .at = AT(resume), .help = "go on from FILE.checkpoint, if it is there" },
    { .name = "steps",
        .type = OPT_INT,
        .at = AT(steps),
        .min = 1,
        .max = 1e7,
        .fallback = "2500",
        .help = "steps of the optimiser" },
    { .name = "recordings",
        .type = OPT_INT,
        .at = AT(recordings),
        .min = 1,
        .max = 10000,
        .fallback = "40",
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
    o.steps = s->steps;
    o.recordings = s->recordings;
    o.seconds = s->seconds;
    o.rate = s->rate;
    o.checkpoint_every = s->checkpoint_every;
    if (status == NSET_OK)
        status = nset_train_sorter(&o, workers, err);
    nset_workers_free(workers);
    return status;
}

static nset_status run(void *settings_, const char *const *args, size_t n_args, json_t *origins, nset_error *err)
{
    (void)n_args;
    (void)origins;
    if (strcmp(args[0], "sorter") == 0)
        return train_sorter(settings_, err);
    return nset_fail(err, NSET_ERR_ARG, "'%s' cannot be trained: sorter is wanted", args[0]);
}

const nset_command nset_cmd_train = {
    .name = "train",
    .arguments = "sorter -o FILE",
    .help = "train a network on simulated data",
    .options = options,
    .settings_size = sizeof(settings),
    .min_arguments = 1,
    .max_arguments = 1,
    .run = run,
};
