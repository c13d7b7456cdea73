/* What whitening shares between reading (whiten.c) and learning the noise (whiten_learn.c). */
#ifndef NSET_EPHYS_WHITEN_PARTS_H
#define NSET_EPHYS_WHITEN_PARTS_H

#include "ephys/whiten.h"

#define NSET_WHITEN_LOW_HZ 300.
enum { NSET_WHITEN_STEPS = 32 }; /* stored numbers are that many a noise sd, so that 16 bits hold 1000 of them */

typedef struct nset_whiten_slot {
    int16_t *x; /* (n_channels, NSET_HOP) */
    int64_t used;
} nset_whiten_slot;

struct nset_whitened {
    const nset_recording *recording;
    nset_workers *workers;
    nset_segments *segments;
    nset_source *levelled; /* what the segments read */
    bool reference, silent;
    size_t n_channels;
    int64_t n_segments, clock;
    float density;
    float *response, *band; /* (NSET_BINS) with and without whitening in time */
    float *scale;           /* (n_channels) 1 / noise sd after the filter in time; 0: a dead channel */
    float *mix;             /* (n_channels, n_channels) outputs in rows; their noise sd is about 1 */
    size_t *low, *high;     /* (n_channels) inputs low .. high - 1 of an output are not 0 */
    float *step;            /* (n_channels) what a stored 1 stands for: unit density */
    float *matrix;          /* (n_channels, n_channels) inputs in rows, with all scales behind it */
    float *noise_uv;
    float *planes;      /* (n_channels, NSET_FFT) */
    unsigned char *bad; /* (2 NSET_FFT) */
    nset_whiten_slot *cache;
    size_t n_cached, most_cached;
    int64_t held_first, held_last;
    int64_t (*spans)[2];
    size_t n_spans, cap_spans;
    unsigned char *listed; /* (n_segments) its spans are in the list */
};

/* planes := segment with its margins, filtered. */
nset_status nset_whiten_filter(nset_whitened *w, int64_t segment, const float *response, nset_error *err);
/* Planes times scale (n_channels); then bad says what of them is an artefact or the rim of a gap. */
void nset_whiten_scale_planes(nset_whitened *w, const float *scale);
void nset_whiten_mark_bad(nset_whitened *w, int64_t segment);
/* Makes segment available and keeps it until others are asked for. */
nset_status nset_whiten_get(nset_whitened *w, const int16_t **x, int64_t segment, nset_error *err);

/* Fills response, scale, mix, matrix, step, noise_uv and density. */
nset_status nset_whiten_learn(nset_whitened *w, nset_error *err);

#endif
