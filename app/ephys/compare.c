#include "ephys/compare.h"

#include <string.h>

#include <neuroset/assign.h>
#include <neuroset/memory.h>

static const double match_score = .5, well_score = .8, low_score = .2;

void nset_sorting_score_fini(nset_sorting_score *s)
{
    nset_free(s->accuracy);
    nset_free(s->recall);
    nset_free(s->precision);
    nset_free(s->pair);
    nset_free(s->agreement);
    *s = (nset_sorting_score){ 0 };
}

nset_status nset_compare_matches(
    int64_t *matches, const nset_trains *truth, const nset_trains *found, int64_t delta, nset_error *err)
{
    size_t n_pairs = truth->n_units * found->n_units, first = 0;
    size_t *last_true = nset_calloc(n_pairs, sizeof *last_true);   /* 1 + index of the spike, 0: none */
    size_t *last_found = nset_calloc(n_pairs, sizeof *last_found); /* the same */

    if (!last_true || !last_found) {
        nset_free(last_true);
        nset_free(last_found);
        return nset_fail_oom(err, n_pairs, sizeof *last_true);
    }
    for (size_t i = 0; i < truth->n; i++) {
        int64_t t = truth->sample[i];
        while (first < found->n && found->sample[first] < t - delta)
            first++;
        for (size_t j = first; j < found->n && found->sample[j] <= t + delta; j++) {
            size_t pair = truth->unit[i] * found->n_units + found->unit[j];
            if (last_true[pair] == i + 1 || last_found[pair] == j + 1)
                continue;
            last_true[pair] = i + 1;
            last_found[pair] = j + 1;
            matches[pair]++;
        }
    }
    for (size_t p = 0; p < n_pairs; p++) {
        int64_t most = (int64_t)found->n_spikes[p % found->n_units];
        matches[p] = matches[p] < most ? matches[p] : most;
    }
    nset_free(last_true);
    nset_free(last_found);
    return NSET_OK;
}

static void fill_agreement(
    double *agreement, const int64_t *matches, const nset_trains *truth, const nset_trains *found)
{
    for (size_t i = 0; i < truth->n_units; i++)
        for (size_t j = 0; j < found->n_units; j++) {
            int64_t n = matches[i * found->n_units + j];
            int64_t all = (int64_t)(truth->n_spikes[i] + found->n_spikes[j]) - n;
            agreement[i * found->n_units + j] = (double)n / (double)(all == 0 ? 1 : all);
        }
}

static nset_status pair_units(nset_sorting_score *s, nset_error *err)
{
    size_t n = s->n_true * s->n_found;
    double *cost = nset_calloc(n, sizeof *cost);
    nset_status status;

    if (!cost)
        return nset_fail_oom(err, n, sizeof *cost);
    for (size_t p = 0; p < n; p++)
        cost[p] = s->agreement[p] < match_score ? 0 : -s->agreement[p];
    status = nset_assign(s->pair, cost, s->n_true, s->n_found, err);
    nset_free(cost);
    for (size_t i = 0; i < s->n_true && status == NSET_OK; i++)
        if (s->pair[i] != NSET_UNASSIGNED && s->agreement[i * s->n_found + s->pair[i]] < match_score)
            s->pair[i] = NSET_UNASSIGNED;
    return status;
}

static void score_true_units(
    nset_sorting_score *s, const int64_t *matches, const nset_trains *truth, const nset_trains *found)
{
    for (size_t i = 0; i < s->n_true; i++) {
        if (s->pair[i] != NSET_UNASSIGNED) {
            size_t p = i * s->n_found + s->pair[i];
            s->accuracy[i] = s->agreement[p];
            s->recall[i] = (double)matches[p] / (double)truth->n_spikes[i];
            s->precision[i] = (double)matches[p] / (double)found->n_spikes[s->pair[i]];
        }
        s->mean_accuracy += s->accuracy[i] / (double)s->n_true;
        s->mean_recall += s->recall[i] / (double)s->n_true;
        s->mean_precision += s->precision[i] / (double)s->n_true;
        s->well += s->accuracy[i] >= well_score;
    }
}

static bool is_paired(const nset_sorting_score *s, size_t j)
{
    for (size_t i = 0; i < s->n_true; i++)
        if (s->pair[i] == j)
            return true;
    return false;
}

static void score_found_units(nset_sorting_score *s, const nset_trains *found)
{
    for (size_t j = 0; j < s->n_found; j++) {
        size_t best = 0, best_found = 0, above = 0;
        double most = 0;
        for (size_t i = 0; i < s->n_true; i++) {
            double a = s->agreement[i * s->n_found + j];
            above += a > low_score;
            if (a > most) {
                most = a;
                best = i;
            }
        }
        for (size_t k = 0; k < s->n_found && s->n_true > 0; k++)
            if (s->agreement[best * s->n_found + k] > s->agreement[best * s->n_found + best_found])
                best_found = k;
        s->false_positive += most < low_score;
        s->false_positive_good += most < low_score && found->good[j];
        s->overmerged += above > 1;
        s->redundant += most >= low_score && best_found != j && !is_paired(s, j);
    }
}

nset_status nset_sorting_compare(
    nset_sorting_score *out, const nset_trains *truth, const nset_trains *found, int64_t delta, nset_error *err)
{
    size_t n = truth->n_units, m = found->n_units;
    nset_sorting_score s = { .n_true = n, .n_found = m };
    int64_t *matches = nset_calloc(n * m, sizeof *matches);
    nset_status status;

    s.accuracy = nset_calloc(n, sizeof *s.accuracy);
    s.recall = nset_calloc(n, sizeof *s.recall);
    s.precision = nset_calloc(n, sizeof *s.precision);
    s.pair = nset_calloc(n, sizeof *s.pair);
    s.agreement = nset_calloc(n * m, sizeof *s.agreement);
    if (!matches || !s.accuracy || !s.recall || !s.precision || !s.pair || !s.agreement) {
        status = nset_fail_oom(err, n * m + n, sizeof *s.agreement);
        goto done;
    }
    if ((status = nset_compare_matches(matches, truth, found, delta, err)) != NSET_OK)
        goto done;
    fill_agreement(s.agreement, matches, truth, found);
    if ((status = pair_units(&s, err)) != NSET_OK)
        goto done;
    score_true_units(&s, matches, truth, found);
    score_found_units(&s, found);
    *out = s;
    s = (nset_sorting_score){ 0 };

done:
    nset_free(matches);
    nset_sorting_score_fini(&s);
    return status;
}
