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

/* The same for a site that is told by shank, column and row (snsShankMap). */
bool nset_neuropixels_grid(
    const nset_neuropixels *p, double shank, double column, double row, double *x_um, double *y_um);

/* The same for NP1110 (Ultra), whose table tells banks for 24 groups of channels instead of sites: column_mode is 0
 * (inner columns), 1 (outer) or 2 (all), bank (24, 2) the two banks of each group. False when a number is out of range.
 */
bool nset_neuropixels_ultra(int column_mode, const int *bank, long channel, double *x_um, double *y_um);

#endif
