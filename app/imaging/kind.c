#include <dirent.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "imaging/movie.h"

static bool has_tiff_name(const char *name)
{
    const char *dot = strrchr(name, '.');

    return dot && (!strcasecmp(dot, ".tif") || !strcasecmp(dot, ".tiff") || !strcasecmp(dot, ".btf") ||
                      !strcasecmp(dot, ".tf8"));
}

bool nset_is_movie(const char *path)
{
    struct dirent *entry;
    bool found = false;
    struct stat s;
    DIR *dir;

    if (stat(path, &s) || !S_ISDIR(s.st_mode))
        return has_tiff_name(path);
    if (!(dir = opendir(path)))
        return false;
    while (!found && (entry = readdir(dir)))
        found = has_tiff_name(entry->d_name);
    closedir(dir);
    return found;
}
