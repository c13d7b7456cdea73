/* Groups of contacts that no spike reaches both of, such as shanks or tetrodes far apart, are sorted each as if it were
 * alone: its units are those of a recording of that group. */
#ifndef NSET_EPHYS_GROUPS_H
#define NSET_EPHYS_GROUPS_H

#include "ephys/sort.h"

/* A recording of more groups is sorted at once: each group reads the file anew. */
enum { NSET_MOST_GROUPS = 16 };

/* group (n_channels) := number of each channel's group, in the order of their first channels; returns how many there
 * are. Contacts at most 200 um apart are in one group, 150 um when they stand on two shanks, and so are those of a
 * chain. */
size_t nset_probe_groups(size_t *group, const nset_probe *probe);

/* nset_sort for each group. Units are numbered group by group; templates are 0 on the channels of other groups. facts
 * gets counts over all, and "groups", those of each. Errors: as nset_sort. */
nset_status nset_sort_groups(nset_sorting **out, json_t *facts, const nset_recording *recording,
    const nset_sort_options *options, nset_workers *workers, nset_sort_stage stage, void *stage_ctx, nset_error *err);

#endif
