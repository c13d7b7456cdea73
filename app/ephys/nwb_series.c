/* The ElectricalSeries of an NWB file. Links are followed; groups are looked into a few levels deep. */
#include <stdio.h>
#include <string.h>

#include <neuroset/memory.h>

#include "ephys/nwb.h"

enum { MOST_DEPTH = 6, MOST_GROUPS = 4096, MOST_SERIES = 256, PATH_BYTES = 512 };

typedef struct search {
    char path[PATH_BYTES]; /* of the group that is looked into */
    int depth;
    size_t n_groups, n;
    char *series[MOST_SERIES]; /* owned */
    haddr_t at[MOST_SERIES];   /* where each lies: several links may lead to one */
    bool no_memory;
} search;

static herr_t look(hid_t group, const char *name, const H5L_info_t *info, void *context);

static bool is_known(const search *s, haddr_t at)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->at[i] == at)
            return true;
    return false;
}

static void look_into(search *s, hid_t object, haddr_t address)
{
    char kind[64] = "";

    nset_h5_text(kind, sizeof kind, object, "neurodata_type");
    if (!strcmp(kind, "ElectricalSeries")) {
        if (s->n == MOST_SERIES || is_known(s, address))
            return;
        s->at[s->n] = address;
        if ((s->series[s->n] = nset_strdup(s->path)))
            s->n++;
        else
            s->no_memory = true;
    } else if (s->depth < MOST_DEPTH) {
        hsize_t at = 0;
        s->depth++;
        H5Literate(object, H5_INDEX_NAME, H5_ITER_INC, &at, look, s);
        s->depth--;
    }
}

static herr_t look(hid_t group, const char *name, const H5L_info_t *info, void *context)
{
    search *s = context;
    size_t length = strlen(s->path);
    H5O_info_t about;
    hid_t object;

    (void)info;
    if (s->n_groups >= MOST_GROUPS || length + strlen(name) + 2 > PATH_BYTES || !nset_h5_has(group, name))
        return 0;
    s->n_groups++;
    object = H5Oopen(group, name, H5P_DEFAULT);
    if (object < 0)
        return 0;
    snprintf(s->path + length, PATH_BYTES - length, "/%s", name);
    if (H5Oget_info2(object, &about, H5O_INFO_BASIC) >= 0 && about.type == H5O_TYPE_GROUP)
        look_into(s, object, about.addr);
    s->path[length] = 0;
    H5Oclose(object);
    return 0;
}

static void find_below(search *s, hid_t file, const char *top)
{
    hid_t object = nset_h5_has(file, top) ? H5Oopen(file, top, H5P_DEFAULT) : -1;

    if (object < 0)
        return;
    snprintf(s->path, PATH_BYTES, "/%s", top);
    look_into(s, object, HADDR_UNDEF);
    H5Oclose(object);
}

/* Does a path end with what was asked, at a name's border? */
static bool is_asked(const char *path, const char *asked)
{
    size_t n = strlen(path), k = strlen(asked);

    return k <= n && !strcmp(path + n - k, asked) && (k == n || asked[0] == '/' || path[n - k - 1] == '/');
}

static const char *select_series(const search *s, size_t n_raw, const char *asked)
{
    const char *found = NULL;

    if (!asked)
        return n_raw == 1 || (n_raw == 0 && s->n == 1) ? s->series[0] : NULL;
    for (size_t i = 0; i < s->n; i++)
        if (!strcmp(s->series[i], asked))
            return s->series[i];
    for (size_t i = 0; i < s->n; i++)
        if (is_asked(s->series[i], asked)) {
            if (found)
                return NULL; /* two */
            found = s->series[i];
        }
    return found;
}

nset_status nset_nwb_choose(char **path, hid_t file, const char *file_path, const char *stream, nset_error *err)
{
    search *s = nset_calloc(1, sizeof *s);
    char list[300] = "";
    const char *found;
    size_t n_raw;
    nset_status status = NSET_OK;

    if (!s)
        return nset_fail_oom(err, 1, sizeof *s);
    find_below(s, file, "acquisition"); /* first: its series are the first of the list */
    n_raw = s->n;
    find_below(s, file, "processing");
    found = select_series(s, n_raw, stream);
    for (size_t i = 0; i < s->n && strlen(list) + strlen(s->series[i]) + 3 < sizeof list; i++)
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", i ? ", " : "", s->series[i]);
    if (s->no_memory)
        status = nset_fail_oom(err, 1, PATH_BYTES);
    else if (s->n == 0)
        status = nset_fail(err, NSET_ERR_FORMAT,
            "%s: the file holds no ElectricalSeries in acquisition or processing: there is no recording", file_path);
    else if (!found && stream)
        status = nset_fail(
            err, NSET_ERR_FORMAT, "%s: --stream %s names none or more than one of %s", file_path, stream, list);
    else if (!found)
        status = nset_fail(
            err, NSET_ERR_FORMAT, "%s: choose one of %zu recordings with --stream: %s", file_path, s->n, list);
    else if (!(*path = nset_strdup(found)))
        status = nset_fail_oom(err, strlen(found) + 1, 1);
    for (size_t i = 0; i < s->n; i++)
        nset_free(s->series[i]);
    nset_free(s);
    return status;
}
