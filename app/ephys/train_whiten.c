#include "ephys/train_events.h"

#include <fftw3.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <neuroset/memory.h>

#define LOW_HZ 300.
#define HIGH_HZ 6000.
#define PI 3.14159265358979323846
#define SHRINK .97 /* of the covariance towards its diagonal */
#define QUIET 4.5f /* a sample larger than that on any channel, and what lies near, is not noise */
enum { SEGMENT = 512, SEGMENTS = 200, AROUND = 30, SWEEPS = 60 };

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;

    return (x > y) - (x < y);
}

static float median(float *x, size_t n)
{
    qsort(x, n, sizeof *x, by_value);
    return n ? x[n / 2] : 0;
}

/* power (SEGMENT / 2 + 1) := median over segments of the mean over channels of the periodogram. */
static nset_status median_spectrum(float *power, const float *x, size_t n, size_t C, nset_error *err)
{
    size_t bins = SEGMENT / 2 + 1, count = n / SEGMENT < SEGMENTS ? n / SEGMENT : SEGMENTS;
    float *in = nset_calloc(SEGMENT, sizeof *in), *all = nset_calloc(bins * (count + 1), sizeof *all);
    fftwf_complex *z = nset_calloc(bins, sizeof *z);
    fftwf_plan plan = in && z ? fftwf_plan_dft_r2c_1d(SEGMENT, in, z, FFTW_ESTIMATE) : NULL;
    nset_status status = all && plan ? NSET_OK : nset_fail_oom(err, bins * count, sizeof *all);

    for (size_t s = 0; s < count && status == NSET_OK; s++) {
        size_t from = s * (n / SEGMENT) / count * SEGMENT;
        for (size_t c = 0; c < C; c++) {
            for (size_t i = 0; i < SEGMENT; i++)
                in[i] = x[(from + i) * C + c] * (float)(.5 - .5 * cos(2 * PI * (double)i / SEGMENT));
            fftwf_execute(plan);
            for (size_t k = 0; k < bins; k++)
                all[k * count + s] += (z[k][0] * z[k][0] + z[k][1] * z[k][1]) / (float)C;
        }
    }
    for (size_t k = 0; k < bins && status == NSET_OK; k++)
        power[k] = median(all + k * count, count);
    if (plan)
        fftwf_destroy_plan(plan);
    nset_free(in);
    nset_free(all);
    nset_free(z);
    return status;
}

typedef struct filter_job {
    fftwf_plan there, back;
    float *x;
    const float *gain; /* (m / 2 + 1) */
    size_t n, m, C;
    char *failed;
} filter_job;

static void filter_channels(void *ctx, size_t first, size_t last, size_t chunk)
{
    filter_job *j = ctx;
    float *row = nset_calloc(j->m, sizeof *row), *sorted = nset_calloc(j->n / 10 + 1, sizeof *sorted);
    fftwf_complex *z = nset_calloc(j->m / 2 + 1, sizeof *z);

    (void)chunk;
    for (size_t c = first; c < last; c++) {
        float scale;
        size_t count = 0;
        if (!row || !sorted || !z) {
            j->failed[c] = 1;
            continue;
        }
        memset(row, 0, j->m * sizeof *row);
        for (size_t i = 0; i < j->n; i++)
            row[i] = j->x[i * j->C + c];
        fftwf_execute_dft_r2c(j->there, row, z);
        for (size_t k = 0; k <= j->m / 2; k++) {
            z[k][0] *= j->gain[k];
            z[k][1] *= j->gain[k];
        }
        fftwf_execute_dft_c2r(j->back, z, row);
        for (size_t i = 0; i + 10 <= j->n; i += 10)
            sorted[count++] = fabsf(row[i]);
        scale = median(sorted, count) / .6745f;
        for (size_t i = 0; i < j->n; i++)
            j->x[i * j->C + c] = scale > 0 ? row[i] / scale : 0;
    }
    nset_free(row);
    nset_free(sorted);
    nset_free(z);
}

static nset_status whiten_time(float *x, size_t n, size_t C, double rate, nset_workers *workers, nset_error *err)
{
    size_t m = (n + 2048) / 4096 * 4096 + 4096, bins = SEGMENT / 2 + 1;
    float power[SEGMENT / 2 + 1] = { 0 };
    float *gain = nset_calloc(m / 2 + 1, sizeof *gain), *row = nset_calloc(m, sizeof *row);
    fftwf_complex *z = nset_calloc(m / 2 + 1, sizeof *z);
    filter_job j = { .x = x, .gain = gain, .n = n, .m = m, .C = C, .failed = nset_calloc(C, 1) };
    nset_status status = gain && row && z && j.failed ? NSET_OK : nset_fail_oom(err, m, sizeof *row);

    if (status == NSET_OK && (status = median_spectrum(power, x, n, C, err)) == NSET_OK) {
        j.there = fftwf_plan_dft_r2c_1d((int)m, row, z, FFTW_ESTIMATE);
        j.back = fftwf_plan_dft_c2r_1d((int)m, z, row, FFTW_ESTIMATE);
        for (size_t k = 0; k <= m / 2; k++) {
            double f = (double)k * rate / (double)m, at = f / rate * SEGMENT;
            size_t b = (size_t)at < bins - 2 ? (size_t)at : bins - 2;
            double p = (double)power[b] + (at - (double)b) * ((double)power[b + 1] - (double)power[b]);
            gain[k] = f >= LOW_HZ && f <= HIGH_HZ && p > 0 ? (float)(1 / sqrt(p) / (double)m) : 0;
        }
        nset_parallel_for(workers, C, 1, filter_channels, &j);
        for (size_t c = 0; c < C; c++)
            if (j.failed[c])
                status = nset_fail_oom(err, m, sizeof *row);
        fftwf_destroy_plan(j.there);
        fftwf_destroy_plan(j.back);
    }
    nset_free(gain);
    nset_free(row);
    nset_free(z);
    nset_free(j.failed);
    return status;
}

/* Eigenvalues on the diagonal of a, vectors in the columns of v, both (n, n): cyclic Jacobi rotations. */
static void jacobi(double *a, double *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            v[i * n + j] = i == j;
    for (int sweep = 0; sweep < SWEEPS; sweep++) {
        double off = 0;
        for (size_t p = 0; p + 1 < n; p++)
            for (size_t q = p + 1; q < n; q++) {
                double apq = a[p * n + q], t, c, s, theta;
                off += apq * apq;
                if (fabs(apq) < 1e-14)
                    continue;
                theta = (a[q * n + q] - a[p * n + p]) / (2 * apq);
                t = (theta >= 0 ? 1 : -1) / (fabs(theta) + sqrt(theta * theta + 1));
                c = 1 / sqrt(t * t + 1);
                s = t * c;
                for (size_t k = 0; k < n; k++) {
                    double x = a[k * n + p], y = a[k * n + q];
                    a[k * n + p] = c * x - s * y;
                    a[k * n + q] = s * x + c * y;
                }
                for (size_t k = 0; k < n; k++) {
                    double x = a[p * n + k], y = a[q * n + k], u = v[k * n + p], w = v[k * n + q];
                    a[p * n + k] = c * x - s * y;
                    a[q * n + k] = s * x + c * y;
                    v[k * n + p] = c * u - s * w;
                    v[k * n + q] = s * u + c * w;
                }
            }
        if (off < 1e-20)
            break;
    }
}

/* s (C, C) := covariance of every third quiet sample, shrunk towards its diagonal. */
static nset_status quiet_covariance(double *s, const float *x, size_t n, size_t C, nset_error *err)
{
    char *loud = nset_calloc(n, 1);
    double count = 1e-9;

    if (!loud)
        return nset_fail_oom(err, n, 1);
    for (size_t i = 0; i < n; i++)
        for (size_t c = 0; c < C; c++)
            if (fabsf(x[i * C + c]) > QUIET) {
                size_t from = i > AROUND ? i - AROUND : 0, to = i + AROUND < n ? i + AROUND : n - 1;
                memset(loud + from, 1, to - from + 1);
                break;
            }
    for (size_t i = 0; i < n; i += 3) {
        if (loud[i])
            continue;
        count++;
        for (size_t a = 0; a < C; a++)
            for (size_t b = 0; b <= a; b++)
                s[a * C + b] += (double)x[i * C + a] * (double)x[i * C + b];
    }
    for (size_t a = 0; a < C; a++)
        for (size_t b = 0; b <= a; b++)
            s[b * C + a] = s[a * C + b] = s[a * C + b] / count * (a == b ? 1 : SHRINK) + (a == b) * 1e-6;
    nset_free(loud);
    return NSET_OK;
}

typedef struct mix_job {
    float *x;
    const float *w; /* (C, C) symmetric */
    size_t C;
} mix_job;

static void mix_samples(void *ctx, size_t first, size_t last, size_t chunk)
{
    const mix_job *j = ctx;
    float y[384];

    (void)chunk;
    for (size_t i = first; i < last; i++) {
        float *row = j->x + i * j->C;
        memset(y, 0, j->C * sizeof *y);
        for (size_t k = 0; k < j->C; k++)
            for (size_t c = 0; c < j->C; c++)
                y[c] += row[k] * j->w[k * j->C + c];
        memcpy(row, y, j->C * sizeof *y);
    }
}

static void rescale(float *x, float *sorted, size_t n, size_t C)
{
    for (size_t c = 0; c < C; c++) {
        size_t count = 0;
        float scale;
        for (size_t i = 0; i + 10 <= n; i += 10)
            sorted[count++] = fabsf(x[i * C + c]);
        scale = median(sorted, count) / .6745f;
        for (size_t i = 0; i < n && scale > 0; i++)
            x[i * C + c] /= scale;
    }
}

nset_status nset_train_whiten(float *x, size_t n, size_t C, double rate_hz, nset_workers *workers, nset_error *err)
{
    double *s = nset_calloc(C * C, sizeof *s), *v = nset_calloc(C * C, sizeof *v);
    float *w = nset_calloc(C * C, sizeof *w), *sorted = nset_calloc(n / 10 + 1, sizeof *sorted);
    mix_job j = { x, w, C };
    nset_status status = s && v && w && sorted ? NSET_OK : nset_fail_oom(err, C * C, sizeof *s);

    if (status != NSET_OK || (status = whiten_time(x, n, C, rate_hz, workers, err)) != NSET_OK ||
        (status = quiet_covariance(s, x, n, C, err)) != NSET_OK)
        goto done;
    jacobi(s, v, C);
    for (size_t a = 0; a < C; a++)
        for (size_t b = 0; b < C; b++) {
            double sum = 0;
            for (size_t k = 0; k < C; k++)
                sum += v[a * C + k] * v[b * C + k] / sqrt(fmax(s[k * C + k], 1e-6));
            w[a * C + b] = (float)sum;
        }
    nset_parallel_for(workers, n, 4096, mix_samples, &j);
    rescale(x, sorted, n, C);

done:
    nset_free(s);
    nset_free(v);
    nset_free(w);
    nset_free(sorted);
    return status;
}
