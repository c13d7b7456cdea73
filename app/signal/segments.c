#include "signal/segments.h"

#include <fftw3.h>
#include <math.h>
#include <string.h>

#include <neuroset/memory.h>

#include "signal/fft.h"
#include "signal/wide.h"

enum { TILE = 16 }; /* floats of a line of the cache */

struct nset_segments {
    nset_source *source;
    nset_workers *workers;
    nset_fft *fft;
    float *raw; /* (NSET_FFT, n_channels) */
};

nset_status nset_segments_open(nset_segments **out, nset_source *source, nset_workers *workers, nset_error *err)
{
    nset_segments *s = nset_calloc(1, sizeof *s);
    nset_status status;

    if (!s)
        return nset_fail_oom(err, 1, sizeof *s);
    s->source = source;
    s->workers = workers;
    if (!(s->raw = nset_calloc(NSET_FFT * source->n_channels, sizeof *s->raw))) {
        nset_segments_close(s);
        return nset_fail_oom(err, NSET_FFT * source->n_channels, sizeof *s->raw);
    }
    if ((status = nset_fft_create(&s->fft, NSET_FFT, err)) != NSET_OK) {
        nset_segments_close(s);
        return status;
    }
    *out = s;
    return NSET_OK;
}

void nset_segments_close(nset_segments *s)
{
    if (!s)
        return;
    nset_fft_free(s->fft);
    nset_free(s->raw);
    nset_free(s);
}

int64_t nset_segments_count(const nset_segments *s)
{
    return (s->source->n_samples + NSET_HOP - 1) / NSET_HOP;
}

size_t nset_segment_length(const nset_segments *s, int64_t i)
{
    int64_t left = s->source->n_samples - i * NSET_HOP;

    return left < NSET_HOP ? (size_t)left : NSET_HOP;
}

/* Sample t of a recording that is mirrored at its ends. */
static int64_t mirror(int64_t t, int64_t n)
{
    if (n == 1)
        return 0;
    while (t < 0 || t >= n)
        t = t < 0 ? -t : 2 * (n - 1) - t;
    return t;
}

static nset_status read_mirrored(nset_segments *s, int64_t start, nset_error *err)
{
    int64_t n = s->source->n_samples, first = start < 0 ? 0 : start, last = start + NSET_FFT < n ? start + NSET_FFT : n;
    size_t d = s->source->n_channels;
    nset_status status;

    if ((status = s->source->read(
             s->source, s->raw + (size_t)(first - start) * d, first, (size_t)(last - first), err)) != NSET_OK)
        return status;
    for (int64_t t = start; t < start + NSET_FFT; t++) {
        int64_t from;
        if (t >= first && t < last)
            continue;
        from = mirror(t, n);
        if (from < first || from >= last) /* a recording shorter than the margin folds more than once */
            from = first;
        memcpy(s->raw + (size_t)(t - start) * d, s->raw + (size_t)(from - start) * d, d * sizeof *s->raw);
    }
    return NSET_OK;
}

typedef struct filter_job {
    nset_segments *s;
    float *out;
    const float *response;
} filter_job;

/* Channels first .. last - 1 of raw, as planes: tiles of lines of the cache, since a column read alone misses it each
 * time. */
NSET_WIDE static void gather(float *out, const float *raw, size_t d, size_t first, size_t last)
{
    float tile[TILE][TILE];

    for (size_t t = 0; t < NSET_FFT; t += TILE)
        for (size_t c = first; c < last; c += TILE) {
            size_t n = last - c < TILE ? last - c : TILE;
            for (size_t i = 0; i < TILE; i++)
                for (size_t k = 0; k < n; k++)
                    tile[k][i] = raw[(t + i) * d + c + k];
            for (size_t k = 0; k < n; k++)
                memcpy(out + (c + k) * NSET_FFT + t, tile[k], sizeof tile[k]);
        }
}

NSET_WIDE static void multiply(fftwf_complex *spectrum, const float *response)
{
    for (size_t k = 0; k < NSET_BINS; k++) {
        spectrum[k][0] *= response[k];
        spectrum[k][1] *= response[k];
    }
}

static void filter_channels(void *ctx, size_t first, size_t last, size_t chunk)
{
    filter_job *j = ctx;
    fftwf_complex *spectrum = nset_calloc(NSET_BINS, sizeof *spectrum);

    (void)chunk;
    gather(j->out, j->s->raw, j->s->source->n_channels, first, last);
    for (size_t c = first; c < last && spectrum; c++) {
        float *x = j->out + c * NSET_FFT;
        nset_fft_forward(j->s->fft, x, spectrum);
        multiply(spectrum, j->response);
        nset_fft_inverse(j->s->fft, spectrum, x);
    }
    if (!spectrum) /* told by the caller, who sees the mark */
        j->response = NULL;
    nset_free(spectrum);
}

nset_status nset_segments_read(nset_segments *s, float *out, int64_t i, const float *response, nset_error *err)
{
    filter_job job = { s, out, response };
    size_t n = s->source->n_channels;
    nset_status status;

    if ((status = read_mirrored(s, i * NSET_HOP - NSET_MARGIN, err)) != NSET_OK)
        return status;
    nset_parallel_for(s->workers, n,
        n < 2 * TILE   ? (n + 1) / 2
        : n < 8 * TILE ? TILE
                       : 2 * TILE,
        filter_channels, &job);
    return job.response ? NSET_OK : nset_fail_oom(err, NSET_BINS, sizeof(fftwf_complex));
}

void nset_band_response(float *response, double low_hz, double high_hz, double rate_hz)
{
    const double pi = 3.14159265358979323846;

    for (size_t k = 0; k < NSET_BINS; k++) {
        double f = (double)k * rate_hz / NSET_FFT, g = 1;
        if (f < low_hz)
            g = f > .9 * low_hz ? .5 - .5 * cos(pi * (f - .9 * low_hz) / (.1 * low_hz)) : 0;
        else if (f > high_hz)
            g = f < 1.1 * high_hz ? .5 + .5 * cos(pi * (f - high_hz) / (.1 * high_hz)) : 0;
        response[k] = (float)g;
    }
}
