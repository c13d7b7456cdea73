/* A chain of stabilisers: level l holds what fixes the base points of the levels before it. */
#include <neuroset/group.h>

#include <string.h>

#include <neuroset/memory.h>

#define MAX_VISIT 1e6

typedef struct level {
    uint32_t base;
    size_t n_orbit, n_generators, capacity;
    uint32_t *orbit;       /* (n) the images of base, n_orbit in use */
    uint32_t **to;         /* (n) an element that takes base to a point, NULL: none does */
    uint32_t **generators; /* owned */
} level;

struct nset_group {
    size_t n, n_levels, capacity;
    level *levels;
};

static uint32_t *perm_new(size_t n)
{
    uint32_t *p = nset_calloc(n, sizeof *p);

    for (size_t x = 0; p && x < n; x++)
        p[x] = (uint32_t)x;
    return p;
}

static uint32_t *perm_copy(const uint32_t *p, size_t n)
{
    uint32_t *q = nset_calloc(n, sizeof *q);

    return q ? memcpy(q, p, n * sizeof *q) : NULL;
}

/* p := u^-1 after p. scratch (n). */
static void undo(uint32_t *p, const uint32_t *u, uint32_t *scratch, size_t n)
{
    for (size_t x = 0; x < n; x++)
        scratch[u[x]] = (uint32_t)x;
    for (size_t x = 0; x < n; x++)
        p[x] = scratch[p[x]];
}

static size_t first_moved(const uint32_t *p, size_t n)
{
    size_t x = 0;

    while (x < n && p[x] == x)
        x++;
    return x;
}

static void level_free(level *l, size_t n)
{
    for (size_t x = 0; l->to && x < n; x++)
        nset_free(l->to[x]);
    for (size_t g = 0; g < l->n_generators; g++)
        nset_free(l->generators[g]);
    nset_free(l->generators);
    nset_free(l->orbit);
    nset_free(l->to);
}

void nset_group_free(nset_group *group)
{
    if (!group)
        return;
    for (size_t l = 0; l < group->n_levels; l++)
        level_free(&group->levels[l], group->n);
    nset_free(group->levels);
    nset_free(group);
}

/* Reduces p through the levels from first on; identity left: it is in the chain. */
static bool sift(const nset_group *group, size_t first, uint32_t *p, uint32_t *scratch)
{
    for (size_t l = first; l < group->n_levels; l++) {
        const level *at = &group->levels[l];
        const uint32_t *u = at->to[p[at->base]];
        if (!u)
            return false;
        undo(p, u, scratch, group->n);
    }
    return first_moved(p, group->n) == group->n;
}

static nset_status new_level(nset_group *group, uint32_t base, nset_error *err)
{
    level l = { .base = base, .n_orbit = 1 };
    nset_status status = nset_grow(&group->levels, &group->capacity, group->n_levels + 1, sizeof l, err);

    if (status != NSET_OK)
        return status;
    l.orbit = nset_calloc(group->n, sizeof *l.orbit);
    l.to = nset_calloc(group->n, sizeof *l.to);
    if (!l.orbit || !l.to || !(l.to[base] = perm_new(group->n))) {
        level_free(&l, group->n);
        return nset_fail_oom(err, group->n, sizeof *l.to);
    }
    l.orbit[0] = base;
    group->levels[group->n_levels++] = l;
    return NSET_OK;
}

static nset_status extend(nset_group *group, size_t at, const uint32_t *p, nset_error *err);

/* Generator b after the element that reaches point a of the orbit: a new point, or an element of the next level. */
static nset_status enter(nset_group *group, size_t at, size_t a, size_t b, nset_error *err)
{
    level *l = &group->levels[at];
    const uint32_t *u = l->to[l->orbit[a]], *s = l->generators[b];
    uint32_t *p = nset_calloc(group->n, sizeof *p), *scratch = NULL;
    nset_status status = NSET_OK;

    if (!p)
        return nset_fail_oom(err, group->n, sizeof *p);
    for (size_t x = 0; x < group->n; x++)
        p[x] = s[u[x]];
    if (!l->to[p[l->base]]) {
        l->orbit[l->n_orbit++] = p[l->base];
        l->to[p[l->base]] = p;
        return NSET_OK;
    }
    if (!(scratch = nset_calloc(group->n, sizeof *scratch)))
        status = nset_fail_oom(err, group->n, sizeof *scratch);
    else {
        undo(p, l->to[p[l->base]], scratch, group->n);
        status = extend(group, at + 1, p, err);
    }
    nset_free(scratch);
    nset_free(p);
    return status;
}

/* Makes p, which fixes the base points before level at, an element of the chain from there on. */
static nset_status extend(nset_group *group, size_t at, const uint32_t *p, nset_error *err)
{
    uint32_t *copy = perm_copy(p, group->n), *scratch = nset_calloc(group->n, sizeof *scratch);
    bool known = copy && scratch && sift(group, at, copy, scratch);
    nset_status status = copy && scratch ? NSET_OK : nset_fail_oom(err, group->n, sizeof *copy);
    level *l;

    nset_free(scratch);
    if (status == NSET_OK && !known && at == group->n_levels)
        status = new_level(group, (uint32_t)first_moved(p, group->n), err);
    if (status != NSET_OK || known) {
        nset_free(copy);
        return status;
    }
    memcpy(copy, p, group->n * sizeof *copy);
    l = &group->levels[at];
    if ((status = nset_grow(&l->generators, &l->capacity, l->n_generators + 1, sizeof *l->generators, err)) !=
        NSET_OK) {
        nset_free(copy);
        return status;
    }
    l->generators[l->n_generators++] = copy;
    for (size_t a = 0, old = l->n_orbit; a < group->levels[at].n_orbit; a++)
        for (size_t b = a < old ? group->levels[at].n_generators - 1 : 0; b < group->levels[at].n_generators; b++)
            if ((status = enter(group, at, a, b, err)) != NSET_OK)
                return status;
    return NSET_OK;
}

nset_status nset_group_create(nset_group **out, const nset_action *action, nset_error *err)
{
    nset_group *group = nset_calloc(1, sizeof *group);
    nset_status status = NSET_OK;

    if (!group)
        return nset_fail_oom(err, 1, sizeof *group);
    group->n = action->n;
    for (size_t g = 0; g < action->n_generators && status == NSET_OK; g++)
        status = extend(group, 0, action->image + g * action->n, err);
    if (status != NSET_OK) {
        nset_group_free(group);
        return status;
    }
    *out = group;
    return NSET_OK;
}

double nset_group_order(const nset_group *group)
{
    double order = 1;

    for (size_t l = 0; l < group->n_levels; l++)
        order *= (double)group->levels[l].n_orbit;
    return order;
}

nset_status nset_group_contains(bool *inside, const nset_group *group, const uint32_t *permutation, nset_error *err)
{
    uint32_t *p = perm_copy(permutation, group->n), *scratch = nset_calloc(group->n, sizeof *scratch);
    nset_status status = p && scratch ? NSET_OK : nset_fail_oom(err, group->n, sizeof *p);

    if (status == NSET_OK)
        *inside = sift(group, 0, p, scratch);
    nset_free(p);
    nset_free(scratch);
    return status;
}

/* out := u_0 u_1 .. u_last, u_l the element of level l that choice[l] names. */
static void multiply(uint32_t *out, const nset_group *group, const size_t *choice)
{
    for (size_t x = 0; x < group->n; x++)
        out[x] = (uint32_t)x;
    for (size_t l = group->n_levels; l-- > 0;) {
        const level *at = &group->levels[l];
        const uint32_t *u = at->to[at->orbit[choice[l]]];
        for (size_t x = 0; x < group->n; x++)
            out[x] = u[out[x]];
    }
}

nset_status nset_group_random(uint32_t *permutation, const nset_group *group, nset_random *r, nset_error *err)
{
    size_t *choice = nset_calloc(group->n_levels, sizeof *choice);

    if (!choice)
        return nset_fail_oom(err, group->n_levels, sizeof *choice);
    for (size_t l = 0; l < group->n_levels; l++)
        choice[l] = nset_random_below(r, (uint32_t)group->levels[l].n_orbit);
    multiply(permutation, group, choice);
    nset_free(choice);
    return NSET_OK;
}

nset_status nset_group_visit(
    const nset_group *group, void (*fn)(void *ctx, const uint32_t *permutation), void *ctx, nset_error *err)
{
    size_t *choice = NULL, l;
    uint32_t *p = NULL;
    nset_status status = NSET_OK;

    if (nset_group_order(group) > MAX_VISIT)
        return nset_fail(err, NSET_ERR_ARG, "group of %.17g elements: at most %.0f can be visited one by one",
            nset_group_order(group), MAX_VISIT);
    choice = nset_calloc(group->n_levels, sizeof *choice);
    p = nset_calloc(group->n, sizeof *p);
    if (!choice || !p)
        status = nset_fail_oom(err, group->n, sizeof *p);
    while (status == NSET_OK) {
        multiply(p, group, choice);
        fn(ctx, p);
        for (l = 0; l < group->n_levels && ++choice[l] == group->levels[l].n_orbit; l++)
            choice[l] = 0;
        if (l == group->n_levels)
            break;
    }
    nset_free(choice);
    nset_free(p);
    return status;
}
