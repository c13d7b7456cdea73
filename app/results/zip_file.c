#include "results/zip_file.h"

#include <stdio.h>
#include <stdlib.h>

#include <neuroset/file.h>

nset_status nset_zip_open(zip_t **out, const char *path, nset_error *err)
{
    nset_status status;
    zip_error_t why;
    int code = 0;

    if ((*out = zip_open(path, ZIP_CREATE | ZIP_TRUNCATE, &code)))
        return NSET_OK;
    zip_error_init_with_code(&why, code);
    status = nset_fail(err, NSET_ERR_IO, "%s: cannot be written: %s", path, zip_error_strerror(&why));
    zip_error_fini(&why);
    return status;
}

nset_status nset_zip_add(zip_t *zip, const char *name, char *bytes, size_t n, const char *path, nset_error *err)
{
    zip_source_t *source = zip_source_buffer(zip, bytes, n, 1);
    zip_int64_t at;

    if (!source) {
        free(bytes);
        return nset_fail(err, NSET_ERR_IO, "%s: %s", path, zip_strerror(zip));
    }
    if ((at = zip_file_add(zip, name, source, ZIP_FL_ENC_UTF_8)) < 0) {
        zip_source_free(source);
        return nset_fail(err, NSET_ERR_IO, "%s: %s", path, zip_strerror(zip));
    }
    zip_set_file_compression(zip, (zip_uint64_t)at, ZIP_CM_DEFLATE, 1);
    zip_file_set_dostime(zip, (zip_uint64_t)at, 0, 0x21, 0); /* 1980-01-01 */
    return NSET_OK;
}

/* libzip takes a file without entries away; here it is the end of a directory of none. */
static nset_status write_empty(const char *path, nset_error *err)
{
    static const char end[22] = "PK\5\6";
    nset_atomic_file *file = NULL;
    nset_status status = nset_atomic_open(&file, path, err);

    if (status != NSET_OK)
        return status;
    fwrite(end, 1, sizeof end, nset_atomic_stream(file));
    return nset_atomic_commit(file, err);
}

nset_status nset_zip_close(zip_t *zip, nset_status status, const char *path, nset_error *err)
{
    if (status == NSET_OK && zip_get_num_entries(zip, 0) == 0) {
        zip_discard(zip);
        return write_empty(path, err);
    }
    if (status == NSET_OK && zip_close(zip) == 0)
        return NSET_OK;
    if (status == NSET_OK)
        status = nset_fail(err, NSET_ERR_IO, "%s: cannot be written: %s", path, zip_strerror(zip));
    zip_discard(zip);
    return status;
}
