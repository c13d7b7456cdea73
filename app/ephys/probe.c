#include "ephys/probe.h"

#include <neuroset/memory.h>

nset_status nset_probe_init(nset_probe *p, size_t n_channels, nset_error *err)
{
    p->n_channels = n_channels;
    p->x_um = nset_calloc(n_channels, sizeof *p->x_um);
    p->y_um = nset_calloc(n_channels, sizeof *p->y_um);
    p->shank = nset_calloc(n_channels, sizeof *p->shank);
    if (p->x_um && p->y_um && p->shank)
        return NSET_OK;
    nset_probe_fini(p);
    return nset_fail_oom(err, n_channels, sizeof *p->x_um);
}

void nset_probe_fini(nset_probe *p)
{
    nset_free(p->x_um);
    nset_free(p->y_um);
    nset_free(p->shank);
    p->x_um = p->y_um = NULL;
    p->shank = NULL;
    p->n_channels = 0;
}
