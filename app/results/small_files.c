#include "results/small_files.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <neuroset/memory.h>

nset_status nset_read_bytes(char **out, size_t *n, const char *path, size_t limit, nset_error *err)
{
    FILE *f = fopen(path, "rb");
    struct stat s;

    if (!f)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: %s", path, strerror(errno));
    if (fstat(fileno(f), &s) || !S_ISREG(s.st_mode) || s.st_size < 0 || (size_t)s.st_size > limit) {
        fclose(f);
        return nset_fail(err, NSET_ERR_FORMAT, "%s: not a file of at most %zu bytes", path, limit);
    }
    *n = (size_t)s.st_size;
    if (!(*out = nset_calloc(*n + 1, 1))) {
        fclose(f);
        return nset_fail_oom(err, *n + 1, 1);
    }
    *n = fread(*out, 1, *n, f);
    fclose(f);
    return NSET_OK;
}

nset_status nset_read_text(char **out, const char *path, size_t limit, nset_error *err)
{
    size_t n;

    return nset_read_bytes(out, &n, path, limit, err);
}

nset_status nset_parse_json(json_t **out, const char *text, const char *path, nset_error *err)
{
    json_error_t why;

    *out = json_loads(text, JSON_REJECT_DUPLICATES, &why);
    if (!*out)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: line %d, column %d: %s", path, why.line, why.column, why.text);
    if (!json_is_object(*out)) {
        json_decref(*out);
        *out = NULL;
        return nset_fail(err, NSET_ERR_FORMAT, "%s: a JSON object is expected", path);
    }
    return NSET_OK;
}

nset_status nset_read_json(json_t **out, const char *path, nset_error *err)
{
    char *text = NULL;
    nset_status status = nset_read_text(&text, path, 256 << 20, err);

    if (status == NSET_OK)
        status = nset_parse_json(out, text, path, err);
    nset_free(text);
    return status;
}

void nset_path_beside(char *path, size_t n, const char *beside, const char *name)
{
    const char *slash = strrchr(beside, '/');

    if (name[0] == '/' || !slash)
        snprintf(path, n, "%s", name);
    else
        snprintf(path, n, "%.*s/%s", (int)(slash - beside), beside, name);
}
