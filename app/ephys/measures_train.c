/* Measures of spike trains and amplitudes. */
#include "ephys/measures_more.h"

#include <gsl/gsl_cdf.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <neuroset/memory.h>

#define RP_BIN_MS .25
#define RP_LEAST_MS .5
#define RP_MOST_MS 10.
#define CONFIDENCE .9
#define CENSORED_S .004
#define RATE_BIN_S 5.
#define DRIFT_BIN_S 60.
enum { CONTAMINATIONS = 70, RP_BINS = 4096, CV_SPIKES = 50, CV_BINS = 10, DRIFT_SPIKES = 100 };

/* The spikes of one unit in time order. */
typedef struct unit_train {
    size_t n;
    const int64_t *t;
    const double *amplitude, *depth;
    double *scratch, *row; /* (n) each, free to use */
    double rate_hz;
    int64_t n_samples;
} unit_train;

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* As NumPy's linear kind; x is put in order. */
static double percentile(double *x, size_t n, double share)
{
    double at = share * (double)(n - 1), f = floor(at);
    size_t i = (size_t)f;

    qsort(x, n, sizeof *x, by_value);
    return i + 1 < n ? x[i] + (at - f) * (x[i + 1] - x[i]) : x[n - 1];
}

static double range_5_95(double *x, size_t n)
{
    double low = percentile(x, n, .05);

    return percentile(x, n, .95) - low;
}

static double mean_of(const double *x, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += x[i];
    return sum / (double)n;
}

static double sd_of(const double *x, size_t n)
{
    double mean = mean_of(x, n), sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += (x[i] - mean) * (x[i] - mean);
    return sqrt(sum / (double)n);
}

/* ---- refractory periods ---- */

/* count[k] := pairs of spikes k to k + 1 bins apart. */
static void autocorrelogram(double *count, size_t n_bins, int64_t bin, const unit_train *u)
{
    memset(count, 0, n_bins * sizeof *count);
    for (size_t i = 0; i < u->n; i++)
        for (size_t j = i + 1; j < u->n && (u->t[j] - u->t[i]) / bin < (int64_t)n_bins; j++)
            count[(u->t[j] - u->t[i]) / bin]++;
}

static bool is_excluded(const double *count, size_t n_bins, double bin_s, const unit_train *u, double contamination)
{
    double seconds = (double)u->n_samples / u->rate_hz, n = (double)u->n, seen = 0;

    for (size_t k = 0; k < n_bins; k++) {
        double wrong = n * contamination, right = n * (1 - contamination), expected;
        seen += count[k];
        if (((double)k + .5) * bin_s <= RP_LEAST_MS / 1000)
            continue;
        expected = 2 * (double)(k + 1) * bin_s / seconds * wrong * (right + (wrong - 1) / 2);
        if (expected > 0 && 1 - gsl_cdf_poisson_P((unsigned)seen, expected) > CONFIDENCE)
            return true;
    }
    return false;
}

static double sliding_rp(const unit_train *u)
{
    int64_t bin = (int64_t)rint(u->rate_hz * RP_BIN_MS / 1000); /* half to even, as there */
    double count[RP_BINS], bin_s;
    size_t n_bins;

    if (bin < 1)
        return NAN;
    bin_s = (double)bin * 1e3 / u->rate_hz / 1000;
    n_bins = (size_t)(RP_MOST_MS / 1000 / bin_s);
    if (n_bins > RP_BINS)
        return NAN;
    autocorrelogram(count, n_bins, bin, u);
    for (int k = 1; k <= CONTAMINATIONS; k++)
        if (is_excluded(count, n_bins, bin_s, u, .005 * k))
            return .005 * k;
    return NAN;
}

/* ---- amplitudes and rate ---- */

/* The first spike not before sample. */
static size_t first_from(const unit_train *u, int64_t sample)
{
    size_t low = 0, high = u->n;

    while (low < high) {
        size_t middle = (low + high) / 2;
        if (u->t[middle] < sample)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void amplitude_measures(nset_more_measures *m, const unit_train *u)
{
    double rate = (double)u->n / ((double)u->n_samples / u->rate_hz), mean = fabs(mean_of(u->amplitude, u->n));
    int64_t width = (int64_t)(CV_SPIKES / rate * u->rate_hz);
    size_t n_bins = width > 0 ? (size_t)(u->n_samples / width) : 0;

    memcpy(u->row, u->amplitude, u->n * sizeof *u->row);
    m->amplitude_median = percentile(u->row, u->n, .5);
    if (n_bins < CV_BINS || n_bins > u->n)
        return;
    for (size_t k = 0; k < n_bins; k++) {
        size_t i = first_from(u, (int64_t)k * width), j = first_from(u, (int64_t)(k + 1) * width);
        if (i == j)
            return;
        u->row[k] = sd_of(u->amplitude + i, j - i) / mean;
    }
    m->amplitude_cv_median = percentile(u->row, n_bins, .5);
    m->amplitude_cv_range = range_5_95(u->row, n_bins);
}

/* Spikes within the censored period after a kept one are left out. */
static double sd_ratio(const unit_train *u, double noise_uv)
{
    int64_t censored = (int64_t)rint(CENSORED_S * u->rate_hz), last = 0;
    size_t kept = 0;

    for (size_t i = 0; i < u->n; i++)
        if (kept == 0 || u->t[i] > last + censored) {
            u->row[kept++] = u->amplitude[i];
            last = u->t[i];
        }
    if (kept == 1)
        return 0;
    for (size_t i = 0; i + 1 < kept; i++)
        u->row[i] = u->row[i + 1] - u->row[i];
    return sd_of(u->row, kept - 1) / sqrt(2) / noise_uv;
}

static nset_status firing_range(double *out, const unit_train *u, nset_error *err)
{
    int64_t width = (int64_t)(RATE_BIN_S * u->rate_hz);
    size_t n_bins = (size_t)(u->n_samples / width);
    double *rate;

    if (n_bins == 0)
        return NSET_OK;
    if (!(rate = nset_calloc(n_bins, sizeof *rate)))
        return nset_fail_oom(err, n_bins, sizeof *rate);
    for (size_t k = 0; k < n_bins; k++) {
        int64_t end = (int64_t)(k + 1) * width + (k + 1 == n_bins); /* the last bin of a histogram is closed */
        rate[k] = (double)(first_from(u, end) - first_from(u, (int64_t)k * width)) / RATE_BIN_S;
    }
    *out = range_5_95(rate, n_bins);
    nset_free(rate);
    return NSET_OK;
}

/* ---- drift ---- */

static void drift_measures(nset_more_measures *m, const unit_train *u)
{
    int64_t width = (int64_t)(DRIFT_BIN_S * u->rate_hz);
    size_t n_bins = (size_t)(u->n_samples / width), valid = 0;
    double *middle = u->scratch, low, high, centre;

    if (n_bins < 2 || u->n < DRIFT_SPIKES)
        return;
    for (size_t k = 0; k < n_bins; k++) {
        size_t i = first_from(u, (int64_t)k * width), j = first_from(u, (int64_t)(k + 1) * width);
        if (j - i < DRIFT_SPIKES)
            continue;
        memcpy(u->row, u->depth + i, (j - i) * sizeof *u->row);
        middle[valid++] = percentile(u->row, j - i, .5);
    }
    if (valid == 0 || (double)valid / (double)n_bins < .5)
        return;
    low = high = middle[0];
    for (size_t k = 1; k < valid; k++) {
        low = fmin(low, middle[k]);
        high = fmax(high, middle[k]);
    }
    m->drift_ptp = high - low;
    m->drift_std = sd_of(middle, valid);
    centre = percentile(middle, valid, .5);
    for (size_t k = 0; k < valid; k++)
        middle[k] = fabs(middle[k] - centre);
    m->drift_mad = percentile(middle, valid, .5);
}

/* ---- all units ---- */

static void count_synchrony(nset_sorting *s)
{
    for (size_t i = 0, j; i < s->n_spikes; i = j) {
        for (j = i + 1; j < s->n_spikes && s->spikes[j].sample == s->spikes[i].sample;)
            j++;
        for (size_t k = i; k < j; k++) {
            nset_more_measures *m = &s->units[s->spikes[k].unit].more;
            if (k > i && s->spikes[k].unit == s->spikes[k - 1].unit)
                continue;
            m->sync_spike_2 += j - i >= 2;
            m->sync_spike_4 += j - i >= 4;
            m->sync_spike_8 += j - i >= 8;
        }
    }
    for (size_t k = 0; k < s->n_units; k++) {
        nset_more_measures *m = &s->units[k].more;
        m->sync_spike_2 /= (double)s->units[k].n_spikes;
        m->sync_spike_4 /= (double)s->units[k].n_spikes;
        m->sync_spike_8 /= (double)s->units[k].n_spikes;
    }
}

static void set_unknown(nset_more_measures *m)
{
    *m = (nset_more_measures){ NAN, NAN, NAN, NAN, NAN, 0, 0, 0, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN };
}

static nset_status measure_unit(nset_sorting *s, nset_unit *u, const unit_train *train, float *row, nset_error *err)
{
    const float *template = s->templates + (size_t)u->id * s->template_length * s->n_channels + u->channel;
    nset_status status;

    for (size_t k = 0; k < s->template_length; k++)
        row[k] = template[k * s->n_channels];
    if ((status = nset_template_measure(&u->more, row, s->template_length, s->rate_hz, err)) != NSET_OK ||
        train->n == 0)
        return status;
    u->more.sliding_rp = sliding_rp(train);
    amplitude_measures(&u->more, train);
    u->more.sd_ratio = sd_ratio(train, u->amplitude_uv / u->snr);
    drift_measures(&u->more, train);
    return firing_range(&u->more.firing_range, train, err);
}

nset_status nset_sorting_measure_more(nset_sorting *s, nset_error *err)
{
    int64_t *t = nset_calloc(s->n_spikes, sizeof *t);
    double *room = nset_calloc(s->n_spikes, 4 * sizeof *room);
    float *row = nset_calloc(s->template_length, sizeof *row);
    size_t n = s->n_spikes, first = 0;
    nset_status status = NSET_OK;
    size_t *at = nset_calloc(s->n_units + 1, sizeof *at);

    if (!t || !room || !row || !at) {
        status = nset_fail_oom(err, s->n_spikes, 5 * sizeof *room);
        goto done;
    }
    for (size_t k = 0; k < s->n_units; k++) {
        set_unknown(&s->units[k].more);
        at[k] = first;
        first += s->units[k].n_spikes;
    }
    for (size_t i = 0; i < n; i++) { /* unit by unit, each in time order */
        size_t to = at[s->spikes[i].unit]++;
        t[to] = s->spikes[i].sample;
        room[to] = (double)s->spikes[i].amplitude_uv;
        room[n + to] = (double)s->spikes[i].y_um;
    }
    count_synchrony(s);
    first = 0;
    for (size_t k = 0; k < s->n_units && status == NSET_OK; k++) {
        const unit_train train = { .n = s->units[k].n_spikes,
            .t = t + first,
            .amplitude = room + first,
            .depth = room + n + first,
            .scratch = room + 2 * n + first,
            .row = room + 3 * n + first,
            .rate_hz = s->rate_hz,
            .n_samples = s->n_samples };
        status = measure_unit(s, &s->units[k], &train, row, err);
        first += train.n;
    }

done:
    nset_free(t);
    nset_free(room);
    nset_free(row);
    nset_free(at);
    return status;
}
