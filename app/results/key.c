#include "results/key.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <xxhash.h>

#include <neuroset/memory.h>

enum { ENDS = 1 << 20 };

struct nset_key {
    XXH3_state_t *hash;
};

nset_status nset_key_create(nset_key **out, nset_error *err)
{
    nset_key *k = nset_calloc(1, sizeof *k);

    if (!k || !(k->hash = XXH3_createState())) {
        nset_free(k);
        return nset_fail_oom(err, 1, 512);
    }
    XXH3_128bits_reset(k->hash);
    *out = k;
    return NSET_OK;
}

void nset_key_finish(char text[NSET_KEY], nset_key *k)
{
    XXH128_hash_t sum = XXH3_128bits_digest(k->hash);

    snprintf(text, NSET_KEY, "%016" PRIx64 "%016" PRIx64, (uint64_t)sum.high64, (uint64_t)sum.low64);
    nset_key_free(k);
}

void nset_key_free(nset_key *k)
{
    if (k)
        XXH3_freeState(k->hash);
    nset_free(k);
}

void nset_key_add(nset_key *k, const void *bytes, size_t n)
{
    uint64_t length = n; /* so that two texts never run into each other */

    XXH3_128bits_update(k->hash, &length, sizeof length);
    if (n)
        XXH3_128bits_update(k->hash, bytes, n);
}

nset_status nset_key_add_json(nset_key *k, const json_t *json, nset_error *err)
{
    char *text = json ? json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(17)) : NULL;

    if (json && !text)
        return nset_fail_oom(err, 1, 4096);
    nset_key_add(k, text, text ? strlen(text) : 0);
    free(text);
    return NSET_OK;
}

static bool never_matters(const char *setting)
{
    static const char *const names[] = { "output", "overwrite", "resume", "threads", "memory", "device", "log-level",
        "quiet", "config" };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(names[i], setting))
            return true;
    return false;
}

static nset_status add_settings(nset_key *k, const json_t *origins, nset_error *err)
{
    json_t *values = json_object(), *setting;
    const char *name;
    nset_status status;

    json_object_foreach((json_t *)origins, name, setting) if (!never_matters(name))
        json_object_set(values, name, json_object_get(setting, "value"));
    status = nset_key_add_json(k, values, err);
    json_decref(values);
    return status;
}

/* A whole file. */
static nset_status add_bytes(nset_key *k, const char *path, nset_error *err)
{
    unsigned char block[16384];
    FILE *in = fopen(path, "rb");
    size_t n;

    if (!in)
        return nset_fail(err, NSET_ERR_IO, "%s: cannot be read: %s", path, strerror(errno));
    while ((n = fread(block, 1, sizeof block, in)) > 0)
        nset_key_add(k, block, n);
    fclose(in);
    return NSET_OK;
}

nset_status nset_key_add_run(
    nset_key *k, const char *const *args, size_t n_args, const json_t *origins, const char *model, nset_error *err)
{
    nset_status status;

    nset_key_add(k, NSET_VERSION, sizeof NSET_VERSION);
    for (size_t i = 0; i < n_args; i++)
        nset_key_add(k, args[i], strlen(args[i]));
    if ((status = add_bytes(k, "/proc/self/exe", err)) == NSET_OK &&
        (!model || (status = add_bytes(k, model, err)) == NSET_OK))
        status = add_settings(k, origins, err);
    return status;
}

static void add_times(nset_key *k, const char *name, const struct stat *s)
{
    int64_t seen[3] = { s->st_size, s->st_mtim.tv_sec, s->st_mtim.tv_nsec };

    nset_key_add(k, name, strlen(name));
    nset_key_add(k, seen, sizeof seen);
}

static nset_status add_folder(nset_key *k, const char *path, nset_error *err)
{
    struct dirent **list = NULL;
    int n = scandir(path, &list, NULL, alphasort);
    size_t room = strlen(path) + sizeof list[0]->d_name + 2;
    char *inside = nset_calloc(room, 1);
    struct stat s;

    for (int i = 0; i < n; i++) {
        if (inside) {
            snprintf(inside, room, "%s/%s", path, list[i]->d_name);
            if (stat(inside, &s) == 0 && S_ISREG(s.st_mode))
                add_times(k, list[i]->d_name, &s);
        }
        free(list[i]);
    }
    free(list);
    if (!inside)
        return nset_fail_oom(err, room, 1);
    nset_free(inside);
    return NSET_OK;
}

nset_status nset_key_add_file(nset_key *k, const char *path, nset_error *err)
{
    unsigned char *block;
    FILE *in;
    struct stat s;

    if (stat(path, &s) == 0 && S_ISDIR(s.st_mode))
        return add_folder(k, path, err);
    if (!(block = nset_calloc(ENDS, 1)))
        return nset_fail_oom(err, ENDS, 1);
    if ((in = fopen(path, "rb")) && fstat(fileno(in), &s) == 0 && S_ISREG(s.st_mode)) {
        add_times(k, path, &s);
        nset_key_add(k, block, fread(block, 1, ENDS, in));
        if (s.st_size > ENDS && fseeko(in, s.st_size - ENDS, SEEK_SET) == 0)
            nset_key_add(k, block, fread(block, 1, ENDS, in));
    } else {
        nset_key_add(k, path, strlen(path));
    }
    if (in)
        fclose(in);
    nset_free(block);
    return NSET_OK;
}
