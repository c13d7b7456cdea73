/* The rest level and the noise of a trace. */
#ifndef NSET_IMAGING_BASELINE_H
#define NSET_IMAGING_BASELINE_H

#include <stdbool.h>
#include <stddef.h>

/* Standard deviation of the noise: median of |x_t - (x_{t-1} + x_{t+1}) / 2| over .6745 sqrt(1.5); where half of these
 * are 0, their root mean square. A decay bends much less than it falls, so that activity adds less than to plain steps.
 * room (n) is overwritten. */
double nset_trace_noise(const float *x, size_t n, float *room);

/* What a fit of activity shall leave of x, whose rest is slow: the noise sd or, up to 1.3 of it, the spread of the
 * lowest quarter, in which there is more than the difference of neighbours shows (surroundings, motion). */
double nset_trace_misfit(const float *x, size_t n, double sd, float *room);

/* f0 (n) := running 8th percentile of x over window frames, at knots an eighth of a window apart and linear between
 * them, plus 1.405 sd: in a trace that is mostly noise the percentile lies that much below the rest level. Raised to
 * floor where below; returns whether it was. room (window + 1) is overwritten; window >= 1. */
bool nset_trace_baseline(float *f0, const float *x, size_t n, size_t window, double sd, double floor, float *room);

/* Decay factor g of a frame: from the autocovariance of x (n) at lags 1-5 less the noise at lag 0, where the trace is
 * long and lively enough, else that of .5 s; always between .1 and 3 s. Friedrich et al. 2017, "estimating the AR
 * coefficients". */
double nset_trace_decay(const float *x, size_t n, double sd, double rate_hz);

#endif
