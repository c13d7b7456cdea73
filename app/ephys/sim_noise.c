#include "ephys/sim_parts.h"

#include <fftw3.h>
#include <math.h>
#include <string.h>

#include <neuroset/memory.h>

#define LOW_HZ 300.
#define HIGH_HZ 6000.
#define PI 3.14159265358979323846
#define FADE_S .5 /* of one block's noise into the next one's */
enum { PIECE = 1 << 14, TILE = 64, SLOW_STEP_HZ = 1000 };

/* A length with small factors, even. */
static size_t good_length(size_t n)
{
    for (n += n & 1;; n += 2) {
        size_t m = n;
        for (size_t f = 2; f <= 7; f++)
            while (m % f == 0)
                m /= f;
        if (m == 1)
            return n;
    }
}

/* Lower Cholesky factor of exp(-distance / reach) over all pairs of contacts, l (C, C). */
static void correlation_root(double *l, const nset_probe *p, double reach_um)
{
    size_t n = p->n_channels;

    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j <= i; j++) {
            double d = hypot(p->x_um[i] - p->x_um[j], p->y_um[i] - p->y_um[j]);
            double sum = exp(-d / reach_um) + (i == j ? 1e-6 : 0);
            for (size_t k = 0; k < j; k++)
                sum -= l[i * n + k] * l[j * n + k];
            l[i * n + j] = i == j ? sqrt(fmax(sum, 1e-9)) : sum / l[j * n + j];
        }
}

typedef struct spectrum_job {
    fftwf_plan plan;    /* spectrum to samples of the new arrays */
    float *row;         /* (C, n) */
    const float *shape; /* (m / 2 + 1) amplitude */
    size_t m, n;
    uint64_t seed, first_stream; /* first_stream: of channel 0 */
    const char *stream;
    char *failed; /* (C) */
} spectrum_job;

/* Gaussian noise with an amplitude spectrum: a Gaussian number for each frequency, transformed. */
static void fill_rows(void *ctx, size_t first, size_t last, size_t chunk)
{
    spectrum_job *j = ctx;
    fftwf_complex *z = nset_calloc(j->m / 2 + 1, sizeof *z);
    float *x = nset_calloc(j->m, sizeof *x);

    (void)chunk;
    for (size_t c = first; c < last; c++) {
        nset_random r = nset_random_stream(j->seed, j->stream, j->first_stream + c);
        if (!z || !x) {
            j->failed[c] = 1;
            continue;
        }
        for (size_t k = 0; k <= j->m / 2; k++) {
            /* Box and Muller's pair, both used */
            double size = sqrt(-2 * log(1 - nset_random_uniform(&r))) * (double)j->shape[k];
            double angle = 2 * PI * nset_random_uniform(&r);
            z[k][0] = (float)(size * cos(angle));
            z[k][1] = (float)(size * sin(angle));
        }
        fftwf_execute_dft_c2r(j->plan, z, x);
        memcpy(j->row + c * j->n, x, j->n * sizeof *x);
    }
    nset_free(z);
    nset_free(x);
}

/* row (C, n) := independent noise with the amplitude spectrum shape of m / 2 + 1 bins. */
static nset_status independent_rows(float *row, size_t n_channels, size_t n, const float *shape, size_t m,
    uint64_t seed, const char *stream, uint64_t first_stream, nset_workers *workers, nset_error *err)
{
    fftwf_complex *z = nset_calloc(m / 2 + 1, sizeof *z);
    float *x = nset_calloc(m, sizeof *x);
    char *failed = nset_calloc(n_channels, 1);
    spectrum_job j = { .row = row,
        .shape = shape,
        .m = m,
        .n = n,
        .seed = seed,
        .first_stream = first_stream,
        .stream = stream,
        .failed = failed };
    nset_status status = NSET_OK;

    if (z && x && failed)
        j.plan = fftwf_plan_dft_c2r_1d((int)m, z, x, FFTW_ESTIMATE);
    if (j.plan)
        nset_parallel_for(workers, n_channels, 1, fill_rows, &j);
    for (size_t c = 0; failed && c < n_channels; c++)
        j.plan = failed[c] ? (fftwf_destroy_plan(j.plan), NULL) : j.plan;
    if (!j.plan)
        status = nset_fail_oom(err, m, sizeof *x);
    else
        fftwf_destroy_plan(j.plan);
    nset_free(z);
    nset_free(x);
    nset_free(failed);
    return status;
}

typedef struct mix_job {
    float *x;           /* (n, C) */
    const float *row;   /* (C, n_row) */
    const double *root; /* NULL: none */
    size_t n_channels, n, n_row;
    double size, step; /* sample i of x is row at i * step, linear between */
} mix_job;

/* rows (C, TILE) := samples first .. last-1 of the independent rows. */
static void take_tile(float *tile, const mix_job *j, size_t first, size_t last)
{
    for (size_t k = 0; k < j->n_channels; k++) {
        const float *row = j->row + k * j->n_row;
        if (j->step == 1.) {
            memcpy(tile + k * TILE, row + first, (last - first) * sizeof *tile);
            continue;
        }
        for (size_t i = first; i < last; i++) {
            double at = (double)i * j->step;
            size_t a = (size_t)at;
            tile[k * TILE + i - first] = row[a] + (float)(at - (double)a) * (row[a + 1] - row[a]);
        }
    }
}

static void mix_tile(const mix_job *j, size_t first, size_t last)
{
    float tile[SIM_MAX_CHANNELS * TILE], sum[TILE];
    size_t C = j->n_channels, n = last - first;

    take_tile(tile, j, first, last);
    for (size_t c = 0; c < C; c++) {
        memset(sum, 0, sizeof sum);
        for (size_t k = j->root ? 0 : c; k <= c; k++) {
            float w = (float)(j->size * (j->root ? j->root[c * C + k] : 1));
            for (size_t i = 0; i < n; i++)
                sum[i] += w * tile[k * TILE + i];
        }
        for (size_t i = 0; i < n; i++)
            j->x[(first + i) * C + c] += sum[i];
    }
}

static void mix_piece(void *ctx, size_t first, size_t last, size_t chunk)
{
    (void)chunk;
    for (size_t i = first; i < last; i += TILE)
        mix_tile(ctx, i, i + TILE < last ? i + TILE : last);
}

typedef double (*spectrum)(double f_hz);

static double white_spectrum(double f)
{
    return f > 1 ? 1 / sqrt(1 + pow(f / 9000, 6)) : 0;
}

static double pink_spectrum(double f)
{
    return f > 1 ? 1 / sqrt(fmax(f, 20)) / (1 + pow(f / 6000, 4)) : 0;
}

/* 1 / f with a theta rhythm; below 200 Hz. */
static double slow_spectrum(double f)
{
    return f > .5 ? (1 / fmax(f, 1) + 1.2 * exp(-.5 * (f - 7) * (f - 7))) / (1 + pow(f / 180, 4)) : 0;
}

/* Scales the bins so that the sum over band_low .. band_high of the sampled process has variance 1. */
static void fill_shape(float *shape, size_t m, double rate_hz, spectrum s, double low, double high)
{
    double power = 0;

    for (size_t k = 0; k <= m / 2; k++) {
        double f = (double)k * rate_hz / (double)m, a = s(f);
        shape[k] = (float)a;
        if (f >= low && f <= high)
            power += 4 * a * a; /* a bin's two halves, real and imaginary part: variance 4 a^2 */
    }
    for (size_t k = 0; k <= m / 2; k++)
        shape[k] = power > 0 ? (float)((double)shape[k] / sqrt(power)) : 0;
}

typedef struct field {
    spectrum s;
    const char *stream;
    double rate_hz, low, high, reach_um, size; /* reach 0: independent channels */
} field;

/* The first numbers of each row are faded in over what the block before left, of the same power at any time. */
static void fade_in(float *row, size_t n_row, size_t n_channels, const float *tail, size_t n_tail)
{
    for (size_t c = 0; c < n_channels; c++)
        for (size_t i = 0; i < n_tail && i < n_row; i++) {
            double angle = .5 * PI * ((double)i + .5) / (double)n_tail;
            float *v = row + c * n_row + i;
            *v = (float)(sin(angle) * (double)*v + cos(angle) * (double)tail[c * n_tail + i]);
        }
}

/* Takes the fade of the block before into row, and leaves its own beyond sample n behind. */
static nset_status join_blocks(
    float *row, size_t n_row, size_t n_channels, float **tail, size_t n_tail, const sim_block *b, nset_error *err)
{
    if (b->index > 0)
        fade_in(row, n_row, n_channels, *tail, n_tail);
    if (b->last)
        return NSET_OK;
    if (!*tail && !(*tail = nset_calloc(n_channels * n_tail, sizeof **tail)))
        return nset_fail_oom(err, n_channels * n_tail, sizeof **tail);
    for (size_t c = 0; c < n_channels; c++)
        memcpy(*tail + c * n_tail, row + (c + 1) * n_row - n_tail - 2, n_tail * sizeof **tail); /* from sample n on */
    return NSET_OK;
}

static nset_status add_field(float *x, const sim_block *b, float **tail, const nset_probe *p, const nset_sim_options *o,
    const field *f, nset_workers *workers, nset_error *err)
{
    double step = f->rate_hz / o->rate_hz;
    size_t C = p->n_channels, n_tail = (size_t)(FADE_S * f->rate_hz);
    size_t n_row = (size_t)((double)b->n * step) + 2 + (b->last ? 0 : n_tail), m = good_length(n_row);
    float *shape = nset_calloc(m / 2 + 1, sizeof *shape), *row = nset_calloc(C * n_row, sizeof *row);
    double *root = nset_calloc(C * C, sizeof *root);
    nset_status status;
    mix_job j = { x, row, f->reach_um > 0 ? root : NULL, C, b->n, n_row, f->size, step };

    if (!shape || !row || !root) {
        status = nset_fail_oom(err, C * n_row, sizeof *row);
        goto done;
    }
    fill_shape(shape, m, f->rate_hz, f->s, f->low, f->high);
    status = independent_rows(row, C, n_row, shape, m, o->seed, f->stream, (uint64_t)b->index << 32, workers, err);
    if (status != NSET_OK || (status = join_blocks(row, n_row, C, tail, n_tail, b, err)) != NSET_OK)
        goto done;
    if (f->reach_um > 0)
        correlation_root(root, p, f->reach_um);
    nset_parallel_for(workers, b->n, PIECE, mix_piece, &j);

done:
    nset_free(shape);
    nset_free(row);
    nset_free(root);
    return status;
}

void sim_noise_free(sim_noise *s)
{
    for (size_t i = 0; i < SIM_FIELDS; i++)
        nset_free(s->tail[i]);
    nset_free(s->line);
    *s = (sim_noise){ 0 };
}

nset_status sim_noise_add(float *x, const sim_block *b, sim_noise *s, const nset_probe *p, const nset_sim_options *o,
    nset_workers *workers, nset_error *err)
{
    field white = { white_spectrum, "white", o->rate_hz, LOW_HZ, HIGH_HZ, 0, o->noise_uv * sqrt(1 - o->pink) };
    field pink = { pink_spectrum, "pink", o->rate_hz, LOW_HZ, HIGH_HZ, o->reach_um, o->noise_uv * sqrt(o->pink) };
    nset_status status = add_field(x, b, &s->tail[0], p, o, &white, workers, err);

    if (status == NSET_OK && o->pink > 0)
        status = add_field(x, b, &s->tail[1], p, o, &pink, workers, err);
    return status;
}

enum { HARMONICS = 4 };

/* s->line (HARMONICS, C, 2) := the oscillators' states at sample 0. */
static nset_status start_line(sim_noise *s, size_t n_channels, const nset_sim_options *o, nset_error *err)
{
    static const double part[HARMONICS] = { 1, .3, .5, .25 };
    nset_random r = nset_random_stream(o->seed, "line", 0);

    if (!(s->line = nset_calloc(HARMONICS * n_channels, 2 * sizeof *s->line)))
        return nset_fail_oom(err, HARMONICS * n_channels, 2 * sizeof *s->line);
    for (size_t h = 0; h < HARMONICS; h++) {
        double phase = 2 * PI * nset_random_uniform(&r);
        for (size_t c = 0; c < n_channels; c++) {
            double size = o->line_uv * part[h] * exp(.3 * nset_random_normal(&r));
            s->line[2 * (h * n_channels + c)] = size * cos(phase);
            s->line[2 * (h * n_channels + c) + 1] = size * sin(phase);
        }
    }
    return NSET_OK;
}

static void add_line(float *x, size_t n, sim_noise *s, size_t n_channels, double rate_hz)
{
    for (size_t h = 0; h < HARMONICS; h++) {
        double w = 2 * PI * 50 * (double)(h + 1) / rate_hz, turn_re = cos(w), turn_im = sin(w);
        for (size_t c = 0; c < n_channels; c++) {
            double *state = s->line + 2 * (h * n_channels + c), re = state[0], im = state[1];
            for (size_t i = 0; i < n; i++) {
                double next = re * turn_re - im * turn_im;
                x[i * n_channels + c] += (float)im;
                im = re * turn_im + im * turn_re;
                re = next;
            }
            state[0] = re;
            state[1] = im;
        }
    }
}

nset_status sim_slow_add(float *x, const sim_block *b, sim_noise *s, const nset_probe *p, const nset_sim_options *o,
    nset_workers *workers, nset_error *err)
{
    field slow = { slow_spectrum, "slow", SLOW_STEP_HZ, .5, 500, 500, o->lfp_uv };
    nset_status status = NSET_OK;

    if (o->lfp_uv > 0)
        status = add_field(x, b, &s->tail[2], p, o, &slow, workers, err);
    if (status != NSET_OK || o->line_uv <= 0)
        return status;
    if (b->index == 0 && (status = start_line(s, p->n_channels, o, err)) != NSET_OK)
        return status;
    add_line(x, b->n, s, p->n_channels, o->rate_hz);
    return NSET_OK;
}

/* Zero-phase Butterworth-like amplitude, order 3 applied both ways. */
static double band_gain(double f)
{
    double high = f > 0 ? 1 / (1 + pow(LOW_HZ / f, 6)) : 0;

    return high / (1 + pow(f / HIGH_HZ, 6));
}

nset_status sim_band(float *rows, size_t n_rows, size_t n, double rate_hz, nset_error *err)
{
    size_t m = good_length(n + (size_t)(.02 * rate_hz));
    float *x = nset_calloc(m, sizeof *x);
    fftwf_complex *z = nset_calloc(m / 2 + 1, sizeof *z);
    fftwf_plan there = NULL, back = NULL;
    nset_status status = NSET_OK;

    if (x && z) {
        there = fftwf_plan_dft_r2c_1d((int)m, x, z, FFTW_ESTIMATE);
        back = fftwf_plan_dft_c2r_1d((int)m, z, x, FFTW_ESTIMATE);
    }
    if (!there || !back)
        status = nset_fail_oom(err, m, sizeof *x);
    for (size_t i = 0; i < n_rows && status == NSET_OK; i++) {
        memset(x, 0, m * sizeof *x);
        memcpy(x, rows + i * n, n * sizeof *x);
        fftwf_execute(there);
        for (size_t k = 0; k <= m / 2; k++) {
            float g = (float)(band_gain((double)k * rate_hz / (double)m) / (double)m);
            z[k][0] *= g;
            z[k][1] *= g;
        }
        fftwf_execute(back);
        memcpy(rows + i * n, x, n * sizeof *x);
    }
    if (there)
        fftwf_destroy_plan(there);
    if (back)
        fftwf_destroy_plan(back);
    nset_free(x);
    nset_free(z);
    return status;
}
