#include "ephys/sim_parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <neuroset/memory.h>

#define STEP_S 1e-3
#define EDGE_S .005 /* no spike nearer to the ends */

/* Slow common excitation: a low-passed random walk in log rate, with silences where it is lowest. */
nset_status sim_population_make(sim_population *p, uint64_t seed, double seconds, double sync, nset_error *err)
{
    nset_random r = nset_random_stream(seed, "population", 0);
    double slow = 0, decay = exp(-STEP_S / .4), mean, t;

    memset(p, 0, sizeof *p);
    p->seconds = seconds;
    p->n = (size_t)(seconds / STEP_S) + 1;
    p->clock = nset_calloc(p->n + 1, sizeof *p->clock);
    p->event_s = nset_calloc((size_t)(seconds * 2) + 16, sizeof *p->event_s);
    if (!p->clock || !p->event_s) {
        sim_population_free(p);
        return nset_fail_oom(err, p->n + 1, sizeof *p->clock);
    }
    for (size_t i = 0; i < p->n; i++) {
        double level;
        slow = decay * slow + sqrt(1 - decay * decay) * nset_random_normal(&r);
        level = exp(.4 * sync * slow) * (slow < -.7 ? 1 - .7 * fmin(sync, 1) : 1);
        p->clock[i + 1] = p->clock[i] + level * STEP_S;
    }
    mean = p->clock[p->n] / ((double)p->n * STEP_S);
    for (size_t i = 0; i <= p->n; i++)
        p->clock[i] /= mean;
    for (t = nset_random_exponential(&r) * 2; sync > 0 && t < seconds && p->n_events < (size_t)(seconds * 2) + 16;
         t += .2 + nset_random_exponential(&r) * 2)
        p->event_s[p->n_events++] = t;
    return NSET_OK;
}

void sim_population_free(sim_population *p)
{
    nset_free(p->clock);
    nset_free(p->event_s);
    p->clock = NULL;
    p->event_s = NULL;
}

static nset_status push(sim_train *t, double time_s, nset_error *err)
{
    nset_status status = nset_grow(&t->time_s, &t->capacity, t->n + 1, sizeof *t->time_s, err);

    if (status == NSET_OK)
        t->time_s[t->n++] = time_s;
    return status;
}

static nset_status push_burst(sim_train *t, nset_random *r, double from, nset_error *err)
{
    nset_status status = NSET_OK;
    int most = 6;

    do {
        from += .003 + .006 * nset_random_uniform(r);
        status = push(t, from, err);
    } while (status == NSET_OK && --most && nset_random_uniform(r) < .55);
    return status;
}

/* Operational time runs with the population's clock. */
static nset_status push_renewal(
    sim_train *t, nset_random *r, const sim_population *p, double rate_hz, double burst, nset_error *err)
{
    double shape = 1 + 1.5 * nset_random_uniform(r), base = rate_hz / (1 + 2.2 * burst), at = 0;
    size_t i = 0;
    nset_status status = NSET_OK;

    while (status == NSET_OK) {
        double fraction;
        at += nset_random_gamma(r, shape) / (shape * base);
        while (i < p->n && p->clock[i + 1] <= at)
            i++;
        if (i == p->n)
            break;
        fraction = (at - p->clock[i]) / (p->clock[i + 1] - p->clock[i]);
        status = push(t, ((double)i + fraction) * STEP_S, err);
        if (status == NSET_OK && nset_random_uniform(r) < burst)
            status = push_burst(t, r, t->time_s[t->n - 1], err);
    }
    return status;
}

static nset_status push_events(sim_train *t, nset_random *r, const sim_population *p, double rate_hz, nset_error *err)
{
    double chance = fmin(.5, .1 + rate_hz / 30);
    nset_status status = NSET_OK;

    for (size_t i = 0; i < p->n_events && status == NSET_OK; i++)
        if (nset_random_uniform(r) < chance)
            status = push(t, p->event_s[i] + .02 * nset_random_uniform(r), err);
    return status;
}

static int by_time(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void keep_refractory(sim_train *t, double seconds, double refractory_s)
{
    double last = -1;
    size_t n = 0;

    if (t->n > 1) /* time_s is NULL in a train of no spikes */
        qsort(t->time_s, t->n, sizeof *t->time_s, by_time);
    for (size_t i = 0; i < t->n; i++)
        if (t->time_s[i] > EDGE_S && t->time_s[i] < seconds - EDGE_S && t->time_s[i] - last >= refractory_s)
            last = t->time_s[n++] = t->time_s[i];
    t->n = n;
}

/* Jitter, a slow walk, and smaller and wider spikes within bursts, recovering with 30 ms. */
static void draw_amplitudes(sim_train *t, nset_random *r, double seconds, double jitter, double modulation)
{
    enum { KNOTS = 6 };
    double walk[KNOTS] = { 0 }, depth = nset_random_uniform(r) < .5 ? .6 + .4 * nset_random_uniform(r) : 1;
    double shape = 1 / fmax(jitter * jitter, 1e-8), fresh = 1, last = -1;

    for (int k = 1; k < KNOTS; k++)
        walk[k] = walk[k - 1] + .5 * modulation * nset_random_normal(r);
    for (size_t i = 0; i < t->n; i++) {
        double at = t->time_s[i] / seconds * (KNOTS - 1);
        int k = at < KNOTS - 2 ? (int)at : KNOTS - 2;
        double slow = exp(walk[k] + (at - k) * (walk[k + 1] - walk[k]));
        fresh = 1 - (1 - fresh) * exp(-(t->time_s[i] - last) / .03);
        t->amplitude[i] = (float)(nset_random_gamma(r, shape) / shape * slow * (depth + (1 - depth) * fresh));
        t->widening[i] = (float)fmin(1, 1.5 * (1 - depth) * (1 - fresh));
        fresh *= .65;
        last = t->time_s[i];
    }
}

nset_status sim_train_make(sim_train *t, nset_random *r, const sim_population *p, double rate_hz, double refractory_s,
    double bursting, double jitter, double modulation, nset_error *err)
{
    double burst = nset_random_uniform(r) < bursting ? .1 + .3 * nset_random_uniform(r) : 0;
    nset_status status;

    memset(t, 0, sizeof *t);
    status = push_renewal(t, r, p, rate_hz, burst, err);
    if (status == NSET_OK)
        status = push_events(t, r, p, rate_hz, err);
    if (status == NSET_OK) {
        keep_refractory(t, p->seconds, refractory_s);
        t->amplitude = nset_calloc(t->n, sizeof *t->amplitude);
        t->widening = nset_calloc(t->n, sizeof *t->widening);
        if (!t->amplitude || !t->widening)
            status = nset_fail_oom(err, t->n, sizeof *t->amplitude);
    }
    if (status == NSET_OK)
        draw_amplitudes(t, r, p->seconds, jitter, modulation);
    else
        sim_train_free(t);
    return status;
}

void sim_train_free(sim_train *t)
{
    nset_free(t->time_s);
    nset_free(t->amplitude);
    nset_free(t->widening);
    memset(t, 0, sizeof *t);
}
