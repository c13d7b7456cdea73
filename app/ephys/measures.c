#include "ephys/measures.h"

#include <math.h>
#include <stdio.h>

#include <neuroset/memory.h>

#define ISI_S .0015
#define REFRACTORY_S .001
#define LEAST_SNR 1.5
enum { FEW_SPIKES = 20, CUTOFF_SPIKES = 500, CUTOFF_BINS = 100, CUTOFF_SMOOTH = 3, PRESENCE_BINS = 60 };

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
    double v = 0, root, refractory = rint(REFRACTORY_S * rate_hz); /* whole samples */

    if (n < 2)
        return NAN;
    for (size_t i = 0; i < n; i++)
        for (size_t j = i + 1; j < n && (double)(t[j] - t[i]) <= refractory; j++)
            v++;
    root = 1 - v * seconds / ((double)n * (double)n * refractory / rate_hz);
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

/* out := h smoothed by a Gaussian of 3 bins, cut at 4 of its standard deviations, the ends repeated; whole
 * counts, as SpikeInterface has them. */
static void smooth(double *out, const double *h)
{
    enum { REACH = 4 * CUTOFF_SMOOTH };
    double weight[2 * REACH + 1], sum = 0, value;

    for (int k = -REACH; k <= REACH; k++)
        sum += weight[k + REACH] = exp(-.5 * k * k / (double)(CUTOFF_SMOOTH * CUTOFF_SMOOTH));
    for (int i = 0; i < CUTOFF_BINS; i++) {
        value = 0;
        for (int k = -REACH; k <= REACH; k++) {
            int j = i + k < 0 ? 0 : i + k >= CUTOFF_BINS ? CUTOFF_BINS - 1 : i + k;
            value += weight[k + REACH] / sum * h[j];
        }
        out[i] = floor(value);
    }
}

/* Share of spikes below the detection's reach: as many as lie beyond the mirror image of the low edge; at most .5. */
static double amplitude_cutoff(const float *a, size_t n)
{
    double h[CUTOFF_BINS] = { 0 }, pdf[CUTOFF_BINS], low = INFINITY, high = -INFINITY, missing = 0;
    size_t mirror = 0;

    if (n < CUTOFF_SPIKES)
        return NAN;
    for (size_t i = 0; i < n; i++) {
        low = fmin(low, (double)a[i]);
        high = fmax(high, (double)a[i]);
    }
    if (high <= low)
        return NAN;
    for (size_t i = 0; i < n; i++) {
        size_t bin = (size_t)(((double)a[i] - low) / (high - low) * CUTOFF_BINS);
        h[bin < CUTOFF_BINS ? bin : CUTOFF_BINS - 1]++;
    }
    smooth(pdf, h);
    for (size_t k = 0; k < CUTOFF_BINS; k++)
        mirror = pdf[k] >= pdf[0] ? k : mirror;
    for (size_t k = mirror + 1; k < CUTOFF_BINS; k++)
        missing += pdf[k];
    return fmin(.5, missing / ((double)n + missing));
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
    } else if (u->snr < LEAST_SNR) { /* what locks to hum or a square wave has a norm, but no spike */
        u->label = NSET_LABEL_NOISE;
        snprintf(u->reason, sizeof u->reason, "its waveform is %.2f noise sd tall, below %.1f", u->snr, LEAST_SNR);
    } else if (u->rp_contamination > .3) {
        u->label = NSET_LABEL_MUA;
        snprintf(u->reason, sizeof u->reason, "contamination %.2f from refractory violations is above 0.3",
            u->rp_contamination);
    } else if (u->n_spikes < FEW_SPIKES) {
        u->label = NSET_LABEL_MUA;
        snprintf(u->reason, sizeof u->reason, "few spikes: %zu, %d are needed for a verdict", u->n_spikes, FEW_SPIKES);
    } else if (confidence < .8) {
        u->label = NSET_LABEL_MUA;
        snprintf(u->reason, sizeof u->reason, "mean probability %.2f of its spikes is below 0.8", confidence);
    }
}
