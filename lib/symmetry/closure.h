/* What ties and their check share. */
#ifndef NSET_SYMMETRY_CLOSURE_H
#define NSET_SYMMETRY_CLOSURE_H

#include <neuroset/group.h>

/* The group of the generators on inputs (points 0 .. N-1) and outputs (the next M) together. */
nset_status nset_tie_group(nset_group **group, const nset_action *in, const nset_action *out, nset_error *err);

#endif
