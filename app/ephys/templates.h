/* Templates of units in the whitened signal, learnt from their spikes. */
#ifndef NSET_EPHYS_TEMPLATES_H
#define NSET_EPHYS_TEMPLATES_H

#include <stddef.h>
#include <stdint.h>
#include <neuroset/error.h>
#include <neuroset/workers.h>
#include "ephys/events.h"
#include "ephys/whiten.h"

/* Spike samples of one putative unit, ascending. */
typedef struct nset_train {
    int64_t *sample; /* (n), owned */
    size_t n, capacity;
    size_t home;  /* channel near which its template is looked for */
    float least;  /* size (noise sd) below which a match is rather hash; 0: not known */
    double count; /* spikes it stands for, when only some are listed; 0: those listed */
    size_t unit;  /* trains of one unit, seen at different places of the probe, share it */
} nset_train;

/* Samples, 8 at 30 kHz, within which two spikes of one unit are one, seen twice. */
int64_t nset_same_spike(double rate_hz);

typedef struct nset_trains {
    nset_train *train; /* (n), owned */
    size_t n, capacity;
    size_t n_units; /* numbers of units given so far */
} nset_trains;

void nset_trains_fini(nset_trains *t);
nset_status nset_trains_add(nset_trains *t, const int64_t *sample, size_t n, size_t home, nset_error *err);
/* Removes train i; the order of the others stays. */
void nset_trains_drop(nset_trains *t, size_t i);
/* Removes the trains with keep[i] false; order stays. */
void nset_trains_keep(nset_trains *t, const unsigned char *keep);

typedef struct nset_templates {
    size_t n, length, pre, n_channels;
    float *data;        /* (n, length, n_channels), trough or peak near pre; owned */
    float *norm;        /* (n) Euclidean; owned */
    size_t *home;       /* (n) channel of the largest range; owned */
    float *least;       /* (n) size in noise sd below which a match is not taken; owned */
    size_t *unit;       /* (n) templates of one unit share it; owned */
    size_t *low, *high; /* (n) channels low .. high - 1 are not all 0; owned */
} nset_templates;

/* Length 2 ms, .73 ms before the peak. Errors: NSET_ERR_NOMEM. */
nset_status nset_templates_init(nset_templates *t, size_t n, size_t n_channels, double rate_hz, nset_error *err);
void nset_templates_fini(nset_templates *t);
/* Norm, home and reach of one after its data has changed. */
void nset_templates_measure(nset_templates *t, size_t i);
void nset_templates_find_reach(nset_templates *t, size_t i);
/* Removes the templates with keep[i] false; order stays. */
void nset_templates_keep(nset_templates *t, const unsigned char *keep);
/* Sum of i at s + lag times j at s, over samples and channels. */
double nset_templates_product(const nset_templates *t, size_t i, size_t j, int lag);

/* t := for each train the median of up to 300 snippets spread over it, on the channels that wide says are near its
 * home; channels whose range is below about 5 standard errors are 0; three components are kept. The extreme of the home
 * channel is put at pre, to a fraction of a sample, and the train's spikes with it. */
nset_status nset_templates_learn(nset_templates *t, nset_whitened *w, nset_trains *trains, const nset_neighbours *wide,
    nset_workers *workers, nset_error *err);

/* Distance of templates i and j in noise sd at their best lag (i's, at most most_lag samples) and amplitude (.8-1.25),
 * over 3 + .15 |smaller|; infinite when their norms are not within .7 or their homes are far apart. */
float nset_templates_nearness(
    const nset_templates *t, const nset_probe *probe, size_t i, size_t j, int most_lag, int *lag_of_i);

/* Joins trains whose templates lie nearer than 3 + .15 |smaller| (noise sd) at amplitudes .8-1.25 and lags within a
 * third of a millisecond, nearest pair first; norms must be within .7. t and trains shrink together. */
nset_status nset_templates_merge(
    nset_templates *t, nset_trains *trains, const nset_probe *probe, double rate_hz, nset_error *err);

#endif
