/* Events: places where some channel is extreme; what clustering starts from. */
#ifndef NSET_EPHYS_EVENTS_H
#define NSET_EPHYS_EVENTS_H

#include <stddef.h>
#include <stdint.h>
#include <neuroset/error.h>
#include "ephys/probe.h"
#include "ephys/whiten.h"

typedef struct nset_event {
    int64_t sample;
    uint32_t channel;
    float size; /* |whitened| in noise sd */
} nset_event;

typedef struct nset_events {
    nset_event *event; /* (n), by sample, then channel; owned */
    size_t n, capacity;
} nset_events;

/* For each channel the channels within radius_um on its shank, itself included, ascending: those of c are
 * channel[offset[c]] .. channel[offset[c + 1] - 1]. */
typedef struct nset_neighbours {
    size_t n_channels;
    size_t *offset, *channel; /* owned */
} nset_neighbours;

nset_status nset_neighbours_init(nset_neighbours *n, const nset_probe *probe, double radius_um, nset_error *err);
void nset_neighbours_fini(nset_neighbours *n);

/* Extremes of |w| above threshold (noise sd) within .4 ms and the neighbourhood, both signs, in the segments listed. */
nset_status nset_events_detect(nset_events *out, nset_whitened *w, const nset_neighbours *near, const int64_t *segments,
    size_t n_segments, double threshold, nset_workers *workers, nset_error *err);
void nset_events_fini(nset_events *e);

#endif
