#include "ephys/preflight.h"

#include <math.h>
#include <string.h>

#include <neuroset/memory.h>

#include "cli/progress.h"
#include "signal/robust.h"

/* A sort's cost: the time that two processors took for simulated recordings of 60 s of 32 channels and 15 s of 96; each
 * channel is mixed with all others, so it grows with their square. */
#define SECONDS_FIXED .3
#define SECONDS_A_CHANNEL_SECOND 9e-4
#define SECONDS_A_PAIR_SECOND 6e-5
#define SPIKES_A_CHANNEL_SECOND 3.
enum { BYTES_A_SPIKE = 220, BYTES_A_PAIR = 100, READ = 16384, LEAST_CHANNELS = 8 };
#define LEAST_R .06 /* of the best heard channel, for a verdict */
#define RANK_OK .72
#define RANK_PERMUTED .66

void nset_preflight_fini(nset_preflight *p)
{
    nset_channel_survey_fini(&p->survey);
}

static bool is_good(const nset_preflight *p, size_t c)
{
    return p->survey.channel[c].fault == NSET_CHANNEL_GOOD;
}

static nset_status judge_noise(nset_preflight *p, const nset_recording *r, nset_error *err)
{
    size_t n = 0, channels = p->survey.n_channels;
    float *noise = nset_calloc(channels, sizeof *noise);
    json_t *fact;
    size_t i;

    if (!noise)
        return nset_fail_oom(err, channels, sizeof *noise);
    p->noise_uv[0] = INFINITY;
    for (size_t c = 0; c < channels; c++)
        if (is_good(p, c)) {
            p->noise_uv[0] = fmin(p->noise_uv[0], p->survey.channel[c].noise_uv);
            p->noise_uv[2] = fmax(p->noise_uv[2], p->survey.channel[c].noise_uv);
            noise[n++] = (float)p->survey.channel[c].noise_uv;
        }
    p->noise_uv[1] = (double)nset_median(noise, n);
    nset_free(noise);
    if (!n)
        p->noise_uv[0] = 0;
    json_array_foreach(r->facts, i, fact) if (!strcmp(json_string_value(json_object_get(fact, "name")), "gain"))
        p->gain_is_bits = !strncmp(json_string_value(json_object_get(fact, "from")), "guess", 5);
    p->gain_factor = 1;
    if (p->noise_uv[1] > 0 && (p->noise_uv[1] < .5 || p->noise_uv[1] > 300))
        p->gain_factor = pow(1000, floor(log(12 / p->noise_uv[1]) / log(1000) + .5));
    return NSET_OK;
}

/* ---- the map of the channels ---- */

static double distance(const nset_probe *p, size_t a, size_t b)
{
    return hypot(p->x_um[a] - p->x_um[b], p->y_um[a] - p->y_um[b]);
}

/* Common to all: line noise, movement. Without it, what is left is what neighbours share. */
static nset_status subtract_common(nset_channel_survey *s, nset_error *err)
{
    float *row = nset_calloc(s->n_channels, sizeof *row);

    if (!row)
        return nset_fail_oom(err, s->n_channels, sizeof *row);
    for (size_t t = 0; t < s->n_band; t++) {
        size_t n = 0;
        float middle;
        for (size_t c = 0; c < s->n_channels; c++)
            if (s->channel[c].fault == NSET_CHANNEL_GOOD)
                row[n++] = s->band[c * s->n_band + t];
        middle = n > 3 ? nset_median(row, n) : 0;
        for (size_t c = 0; c < s->n_channels; c++)
            s->band[c * s->n_band + t] -= middle;
    }
    nset_free(row);
    return NSET_OK;
}

static bool is_other(const nset_preflight *p, const nset_probe *probe, size_t c, size_t k)
{
    return k != c && is_good(p, k) && probe->shank[k] == probe->shank[c];
}

/* Mean rank of channel c's nearest channels by correlation, 0 .. 1; -1: too few on its shank. *best := its largest r.
 */
static double rank_of_nearest(const nset_preflight *p, const nset_probe *probe, const double *r, size_t c, double *best)
{
    size_t n = probe->n_channels, others = 0, nearest = 0;
    double below = 0, d = INFINITY;

    *best = 0;
    for (size_t k = 0; k < n; k++)
        if (is_other(p, probe, c, k)) {
            others++;
            *best = fmax(*best, r[c * n + k]);
            d = fmin(d, distance(probe, c, k));
        }
    if (others + 1 < LEAST_CHANNELS)
        return -1;
    for (size_t k = 0; k < n; k++)
        if (is_other(p, probe, c, k) && distance(probe, c, k) < d + 1e-6) {
            nearest++;
            for (size_t i = 0; i < n; i++)
                below += is_other(p, probe, c, i) && r[c * n + i] < r[c * n + k];
        }
    return below / (double)nearest / (double)(others - 1);
}

static bool is_pair(const nset_preflight *p, const nset_probe *probe, size_t a, size_t b)
{
    return is_good(p, a) && is_good(p, b) && probe->shank[a] == probe->shank[b] && distance(probe, a, b) > 0;
}

static void fill_bins(nset_preflight *p, const nset_probe *probe, const double *r)
{
    size_t n = probe->n_channels;
    double least = INFINITY;

    for (size_t a = 1; a < n; a++)
        for (size_t b = 0; b < a; b++)
            if (is_pair(p, probe, a, b))
                least = fmin(least, distance(probe, a, b));
    for (size_t k = 0; k < NSET_PREFLIGHT_BINS; k++)
        p->bin_to_um[k] = 1.3 * least * pow(2, (double)k);
    for (size_t a = 1; a < n; a++)
        for (size_t b = 0; b < a; b++) {
            size_t k = 0;
            if (!is_pair(p, probe, a, b))
                continue;
            while (k + 1 < NSET_PREFLIGHT_BINS && distance(probe, a, b) > p->bin_to_um[k])
                k++;
            p->bin_r[k] += r[a * n + b];
            p->bin_pairs[k]++;
            p->bin_to_um[k] = fmax(p->bin_to_um[k], distance(probe, a, b)); /* the last bin takes the rest */
        }
    for (size_t k = 0; k < NSET_PREFLIGHT_BINS; k++)
        p->bin_r[k] = p->bin_pairs[k] ? p->bin_r[k] / (double)p->bin_pairs[k] : 0;
}

typedef struct pairs_job {
    const nset_preflight *p;
    double *r; /* (n_channels, n_channels) */
} pairs_job;

static void correlate(void *ctx, size_t first, size_t last, size_t chunk)
{
    pairs_job *j = ctx;
    size_t n = j->p->survey.n_channels;

    (void)chunk;
    for (size_t a = first; a < last; a++)
        for (size_t b = 0; b < a; b++)
            if (is_good(j->p, a) && is_good(j->p, b))
                j->r[a * n + b] = j->r[b * n + a] = nset_channel_correlation(&j->p->survey, a, b);
}

static nset_status judge_map(nset_preflight *p, const nset_probe *probe, nset_workers *workers, nset_error *err)
{
    size_t n = probe->n_channels, ranked = 0;
    double *r = nset_calloc(n * n, sizeof *r), sum_best = 0, sum = 0;
    pairs_job job = { p, r };
    nset_status status = r ? subtract_common(&p->survey, err) : nset_fail_oom(err, n * n, sizeof *r);

    if (status == NSET_OK) {
        nset_parallel_for(workers, n, 4, correlate, &job);
        fill_bins(p, probe, r);
        for (size_t c = 0; c < n; c++) {
            double best, rank = is_good(p, c) ? rank_of_nearest(p, probe, r, c, &best) : -1;
            if (rank < 0)
                continue;
            sum += rank;
            sum_best += best;
            ranked++;
        }
    }
    nset_free(r);
    if (ranked < LEAST_CHANNELS || sum_best / (double)ranked < LEAST_R)
        return status;
    p->map_rank = sum / (double)ranked;
    p->map = p->map_rank >= RANK_OK ? NSET_MAP_OK : p->map_rank <= RANK_PERMUTED ? NSET_MAP_PERMUTED : NSET_MAP_UNKNOWN;
    return status;
}

/* ---- cost, samples that are no numbers ---- */

static void estimate(nset_preflight *p, const nset_recording *r, size_t memory)
{
    double seconds = (double)r->source->n_samples / r->source->rate_hz;
    double channels = (double)(p->survey.n_channels - p->survey.n_bad);

    p->sort_seconds =
        SECONDS_FIXED + seconds * channels * (SECONDS_A_CHANNEL_SECOND + SECONDS_A_PAIR_SECOND * channels);
    p->sort_memory = memory;
    p->sort_disk =
        (size_t)(SPIKES_A_CHANNEL_SECOND * seconds * channels * BYTES_A_SPIKE + channels * channels * BYTES_A_PAIR);
}

/* The source tells of the first sample that is not finite when it reads it. */
static nset_status read_all(const nset_recording *r, nset_error *err)
{
    nset_source *s = r->source;
    float *x = nset_calloc(READ * s->n_channels, sizeof *x);
    nset_status status = x ? NSET_OK : nset_fail_oom(err, READ * s->n_channels, sizeof *x);

    for (int64_t t = 0; t < s->n_samples && status == NSET_OK; t += READ) {
        int64_t left = s->n_samples - t;
        status = nset_cancelled() ? nset_fail_cancelled(err) : s->read(s, x, t, left < READ ? (size_t)left : READ, err);
    }
    nset_free(x);
    return status;
}

nset_status nset_preflight_run(
    nset_preflight *out, const nset_recording *r, size_t memory, nset_workers *workers, nset_error *err)
{
    nset_preflight p = { 0 };
    nset_status status;

    if ((status = nset_bad_channels(&p.survey, r, workers, err)) != NSET_OK ||
        (status = judge_noise(&p, r, err)) != NSET_OK || (status = judge_map(&p, &r->probe, workers, err)) != NSET_OK ||
        (!strncmp(r->dtype, "float", 5) && (status = read_all(r, err)) != NSET_OK)) {
        nset_preflight_fini(&p);
        return status;
    }
    estimate(&p, r, memory);
    *out = p;
    return NSET_OK;
}
