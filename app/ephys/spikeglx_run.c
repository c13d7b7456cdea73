/* Runs of SpikeGLX: files of one stream, cut by gates and triggers, given one by one or as the folder they lie in. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <neuroset/memory.h>

#include "ephys/spikeglx.h"
#include "results/small_files.h"

enum { MOST_FILES = 10000, MOST_DEPTH = 3 };

typedef struct run_file {
    char *path;      /* of the .bin, owned */
    char stream[40]; /* imec0.ap, imec1.lf, nidq, obx0 */
    char serial[40]; /* of the probe; "" for others */
    char run[256];   /* name before _gG_tT */
    size_t group;    /* files of one stream of one probe have the same */
    bool is_ap, has_data, wanted;
    double first_sample;
    time_t created;   /* as its meta says; 0: it does not */
    time_t run_start; /* of the first file of its run */
} run_file;

typedef struct run_files {
    run_file *file;
    size_t n, capacity;
} run_files;

static void free_files(run_files *f)
{
    for (size_t i = 0; i < f->n; i++)
        nset_free(f->file[i].path);
    nset_free(f->file);
    *f = (run_files){ 0 };
}

static bool ends_with(const char *path, const char *ending)
{
    size_t n = strlen(path), m = strlen(ending);

    return n > m && !strcmp(path + n - m, ending);
}

/* ---- what a file is ---- */

static void copy_value(char *out, size_t n, const char *meta, const char *key)
{
    const char *v = nset_spikeglx_value(meta, key);

    if (v && !*out)
        snprintf(out, n, "%.*s", (int)strcspn(v, "\r\n"), v);
}

static void name_stream(run_file *f, const char *meta)
{
    static const char *const of_kind[] = { "imec", "imec", "nidq", "obx" };
    nset_spikeglx_kind kind = nset_spikeglx_kind_of(meta, f->path);
    const char *name = strrchr(f->path, '/') ? strrchr(f->path, '/') + 1 : f->path, *at, *last = NULL;
    size_t n = 0;

    for (at = strstr(name, of_kind[kind]); at; at = strstr(at + 1, of_kind[kind]))
        last = at; /* a run's own name may hold the word */
    if (last && kind != NSET_SPIKEGLX_NIDQ)
        n = strspn(last + strlen(of_kind[kind]), "0123456789");
    snprintf(f->stream, sizeof f->stream, "%s%.*s%s", of_kind[kind], (int)(n < 6 ? n : 6),
        n ? last + strlen(of_kind[kind]) : "",
        kind == NSET_SPIKEGLX_AP   ? ".ap"
        : kind == NSET_SPIKEGLX_LF ? ".lf"
                                   : "");
    f->is_ap = kind == NSET_SPIKEGLX_AP;
}

/* run := the name before _gG_tT, "" when it is not named so. */
static void name_run(run_file *f)
{
    const char *name = strrchr(f->path, '/') ? strrchr(f->path, '/') + 1 : f->path;

    for (const char *p = strstr(name, "_g"); p; p = strstr(p + 1, "_g")) {
        size_t n = strspn(p + 2, "0123456789");
        if (n && !strncmp(p + 2 + n, "_t", 2))
            snprintf(f->run, sizeof f->run, "%.*s", (int)(p - name), name);
    }
}

/* fileCreateTime=2021-07-02T14:43:02, of whatever zone: only differences matter. */
static time_t created_at(const char *meta)
{
    const char *v = nset_spikeglx_value(meta, "fileCreateTime");
    struct tm t = { 0 };

    return v && strptime(v, "%Y-%m-%dT%H:%M:%S", &t) && t.tm_year >= 70 ? timegm(&t) : 0;
}

/* Adds the file with that .meta or .bin. */
static nset_status add_file(run_files *files, const char *path, nset_error *err)
{
    nset_status status = nset_grow(&files->file, &files->capacity, files->n + 1, sizeof *files->file, err);
    char meta[4096], data[4096], *text = NULL;
    run_file *f;

    if (status != NSET_OK)
        return status;
    if (files->n >= MOST_FILES)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: more than %d files in one run", path, MOST_FILES);
    nset_spikeglx_path(meta, sizeof meta, path, ".meta");
    nset_spikeglx_path(data, sizeof data, path, ".bin");
    if ((status = nset_read_text(&text, meta, 16 << 20, err)) != NSET_OK)
        return status;
    f = &files->file[files->n];
    *f = (run_file){ .path = nset_strdup(data), .has_data = access(data, R_OK) == 0 };
    if (!f->path) {
        nset_free(text);
        return nset_fail_oom(err, strlen(data), 1);
    }
    files->n++;
    copy_value(f->serial, sizeof f->serial, text, "imDatPrb_sn");
    copy_value(f->serial, sizeof f->serial, text, "imProbeSN");
    f->first_sample = nset_spikeglx_number(text, "firstSample");
    f->created = created_at(text);
    name_stream(f, text);
    name_run(f);
    nset_free(text);
    return NSET_OK;
}

/* ---- folders ---- */

/* Other programs have .meta files too. */
static bool is_meta(const char *path)
{
    nset_error err = { 0 };
    char *text = NULL;
    bool is = nset_read_text(&text, path, 16 << 20, &err) == NSET_OK && nset_spikeglx_value(text, "nSavedChans");

    nset_free(text);
    return is;
}

/* Is there a .meta in the folder that belongs to SpikeGLX? add NULL: only look for one. */
static nset_status scan(run_files *add, bool *found, const char *folder, int depth, nset_error *err)
{
    struct dirent **entries = NULL;
    int n = scandir(folder, &entries, NULL, alphasort);
    nset_status status = NSET_OK;

    for (int i = 0; i < n; i++) {
        const char *name = entries[i]->d_name;
        char path[4096];
        struct stat s;
        snprintf(path, sizeof path, "%s/%s", folder, name);
        if (name[0] != '.' && status == NSET_OK && !(*found && !add) && !lstat(path, &s)) {
            if (S_ISDIR(s.st_mode) && depth < MOST_DEPTH) {
                status = scan(add, found, path, depth + 1, err);
            } else if (S_ISREG(s.st_mode) && ends_with(name, ".meta") && is_meta(path)) {
                *found = true;
                status = add ? add_file(add, path, err) : NSET_OK;
            }
        }
        free(entries[i]);
    }
    free(entries);
    return status;
}

static bool is_folder(const char *path)
{
    struct stat s;

    return !stat(path, &s) && S_ISDIR(s.st_mode);
}

static bool probe(const char *path)
{
    char meta[4096];
    bool found = false;

    if (is_folder(path))
        return scan(NULL, &found, path, 0, NULL) == NSET_OK && found;
    if (!ends_with(path, ".bin") && !ends_with(path, ".meta"))
        return false;
    nset_spikeglx_path(meta, sizeof meta, path, ".meta");
    return access(meta, R_OK) == 0;
}

/* ---- streams ---- */

static void group_files(run_files *f)
{
    for (size_t i = 0; i < f->n; i++) {
        f->file[i].group = i;
        for (size_t k = 0; k < i; k++)
            if (!strcmp(f->file[i].stream, f->file[k].stream) && !strcmp(f->file[i].serial, f->file[k].serial)) {
                f->file[i].group = f->file[k].group;
                break;
            }
    }
}

/* Marks the files that --stream means: by name of the stream or number of the probe, else by their path below folder.
 */
static void mark_wanted(run_files *f, const char *folder, const char *wanted)
{
    bool exact = false;

    for (size_t i = 0; i < f->n; i++) {
        run_file *x = &f->file[i];
        x->wanted = !wanted || !strcmp(x->stream, wanted) || (*x->serial && !strcmp(x->serial, wanted));
        exact = exact || x->wanted;
    }
    for (size_t i = 0; i < f->n && !exact; i++)
        f->file[i].wanted = strstr(f->file[i].path + strlen(folder), wanted) != NULL;
}

static void list_streams(char *list, size_t n, const run_files *f)
{
    *list = '\0';
    for (size_t i = 0; i < f->n; i++)
        if (f->file[i].group == i)
            snprintf(list + strlen(list), n - strlen(list), "%s%s%s%s%s", *list ? ", " : "", f->file[i].stream,
                *f->file[i].serial ? " of probe " : "", f->file[i].serial, f->file[i].has_data ? "" : " (no data)");
}

/* The group of files that --stream names, or the only one of spikes, or of anything. */
static nset_status choose_group(
    size_t *group, const run_files *f, const char *folder, const char *wanted, nset_error *err)
{
    char list[1000];

    list_streams(list, sizeof list, f);
    for (int only_ap = 1; only_ap >= 0; only_ap--) {
        size_t n = 0;
        for (size_t i = 0; i < f->n; i++) {
            bool new_group = f->file[i].has_data && f->file[i].wanted && (!only_ap || f->file[i].is_ap);
            for (size_t k = 0; k < i && new_group; k++)
                new_group = !(f->file[k].group == f->file[i].group && f->file[k].has_data && f->file[k].wanted);
            if (new_group) {
                *group = f->file[i].group;
                n++;
            }
        }
        if (n == 1)
            return NSET_OK;
        if (n > 1)
            return nset_fail(err, NSET_ERR_FORMAT,
                "%s: %zu streams%s; choose one with --stream (its name, the probe's number or a part of the path): %s",
                folder, n, wanted ? " fit" : "", list);
    }
    return nset_fail(err, NSET_ERR_FORMAT, "%s: no stream with data%s%s; there are: %s", folder, wanted ? " fits " : "",
        wanted ? wanted : "", list);
}

static int by_first_sample(const void *a, const void *b)
{
    const run_file *p = a, *q = b;
    int run = strcmp(p->run, q->run);

    if (run && p->run_start != q->run_start)
        return p->run_start < q->run_start ? -1 : 1;
    if (run)
        return run;
    if (p->first_sample != q->first_sample)
        return p->first_sample < q->first_sample ? -1 : 1;
    return strcmp(p->path, q->path);
}

static void sort_files(run_files *f)
{
    for (size_t i = 0; i < f->n; i++) {
        f->file[i].run_start = f->file[i].created;
        for (size_t k = 0; k < f->n; k++)
            if (!strcmp(f->file[i].run, f->file[k].run) && f->file[k].created < f->file[i].run_start)
                f->file[i].run_start = f->file[k].created;
    }
    qsort(f->file, f->n, sizeof *f->file, by_first_sample);
}

static nset_status check_files(const run_files *f, nset_error *err)
{
    for (size_t i = 1; i < f->n; i++) {
        const run_file *a = &f->file[0], *b = &f->file[i];
        if (strcmp(a->stream, b->stream) || strcmp(a->serial, b->serial))
            return nset_fail(err, NSET_ERR_FORMAT, "%s is of stream %s%s%s, %s of %s%s%s: give files of one stream",
                a->path, a->stream, *a->serial ? " of probe " : "", a->serial, b->path, b->stream,
                *b->serial ? " of probe " : "", b->serial);
        if (strcmp(a->run, b->run) && (!a->created || !b->created))
            return nset_fail(err, NSET_ERR_FORMAT,
                "%s is of run '%s', %s of '%s': the clock starts anew in each run, and without fileCreateTime in both "
                "headers it is not known how they follow each other",
                a->path, a->run, b->path, b->run);
    }
    return NSET_OK;
}

/* The first file of another run: it follows as long after the first file of all as their headers say, to a second. */
static nset_status join_run(
    nset_layout *l, nset_layout *next, const run_file *first, const run_file *f, nset_error *err)
{
    double pause = difftime(f->created, first->created) - (nset_layout_end_s(l) - l->start_s);

    if (pause < -1)
        return nset_fail(err, NSET_ERR_FORMAT,
            "%s was begun %.0f s before the end of the files of run '%s': they do not follow each other", f->path,
            -pause, first->run);
    nset_layout_warn(l, "%s is of another run: the %.0f s before it are known to a second only, from fileCreateTime",
        f->path, pause > 0 ? pause : 0);
    return nset_layout_join_after(l, next, pause > 0 ? pause : 0, err);
}

/* Files of one stream, in the order of their runs and of their first samples. */
static nset_status join_files(nset_layout *l, run_files *f, const nset_recording_options *o, nset_error *err)
{
    nset_status status;

    sort_files(f);
    if ((status = check_files(f, err)) != NSET_OK ||
        (status = nset_spikeglx_file(l, f->file[0].path, o, err)) != NSET_OK)
        return status;
    for (size_t i = 1; i < f->n && status == NSET_OK; i++) {
        nset_layout next = { 0 };
        if ((status = nset_spikeglx_file(&next, f->file[i].path, o, err)) == NSET_OK)
            status = strcmp(f->file[i].run, f->file[i - 1].run) ? join_run(l, &next, &f->file[0], &f->file[i], err)
                                                                : nset_layout_join(l, &next, o->cut_overlap, err);
        nset_layout_fini(&next);
    }
    if (status == NSET_OK && f->n > 1)
        nset_layout_fact(l, "files", "the order of their first samples", "%zu, joined with %zu gap%s", f->n, l->n_gaps,
            l->n_gaps == 1 ? "" : "s");
    return status;
}

static nset_status open_folder(nset_layout *l, const char *path, const nset_recording_options *o, nset_error *err)
{
    run_files files = { 0 };
    bool found = false;
    size_t group = 0, n = 0;
    nset_status status = scan(&files, &found, path, 0, err);

    if (status == NSET_OK) {
        group_files(&files);
        mark_wanted(&files, path, o->stream);
        status = choose_group(&group, &files, path, o->stream, err);
    }
    for (size_t i = 0; i < files.n && status == NSET_OK; i++) { /* the others leave the list */
        run_file *f = &files.file[i], move = *f;
        if (f->group != group || !f->wanted)
            continue;
        if (!f->has_data) {
            nset_layout_warn(l, "%s: there is a header but no data", f->path);
            continue;
        }
        *f = files.file[n];
        files.file[n++] = move;
    }
    if (status == NSET_OK) {
        run_files chosen = { .file = files.file, .n = n };
        nset_layout_fact(l, "stream", path, "%s, %zu file%s", files.file[0].stream, n, n == 1 ? "" : "s");
        status = join_files(l, &chosen, o, err);
    }
    free_files(&files);
    return status;
}

static nset_status open_one(nset_layout *l, const char *path, const nset_recording_options *o, nset_error *err)
{
    return is_folder(path) ? open_folder(l, path, o, err) : nset_spikeglx_file(l, path, o, err);
}

static nset_status open_many(
    nset_layout *l, const char *const *paths, size_t n, const nset_recording_options *o, nset_error *err)
{
    run_files files = { 0 };
    nset_status status = NSET_OK;

    for (size_t i = 0; i < n && status == NSET_OK; i++)
        status = is_folder(paths[i]) ? nset_fail(err, NSET_ERR_ARG, "%s: give one folder, or files", paths[i])
                                     : add_file(&files, paths[i], err);
    if (status == NSET_OK)
        status = join_files(l, &files, o, err);
    free_files(&files);
    return status;
}

const nset_reader nset_reader_spikeglx = { .name = "spikeglx",
    .about = "SpikeGLX .bin with .meta, or a folder of them",
    .says_all = true,
    .probe = probe,
    .open = open_one,
    .open_many = open_many };
