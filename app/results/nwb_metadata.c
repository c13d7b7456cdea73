#include "results/nwb_metadata.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <neuroset/memory.h>

#include "results/small_files.h"

enum { MOST_BYTES = 16 << 20 };
typedef enum kind { TEXT, TEXTS, TIME, SEX, LENGTH, OBJECT } kind; /* TEXTS: one or a list; LENGTH: of a wave */

typedef struct field {
    const char *key;
    kind kind;
    const struct field *inside; /* of an OBJECT */
} field;

static const field device[] = { { .key = "name" }, { .key = "description" }, { .key = "manufacturer" }, { 0 } };
static const field subject[] = { { .key = "subject_id" }, { .key = "species" }, { "sex", SEX, NULL }, { .key = "age" },
    { "date_of_birth", TIME, NULL }, { .key = "description" }, { .key = "genotype" }, { .key = "strain" },
    { .key = "weight" }, { 0 } };
static const field optical_channel[] = { { .key = "name" }, { .key = "description" },
    { "emission_lambda", LENGTH, NULL }, { 0 } };
static const field imaging_plane[] = { { .key = "name" }, { .key = "description" }, { .key = "indicator" },
    { .key = "location" }, { "excitation_lambda", LENGTH, NULL }, { "optical_channel", OBJECT, optical_channel },
    { 0 } };
static const field top[] = { { "session_start_time", TIME, NULL }, { "file_create_date", TIME, NULL },
    { .key = "session_description" }, { .key = "identifier" }, { .key = "session_id" }, { "experimenter", TEXTS, NULL },
    { .key = "institution" }, { .key = "lab" }, { .key = "experiment_description" }, { .key = "notes" },
    { "keywords", TEXTS, NULL }, { "related_publications", TEXTS, NULL }, { .key = "electrode_location" },
    { "device", OBJECT, device }, { "imaging_plane", OBJECT, imaging_plane }, { "subject", OBJECT, subject }, { 0 } };

/* Takes the digits of one number with its bounds. */
static bool digits(const char **p, int n, int low, int high)
{
    int v = 0;

    for (int i = 0; i < n; i++, (*p)++) {
        if (!isdigit((unsigned char)**p))
            return false;
        v = 10 * v + (**p - '0');
    }
    return v >= low && v <= high;
}

static bool symbol(const char **p, char c)
{
    return *(*p)++ == c;
}

/* YYYY-MM-DDThh:mm:ss[.f] and Z or +hh:mm. */
static bool is_time(const char *p)
{
    if (!digits(&p, 4, 1, 9999) || !symbol(&p, '-') || !digits(&p, 2, 1, 12) || !symbol(&p, '-') ||
        !digits(&p, 2, 1, 31) || !symbol(&p, 'T') || !digits(&p, 2, 0, 23) || !symbol(&p, ':') ||
        !digits(&p, 2, 0, 59) || !symbol(&p, ':') || !digits(&p, 2, 0, 59))
        return false;
    if (*p == '.')
        do
            p++;
        while (isdigit((unsigned char)*p));
    if (!strcmp(p, "Z"))
        return true;
    return (*p == '+' || *p == '-') && (p++, digits(&p, 2, 0, 14)) && symbol(&p, ':') && digits(&p, 2, 0, 59) && !*p;
}

static bool is_text(const json_t *v)
{
    return json_is_string(v) && json_string_length(v) > 0;
}

static const char *wanted(const json_t *v, kind k)
{
    size_t i;
    json_t *item;

    switch (k) {
    case TIME:
        return is_text(v) && is_time(json_string_value(v)) ? NULL
                                                           : "a time such as 2026-01-31T10:00:00+01:00, with its zone";
    case SEX:
        return is_text(v) && strchr("MFUO", json_string_value(v)[0]) && json_string_length(v) == 1
                   ? NULL
                   : "M, F, U (unknown) or O (other)";
    case TEXTS:
        if (is_text(v))
            return NULL;
        json_array_foreach(v, i, item) if (!is_text(item)) return "texts that are not empty";
        return json_array_size(v) > 0 ? NULL : "a text, or a list of texts";
    case LENGTH:
        return json_is_number(v) && json_number_value(v) > 0 ? NULL : "a wavelength in nanometres";
    case OBJECT:
        return json_is_object(v) ? NULL : "an object";
    default:
        return is_text(v) ? NULL : "a text that is not empty";
    }
}

static const field *find(const field *table, const char *key)
{
    while (table->key && strcmp(table->key, key))
        table++;
    return table->key ? table : NULL;
}

static nset_status check(json_t *object, const field *table, const char *where, const char *path, nset_error *err)
{
    const char *key, *want;
    nset_status status = NSET_OK;
    json_t *v;

    json_object_foreach(object, key, v)
    {
        const field *f = find(table, key);
        if (!f) {
            char known[300] = "";
            for (f = table; f->key; f++)
                snprintf(known + strlen(known), sizeof known - strlen(known), "%s%s", f == table ? "" : ", ", f->key);
            return nset_fail(
                err, NSET_ERR_FORMAT, "%s: '%s%s' is no field of the metadata; there are %s", path, where, key, known);
        }
        if ((want = wanted(v, f->kind)))
            return nset_fail(err, NSET_ERR_FORMAT, "%s: '%s%s': %s is expected", path, where, key, want);
        if (f->kind == OBJECT) {
            char inside[80];
            snprintf(inside, sizeof inside, "%s%s.", where, key);
            status = check(v, f->inside, inside, path, err);
        }
        if (status != NSET_OK)
            return status;
    }
    return NSET_OK;
}

/* Names become links of the file. */
static nset_status check_name(const json_t *object, const char *where, const char *path, nset_error *err)
{
    const char *name = json_string_value(json_object_get(object, "name"));

    if (name && (strpbrk(name, "/:") || name[0] == '.' || strlen(name) > 100))
        return nset_fail(err, NSET_ERR_FORMAT,
            "%s: '%s.name': a name without / and : of at most 100 letters is expected", path, where);
    return NSET_OK;
}

nset_status nset_nwb_metadata_parse(json_t **out, const char *text, const char *path, nset_error *err)
{
    json_t *root = NULL, *plane;
    nset_status status = nset_parse_json(&root, text, path, err);

    if (status == NSET_OK)
        status = check(root, top, "", path, err);
    plane = json_object_get(root, "imaging_plane");
    if (status != NSET_OK || (status = check_name(json_object_get(root, "device"), "device", path, err)) != NSET_OK ||
        (status = check_name(plane, "imaging_plane", path, err)) != NSET_OK ||
        (status = check_name(json_object_get(plane, "optical_channel"), "imaging_plane.optical_channel", path, err)) !=
            NSET_OK) {
        json_decref(root);
        return status;
    }
    *out = root;
    return NSET_OK;
}

nset_status nset_nwb_metadata_read(json_t **out, const char *path, nset_error *err)
{
    char *text = NULL;
    nset_status status = nset_read_text(&text, path, MOST_BYTES, err);

    if (status == NSET_OK)
        status = nset_nwb_metadata_parse(out, text, path, err);
    nset_free(text);
    return status;
}
