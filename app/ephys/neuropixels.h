/* Where the sites of Neuropixels probes are, by part number. */
#ifndef NSET_EPHYS_NEUROPIXELS_H
#define NSET_EPHYS_NEUROPIXELS_H

#include <stdbool.h>
#include <stddef.h>

typedef struct nset_neuropixels nset_neuropixels;

/* The row of a part number such as "NP1010" or "PRB_1_4_0480_1", or NULL. */
const nset_neuropixels *nset_neuropixels_find(const char *part);

/* Place of the site that an entry of n numbers of SpikeGLX' channel table (imroTbl) selects. x counts from the left
 * edge of the first shank. False when the entry is not one of this part. */
bool nset_neuropixels_place(
    const nset_neuropixels *p, const double *entry, size_t n, int *shank, double *x_um, double *y_um);

#endif
