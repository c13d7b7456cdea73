/* The rules of Kilosort's paper and of SpikeForest, worked by hand.
 *
 * Truth at 30 kHz: A 1000 2000 3000 4000 5000, B 1500 2500 3500 4500, C one sample after B, D 7000 8000.
 * Found: X has A's spikes but the second is 7 samples off, and one more; Y has B's spikes and two of A's; Z has 7000
 * and 7003, both D's first.
 *
 *            Kilosort, 6 samples: hit, right, score      SpikeForest, 30 samples: matches, accuracy
 *   A with X   4/5    4/6   .8 + .6667 - 1               5   5 / (5 + 6 - 5)
 *   B with Y   4/4    4/6   1 + .6667 - 1                4   4 / (4 + 6 - 4)
 *   C with Y   the same, Y being B's too                 the same
 *   D with Z   1/2    2/2   .5 + 1 - 1                   1   1 / (2 + 2 - 1)
 */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>

#include <neuroset/assign.h>

#include "ephys/compare.h"

static int failures;

static void check(const char *what, size_t i, double got, double want)
{
    if (fabs(got - want) <= 1e-12)
        return;
    printf("FAIL %s of %zu is %.17g, expected %.17g\n", what, i, got, want);
    failures++;
}

static int64_t true_samples[] = { 1000, 1500, 1501, 2000, 2500, 2501, 3000, 3500, 3501, 4000, 4500, 4501, 5000, 7000,
    8000 };
static size_t true_units[] = { 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 3, 3 };
static int64_t found_samples[] = { 1000, 1006, 1500, 1993, 2500, 3000, 3000, 3500, 4000, 4500, 5000, 6000, 7000, 7003 };
static size_t found_units[] = { 1, 0, 1, 0, 1, 0, 1, 1, 0, 1, 0, 0, 2, 2 };
static int64_t ids[] = { 0, 1, 2, 3 };
static size_t true_counts[] = { 5, 4, 4, 2 }, found_counts[] = { 6, 6, 2 };
static double snr[] = { 9, 4, 20, NAN }, unknown[] = { NAN, NAN, NAN, NAN };
static bool good[] = { true, true, true };

static void check_rules(void)
{
    static const double score[] = { .8 + 4. / 6 - 1, 4. / 6, 4. / 6, .5 };
    static const double kilosort_recall[] = { .8, 1, 1, .5 }, kilosort_precision[] = { 4. / 6, 4. / 6, 4. / 6, 1 };
    static const double accuracy[] = { 5. / 6, 4. / 6, 4. / 6, 1. / 3 }, recall[] = { 1, 1, 1, .5 };
    static const size_t pair[] = { 0, 1, 1, 2 };
    const nset_trains truth = { .n = 15,
        .n_units = 4,
        .sample = true_samples,
        .unit = true_units,
        .ids = ids,
        .n_spikes = true_counts,
        .snr = snr,
        .y_um = unknown };
    const nset_trains found = { .n = 14,
        .n_units = 3,
        .sample = found_samples,
        .unit = found_units,
        .ids = ids,
        .n_spikes = found_counts,
        .snr = unknown,
        .y_um = unknown,
        .good = good };
    nset_sorting_score k = { 0 }, f = { 0 };
    nset_error err = { 0 };

    if (nset_sorting_compare_best(&k, &truth, &found, NSET_COMPARE_KILOSORT, 6, &err) != NSET_OK ||
        nset_sorting_compare_best(&f, &truth, &found, NSET_COMPARE_SPIKEFOREST, 30, &err) != NSET_OK) {
        printf("FAIL %s\n", err.text);
        failures++;
        return;
    }
    for (size_t i = 0; i < 4; i++) {
        check("Kilosort's score", i, k.accuracy[i], score[i]);
        check("Kilosort's recall", i, k.recall[i], kilosort_recall[i]);
        check("Kilosort's precision", i, k.precision[i], kilosort_precision[i]);
        check("Kilosort's unit", i, (double)k.pair[i], (double)pair[i]);
        check("SpikeForest's accuracy", i, f.accuracy[i], accuracy[i]);
        check("SpikeForest's recall", i, f.recall[i], recall[i]);
        check("SpikeForest's unit", i, (double)f.pair[i], (double)pair[i]);
    }
    check("Kilosort's count", 0, (double)k.well, 0);
    check("SpikeForest's count", 0, (double)f.well, 1);
    check("units of SNR above 8", 0, (double)f.n_clear, 2);
    check("their mean", 0, f.mean_clear, (5. / 6 + 4. / 6) / 2);
    check("mean", 0, f.mean_accuracy, (5. / 6 + 8. / 6 + 1. / 3) / 4);
    nset_sorting_score_fini(&k);
    nset_sorting_score_fini(&f);
}

/* 21 found units at depths 0, 10 .. 200; the true one lies at 0 and its spikes are those of the last: by depth, the
 * last is the 21st and not looked at. */
static void check_depth(void)
{
    enum { UNITS = 21 };
    int64_t sample[2] = { 100, 200 }, found_sample[UNITS + 1], found_ids[UNITS];
    size_t unit[2] = { 0, 0 }, found_unit[UNITS + 1], n_true = 2, n_found[UNITS];
    double y = 0, found_y[UNITS];
    const nset_trains truth = { .n = 2,
        .n_units = 1,
        .sample = sample,
        .unit = unit,
        .ids = ids,
        .n_spikes = &n_true,
        .snr = unknown,
        .y_um = &y };
    nset_trains found = { .n = UNITS + 1,
        .n_units = UNITS,
        .sample = found_sample,
        .unit = found_unit,
        .ids = found_ids,
        .n_spikes = n_found,
        .snr = found_y,
        .y_um = found_y };
    nset_error err = { 0 };

    found_sample[0] = 100;
    found_sample[1] = 200;
    found_unit[0] = found_unit[1] = UNITS - 1;
    for (size_t i = 0; i < UNITS; i++) {
        found_y[i] = 10. * (double)i;
        found_ids[i] = (int64_t)i;
        n_found[i] = i == UNITS - 1 ? 2 : 1;
        if (i < UNITS - 1) {
            found_sample[i + 2] = 1000 + (int64_t)i;
            found_unit[i + 2] = i;
        }
    }
    for (int known = 0; known < 2; known++) {
        nset_sorting_score s = { 0 };
        y = known ? 0 : (double)NAN;
        if (nset_sorting_compare_best(&s, &truth, &found, NSET_COMPARE_KILOSORT, 6, &err) != NSET_OK)
            failures++;
        else
            check(known ? "score by depth" : "score without depths", 0, s.accuracy[0], known ? 0 : 1);
        nset_sorting_score_fini(&s);
    }
}

static void check_empty(void)
{
    const nset_trains none = { .ids = ids }, truth = { .n = 15,
        .n_units = 4,
        .sample = true_samples,
        .unit = true_units,
        .ids = ids,
        .n_spikes = true_counts,
        .snr = snr,
        .y_um = unknown };
    nset_error err = { 0 };

    for (int rule = NSET_COMPARE_KILOSORT; rule <= NSET_COMPARE_SPIKEFOREST; rule++)
        for (int turn = 0; turn < 2; turn++) {
            nset_sorting_score s = { 0 };
            if (nset_sorting_compare_best(
                    &s, turn ? &truth : &none, turn ? &none : &truth, (nset_compare_rule)rule, 6, &err) != NSET_OK)
                failures++;
            check("mean with nothing found or true", (size_t)turn, s.mean_accuracy, 0);
            if (turn)
                check("unit of nothing", 0, (double)(s.pair[0] == NSET_UNASSIGNED), 1);
            nset_sorting_score_fini(&s);
        }
}

int main(void)
{
    check_rules();
    check_depth();
    check_empty();
    printf("%d failures\n", failures);
    return failures != 0;
}
