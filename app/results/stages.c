#include "results/stages.h"

#include <stdio.h>
#include <unistd.h>

#include "cli/progress.h"

enum { PATH = 4096 };

static void path_of(const nset_stages *s, const char *name, char path[PATH])
{
    snprintf(path, PATH, "%s-%s.state", s->work, name);
}

bool nset_stages_take(nset_stages *s, const char *name, nset_stage_take take, void *what)
{
    char path[PATH];
    nset_state_in *from = NULL;
    nset_error err = { 0 };
    nset_status status;

    if (!s->work || s->fresh)
        return false;
    path_of(s, name, path);
    if (access(path, F_OK)) {
        s->fresh = true;
        return false;
    }
    if ((status = nset_state_open(&from, path, &err)) == NSET_OK)
        status = take(what, from, &err);
    nset_state_close(from);
    if (status != NSET_OK) {
        nset_say("resume: %s; that step is done again", err.text);
        s->fresh = true;
        return false;
    }
    nset_say("resume: going on after %s", name);
    return true;
}

nset_status nset_stages_leave(nset_stages *s, const char *name, nset_stage_put put, const void *what, nset_error *err)
{
    char path[PATH];
    nset_state_out *to = NULL;
    nset_status status;

    if (!s->work)
        return NSET_OK;
    path_of(s, name, path);
    if ((status = nset_state_create(&to, path, err)) != NSET_OK)
        return status;
    put(to, what);
    return nset_state_commit(to, err);
}
