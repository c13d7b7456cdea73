#include "fuzz.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_FILES = 8 };

/* A file stays open and is written in place, and only when its bytes change: what a target spends on files is most of
 * its time. */
typedef struct slot {
    char path[320];
    int fd;
    uint8_t *bytes; /* (room) the file's, size of them */
    size_t size, room;
} slot;

static char folder[256];
static slot files[MAX_FILES];

void fuzz_check(nset_status status, const nset_error *err)
{
    if (status == NSET_OK ? err->status != NSET_OK : err->status != status || !err->text[0])
        __builtin_trap();
    if (strchr(err->text, '\n'))
        __builtin_trap();
}

char *fuzz_text(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);

    if (!text)
        abort();
    if (size)
        memcpy(text, data, size);
    text[size] = '\0';
    return text;
}

static void clean_up(void)
{
    for (int i = 0; i < MAX_FILES && files[i].path[0]; i++) {
        close(files[i].fd);
        unlink(files[i].path);
        free(files[i].bytes);
    }
    for (int i = 0; i < MAX_FILES && files[i].path[0]; i++) /* folders inside go when their last file has gone */
        for (char *slash; (slash = strrchr(files[i].path, '/')) && slash > files[i].path + strlen(folder);) {
            *slash = '\0';
            rmdir(files[i].path);
        }
    rmdir(folder);
}

/* In memory where the system has such a folder. */
static void make_folder(void)
{
    const char *tmp = getenv("TMPDIR");

    if (!tmp)
        tmp = access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm";
    snprintf(folder, sizeof folder, "%s/nset_fuzz_XXXXXX", tmp);
    if (!mkdtemp(folder))
        abort();
    atexit(clean_up);
}

static void create(slot *f)
{
    for (char *slash = f->path + strlen(folder) + 1; (slash = strchr(slash, '/')); *slash++ = '/') {
        *slash = '\0';
        mkdir(f->path, 0777);
    }
    if ((f->fd = open(f->path, O_RDWR | O_CREAT | O_CLOEXEC, 0666)) < 0)
        abort();
}

static slot *find(const char *name)
{
    size_t n;
    int i = 0;

    if (!folder[0])
        make_folder();
    n = strlen(folder) + 1;
    while (i < MAX_FILES && files[i].path[0] && strcmp(files[i].path + n, name) != 0)
        i++;
    if (i == MAX_FILES)
        abort();
    if (!files[i].path[0]) {
        snprintf(files[i].path, sizeof files[i].path, "%s/%s", folder, name);
        create(&files[i]);
    }
    return &files[i];
}

const char *fuzz_file(const char *name, const uint8_t *data, size_t size)
{
    slot *f = find(name);

    if (size == f->size && !(size && memcmp(data, f->bytes, size)))
        return f->path;
    if (size > f->room) {
        f->room = 2 * size;
        if (!(f->bytes = realloc(f->bytes, f->room)))
            abort();
    }
    if (pwrite(f->fd, data, size, 0) != (ssize_t)size || (size < f->size && ftruncate(f->fd, (off_t)size)))
        abort();
    if (size)
        memcpy(f->bytes, data, size);
    f->size = size;
    return f->path;
}
