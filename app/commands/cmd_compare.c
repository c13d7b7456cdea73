/* neuroset compare FOUND TRUTH: scores by the field's own rules. */
#include "commands/commands.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include <neuroset/assign.h>
#include <neuroset/memory.h>

#include "cli/progress.h"
#include "ephys/compare.h"
#include "imaging/compare.h"
#include "imaging/compare_traces.h"

typedef struct settings {
    nset_common common;
    bool json, per_unit;
    double delta_ms, rate, dist, iou;
    const char *ignore, *active, *rule;
} settings;

#define AT(field) offsetof(settings, field)
static const opt_spec options[] = {
    { .name = "json", .type = OPT_FLAG, .at = AT(json), .help = "print one JSON object" },
    { .name = "per-unit", .type = OPT_FLAG, .at = AT(per_unit), .help = "print a row a true unit" },
    { .name = "rule",
        .type = OPT_CHOICE,
        .at = AT(rule),
        .fallback = "spikeinterface",
        .unit = "spikeinterface|kilosort|spikeforest",
        .help = "whose rules score a sorting" },
    { .name = "delta",
        .type = OPT_FLOAT,
        .at = AT(delta_ms),
        .min = 0.001,
        .max = 1000,
        .unit = "ms",
        .help = "spikes at most this far apart are the same; else as the rule says: 0.4, 0.2, 1" },
    { .name = "rate",
        .type = OPT_FLOAT,
        .at = AT(rate),
        .min = 1,
        .max = 1e6,
        .unit = "Hz",
        .help = "sampling rate; else as the truth or what was found says" },
    { .name = "dist",
        .type = OPT_FLOAT,
        .at = AT(dist),
        .min = 0,
        .max = 1000,
        .fallback = "5",
        .unit = "pixels",
        .help = "masks: centres closer than this are the same cell" },
    { .name = "iou",
        .type = OPT_FLOAT,
        .at = AT(iou),
        .min = 0.01,
        .max = 1,
        .fallback = "0.5",
        .help = "masks: least intersection over union of the same cell" },
    { .name = "ignore",
        .type = OPT_TEXT,
        .at = AT(ignore),
        .unit = "FILE",
        .help = "masks: labels that are neither found nor missed" },
    { .name = "active",
        .type = OPT_TEXT,
        .at = AT(active),
        .unit = "FILE",
        .help = "masks: JSON list of the true ids that were active; adds the recall of these" },
    { 0 },
};

/* ---- sortings ---- */

static const char *const rule_names[] = { "SpikeInterface ground-truth comparison",
    "Kilosort's paper: 1 - missed - false of the best unit", "SpikeForest: accuracy of the best unit" };

static json_t *reals(const double *x, size_t n)
{
    json_t *list = json_array();

    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, json_real(x[i]));
    return list;
}

static json_t *counts(const size_t *x, size_t n)
{
    json_t *list = json_array();

    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, json_integer(x[i] == NSET_UNASSIGNED ? -1 : (json_int_t)x[i]));
    return list;
}

static void print_json(const nset_sorting_score *s, const nset_trains *truth, const nset_trains *found)
{
    json_t *j = json_pack("{s:s, s:o, s:o, s:o, s:o, s:I, s:I, s:f, s:f, s:f, s:I, s:I, s:I, s:I, s:o, s:o}", "rules",
        rule_names[NSET_COMPARE_SPIKEINTERFACE], "accuracy", reals(s->accuracy, s->n_true), "recall",
        reals(s->recall, s->n_true), "precision", reals(s->precision, s->n_true), "pair", counts(s->pair, s->n_true),
        "n_true", (json_int_t)s->n_true, "n_found", (json_int_t)s->n_found, "mean_accuracy", s->mean_accuracy,
        "mean_recall", s->mean_recall, "mean_precision", s->mean_precision, "well", (json_int_t)s->well,
        "false_positive", (json_int_t)s->false_positive, "redundant", (json_int_t)s->redundant, "overmerged",
        (json_int_t)s->overmerged, "count_true", counts(truth->n_spikes, s->n_true), "count_found",
        counts(found->n_spikes, s->n_found));

    if (found->has_labels)
        json_object_set_new(j, "false_positive_good", json_integer((json_int_t)s->false_positive_good));
    json_dumpf(j, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(j);
}

static void print_units(const nset_sorting_score *s, const nset_trains *truth, const nset_trains *found)
{
    printf("%6s %6s %7s %7s %9s %9s %9s\n", "unit", "SNR", "spikes", "found", "accuracy", "recall", "precision");
    for (size_t i = 0; i < s->n_true; i++) {
        char name[24] = "-";
        if (s->pair[i] != NSET_UNASSIGNED)
            snprintf(name, sizeof name, "%lld", (long long)found->ids[s->pair[i]]);
        printf("%6lld %6.1f %7zu %7s %9.3f %9.3f %9.3f\n", (long long)truth->ids[i], truth->snr[i], truth->n_spikes[i],
            name, s->accuracy[i], s->recall[i], s->precision[i]);
    }
}

static void print_score(const nset_sorting_score *s, const nset_trains *found, double delta_ms)
{
    printf("%s, within %g ms\n", rule_names[NSET_COMPARE_SPIKEINTERFACE], delta_ms);
    printf("mean accuracy %.4f  recall %.4f  precision %.4f  well detected %zu/%zu  found %zu  false positive %zu  "
           "redundant %zu  overmerged %zu\n",
        s->mean_accuracy, s->mean_recall, s->mean_precision, s->well, s->n_true, s->n_found, s->false_positive,
        s->redundant, s->overmerged);
    if (found->has_labels)
        printf("of the false positives %zu are labelled good\n", s->false_positive_good);
}

/* ---- the rules of the best unit ---- */

static nset_compare_rule rule_of(const char *name)
{
    return !strcmp(name, "kilosort")      ? NSET_COMPARE_KILOSORT
           : !strcmp(name, "spikeforest") ? NSET_COMPARE_SPIKEFOREST
                                          : NSET_COMPARE_SPIKEINTERFACE;
}

static void print_best(const nset_sorting_score *s, nset_compare_rule rule, double delta_ms, bool as_json)
{
    const char *score = rule == NSET_COMPARE_KILOSORT ? "score" : "accuracy";
    json_t *j;

    if (!as_json) {
        printf("%s, within %g ms\nmean %s %.4f  recall %.4f  precision %.4f  above .8 %zu/%zu  found %zu\n",
            rule_names[rule], delta_ms, score, s->mean_accuracy, s->mean_recall, s->mean_precision, s->well, s->n_true,
            s->n_found);
        if (rule == NSET_COMPARE_SPIKEFOREST && s->n_clear)
            printf("mean accuracy of the %zu units with SNR above 8: %.4f\n", s->n_clear, s->mean_clear);
        return;
    }
    j = json_pack("{s:s, s:f, s:o, s:o, s:o, s:o, s:I, s:I, s:f, s:f, s:f, s:I}", "rules", rule_names[rule], "delta_ms",
        delta_ms, score, reals(s->accuracy, s->n_true), "recall", reals(s->recall, s->n_true), "precision",
        reals(s->precision, s->n_true), "pair", counts(s->pair, s->n_true), "n_true", (json_int_t)s->n_true, "n_found",
        (json_int_t)s->n_found, rule == NSET_COMPARE_KILOSORT ? "mean_score" : "mean_accuracy", s->mean_accuracy,
        "mean_recall", s->mean_recall, "mean_precision", s->mean_precision, "well", (json_int_t)s->well);
    if (rule == NSET_COMPARE_SPIKEFOREST && s->n_clear) {
        json_object_set_new(j, "n_snr_above_8", json_integer((json_int_t)s->n_clear));
        json_object_set_new(j, "mean_accuracy_snr_above_8", json_real(s->mean_clear));
    }
    json_dumpf(j, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(j);
}

static nset_status compare_sortings(const settings *s, const char *found_path, const char *truth_path, nset_error *err)
{
    nset_trains *truth = NULL, *found = NULL;
    nset_sorting_score score = { 0 };
    nset_compare_rule rule = rule_of(s->rule);
    nset_status status;
    double rate, delta_ms;

    if ((status = nset_trains_read(&truth, truth_path, err)) != NSET_OK ||
        (status = nset_trains_read(&found, found_path, err)) != NSET_OK)
        goto done;
    rate = s->rate > 0 ? s->rate : truth->rate_hz > 0 ? truth->rate_hz : found->rate_hz;
    if (!(rate > 0)) {
        status = nset_fail(err, NSET_ERR_FORMAT, "%s: no sampling rate is known; give it with --rate", truth_path);
        goto done;
    }
    if (truth->rate_hz > 0 && found->rate_hz > 0 && fabs(truth->rate_hz - found->rate_hz) > 1e-6 * truth->rate_hz)
        nset_warn("the rates differ: truth %.10g Hz, found %.10g Hz", truth->rate_hz, found->rate_hz);
    delta_ms = s->delta_ms > 0 ? s->delta_ms : nset_compare_delta_ms(rule);
    status = rule == NSET_COMPARE_SPIKEINTERFACE
                 ? nset_sorting_compare(&score, truth, found, (int64_t)(delta_ms / 1000 * rate), err)
                 : nset_sorting_compare_best(&score, truth, found, rule, llround(delta_ms / 1000 * rate), err);
    if (status != NSET_OK)
        goto done;
    if (s->per_unit && !s->json)
        print_units(&score, truth, found);
    if (rule != NSET_COMPARE_SPIKEINTERFACE)
        print_best(&score, rule, delta_ms, s->json);
    else if (s->json)
        print_json(&score, truth, found);
    else
        print_score(&score, found, delta_ms);

done:
    nset_sorting_score_fini(&score);
    nset_trains_free(truth);
    nset_trains_free(found);
    return status;
}

/* ---- masks ---- */

static json_t *match_json(const nset_match_score *s, bool with_active)
{
    json_t *j = json_pack("{s:f, s:f, s:f, s:I, s:I, s:I}", "precision", s->precision, "recall", s->recall, "f1", s->f1,
        "hits", (json_int_t)s->hits, "found", (json_int_t)s->found, "truth", (json_int_t)s->truth);

    if (with_active) {
        json_object_set_new(j, "active_recall", json_real(s->active_recall));
        json_object_set_new(j, "active", json_integer((json_int_t)s->active));
    }
    return j;
}

static json_t *masks_json(const nset_mask_score *s, bool with_active)
{
    return json_pack("{s:o, s:o, s:{s:f, s:f, s:f}, s:f}", "centre", match_json(&s->centre, with_active), "iou",
        match_json(&s->iou, with_active), "shape", "inclusion", s->inclusion, "exclusion", s->exclusion, "mean_iou",
        s->mean_iou, "average_precision", s->average_precision);
}

static json_t *traces_json(const nset_trace_score *s)
{
    json_t *j = json_pack("{s:I, s:I, s:o}", "pairs", (json_int_t)s->n_pairs, "traces", (json_int_t)s->n_traces,
        "trace_correlation", isfinite(s->trace) ? json_real(s->trace) : json_null());
    json_t *list = json_array();

    for (size_t b = 0; b < NSET_EVENT_BINS; b++)
        if (s->n_events[b])
            json_array_append_new(list, json_pack("{s:f, s:I, s:f}", "bin_s", s->bin_s[b], "pairs",
                                            (json_int_t)s->n_events[b], "correlation", s->events[b]));
    json_object_set_new(j, "events", list);
    return j;
}

static void print_match(const char *name, const nset_match_score *s, double transposed_f1, bool with_active)
{
    printf("%-7s precision %.3f  recall %.3f  F1 %.3f   (%zu of %zu found, %zu labels)", name, s->precision, s->recall,
        s->f1, s->hits, s->found, s->truth);
    if (with_active)
        printf("  active recall %.3f of %zu", s->active_recall, s->active);
    printf("   transposed F1 %.3f\n", transposed_f1);
}

static void print_traces(const nset_trace_score *s)
{
    if (s->n_traces)
        printf("traces  median correlation %.3f of %zu of %zu pairs\n", s->trace, s->n_traces, s->n_pairs);
    for (size_t b = 0; b < NSET_EVENT_BINS; b++)
        if (s->n_events[b])
            printf("events  median correlation %.3f of %zu pairs, in bins of %.3g s\n", s->events[b], s->n_events[b],
                s->bin_s[b]);
}

/* Rows and columns are taken to be mixed up where their exchange makes more centres and more overlaps match. */
static bool fits_transposed(const nset_mask_score score[2])
{
    return score[1].centre.hits > score[0].centre.hits && score[1].iou.hits > score[0].iou.hits;
}

static void print_masks(const nset_mask_score score[2], const nset_trace_score *traces, bool with_active, bool as_json)
{
    if (as_json) {
        json_t *j = json_pack("{s:s, s:o, s:o, s:b}", "rules", "neurofinder centres, IoU assignment", "as_given",
            masks_json(&score[0], with_active), "transposed", masks_json(&score[1], with_active), "fits_transposed",
            fits_transposed(score));
        if (traces->scored)
            json_object_set_new(j, "traces", traces_json(traces));
        json_dumpf(j, stdout, JSON_INDENT(2));
        putchar('\n');
        json_decref(j);
        return;
    }
    print_match("centre", &score[0].centre, score[1].centre.f1, with_active);
    print_match("iou", &score[0].iou, score[1].iou.f1, with_active);
    printf("shape   inclusion %.3f  exclusion %.3f  mean IoU %.3f\n", score[0].inclusion, score[0].exclusion,
        score[0].mean_iou);
    printf("average precision %.3f (IoU .5 to .95)\n", score[0].average_precision);
    if (fits_transposed(score))
        puts("rows and columns are mixed up, it seems: the masks fit better with them exchanged");
    print_traces(traces);
}

static nset_status compare_masks(const settings *s, const char *found_path, const char *truth_path, nset_error *err)
{
    nset_regions *found = NULL, *truth = NULL, *ignore = NULL;
    nset_mask_score score[2];
    nset_trace_score traces;
    size_t *pair = NULL;
    nset_status status;

    if ((status = nset_regions_read(&found, found_path, err)) != NSET_OK ||
        (status = nset_regions_read(&truth, truth_path, err)) != NSET_OK ||
        (s->ignore && (status = nset_regions_read(&ignore, s->ignore, err)) != NSET_OK) ||
        (s->active && (status = nset_regions_mark_active(truth, s->active, err)) != NSET_OK))
        goto done;
    if (!(pair = nset_calloc(truth->n, sizeof *pair))) {
        status = nset_fail_oom(err, truth->n, sizeof *pair);
        goto done;
    }
    if ((status = nset_compare_masks(&score[0], pair, found, truth, ignore, s->dist, s->iou, err)) != NSET_OK ||
        (status = nset_compare_traces(&traces, pair, found, found_path, truth, truth_path, err)) != NSET_OK ||
        (status = nset_regions_transpose(found, err)) != NSET_OK)
        goto done;
    if ((status = nset_compare_masks(&score[1], NULL, found, truth, ignore, s->dist, s->iou, err)) == NSET_OK)
        print_masks(score, &traces, truth->has_active, s->json);

done:
    nset_free(pair);
    nset_regions_free(found);
    nset_regions_free(truth);
    nset_regions_free(ignore);
    return status;
}

static nset_status run(void *settings_, const char *const *args, size_t n_args, json_t *origins, nset_error *err)
{
    (void)n_args;
    (void)origins;
    if (nset_is_regions(args[0]) && nset_is_regions(args[1]))
        return compare_masks(settings_, args[0], args[1], err);
    return compare_sortings(settings_, args[0], args[1], err);
}

const nset_command nset_cmd_compare = {
    .name = "compare",
    .arguments = "FOUND TRUTH",
    .help = "score a result against the truth by the field's rules",
    .options = options,
    .settings_size = sizeof(settings),
    .min_arguments = 2,
    .max_arguments = 2,
    .run = run,
};
