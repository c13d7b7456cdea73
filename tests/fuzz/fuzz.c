#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_FILES = 8 };

static char folder[256];
static char paths[MAX_FILES][320];

void fuzz_check(nset_status status, const nset_error *err)
{
    if (status == NSET_OK ? err->status != NSET_OK : err->status != status || !err->text[0])
        __builtin_trap();
    if (strchr(err->text, '\n'))
        __builtin_trap();
}

static void clean_up(void)
{
    for (int i = 0; i < MAX_FILES && paths[i][0]; i++)
        unlink(paths[i]);
    for (int i = 0; i < MAX_FILES && paths[i][0]; i++) /* folders inside go when their last file has gone */
        for (char *slash; (slash = strrchr(paths[i], '/')) && slash > paths[i] + strlen(folder);) {
            *slash = '\0';
            rmdir(paths[i]);
        }
    rmdir(folder);
}

static void make_folder(void)
{
    const char *tmp = getenv("TMPDIR");

    snprintf(folder, sizeof folder, "%s/nset_fuzz_XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(folder))
        abort();
    atexit(clean_up);
}

const char *fuzz_file(const char *name, const uint8_t *data, size_t size)
{
    char path[320];
    FILE *f;
    int i = 0;

    if (!folder[0])
        make_folder();
    snprintf(path, sizeof path, "%s/%s", folder, name);
    while (i < MAX_FILES && paths[i][0] && strcmp(paths[i], path))
        i++;
    if (i == MAX_FILES)
        abort();
    strcpy(paths[i], path);
    for (char *slash = path + strlen(folder) + 1; (slash = strchr(slash, '/')); *slash++ = '/') {
        *slash = '\0';
        mkdir(path, 0777);
    }
    if (!(f = fopen(path, "wb")) || fwrite(data, 1, size, f) != size || fclose(f))
        abort();
    return paths[i];
}
