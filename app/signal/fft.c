#include "signal/fft.h"

#include <pthread.h>
#include <stdbool.h>

#include <neuroset/memory.h>

#include "signal/wide.h"

struct nset_fft {
    fftwf_plan forward, inverse;
    size_t n;
};

static pthread_mutex_t planner = PTHREAD_MUTEX_INITIALIZER;

static nset_status create(nset_fft **out, size_t height, size_t width, bool flat, nset_error *err)
{
    nset_fft *f = nset_calloc(1, sizeof *f);
    size_t n = height * width, n_bins = height * (width / 2 + 1);
    float *x = nset_calloc(n, sizeof *x);
    fftwf_complex *z = nset_calloc(n_bins, sizeof *z);

    if (!f || !x || !z) {
        nset_free(f);
        nset_free(x);
        nset_free(z);
        return nset_fail_oom(err, n, sizeof *x);
    }
    f->n = n;
    pthread_mutex_lock(&planner);
    if (flat) {
        f->forward = fftwf_plan_dft_r2c_1d((int)n, x, z, FFTW_ESTIMATE);
        f->inverse = fftwf_plan_dft_c2r_1d((int)n, z, x, FFTW_ESTIMATE);
    } else {
        f->forward = fftwf_plan_dft_r2c_2d((int)height, (int)width, x, z, FFTW_ESTIMATE);
        f->inverse = fftwf_plan_dft_c2r_2d((int)height, (int)width, z, x, FFTW_ESTIMATE);
    }
    pthread_mutex_unlock(&planner);
    nset_free(x);
    nset_free(z);
    if (!f->forward || !f->inverse) {
        nset_fft_free(f);
        return nset_fail(err, NSET_ERR_NUMERIC, "no plan for a Fourier transform of %zu x %zu", height, width);
    }
    *out = f;
    return NSET_OK;
}

nset_status nset_fft_create(nset_fft **out, size_t n, nset_error *err)
{
    return create(out, 1, n, true, err);
}

nset_status nset_fft_create_2d(nset_fft **out, size_t height, size_t width, nset_error *err)
{
    return create(out, height, width, false, err);
}

void nset_fft_free(nset_fft *f)
{
    if (!f)
        return;
    pthread_mutex_lock(&planner);
    if (f->forward)
        fftwf_destroy_plan(f->forward);
    if (f->inverse)
        fftwf_destroy_plan(f->inverse);
    pthread_mutex_unlock(&planner);
    nset_free(f);
}

void nset_fft_forward(const nset_fft *f, float *x, fftwf_complex *spectrum)
{
    fftwf_execute_dft_r2c(f->forward, x, spectrum);
}

NSET_WIDE static void multiply(float *x, size_t n, float factor)
{
    for (size_t i = 0; i < n; i++)
        x[i] *= factor;
}

void nset_fft_inverse(const nset_fft *f, fftwf_complex *spectrum, float *x)
{
    fftwf_execute_dft_c2r(f->inverse, spectrum, x);
    multiply(x, f->n, 1 / (float)f->n);
}
