#include "ephys/measures.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <neuroset/memory.h>

#define ISI_S .0015
#define REFRACTORY_S .001
enum { CUTOFF_SPIKES = 500, CUTOFF_BINS = 100, PRESENCE_BINS = 60 };

static double isi_violations(const int64_t *t, size_t n, double rate_hz, double seconds)
{
    size_t v = 0;

    if (n < 2)
        return NAN;
    for (size_t i = 1; i < n; i++)
        v += (double)(t[i] - t[i - 1]) < ISI_S * rate_hz;
    return (double)v * seconds / (2 * (double)n * (double)n * ISI_S);
}

/* Llobet et al. 2022: pairs closer than the refractory period, not only neighbours. */
static double rp_contamination(const int64_t *t, size_t n, double rate_hz, double seconds)
{
    double v = 0, root;

    if (n < 2)
        return NAN;
    for (size_t i = 0; i < n; i++)
        for (size_t j = i + 1; j < n && (double)(t[j] - t[i]) <= REFRACTORY_S * rate_hz; j++)
            v++;
    root = 1 - v * seconds / ((double)n * (double)n * REFRACTORY_S);
    return root < 0 ? 1 : 1 - sqrt(root);
}

/* Bins of a minute; of a sixtieth of the recording when that is shorter than ten minutes. */
static double presence(const int64_t *t, size_t n, double rate_hz, double seconds)
{
    double width = seconds < 600 ? seconds / PRESENCE_BINS : 60;
    size_t n_bins = (size_t)fmax(1, floor(seconds / width + 1e-9)), with = 0;
    size_t last = SIZE_MAX;

    for (size_t i = 0; i < n; i++) {
        size_t bin = (size_t)((double)t[i] / rate_hz / width);
        if (bin < n_bins && bin != last) {
            with++;
            last = bin;
        }
    }
    return (double)with / (double)n_bins;
}

static int by_size(const void *a, const void *b)
{
    float p = *(const float *)a, q = *(const float *)b;

    return (p > q) - (p < q);
}

/* Share of spikes below the detection's reach, from the histogram's asymmetry; at most .5. */
static double amplitude_cutoff(float *a, size_t n)
{
    double h[CUTOFF_BINS] = { 0 }, smooth[CUTOFF_BINS], width, sum = 0;
    size_t peak = 0, mirror = CUTOFF_BINS;

    if (n < CUTOFF_SPIKES)
        return NAN;
    qsort(a, n, sizeof *a, by_size);
    width = (double)(a[n - 1] - a[0]) / CUTOFF_BINS;
    if (width <= 0)
        return NAN;
    for (size_t i = 0; i < n; i++) {
        size_t bin = (size_t)((double)(a[i] - a[0]) / width);
        h[bin < CUTOFF_BINS ? bin : CUTOFF_BINS - 1]++;
    }
    for (size_t k = 0; k < CUTOFF_BINS; k++) {
        size_t first = k > 0 ? k - 1 : 0, last = k + 1 < CUTOFF_BINS ? k + 1 : k;
        smooth[k] = 0;
        for (size_t j = first; j <= last; j++)
            smooth[k] += h[j] / (double)(last - first + 1);
        peak = smooth[k] > smooth[peak] ? k : peak;
    }
    for (size_t k = peak; k < CUTOFF_BINS && mirror == CUTOFF_BINS; k++)
        if (smooth[k] <= smooth[0])
            mirror = k;
    for (size_t k = mirror; k < CUTOFF_BINS; k++)
        sum += smooth[k];
    return fmin(.5, sum / (double)n);
}

nset_status nset_unit_measure(nset_unit *u, const nset_sorting *s, nset_error *err)
{
    int64_t *t = nset_calloc(u->n_spikes, sizeof *t);
    float *a = nset_calloc(u->n_spikes, sizeof *a);
    double seconds = (double)s->n_samples / s->rate_hz;
    size_t n = 0;

    if (!t || !a) {
        nset_free(t);
        nset_free(a);
        return nset_fail_oom(err, u->n_spikes, sizeof *t);
    }
    for (size_t i = 0; i < s->n_spikes && n < u->n_spikes; i++)
        if (s->spikes[i].unit == u->id) {
            t[n] = s->spikes[i].sample;
            a[n++] = s->spikes[i].amplitude_uv;
        }
    u->rate_hz = (double)n / seconds;
    u->isi_violations_ratio = isi_violations(t, n, s->rate_hz, seconds);
    u->rp_contamination = rp_contamination(t, n, s->rate_hz, seconds);
    u->presence = presence(t, n, s->rate_hz, seconds);
    u->amplitude_cutoff = amplitude_cutoff(a, n);
    nset_free(t);
    nset_free(a);
    return NSET_OK;
}

void nset_unit_label(nset_unit *u, double confidence, double norm)
{
    u->label = NSET_LABEL_GOOD;
    snprintf(u->reason, sizeof u->reason, "template norm %.1f, contamination %.2f, mean probability %.2f", norm,
        u->rp_contamination, confidence);
    if (norm < 5) {
        u->label = NSET_LABEL_NOISE;
        snprintf(u->reason, sizeof u->reason, "template norm %.1f noise sd is below 5", norm);
    } else if (u->rp_contamination > .3) {
        u->label = NSET_LABEL_MUA;
        snprintf(u->reason, sizeof u->reason, "contamination %.2f from refractory violations is above 0.3",
            u->rp_contamination);
    } else if (confidence < .8) {
        u->label = NSET_LABEL_MUA;
        snprintf(u->reason, sizeof u->reason, "mean probability %.2f of its spikes is below 0.8", confidence);
    }
}
