/* Recordings of Open Ephys under a path: <root>/[Record Node N/]experimentE/recordingR/structure.oebin. Recordings of
 * one experiment share a clock and are joined; another experiment has a clock of its own.
 */
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <neuroset/memory.h>

#include "ephys/folder.h"
#include "ephys/openephys.h"

enum { MOST_RECORDINGS = 1000, MOST_DEPTH = 3 };

typedef struct one {
    char *oebin;      /* owned */
    const char *path; /* the argument it was found from */
} one;

typedef struct recordings {
    one *at;
    size_t n, capacity;
} recordings;

static void free_recordings(recordings *r)
{
    for (size_t i = 0; i < r->n; i++)
        nset_free(r->at[i].oebin);
    nset_free(r->at);
    *r = (recordings){ 0 };
}

/* ---- finding them ---- */

/* path is a recording's folder, its structure.oebin, or something of one stream of it. */
static bool find_one(char *out, size_t n, const char *path)
{
    static const char *const steps[] = { "/structure.oebin", "/../../structure.oebin", "/../structure.oebin" };
    const char *slash = strrchr(path, '/');
    struct stat s;

    if (stat(path, &s))
        return false;
    if (S_ISDIR(s.st_mode)) {
        for (size_t i = 0; i < 3; i++) {
            snprintf(out, n, "%s%s", path, steps[i]);
            if (access(out, R_OK) == 0)
                return true;
        }
        return false;
    }
    if (nset_has_ending(path, ".oebin")) {
        snprintf(out, n, "%s", path);
        return true;
    }
    if (!nset_has_ending(path, "continuous.dat"))
        return false;
    snprintf(out, n, "%.*s../../structure.oebin", slash ? (int)(slash - path + 1) : 0, path);
    return access(out, R_OK) == 0;
}

static nset_status add(recordings *r, const char *oebin, const char *path, nset_error *err)
{
    nset_status status;

    if (r->n >= MOST_RECORDINGS)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: more than %d recordings", oebin, MOST_RECORDINGS);
    if ((status = nset_grow(&r->at, &r->capacity, r->n + 1, sizeof *r->at, err)) != NSET_OK)
        return status;
    if (!(r->at[r->n].oebin = nset_strdup(oebin)))
        return nset_fail_oom(err, strlen(oebin), 1);
    r->at[r->n++].path = path;
    return NSET_OK;
}

static int by_number(const struct dirent **a, const struct dirent **b)
{
    return nset_compare_names((*a)->d_name, (*b)->d_name);
}

/* Recordings below a folder, in the order of their numbers. */
static nset_status search(recordings *r, const char *folder, const char *origin, int depth, nset_error *err)
{
    struct dirent **entries = NULL;
    nset_status status = NSET_OK;
    char path[4096];
    int n;

    if (snprintf(path, sizeof path, "%s/structure.oebin", folder) >= (int)sizeof path)
        return NSET_OK;
    if (access(path, R_OK) == 0)
        return add(r, path, origin, err);
    if (depth == MOST_DEPTH || (n = scandir(folder, &entries, NULL, by_number)) < 0)
        return NSET_OK;
    for (int i = 0; i < n; i++) {
        const char *name = entries[i]->d_name;
        if (status == NSET_OK &&
            (!strncmp(name, "experiment", 10) || !strncmp(name, "recording", 9) || !strncmp(name, "Record", 6))) {
            if (snprintf(path, sizeof path, "%s/%s", folder, name) < (int)sizeof path)
                status = search(r, path, origin, depth + 1, err);
        }
        free(entries[i]);
    }
    free(entries);
    return status;
}

static bool probe(const char *path)
{
    recordings r = { 0 };
    nset_error err = { 0 };
    char oebin[4096];
    bool found = find_one(oebin, sizeof oebin, path);

    if (!found && nset_is_folder(path))
        found = search(&r, path, path, 0, &err) == NSET_OK && r.n > 0;
    free_recordings(&r);
    return found;
}

/* Length of the part of oebin that names the folder `up` levels above its own. */
static size_t folder_length(const char *oebin, int up)
{
    size_t n = strlen(oebin);

    for (int i = 0; i <= up; i++)
        while (n > 0 && oebin[--n] != '/')
            ;
    return n;
}

static bool same_folder(const char *a, const char *b, int up)
{
    size_t n = folder_length(a, up);

    return n == folder_length(b, up) && !strncmp(a, b, n);
}

/* One path may stand for the recordings of one experiment of one Record Node. */
static nset_status find_all(recordings *r, const char *path, nset_error *err)
{
    char oebin[4096];
    size_t first = r->n;
    nset_status status;

    if (find_one(oebin, sizeof oebin, path))
        return add(r, oebin, path, err);
    if ((status = search(r, path, path, 0, err)) != NSET_OK)
        return status;
    if (r->n == first)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: there is no structure.oebin here or below", path);
    for (size_t i = first + 1; i < r->n; i++) {
        const char *a = r->at[first].oebin, *b = r->at[i].oebin;
        if (!same_folder(a, b, 1))
            return nset_fail(err, NSET_ERR_FORMAT,
                "%s holds %.*s and %.*s, whose clocks are not the same: give one of them, or several as paths", path,
                (int)folder_length(a, 1), a, (int)folder_length(b, 1), b);
    }
    return NSET_OK;
}

/* ---- joining them ---- */

/* Seconds between the end of what l holds and the start of the recording at oebin: by the computer's clock where both
 * tell it, else by their sample numbers, which may go back. */
static double between(nset_layout *l, const nset_layout *next, const char *before, const char *oebin, double wall_end)
{
    double wall = nset_openephys_wall_ms(oebin) / 1000, seconds;

    if (wall > 0 && wall_end > 0 && wall >= wall_end) {
        nset_layout_fact(l, "gap", oebin, "%.3f s after %s, by the computer's clock", wall - wall_end, before);
        return wall - wall_end;
    }
    seconds = next->start_s - nset_layout_end_s(l);
    nset_layout_warn(l,
        "%s is of another experiment than %s, with a clock of its own: %.6g s between them is only what "
        "the two clocks show",
        oebin, before, seconds);
    return seconds != 0 ? seconds : 1 / l->rate_hz; /* a joint all the same */
}

static nset_status join(nset_layout *l, const recordings *r, const nset_recording_options *o, nset_error *err)
{
    nset_status status = nset_openephys_file(l, r->at[0].oebin, r->at[0].path, o, err);
    double wall = nset_openephys_wall_ms(r->at[0].oebin) / 1000, wall_start_s = l->start_s;

    for (size_t i = 1; i < r->n && status == NSET_OK; i++) {
        const char *a = r->at[i - 1].oebin, *b = r->at[i].oebin;
        nset_layout next = { 0 };
        if ((status = nset_openephys_file(&next, b, r->at[i].path, o, err)) == NSET_OK && same_folder(a, b, 1) &&
            l->has_clock) {
            status = nset_layout_join(l, &next, o->cut_overlap, err);
        } else if (status == NSET_OK) {
            double wall_end = wall > 0 ? wall + nset_layout_end_s(l) - wall_start_s : 0;
            status = nset_layout_join_after(l, &next, between(l, &next, a, b, wall_end), err);
        }
        nset_layout_fini(&next);
    }
    if (r->n > 1 && status == NSET_OK)
        nset_layout_fact(l, "files", "the folders", "%zu recordings, joined with %zu gap%s", r->n, l->n_gaps,
            l->n_gaps == 1 ? "" : "s");
    return status;
}

static nset_status open_many(
    nset_layout *l, const char *const *paths, size_t n, const nset_recording_options *o, nset_error *err)
{
    recordings r = { 0 };
    nset_status status = NSET_OK;

    for (size_t i = 0; i < n && status == NSET_OK; i++)
        status = find_all(&r, paths[i], err);
    if (status == NSET_OK)
        status = join(l, &r, o, err);
    free_recordings(&r);
    return status;
}

static nset_status open_one(nset_layout *l, const char *path, const nset_recording_options *o, nset_error *err)
{
    return open_many(l, &path, 1, o, err);
}

const nset_reader nset_reader_openephys = { .name = "openephys",
    .about = "Open Ephys binary",
    .says_all = true,
    .probe = probe,
    .open = open_one,
    .open_many = open_many };
