#include "ephys/bad_channels.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#include <neuroset/memory.h>

#include "cli/progress.h"
#include "signal/robust.h"
#include "signal/segments.h"

enum { SEGMENTS = 8, THIN = 8, PER_SEGMENT = NSET_HOP / THIN };
enum { SEEN = 16, COLUMN = NSET_HOP + 16 }; /* channels looked at together; a column's room, of no power of two */
#define LOW_HZ 300.
#define HIGH_HZ 6000.
#define DEAD_SHARE .15
#define DEAD_OF_TWO .02
#define CLIPPED_SHARE .2
#define NOISY_FACTOR 5.
#define HEARD .5

typedef struct survey_job {
    nset_channel_survey *s;
    float *raw;     /* (NSET_HOP, n_channels) */
    float *planes;  /* (n_channels, NSET_FFT) */
    uint64_t *hash; /* (n_channels) of all raw samples so far */
    int64_t *limit; /* (n_channels, 2) samples at the lowest and highest value, those whose neighbour is there too */
    size_t length;  /* of this segment */
    size_t done;    /* band samples a channel so far */
    bool failed;
} survey_job;

/* ---- what is seen of each channel ---- */

/* x: the segment's samples of the channel. */
static void see_extremes(survey_job *j, size_t c, const float *x)
{
    nset_channel_state *k = &j->s->channel[c];
    int64_t *limit = j->limit + 2 * c;
    float low = x[0], high = x[0];

    for (size_t t = 1; t < j->length; t++) {
        low = x[t] < low ? x[t] : low;
        high = x[t] > high ? x[t] : high;
    }
    if ((double)low < k->low_uv) /* a lower limit: what stood at the old one did not stand at a limit */
        limit[0] = 0;
    if ((double)high > k->high_uv)
        limit[1] = 0;
    k->low_uv = fmin(k->low_uv, (double)low);
    k->high_uv = fmax(k->high_uv, (double)high);
    for (size_t t = 1; t < j->length; t++)
        if (x[t] == x[t - 1]) {
            limit[0] += (double)x[t] == k->low_uv;
            limit[1] += (double)x[t] == k->high_uv;
        }
}

/* At most SEEN channels, whose samples lie together in a line of the cache. */
static void see_channels(void *ctx, size_t first, size_t last, size_t chunk)
{
    survey_job *j = ctx;
    nset_channel_survey *s = j->s;
    float *columns = nset_calloc((last - first) * COLUMN, sizeof *columns);

    (void)chunk;
    if (!columns) {
        j->failed = true;
        return;
    }
    for (size_t t = 0; t < j->length; t++)
        for (size_t c = first; c < last; c++)
            columns[(c - first) * COLUMN + t] = j->raw[t * s->n_channels + c];
    for (size_t c = first; c < last; c++) {
        float *band = s->band + c * s->n_band + j->done;
        const float *plane = j->planes + c * NSET_FFT + NSET_MARGIN, *column = columns + (c - first) * COLUMN;
        j->hash[c] = XXH3_64bits_withSeed(column, j->length * sizeof *column, j->hash[c]);
        see_extremes(j, c, column);
        for (size_t t = 0; t * THIN < j->length; t++)
            band[t] = plane[t * THIN];
    }
    nset_free(columns);
}

static nset_status see_segment(survey_job *j, nset_segments *segments, int64_t i, const float *response,
    nset_source *source, nset_workers *workers, nset_error *err)
{
    nset_status status;

    if (nset_cancelled())
        return nset_fail_cancelled(err);
    j->length = nset_segment_length(segments, i);
    if ((status = source->read(source, j->raw, i * NSET_HOP, j->length, err)) != NSET_OK ||
        (status = nset_segments_read(segments, j->planes, i, response, err)) != NSET_OK)
        return status;
    nset_parallel_for(workers, j->s->n_channels, SEEN, see_channels, j);
    j->done += (j->length + THIN - 1) / THIN;
    j->s->n_samples += (int64_t)j->length;
    return j->failed ? nset_fail_oom(err, NSET_HOP, sizeof(float)) : NSET_OK;
}

/* ---- verdicts ---- */

static double noise_of(const float *band, size_t n, float *scratch)
{
    memcpy(scratch, band, n * sizeof *scratch);
    return (double)nset_mad_sd(scratch, n);
}

/* The share-th of the noise levels of the channels without a fault; 0 without any. */
static double level(const nset_channel_survey *s, float *scratch, double share, size_t *n_good)
{
    size_t n = 0;

    for (size_t c = 0; c < s->n_channels; c++)
        if (s->channel[c].fault == NSET_CHANNEL_GOOD)
            scratch[n++] = (float)s->channel[c].noise_uv;
    *n_good = n;
    return n ? (double)nset_select(scratch, n, (size_t)(share * (double)(n - 1))) : 0;
}

static bool is_heard(const nset_channel_survey *s, size_t c)
{
    for (size_t k = 0; k < s->n_channels; k++)
        if (k != c && s->channel[k].fault == NSET_CHANNEL_GOOD && fabs(nset_channel_correlation(s, c, k)) >= HEARD)
            return true;
    return false;
}

static void judge_dead(nset_channel_survey *s, float *scratch)
{
    size_t n;
    double usual = level(s, scratch, .75, &n), least;

    if (n == 2)
        usual = level(s, scratch, 1, &n);
    least = n == 2 ? DEAD_OF_TWO * usual : n > 2 ? DEAD_SHARE * usual : 0;
    for (size_t c = 0; c < s->n_channels; c++)
        if (s->channel[c].fault == NSET_CHANNEL_GOOD && s->channel[c].noise_uv < least)
            s->channel[c].fault = NSET_CHANNEL_DEAD;
}

static void judge_noisy(nset_channel_survey *s, float *scratch)
{
    size_t n;
    double most = NOISY_FACTOR * level(s, scratch, .5, &n);

    for (size_t c = 0; c < s->n_channels && n > 2; c++)
        if (s->channel[c].fault == NSET_CHANNEL_GOOD && s->channel[c].noise_uv > most && !is_heard(s, c))
            s->channel[c].fault = NSET_CHANNEL_NOISY;
}

static void judge(nset_channel_survey *s, const survey_job *j, float *scratch)
{
    for (size_t c = 0; c < s->n_channels; c++) {
        nset_channel_state *k = &s->channel[c];
        k->noise_uv = noise_of(s->band + c * s->n_band, s->n_band, scratch);
        k->at_limit = (double)(j->limit[2 * c] + j->limit[2 * c + 1]) / (double)s->n_samples;
        if (k->low_uv == k->high_uv) {
            k->fault = NSET_CHANNEL_FLAT;
            k->at_limit = 0;
        }
    }
    judge_dead(s, scratch);
    for (size_t c = 0; c < s->n_channels; c++)
        if (s->channel[c].fault == NSET_CHANNEL_GOOD && s->channel[c].at_limit >= CLIPPED_SHARE)
            s->channel[c].fault = NSET_CHANNEL_CLIPPED;
    for (size_t c = 0; c < s->n_channels; c++)
        for (size_t b = 0; b < c && s->channel[c].fault == NSET_CHANNEL_GOOD; b++)
            if (s->channel[b].fault == NSET_CHANNEL_GOOD && j->hash[b] == j->hash[c]) {
                s->channel[c].fault = NSET_CHANNEL_COPY;
                s->channel[c].copy_of = b;
            }
    judge_noisy(s, scratch);
    for (size_t c = 0; c < s->n_channels; c++)
        s->n_bad += s->channel[c].fault != NSET_CHANNEL_GOOD;
}

static void mark_unused(nset_channel_survey *s, const nset_recording *r)
{
    for (size_t c = 0; c < s->n_channels && r->unused; c++)
        if (r->unused[c] && s->channel[c].fault == NSET_CHANNEL_GOOD) {
            s->channel[c].fault = NSET_CHANNEL_UNUSED;
            s->n_bad++;
        }
}

nset_status nset_bad_channels(nset_channel_survey *out, const nset_recording *r, nset_workers *workers, nset_error *err)
{
    size_t n = r->source->n_channels, most, n_looked;
    int64_t count = (r->source->n_samples + NSET_HOP - 1) / NSET_HOP;
    nset_channel_survey s = { .n_channels = n };
    nset_segments *segments = NULL;
    survey_job j = { .s = &s };
    float *response = nset_calloc(NSET_BINS, sizeof *response), *scratch = NULL;
    nset_status status = NSET_OK;

    n_looked = count < SEGMENTS ? (size_t)count : SEGMENTS;
    most = n_looked * PER_SEGMENT > n ? n_looked * PER_SEGMENT : n;
    s.channel = nset_calloc(n, sizeof *s.channel);
    s.n_band = n_looked * PER_SEGMENT;
    s.band = nset_calloc(n * s.n_band, sizeof *s.band);
    scratch = nset_calloc(most, sizeof *scratch);
    j.raw = nset_calloc(NSET_HOP * n, sizeof *j.raw);
    j.planes = nset_calloc(NSET_FFT * n, sizeof *j.planes);
    j.hash = nset_calloc(n, sizeof *j.hash);
    j.limit = nset_calloc(2 * n, sizeof *j.limit);
    if (!response || !s.channel || !s.band || !scratch || !j.raw || !j.planes || !j.hash || !j.limit) {
        status = nset_fail_oom(err, NSET_FFT * n, sizeof *j.planes);
        goto done;
    }
    for (size_t c = 0; c < n; c++) {
        s.channel[c].low_uv = INFINITY;
        s.channel[c].high_uv = -INFINITY;
    }
    nset_band_response(response, LOW_HZ, HIGH_HZ, r->source->rate_hz);
    if ((status = nset_segments_open(&segments, r->source, workers, err)) != NSET_OK)
        goto done;
    for (size_t i = 0; i < n_looked && status == NSET_OK; i++)
        status = see_segment(&j, segments, n_looked == 1 ? 0 : (int64_t)i * (count - 1) / ((int64_t)n_looked - 1),
            response, r->source, workers, err);
    if (status != NSET_OK)
        goto done;
    if (j.done < s.n_band) /* the last segment is shorter: rows move together */
        for (size_t c = 0; c < n; c++)
            memmove(s.band + c * j.done, s.band + c * s.n_band, j.done * sizeof *s.band);
    s.n_band = j.done;
    if (s.n_samples > 0)
        judge(&s, &j, scratch);
    mark_unused(&s, r);
    *out = s;
    s = (nset_channel_survey){ 0 };

done:
    nset_channel_survey_fini(&s);
    nset_segments_close(segments);
    nset_free(response);
    nset_free(scratch);
    nset_free(j.raw);
    nset_free(j.planes);
    nset_free(j.hash);
    nset_free(j.limit);
    return status;
}

void nset_channel_survey_fini(nset_channel_survey *s)
{
    nset_free(s->channel);
    nset_free(s->band);
    *s = (nset_channel_survey){ 0 };
}

static double dot(const float *x, const float *y, size_t n)
{
    enum { LANES = 16 };
    float lane[LANES] = { 0 };
    double sum = 0;
    size_t i = 0;

    for (; i + LANES <= n; i += LANES)
        for (size_t k = 0; k < LANES; k++)
            lane[k] += x[i + k] * y[i + k];
    for (; i < n; i++)
        sum += (double)x[i] * (double)y[i];
    for (size_t k = 0; k < LANES; k++)
        sum += (double)lane[k];
    return sum;
}

double nset_channel_correlation(const nset_channel_survey *s, size_t a, size_t b)
{
    const float *x = s->band + a * s->n_band, *y = s->band + b * s->n_band;
    double xx = dot(x, x, s->n_band), yy = dot(y, y, s->n_band); /* the band holds no offset */

    return xx > 0 && yy > 0 ? dot(x, y, s->n_band) / sqrt(xx * yy) : 0;
}
