#include "commands/sort_key.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <xxhash.h>

#include <neuroset/memory.h>

enum { LOOKS = 16, LOOK = 1000, ENDS = 1 << 20 };

static void add(XXH3_state_t *hash, const void *bytes, size_t n)
{
    uint64_t length = n; /* so that two texts never run into each other */

    XXH3_128bits_update(hash, &length, sizeof length);
    if (n)
        XXH3_128bits_update(hash, bytes, n);
}

static nset_status add_json(XXH3_state_t *hash, const json_t *json, nset_error *err)
{
    char *text = json ? json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(17)) : NULL;

    if (json && !text)
        return nset_fail_oom(err, 1, 4096);
    add(hash, text, text ? strlen(text) : 0);
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

static nset_status add_settings(XXH3_state_t *hash, const json_t *origins, nset_error *err)
{
    json_t *values = json_object(), *setting;
    const char *name;
    nset_status status;

    json_object_foreach((json_t *)origins, name, setting) if (!never_matters(name))
        json_object_set(values, name, json_object_get(setting, "value"));
    status = add_json(hash, values, err);
    json_decref(values);
    return status;
}

/* A whole file. */
static nset_status add_bytes(XXH3_state_t *hash, const char *path, nset_error *err)
{
    unsigned char block[16384];
    FILE *in = fopen(path, "rb");
    size_t n;

    if (!in)
        return nset_fail(err, NSET_ERR_IO, "%s: cannot be read: %s", path, strerror(errno));
    while ((n = fread(block, 1, sizeof block, in)) > 0)
        add(hash, block, n);
    fclose(in);
    return NSET_OK;
}

/* A file too long to be read whole: size, time of its last change, first and last MiB. */
static nset_status add_identity(XXH3_state_t *hash, const char *path, nset_error *err)
{
    unsigned char *block = nset_calloc(ENDS, 1);
    FILE *in = block ? fopen(path, "rb") : NULL;
    struct stat s;

    if (!block)
        return nset_fail_oom(err, ENDS, 1);
    add(hash, path, strlen(path));
    if (in && fstat(fileno(in), &s) == 0 && S_ISREG(s.st_mode)) {
        int64_t seen[3] = { s.st_size, s.st_mtim.tv_sec, s.st_mtim.tv_nsec };
        add(hash, seen, sizeof seen);
        add(hash, block, fread(block, 1, ENDS, in));
        if (s.st_size > ENDS && fseeko(in, s.st_size - ENDS, SEEK_SET) == 0)
            add(hash, block, fread(block, 1, ENDS, in));
    }
    if (in)
        fclose(in);
    nset_free(block);
    return NSET_OK;
}

/* Samples as they will be sorted, for formats of many files too. */
static nset_status add_samples(XXH3_state_t *hash, nset_source *source, nset_error *err)
{
    int64_t n = source->n_samples < LOOK ? source->n_samples : LOOK;
    float *x = nset_calloc((size_t)n, source->n_channels * sizeof *x);
    nset_status status = x ? NSET_OK : nset_fail_oom(err, (size_t)n, source->n_channels * sizeof *x);

    for (int i = 0; i < LOOKS && status == NSET_OK; i++) {
        status = source->read(source, x, (source->n_samples - n) / (LOOKS - 1) * i, (size_t)n, err);
        add(hash, x, (size_t)n * source->n_channels * sizeof *x);
    }
    nset_free(x);
    return status;
}

static nset_status add_recording(XXH3_state_t *hash, const nset_recording *r, nset_error *err)
{
    size_t n = r->probe.n_channels;
    nset_status status = NSET_OK;

    if (r->n_pieces == 0)
        status = add_identity(hash, r->path, err);
    for (size_t i = 0; i < r->n_pieces && status == NSET_OK; i++)
        if (i == 0 || strcmp(r->piece[i].path, r->piece[i - 1].path))
            status = add_identity(hash, r->piece[i].path, err);
    add(hash, &r->source->n_samples, sizeof r->source->n_samples);
    add(hash, &r->source->rate_hz, sizeof r->source->rate_hz);
    add(hash, r->probe.x_um, n * sizeof *r->probe.x_um);
    add(hash, r->probe.y_um, n * sizeof *r->probe.y_um);
    add(hash, r->probe.shank, n * sizeof *r->probe.shank);
    add(hash, r->file_channel, n * sizeof *r->file_channel);
    add(hash, r->unused, r->unused ? n * sizeof *r->unused : 0);
    for (size_t i = 0; i < r->n_gaps; i++) {
        add(hash, &r->gap[i].sample, sizeof r->gap[i].sample);
        add(hash, &r->gap[i].seconds, sizeof r->gap[i].seconds);
    }
    add(hash, &r->start_s, sizeof r->start_s);
    if (status != NSET_OK || (status = add_json(hash, r->facts, err)) != NSET_OK)
        return status;
    return add_samples(hash, r->source, err);
}

nset_status nset_sort_key(char key[NSET_SORT_KEY], const nset_recording *r, const char *const *args, size_t n_args,
    const json_t *origins, const json_t *metadata, const char *model, nset_error *err)
{
    XXH3_state_t *hash = XXH3_createState();
    XXH128_hash_t sum;
    nset_status status;

    if (!hash)
        return nset_fail_oom(err, 1, 512);
    XXH3_128bits_reset(hash);
    add(hash, NSET_VERSION, sizeof NSET_VERSION);
    for (size_t i = 0; i < n_args; i++)
        add(hash, args[i], strlen(args[i]));
    if ((status = add_bytes(hash, "/proc/self/exe", err)) == NSET_OK &&
        (status = add_bytes(hash, model, err)) == NSET_OK && (status = add_settings(hash, origins, err)) == NSET_OK &&
        (status = add_json(hash, metadata, err)) == NSET_OK)
        status = add_recording(hash, r, err);
    sum = XXH3_128bits_digest(hash);
    XXH3_freeState(hash);
    snprintf(key, NSET_SORT_KEY, "%016" PRIx64 "%016" PRIx64, (uint64_t)sum.high64, (uint64_t)sum.low64);
    return status;
}
