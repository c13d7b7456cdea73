#include <neuroset/file.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <neuroset/memory.h>

struct nset_atomic_file {
    FILE *stream;
    char *path, *part;
};

static void release(nset_atomic_file *f)
{
    nset_free(f->path);
    nset_free(f->part);
    nset_free(f);
}

nset_status nset_atomic_open(nset_atomic_file **out, const char *path, nset_error *err)
{
    nset_atomic_file *f = nset_calloc(1, sizeof *f);
    size_t n = strlen(path) + sizeof ".tmp";
    nset_status status;

    if (!f)
        return nset_fail_oom(err, 1, sizeof *f);
    f->path = nset_strdup(path);
    f->part = nset_calloc(n, 1);
    if (!f->path || !f->part) {
        release(f);
        return nset_fail_oom(err, n, 1);
    }
    snprintf(f->part, n, "%s.tmp", path);
    if (!(f->stream = fopen(f->part, "wb"))) {
        status = nset_fail(err, NSET_ERR_IO, "%s: cannot be written: %s", f->part, strerror(errno));
        release(f);
        return status;
    }
    *out = f;
    return NSET_OK;
}

FILE *nset_atomic_stream(nset_atomic_file *f)
{
    return f->stream;
}

nset_status nset_atomic_commit(nset_atomic_file *f, nset_error *err)
{
    nset_status status = NSET_OK;
    int bad = ferror(f->stream) || fflush(f->stream) || fsync(fileno(f->stream));
    int why = errno;

    if (fclose(f->stream) && !bad) {
        bad = 1;
        why = errno;
    }
    if (!bad && rename(f->part, f->path)) {
        bad = 1;
        why = errno;
    }
    if (bad) {
        status = nset_fail(err, NSET_ERR_IO, "%s: cannot be written: %s", f->path, strerror(why));
        unlink(f->part);
    }
    release(f);
    return status;
}

void nset_atomic_abort(nset_atomic_file *f)
{
    if (!f)
        return;
    fclose(f->stream);
    unlink(f->part);
    release(f);
}
