#include "ephys/train_sorter.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <neuroset/memory.h>
#include <neuroset/model.h>
#include <neuroset/random.h>
#include <neuroset/train.h>
#include "cli/progress.h"
#include "ephys/event_loss.h"
#include "ephys/event_net.h"
#include "ephys/train_batch.h"
#include "ephys/train_card.h"
#include "ephys/train_events.h"

#define SCALE_WEIGHT .05
#define SPIKE_WEIGHT .3
#define POSITION_WEIGHT .2
#define WEIGHT_DECAY 1e-4
#define CLIP 5.
enum { PATH_BYTES = 4096, MAX_EVENTS = 2500, WARM_UP = 100, TEST_RECORDINGS = 6, LOCALES = 2, LOG_STEPS = 100 };
#define TEST_SEEDS 900000000u /* recordings of the card's scores, never trained on */

typedef struct trainer {
    const nset_train_sorter_options *o;
    nset_workers *workers;
    nset_net *net;
    nset_run *run;
    nset_adamw adam;
    nset_real *grad;
    nset_train_events *set; /* (recordings) */
    train_batch batch;
    double loss[3], right, tested; /* running means of the log */
} trainer;

static nset_status make_recording(
    nset_train_events *e, uint64_t seed, double seconds, nset_workers *workers, nset_error *err)
{
    nset_sim_options o = nset_sim_random(seed, seconds);
    nset_sim *sim = NULL;
    nset_status status = nset_sim_make(&sim, &o, workers, err);

    if (status == NSET_OK)
        status = nset_train_events_make(e, sim, MAX_EVENTS, workers, err);
    nset_sim_free(sim);
    return status;
}

static nset_status make_recordings(
    nset_train_events *set, size_t n, uint64_t first_seed, double seconds, nset_workers *workers, nset_error *err)
{
    nset_status status = NSET_OK;

    nset_progress_begin("simulate", (double)n, "recordings");
    for (size_t k = 0; k < n && status == NSET_OK; k++) {
        status = make_recording(&set[k], first_seed + k, seconds, workers, err);
        nset_progress_at((double)k + 1);
        if (status == NSET_OK && nset_cancelled())
            status = nset_fail_cancelled(err);
    }
    nset_progress_end();
    return status;
}

/* Gradients of the three losses at the network's outputs. */
static nset_status losses(trainer *t, double loss[3], nset_error *err)
{
    train_batch *b = &t->batch;
    const nset_real *z = nset_run_output(t->run, 0, NULL, NULL);
    nset_status status = NSET_OK;

    loss[0] = 0;
    for (size_t l = 0; l < b->n_locales && status == NSET_OK; l++) {
        size_t from = b->locale[l], n = b->locale[l + 1] - from, right, tested;
        double one;
        status = nset_loss_prototypes(&one, b->dz + from * NSET_EMBEDDING, &right, &tested, z + from * NSET_EMBEDDING,
            b->label + from, b->n_labels[l], n, NSET_EMBEDDING, SCALE_WEIGHT, err);
        loss[0] += one / (double)b->n_locales;
        for (size_t i = 0; i < n * NSET_EMBEDDING; i++)
            b->dz[from * NSET_EMBEDDING + i] /= (nset_real)b->n_locales;
        t->right += (double)right;
        t->tested += (double)tested;
    }
    loss[1] = nset_loss_bce(b->dspike, nset_run_output(t->run, 1, NULL, NULL), b->is_spike, NULL, b->n_events);
    loss[2] =
        nset_loss_mse(b->dplace, nset_run_output(t->run, 2, NULL, NULL), b->target, b->target_weight, 2 * b->n_events);
    for (size_t i = 0; i < b->n_events; i++)
        b->dspike[i] *= (nset_real)SPIKE_WEIGHT;
    for (size_t i = 0; i < 2 * b->n_events; i++)
        b->dplace[i] *= (nset_real)POSITION_WEIGHT;
    return status;
}

static nset_status step(trainer *t, uint64_t k, nset_error *err)
{
    train_batch *b = &t->batch;
    const nset_real *inputs[2], *douts[3];
    nset_batch batch = { .n_sets = 0, .inputs = inputs };
    double loss[3], rate = nset_cosine_rate(k, (uint64_t)t->o->steps, WARM_UP, t->o->rate, .02);
    nset_status status;

    if ((status = train_batch_draw(b, t->set, (size_t)t->o->recordings, t->o->seed, k, LOCALES, err)) != NSET_OK)
        return status;
    batch.n_sets = b->n_events;
    batch.offsets = b->offsets;
    inputs[0] = b->spread;
    inputs[1] = b->other;
    if ((status = nset_run_forward_train(t->run, &batch, t->o->seed + k, err)) != NSET_OK ||
        (status = losses(t, loss, err)) != NSET_OK)
        return status;
    memset(t->grad, 0, nset_net_n_params(t->net) * sizeof *t->grad);
    douts[0] = b->dz;
    douts[1] = b->dspike;
    douts[2] = b->dplace;
    if ((status = nset_run_backward(t->run, &batch, douts, t->grad, NULL, err)) != NSET_OK)
        return status;
    nset_clip_gradient(t->grad, nset_net_n_params(t->net), CLIP);
    nset_adamw_step(&t->adam, nset_net_params(t->net), t->grad, rate);
    for (int i = 0; i < 3; i++)
        t->loss[i] += loss[i] / LOG_STEPS;
    return NSET_OK;
}

static void log_line(trainer *t, long k)
{
    nset_say("step %ld: contrast %.3f (%.1f %% nearest to their own unit), spike %.3f, position %.1f um", k, t->loss[0],
        100 * t->right / fmax(t->tested, 1), t->loss[1], NSET_EVENT_PLACE_UM * sqrt(t->loss[2]));
    memset(t->loss, 0, sizeof t->loss);
    t->right = t->tested = 0;
}

static nset_status train(trainer *t, const char *checkpoint, nset_error *err)
{
    long first = (long)t->adam.step, last = t->o->steps;
    nset_status status = NSET_OK;

    if (t->o->stop_after > 0 && t->o->stop_after < last)
        last = t->o->stop_after;
    nset_progress_begin("train", (double)t->o->steps, "steps");
    for (long k = first; k < last && status == NSET_OK; k++) {
        status = step(t, (uint64_t)k, err);
        nset_progress_at((double)k + 1);
        if (status == NSET_OK && (k + 1) % LOG_STEPS == 0)
            log_line(t, k + 1);
        if (status == NSET_OK && ((k + 1) % t->o->checkpoint_every == 0 || k + 1 == last || nset_cancelled()))
            status = nset_checkpoint_save(checkpoint, t->net, &t->adam, err);
        if (status == NSET_OK && nset_cancelled())
            status = nset_fail_cancelled(err);
    }
    nset_progress_end();
    return status;
}

static nset_status save(trainer *t, double seconds_taken, nset_error *err)
{
    nset_train_events test[TEST_RECORDINGS] = { 0 };
    train_scores scores = { 0 };
    nset_status status = make_recordings(test, TEST_RECORDINGS, TEST_SEEDS, t->o->seconds, t->workers, err);

    if (status == NSET_OK)
        status = train_score(&scores, t->net, test, TEST_RECORDINGS, t->workers, err);
    for (size_t k = 0; k < TEST_RECORDINGS; k++)
        nset_train_events_fini(&test[k]);
    if (status == NSET_OK)
        status = train_save(t->net, t->o, &scores, seconds_taken, err);
    return status;
}

static nset_status prepare(trainer *t, const char *checkpoint, nset_error *err)
{
    struct stat st;
    nset_status status;

    if ((status = nset_event_net_build(&t->net, t->o->seed, err)) != NSET_OK ||
        (status = nset_run_create(&t->run, t->net, t->workers, err)) != NSET_OK ||
        (status = nset_adamw_init(&t->adam, nset_net_n_params(t->net), WEIGHT_DECAY, err)) != NSET_OK)
        return status;
    t->grad = nset_calloc(nset_net_n_params(t->net), sizeof *t->grad);
    t->set = nset_calloc((size_t)t->o->recordings, sizeof *t->set);
    if (!t->grad || !t->set)
        return nset_fail_oom(err, nset_net_n_params(t->net), sizeof *t->grad);
    if (t->o->resume && stat(checkpoint, &st) == 0)
        return nset_checkpoint_load(checkpoint, t->net, &t->adam, err);
    return NSET_OK;
}

static void finish(trainer *t)
{
    for (long k = 0; t->set && k < t->o->recordings; k++)
        nset_train_events_fini(&t->set[k]);
    nset_free(t->set);
    nset_free(t->grad);
    train_batch_fini(&t->batch);
    nset_adamw_fini(&t->adam);
    nset_run_free(t->run);
    nset_net_free(t->net);
}

nset_status nset_train_sorter(const nset_train_sorter_options *o, nset_workers *workers, nset_error *err)
{
    trainer t = { .o = o, .workers = workers };
    char checkpoint[PATH_BYTES];
    struct timespec from, to;
    nset_status status;

    if (o->steps < 1 || o->recordings < 1 || o->checkpoint_every < 1)
        return nset_fail(err, NSET_ERR_ARG, "steps, recordings and checkpoint distance must be at least 1");
    if (snprintf(checkpoint, sizeof checkpoint, "%s.checkpoint", o->out) >= (int)sizeof checkpoint)
        return nset_fail(err, NSET_ERR_ARG, "%.60s...: the path is too long", o->out);
    clock_gettime(CLOCK_MONOTONIC, &from);
    if ((status = prepare(&t, checkpoint, err)) == NSET_OK &&
        (status = make_recordings(t.set, (size_t)o->recordings, o->seed * 100000, o->seconds, workers, err)) ==
            NSET_OK &&
        (status = train(&t, checkpoint, err)) == NSET_OK && !(o->stop_after > 0 && o->stop_after < o->steps)) {
        clock_gettime(CLOCK_MONOTONIC, &to);
        status = save(&t, (double)(to.tv_sec - from.tv_sec), err);
        if (status == NSET_OK)
            remove(checkpoint);
    }
    finish(&t);
    return status;
}
