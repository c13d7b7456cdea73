#include "results/part.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <neuroset/memory.h>

enum { TRIES = 20 };

static int remove_entry(const char *path, const struct stat *s, int kind, struct FTW *walk)
{
    (void)s;
    (void)kind;
    (void)walk;
    return remove(path);
}

void nset_part_remove_tree(const char *path)
{
    nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static const char *next_name(DIR *dir)
{
    const struct dirent *entry;

    while ((entry = readdir(dir)))
        if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
            return entry->d_name;
    return NULL;
}

/* Nothing is in it yet, or what a run puts into it first. */
static bool is_of_a_run(const char *path)
{
    DIR *dir = opendir(path);
    const char *name;
    bool empty = true, ours = false;

    while (dir && (name = next_name(dir))) {
        empty = false;
        ours = ours || !strcmp(name, "run.json") || !strcmp(name, "run.json.part") || !strcmp(name, NSET_PART_WORK);
    }
    if (dir)
        closedir(dir);
    return dir && (empty || ours);
}

/* Is path still the folder that fd holds? The run that had the lock may have renamed or removed it. */
static bool is_same(int fd, const char *path)
{
    struct stat a, b;

    return fstat(fd, &a) == 0 && lstat(path, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

nset_status nset_part_claim(int *fd, const char *path, nset_error *err)
{
    for (int i = 0; i < TRIES; i++) {
        if (mkdir(path, 0777) && errno != EEXIST)
            return nset_fail(err, NSET_ERR_IO, "%s: the result folder cannot be made: %s", path, strerror(errno));
        if ((*fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) < 0) {
            if (errno == ENOENT)
                continue;
            return nset_fail(err, NSET_ERR_IO, "%s: the result folder cannot be made: %s", path, strerror(errno));
        }
        if (flock(*fd, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK) {
            nset_part_release(*fd);
            *fd = -1;
            return nset_fail(
                err, NSET_ERR_ARG, "%s: another run is writing there; wait for it or name another folder", path);
        }
        if (is_same(*fd, path)) {
            if (is_of_a_run(path))
                return NSET_OK;
            nset_part_release(*fd);
            *fd = -1;
            return nset_fail(
                err, NSET_ERR_ARG, "%s is in the way: it is not what a run left; move it or name another folder", path);
        }
        nset_part_release(*fd);
    }
    *fd = -1;
    return nset_fail(err, NSET_ERR_IO, "%s: other runs make and remove it at the same time", path);
}

void nset_part_release(int fd)
{
    if (fd >= 0)
        close(fd);
}

/* Path of name in folder; nset_free. NULL: no memory. */
static char *join(const char *folder, const char *name)
{
    size_t n = strlen(folder) + strlen(name) + 2;
    char *path = nset_calloc(n, 1);

    if (path)
        snprintf(path, n, "%s/%s", folder, name);
    return path;
}

void nset_part_empty(const char *path, bool keep_work)
{
    DIR *dir = opendir(path);
    const char *name;

    while (dir && (name = next_name(dir))) {
        char *inside = keep_work && !strcmp(name, NSET_PART_WORK) ? NULL : join(path, name);
        if (inside)
            nset_part_remove_tree(inside);
        nset_free(inside);
    }
    if (dir)
        closedir(dir);
}

void nset_part_sift(const char *path, const char *key, size_t *kept, size_t *dropped)
{
    char *work = join(path, NSET_PART_WORK);
    DIR *dir = work ? opendir(work) : NULL;
    const char *name;

    *kept = *dropped = 0;
    while (dir && (name = next_name(dir))) {
        size_t n = strlen(name);
        bool whole = n < 4 || strcmp(name + n - 4, ".tmp"), keep = whole && !strncmp(name, key, strlen(key));
        char *inside = keep ? NULL : join(work, name);
        *(keep ? kept : dropped) += whole;
        if (inside)
            nset_part_remove_tree(inside);
        nset_free(inside);
    }
    if (dir)
        closedir(dir);
    nset_free(work);
}
