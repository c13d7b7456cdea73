/* Scores of stored masks, against those of the field's rules in NumPy and SciPy (expected.json beside them): matches by
 * centre and by overlap, ignored labels, active cells, repeated pixels, an empty result, exchanged axes.
 */
#include <math.h>
#include <stdbool.h>
#include <unistd.h>

#include "golden.h"
#include "imaging/compare.h"

static int failures;

static void check(const char *name, const char *what, double got, json_t *want)
{
    if (want && fabs(got - json_number_value(want)) <= 1e-12)
        return;
    printf("FAIL %s: %s is %.17g, expected %.17g\n", name, what, got, json_number_value(want));
    failures++;
}

static void check_match(const char *name, const nset_match_score *s, json_t *want)
{
    check(name, "precision", s->precision, json_object_get(want, "precision"));
    check(name, "recall", s->recall, json_object_get(want, "recall"));
    check(name, "f1", s->f1, json_object_get(want, "f1"));
    check(name, "hits", (double)s->hits, json_object_get(want, "hits"));
    check(name, "found", (double)s->found, json_object_get(want, "found"));
    check(name, "truth", (double)s->truth, json_object_get(want, "truth"));
    if (json_object_get(want, "active")) {
        check(name, "active", (double)s->active, json_object_get(want, "active"));
        check(name, "active_recall", s->active_recall, json_object_get(want, "active_recall"));
    }
}

static void check_score(const char *name, const nset_mask_score *s, json_t *want)
{
    json_t *shape = json_object_get(want, "shape");

    check_match(name, &s->centre, json_object_get(want, "centre"));
    check_match(name, &s->iou, json_object_get(want, "iou"));
    check(name, "inclusion", s->inclusion, json_object_get(shape, "inclusion"));
    check(name, "exclusion", s->exclusion, json_object_get(shape, "exclusion"));
    check(name, "mean IoU", s->mean_iou, json_object_get(shape, "mean_iou"));
}

/* The file of a case, or NULL when it has none. */
static const char *part(char path[4096], const char *name, const char *file)
{
    snprintf(path, 4096, "%s/tests/golden/masks/%s/%s.json", NSET_SOURCE_ROOT, name, file);
    return access(path, R_OK) ? NULL : path;
}

static void check_case(const char *name)
{
    char path[4096];
    nset_regions *found = NULL, *truth = NULL, *ignore = NULL;
    nset_mask_score score;
    nset_error err = { 0 };
    json_t *want = json_load_file(part(path, name, "expected"), 0, NULL);
    nset_status status = nset_regions_read(&found, part(path, name, "found"), &err);

    if (status == NSET_OK)
        status = nset_regions_read(&truth, part(path, name, "truth"), &err);
    if (status == NSET_OK && part(path, name, "ignore"))
        status = nset_regions_read(&ignore, path, &err);
    if (status == NSET_OK && part(path, name, "active"))
        status = nset_regions_mark_active(truth, path, &err);
    if (status == NSET_OK)
        status = nset_compare_masks(&score, NULL, found, truth, ignore, 5, .5, &err);
    if (status == NSET_OK) {
        check_score(name, &score, json_object_get(want, "as_given"));
        if ((status = nset_regions_transpose(found, &err)) == NSET_OK)
            status = nset_compare_masks(&score, NULL, found, truth, ignore, 5, .5, &err);
    }
    if (status == NSET_OK)
        check_score(name, &score, json_object_get(want, "transposed"));
    if (status != NSET_OK) {
        printf("FAIL %s: %s\n", name, err.text);
        failures++;
    }
    nset_regions_free(found);
    nset_regions_free(truth);
    nset_regions_free(ignore);
    json_decref(want);
}

int main(void)
{
    static const char *const cases[] = { "crowd", "flags", "none", "swapped" };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_case(cases[i]);
    printf("%d failures\n", failures);
    return failures != 0;
}
