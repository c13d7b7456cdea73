#include "ephys/folder.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include <neuroset/memory.h>

enum { MAX_FILES = 65536 };

bool nset_has_ending(const char *path, const char *ending)
{
    size_t n = strlen(path), m = strlen(ending);

    return n > m && !strcasecmp(path + n - m, ending);
}

bool nset_is_folder(const char *path)
{
    struct stat s;

    return stat(path, &s) == 0 && S_ISDIR(s.st_mode);
}

bool nset_folder_has(const char *folder, const char *ending)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    bool has = false;

    if (!dir)
        return false;
    while (!has && (entry = readdir(dir)))
        has = entry->d_name[0] != '.' && nset_has_ending(entry->d_name, ending);
    closedir(dir);
    return has;
}

/* Digits at *p without the zeros before them. */
static size_t number_length(const char **p)
{
    size_t n = 0;

    while (**p == '0')
        ++*p;
    while (isdigit((unsigned char)(*p)[n]))
        n++;
    return n;
}

int nset_compare_names(const char *a, const char *b)
{
    const char *p = a, *q = b;

    while (*p && *q) {
        if (isdigit((unsigned char)*p) && isdigit((unsigned char)*q)) {
            size_t n = number_length(&p), m = number_length(&q);
            int order = n != m ? (n < m ? -1 : 1) : strncmp(p, q, n);
            if (order)
                return order;
            p += n;
            q += m;
        } else if (*p != *q) {
            return (unsigned char)*p < (unsigned char)*q ? -1 : 1;
        } else {
            p++;
            q++;
        }
    }
    return *p ? 1 : *q ? -1 : strcmp(a, b);
}

static int by_name(const void *a, const void *b)
{
    return nset_compare_names(*(char *const *)a, *(char *const *)b);
}

void nset_paths_free(char **paths, size_t n)
{
    for (size_t i = 0; paths && i < n; i++)
        nset_free(paths[i]);
    nset_free(paths);
}

static nset_status add(char ***paths, size_t *n, size_t *room, const char *folder, const char *name, nset_error *err)
{
    size_t length = strlen(folder) + strlen(name) + 2;
    nset_status status;

    if (*n == MAX_FILES)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: more than %d files", folder, MAX_FILES);
    if ((status = nset_grow(paths, room, *n + 1, sizeof **paths, err)) != NSET_OK)
        return status;
    if (!((*paths)[*n] = nset_calloc(length, 1)))
        return nset_fail_oom(err, length, 1);
    snprintf((*paths)[(*n)++], length, "%s/%s", folder, name);
    return NSET_OK;
}

nset_status nset_folder_list(char ***paths, size_t *n, const char *folder, const char *ending, nset_error *err)
{
    DIR *dir = opendir(folder);
    nset_status status = NSET_OK;
    struct dirent *entry;
    size_t room = 0;

    *paths = NULL;
    *n = 0;
    if (!dir)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: %s", folder, strerror(errno));
    while (status == NSET_OK && (entry = readdir(dir)))
        if (entry->d_name[0] != '.' && nset_has_ending(entry->d_name, ending))
            status = add(paths, n, &room, folder, entry->d_name, err);
    closedir(dir);
    if (status != NSET_OK) {
        nset_paths_free(*paths, *n);
        *paths = NULL;
        *n = 0;
    } else if (*n) {
        qsort(*paths, *n, sizeof **paths, by_name);
    }
    return status;
}
