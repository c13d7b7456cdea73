/* Scores of stored sortings, against those that the field's rules in NumPy and SciPy give (expected.json beside them).
 */
#include <math.h>
#include <stdbool.h>
#include <unistd.h>

#include <neuroset/assign.h>

#include "ephys/compare.h"
#include "golden.h"

static int failures;

static void check(const char *name, const char *what, double got, double want)
{
    if (fabs(got - want) <= 1e-12)
        return;
    printf("FAIL %s: %s is %.17g, expected %.17g\n", name, what, got, want);
    failures++;
}

static void check_list(const char *name, const char *what, const double *got, size_t n, json_t *want)
{
    check(name, what, (double)n, (double)json_array_size(want));
    for (size_t i = 0; i < n; i++)
        check(name, what, got[i], json_number_value(json_array_get(want, i)));
}

static void check_score(const char *name, const nset_sorting_score *s, json_t *want)
{
    const struct {
        const char *key;
        double got;
    } numbers[] = { { "n_true", (double)s->n_true }, { "n_found", (double)s->n_found },
        { "mean_accuracy", s->mean_accuracy }, { "mean_recall", s->mean_recall },
        { "mean_precision", s->mean_precision }, { "well", (double)s->well },
        { "false_positive", (double)s->false_positive }, { "redundant", (double)s->redundant },
        { "overmerged", (double)s->overmerged } };

    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        check(name, numbers[i].key, numbers[i].got, json_number_value(json_object_get(want, numbers[i].key)));
    check_list(name, "accuracy", s->accuracy, s->n_true, json_object_get(want, "accuracy"));
    check_list(name, "recall", s->recall, s->n_true, json_object_get(want, "recall"));
    check_list(name, "precision", s->precision, s->n_true, json_object_get(want, "precision"));
    for (size_t i = 0; i < s->n_true; i++)
        check(name, "pair", s->pair[i] == NSET_UNASSIGNED ? -1 : (double)s->pair[i],
            json_number_value(json_array_get(json_object_get(want, "pair"), i)));
}

static void check_case(const char *name)
{
    char folder[2048], truth_path[4096], found_path[4096], expected[4096];
    nset_trains *truth = NULL, *found = NULL;
    nset_sorting_score score = { 0 };
    nset_error err = { 0 };
    json_t *want;

    snprintf(folder, sizeof folder, "%s/tests/golden/compare/%s", NSET_SOURCE_ROOT, name);
    snprintf(truth_path, sizeof truth_path, "%s/truth.npz", folder);
    snprintf(found_path, sizeof found_path, "%s/found.npz", folder);
    snprintf(expected, sizeof expected, "%s/expected.json", folder);
    if (access(found_path, R_OK))
        snprintf(found_path, sizeof found_path, "%s/found", folder);
    want = json_load_file(expected, 0, NULL);
    if (!want || nset_trains_read(&truth, truth_path, &err) != NSET_OK ||
        nset_trains_read(&found, found_path, &err) != NSET_OK ||
        nset_sorting_compare(&score, truth, found, (int64_t)(.4 / 1000 * truth->rate_hz), &err) != NSET_OK) {
        printf("FAIL %s: %s\n", name, want ? err.text : "no expected.json");
        failures++;
    } else {
        check(name, "rate", found->rate_hz, 30000);
        check_score(name, &score, want);
    }
    nset_sorting_score_fini(&score);
    nset_trains_free(truth);
    nset_trains_free(found);
    json_decref(want);
}

int main(void)
{
    static const char *const cases[] = { "c1", "c2", "phy", "none" };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_case(cases[i]);
    printf("%d failures\n", failures);
    return failures != 0;
}
