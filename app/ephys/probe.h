/* Where the contacts are. */
#ifndef NSET_EPHYS_PROBE_H
#define NSET_EPHYS_PROBE_H

#include <stddef.h>
#include <neuroset/error.h>

typedef struct nset_probe {
    size_t n_channels;
    double *x_um, *y_um; /* (n_channels), owned */
    int *shank;          /* (n_channels), owned */
} nset_probe;

nset_status nset_probe_init(nset_probe *p, size_t n_channels, nset_error *err); /* all at 0 */
void nset_probe_fini(nset_probe *p);

#endif
