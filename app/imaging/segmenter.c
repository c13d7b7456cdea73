#include "imaging/segmenter.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <neuroset/memory.h>
#include <neuroset/model.h>

#include "imaging/blur.h"

struct nset_segmenter {
    nset_workers *workers;
    nset_net *phi, *rho;
    double threshold;
};

/* ---- weights ---- */

static nset_status copy_weights(nset_net *to, const float *(*find)(const void *ctx, const char *name, size_t n),
    const void *ctx, const char *what, nset_error *err)
{
    for (size_t i = 0; i < nset_net_n_views(to); i++) {
        nset_param p = nset_net_view(to, i);
        const float *from = find(ctx, p.name, p.rows * p.columns);
        if (!from)
            return nset_fail(err, NSET_ERR_FORMAT, "%s: it has no weights '%s' of %zu x %zu: not a segmenter's model",
                what, p.name, p.rows, p.columns);
        memcpy(nset_net_params(to) + p.at, from, p.rows * p.columns * sizeof *from);
    }
    return NSET_OK;
}

static const float *find_in_net(const void *ctx, const char *name, size_t n)
{
    const nset_net *net = ctx;

    for (size_t i = 0; i < nset_net_n_views(net); i++) {
        nset_param p = nset_net_view(net, i);
        if (!strcmp(p.name, name) && p.rows * p.columns == n)
            return nset_net_params_const(net) + p.at;
    }
    return NULL;
}

static const float *find_in_model(const void *ctx, const char *name, size_t n)
{
    size_t rows = 0, columns = 0;
    const float *x = nset_model_tensor(ctx, name, &rows, &columns);

    return x && rows * columns == n ? x : NULL;
}

nset_status nset_segnet_part_of(nset_net **out, const nset_net *whole, nset_seg_part part, nset_error *err)
{
    nset_net *net = NULL;
    nset_status status = nset_segnet_build(&net, part, 1, err);

    if (status == NSET_OK && (status = copy_weights(net, find_in_net, whole, "the network", err)) == NSET_OK)
        *out = net;
    else
        nset_net_free(net);
    return status;
}

nset_status nset_segmenter_open(nset_segmenter **out, const char *model_path, nset_workers *workers, nset_error *err)
{
    nset_segmenter *s = nset_calloc(1, sizeof *s);
    nset_model *model = NULL;
    const char *kind, *threshold;
    nset_status status;

    if (!s)
        return nset_fail_oom(err, 1, sizeof *s);
    s->workers = workers;
    if ((status = nset_model_open(&model, model_path, err)) != NSET_OK)
        goto done;
    kind = nset_model_meta(model, "kind");
    threshold = nset_model_meta(model, "threshold");
    if (!kind || strcmp(kind, "segmenter-1") || !threshold) {
        status = nset_fail(err, NSET_ERR_FORMAT, "%s: this is a model of kind '%s'; segmenter-1 is expected",
            model_path, kind ? kind : "none");
        goto done;
    }
    s->threshold = strtod(threshold, NULL);
    if ((status = nset_segnet_build(&s->phi, NSET_SEG_PHI_ONLY, 1, err)) == NSET_OK &&
        (status = nset_segnet_build(&s->rho, NSET_SEG_RHO_ONLY, 1, err)) == NSET_OK &&
        (status = copy_weights(s->phi, find_in_model, model, model_path, err)) == NSET_OK)
        status = copy_weights(s->rho, find_in_model, model, model_path, err);

done:
    nset_model_close(model);
    if (status != NSET_OK) {
        nset_segmenter_close(s);
        return status;
    }
    *out = s;
    return NSET_OK;
}

void nset_segmenter_close(nset_segmenter *s)
{
    if (!s)
        return;
    nset_net_free(s->phi);
    nset_net_free(s->rho);
    nset_free(s);
}

/* ---- rho ---- */

static size_t reflect(size_t i, size_t n) /* beyond the end a mirror image */
{
    i %= 2 * n;
    return i < n ? i : 2 * n - 1 - i;
}

/* to (h4, w4, d) := from (h, w, d), turned upside down and left to right as asked, filled up by reflection. */
static void turn(float *to, size_t h4, size_t w4, const float *from, size_t h, size_t w, size_t d, int up, int left)
{
    for (size_t y = 0; y < h4; y++)
        for (size_t x = 0; x < w4; x++) {
            size_t i = reflect(y, h), j = reflect(x, w);
            i = up ? h - 1 - i : i;
            j = left ? w - 1 - j : j;
            memcpy(to + (y * w4 + x) * d, from + (i * w + j) * d, d * sizeof *to);
        }
}

static float sigmoid(float x)
{
    return 1 / (1 + expf(-x));
}

/* out += share times what the network says of one view. */
static void add_outputs(nset_seg_maps *out, const nset_run *run, size_t w4, int up, int left, float share)
{
    const float *mask = nset_run_output(run, 0, NULL, NULL), *centre = nset_run_output(run, 1, NULL, NULL);
    const float *offset = nset_run_output(run, 2, NULL, NULL);
    size_t h = out->height, w = out->width;
    float reach = (float)NSET_SEG_DIAMETER * share;

    for (size_t i = 0; i < h; i++)
        for (size_t j = 0; j < w; j++) {
            size_t p = (up ? h - 1 - i : i) * w4 + (left ? w - 1 - j : j), q = i * w + j;
            out->mask[q] += sigmoid(mask[p]) * share;
            out->centre[q] += sigmoid(centre[p]) * share;
            out->offset[2 * q] += (up ? -reach : reach) * offset[2 * p];
            out->offset[2 * q + 1] += (left ? -reach : reach) * offset[2 * p + 1];
        }
}

/* Adds the mean over four reflections to out. a, b: the inputs with sides made multiples of 4. */
static nset_status add_views(
    nset_seg_maps *out, nset_run *run, const float *input, const float *pooled, float *a, float *b, nset_error *err)
{
    size_t height = out->height, width = out->width, h4 = (height + 3) / 4 * 4, w4 = (width + 3) / 4 * 4;
    const float *inputs[2] = { a, b };
    nset_batch batch = { .n_sets = 1, .height = h4, .width = w4, .inputs = inputs };
    nset_status status = NSET_OK;

    for (int view = 0; view < 4 && status == NSET_OK; view++) {
        turn(a, h4, w4, input, height, width, NSET_SEG_INPUTS, view & 1, view >> 1);
        turn(b, h4, w4, pooled, height, width, NSET_SEG_PHI, view & 1, view >> 1);
        if ((status = nset_run_forward(run, &batch, err)) == NSET_OK)
            add_outputs(out, run, w4, view & 1, view >> 1, .25f);
    }
    return status;
}

/* input without what is known of activity: the mean image alone. */
static void forget_activity(float *mean_only, const float *input, size_t n)
{
    memset(mean_only, 0, n * NSET_SEG_INPUTS * sizeof *mean_only);
    for (size_t i = 0; i < n; i++)
        memcpy(mean_only + i * NSET_SEG_INPUTS, input + i * NSET_SEG_INPUTS, 2 * sizeof *mean_only);
}

/* Of two opinions on a pixel the surer one counts: a silent cell shows in the mean image, a faint one that fires in
 * activity, and either is enough. */
static void keep_surer(nset_seg_maps *m, const nset_seg_maps *other)
{
    for (size_t i = 0; i < m->height * m->width; i++) {
        m->centre[i] = fmaxf(m->centre[i], other->centre[i]);
        if (other->mask[i] <= m->mask[i])
            continue;
        m->mask[i] = other->mask[i];
        m->offset[2 * i] = other->offset[2 * i];
        m->offset[2 * i + 1] = other->offset[2 * i + 1];
    }
}

nset_status nset_segnet_apply(nset_seg_maps *out, const nset_net *rho, const float *input, const float *pooled,
    size_t height, size_t width, nset_workers *workers, nset_error *err)
{
    size_t h4 = (height + 3) / 4 * 4, w4 = (width + 3) / 4 * 4, n = height * width;
    float *a = nset_calloc(h4 * w4 * NSET_SEG_INPUTS, sizeof *a), *b = nset_calloc(h4 * w4 * NSET_SEG_PHI, sizeof *b);
    float *mean_only = nset_calloc(n * NSET_SEG_INPUTS, sizeof *mean_only),
          *nothing = nset_calloc(n * NSET_SEG_PHI, sizeof *nothing);
    nset_seg_maps other = { 0 };
    nset_run *run = NULL;
    nset_status status =
        a && b && mean_only && nothing ? NSET_OK : nset_fail_oom(err, h4 * w4 * NSET_SEG_INPUTS, sizeof *a);

    if (status == NSET_OK && (status = nset_run_create(&run, rho, workers, err)) == NSET_OK)
        status = add_views(out, run, input, pooled, a, b, err);
    if (status == NSET_OK && input[NSET_SEG_INPUTS - 1] > 0) { /* activity is known */
        forget_activity(mean_only, input, n);
        if ((status = nset_seg_maps_init(&other, height, width, err)) == NSET_OK &&
            (status = add_views(&other, run, mean_only, nothing, a, b, err)) == NSET_OK)
            keep_surer(out, &other);
    }
    nset_seg_maps_fini(&other);
    nset_run_free(run);
    nset_free(a);
    nset_free(b);
    nset_free(mean_only);
    nset_free(nothing);
    return status;
}

/* ---- all ---- */

typedef struct look { /* what there is to conclude from */
    const nset_segmenter *s;
    const nset_images *images;
    const nset_segment_options *o;
    size_t height, width;
} look;

/* Interleaved (H, W, d) to another size. */
static nset_status resize_maps(
    float *to, size_t h2, size_t w2, const float *from, size_t h, size_t w, size_t d, nset_error *err)
{
    float *a = nset_calloc(h * w, sizeof *a), *b = nset_calloc(h2 * w2, sizeof *b);
    nset_status status = a && b ? NSET_OK : nset_fail_oom(err, h * w, sizeof *a);

    for (size_t k = 0; k < d && status == NSET_OK; k++) {
        for (size_t i = 0; i < h * w; i++)
            a[i] = from[i * d + k];
        nset_resize(b, h2, w2, a, h, w);
        for (size_t i = 0; i < h2 * w2; i++)
            to[i * d + k] = b[i];
    }
    nset_free(a);
    nset_free(b);
    return status;
}

/* rho at the size where a cell has the network's diameter, back at the movie's size. */
static nset_status apply_scaled(nset_seg_maps *out, const look *p, const float *maps, nset_error *err)
{
    size_t h = p->height, w = p->width, n = h * w;
    double f = NSET_SEG_DIAMETER / p->o->images.diameter;
    size_t h2 = (size_t)fmax(4, round((double)h * f)), w2 = (size_t)fmax(4, round((double)w * f)), n2 = h2 * w2;
    float *input = nset_calloc(n * NSET_SEG_INPUTS, sizeof *input), *phi = nset_calloc(n * NSET_SEG_PHI, sizeof *phi);
    float *input2 = nset_calloc(n2 * NSET_SEG_INPUTS, sizeof *input),
          *phi2 = nset_calloc(n2 * NSET_SEG_PHI, sizeof *phi);
    nset_seg_maps small = { 0 };
    nset_status status =
        input && phi && input2 && phi2 ? NSET_OK : nset_fail_oom(err, n2 * NSET_SEG_INPUTS, sizeof *input);

    if (status == NSET_OK) {
        nset_images_phi(p->images, phi);
        status = nset_segnet_inputs(input, maps, h, w, p->images->sums.n, p->o->images.diameter, err);
    }
    if (status == NSET_OK && (status = resize_maps(input2, h2, w2, input, h, w, NSET_SEG_INPUTS, err)) == NSET_OK &&
        (status = resize_maps(phi2, h2, w2, phi, h, w, NSET_SEG_PHI, err)) == NSET_OK &&
        (status = nset_seg_maps_init(&small, h2, w2, err)) == NSET_OK &&
        (status = nset_segnet_apply(&small, p->s->rho, input2, phi2, h2, w2, p->s->workers, err)) == NSET_OK) {
        nset_resize(out->mask, h, w, small.mask, h2, w2);
        nset_resize(out->centre, h, w, small.centre, h2, w2);
        for (size_t i = 0; i < 2 * n2; i++)
            small.offset[i] /= (float)f;
        status = resize_maps(out->offset, h, w, small.offset, h2, w2, 2, err);
    }
    nset_seg_maps_fini(&small);
    nset_free(input);
    nset_free(phi);
    nset_free(input2);
    nset_free(phi2);
    return status;
}

static nset_status make_summary(nset_maps **out, const look *p, nset_error *err)
{
    static const char *const names[NSET_N_MAPS + 1] = { "mean", "correlation", "deviation", "peak", "probability" };
    size_t n = p->height * p->width;
    nset_maps *m = nset_calloc(1, sizeof *m);

    if (!m || !(m->data = nset_calloc((NSET_N_MAPS + 1) * n, sizeof *m->data))) {
        nset_free(m);
        return nset_fail_oom(err, (NSET_N_MAPS + 1) * n, sizeof *m->data);
    }
    m->n = NSET_N_MAPS + 1;
    m->height = p->height;
    m->width = p->width;
    m->names = names;
    nset_accumulator_maps(&p->images->sums, m->data);
    *out = m;
    return NSET_OK;
}

static nset_status conclude(
    const look *p, nset_masks **masks, nset_masks **rejected, nset_maps *summary, nset_error *err)
{
    size_t n = summary->height * summary->width;
    double threshold = p->o->threshold > 0 ? p->o->threshold : p->s->threshold;
    nset_seg_maps maps = { 0 };
    nset_status status = nset_seg_maps_init(&maps, summary->height, summary->width, err);

    if (status == NSET_OK && (status = apply_scaled(&maps, p, summary->data, err)) == NSET_OK) {
        memcpy(summary->data + NSET_N_MAPS * n, maps.centre, n * sizeof *maps.centre);
        status = nset_decode(masks, rejected, &maps, p->o->images.diameter, threshold, err);
    }
    nset_seg_maps_fini(&maps);
    return status;
}

nset_status nset_segmenter_look(
    nset_images *out, nset_segmenter *s, nset_movie *movie, const nset_segment_options *o, nset_error *err)
{
    return nset_images_make(out, movie, &o->images, s->phi, s->workers, err);
}

nset_status nset_segmenter_conclude(nset_segmenter *s, const nset_images *images, const nset_segment_options *o,
    nset_masks **masks, nset_masks **rejected, nset_maps **summary, nset_error *err)
{
    look p = { s, images, o, images->sums.height, images->sums.width };
    nset_status status = make_summary(summary, &p, err);

    if (status == NSET_OK && (status = conclude(&p, masks, rejected, *summary, err)) != NSET_OK) {
        nset_maps_free(*summary);
        *summary = NULL;
    }
    return status;
}
