/* Spikes seen without their neighbours: what is left of the recording when everything matched has been subtracted, plus
 * the spike's own template, in a few numbers a channel.
 *
 * The numbers of one channel are the products with NSET_CLEAN_BASIS waveforms, orthonormal, learnt from the templates
 * and moved by the spike's fraction of a sample. Noise has standard deviation 1 in each (the whitened signal has unit
 * density), so that distances mean the same everywhere. Pachitariu et al. 2024 compute final features so.
 */
#ifndef NSET_EPHYS_CLEAN_H
#define NSET_EPHYS_CLEAN_H

#include <stddef.h>
#include <stdint.h>
#include <neuroset/error.h>
#include <neuroset/workers.h>
#include "ephys/match.h"
#include "ephys/templates.h"
#include "ephys/whiten.h"

enum { NSET_CLEAN_BASIS = 8, NSET_CLEAN_CHANNELS = 16, NSET_CLEAN = NSET_CLEAN_BASIS * NSET_CLEAN_CHANNELS };

typedef struct nset_clean {
    const nset_templates *t; /* used, not owned */
    size_t length;
    float *basis;      /* (NSET_SHIFTS, NSET_CLEAN_BASIS, length) */
    float *side;       /* (NSET_SHIFTS, length, NSET_CLEAN_BASIS) the same, side by side */
    size_t *n_channel; /* (n templates) at most NSET_CLEAN_CHANNELS */
    size_t *channel;   /* (n templates, NSET_CLEAN_CHANNELS) nearest to the home first */
    float *own;        /* (n templates, NSET_CLEAN) numbers of each template itself; 0 beyond its channels */
    size_t **used;     /* (n templates) channels where it is not 0 */
    size_t *n_used;
    float **shape; /* (n templates) (NSET_SHIFTS, n_used, length) */
} nset_clean;

/* Learns the basis and places the channels. probe is used only here. Errors: NSET_ERR_NOMEM. */
nset_status nset_clean_init(nset_clean *c, const nset_templates *t, const nset_probe *probe, nset_error *err);
void nset_clean_fini(nset_clean *c);

/* Called for the matches of one segment, in order: f (n, NSET_CLEAN), the numbers of matches first .. first + n - 1. */
typedef nset_status (*nset_clean_take)(void *ctx, size_t first, size_t n, const float *f, nset_error *err);

/* Goes through the segments listed (ascending). Errors: those of reading and of take. */
nset_status nset_clean_run(const nset_clean *c, nset_whitened *w, const nset_matches *m, const int64_t *segments,
    size_t n_segments, nset_workers *workers, nset_clean_take take, void *ctx, nset_error *err);

#endif
