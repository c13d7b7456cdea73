#include "imaging/crop.h"

#include <math.h>
#include <string.h>

#include <neuroset/memory.h>
#include <neuroset/random.h>

enum { PIXELS = NSET_CROP_PIXELS, INPUTS = NSET_SEG_INPUTS };
#define CENTRE_SIGMA 1.8
#define CENTRE_WEIGHT 8 /* of a pixel at a centre, over the others' 1 */

nset_status nset_crop_init(nset_crop *c, nset_error *err)
{
    *c = (nset_crop){ 0 };
    c->input = nset_calloc(PIXELS * INPUTS, sizeof *c->input);
    c->images = nset_calloc(PIXELS * NSET_CROP_IMAGES, sizeof *c->images);
    c->mask = nset_calloc(PIXELS, sizeof *c->mask);
    c->centre = nset_calloc(PIXELS, sizeof *c->centre);
    c->offset = nset_calloc(2 * PIXELS, sizeof *c->offset);
    c->mask_weight = nset_calloc(PIXELS, sizeof *c->mask_weight);
    c->centre_weight = nset_calloc(PIXELS, sizeof *c->centre_weight);
    c->offset_weight = nset_calloc(2 * PIXELS, sizeof *c->offset_weight);
    if (c->input && c->images && c->mask && c->centre && c->offset && c->mask_weight && c->centre_weight &&
        c->offset_weight)
        return NSET_OK;
    nset_crop_fini(c);
    return nset_fail_oom(err, PIXELS * INPUTS, sizeof *c->input);
}

void nset_crop_fini(nset_crop *c)
{
    nset_free(c->input);
    nset_free(c->images);
    nset_free(c->mask);
    nset_free(c->centre);
    nset_free(c->offset);
    nset_free(c->mask_weight);
    nset_free(c->centre_weight);
    nset_free(c->offset_weight);
    *c = (nset_crop){ 0 };
}

/* Where a pixel of the crop lies in the field: rotation, reflection, scale, shift. */
typedef struct view {
    const nset_field *f;
    double a[2][2], b[2]; /* field = a crop + b */
    double inverse[2][2];
} view;

static const nset_field *draw_field(const nset_fields *f, nset_random *r)
{
    double total = 0, at;

    for (size_t i = 0; i < f->n; i++)
        total += f->field[i].weight;
    at = nset_random_uniform(r) * total;
    for (size_t i = 0; i < f->n; i++)
        if ((at -= f->field[i].weight) < 0)
            return &f->field[i];
    return &f->field[f->n - 1];
}

static view draw_view(const nset_field *f, nset_random *r)
{
    double s = exp(log(.8) + log(1.3 / .8) * nset_random_uniform(r)), half = .5 * (NSET_CROP - 1),
           det; /* field pixels a crop pixel */
    double angle = 6.283185307 * nset_random_uniform(r), mirror = nset_random_below(r, 2) ? -1 : 1;
    double room_y = (double)f->height - s * NSET_CROP, room_x = (double)f->width - s * NSET_CROP;
    double cy = .5 * (double)f->height + (nset_random_uniform(r) - .5) * fmax(room_y, 0);
    double cx = .5 * (double)f->width + (nset_random_uniform(r) - .5) * fmax(room_x, 0);
    view v = { .f = f };

    v.a[0][0] = s * cos(angle);
    v.a[0][1] = -s * sin(angle) * mirror;
    v.a[1][0] = s * sin(angle);
    v.a[1][1] = s * cos(angle) * mirror;
    v.b[0] = cy - half * (v.a[0][0] + v.a[0][1]);
    v.b[1] = cx - half * (v.a[1][0] + v.a[1][1]);
    det = v.a[0][0] * v.a[1][1] - v.a[0][1] * v.a[1][0];
    v.inverse[0][0] = v.a[1][1] / det;
    v.inverse[0][1] = -v.a[0][1] / det;
    v.inverse[1][0] = -v.a[1][0] / det;
    v.inverse[1][1] = v.a[0][0] / det;
    return v;
}

typedef struct tap { /* bilinear sampling of one crop pixel; 0 outside the field */
    size_t i[4];
    float w[4];
    size_t nearest;
    int inside;
} tap;

static tap find_tap(const view *v, size_t row, size_t column)
{
    size_t h = v->f->height, w = v->f->width;
    double y = v->a[0][0] * (double)row + v->a[0][1] * (double)column + v->b[0];
    double x = v->a[1][0] * (double)row + v->a[1][1] * (double)column + v->b[1];
    size_t y0, x0, y1, x1;
    float fy, fx;
    tap t = { .inside = y > -.5 && x > -.5 && y < (double)h - .5 && x < (double)w - .5 };

    y = fmin(fmax(y, 0), (double)h - 1);
    x = fmin(fmax(x, 0), (double)w - 1);
    y0 = (size_t)y;
    x0 = (size_t)x;
    y1 = y0 + 1 < h ? y0 + 1 : y0;
    x1 = x0 + 1 < w ? x0 + 1 : x0;
    fy = (float)(y - (double)y0);
    fx = (float)(x - (double)x0);
    t.i[0] = y0 * w + x0;
    t.i[1] = y0 * w + x1;
    t.i[2] = y1 * w + x0;
    t.i[3] = y1 * w + x1;
    t.w[0] = (1 - fy) * (1 - fx);
    t.w[1] = (1 - fy) * fx;
    t.w[2] = fy * (1 - fx);
    t.w[3] = fy * fx;
    t.nearest = (size_t)lround(y) * w + (size_t)lround(x);
    return t;
}

static float sample(const float *x, size_t stride, const tap *t)
{
    return x[t->i[0] * stride] * t->w[0] + x[t->i[1] * stride] * t->w[1] + x[t->i[2] * stride] * t->w[2] +
           x[t->i[3] * stride] * t->w[3];
}

/* Gaussians around the centres, and to each pixel of a cell the way to its centre. */
static void set_targets(nset_crop *c, const view *v)
{
    const nset_field *f = v->f;

    for (size_t k = 0; k < f->n_regions; k++) {
        const nset_region *r = &f->region[k];
        double dy = r->row - v->b[0], dx = r->column - v->b[1];
        double row = v->inverse[0][0] * dy + v->inverse[0][1] * dx,
               column = v->inverse[1][0] * dy + v->inverse[1][1] * dx;
        if (r->touching || row < -6 || column < -6 || row > NSET_CROP + 5 || column > NSET_CROP + 5)
            continue;
        for (ptrdiff_t i = (ptrdiff_t)row - 6; i <= (ptrdiff_t)row + 6; i++)
            for (ptrdiff_t j = (ptrdiff_t)column - 6; j <= (ptrdiff_t)column + 6; j++) {
                double d2 = ((double)i - row) * ((double)i - row) + ((double)j - column) * ((double)j - column);
                float *to, g = (float)exp(-.5 * d2 / (CENTRE_SIGMA * CENTRE_SIGMA));
                if (i < 0 || j < 0 || i >= NSET_CROP || j >= NSET_CROP)
                    continue;
                to = &c->centre[(size_t)i * NSET_CROP + (size_t)j];
                *to = fmaxf(*to, g);
            }
    }
    for (size_t p = 0; p < PIXELS; p++)
        c->centre_weight[p] *= 1 + (CENTRE_WEIGHT - 1) * c->centre[p];
}

static void set_pixel(nset_crop *c, const view *v, size_t p, const tap *t)
{
    int32_t label = t->inside ? v->f->label[t->nearest] : 0;

    c->mask_weight[p] = c->centre_weight[p] = t->inside && label >= 0 ? 1 : 0;
    if (label <= 0)
        return;
    c->mask[p] = 1;
    if (v->f->region[label - 1].touching) {
        c->centre_weight[p] = 0;
        return;
    }
    {
        const nset_region *r = &v->f->region[label - 1];
        double dy = r->row - v->b[0], dx = r->column - v->b[1];
        double row = v->inverse[0][0] * dy + v->inverse[0][1] * dx,
               column = v->inverse[1][0] * dy + v->inverse[1][1] * dx;
        c->offset[2 * p] = (float)((row - (double)(p / NSET_CROP)) / NSET_SEG_DIAMETER);
        c->offset[2 * p + 1] = (float)((column - (double)(p % NSET_CROP)) / NSET_SEG_DIAMETER);
        c->offset_weight[2 * p] = c->offset_weight[2 * p + 1] = 1;
    }
}

/* Inputs may be missing, weaker, noisier than in the field. Both views of the mean share their noise. */
static void disturb(nset_crop *c, const nset_field *f, nset_random *r)
{
    enum { KNOWN = INPUTS - 1, BRIGHTEST = NSET_SEG_STILL - 1 };
    double u = nset_random_uniform(r);
    int no_activity = !f->has_activity || u < .35, no_mean = f->has_activity && u > .92,
        no_brightest = nset_random_uniform(r) < .35, no_phi = nset_random_uniform(r) < .2;
    float gain[INPUTS], noise[INPUTS], bend = (float)(.15 * nset_random_normal(r));

    for (int k = 0; k < INPUTS; k++) {
        gain[k] = k == KNOWN ? 1 : (float)exp(.15 * nset_random_normal(r));
        noise[k] = k == KNOWN ? 0 : (float)(.4 * nset_random_uniform(r) * nset_random_uniform(r));
        if ((k < BRIGHTEST && no_mean) || (k == BRIGHTEST && no_brightest) || (k > BRIGHTEST && no_activity))
            gain[k] = noise[k] = 0;
    }
    if (no_activity || no_phi)
        c->n_images = 0;
    for (size_t p = 0; p < PIXELS; p++) {
        float shared = (float)nset_random_normal(r);
        for (int k = 0; k < INPUTS; k++) {
            float *x = &c->input[p * INPUTS + (size_t)k];
            *x = gain[k] * *x;
            if (noise[k] > 0)
                *x += noise[k] * (k < BRIGHTEST ? shared : (float)nset_random_normal(r));
            if (k < BRIGHTEST)
                *x += bend * *x * fabsf(*x) * .3f;
        }
    }
}

void nset_crop_make(nset_crop *c, const nset_fields *f, uint64_t seed, uint64_t index)
{
    nset_random r = nset_random_stream(seed, "crop", index);
    const nset_field *field = draw_field(f, &r);
    view v = draw_view(field, &r);
    size_t n = field->height * field->width, pick[NSET_CROP_IMAGES];

    c->n_images = field->n_images ? 1 + nset_random_below(&r, NSET_CROP_IMAGES) : 0;
    for (size_t k = 0; k < c->n_images; k++)
        pick[k] = nset_random_below(&r, (uint32_t)field->n_images);
    memset(c->mask, 0, PIXELS * sizeof *c->mask);
    memset(c->centre, 0, PIXELS * sizeof *c->centre);
    memset(c->offset, 0, 2 * PIXELS * sizeof *c->offset);
    memset(c->offset_weight, 0, 2 * PIXELS * sizeof *c->offset_weight);
    for (size_t p = 0; p < PIXELS; p++) {
        tap t = find_tap(&v, p / NSET_CROP, p % NSET_CROP);
        for (size_t k = 0; k < INPUTS; k++)
            c->input[p * INPUTS + k] = t.inside ? sample(field->input + k, INPUTS, &t) : 0;
        for (size_t k = 0; k < c->n_images; k++)
            c->images[k * PIXELS + p] = t.inside ? sample(field->images + pick[k] * n, 1, &t) : 0;
        set_pixel(c, &v, p, &t);
    }
    set_targets(c, &v);
    disturb(c, field, &r);
}
