#include "imaging/motion.h"

#include <fftw3.h>
#include <math.h>
#include <string.h>

#include <neuroset/memory.h>

#include "cli/progress.h"
#include "signal/fft.h"
#include "signal/robust.h"

enum { SPREAD = 60, ROUNDS = 3, BLOCK = 16 };
#define STILL_PX .25 /* a movie whose spread moves less is left as it is */
#define SMOOTH_PX 1.3
#define EPSILON 1e-5f

typedef struct registrar {
    nset_movie *movie;
    nset_workers *workers;
    nset_fft *fft;
    size_t h, w, bins;        /* bins: complex numbers of a spectrum */
    float *taper, *smooth;    /* (h, w), (bins) */
    float mean;               /* of the reference */
    fftwf_complex *reference; /* (bins) whitened, conjugate, smoothed */
    float *frames;            /* (BLOCK, h, w) */
    double (*shift)[2];       /* (BLOCK) of the frames */
    float *peak;              /* (BLOCK) height of the correlation's peak */
    double reach;
    bool failed;
} registrar;

static void make_taper(registrar *r)
{
    for (size_t y = 0; y < r->h; y++)
        for (size_t x = 0; x < r->w; x++) {
            double dy = fmin((double)y, (double)(r->h - 1 - y)), dx = fmin((double)x, (double)(r->w - 1 - x));
            double sy = .03 * (double)r->h + 1, sx = .03 * (double)r->w + 1;
            r->taper[y * r->w + x] = (float)(1 / (1 + exp(-(dy - 2 * sy) / sy)) / (1 + exp(-(dx - 2 * sx) / sx)));
        }
}

/* Transform of a Gaussian of SMOOTH_PX. */
static void make_smooth(registrar *r)
{
    for (size_t y = 0; y < r->h; y++)
        for (size_t x = 0; x < r->w / 2 + 1; x++) {
            double fy = (double)(y <= r->h / 2 ? y : r->h - y) / (double)r->h, fx = (double)x / (double)r->w;
            r->smooth[y * (r->w / 2 + 1) + x] = (float)exp(-2 * 9.8696 * SMOOTH_PX * SMOOTH_PX * (fy * fy + fx * fx));
        }
}

static void transform(const registrar *r, fftwf_complex *z, float *x, const float *frame)
{
    for (size_t i = 0; i < r->h * r->w; i++)
        x[i] = (frame[i] - r->mean) * r->taper[i];
    nset_fft_forward(r->fft, x, z);
    for (size_t k = 0; k < r->bins; k++) {
        float size = sqrtf(z[k][0] * z[k][0] + z[k][1] * z[k][1]) + EPSILON;
        z[k][0] /= size;
        z[k][1] /= size;
    }
}

static nset_status set_reference(registrar *r, const float *image, nset_error *err)
{
    size_t n = r->h * r->w;
    float *x = nset_calloc(n, sizeof *x);
    double sum = 0;

    if (!x)
        return nset_fail_oom(err, n, sizeof *x);
    for (size_t i = 0; i < n; i++)
        sum += (double)image[i];
    r->mean = (float)(sum / (double)n);
    transform(r, r->reference, x, image);
    for (size_t k = 0; k < r->bins; k++) {
        r->reference[k][0] *= r->smooth[k];
        r->reference[k][1] *= -r->smooth[k];
    }
    nset_free(x);
    return NSET_OK;
}

/* Correlation at a shift, both may be negative. */
static float at_shift(const registrar *r, const float *x, ptrdiff_t y, ptrdiff_t c)
{
    size_t i = (size_t)((y % (ptrdiff_t)r->h + (ptrdiff_t)r->h) % (ptrdiff_t)r->h);
    size_t j = (size_t)((c % (ptrdiff_t)r->w + (ptrdiff_t)r->w) % (ptrdiff_t)r->w);

    return x[i * r->w + j];
}

static double refine(float before, float here, float after)
{
    double bend = (double)before - 2 * (double)here + (double)after;

    return bend < 0 ? .5 * ((double)before - (double)after) / bend : 0;
}

static void find_peak(const registrar *r, const float *x, double shift[2], float *peak)
{
    ptrdiff_t reach_y = (ptrdiff_t)fmin(r->reach, ((double)r->h - 1) / 2),
              reach_x = (ptrdiff_t)fmin(r->reach, ((double)r->w - 1) / 2);
    ptrdiff_t best_y = 0, best_x = 0;
    float best = at_shift(r, x, 0, 0);

    for (ptrdiff_t y = -reach_y; y <= reach_y; y++)
        for (ptrdiff_t c = -reach_x; c <= reach_x; c++) {
            float v = at_shift(r, x, y, c);
            if (v > best) {
                best = v;
                best_y = y;
                best_x = c;
            }
        }
    *peak = best;
    shift[0] = (double)best_y + refine(at_shift(r, x, best_y - 1, best_x), best, at_shift(r, x, best_y + 1, best_x));
    shift[1] = (double)best_x + refine(at_shift(r, x, best_y, best_x - 1), best, at_shift(r, x, best_y, best_x + 1));
}

static void register_frames(void *ctx, size_t first, size_t last, size_t chunk)
{
    registrar *r = ctx;
    size_t n = r->h * r->w;
    float *x = nset_calloc(n, sizeof *x);
    fftwf_complex *z = nset_calloc(r->bins, sizeof *z);

    (void)chunk;
    for (size_t f = first; f < last && x && z; f++) {
        transform(r, z, x, r->frames + f * n);
        for (size_t k = 0; k < r->bins; k++) {
            float a = z[k][0], b = z[k][1];
            z[k][0] = a * r->reference[k][0] - b * r->reference[k][1];
            z[k][1] = a * r->reference[k][1] + b * r->reference[k][0];
        }
        nset_fft_inverse(r->fft, z, x);
        find_peak(r, x, r->shift[f], &r->peak[f]);
    }
    if (!x || !z)
        r->failed = true;
    nset_free(x);
    nset_free(z);
}

/* to (h, w) := frame moved back by shift, bilinear, edges repeated. */
static void move_back(float *to, const float *frame, size_t h, size_t w, const double shift[2])
{
    for (size_t i = 0; i < h; i++) {
        double y = fmin(fmax((double)i + shift[0], 0), (double)h - 1);
        size_t y0 = (size_t)y, y1 = y0 + 1 < h ? y0 + 1 : y0;
        float fy = (float)(y - (double)y0);
        const float *a = frame + y0 * w, *b = frame + y1 * w;
        for (size_t j = 0; j < w; j++) {
            double x = fmin(fmax((double)j + shift[1], 0), (double)w - 1);
            size_t x0 = (size_t)x, x1 = x0 + 1 < w ? x0 + 1 : x0;
            float fx = (float)(x - (double)x0);
            to[i * w + j] = (a[x0] * (1 - fx) + a[x1] * fx) * (1 - fy) + (b[x0] * (1 - fx) + b[x1] * fx) * fy;
        }
    }
}

/* One round over the spread: mean of its frames moved back by their shifts. */
static nset_status spread_mean(registrar *r, float *mean, const double (*shift)[2], size_t n_spread, nset_error *err)
{
    size_t n = r->h * r->w;
    float *moved = nset_calloc(n, sizeof *moved);
    nset_status status = moved ? NSET_OK : nset_fail_oom(err, n, sizeof *moved);

    memset(mean, 0, n * sizeof *mean);
    for (size_t k = 0; k < n_spread && status == NSET_OK; k++) {
        int64_t t = n_spread == 1 ? 0 : (int64_t)k * (r->movie->n_frames - 1) / (int64_t)(n_spread - 1);
        if ((status = r->movie->read(r->movie, r->frames, t, err)) != NSET_OK)
            break;
        move_back(moved, r->frames, r->h, r->w, shift[k]);
        for (size_t i = 0; i < n; i++)
            mean[i] += moved[i] / (float)n_spread;
    }
    nset_free(moved);
    return status;
}

static nset_status spread_shifts(registrar *r, double (*shift)[2], size_t n_spread, nset_error *err)
{
    size_t n = r->h * r->w;
    nset_status status;

    for (size_t first = 0; first < n_spread; first += BLOCK) {
        size_t m = n_spread - first < BLOCK ? n_spread - first : BLOCK;
        for (size_t k = 0; k < m; k++) {
            int64_t t = n_spread == 1 ? 0 : (int64_t)(first + k) * (r->movie->n_frames - 1) / (int64_t)(n_spread - 1);
            if ((status = r->movie->read(r->movie, r->frames + k * n, t, err)) != NSET_OK)
                return status;
        }
        nset_parallel_for(r->workers, m, 1, register_frames, r);
        if (r->failed)
            return nset_fail_oom(err, n, sizeof(float));
        memcpy(shift + first, r->shift, m * sizeof *shift);
    }
    return NSET_OK;
}

/* The reference, and whether the spread moves at all. */
static nset_status make_reference(registrar *r, bool *still, nset_error *err)
{
    size_t n_spread = r->movie->n_frames < SPREAD ? (size_t)r->movie->n_frames : SPREAD;
    float *mean = nset_calloc(r->h * r->w, sizeof *mean);
    double shift[SPREAD][2] = { { 0 } }, moved = 0;
    nset_status status = mean ? NSET_OK : nset_fail_oom(err, r->h * r->w, sizeof *mean);

    for (int round = 0; round < ROUNDS && status == NSET_OK; round++) {
        if ((status = spread_mean(r, mean, (const double(*)[2])shift, n_spread, err)) == NSET_OK &&
            (status = set_reference(r, mean, err)) == NSET_OK)
            status = spread_shifts(r, shift, n_spread, err);
    }
    for (size_t k = 0; k < n_spread && status == NSET_OK; k++)
        moved += (shift[k][0] * shift[k][0] + shift[k][1] * shift[k][1]) / (double)n_spread;
    *still = sqrt(moved) < STILL_PX;
    nset_free(mean);
    return status;
}

/* Frames whose correlation peak is far below the usual, or that sit at the border of the reach, are jumps. */
static nset_status find_jumps(nset_motion *m, const float *peak, double reach, nset_error *err)
{
    float *copy = nset_calloc(m->n_frames, sizeof *copy), usual;

    if (!copy)
        return nset_fail_oom(err, m->n_frames, sizeof *copy);
    memcpy(copy, peak, m->n_frames * sizeof *copy);
    usual = nset_median(copy, m->n_frames);
    for (size_t t = 0; t < m->n_frames; t++)
        m->valid[t] = peak[t] > .3f * usual && fabs(m->shift[t][0]) < reach - 1 && fabs(m->shift[t][1]) < reach - 1;
    nset_free(copy);
    return NSET_OK;
}

static nset_status all_shifts(registrar *r, nset_motion *m, nset_error *err)
{
    size_t n = r->h * r->w;
    float *peak = nset_calloc(m->n_frames, sizeof *peak);
    nset_status status = peak ? NSET_OK : nset_fail_oom(err, m->n_frames, sizeof *peak);

    nset_progress_begin("motion", (double)m->n_frames, "frames");
    for (size_t first = 0; first < m->n_frames && status == NSET_OK; first += BLOCK) {
        size_t k = m->n_frames - first < BLOCK ? m->n_frames - first : BLOCK;
        for (size_t f = 0; f < k && status == NSET_OK; f++)
            status = r->movie->read(r->movie, r->frames + f * n, (int64_t)(first + f), err);
        if (status != NSET_OK)
            break;
        nset_parallel_for(r->workers, k, 1, register_frames, r);
        if (r->failed)
            status = nset_fail_oom(err, n, sizeof(float));
        memcpy(m->shift + first, r->shift, k * sizeof *m->shift);
        memcpy(peak + first, r->peak, k * sizeof *peak);
        nset_progress_at((double)(first + k));
        if (nset_cancelled())
            status = nset_fail_cancelled(err);
    }
    nset_progress_end();
    if (status == NSET_OK)
        status = find_jumps(m, peak, r->reach, err);
    nset_free(peak);
    return status;
}

static nset_status estimate(registrar *r, nset_motion *m, nset_error *err)
{
    size_t n = r->h * r->w;
    nset_status status;

    r->taper = nset_calloc(n, sizeof *r->taper);
    r->smooth = nset_calloc(r->bins, sizeof *r->smooth);
    r->reference = nset_calloc(r->bins, sizeof *r->reference);
    r->frames = nset_calloc(BLOCK * n, sizeof *r->frames);
    r->shift = nset_calloc(BLOCK, sizeof *r->shift);
    r->peak = nset_calloc(BLOCK, sizeof *r->peak);
    if (!r->taper || !r->smooth || !r->reference || !r->frames || !r->shift || !r->peak)
        return nset_fail_oom(err, BLOCK * n, sizeof *r->frames);
    if ((status = nset_fft_create_2d(&r->fft, r->h, r->w, err)) != NSET_OK)
        return status;
    make_taper(r);
    make_smooth(r);
    if ((status = make_reference(r, &m->still, err)) != NSET_OK || m->still)
        return status;
    return all_shifts(r, m, err);
}

nset_status nset_motion_estimate(
    nset_motion *out, nset_movie *movie, double reach, nset_workers *workers, nset_error *err)
{
    registrar r = { .movie = movie,
        .workers = workers,
        .h = movie->height,
        .w = movie->width,
        .bins = movie->height * (movie->width / 2 + 1) };
    nset_status status;

    *out = (nset_motion){ .n_frames = (size_t)movie->n_frames };
    out->shift = nset_calloc(out->n_frames, sizeof *out->shift);
    out->valid = nset_calloc(out->n_frames, 1);
    if (!out->shift || !out->valid) {
        nset_motion_fini(out);
        return nset_fail_oom(err, out->n_frames, sizeof *out->shift);
    }
    memset(out->valid, 1, out->n_frames);
    r.reach = reach > 0 ? reach : .1 * (double)(r.h < r.w ? r.h : r.w);
    if (out->n_frames < 2 || r.h < 16 || r.w < 16) { /* nothing to register */
        out->still = true;
        return NSET_OK;
    }
    status = estimate(&r, out, err);
    nset_fft_free(r.fft);
    nset_free(r.taper);
    nset_free(r.smooth);
    nset_free(r.reference);
    nset_free(r.frames);
    nset_free(r.shift);
    nset_free(r.peak);
    if (status != NSET_OK)
        nset_motion_fini(out);
    return status;
}

void nset_motion_fini(nset_motion *m)
{
    nset_free(m->shift);
    nset_free(m->valid);
    *m = (nset_motion){ 0 };
}

/* ---- the corrected movie ---- */

typedef struct corrected {
    nset_movie base;
    nset_movie *movie;
    const nset_motion *motion;
    float *frame;
} corrected;

static nset_status read_corrected(nset_movie *self, float *frame, int64_t index, nset_error *err)
{
    corrected *c = (corrected *)self;
    nset_status status = c->movie->read(c->movie, c->frame, index, err);

    if (status == NSET_OK)
        move_back(frame, c->frame, self->height, self->width, c->motion->shift[index]);
    return status;
}

static void close_corrected(nset_movie *self)
{
    corrected *c = (corrected *)self;

    nset_movie_close(c->movie);
    nset_free(c->frame);
    nset_free(c);
}

nset_status nset_motion_open(nset_movie **out, nset_movie *movie, const nset_motion *motion, nset_error *err)
{
    corrected *c = nset_calloc(1, sizeof *c);

    if (!c || !(c->frame = nset_calloc(movie->height * movie->width, sizeof *c->frame))) {
        nset_free(c);
        return nset_fail_oom(err, movie->height * movie->width, sizeof *c->frame);
    }
    c->base = *movie;
    c->base.read = read_corrected;
    c->base.concurrent = false; /* one frame of room */
    c->base.close = close_corrected;
    c->movie = movie;
    c->motion = motion;
    *out = &c->base;
    return NSET_OK;
}
