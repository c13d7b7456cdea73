#include "results/state.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <neuroset/memory.h>

/* ---- writing ---- */

struct nset_state_out {
    FILE *f;
    XXH3_state_t *hash;
    char *path, *part;
};

static void free_out(nset_state_out *to)
{
    if (to->f)
        fclose(to->f);
    XXH3_freeState(to->hash);
    nset_free(to->path);
    nset_free(to->part);
    nset_free(to);
}

nset_status nset_state_create(nset_state_out **out, const char *path, nset_error *err)
{
    nset_state_out *to = nset_calloc(1, sizeof *to);
    size_t n = strlen(path) + sizeof ".tmp";
    nset_status status = NSET_OK;

    if (!to)
        return nset_fail_oom(err, 1, sizeof *to);
    to->path = nset_strdup(path);
    to->part = nset_calloc(n, 1);
    to->hash = XXH3_createState();
    if (!to->path || !to->part || !to->hash) {
        status = nset_fail_oom(err, n, 1);
    } else {
        snprintf(to->part, n, "%s.tmp", path);
        XXH3_128bits_reset(to->hash);
        if (!(to->f = fopen(to->part, "wb")))
            status = nset_fail(err, NSET_ERR_IO, "%s: cannot be written: %s", to->part, strerror(errno));
    }
    if (status != NSET_OK) {
        free_out(to);
        return status;
    }
    *out = to;
    return NSET_OK;
}

void nset_state_put(nset_state_out *to, const void *bytes, size_t n)
{
    if (n == 0)
        return;
    fwrite(bytes, 1, n, to->f); /* that it failed is seen when the file is committed */
    XXH3_128bits_update(to->hash, bytes, n);
}

nset_status nset_state_commit(nset_state_out *to, nset_error *err)
{
    XXH128_canonical_t sum;
    nset_status status = NSET_OK;
    bool bad;

    XXH128_canonicalFromHash(&sum, XXH3_128bits_digest(to->hash));
    fwrite(&sum, 1, sizeof sum, to->f);
    bad = ferror(to->f);
    bad = fclose(to->f) || bad;
    to->f = NULL;
    if (bad || rename(to->part, to->path)) {
        status = nset_fail(err, NSET_ERR_IO, "%s: cannot be written: %s", to->path, strerror(errno));
        unlink(to->part);
    }
    free_out(to);
    return status;
}

/* ---- reading ---- */

struct nset_state_in {
    FILE *f;
    uint64_t left; /* bytes before the sum */
    char *path;
};

nset_status nset_state_damaged(const nset_state_in *from, nset_error *err)
{
    return nset_fail(err, NSET_ERR_FORMAT, "%s: damaged, or of another input", from->path);
}

/* Is the sum at the end of the file, of the system's size, that of what stands before? */
static nset_status check_sum(nset_state_in *from, off_t size, nset_error *err)
{
    XXH3_state_t *hash = XXH3_createState();
    XXH128_canonical_t sum, found;
    unsigned char block[16384];
    bool good = true;

    if (!hash)
        return nset_fail_oom(err, 1, 512);
    XXH3_128bits_reset(hash);
    from->left = size < (off_t)sizeof sum ? 0 : (uint64_t)size - sizeof sum;
    for (uint64_t left = from->left; left > 0 && good;) {
        size_t n = left < sizeof block ? (size_t)left : sizeof block;
        good = fread(block, 1, n, from->f) == n;
        XXH3_128bits_update(hash, block, n);
        left -= n;
    }
    XXH128_canonicalFromHash(&found, XXH3_128bits_digest(hash));
    XXH3_freeState(hash);
    if (!good || fread(&sum, 1, sizeof sum, from->f) != sizeof sum || memcmp(&sum, &found, sizeof sum))
        return nset_state_damaged(from, err);
    rewind(from->f);
    return NSET_OK;
}

nset_status nset_state_open(nset_state_in **out, const char *path, nset_error *err)
{
    nset_state_in *from = nset_calloc(1, sizeof *from);
    nset_status status;
    struct stat size;

    if (!from || !(from->path = nset_strdup(path))) {
        nset_free(from);
        return nset_fail_oom(err, 1, sizeof *from);
    }
    from->f = fopen(path, "rb");
    if (!from->f || fstat(fileno(from->f), &size) || !S_ISREG(size.st_mode))
        status = nset_fail(err, NSET_ERR_IO, "%s: cannot be read: %s", path, strerror(from->f ? EINVAL : errno));
    else
        status = check_sum(from, size.st_size, err);
    if (status != NSET_OK) {
        nset_state_close(from);
        return status;
    }
    *out = from;
    return NSET_OK;
}

void nset_state_close(nset_state_in *from)
{
    if (!from)
        return;
    if (from->f)
        fclose(from->f);
    nset_free(from->path);
    nset_free(from);
}

nset_status nset_state_take(nset_state_in *from, void *bytes, size_t n, nset_error *err)
{
    if (n > from->left || (n && fread(bytes, 1, n, from->f) != n))
        return nset_state_damaged(from, err);
    from->left -= n;
    return NSET_OK;
}

nset_status nset_state_take_new(void *out, nset_state_in *from, uint64_t n, size_t size, nset_error *err)
{
    void *x;
    nset_status status;

    if (!nset_state_may_come(from, n, size))
        return nset_state_damaged(from, err);
    if (!(x = nset_calloc(n, size)))
        return nset_fail_oom(err, n, size);
    if ((status = nset_state_take(from, x, n * size, err)) != NSET_OK)
        nset_free(x);
    else
        memcpy(out, &x, sizeof x);
    return status;
}

uint64_t nset_state_left(const nset_state_in *from)
{
    return from->left;
}

bool nset_state_may_come(const nset_state_in *from, uint64_t n, size_t size)
{
    return n <= from->left / size;
}
