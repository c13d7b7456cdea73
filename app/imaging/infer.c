#include "imaging/infer.h"

#include <math.h>
#include <string.h>

#include <neuroset/memory.h>

#define ACTIVITY_DOUBT .1f

static size_t reflect(size_t i, size_t n) /* beyond the end a mirror image */
{
    i %= 2 * n;
    return i < n ? i : 2 * n - 1 - i;
}

/* One of the eight ways to lay a square on itself. */
typedef struct view {
    bool up, left, across; /* upside down, then left to right, then rows for columns */
    size_t rows, columns;  /* of the turned image, multiples of 4 */
} view;

static view make_view(int which, size_t height, size_t width)
{
    view v = { which & 1, which >> 1 & 1, which >> 2 & 1, (height + 3) / 4 * 4, (width + 3) / 4 * 4 };

    if (v.across)
        v = (view){ v.up, v.left, true, v.columns, v.rows };
    return v;
}

/* Pixel of the turned image that shows (row, column) of an image (h, w). */
static size_t turned(const view *v, size_t row, size_t column, size_t h, size_t w)
{
    row = v->up ? h - 1 - row : row;
    column = v->left ? w - 1 - column : column;
    return v->across ? column * v->columns + row : row * v->columns + column;
}

/* to (rows, columns, d) := from (h, w, d) turned, filled up by reflection. */
static void turn(float *to, const view *v, const float *from, size_t h, size_t w, size_t d)
{
    for (size_t y = 0; y < v->rows; y++)
        for (size_t x = 0; x < v->columns; x++) {
            size_t i = reflect(v->across ? x : y, h), j = reflect(v->across ? y : x, w);
            i = v->up ? h - 1 - i : i;
            j = v->left ? w - 1 - j : j;
            memcpy(to + (y * v->columns + x) * d, from + (i * w + j) * d, d * sizeof *to);
        }
}

void nset_segnet_pad(float *to, size_t h4, size_t w4, const float *from, size_t h, size_t w, size_t d)
{
    view v = { .rows = h4, .columns = w4 };

    turn(to, &v, from, h, w, d);
}

static float sigmoid(float x)
{
    return 1 / (1 + expf(-x));
}

/* out += share times what the network says of one view. */
static void add_outputs(nset_seg_maps *out, const nset_run *run, const view *v, float share)
{
    const float *mask = nset_run_output(run, 0, NULL, NULL), *centre = nset_run_output(run, 1, NULL, NULL);
    const float *offset = nset_run_output(run, 2, NULL, NULL);
    size_t h = out->height, w = out->width;
    float reach = (float)NSET_SEG_DIAMETER * share;

    for (size_t i = 0; i < h; i++)
        for (size_t j = 0; j < w; j++) {
            size_t p = turned(v, i, j, h, w), q = i * w + j;
            out->mask[q] += sigmoid(mask[p]) * share;
            out->centre[q] += sigmoid(centre[p]) * share;
            out->offset[2 * q] += (v->up ? -reach : reach) * offset[2 * p + v->across];
            out->offset[2 * q + 1] += (v->left ? -reach : reach) * offset[2 * p + !v->across];
        }
}

/* Adds the mean over n_views turns to out. a, b: room for the turned inputs. */
static nset_status add_views(nset_seg_maps *out, nset_run *run, const float *input, const float *pooled, int n_views,
    float *a, float *b, nset_error *err)
{
    const float *inputs[2] = { a, b };
    nset_status status = NSET_OK;

    for (int k = 0; k < n_views && status == NSET_OK; k++) {
        view v = make_view(k, out->height, out->width);
        nset_batch batch = { .n_sets = 1, .height = v.rows, .width = v.columns, .inputs = inputs };
        turn(a, &v, input, out->height, out->width, NSET_SEG_INPUTS);
        turn(b, &v, pooled, out->height, out->width, NSET_SEG_PHI);
        if ((status = nset_run_forward(run, &batch, err)) == NSET_OK)
            add_outputs(out, run, &v, 1.f / (float)n_views);
    }
    return status;
}

/* input without what is known of activity. */
static void forget_activity(float *still, const float *input, size_t n)
{
    memset(still, 0, n * NSET_SEG_INPUTS * sizeof *still);
    for (size_t i = 0; i < n; i++)
        memcpy(still + i * NSET_SEG_INPUTS, input + i * NSET_SEG_INPUTS, NSET_SEG_STILL * sizeof *still);
}

/* Of two opinions on a pixel the surer one counts: a silent cell shows in still images, a faint one that fires in
 * activity, and either is enough. Activity was learnt from simulated movies only, so it has to be surer by some. */
static void keep_surer(nset_seg_maps *m, const nset_seg_maps *still)
{
    for (size_t i = 0; i < m->height * m->width; i++) {
        m->centre[i] = fmaxf(m->centre[i] - ACTIVITY_DOUBT, still->centre[i]);
        if (still->mask[i] <= m->mask[i])
            continue;
        m->mask[i] = still->mask[i];
        m->offset[2 * i] = still->offset[2 * i];
        m->offset[2 * i + 1] = still->offset[2 * i + 1];
    }
}

nset_status nset_segnet_apply(nset_seg_maps *out, const nset_net *rho, const float *input, const float *pooled,
    int n_views, nset_workers *workers, nset_error *err)
{
    size_t height = out->height, width = out->width, n = height * width, most = (height + 3) * (width + 3);
    float *a = nset_calloc(most * NSET_SEG_INPUTS, sizeof *a), *b = nset_calloc(most * NSET_SEG_PHI, sizeof *b);
    float *still = nset_calloc(n * NSET_SEG_INPUTS, sizeof *still),
          *nothing = nset_calloc(n * NSET_SEG_PHI, sizeof *nothing);
    nset_seg_maps other = { 0 };
    nset_run *run = NULL;
    nset_status status = a && b && still && nothing ? NSET_OK : nset_fail_oom(err, most * NSET_SEG_INPUTS, sizeof *a);

    if (status == NSET_OK && (status = nset_run_create(&run, rho, workers, err)) == NSET_OK)
        status = add_views(out, run, input, pooled, n_views, a, b, err);
    if (status == NSET_OK && input[NSET_SEG_INPUTS - 1] > 0) { /* activity is known */
        forget_activity(still, input, n);
        if ((status = nset_seg_maps_init(&other, height, width, err)) == NSET_OK &&
            (status = add_views(&other, run, still, nothing, n_views, a, b, err)) == NSET_OK)
            keep_surer(out, &other);
    }
    nset_seg_maps_fini(&other);
    nset_run_free(run);
    nset_free(a);
    nset_free(b);
    nset_free(still);
    nset_free(nothing);
    return status;
}
