/* The files of a folder, in the order in which a person counts them: CSC2 before CSC10. */
#ifndef NSET_EPHYS_FOLDER_H
#define NSET_EPHYS_FOLDER_H

#include <stdbool.h>
#include <stddef.h>
#include <neuroset/error.h>

/* Does path end so, whatever the case of letters? */
bool nset_has_ending(const char *path, const char *ending);

bool nset_is_folder(const char *path);

/* Is there a file in the folder whose name ends so? Never an error. */
bool nset_folder_has(const char *folder, const char *ending);

/* Less, equal or greater, as strcmp; digits are compared as numbers. */
int nset_compare_names(const char *a, const char *b);

/* Paths of the files whose name ends so, at most 65536; nset_paths_free them. None is no error. */
nset_status nset_folder_list(char ***paths, size_t *n, const char *folder, const char *ending, nset_error *err);
void nset_paths_free(char **paths, size_t n);

#endif
