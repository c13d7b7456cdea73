#include "imaging/correlate.h"

#include <math.h>
#include <string.h>

#include <neuroset/memory.h>

#define SMOOTH_PX 1.2
#define EPSILON 1e-5f

/* Falls within a tenth of each side: sharper, and the edges show in the spectrum; wider, and light is lost. */
static double edge(size_t i, size_t n)
{
    double from = fmin((double)i, (double)(n - 1 - i)), slope = .025 * (double)n + .5;

    return 1 / (1 + exp(-(from - 2 * slope) / slope));
}

static double frequency(size_t i, size_t n)
{
    return (double)(i <= n / 2 ? i : n - i) / (double)n;
}

nset_status nset_correlator_init(nset_correlator *c, size_t height, size_t width, nset_error *err)
{
    size_t n = height * width;
    nset_status status;

    *c = (nset_correlator){ .height = height, .width = width, .bins = height * (width / 2 + 1) };
    c->taper = nset_calloc(n, sizeof *c->taper);
    c->smooth = nset_calloc(c->bins, sizeof *c->smooth);
    status = c->taper && c->smooth ? nset_fft_create_2d(&c->fft, height, width, err)
                                   : nset_fail_oom(err, n, sizeof *c->taper);
    if (status != NSET_OK) {
        nset_correlator_fini(c);
        return status;
    }
    for (size_t y = 0; y < height; y++) {
        for (size_t x = 0; x < width; x++)
            c->taper[y * width + x] = (float)(edge(y, height) * edge(x, width));
        for (size_t x = 0; x < width / 2 + 1; x++) {
            double fy = frequency(y, height), fx = frequency(x, width);
            c->smooth[y * (width / 2 + 1) + x] = (float)exp(-2 * 9.8696 * SMOOTH_PX * SMOOTH_PX * (fy * fy + fx * fx));
        }
    }
    return NSET_OK;
}

void nset_correlator_fini(nset_correlator *c)
{
    nset_free(c->taper);
    nset_free(c->smooth);
    nset_fft_free(c->fft);
    *c = (nset_correlator){ 0 };
}

nset_status nset_correlator_room_init(nset_correlator_room *r, const nset_correlator *c, nset_error *err)
{
    r->image = nset_calloc(c->height * c->width, sizeof *r->image);
    r->spectrum = nset_calloc(c->bins, sizeof *r->spectrum);
    if (r->image && r->spectrum)
        return NSET_OK;
    nset_correlator_room_fini(r);
    return nset_fail_oom(err, c->height * c->width, sizeof *r->image);
}

void nset_correlator_room_fini(nset_correlator_room *r)
{
    nset_free(r->image);
    nset_free(r->spectrum);
    *r = (nset_correlator_room){ 0 };
}

static void taper(const nset_correlator *c, float *x, float mean)
{
    for (size_t i = 0; i < c->height * c->width; i++)
        x[i] = (x[i] - mean) * c->taper[i];
}

void nset_correlator_transform(const nset_correlator *c, nset_correlator_room *r, fftwf_complex *spectrum, float mean)
{
    float *z = (float *)spectrum;

    taper(c, r->image, mean);
    nset_fft_forward(c->fft, r->image, spectrum);
    for (size_t k = 0; k < c->bins; k++) {
        float size = 1 / (sqrtf(z[2 * k] * z[2 * k] + z[2 * k + 1] * z[2 * k + 1]) + EPSILON);
        z[2 * k] *= size;
        z[2 * k + 1] *= size;
    }
}

void nset_correlator_as_reference(const nset_correlator *c, fftwf_complex *spectrum)
{
    for (size_t k = 0; k < c->bins; k++) {
        spectrum[k][0] *= c->smooth[k];
        spectrum[k][1] *= -c->smooth[k];
    }
}

void nset_correlator_apply(
    const nset_correlator *c, nset_correlator_room *r, const fftwf_complex *reference, float mean)
{
    float *z = (float *)r->spectrum;
    const float *q = (const float *)reference;

    taper(c, r->image, mean);
    nset_fft_forward(c->fft, r->image, r->spectrum);
    for (size_t k = 0; k < c->bins; k++) {
        float a = z[2 * k], b = z[2 * k + 1], size = 1 / (sqrtf(a * a + b * b) + EPSILON);
        z[2 * k] = (a * q[2 * k] - b * q[2 * k + 1]) * size;
        z[2 * k + 1] = (a * q[2 * k + 1] + b * q[2 * k]) * size;
    }
    nset_fft_inverse(c->fft, r->spectrum, r->image);
}

void nset_correlator_window(
    const nset_correlator *c, const nset_correlator_room *r, float *window, size_t reach_y, size_t reach_x)
{
    size_t w = 2 * reach_x + 1;

    for (size_t y = 0; y < 2 * reach_y + 1; y++) {
        const float *row = r->image + (y < reach_y ? c->height + y - reach_y : y - reach_y) * c->width;
        memcpy(window + y * w, row + c->width - reach_x, reach_x * sizeof *window);
        memcpy(window + y * w + reach_x, row, (reach_x + 1) * sizeof *window);
    }
}

/* Top of a parabola through the logarithms of three heights; of the heights where one is not above 0. */
static double refine(double before, double here, double after)
{
    double bend;

    if (before > 0 && here > 0 && after > 0) {
        before = log(before);
        here = log(here);
        after = log(after);
    }
    bend = before - 2 * here + after;
    return bend < 0 ? fmax(-.5, fmin(.5, .5 * (before - after) / bend)) : 0;
}

/* Largest value more than AWAY from (y, x) in rows or columns. */
static float largest_away(const float *window, size_t h, size_t w, size_t y, size_t x)
{
    enum { AWAY = 3 };
    float largest = 0;

    for (size_t i = 0; i < h; i++)
        for (size_t j = 0; j < w; j++)
            if ((i > y + AWAY || y > i + AWAY || j > x + AWAY || x > j + AWAY) && window[i * w + j] > largest)
                largest = window[i * w + j];
    return largest;
}

nset_peak nset_peak_find(const float *window, size_t reach_y, size_t reach_x)
{
    size_t h = 2 * reach_y + 1, w = 2 * reach_x + 1, best = reach_y * w + reach_x, y, x;
    nset_peak p;

    for (size_t i = 0; i < h * w; i++)
        if (window[i] > window[best])
            best = i;
    y = best / w;
    x = best % w;
    p = (nset_peak){ { (double)y - (double)reach_y, (double)x - (double)reach_x }, window[best],
        largest_away(window, h, w, y, x) };
    if (y > 0 && y + 1 < h)
        p.shift[0] += refine((double)window[best - w], (double)window[best], (double)window[best + w]);
    if (x > 0 && x + 1 < w)
        p.shift[1] += refine((double)window[best - 1], (double)window[best], (double)window[best + 1]);
    return p;
}
