#include "imaging/lines.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <neuroset/memory.h>

#include "signal/fft.h"

enum { LEAST_ROWS = 4, LEAST_COLUMNS = 64 };
#define ABOVE_NONE 1.3 /* times the curve at no offset */
#define ABOVE_REST 5   /* times the rest of the curve, root mean square */

/* x := row about its mean, tapered at its ends. */
static void prepare(float *x, const float *a, const float *b, size_t n)
{
    double mean = 0;

    for (size_t i = 0; i < n; i++) {
        x[i] = a[i] + b[i];
        mean += (double)x[i] / (double)n;
    }
    for (size_t i = 0; i < n; i++) {
        double from = fmin((double)i, (double)(n - 1 - i)), rise = .05 * (double)n;
        x[i] = (x[i] - (float)mean) * (float)(from < rise ? .5 - .5 * cos(3.14159 * from / rise) : 1);
    }
}

/* to += odd times conjugate even, whitened. */
static void add_product(fftwf_complex *to, fftwf_complex *odd, fftwf_complex *even, size_t n)
{
    for (size_t k = 1; k < n; k++) { /* without the mean */
        float a = odd[k][0], b = odd[k][1], c = even[k][0], d = even[k][1];
        float re = a * c + b * d, im = b * c - a * d, size = sqrtf(re * re + im * im);
        if (size > 0) {
            to[k][0] += re / size;
            to[k][1] += im / size;
        }
    }
}

static void take_curve(double *curve, const float *x, size_t n)
{
    for (int i = 0; i < NSET_LINES; i++) {
        double sum = 0; /* three points: neighbours share a peak between two pixels */
        for (int k = -1; k <= 1; k++)
            sum += (k ? .5 : 1) * (double)x[(size_t)(i - NSET_LINES_REACH + k + (int)n) % n];
        curve[i] = sum;
    }
}

nset_status nset_lines_correlate(double *curve, const float *frame, size_t height, size_t width, nset_error *err)
{
    size_t bins = width / 2 + 1;
    nset_fft *fft = NULL;
    float *x = nset_calloc(width, sizeof *x);
    fftwf_complex *odd = nset_calloc(bins, sizeof *odd), *even = nset_calloc(bins, sizeof *even),
                  *sum = nset_calloc(bins, sizeof *sum);
    nset_status status = x && odd && even && sum ? NSET_OK : nset_fail_oom(err, width, 4 * sizeof *sum);

    memset(curve, 0, NSET_LINES * sizeof *curve);
    if (status == NSET_OK && height >= LEAST_ROWS && width >= LEAST_COLUMNS &&
        (status = nset_fft_create(&fft, width, err)) == NSET_OK) {
        for (size_t y = 1; y + 1 < height; y += 2) {
            const float *row = frame + y * width;
            prepare(x, row, row, width);
            nset_fft_forward(fft, x, odd);
            prepare(x, row - width, row + width, width);
            nset_fft_forward(fft, x, even);
            add_product(sum, odd, even, bins);
        }
        nset_fft_inverse(fft, sum, x);
        take_curve(curve, x, width);
    }
    nset_fft_free(fft);
    nset_free(x);
    nset_free(odd);
    nset_free(even);
    nset_free(sum);
    return status;
}

/* Where the curves from first on, every step-th, peak together; sum (NSET_LINES): what they come to. */
static int peak_of(double *sum, const double *curves, size_t n, size_t first, size_t step)
{
    int best = NSET_LINES_REACH;

    memset(sum, 0, NSET_LINES * sizeof *sum);
    for (size_t f = first; f < n; f += step)
        for (int i = 0; i < NSET_LINES; i++)
            sum[i] += curves[f * NSET_LINES + (size_t)i];
    for (int i = 0; i < NSET_LINES; i++)
        if (sum[i] > sum[best])
            best = i;
    return best - NSET_LINES_REACH;
}

/* Does the peak at an offset stand out, from the curve at no offset and from the rest of it? */
static bool stands_out(const double *sum, int offset)
{
    int best = offset + NSET_LINES_REACH;
    double square = 0, n = 0;

    for (int i = 0; i < NSET_LINES; i++)
        if (abs(i - best) > 2) {
            square += sum[i] * sum[i];
            n++;
        }
    return sum[best] > ABOVE_NONE * sum[NSET_LINES_REACH] && sum[best] > ABOVE_REST * sqrt(square / n);
}

int nset_lines_offset(const double *curves, size_t n)
{
    double sum[NSET_LINES], half[NSET_LINES];
    int offset = n ? peak_of(sum, curves, n, 0, 1) : 0;

    if (offset == 0 || !stands_out(sum, offset) ||
        (n > 1 && (peak_of(half, curves, n, 0, 2) != offset || peak_of(half, curves, n, 1, 2) != offset)))
        return 0;
    return offset;
}
