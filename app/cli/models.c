#include "cli/models.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int exists(char *path, size_t n, const char *folder, const char *rest, const char *name)
{
    static const char *const endings[] = { "", ".safetensors" };

    for (size_t i = 0; i < 2; i++)
        if (snprintf(path, n, "%s%s/%s%s", folder, rest, name, endings[i]) < (int)n && access(path, R_OK) == 0)
            return 1;
    return 0;
}

nset_status nset_model_find(char *path, size_t n, const char *name, nset_error *err)
{
    const char *from_user = getenv("NEUROSET_MODELS");
    char program[4096] = "", *slash;
    ssize_t length;

    if (strchr(name, '/') || (strstr(name, ".safetensors") && access(name, R_OK) == 0)) {
        if (access(name, R_OK))
            return nset_fail(err, NSET_ERR_FORMAT, "%s: there is no such model file", name);
        snprintf(path, n, "%s", name);
        return NSET_OK;
    }
    if (from_user && exists(path, n, from_user, "", name))
        return NSET_OK;
    length = readlink("/proc/self/exe", program, sizeof program - 1);
    if (length > 0 && (slash = strrchr(program, '/'))) {
        *slash = '\0';
        if (exists(path, n, program, "/../share/neuroset/models", name))
            return NSET_OK;
        if (exists(path, n, program, "/../../models", name)) /* build/app/neuroset in the source tree */
            return NSET_OK;
    }
    if (exists(path, n, NSET_MODEL_DIR, "", name))
        return NSET_OK;
    return nset_fail(err, NSET_ERR_FORMAT,
        "model '%s' is neither in $NEUROSET_MODELS, nor in ../share/neuroset/models beside the program, nor in %s; "
        "name a file with --model",
        name, NSET_MODEL_DIR);
}
