#include "ephys/templates.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <neuroset/memory.h>

#include "cli/progress.h"
#include "ephys/shift.h"
#include "signal/wide.h"

enum { MOST_SNIPPETS = 300, COMPONENTS = 3, POWER_ROUNDS = 20 };
#define BATCH_BYTES 134217728. /* snippets in memory at once */

int64_t nset_same_spike(double rate_hz)
{
    return (int64_t)lround(.00027 * rate_hz);
}

void nset_trains_fini(nset_trains *t)
{
    for (size_t i = 0; i < t->n; i++)
        nset_free(t->train[i].sample);
    nset_free(t->train);
    *t = (nset_trains){ 0 };
}

nset_status nset_trains_add(nset_trains *t, const int64_t *sample, size_t n, size_t home, nset_error *err)
{
    nset_train *to;
    nset_status status;

    if ((status = nset_grow(&t->train, &t->capacity, t->n + 1, sizeof *t->train, err)) != NSET_OK)
        return status;
    to = &t->train[t->n];
    *to = (nset_train){ .home = home, .unit = t->n_units++ };
    if ((status = nset_grow(&to->sample, &to->capacity, n, sizeof *to->sample, err)) != NSET_OK)
        return status;
    if (n)
        memcpy(to->sample, sample, n * sizeof *sample);
    to->n = n;
    t->n++;
    return NSET_OK;
}

void nset_trains_drop(nset_trains *t, size_t i)
{
    nset_free(t->train[i].sample);
    memmove(t->train + i, t->train + i + 1, (t->n - i - 1) * sizeof *t->train);
    t->n--;
}

void nset_trains_keep(nset_trains *t, const unsigned char *keep)
{
    size_t n = 0;

    for (size_t i = 0; i < t->n; i++)
        if (keep[i])
            t->train[n++] = t->train[i];
        else
            nset_free(t->train[i].sample);
    t->n = n;
}

nset_status nset_templates_init(nset_templates *t, size_t n, size_t n_channels, double rate_hz, nset_error *err)
{
    *t = (nset_templates){ .n = n, .length = (size_t)lround(.002 * rate_hz), .n_channels = n_channels };
    t->length = t->length < 8 ? 8 : t->length;
    t->pre = (size_t)lround(.367 * (double)t->length);
    t->data = nset_calloc(n, t->length * n_channels * sizeof *t->data);
    t->norm = nset_calloc(n, sizeof *t->norm);
    t->home = nset_calloc(n, sizeof *t->home);
    t->least = nset_calloc(n, sizeof *t->least);
    t->unit = nset_calloc(n, sizeof *t->unit);
    t->low = nset_calloc(n, sizeof *t->low);
    t->high = nset_calloc(n, sizeof *t->high);
    for (size_t i = 0; i < n && t->unit; i++)
        t->unit[i] = i;
    if (t->data && t->norm && t->home && t->least && t->unit && t->low && t->high)
        return NSET_OK;
    nset_templates_fini(t);
    return nset_fail_oom(err, n, t->length * n_channels * sizeof *t->data);
}

void nset_templates_fini(nset_templates *t)
{
    nset_free(t->data);
    nset_free(t->norm);
    nset_free(t->home);
    nset_free(t->least);
    nset_free(t->unit);
    nset_free(t->low);
    nset_free(t->high);
    *t = (nset_templates){ 0 };
}

static float range(const float *w, size_t length, size_t stride)
{
    float low = w[0], high = w[0];

    for (size_t s = 1; s < length; s++) {
        low = fminf(low, w[s * stride]);
        high = fmaxf(high, w[s * stride]);
    }
    return high - low;
}

void nset_templates_find_reach(nset_templates *t, size_t i)
{
    const float *w = t->data + i * t->length * t->n_channels;
    size_t low = t->n_channels, high = 0;

    for (size_t s = 0; s < t->length; s++)
        for (size_t c = 0; c < t->n_channels; c++)
            if (w[s * t->n_channels + c] != 0) {
                low = c < low ? c : low;
                high = c + 1 > high ? c + 1 : high;
            }
    t->low[i] = low < high ? low : 0;
    t->high[i] = high;
}

void nset_templates_keep(nset_templates *t, const unsigned char *keep)
{
    size_t k = 0, size = t->length * t->n_channels;

    for (size_t i = 0; i < t->n; i++) {
        if (!keep[i])
            continue;
        if (k != i)
            memcpy(t->data + k * size, t->data + i * size, size * sizeof *t->data);
        t->norm[k] = t->norm[i];
        t->unit[k] = t->unit[i];
        t->least[k] = t->least[i];
        t->low[k] = t->low[i];
        t->high[k] = t->high[i];
        t->home[k++] = t->home[i];
    }
    t->n = k;
}

NSET_WIDE static double row_products(const float *a, const float *b, size_t n_rows, size_t stride, size_t n)
{
    float lane[8] = { 0 }, rest = 0;

    for (size_t s = 0; s < n_rows; s++, a += stride, b += stride) {
        size_t c = 0;
        for (; c + 8 <= n; c += 8)
            for (size_t l = 0; l < 8; l++)
                lane[l] += a[c + l] * b[c + l];
        for (; c < n; c++)
            rest += a[c] * b[c];
    }
    return (double)rest + ((double)lane[0] + lane[4]) + ((double)lane[1] + lane[5]) +
           (((double)lane[2] + lane[6]) + ((double)lane[3] + lane[7]));
}

double nset_templates_product(const nset_templates *t, size_t i, size_t j, int lag)
{
    size_t low = t->low[i] > t->low[j] ? t->low[i] : t->low[j], n = t->n_channels, shift = (size_t)abs(lag);
    size_t high = t->high[i] < t->high[j] ? t->high[i] : t->high[j];
    const float *a = t->data + i * t->length * n + low, *b = t->data + j * t->length * n + low;

    if (low >= high || shift >= t->length)
        return 0;
    return row_products(lag > 0 ? a + shift * n : a, lag < 0 ? b + shift * n : b, t->length - shift, n, high - low);
}

void nset_templates_measure(nset_templates *t, size_t i)
{
    const float *w = t->data + i * t->length * t->n_channels;
    double sum = 0;
    float largest = -1;

    for (size_t k = 0; k < t->length * t->n_channels; k++)
        sum += (double)w[k] * (double)w[k];
    t->norm[i] = (float)sqrt(sum);
    for (size_t c = 0; c < t->n_channels; c++) {
        float r = range(w + c, t->length, t->n_channels);
        if (r > largest) {
            largest = r;
            t->home[i] = c;
        }
    }
    nset_templates_find_reach(t, i);
}

/* ---- learning ---- */

typedef struct pick { /* one snippet to fetch */
    int64_t sample;
    size_t train, slot;
} pick;

typedef struct batch {
    nset_templates *t;
    nset_trains *trains;
    const nset_neighbours *wide;
    size_t first, last; /* trains */
    size_t *at, *count; /* (last - first) start in x, number of snippets */
    int16_t *x;         /* per train (channels of home, count, length), as stored */
    nset_whitened *w;
    pick *picks;
    bool failed;
} batch;

static size_t n_local(const nset_neighbours *wide, size_t home)
{
    return wide->offset[home + 1] - wide->offset[home];
}

static int by_sample(const void *a, const void *b)
{
    const pick *p = a, *q = b;

    if (p->sample != q->sample)
        return p->sample < q->sample ? -1 : 1;
    return p->train < q->train ? -1 : p->train > q->train;
}

static void take_picks(void *ctx, size_t first, size_t last, size_t chunk)
{
    const batch *b = ctx;
    size_t length = b->t->length;

    (void)chunk;
    for (size_t p = first; p < last; p++) {
        const pick *k = &b->picks[p];
        size_t i = k->train - b->first, home = b->trains->train[k->train].home;
        const size_t *channel = b->wide->channel + b->wide->offset[home];
        for (size_t c = 0; c < n_local(b->wide, home); c++)
            nset_whitened_take_stored(b->w, b->x + b->at[i] + (c * b->count[i] + k->slot) * length, channel[c],
                k->sample - (int64_t)b->t->pre, length);
    }
}

/* An even spread of each train's snippets, segment after segment. */
static nset_status fetch(batch *b, nset_workers *workers, nset_error *err)
{
    size_t n = 0, k = 0, last;
    pick *picks;
    nset_status status = NSET_OK;

    for (size_t i = b->first; i < b->last; i++)
        n += b->count[i - b->first];
    if (!(picks = b->picks = nset_calloc(n, sizeof *picks)))
        return nset_fail_oom(err, n, sizeof *picks);
    for (size_t i = b->first; i < b->last; i++) {
        const nset_train *train = &b->trains->train[i];
        size_t count = b->count[i - b->first];
        for (size_t s = 0; s < count; s++)
            picks[k++] = (pick){ train->sample[count < 2 ? 0 : s * (train->n - 1) / (count - 1)], i, s };
    }
    if (n)
        qsort(picks, n, sizeof *picks, by_sample);
    for (size_t first = 0; first < n && status == NSET_OK; first = last) {
        int64_t start = picks[first].sample - (int64_t)b->t->pre;
        for (last = first + 1; last < n && picks[last].sample - picks[first].sample < NSET_HOP;)
            last++;
        b->picks = picks + first;
        status =
            nset_whitened_hold(b->w, start, (size_t)(picks[last - 1].sample - picks[first].sample) + b->t->length, err);
        if (status == NSET_OK)
            nset_parallel_for(workers, last - first, 64, take_picks, b);
    }
    nset_free(picks);
    return status;
}

/* below (length) := how many of each column of x (count, length) are less than value (length). */
NSET_WIDE static void count_below(
    int16_t *restrict below, const int16_t *x, const int16_t *value, size_t count, size_t length)
{
    memset(below, 0, length * sizeof *below);
    for (size_t i = 0; i < count; i++)
        for (size_t s = 0; s < length; s++)
            below[s] = (int16_t)(below[s] + (x[i * length + s] < value[s]));
}

/* low, high (length) of the columns of x; high is at most INT16_MAX - 1, which no number stored exceeds by more than 1.
 */
NSET_WIDE static void find_range(
    int16_t *restrict low, int16_t *restrict high, const int16_t *x, size_t count, size_t length)
{
    for (size_t s = 0; s < length; s++) {
        low[s] = INT16_MAX - 1;
        high[s] = INT16_MIN;
    }
    for (size_t i = 0; i < count; i++)
        for (size_t s = 0; s < length; s++) {
            int16_t v = x[i * length + s] < INT16_MAX ? x[i * length + s] : INT16_MAX - 1;
            low[s] = v < low[s] ? v : low[s];
            high[s] = v > high[s] ? v : high[s];
        }
}

/* w[s * stride] := median of column s of x (count, length), times step. Whole numbers are halved until the smallest
 * with half of the column up to it is found; among equal ones the median lies in between. room (4, length) */
static void median_columns(
    float *w, size_t stride, const int16_t *x, size_t count, size_t length, float step, int16_t *room)
{
    int16_t *low = room, *high = low + length, *middle = high + length, *below = middle + length;
    bool open = true;

    find_range(low, high, x, count, length);
    while (open) { /* middle: one more than the number asked about */
        for (size_t s = 0; s < length; s++)
            middle[s] = (int16_t)(((int32_t)low[s] + high[s] + (1 << 17)) / 2 - (1 << 16) + 1);
        count_below(below, x, middle, count, length);
        open = false;
        for (size_t s = 0; s < length; s++) {
            if (2 * (size_t)below[s] >= count)
                high[s] = (int16_t)(middle[s] - 1);
            else
                low[s] = low[s] < high[s] ? middle[s] : low[s];
            open |= low[s] < high[s];
        }
    }
    count_below(below, x, high, count, length);
    for (size_t s = 0; s < length; s++) {
        size_t equal = 0;
        for (size_t i = 0; i < count; i++)
            equal += x[i * length + s] == high[s];
        w[s * stride] =
            equal ? step * ((float)high[s] - .5f + (.5f * (float)count - (float)below[s]) / (float)equal) : 0;
    }
}

/* w (length, n_channels) := its projection on its first COMPONENTS spatial components; channels listed are c (m). */
static bool keep_components(float *w, size_t length, size_t n_channels, const size_t *c, size_t m)
{
    double *g = nset_calloc(m * m, sizeof *g), *v = nset_calloc(COMPONENTS * m, sizeof *v),
           *t = nset_calloc(m, sizeof *t);
    bool ok = g && v && t;

    for (size_t a = 0; a < m && ok; a++)
        for (size_t b = 0; b < m; b++)
            for (size_t s = 0; s < length; s++)
                g[a * m + b] += (double)w[s * n_channels + c[a]] * (double)w[s * n_channels + c[b]];
    for (size_t k = 0; k < COMPONENTS && k < m && ok; k++) {
        double *u = v + k * m;
        for (size_t a = 0; a < m; a++)
            u[a] = 1. / (double)(1 + (a + k) % m);
        for (int round = 0; round < POWER_ROUNDS; round++) {
            double norm = 0;
            for (size_t a = 0; a < m; a++) {
                t[a] = 0;
                for (size_t b = 0; b < m; b++)
                    t[a] += g[a * m + b] * u[b];
            }
            for (size_t q = 0; q < k; q++) { /* stay orthogonal to the earlier ones */
                double dot = 0;
                for (size_t a = 0; a < m; a++)
                    dot += t[a] * v[q * m + a];
                for (size_t a = 0; a < m; a++)
                    t[a] -= dot * v[q * m + a];
            }
            for (size_t a = 0; a < m; a++)
                norm += t[a] * t[a];
            norm = norm > 0 ? 1 / sqrt(norm) : 0;
            for (size_t a = 0; a < m; a++)
                u[a] = t[a] * norm;
        }
    }
    for (size_t s = 0; s < length && ok; s++) {
        double p[COMPONENTS] = { 0 };
        for (size_t k = 0; k < COMPONENTS; k++)
            for (size_t a = 0; a < m; a++)
                p[k] += (double)w[s * n_channels + c[a]] * v[k * m + a];
        for (size_t a = 0; a < m; a++) {
            double sum = 0;
            for (size_t k = 0; k < COMPONENTS; k++)
                sum += p[k] * v[k * m + a];
            w[s * n_channels + c[a]] = (float)sum;
        }
    }
    nset_free(g);
    nset_free(v);
    nset_free(t);
    return ok;
}

/* Moves template i and its train such that the extreme of its home channel lies at pre exactly: else one unit, seen in
 * two alignments, is two templates. */
static bool align(batch *b, size_t i)
{
    nset_templates *t = b->t;
    nset_train *train = &b->trains->train[i];
    float *w = t->data + i * t->length * t->n_channels, *moved = nset_calloc(t->length, sizeof *moved), peak;
    size_t n = t->n_channels, home = t->home[i], top = 1;
    double tau;

    if (!moved)
        return false;
    for (size_t s = 1; s + 1 < t->length; s++)
        if (fabsf(w[s * n + home]) > fabsf(w[top * n + home]))
            top = s;
    tau = (double)nset_parabola(
        fabsf(w[(top - 1) * n + home]), fabsf(w[top * n + home]), fabsf(w[(top + 1) * n + home]), &peak);
    tau += (double)top - (double)t->pre;
    for (size_t c = 0; c < n && fabs(tau) <= (double)t->length / 4; c++) {
        for (size_t s = 0; s < t->length; s++)
            moved[s] = w[s * n + c];
        nset_shift_by(w + c, moved, t->length, n, -tau);
    }
    for (size_t k = 0; k < train->n && fabs(tau) <= (double)t->length / 4; k++)
        train->sample[k] += (int64_t)lround(tau);
    nset_free(moved);
    return true;
}

static void learn_trains(void *ctx, size_t first, size_t last, size_t chunk)
{
    batch *b = ctx;
    nset_templates *t = b->t;

    (void)chunk;
    for (size_t j = first; j < last; j++) {
        size_t i = b->first + j, home = b->trains->train[i].home, m = 0, count = b->count[j];
        const size_t *near = b->wide->channel + b->wide->offset[home];
        float *w = t->data + i * t->length * t->n_channels;
        size_t *kept = nset_calloc(n_local(b->wide, home), sizeof *kept);
        int16_t *room = nset_calloc(4 * t->length, sizeof *room);
        double cut = fmax(.3, 5.4 / sqrt((double)count));
        if (!kept || !room) {
            b->failed = true;
            nset_free(kept);
            nset_free(room);
            return;
        }
        memset(w, 0, t->length * t->n_channels * sizeof *w);
        for (size_t c = 0; c < n_local(b->wide, home) && count > 0; c++) {
            median_columns(w + near[c], t->n_channels, b->x + b->at[j] + c * count * t->length, count, t->length,
                nset_whitened_step(b->w, near[c]), room);
            if ((double)range(w + near[c], t->length, t->n_channels) >= cut)
                kept[m++] = near[c];
            else
                for (size_t s = 0; s < t->length; s++)
                    w[s * t->n_channels + near[c]] = 0;
        }
        if (m > COMPONENTS && !keep_components(w, t->length, t->n_channels, kept, m))
            b->failed = true;
        nset_templates_measure(t, i);
        if (!align(b, i))
            b->failed = true;
        t->unit[i] = b->trains->train[i].unit;
        t->least[i] = b->trains->train[i].least;
        nset_free(kept);
        nset_free(room);
    }
}

static nset_status learn_batch(batch *b, nset_workers *workers, nset_error *err)
{
    size_t n = 0;
    nset_status status;

    for (size_t i = b->first; i < b->last; i++) {
        size_t have = b->trains->train[i].n;
        b->count[i - b->first] = have < MOST_SNIPPETS ? have : MOST_SNIPPETS;
        b->at[i - b->first] = n;
        n += b->count[i - b->first] * n_local(b->wide, b->trains->train[i].home) * b->t->length;
    }
    if (!(b->x = nset_calloc(n, sizeof *b->x)))
        return nset_fail_oom(err, n, sizeof *b->x);
    if ((status = fetch(b, workers, err)) == NSET_OK)
        nset_parallel_for(workers, b->last - b->first, 1, learn_trains, b);
    nset_free(b->x);
    return status != NSET_OK ? status : b->failed ? nset_fail_oom(err, 1, 4096) : NSET_OK;
}

nset_status nset_templates_learn(nset_templates *t, nset_whitened *w, nset_trains *trains, const nset_neighbours *wide,
    nset_workers *workers, nset_error *err)
{
    batch b = { .t = t, .trains = trains, .wide = wide, .w = w };
    nset_status status;

    if ((status = nset_templates_init(t, trains->n, nset_whitened_channels(w), nset_whitened_rate(w), err)) != NSET_OK)
        return status;
    b.at = nset_calloc(trains->n, sizeof *b.at);
    b.count = nset_calloc(trains->n, sizeof *b.count);
    if (!b.at || !b.count)
        status = nset_fail_oom(err, trains->n, sizeof *b.at);
    for (b.first = 0; b.first < trains->n && status == NSET_OK; b.first = b.last) {
        double bytes = 0;
        for (b.last = b.first; b.last < trains->n && (bytes < BATCH_BYTES || b.last == b.first); b.last++) {
            size_t have = trains->train[b.last].n;
            bytes += 2. * (double)(have < MOST_SNIPPETS ? have : MOST_SNIPPETS) * (double)t->length *
                     (double)n_local(wide, trains->train[b.last].home);
        }
        status = nset_cancelled() ? nset_fail_cancelled(err) : learn_batch(&b, workers, err);
    }
    nset_free(b.at);
    nset_free(b.count);
    if (status != NSET_OK)
        nset_templates_fini(t);
    return status;
}
