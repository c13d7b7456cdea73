#include "imaging/segmenter.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <neuroset/memory.h>
#include <neuroset/model.h>

#include "imaging/blur.h"
#include "imaging/infer.h"
#include "imaging/second_look.h"

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

static nset_status open_model(nset_model **out, double *threshold, const char *path, nset_error *err)
{
    const char *kind, *text;
    nset_status status = nset_model_open(out, path, err);

    if (status != NSET_OK)
        return status;
    kind = nset_model_meta(*out, "kind");
    text = nset_model_meta(*out, "threshold");
    if (!kind || strcmp(kind, NSET_SEG_KIND) || !text)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: this is a model of kind '%s'; " NSET_SEG_KIND " is expected", path,
            kind ? kind : "none");
    *threshold = strtod(text, NULL);
    return NSET_OK;
}

nset_status nset_segmenter_weights(nset_net *whole, double *threshold, const char *model_path, nset_error *err)
{
    nset_model *model = NULL;
    nset_status status = open_model(&model, threshold, model_path, err);

    if (status == NSET_OK)
        status = copy_weights(whole, find_in_model, model, model_path, err);
    nset_model_close(model);
    return status;
}

nset_status nset_segmenter_open(nset_segmenter **out, const char *model_path, nset_workers *workers, nset_error *err)
{
    nset_segmenter *s = nset_calloc(1, sizeof *s);
    nset_model *model = NULL;
    nset_status status;

    if (!s)
        return nset_fail_oom(err, 1, sizeof *s);
    s->workers = workers;
    if ((status = open_model(&model, &s->threshold, model_path, err)) == NSET_OK &&
        (status = nset_segnet_build(&s->phi, NSET_SEG_PHI_ONLY, 1, err)) == NSET_OK &&
        (status = nset_segnet_build(&s->rho, NSET_SEG_RHO_ONLY, 1, err)) == NSET_OK &&
        (status = copy_weights(s->phi, find_in_model, model, model_path, err)) == NSET_OK)
        status = copy_weights(s->rho, find_in_model, model, model_path, err);
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

/* ---- all ---- */

typedef struct look { /* what there is to conclude from */
    const nset_segmenter *s;
    const nset_images *images;
    const nset_segment_options *o;
    size_t height, width;
    int64_t n_images;
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
static nset_status apply_scaled(
    nset_seg_maps *out, const look *p, const float *maps, double diameter, int n_views, nset_error *err)
{
    size_t h = p->height, w = p->width, n = h * w;
    double f = NSET_SEG_DIAMETER / diameter;
    size_t h2 = (size_t)fmax(4, round((double)h * f)), w2 = (size_t)fmax(4, round((double)w * f)), n2 = h2 * w2;
    float *input = nset_calloc(n * NSET_SEG_INPUTS, sizeof *input), *phi = nset_calloc(n * NSET_SEG_PHI, sizeof *phi);
    float *input2 = nset_calloc(n2 * NSET_SEG_INPUTS, sizeof *input),
          *phi2 = nset_calloc(n2 * NSET_SEG_PHI, sizeof *phi);
    nset_seg_maps small = { 0 };
    nset_status status =
        input && phi && input2 && phi2 ? NSET_OK : nset_fail_oom(err, n2 * NSET_SEG_INPUTS, sizeof *input);

    if (status == NSET_OK) {
        if (p->images)
            nset_images_phi(p->images, phi);
        status = nset_segnet_inputs(input, maps, h, w, p->n_images, diameter, err);
    }
    if (status == NSET_OK && (status = resize_maps(input2, h2, w2, input, h, w, NSET_SEG_INPUTS, err)) == NSET_OK &&
        (status = resize_maps(phi2, h2, w2, phi, h, w, NSET_SEG_PHI, err)) == NSET_OK &&
        (status = nset_seg_maps_init(&small, h2, w2, err)) == NSET_OK &&
        (status = nset_segnet_apply(&small, p->s->rho, input2, phi2, n_views, p->s->workers, err)) == NSET_OK) {
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

const char *const *nset_segmenter_map_names(void)
{
    static const char *const names[NSET_N_MAPS + 2] = { "mean", "brightest", "correlation", "covariance", "deviation",
        "peak", "probability", NULL };

    return names;
}

static nset_status make_summary(nset_maps **out, const look *p, nset_error *err)
{
    size_t n = p->height * p->width;
    nset_maps *m = nset_calloc(1, sizeof *m);

    if (!m || !(m->data = nset_calloc((NSET_N_MAPS + 1) * n, sizeof *m->data))) {
        nset_free(m);
        return nset_fail_oom(err, (NSET_N_MAPS + 1) * n, sizeof *m->data);
    }
    m->n = NSET_N_MAPS + 1;
    m->height = p->height;
    m->width = p->width;
    m->names = nset_segmenter_map_names();
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

    if (status == NSET_OK &&
        (status = apply_scaled(&maps, p, summary->data, p->o->images.diameter, NSET_SEG_VIEWS, err)) == NSET_OK) {
        memcpy(summary->data + NSET_N_MAPS * n, maps.centre, n * sizeof *maps.centre);
        status = nset_decode(masks, rejected, &maps, p->o->images.diameter, threshold, err);
    }
    nset_seg_maps_fini(&maps);
    if (status == NSET_OK &&
        (status = nset_second_look(*masks, rejected ? *rejected : NULL, &p->images->sums, err)) != NSET_OK) {
        nset_masks_free(*masks);
        *masks = NULL;
        if (rejected) {
            nset_masks_free(*rejected);
            *rejected = NULL;
        }
    }
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
    look p = { s, images, o, images->sums.height, images->sums.width, images->sums.n };
    nset_status status = make_summary(summary, &p, err);

    if (status == NSET_OK && (status = conclude(&p, masks, rejected, *summary, err)) != NSET_OK) {
        nset_maps_free(*summary);
        *summary = NULL;
    }
    return status;
}

/* ---- how large cells are ---- */

static int by_area(const void *a, const void *b)
{
    const nset_roi *p = a, *q = b;

    return (p->n_pixels > q->n_pixels) - (p->n_pixels < q->n_pixels);
}

/* Mean probability of the candidates at one size, and the diameter of the median mask of the sure ones; 0: too few. */
static nset_status try_size(
    double *surety, double *measured, const look *p, const float *maps, double size, nset_error *err)
{
    enum { FEW = 3 };
    nset_seg_maps m = { 0 };
    nset_masks *found = NULL;
    double sum = 0;
    size_t n = 0;
    nset_status status = nset_seg_maps_init(&m, p->height, p->width, err);

    if (status == NSET_OK && (status = apply_scaled(&m, p, maps, size, 1, err)) == NSET_OK &&
        (status = nset_decode(&found, NULL, &m, size, .3, err)) == NSET_OK) {
        for (size_t i = 0; i < found->n; i++) {
            sum += found->roi[i].probability;
            if (found->roi[i].probability > .6) { /* the sure ones to the front */
                nset_roi other = found->roi[n];
                found->roi[n++] = found->roi[i];
                found->roi[i] = other;
            }
        }
        if (n)
            qsort(found->roi, n, sizeof *found->roi, by_area);
        *surety = n >= FEW ? sum / (double)found->n : 0;
        *measured = n >= FEW ? 2 * sqrt((double)found->roi[n / 2].n_pixels / 3.14159265) : 0;
    }
    nset_masks_free(found);
    nset_seg_maps_fini(&m);
    return status;
}

/* Maps of the middle of the field, no larger than SCANNED pixels a side: enough cells to tell their size. */
static nset_status middle_maps(float **out, look *p, const nset_images *images, nset_error *err)
{
    enum { SCANNED = 256 };
    size_t h = p->height, w = p->width, n = h * w;
    float *all = nset_calloc(NSET_N_MAPS * n, sizeof *all), *maps = nset_calloc(NSET_N_MAPS * n, sizeof *maps);
    size_t top, left;

    if (!all || !maps) {
        nset_free(all);
        nset_free(maps);
        return nset_fail_oom(err, NSET_N_MAPS * n, sizeof *maps);
    }
    nset_accumulator_maps(&images->sums, all);
    p->height = h < SCANNED ? h : SCANNED;
    p->width = w < SCANNED ? w : SCANNED;
    top = (h - p->height) / 2;
    left = (w - p->width) / 2;
    for (size_t k = 0; k < NSET_N_MAPS; k++)
        for (size_t y = 0; y < p->height; y++)
            memcpy(maps + (k * p->height + y) * p->width, all + k * n + (top + y) * w + left, p->width * sizeof *maps);
    nset_free(all);
    *out = maps;
    return NSET_OK;
}

nset_status nset_segmenter_diameter(double *diameter, nset_segmenter *s, const nset_images *images, nset_error *err)
{
    static const double sizes[] = { 7, 9, 11.5, 14.5, 18.5, 23.5, 30 };
    look p = { s, NULL, NULL, images->sums.height, images->sums.width, images->sums.n };
    float *maps = NULL;
    double best = 0;
    nset_status status = middle_maps(&maps, &p, images, err);

    for (size_t k = 0; k < sizeof sizes / sizeof *sizes && status == NSET_OK; k++) {
        double surety = 0, measured = 0;
        if ((status = try_size(&surety, &measured, &p, maps, sizes[k], err)) == NSET_OK && surety > best) {
            best = surety;
            *diameter = measured * NSET_SEG_DIAMETER / NSET_SEG_LABEL;
        }
    }
    nset_free(maps);
    return status;
}
