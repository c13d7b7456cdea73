/* From events to trains: features of each event, far too many parts. */
#ifndef NSET_EPHYS_CLUSTER_H
#define NSET_EPHYS_CLUSTER_H

#include "ephys/event_net.h"
#include "ephys/events.h"
#include "ephys/templates.h"

/* Adds to trains the parts of each group of events: all events of a small shank (a tetrode), else those of one peak
 * channel. net gives the features. least: spikes of the smallest unit. Errors: NSET_ERR_NOMEM, NSET_ERR_CANCELLED. */
nset_status nset_cluster_events(nset_trains *trains, nset_whitened *w, const nset_events *events,
    const nset_probe *probe, nset_event_net *net, size_t least, uint64_t seed, nset_workers *workers, nset_error *err);

#endif
