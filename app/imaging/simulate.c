#include "imaging/simulate.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <neuroset/file.h>
#include <neuroset/memory.h>
#include <neuroset/random.h>

#include "cli/progress.h"
#include "imaging/blur.h"
#include "imaging/tiff.h"
#include "results/npz.h"

/* A light source: a patch of brightness around a centre, times a trace. */
typedef struct source {
    size_t top, left, h, w;
    float *patch; /* (h, w) */
    float *trace; /* (n_frames) brightness, 1 at rest for somata */
} source;

typedef struct scene {
    const nset_sim_movie_options *o;
    nset_sim_movie *m;
    source *sources;
    size_t n_sources, capacity;
    float *base, *field[3], *drift[3]; /* static light; neuropil components (pixels) and their traces (frames) */
    float *light, *moved;              /* one frame */
} scene;

static float *room(size_t n, nset_status *status, nset_error *err)
{
    float *x = nset_calloc(n, sizeof *x);

    if (!x && *status == NSET_OK)
        *status = nset_fail_oom(err, n, sizeof *x);
    return x;
}

/* ---- time ---- */

/* dF/F of an indicator: spikes through a rise and a decay, saturating; bursts and pauses. */
static void make_trace(float *trace, float *spikes, size_t n, double rate, double gain, nset_random *r)
{
    double hz = .1 + .3 * nset_random_exponential(r), decay = exp(-1 / (rate * (.4 + .8 * nset_random_uniform(r))));
    double rise = exp(-1 / (rate * .1)), slow = 0, fast = 0;
    int burst = 0;

    for (size_t t = 0; t < n; t++) {
        double now = burst > 0 ? 4 : hz / rate * .6;
        uint32_t k = nset_random_poisson(r, burst > 0 ? fmin(now, 3) : now);
        if (burst > 0)
            burst--;
        else if (nset_random_uniform(r) < .3 * hz / rate)
            burst = 1 + (int)nset_random_below(r, (uint32_t)fmax(1, .3 * rate));
        if (spikes)
            spikes[t] = (float)k;
        slow = slow * decay + k;
        fast = fast * rise + k;
        trace[t] = (float)(1 + gain * fmax(0, slow - .5 * fast) / (1 + .12 * slow));
    }
}

/* ---- space ---- */

static nset_status add_source(scene *s, double row, double column, double reach, source **out, nset_error *err)
{
    nset_status status = nset_grow(&s->sources, &s->capacity, s->n_sources + 1, sizeof *s->sources, err);
    double top = fmax(0, floor(row - reach)), left = fmax(0, floor(column - reach));
    double bottom = fmin((double)s->o->height, ceil(row + reach) + 1),
           right = fmin((double)s->o->width, ceil(column + reach) + 1);
    source *q;

    if (status != NSET_OK)
        return status;
    q = &s->sources[s->n_sources++];
    *q = (source){ .top = (size_t)top,
        .left = (size_t)left,
        .h = bottom > top ? (size_t)(bottom - top) : 0,
        .w = right > left ? (size_t)(right - left) : 0 };
    q->patch = room(q->h * q->w, &status, err);
    q->trace = room(s->o->n_frames, &status, err);
    *out = q;
    return status;
}

/* A soma: soft disk with a wavy outline, its nucleus darker by hollow. */
static void draw_soma(source *q, const nset_sim_cell *c, double blur, double hollow, double brightness, nset_random *r)
{
    double wave[3][2], nucleus = .5 + .15 * nset_random_uniform(r);
    double off_row = .15 * nset_random_normal(r), off_column = .15 * nset_random_normal(r);

    for (int k = 0; k < 3; k++) {
        wave[k][0] = .05 * nset_random_normal(r);
        wave[k][1] = 6.283 * nset_random_uniform(r);
    }
    for (size_t y = 0; y < q->h; y++)
        for (size_t x = 0; x < q->w; x++) {
            double dy = (double)(q->top + y) - c->row, dx = (double)(q->left + x) - c->column;
            double u = (dx * cos(c->angle) + dy * sin(c->angle)) / c->radius_a;
            double v = (-dx * sin(c->angle) + dy * cos(c->angle)) / c->radius_b;
            double phi = atan2(v, u), rho = hypot(u, v), edge = 1, inner, sharp = c->radius_b / blur;
            for (int k = 0; k < 3; k++)
                edge += wave[k][0] * cos((k + 2) * phi + wave[k][1]);
            inner = hypot(u - off_column, v - off_row);
            q->patch[y * q->w + x] = (float)(brightness / (1 + exp(2.5 * sharp * (rho - edge))) *
                                             (1 - hollow / (1 + exp(2.5 * sharp * (inner - nucleus)))));
        }
}

static void draw_blob(source *q, double row, double column, double sigma, double brightness)
{
    for (size_t y = 0; y < q->h; y++)
        for (size_t x = 0; x < q->w; x++) {
            double dy = (double)(q->top + y) - row, dx = (double)(q->left + x) - column;
            q->patch[y * q->w + x] = (float)(brightness * exp(-.5 * (dy * dy + dx * dx) / (sigma * sigma)));
        }
}

/* A dendrite: a thin line of some length. */
static void draw_line(source *q, double row, double column, double angle, double length, double brightness)
{
    for (size_t y = 0; y < q->h; y++)
        for (size_t x = 0; x < q->w; x++) {
            double dy = (double)(q->top + y) - row, dx = (double)(q->left + x) - column;
            double along = dx * cos(angle) + dy * sin(angle), across = -dx * sin(angle) + dy * cos(angle);
            double past = fmax(0, fabs(along) - length);
            q->patch[y * q->w + x] = (float)(brightness * exp(-.5 * (across * across + past * past)));
        }
}

/* Smooth random field of sd 1. */
static void random_field(float *x, const scene *s, double sigma, nset_random *r)
{
    size_t n = s->o->height * s->o->width;
    double sum = 0, square = 0;

    for (size_t i = 0; i < n; i++)
        x[i] = (float)nset_random_normal(r);
    nset_blur(x, s->o->height, s->o->width, sigma, s->moved);
    for (size_t i = 0; i < n; i++) {
        sum += (double)x[i];
        square += (double)x[i] * (double)x[i];
    }
    sum /= (double)n;
    square = sqrt(fmax(1e-12, square / (double)n - sum * sum));
    for (size_t i = 0; i < n; i++)
        x[i] = (float)(((double)x[i] - sum) / square);
}

static void draw_vessels(scene *s, nset_random *r)
{
    size_t h = s->o->height, w = s->o->width, n = (size_t)(h * w / 12000.) + 1;

    for (size_t v = 0; v < n; v++) {
        double y = nset_random_uniform(r) * (double)h, x = nset_random_uniform(r) * (double)w;
        double angle = 6.283 * nset_random_uniform(r), radius = (.25 + .4 * nset_random_uniform(r)) * s->o->diameter_px;
        double depth = .3 + .5 * nset_random_uniform(r);
        for (int step = 0; step < 400; step++, angle += .08 * nset_random_normal(r)) {
            y += sin(angle);
            x += cos(angle);
            for (int dy = -(int)radius; dy <= (int)radius; dy++)
                for (int dx = -(int)radius; dx <= (int)radius; dx++) {
                    double yy = floor(y) + dy, xx = floor(x) + dx;
                    if (yy >= 0 && xx >= 0 && yy < (double)h && xx < (double)w && dy * dy + dx * dx < radius * radius) {
                        float *p = &s->light[(size_t)yy * w + (size_t)xx];
                        *p = fminf(*p, (float)(1 - depth));
                    }
                }
        }
    }
}

/* Static light and neuropil: base, field. light holds the vessels' shadow afterwards. */
static void make_tissue(scene *s)
{
    nset_random r = nset_random_stream(s->o->seed, "tissue", 0);
    size_t h = s->o->height, w = s->o->width, n = h * w;
    double fine = .05 + .35 * nset_random_uniform(&r), coarse = .15 + .3 * nset_random_uniform(&r);
    double dark = .3 * nset_random_uniform(&r), restless = exp(log(.05) + log(8) * nset_random_uniform(&r));
    double glow = s->o->one_photon ? 2 + 2 * nset_random_uniform(&r) : 0;

    random_field(s->base, s, 1.1, &r);
    random_field(s->light, s, 1.6 * s->o->diameter_px, &r);
    for (size_t i = 0; i < n; i++) {
        double y = ((double)(i / w) - .5 * (double)h) / (double)h, x = ((double)(i % w) - .5 * (double)w) / (double)w;
        double light = 1 + fine * (double)s->base[i] + coarse * (double)s->light[i];
        s->base[i] = (float)(s->o->neuropil * fmax(.15, light) * (1 - 4 * dark * (y * y + x * x)));
    }
    if (s->o->one_photon) { /* light of all depths, even within a few cells */
        random_field(s->light, s, .2 * (double)(h < w ? h : w), &r);
        for (size_t i = 0; i < n; i++)
            s->base[i] += (float)(glow * fmax(.2, 1 + .3 * (double)s->light[i]));
    }
    for (int k = 0; k < 3; k++) {
        double slow = 0, keep = exp(-1 / (s->o->rate_hz * (k == 0 ? 3 : .8))), size = restless * (k == 0 ? .6 : 1);
        random_field(s->field[k], s, (k == 0 ? 6 : 1.2 + 2.8 * nset_random_uniform(&r)) * s->o->diameter_px, &r);
        for (size_t t = 0; t < s->o->n_frames; t++) {
            slow = slow * keep + sqrt(1 - keep * keep) * nset_random_normal(&r);
            s->drift[k][t] = (float)(size * slow);
        }
    }
    for (size_t i = 0; i < n; i++)
        s->light[i] = 1;
    draw_vessels(s, &r);
    nset_blur(s->light, h, w, 1, s->moved);
}

/* ---- cells ---- */

static bool place_cell(const scene *s, nset_sim_cell *c, size_t n, nset_random *r)
{
    for (int attempt = 0; attempt < 200; attempt++) {
        bool free_place = true;
        double closest = (attempt < 100 ? 1.02 : .8) * s->o->diameter_px;
        c->row = nset_random_uniform(r) * (double)s->o->height;
        c->column = nset_random_uniform(r) * (double)s->o->width;
        for (size_t k = 0; k < n && free_place; k++)
            free_place = hypot(c->row - s->m->cells[k].row, c->column - s->m->cells[k].column) > closest;
        if (free_place)
            return true;
    }
    return false;
}

/* The label: the ellipse, filled, a little smaller than what glows. */
static nset_status outline(scene *s, nset_sim_cell *c, nset_error *err)
{
    size_t capacity = 0, inside = 0, all = 0;
    double reach = 1.3 * s->o->diameter_px;
    nset_status status;

    for (double y = floor(c->row - reach); y <= c->row + reach; y++)
        for (double x = floor(c->column - reach); x <= c->column + reach; x++) {
            double dy = y - c->row, dx = x - c->column;
            double u = (dx * cos(c->angle) + dy * sin(c->angle)) / c->radius_a;
            double v = (-dx * sin(c->angle) + dy * cos(c->angle)) / c->radius_b;
            if (u * u + v * v > 1)
                continue;
            all++;
            if (y < 0 || x < 0 || y >= (double)s->o->height || x >= (double)s->o->width)
                continue;
            if ((status = nset_grow(&c->pixel, &capacity, inside + 1, sizeof *c->pixel, err)) != NSET_OK)
                return status;
            c->pixel[inside++] = (int32_t)((size_t)y * s->o->width + (size_t)x);
        }
    c->n_pixels = inside;
    c->cut = inside < all;
    return NSET_OK;
}

/* Neuropil does not reach into a soma. q's patch is used as room. */
static void displace_neuropil(scene *s, source *q, const nset_sim_cell *c, double share, nset_random *r)
{
    draw_soma(q, c, 1, 0, share, r);
    for (size_t y = 0; y < q->h; y++)
        for (size_t x = 0; x < q->w; x++)
            s->base[(q->top + y) * s->o->width + q->left + x] *= 1 - q->patch[y * q->w + x];
}

static nset_status make_cell(scene *s, size_t i, nset_error *err)
{
    nset_random r = nset_random_stream(s->o->seed, "cell", i);
    nset_sim_cell *c = &s->m->cells[i];
    double d = s->o->diameter_px, brightness, gain, hollow, radius = .5 * d * (.87 + .26 * nset_random_uniform(&r));
    source *q;
    nset_status status;

    if (!place_cell(s, c, i, &r))
        return NSET_OK; /* the field is full: this one stays out, as its label says */
    c->radius_a = radius * (1 + .12 * nset_random_uniform(&r));
    c->radius_b = radius * (1 - .12 * nset_random_uniform(&r));
    c->angle = 3.1416 * nset_random_uniform(&r);
    c->labelled = 1;
    c->active = nset_random_uniform(&r) > s->o->silent;
    hollow = nset_random_uniform(&r) < .75 && !s->o->one_photon ? .4 + .55 * nset_random_uniform(&r) : 0;
    brightness = .75 * exp(.5 * nset_random_normal(&r)) * (hollow > 0 ? 1 : .8);
    gain = c->active ? .25 + .8 * nset_random_exponential(&r) : 0;
    if ((status = add_source(s, c->row, c->column, 1.5 * d, &q, err)) != NSET_OK)
        return status;
    if (!s->o->one_photon)
        displace_neuropil(s, q, c, .2 + .6 * nset_random_uniform(&r), &r);
    draw_soma(q, c, .8 + .5 * nset_random_uniform(&r), hollow, brightness, &r);
    if (s->o->one_photon)
        nset_blur(q->patch, q->h, q->w, d * (.2 + .25 * nset_random_uniform(&r) * nset_random_uniform(&r)), s->moved);
    else
        nset_blur(
            q->patch, q->h, q->w, .1 * d * nset_random_exponential(&r) * .6, s->moved); /* above or below the plane */
    make_trace(q->trace, c->active ? s->m->spikes + i * s->o->n_frames : NULL, s->o->n_frames, s->o->rate_hz, gain, &r);
    for (size_t t = 0; t < s->o->n_frames; t++)
        s->m->trace[i * s->o->n_frames + t] = (float)(brightness * s->o->photons) * q->trace[t];
    return outline(s, c, err);
}

static nset_status make_contaminant(scene *s, size_t i, nset_error *err)
{
    nset_random r = nset_random_stream(s->o->seed, "contaminant", i);
    double row = nset_random_uniform(&r) * (double)s->o->height, column = nset_random_uniform(&r) * (double)s->o->width;
    double kind = nset_random_uniform(&r), d = s->o->diameter_px, brightness = .15 + .5 * nset_random_exponential(&r);
    source *q;
    nset_status status = add_source(s, row, column, 2.5 * d, &q, err);

    if (status != NSET_OK)
        return status;
    if (kind < (s->o->one_photon ? .8 : .3)) /* out of the plane */
        draw_blob(q, row, column, d * (.5 + .5 * nset_random_uniform(&r)), .5 * brightness);
    else if (kind < .45)
        draw_line(q, row, column, 3.1416 * nset_random_uniform(&r), d * (.3 + nset_random_uniform(&r)), brightness);
    else
        draw_blob(q, row, column, .8 + .6 * nset_random_uniform(&r), 1.4 * brightness); /* a bouton */
    make_trace(q->trace, NULL, s->o->n_frames, s->o->rate_hz, .2 + nset_random_exponential(&r), &r);
    return NSET_OK;
}

/* ---- frames ---- */

static void make_motion(scene *s)
{
    nset_random r = nset_random_stream(s->o->seed, "motion", 0);
    double y = 0, x = 0;

    for (size_t t = 0; t < s->o->n_frames; t++) {
        y = .9 * y + .44 * s->o->motion_px * nset_random_normal(&r);
        x = .9 * x + .44 * s->o->motion_px * nset_random_normal(&r);
        s->m->shift[t][0] = y;
        s->m->shift[t][1] = x;
    }
}

static void render(scene *s, size_t t)
{
    size_t h = s->o->height, w = s->o->width, n = h * w;
    float *f = s->moved;

    for (size_t i = 0; i < n; i++)
        f[i] = s->base[i] * (1 + s->drift[0][t] * s->field[0][i] + s->drift[1][t] * s->field[1][i] +
                                s->drift[2][t] * s->field[2][i]);
    for (size_t k = 0; k < s->n_sources; k++) {
        const source *q = &s->sources[k];
        for (size_t y = 0; y < q->h; y++)
            for (size_t x = 0; x < q->w; x++)
                f[(q->top + y) * w + q->left + x] += q->patch[y * q->w + x] * q->trace[t];
    }
    for (size_t i = 0; i < n; i++)
        f[i] *= s->light[i];
}

static void expose(scene *s, size_t t)
{
    nset_random r = nset_random_stream(s->o->seed, "photons", t);
    size_t h = s->o->height, w = s->o->width;
    const double gain = s->o->one_photon ? 2 : 40, dark = 3; /* counts a photon, sd of the reading in counts */

    for (size_t i = 0; i < h; i++) {
        double y = fmin(fmax((double)i - s->m->shift[t][0], 0), (double)h - 1);
        size_t y0 = (size_t)y, y1 = y0 + 1 < h ? y0 + 1 : y0;
        float fy = (float)(y - (double)y0);
        for (size_t j = 0; j < w; j++) {
            double x = fmin(fmax((double)j - s->m->shift[t][1], 0), (double)w - 1), v;
            size_t x0 = (size_t)x, x1 = x0 + 1 < w ? x0 + 1 : x0;
            float fx = (float)(x - (double)x0), light;
            light = (s->moved[y0 * w + x0] * (1 - fx) + s->moved[y0 * w + x1] * fx) * (1 - fy) +
                    (s->moved[y1 * w + x0] * (1 - fx) + s->moved[y1 * w + x1] * fx) * fy;
            v = gain * nset_random_poisson(&r, s->o->photons * (double)light) + dark * nset_random_normal(&r) + 20;
            s->m->frames[(t * h + i) * w + j] = (uint16_t)(v < 0 ? 0 : v > 65535 ? 65535 : v);
        }
    }
}

void nset_sim_movie_free(nset_sim_movie *m)
{
    if (!m)
        return;
    for (size_t i = 0; i < m->n_cells && m->cells; i++)
        nset_free(m->cells[i].pixel);
    nset_free(m->cells);
    nset_free(m->frames);
    nset_free(m->trace);
    nset_free(m->spikes);
    nset_free(m->shift);
    nset_free(m);
}

static void free_scene(scene *s)
{
    for (size_t i = 0; i < s->n_sources; i++) {
        nset_free(s->sources[i].patch);
        nset_free(s->sources[i].trace);
    }
    nset_free(s->sources);
    nset_free(s->base);
    nset_free(s->light);
    nset_free(s->moved);
    for (int k = 0; k < 3; k++) {
        nset_free(s->field[k]);
        nset_free(s->drift[k]);
    }
}

static nset_status allocate(scene *s, nset_error *err)
{
    const nset_sim_movie_options *o = s->o;
    size_t n = o->height * o->width;
    nset_status status = NSET_OK;

    s->base = room(n, &status, err);
    s->light = room(n, &status, err);
    s->moved = room(n, &status, err);
    for (int k = 0; k < 3; k++) {
        s->field[k] = room(n, &status, err);
        s->drift[k] = room(o->n_frames, &status, err);
    }
    s->m->trace = room(o->n_cells * o->n_frames, &status, err);
    s->m->spikes = room(o->n_cells * o->n_frames, &status, err);
    s->m->cells = nset_calloc(o->n_cells, sizeof *s->m->cells);
    s->m->frames = nset_calloc(n, o->n_frames * sizeof *s->m->frames);
    s->m->shift = nset_calloc(o->n_frames, sizeof *s->m->shift);
    if (status == NSET_OK && (!s->m->cells || !s->m->frames || !s->m->shift))
        status = nset_fail_oom(err, n, o->n_frames);
    return status;
}

nset_status nset_sim_movie_make(nset_sim_movie **out, const nset_sim_movie_options *o, nset_error *err)
{
    scene s = { .o = o, .m = nset_calloc(1, sizeof *s.m) };
    size_t n_extra = (size_t)(o->contaminants * (double)o->n_cells * 2);
    nset_status status;

    if (!s.m)
        return nset_fail_oom(err, 1, sizeof *s.m);
    s.m->height = o->height;
    s.m->width = o->width;
    s.m->n_frames = o->n_frames;
    s.m->n_cells = o->n_cells;
    if ((status = allocate(&s, err)) == NSET_OK) {
        make_tissue(&s);
        make_motion(&s);
    }
    for (size_t i = 0; i < o->n_cells && status == NSET_OK; i++)
        status = make_cell(&s, i, err);
    for (size_t i = 0; i < n_extra && status == NSET_OK; i++)
        status = make_contaminant(&s, i, err);
    for (size_t t = 0; t < o->n_frames && status == NSET_OK; t++) {
        render(&s, t);
        expose(&s, t);
        nset_progress_at((double)(t + 1));
        if (nset_cancelled())
            status = nset_fail_cancelled(err);
    }
    free_scene(&s);
    if (status != NSET_OK) {
        nset_sim_movie_free(s.m);
        return status;
    }
    *out = s.m;
    return NSET_OK;
}
