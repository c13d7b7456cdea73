/* From matches to a sorting: units with places, measures and labels. */
#ifndef NSET_EPHYS_UNITS_H
#define NSET_EPHYS_UNITS_H

#include "ephys/match.h"
#include "ephys/sorting.h"
#include "ephys/templates.h"

/* Units are numbered from the tip of the probe by place, then by template norm. Templates in microvolts are means of up
 * to 100 snippets a unit from the segments listed. A unit smaller than count_uv, a step of the converter in microvolts
 * (0: not known, or there is none), is what rounding makes of a slow signal, and is left out. Errors: NSET_ERR_NOMEM,
 * NSET_ERR_CANCELLED. */
nset_status nset_units_make(nset_sorting **out, nset_whitened *w, const nset_probe *probe, const nset_matches *m,
    const nset_templates *t, const int64_t *segments, size_t n_segments, double count_uv, nset_workers *workers,
    nset_error *err);

#endif
