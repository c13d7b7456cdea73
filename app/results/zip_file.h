/* Zip files, written so that the same entries give the same bytes: every date is 1980-01-01. */
#ifndef NSET_RESULTS_ZIP_FILE_H
#define NSET_RESULTS_ZIP_FILE_H

#include <stddef.h>
#include <zip.h>
#include <neuroset/error.h>

/* Errors of all: NSET_ERR_IO, NSET_ERR_NOMEM. path is kept for messages. */
nset_status nset_zip_open(zip_t **out, const char *path, nset_error *err);
/* bytes (n) are malloc's and freed by free() in any case, at the latest when the zip is closed. */
nset_status nset_zip_add(zip_t *zip, const char *name, char *bytes, size_t n, const char *path, nset_error *err);
/* Writes the file if status, which it returns otherwise, is NSET_OK; frees zip in any case. */
nset_status nset_zip_close(zip_t *zip, nset_status status, const char *path, nset_error *err);

#endif
