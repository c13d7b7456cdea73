/* Events from a trace by a decay model of first or second order.
 *
 * y_t = b + c_t + noise, c_t = g_1 c_{t-1} + g_2 c_{t-2} + s_t, s_t >= 0. Friedrich, Zhou & Paninski 2017, "Fast online
 * deconvolution of calcium imaging data": pools of frames that follow from one value, merged until each starts above
 * its predecessor's continuation. Of first order (g_2 = 0) exact and O(n); of second order, where a pool also feels the
 * one before it, near the optimum.
 */
#ifndef NSET_IMAGING_OASIS_H
#define NSET_IMAGING_OASIS_H

#include <stddef.h>
#include <neuroset/error.h>

typedef struct nset_oasis nset_oasis; /* room for one trace; one a thread */

/* For traces of up to n frames. */
nset_status nset_oasis_create(nset_oasis **out, size_t n, nset_error *err);
void nset_oasis_free(nset_oasis *o); /* NULL is legal */

typedef struct nset_kinetics {
    double slow,
        fast; /* factors a frame of decay and rise, 1 > slow > fast >= 0: g_1 = slow + fast, g_2 = -slow fast */
} nset_kinetics;

/* c (n) := the minimum of 1/2 sum (y_t - b - c_t)^2 + lambda sum s_t, where s_0 = c_0; of second order the trace may
 * start within a decay. lambda >= 0. */
void nset_oasis_solve(nset_oasis *o, float *c, const float *y, size_t n, nset_kinetics g, double b, double lambda);

/* c (n) and s (n): the least sum of s whose fit misses y by no more than the noise, sum (y_t - b - c_t)^2 <= n sd^2
 * (where that can be met; else the closest fit). The baseline b is fitted too and returned. s_0 := 0: what the trace
 * starts with is no event. */
double nset_oasis_fit(nset_oasis *o, float *c, float *s, const float *y, size_t n, nset_kinetics g, double sd);

#endif
