/* Files that are read whole: texts and JSON. */
#ifndef NSET_RESULTS_SMALL_FILES_H
#define NSET_RESULTS_SMALL_FILES_H

#include <jansson.h>
#include <stddef.h>
#include <neuroset/error.h>

/* Whole file of at most limit bytes and one 0 more; nset_free it. Errors: NSET_ERR_FORMAT. */
nset_status nset_read_bytes(char **out, size_t *n, const char *path, size_t limit, nset_error *err);
/* Whole text file of at most limit bytes, ending with 0; nset_free it. Errors: NSET_ERR_FORMAT. */
nset_status nset_read_text(char **out, const char *path, size_t limit, nset_error *err);
/* JSON object of a file; decref it. Errors: NSET_ERR_FORMAT with line and column. */
nset_status nset_read_json(json_t **out, const char *path, nset_error *err);
/* The same of a text; path serves messages only. */
nset_status nset_parse_json(json_t **out, const char *text, const char *path, nset_error *err);
/* path := the folder of beside + name. */
void nset_path_beside(char *path, size_t n, const char *beside, const char *name);

#endif
