#include "imaging/named_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <neuroset/memory.h>

#include "results/small_files.h"

enum { MOST_WARNINGS = 5 };

void nset_base_name(char *name, size_t n, const char *path)
{
    for (const char *p; (p = strpbrk(path, "/\\"));)
        path = p + 1;
    snprintf(name, n, "%s", path);
}

static int by_name(const void *a, const void *b)
{
    const nset_named_file *p = *(nset_named_file *const *)a, *q = *(nset_named_file *const *)b;

    return strcmp(p->name, q->name);
}

nset_status nset_open_named(nset_movie_layout *l, nset_named_file **list, size_t n, const char *path, const char *index,
    size_t *n_opened, nset_error *err)
{
    nset_status status = NSET_OK;
    size_t missing = 0;
    char beside[4096];

    *n_opened = 0;
    if (n)
        qsort(list, n, sizeof *list, by_name);
    for (size_t i = 0; i < n && status == NSET_OK; i++) {
        if (i > 0 && !strcmp(list[i]->name, list[i - 1]->name)) {
            list[i]->first = list[i - 1]->first;
            list[i]->n_pages = list[i - 1]->n_pages;
            continue;
        }
        list[i]->first = (int64_t)l->pages.n_pages;
        list[i]->n_pages = 0;
        nset_path_beside(beside, sizeof beside, path, list[i]->name);
        if (access(beside, R_OK)) {
            if (missing++ < MOST_WARNINGS)
                nset_movie_warn(
                    l, "%s: %s names this file, and it is not there: its frames are left out", beside, index);
            continue;
        }
        status = nset_pages_add_tiff(&l->pages, beside, err);
        list[i]->n_pages = (int64_t)l->pages.n_pages - list[i]->first;
        ++*n_opened;
    }
    if (missing > MOST_WARNINGS)
        nset_movie_warn(l, "%zu files in all are named by %s and are not there", missing, index);
    return status;
}

nset_status nset_keep_whole(nset_movie_layout *l, const int64_t *at, int64_t n_frames, size_t n_planes,
    size_t n_channels, const char *path, const char *index, nset_error *err)
{
    size_t each = n_planes * n_channels, have = (size_t)l->n_frames * each;
    int64_t missing = 0, first = 0;
    nset_status status;

    if (l->n_frames && (l->n_channels != n_channels || l->n_planes != n_planes))
        return nset_fail(err, NSET_ERR_FORMAT,
            "%s: %zu channels and %zu planes, the files before it %zu and %zu: not one movie", path, n_channels,
            n_planes, l->n_channels, l->n_planes);
    l->n_channels = n_channels;
    l->n_planes = n_planes;
    for (int64_t t = 0; t < n_frames; t++, at += each) {
        bool whole = true;
        for (size_t k = 0; k < each; k++)
            whole = whole && at[k] >= 0;
        if (!whole) {
            first = missing++ ? first : t;
            continue;
        }
        if ((status = nset_grow(&l->picture, &l->picture_room, have + each, sizeof *l->picture, err)) != NSET_OK)
            return status;
        memcpy(l->picture + have, at, each * sizeof *at);
        have += each;
        l->n_frames++;
    }
    if (missing)
        nset_movie_warn(l, "%s: %s states %lld frames; of %lld, from frame %lld on, pictures are missing: left out",
            path, index, (long long)n_frames, (long long)missing, (long long)first);
    return NSET_OK;
}
