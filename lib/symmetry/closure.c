/* The relabellings that keep every tie: their number by orbits of a chain of stabilisers, each found by search. */
#include "closure.h"

#include <string.h>

#include <neuroset/memory.h>

#define MAX_STEPS 100000000u

enum { FREE = UINT32_MAX };

typedef struct search {
    const nset_tie *tie;
    size_t n, n_points;
    uint32_t *order; /* (n_points) inputs and outputs by turns, so that ties prune early; outputs are n + y */
    uint32_t *to;    /* (n_points) image of a point, FREE: not yet */
    uint32_t *from;  /* (n_points) the point that goes there */
    unsigned long steps;
} search;

static bool fits_output(const search *s, size_t y, size_t image)
{
    const nset_tie *t = s->tie;

    if (t->bias[y] != t->bias[image])
        return false;
    for (size_t x = 0; x < t->n; x++)
        if (s->to[x] != FREE && t->weight[y * t->n + x] != t->weight[image * t->n + s->to[x]])
            return false;
    return true;
}

static bool fits_input(const search *s, size_t x, size_t image)
{
    const nset_tie *t = s->tie;

    for (size_t y = 0; y < t->m; y++)
        if (s->to[t->n + y] != FREE && t->weight[y * t->n + x] != t->weight[(s->to[t->n + y] - t->n) * t->n + image])
            return false;
    return true;
}

/* May point p go to image, given where the others went? If so it does. */
static bool place(search *s, uint32_t p, uint32_t image)
{
    s->steps++;
    if (s->from[image] != FREE)
        return false;
    if (p < s->n ? !fits_input(s, p, image) : !fits_output(s, p - s->n, image - s->n))
        return false;
    s->to[p] = image;
    s->from[image] = p;
    return true;
}

static void take_back(search *s, uint32_t p)
{
    s->from[s->to[p]] = FREE;
    s->to[p] = FREE;
}

/* Can the points from the i-th on be placed? Leaves them as they were. */
static bool complete(search *s, size_t i)
{
    uint32_t p, first, last;

    if (i == s->n_points)
        return true;
    p = s->order[i];
    first = p < s->n ? 0 : (uint32_t)s->n;
    last = (uint32_t)(p < s->n ? s->n : s->n_points);
    for (uint32_t image = first; image < last && s->steps < MAX_STEPS; image++)
        if (place(s, p, image)) {
            bool found = complete(s, i + 1);
            take_back(s, p);
            if (found)
                return true;
        }
    return false;
}

static void turns(uint32_t *order, size_t n, size_t m)
{
    size_t k = 0;

    for (size_t i = 0; i < n || i < m; i++) {
        if (i < n)
            order[k++] = (uint32_t)i;
        if (i < m)
            order[k++] = (uint32_t)(n + i);
    }
}

/* |stabiliser of the points before i| = |orbit of point i| * |stabiliser of one more|, down to the identity. */
static double count(search *s)
{
    double total = 1;

    for (size_t i = 0; i < s->n_points; i++) {
        uint32_t p = s->order[i], first = p < s->n ? 0 : (uint32_t)s->n;
        uint32_t last = (uint32_t)(p < s->n ? s->n : s->n_points), orbit = 0;
        for (uint32_t image = first; image < last; image++)
            if (place(s, p, image)) {
                orbit += complete(s, i + 1);
                take_back(s, p);
            }
        total *= orbit;
        place(s, p, p);
    }
    return total;
}

static nset_status relabellings(double *total, const nset_tie *tie, nset_error *err)
{
    search s = { .tie = tie, .n = tie->n, .n_points = tie->n + tie->m };
    nset_status status = NSET_OK;

    s.order = nset_calloc(s.n_points, sizeof *s.order);
    s.to = nset_calloc(s.n_points, sizeof *s.to);
    s.from = nset_calloc(s.n_points, sizeof *s.from);
    if (!s.order || !s.to || !s.from)
        status = nset_fail_oom(err, s.n_points, sizeof *s.to);
    else {
        turns(s.order, tie->n, tie->m);
        memset(s.to, 0xff, s.n_points * sizeof *s.to);
        memset(s.from, 0xff, s.n_points * sizeof *s.from);
        *total = count(&s);
        if (s.steps >= MAX_STEPS)
            status = nset_fail(err, NSET_ERR_NUMERIC, "symmetry of %zu x %zu ties: no answer within %u steps of search",
                tie->m, tie->n, MAX_STEPS);
    }
    nset_free(s.order);
    nset_free(s.to);
    nset_free(s.from);
    return status;
}

nset_status nset_tie_check(
    nset_symmetry *symmetry, const nset_tie *tie, const nset_action *in, const nset_action *out, nset_error *err)
{
    nset_symmetry found = { 0 };
    nset_group *group = NULL;
    nset_status status = nset_tie_group(&group, in, out, err);

    if (status == NSET_OK)
        found.asked = nset_group_order(group);
    if (status == NSET_OK && (status = relabellings(&found.has, tie, err)) == NSET_OK)
        *symmetry = found;
    nset_group_free(group);
    return status;
}
