#include "imaging/train_segmenter.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <neuroset/file.h>
#include <neuroset/memory.h>
#include <neuroset/model.h>
#include <neuroset/train.h>

#include "cli/progress.h"
#include "imaging/choose.h"
#include "imaging/crop.h"
#include "imaging/motion.h"
#include "imaging/segmenter.h"

enum { BATCH = 12, WARMUP = 60, SAY_EVERY = 50 };
#define RATE 3e-3
#define TUNING_RATE 1e-3 /* of a model that knows cells already */
#define MOVIE_SHARE .5   /* of the crops, when a movie is given */
#define DECAY 1e-3
#define OFFSET_SHARE .5
#define CENTRE_SHARE 2.

typedef struct trainer {
    const nset_train_segmenter_options *o;
    nset_workers *workers;
    nset_fields fields, kept;
    nset_net *net;
    nset_adamw adam;
    nset_run *run[BATCH];
    nset_crop crop[BATCH];
    float *dmask[BATCH], *dcentre[BATCH], *doffset[BATCH];
    float *grad; /* (BATCH, n) */
    double loss[BATCH][3];
    nset_error error[BATCH];
    double threshold; /* of the model that it goes on from; else .5 */
    uint64_t step;
} trainer;

static void scale(float *x, size_t n, double by)
{
    for (size_t i = 0; i < n; i++)
        x[i] *= (float)by;
}

/* Forward and backward of one example; its gradient in a block of its own. */
static nset_status one_example(trainer *t, size_t e)
{
    nset_crop *c = &t->crop[e];
    int64_t offsets[2] = { 0, 0 };
    const float *inputs[2] = { c->input, c->images }, *douts[3] = { t->dmask[e], t->dcentre[e], t->doffset[e] };
    nset_batch batch = { .n_sets = 1, .offsets = offsets, .height = NSET_CROP, .width = NSET_CROP, .inputs = inputs };
    size_t n = nset_net_n_params(t->net);
    nset_status status;

    nset_crop_make(c, &t->fields, t->o->seed, t->step * BATCH + e);
    offsets[1] = (int64_t)c->n_images;
    memset(t->grad + e * n, 0, n * sizeof *t->grad);
    if ((status = nset_run_forward_train(t->run[e], &batch, t->step * BATCH + e, &t->error[e])) != NSET_OK)
        return status;
    t->loss[e][0] = nset_loss_bce(
        t->dmask[e], nset_run_output(t->run[e], 0, NULL, NULL), c->mask, c->mask_weight, NSET_CROP_PIXELS);
    t->loss[e][1] = nset_loss_bce(
        t->dcentre[e], nset_run_output(t->run[e], 1, NULL, NULL), c->centre, c->centre_weight, NSET_CROP_PIXELS);
    t->loss[e][2] = nset_loss_mae(
        t->doffset[e], nset_run_output(t->run[e], 2, NULL, NULL), c->offset, c->offset_weight, 2 * NSET_CROP_PIXELS);
    scale(t->dmask[e], NSET_CROP_PIXELS, 1. / BATCH);
    scale(t->dcentre[e], NSET_CROP_PIXELS, CENTRE_SHARE / BATCH);
    scale(t->doffset[e], 2 * NSET_CROP_PIXELS, OFFSET_SHARE / BATCH);
    return nset_run_backward(t->run[e], &batch, douts, t->grad + e * n, NULL, &t->error[e]);
}

static void examples(void *ctx, size_t first, size_t last, size_t chunk)
{
    (void)chunk;
    for (size_t e = first; e < last; e++)
        (void)!one_example(ctx, e);
}

static nset_status one_step(trainer *t, nset_error *err)
{
    size_t n = nset_net_n_params(t->net);

    nset_parallel_for(t->workers, BATCH, 1, examples, t);
    for (size_t e = 0; e < BATCH; e++)
        if (t->error[e].status != NSET_OK)
            return nset_fail(err, t->error[e].status, "%s", t->error[e].text);
    for (size_t e = 1; e < BATCH; e++) /* in order: the same sum for any number of threads */
        for (size_t i = 0; i < n; i++)
            t->grad[i] += t->grad[e * n + i];
    nset_clip_gradient(t->grad, n, 1);
    nset_adamw_step(&t->adam, nset_net_params(t->net), t->grad,
        nset_cosine_rate(
            t->step, (uint64_t)t->o->steps, t->o->from ? WARMUP / 3 : WARMUP, t->o->from ? TUNING_RATE : RATE, .01));
    return NSET_OK;
}

static void tell(const trainer *t, double sum[3], int count)
{
    nset_say("step %5llu  mask %.4f  centre %.4f  offset %.4f", (unsigned long long)t->step, sum[0] / count,
        sum[1] / count, sum[2] / count);
    memset(sum, 0, 3 * sizeof *sum);
}

static nset_status train(trainer *t, const char *checkpoint, nset_error *err)
{
    double sum[3] = { 0 };
    int count = 0;
    nset_status status = NSET_OK;

    nset_progress_begin("train", (double)t->o->steps, "steps");
    while (t->step < (uint64_t)t->o->steps && status == NSET_OK) {
        if ((status = one_step(t, err)) != NSET_OK)
            break;
        t->step++;
        for (size_t e = 0; e < BATCH; e++)
            for (int k = 0; k < 3; k++)
                sum[k] += t->loss[e][k] / BATCH;
        if (++count == SAY_EVERY) {
            tell(t, sum, count);
            count = 0;
        }
        nset_progress_at((double)t->step);
        if (nset_cancelled() || (t->o->checkpoint_every > 0 && t->step % (uint64_t)t->o->checkpoint_every == 0))
            status = nset_checkpoint_save(checkpoint, t->net, &t->adam, err);
        if (status == NSET_OK && nset_cancelled())
            status = nset_fail(
                err, NSET_ERR_CANCELLED, "interrupted at step %llu; go on with --resume", (unsigned long long)t->step);
    }
    nset_progress_end();
    return status;
}

/* ---- set-up ---- */

static bool is_listed(const char *name, const char *list)
{
    size_t n = strlen(name);

    for (const char *p = list; p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL)
        if (!strncmp(p, name, n) && (p[n] == ',' || p[n] == '\0'))
            return true;
    return false;
}

static nset_status add_movie(trainer *t, nset_error *err)
{
    const nset_train_segmenter_options *o = t->o;
    nset_movie *movie = NULL, *still = NULL;
    const nset_motion_options rigid = { 0 };
    nset_motion motion = { 0 };
    nset_net *phi = NULL;
    nset_status status;

    if ((status = nset_movie_open(&movie, o->movie, o->n_movie, &o->movie_options, err)) != NSET_OK ||
        (status = nset_motion_estimate(&motion, movie, &rigid, t->workers, err)) != NSET_OK ||
        (status = nset_motion_open(&still, movie, &motion, err)) != NSET_OK)
        goto done;
    movie = NULL; /* still owns it */
    if ((status = nset_segnet_part_of(&phi, t->net, NSET_SEG_PHI_ONLY, err)) == NSET_OK)
        status = nset_fields_add_movie(&t->fields, still, motion.valid, o->regions, o->area, phi, t->workers, err);

done:
    nset_net_free(phi);
    nset_movie_close(still);
    nset_movie_close(movie);
    nset_motion_fini(&motion);
    return status;
}

/* The user's movie weighs MOVIE_SHARE of all fields together. */
static void weigh_movie(nset_fields *f, size_t movie)
{
    double others = -f->field[movie].weight;

    for (size_t i = 0; i < f->n; i++)
        others += f->field[i].weight;
    if (others > 0)
        f->field[movie].weight = others * MOVIE_SHARE / (1 - MOVIE_SHARE);
}

/* What a person gave comes first: its mistakes are told before movies are simulated. */
static nset_status gather_fields(trainer *t, nset_error *err)
{
    nset_fields all = { 0 };
    size_t movie;
    nset_status status = NSET_OK;
    char dir[4096];

    for (const char *p = t->o->labelled; p && status == NSET_OK; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL) {
        snprintf(dir, sizeof dir, "%.*s", (int)strcspn(p, ","), p);
        status = nset_fields_add_folder(&all, dir, err);
    }
    for (size_t i = 0; i < all.n; i++) {
        nset_fields *to = is_listed(all.field[i].name, t->o->keep_back) ? &t->kept : &t->fields;
        if (status == NSET_OK)
            status = nset_grow(&to->field, &to->capacity, to->n + 1, sizeof *to->field, err);
        if (status == NSET_OK) {
            to->field[to->n++] = all.field[i];
            all.field[i] = (nset_field){ 0 };
        }
    }
    nset_fields_fini(&all);
    movie = t->fields.n;
    if (status == NSET_OK && t->o->n_movie > 0)
        status = add_movie(t, err);
    if (status == NSET_OK)
        nset_say("%zu labelled fields to learn from, %zu kept back; simulating %ld movies", t->fields.n, t->kept.n,
            t->o->simulated);
    if (status == NSET_OK)
        status = nset_fields_add_simulated(&t->fields, (size_t)t->o->simulated, 1000 + t->o->seed * 100000, err);
    if (status == NSET_OK && t->o->n_movie > 0)
        weigh_movie(&t->fields, movie);
    if (status == NSET_OK && t->fields.n == 0)
        return nset_fail(err, NSET_ERR_ARG, "there is nothing to learn from: give --labelled or --simulated");
    return status;
}

static nset_status set_up(trainer *t, nset_error *err)
{
    size_t n;
    nset_status status;

    if ((status = nset_segnet_build(&t->net, NSET_SEG_WHOLE, t->o->seed, err)) != NSET_OK ||
        (t->o->from && (status = nset_segmenter_weights(t->net, &t->threshold, t->o->from, err)) != NSET_OK))
        return status;
    n = nset_net_n_params(t->net);
    nset_say("%zu weights", n);
    if ((status = nset_adamw_init(&t->adam, n, DECAY, err)) != NSET_OK)
        return status;
    if (!(t->grad = nset_calloc(BATCH * n, sizeof *t->grad)))
        return nset_fail_oom(err, BATCH * n, sizeof *t->grad);
    for (size_t e = 0; e < BATCH; e++) {
        if ((status = nset_run_create(&t->run[e], t->net, NULL, err)) != NSET_OK ||
            (status = nset_crop_init(&t->crop[e], err)) != NSET_OK)
            return status;
        t->dmask[e] = nset_calloc(NSET_CROP_PIXELS, sizeof(float));
        t->dcentre[e] = nset_calloc(NSET_CROP_PIXELS, sizeof(float));
        t->doffset[e] = nset_calloc(2 * NSET_CROP_PIXELS, sizeof(float));
        if (!t->dmask[e] || !t->dcentre[e] || !t->doffset[e])
            return nset_fail_oom(err, 2 * NSET_CROP_PIXELS, sizeof(float));
    }
    return NSET_OK;
}

static void tear_down(trainer *t)
{
    for (size_t e = 0; e < BATCH; e++) {
        nset_run_free(t->run[e]);
        nset_crop_fini(&t->crop[e]);
        nset_free(t->dmask[e]);
        nset_free(t->dcentre[e]);
        nset_free(t->doffset[e]);
    }
    nset_free(t->grad);
    nset_adamw_fini(&t->adam);
    nset_net_free(t->net);
    nset_fields_fini(&t->fields);
    nset_fields_fini(&t->kept);
}

/* The model and, beside it, its card. */
static nset_status save(trainer *t, const nset_choice *choice, double seconds, nset_error *err)
{
    char threshold[32], steps[32], card[4096];
    nset_meta meta[] = { { "kind", NSET_SEG_KIND }, { "threshold", threshold }, { "steps", steps } };
    nset_atomic_file *file = NULL;
    json_t *root;
    nset_status status;

    snprintf(threshold, sizeof threshold, "%.3f", choice->threshold);
    snprintf(steps, sizeof steps, "%ld", t->o->steps);
    if ((status = nset_model_save(t->o->out, t->net, meta, 3, err)) != NSET_OK)
        return status;
    snprintf(card, sizeof card, "%s", t->o->out);
    if (strlen(card) > 12 && !strcmp(card + strlen(card) - 12, ".safetensors"))
        card[strlen(card) - 12] = '\0';
    strncat(card, ".json", sizeof card - strlen(card) - 1);
    root = json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:f, s:s, s:f, s:f, s:f}", "model", NSET_SEG_KIND, "weights",
        (json_int_t)nset_net_n_params(t->net), "seed", (json_int_t)t->o->seed, "steps", (json_int_t)t->o->steps,
        "simulated_movies", (json_int_t)t->o->simulated, "labelled_fields",
        (json_int_t)((t->fields.n - (size_t)t->o->simulated) / NSET_FIELD_VIEWS), "seconds", floor(seconds),
        "kept_back", t->o->keep_back ? t->o->keep_back : "", "threshold", choice->threshold, "kept_back_centre_f1",
        choice->f1, "kept_back_centre_recall", choice->recall);
    if ((status = nset_atomic_open(&file, card, err)) == NSET_OK) {
        json_dumpf(root, nset_atomic_stream(file), JSON_INDENT(2) | JSON_REAL_PRECISION(4));
        fputc('\n', nset_atomic_stream(file));
        status = nset_atomic_commit(file, err);
    }
    json_decref(root);
    return status;
}

nset_status nset_train_segmenter(const nset_train_segmenter_options *o, nset_workers *workers, nset_error *err)
{
    trainer t = { .o = o, .workers = workers, .threshold = .5 };
    nset_choice choice = { 0 };
    struct timespec start, end;
    char checkpoint[4096];
    nset_status status;

    clock_gettime(CLOCK_MONOTONIC, &start);
    snprintf(checkpoint, sizeof checkpoint, "%s.checkpoint", o->out);
    if ((status = set_up(&t, err)) != NSET_OK || (status = gather_fields(&t, err)) != NSET_OK)
        goto done;
    choice.threshold = t.threshold;
    if (o->resume) {
        if ((status = nset_checkpoint_load(checkpoint, t.net, &t.adam, err)) != NSET_OK)
            goto done;
        t.step = t.adam.step;
    }
    if ((status = train(&t, checkpoint, err)) != NSET_OK ||
        (status = nset_choose_threshold(&choice, t.net, &t.kept, workers, err)) != NSET_OK)
        goto done;
    clock_gettime(CLOCK_MONOTONIC, &end);
    if ((status = save(&t, &choice, (double)(end.tv_sec - start.tv_sec), err)) == NSET_OK)
        unlink(checkpoint);

done:
    tear_down(&t);
    return status;
}
