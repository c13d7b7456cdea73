#include "results/run.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

#include <neuroset/file.h>
#include <neuroset/memory.h>

#include "cli/progress.h"
#include "results/part.h"

struct nset_run_folder {
    char *dir, *part; /* final name, name while it is written */
    bool overwrite, resume;
    int lock;
    char *work; /* start of the names of what stages leave, NULL: they leave nothing */
    json_t *json;
    size_t made;  /* length of the first folder of the way to dir that was not there before; 0: all were */
    char **paths; /* of the files, full */
    size_t n_paths, cap_paths;
    double stage_start;
};

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void release(nset_run_folder *f)
{
    for (size_t i = 0; i < f->n_paths; i++)
        nset_free(f->paths[i]);
    nset_free(f->paths);
    nset_free(f->dir);
    nset_free(f->part);
    nset_free(f->work);
    nset_part_release(f->lock);
    json_decref(f->json);
    nset_free(f);
}

static nset_status make_names(nset_run_folder *f, const char *dir, nset_error *err)
{
    size_t n = strlen(dir);

    while (n > 1 && dir[n - 1] == '/')
        n--;
    if (n == 0)
        return nset_fail(err, NSET_ERR_ARG, "the result folder has no name");
    f->dir = nset_calloc(n + 1, 1);
    f->part = nset_calloc(n + sizeof NSET_PART_SUFFIX, 1);
    f->json = json_object();
    if (!f->dir || !f->part || !f->json)
        return nset_fail_oom(err, n + sizeof NSET_PART_SUFFIX, 1);
    memcpy(f->dir, dir, n);
    memcpy(f->part, dir, n);
    memcpy(f->part + n, NSET_PART_SUFFIX, sizeof NSET_PART_SUFFIX);
    return NSET_OK;
}

/* Makes the folders on the way to dir. */
static nset_status make_way(nset_run_folder *f, nset_error *err)
{
    for (char *slash = strchr(f->dir + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        int failed;
        *slash = '\0';
        failed = mkdir(f->dir, 0777) ? errno : 0;
        if (!failed && !f->made)
            f->made = (size_t)(slash - f->dir);
        if (failed && failed != EEXIST) /* the way may go on where one may not write, or it fails below */
            failed = access(f->dir, F_OK) ? failed : 0;
        else
            failed = 0;
        if (failed)
            nset_fail(err, NSET_ERR_IO, "%s: the folder cannot be made: %s", f->dir, strerror(failed));
        *slash = '/';
        if (failed)
            return NSET_ERR_IO;
    }
    return NSET_OK;
}

/* Takes away the folders that make_way made, unless something is in them. */
static void unmake_way(nset_run_folder *f)
{
    for (char *slash; f->made && (slash = strrchr(f->dir, '/')) && (size_t)(slash - f->dir) >= f->made;) {
        *slash = '\0';
        if (rmdir(f->dir))
            return;
    }
}

/* The words of the command line, as the system keeps them. */
static void add_command_line(json_t *json)
{
    FILE *in = fopen("/proc/self/cmdline", "rb");
    json_t *words = json_array();
    char *word = NULL;
    size_t room = 0;

    while (in && getdelim(&word, &room, '\0', in) > 0)
        json_array_append_new(words, json_string(word));
    free(word);
    if (in)
        fclose(in);
    json_object_set_new(json, "command_line", words);
}

/* run.json as it stands, for whoever looks while the folder is made; in one step, so that it is never half there. That
 * it cannot be written is found out when the results are. */
static void show_state(nset_run_folder *f, const char *state)
{
    size_t n = strlen(f->part) + 24;
    char *path = nset_calloc(2, n), *whole = path + n;

    if (!path)
        return;
    snprintf(path, n, "%s/run.json.part", f->part);
    snprintf(whole, n, "%s/run.json", f->part);
    json_object_set_new(f->json, "status", json_string(state));
    if (!json_dump_file(f->json, path, JSON_INDENT(2) | JSON_REAL_PRECISION(15)))
        rename(path, whole);
    nset_free(path);
}

/* Does run.json in folder say that all of key is done? */
static bool is_done(const char *folder, const char *key)
{
    size_t n = strlen(folder) + sizeof "/run.json";
    char *path = nset_calloc(n, 1);
    json_t *run;
    bool done;

    if (!path)
        return false;
    snprintf(path, n, "%s/run.json", folder);
    run = json_load_file(path, 0, NULL);
    done = json_is_string(json_object_get(run, "made_from")) && json_is_string(json_object_get(run, "status")) &&
           !strcmp(json_string_value(json_object_get(run, "made_from")), key) &&
           !strcmp(json_string_value(json_object_get(run, "status")), "done");
    json_decref(run);
    nset_free(path);
    return done;
}

/* Where stages leave their files; those of other settings, inputs or programs are taken away. */
static nset_status prepare_work(nset_run_folder *f, const char *key, nset_error *err)
{
    size_t n = strlen(f->part) + strlen(key) + 16, kept, dropped;

    json_object_set_new(f->json, "made_from", json_string(key));
    if (!(f->work = nset_calloc(n, 1)))
        return nset_fail_oom(err, n, 1);
    snprintf(f->work, n, "%s/" NSET_PART_WORK, f->part);
    if (mkdir(f->work, 0777) && errno != EEXIST)
        return nset_fail(err, NSET_ERR_IO, "%s: cannot be made: %s", f->work, strerror(errno));
    snprintf(f->work, n, "%s/" NSET_PART_WORK "/%s", f->part, key);
    nset_part_sift(f->part, key, &kept, &dropped);
    if (f->resume && kept == 0)
        nset_say(dropped ? "resume: the run that was cut off had other settings, input or program: starting anew"
                         : "resume: no run left anything here: starting anew");
    return NSET_OK;
}

/* Puts the folder in its place. */
static nset_status move_in(nset_run_folder *f, nset_error *err)
{
    size_t n = strlen(f->dir) + strlen(f->part) + 16;
    char *path = nset_calloc(n, 1);

    if (!path)
        return nset_fail_oom(err, n, 1);
    snprintf(path, n, "%s/" NSET_PART_WORK, f->part);
    nset_part_remove_tree(path);
    if (f->overwrite) { /* run.json first: without it no part of the old result is taken for a whole one */
        snprintf(path, n, "%s/run.json", f->dir);
        unlink(path);
        nset_part_remove_tree(f->dir);
    }
    nset_free(path);
    if (rename(f->part, f->dir))
        return nset_fail(err, NSET_ERR_IO, "%s: cannot be renamed from %s: %s", f->dir, f->part, strerror(errno));
    return NSET_OK;
}

/* Claims the folder in which the result is made; *done: the result is there, there is nothing to do. */
static nset_status claim(nset_run_folder *f, const char *key, bool *done, nset_error *err)
{
    nset_status status;
    struct stat s;
    bool there = lstat(f->dir, &s) == 0, ready;

    if (there && !f->overwrite && !(f->resume && is_done(f->dir, key)))
        return nset_fail(err, NSET_ERR_ARG, "%s exists already; name another folder or say --overwrite", f->dir);
    if (there && !S_ISDIR(s.st_mode))
        return nset_fail(err, NSET_ERR_ARG, "%s is not a folder: it is not overwritten", f->dir);
    if ((status = make_way(f, err)) != NSET_OK || (status = nset_part_claim(&f->lock, f->part, err)) != NSET_OK)
        return status;
    ready = f->resume && is_done(f->part, key); /* cut off between its last file and its renaming */
    if (ready && (f->overwrite || !there)) {
        *done = true;
        return move_in(f, err);
    }
    *done = f->resume && is_done(f->dir, key);
    nset_part_empty(f->part, f->resume && !*done);
    if (*done) {
        rmdir(f->part);
        return NSET_OK;
    }
    return key ? prepare_work(f, key, err) : NSET_OK;
}

nset_status nset_run_folder_resume(
    nset_run_folder **out, const char *dir, bool overwrite, const char *key, bool resume, nset_error *err)
{
    nset_run_folder *f = nset_calloc(1, sizeof *f);
    bool done = false;
    nset_status status;

    if (!f)
        return nset_fail_oom(err, 1, sizeof *f);
    f->lock = -1;
    f->overwrite = overwrite;
    f->resume = resume;
    f->stage_start = now();
    if ((status = make_names(f, dir, err)) != NSET_OK) {
        release(f);
        return status;
    }
    add_command_line(f->json);
    status = claim(f, key, &done, err);
    if (status == NSET_OK && !done) {
        show_state(f, "running");
        *out = f;
        return NSET_OK;
    }
    if (status == NSET_OK) {
        nset_say("resume: %s is done", f->dir);
    } else {
        if (f->lock >= 0 && !done)
            nset_part_remove_tree(f->part);
        unmake_way(f);
    }
    release(f);
    return status;
}

nset_status nset_run_folder_open(nset_run_folder **out, const char *dir, bool overwrite, nset_error *err)
{
    return nset_run_folder_resume(out, dir, overwrite, NULL, false, err);
}

const char *nset_run_folder_work(const nset_run_folder *f)
{
    return f->work;
}

static nset_status make_parents(char *path, size_t from, nset_error *err)
{
    for (char *slash = strchr(path + from, '/'); slash; slash = strchr(slash + 1, '/')) {
        int failed;
        *slash = '\0';
        failed = mkdir(path, 0777) && errno != EEXIST;
        if (failed)
            nset_fail(err, NSET_ERR_IO, "%s: cannot be made: %s", path, strerror(errno));
        *slash = '/';
        if (failed)
            return NSET_ERR_IO;
    }
    return NSET_OK;
}

const char *nset_run_folder_path(nset_run_folder *f, const char *name, nset_error *err)
{
    size_t n = strlen(f->part) + strlen(name) + 2;
    char *path;

    if (nset_grow(&f->paths, &f->cap_paths, f->n_paths + 1, sizeof *f->paths, err) != NSET_OK)
        return NULL;
    if (!(path = nset_calloc(n, 1))) {
        nset_fail_oom(err, n, 1);
        return NULL;
    }
    f->paths[f->n_paths++] = path;
    snprintf(path, n, "%s/%s", f->part, name);
    return make_parents(path, strlen(f->part) + 1, err) == NSET_OK ? path : NULL;
}

json_t *nset_run_folder_json(nset_run_folder *f)
{
    return f->json;
}

static json_t *member(json_t *object, const char *key, json_t *(*make)(void))
{
    json_t *m = json_object_get(object, key);

    if (!m) {
        m = make();
        json_object_set_new(object, key, m);
    }
    return m;
}

void nset_run_folder_warn(nset_run_folder *f, const char *format, ...)
{
    char text[512];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    json_array_append_new(member(f->json, "warnings", json_array), json_string(text));
    nset_warn("%s", text);
}

void nset_run_folder_stage(nset_run_folder *f, const char *stage, size_t bytes)
{
    double time = now(), seconds = (double)(long)((time - f->stage_start) * 1000 + .5) / 1000;

    f->stage_start = time;
    json_array_append_new(member(f->json, "stages", json_array),
        json_pack("{s:s, s:f, s:I}", "stage", stage, "seconds", seconds, "bytes", (json_int_t)bytes));
    show_state(f, "running");
}

void nset_run_folder_input(nset_run_folder *f, const char *path)
{
    enum { END = 1 << 20 };
    FILE *in = fopen(path, "rb");
    char *block = nset_calloc(2 * END, 1), text[17];
    struct stat s;
    size_t n = 0;

    if (in && block && fstat(fileno(in), &s) == 0 && S_ISREG(s.st_mode)) {
        n = fread(block, 1, END, in);
        if (s.st_size > END && fseeko(in, s.st_size > 2 * END ? s.st_size - END : END, SEEK_SET) == 0)
            n += fread(block + n, 1, END, in);
        snprintf(text, sizeof text, "%016" PRIx64, (uint64_t)XXH64(block, n, 0));
        json_array_append_new(member(f->json, "input_files", json_array),
            json_pack("{s:s, s:I, s:s}", "path", path, "bytes", (json_int_t)s.st_size, "xxh64_of_ends", text));
    }
    nset_free(block);
    if (in)
        fclose(in);
}

/* What is hashed is what the data decide: not run.json, and not the files that speak of the columns of the input file,
 * which change when channels are renumbered. */
static bool is_result(const char *name)
{
    return strcmp(name, "phy/params.py") && strcmp(name, "phy/channel_map.npy") && strcmp(name, "sorting.nwb") &&
           strcmp(name, "segmentation.nwb");
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static nset_status hash_file(XXH3_state_t *state, const char *path, nset_error *err)
{
    FILE *in = fopen(path, "rb");
    char block[65536];
    size_t n;

    if (!in)
        return nset_fail(err, NSET_ERR_IO, "%s: cannot be read back: %s", path, strerror(errno));
    while ((n = fread(block, 1, sizeof block, in)) > 0)
        XXH3_128bits_update(state, block, n);
    fclose(in);
    return NSET_OK;
}

static nset_status hash_results(nset_run_folder *f, nset_error *err)
{
    XXH3_state_t *state = XXH3_createState();
    size_t skip = strlen(f->part) + 1;
    nset_status status = NSET_OK;
    XXH128_hash_t h;
    char text[33];

    if (!state)
        return nset_fail_oom(err, 1, 512);
    XXH3_128bits_reset(state);
    if (f->n_paths)
        qsort(f->paths, f->n_paths, sizeof *f->paths, by_name);
    for (size_t i = 0; i < f->n_paths && status == NSET_OK; i++) {
        const char *name = f->paths[i] + skip;
        if (!is_result(name) || (i && !strcmp(f->paths[i], f->paths[i - 1])))
            continue;
        XXH3_128bits_update(state, name, strlen(name) + 1);
        status = hash_file(state, f->paths[i], err);
    }
    h = XXH3_128bits_digest(state);
    XXH3_freeState(state);
    snprintf(text, sizeof text, "%016" PRIx64 "%016" PRIx64, (uint64_t)h.high64, (uint64_t)h.low64);
    json_object_set_new(f->json, "result_xxh3_128", json_string(text));
    return status;
}

static nset_status write_json(nset_run_folder *f, nset_error *err)
{
    nset_atomic_file *file = NULL;
    nset_status status;
    char *path = nset_calloc(strlen(f->part) + 16, 1);

    if (!path)
        return nset_fail_oom(err, strlen(f->part) + 16, 1);
    sprintf(path, "%s/run.json", f->part);
    json_object_set_new(f->json, "status", json_string("done"));
    member(f->json, "warnings", json_array);
    if ((status = nset_atomic_open(&file, path, err)) == NSET_OK) {
        json_dumpf(f->json, nset_atomic_stream(file), JSON_INDENT(2) | JSON_REAL_PRECISION(15));
        fputc('\n', nset_atomic_stream(file));
        status = nset_atomic_commit(file, err);
    }
    nset_free(path);
    return status;
}

nset_status nset_run_folder_commit(nset_run_folder *f, nset_error *err)
{
    nset_status status;

    if ((status = hash_results(f, err)) != NSET_OK || (status = write_json(f, err)) != NSET_OK)
        goto fail;
    if (nset_cancelled()) {
        status = nset_fail_cancelled(err);
        goto fail;
    }
    if ((status = move_in(f, err)) != NSET_OK)
        goto fail;
    release(f);
    return NSET_OK;

fail:
    nset_run_folder_abort(f);
    return status;
}

/* Whoever asks to go on later, and interrupts, finds what the stages left. */
static bool keeps_work(nset_run_folder *f)
{
    char *slash;
    bool empty;

    if (!f->resume || !f->work || !nset_cancelled())
        return false;
    slash = strrchr(f->work, '/');
    *slash = '\0';
    empty = rmdir(f->work) == 0;
    *slash = '/';
    if (!empty)
        nset_say("resume: the stages done are kept in %s; the same command goes on", f->part);
    return !empty;
}

void nset_run_folder_abort(nset_run_folder *f)
{
    if (!f)
        return;
    show_state(f, "failed"); /* what is read if it cannot be taken away */
    if (!keeps_work(f)) {
        nset_part_remove_tree(f->part);
        unmake_way(f);
    }
    release(f);
}
