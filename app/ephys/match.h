/* Matching: where in the recording is which template, overlaps included.
 *
 * Greedy pursuit of the gain in twice the log likelihood. With b the matched filter's answer, q = |w|^2 and the
 * amplitude prior N(1, .15^2), lambda = 1 / .15^2, a spike gains (b + lambda)^2 / (q + lambda) - lambda, less the prior
 * odds of a spike there, 2 log(samples / spikes). The best spike is subtracted and the rest is looked at again.
 */
#ifndef NSET_EPHYS_MATCH_H
#define NSET_EPHYS_MATCH_H

#include <stddef.h>
#include <stdint.h>
#include <neuroset/error.h>
#include <neuroset/workers.h>
#include "ephys/templates.h"
#include "ephys/whiten.h"

typedef struct nset_match {
    int64_t sample;       /* of the template's peak */
    int32_t unit, second; /* templates; second: of another unit that would explain it next best, -1: none */
    uint32_t shift;       /* the spike's fraction of a sample, one of NSET_SHIFTS */
    float amplitude;      /* of the template */
    float size;           /* the template's answer over its norm: noise sd */
    float probability;    /* that this unit, not the next best and not noise, fired */
} nset_match;

typedef struct nset_matches {
    nset_match *match; /* (n), by sample, then unit; owned */
    size_t n, capacity;
} nset_matches;

/* Matches templates in the segments listed, whole ones; count (n templates) is the spikes expected in n_samples
 * samples. The cut into blocks is fixed, so that neither threads nor memory change a byte. */
nset_status nset_match_run(nset_matches *out, nset_whitened *w, const nset_templates *t, const double *count,
    double n_samples, const int64_t *segments, size_t n_segments, nset_workers *workers, nset_error *err);
void nset_matches_fini(nset_matches *m);
/* Size, answer over norm in noise sd, of the smallest match of a template. */
double nset_match_least_size(double norm, double count, double n_samples);

#endif
