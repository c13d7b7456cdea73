/* After matching: spikes seen without their neighbours say which templates hold two units and which two are one. */
#ifndef NSET_EPHYS_REGROUP_H
#define NSET_EPHYS_REGROUP_H

#include <jansson.h>
#include <neuroset/error.h>
#include <neuroset/workers.h>
#include "ephys/match.h"
#include "ephys/probe.h"
#include "ephys/templates.h"
#include "ephys/whiten.h"

/* trains := the matches' spikes, regrouped. The spikes of one template are cut into parts, and parts joined again while
 * there is no valley between them (nset_modes) in the plane that tells them best apart; then the same is asked of
 * groups of different templates whose means are near. Groups of fewer than least_spikes vanish. Matches smaller than
 * t->least are no spikes. reasons (an array) gets a line a division and a join; NULL is legal. Errors: NSET_ERR_NOMEM,
 * those of reading. */
nset_status nset_regroup(nset_trains *trains, nset_whitened *w, const nset_templates *t, const nset_matches *m,
    const nset_probe *probe, const int64_t *segments, size_t n_segments, size_t least_spikes, uint64_t seed,
    json_t *reasons, nset_workers *workers, nset_error *err);

#endif
