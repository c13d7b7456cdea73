/* The rules of Kilosort's paper and of SpikeForest: the best found unit of each true one. */
#include "ephys/compare.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <neuroset/assign.h>
#include <neuroset/memory.h>

enum { NEAREST = 20 }; /* found units that Kilosort's rule looks at */
#define WELL .8
#define CLEAR_SNR 8.

double nset_compare_delta_ms(nset_compare_rule rule)
{
    return rule == NSET_COMPARE_SPIKEINTERFACE ? .4 : rule == NSET_COMPARE_KILOSORT ? .2 : 1;
}

/* hits (a->n_units, b->n_units) := spikes of a's unit that have one of b's unit within delta. */
static nset_status count_hits(int64_t *hits, const nset_trains *a, const nset_trains *b, int64_t delta, nset_error *err)
{
    size_t *last = nset_calloc(b->n_units, sizeof *last), first = 0; /* last: 1 + index of the spike that was counted */

    if (!last)
        return nset_fail_oom(err, b->n_units, sizeof *last);
    for (size_t i = 0; i < a->n; i++) {
        while (first < b->n && b->sample[first] < a->sample[i] - delta)
            first++;
        for (size_t j = first; j < b->n && b->sample[j] <= a->sample[i] + delta; j++)
            if (last[b->unit[j]] != i + 1) {
                last[b->unit[j]] = i + 1;
                hits[a->unit[i] * b->n_units + b->unit[j]]++;
            }
    }
    nset_free(last);
    return NSET_OK;
}

typedef struct near_unit {
    double distance;
    size_t index;
} near_unit;

static int by_distance(const void *a, const void *b)
{
    const near_unit *p = a, *q = b;

    if (p->distance != q->distance)
        return p->distance < q->distance ? -1 : 1;
    return (p->index > q->index) - (p->index < q->index);
}

/* The found units nearest in depth come first; those whose depth is not known come before them. */
static void order_by_depth(near_unit *order, double y_um, const nset_trains *found)
{
    for (size_t j = 0; j < found->n_units; j++) {
        double d = fabs(found->y_um[j] - y_um);
        order[j] = (near_unit){ isnan(d) ? -1 : d, j };
    }
    if (found->n_units)
        qsort(order, found->n_units, sizeof *order, by_distance);
}

static bool depths_known(const nset_trains *t)
{
    for (size_t i = 0; i < t->n_units; i++)
        if (isnan(t->y_um[i]))
            return false;
    return true;
}

static void take(nset_sorting_score *s, size_t i, size_t j, double accuracy, double recall, double precision)
{
    if (s->pair[i] != NSET_UNASSIGNED && !(accuracy > s->accuracy[i]))
        return;
    s->pair[i] = j;
    s->accuracy[i] = accuracy;
    s->recall[i] = recall;
    s->precision[i] = precision;
}

static nset_status score_kilosort(
    nset_sorting_score *s, const nset_trains *truth, const nset_trains *found, int64_t delta, nset_error *err)
{
    size_t n = s->n_true, m = s->n_found;
    int64_t *hit = nset_calloc(n * m, sizeof *hit), *right = nset_calloc(n * m, sizeof *right);
    near_unit *order = nset_calloc(m, sizeof *order);
    nset_status status = hit && right && order ? NSET_OK : nset_fail_oom(err, n * m, sizeof *hit);
    size_t most = depths_known(truth) && depths_known(found) && m > NEAREST ? NEAREST : m;

    if (status == NSET_OK && (status = count_hits(hit, truth, found, delta, err)) == NSET_OK)
        status = count_hits(right, found, truth, delta, err); /* (m, n) */
    for (size_t i = 0; i < n && status == NSET_OK; i++) {
        order_by_depth(order, truth->y_um[i], found);
        for (size_t k = 0; k < most && truth->n_spikes[i] > 0; k++) {
            size_t j = order[k].index;
            double recall = (double)hit[i * m + j] / (double)truth->n_spikes[i];
            double precision = found->n_spikes[j] ? (double)right[j * n + i] / (double)found->n_spikes[j] : 0;
            if (found->n_spikes[j])
                take(s, i, j, fmax(recall + precision - 1, 0), recall, precision);
        }
    }
    nset_free(hit);
    nset_free(right);
    nset_free(order);
    return status;
}

static nset_status score_spikeforest(
    nset_sorting_score *s, const nset_trains *truth, const nset_trains *found, int64_t delta, nset_error *err)
{
    int64_t *matches = nset_calloc(s->n_true * s->n_found, sizeof *matches);
    nset_status status = matches ? nset_compare_matches(matches, truth, found, delta, err)
                                 : nset_fail_oom(err, s->n_true * s->n_found, sizeof *matches);

    for (size_t i = 0; i < s->n_true && status == NSET_OK; i++)
        for (size_t j = 0; j < s->n_found; j++) {
            double k = (double)matches[i * s->n_found + j], a = (double)truth->n_spikes[i];
            double b = (double)found->n_spikes[j];
            if (a > 0 && b > 0)
                take(s, i, j, k / (a + b - k), k / a, k / b);
        }
    nset_free(matches);
    return status;
}

static void sum_up(nset_sorting_score *s, const nset_trains *truth)
{
    for (size_t i = 0; i < s->n_true; i++) {
        s->mean_accuracy += s->accuracy[i] / (double)s->n_true;
        s->mean_recall += s->recall[i] / (double)s->n_true;
        s->mean_precision += s->precision[i] / (double)s->n_true;
        s->well += s->accuracy[i] > WELL;
        if (truth->snr[i] > CLEAR_SNR) {
            s->n_clear++;
            s->mean_clear += s->accuracy[i];
        }
    }
    if (s->n_clear)
        s->mean_clear /= (double)s->n_clear;
}

nset_status nset_sorting_compare_best(nset_sorting_score *out, const nset_trains *truth, const nset_trains *found,
    nset_compare_rule rule, int64_t delta, nset_error *err)
{
    size_t n = truth->n_units;
    nset_sorting_score s = { .n_true = n, .n_found = found->n_units };
    nset_status status;

    s.accuracy = nset_calloc(n, sizeof *s.accuracy);
    s.recall = nset_calloc(n, sizeof *s.recall);
    s.precision = nset_calloc(n, sizeof *s.precision);
    s.pair = nset_calloc(n, sizeof *s.pair);
    if (!s.accuracy || !s.recall || !s.precision || !s.pair) {
        nset_sorting_score_fini(&s);
        return nset_fail_oom(err, n, sizeof *s.accuracy);
    }
    for (size_t i = 0; i < n; i++)
        s.pair[i] = NSET_UNASSIGNED;
    status = rule == NSET_COMPARE_KILOSORT ? score_kilosort(&s, truth, found, delta, err)
                                           : score_spikeforest(&s, truth, found, delta, err);
    if (status != NSET_OK) {
        nset_sorting_score_fini(&s);
        return status;
    }
    sum_up(&s, truth);
    *out = s;
    return NSET_OK;
}
