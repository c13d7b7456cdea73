#include "imaging/motion_quality.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <neuroset/memory.h>

#include "imaging/blur.h"

enum { COMPONENTS = 3, STEPS = 40, LEAST_FRAMES = 20 };

double nset_image_correlation(const float *a, const float *b, size_t n)
{
    double x = 0, y = 0, xx = 0, yy = 0, xy = 0, v;

    for (size_t i = 0; i < n; i += 3) {
        double p = (double)a[i], q = (double)b[i];
        x += p;
        y += q;
        xx += p * p;
        yy += q * q;
        xy += p * q;
    }
    n = (n + 2) / 3;
    v = (xx - x * x / (double)n) * (yy - y * y / (double)n);
    return v > 0 ? (xy - x * y / (double)n) / sqrt(v) : 0;
}

double nset_image_crispness(const float *image, size_t height, size_t width, float *smooth, float *room)
{
    double square = 0;

    memcpy(smooth, image, height * width * sizeof *smooth);
    nset_blur(smooth, height, width, 1, room);
    for (size_t y = 0; y + 1 < height; y++)
        for (size_t x = 0; x + 1 < width; x++) {
            const float *p = smooth + y * width + x;
            double d = (double)(p[1] - p[0]), e = (double)(p[width] - p[0]);
            square += d * d + e * e;
        }
    return sqrt(square / (double)(height * width));
}

/* gram (n, n) of images about their mean. */
static void make_gram(double *gram, float *thumbs, size_t n, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        double mean = 0;
        for (size_t k = 0; k < n; k++)
            mean += (double)thumbs[k * size + i] / (double)n;
        for (size_t k = 0; k < n; k++)
            thumbs[k * size + i] -= (float)mean;
    }
    for (size_t a = 0; a < n; a++)
        for (size_t b = 0; b <= a; b++) {
            double dot = 0;
            for (size_t i = 0; i < size; i += 4) /* a quarter of the pixels is enough to order frames by */
                dot += (double)(thumbs[a * size + i] * thumbs[b * size + i]);
            gram[a * n + b] = gram[b * n + a] = dot;
        }
}

/* v (n) := first component of gram, which loses it. next (n): room. */
static void take_component(double *v, double *gram, double *next, size_t n)
{
    double value = 0;

    for (size_t i = 0; i < n; i++)
        v[i] = 1 + (double)(i % 3);
    for (int step = 0; step < STEPS; step++) {
        double square = 0;
        for (size_t i = 0; i < n; i++) {
            next[i] = 0;
            for (size_t j = 0; j < n; j++)
                next[i] += gram[i * n + j] * v[j];
            square += next[i] * next[i];
        }
        value = sqrt(square);
        for (size_t i = 0; i < n; i++)
            v[i] = value > 0 ? next[i] / value : 0;
    }
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            gram[i * n + j] -= value * v[i] * v[j];
}

typedef struct place {
    double at;
    size_t k;
} place;

static int by_place(const void *a, const void *b)
{
    const place *p = a, *q = b;

    if (p->at < q->at || p->at > q->at)
        return p->at < q->at ? -1 : 1;
    return (p->k > q->k) - (p->k < q->k);
}

/* to := reference and mean of m images of list from first on (they are about 0). */
static void mean_of(float *to, const nset_reference *r, const float *thumbs, const place *list, size_t first, size_t m)
{
    size_t size = r->height * r->width;

    memcpy(to, r->image, size * sizeof *to);
    for (size_t k = first; k < first + m; k++)
        for (size_t i = 0; i < size; i++)
            to[i] += thumbs[list[k].k * size + i] / (float)m;
}

static double shift_between(
    const nset_reference *r, float *low, const float *high, nset_correlator_room *room, fftwf_complex *spectrum)
{
    enum { REACH = 4, SIDE = 2 * REACH + 1 };
    size_t size = r->height * r->width;
    float window[SIDE * SIDE];
    nset_peak p;

    memcpy(room->image, low, size * sizeof *low);
    nset_correlator_transform(&r->correlator, room, spectrum, r->mean);
    nset_correlator_as_reference(&r->correlator, spectrum);
    memcpy(room->image, high, size * sizeof *high);
    nset_correlator_apply(&r->correlator, room, (const fftwf_complex *)spectrum, r->mean);
    nset_correlator_window(&r->correlator, room, window, REACH, REACH);
    p = nset_peak_find(window, REACH, REACH);
    return hypot(p.shift[0], p.shift[1]) * (double)r->factor;
}

nset_status nset_motion_residual(double *residual_px, float *thumbs, size_t n, const nset_reference *r, nset_error *err)
{
    size_t size = r->height * r->width, m = n / 10 > 2 ? n / 10 : 2;
    double *gram = nset_calloc(n * n + 2 * n, sizeof *gram);
    place *list = nset_calloc(n, sizeof *list);
    float *low = nset_calloc(size, sizeof *low), *high = nset_calloc(size, sizeof *high);
    fftwf_complex *spectrum = nset_calloc(r->correlator.bins, sizeof *spectrum);
    nset_correlator_room room = { 0 };
    nset_status status = gram && list && low && high && spectrum ? nset_correlator_room_init(&room, &r->correlator, err)
                                                                 : nset_fail_oom(err, size, 2 * sizeof *low);

    *residual_px = 0;
    if (status == NSET_OK && n >= LEAST_FRAMES && r->height > 16 && r->width > 16) {
        make_gram(gram, thumbs, n, size);
        for (int c = 0; c < COMPONENTS; c++) {
            double *v = gram + n * n;
            take_component(v, gram, v + n, n);
            for (size_t k = 0; k < n; k++)
                list[k] = (place){ v[k], k };
            qsort(list, n, sizeof *list, by_place);
            mean_of(low, r, thumbs, list, 0, m);
            mean_of(high, r, thumbs, list, n - m, m);
            *residual_px = fmax(*residual_px, shift_between(r, low, high, &room, spectrum));
        }
    }
    nset_correlator_room_fini(&room);
    nset_free(gram);
    nset_free(list);
    nset_free(low);
    nset_free(high);
    nset_free(spectrum);
    return status;
}
