#include <neuroset/group.h>

#include <string.h>

#include <neuroset/memory.h>

enum { MAX_POINTS = 1 << 24, MAX_SUBSET = 8 };

static nset_status make(nset_action **out, size_t n, size_t n_generators, nset_error *err)
{
    nset_action *a;

    if (n == 0 || n > MAX_POINTS)
        return nset_fail(err, NSET_ERR_ARG, "action on %zu points: a number from 1 to %d is needed", n, MAX_POINTS);
    if (!(a = nset_calloc(1, sizeof *a)))
        return nset_fail_oom(err, 1, sizeof *a);
    a->n = n;
    a->n_generators = n_generators;
    if (n_generators > SIZE_MAX / n || !(a->image = nset_calloc(n_generators * n, sizeof *a->image))) {
        nset_free(a);
        return nset_fail_oom(err, n, n_generators * sizeof *a->image);
    }
    for (size_t i = 0; i < n_generators * n; i++)
        a->image[i] = (uint32_t)(i % n);
    *out = a;
    return NSET_OK;
}

void nset_action_free(nset_action *a)
{
    if (!a)
        return;
    nset_free(a->image);
    nset_free(a);
}

static nset_status check_rows(const nset_action *a, nset_error *err)
{
    bool *seen = nset_calloc(a->n, sizeof *seen);
    nset_status status = seen ? NSET_OK : nset_fail_oom(err, a->n, sizeof *seen);

    for (size_t g = 0; status == NSET_OK && g < a->n_generators; g++) {
        memset(seen, 0, a->n * sizeof *seen);
        for (size_t x = 0; x < a->n; x++) {
            uint32_t y = a->image[g * a->n + x];
            if (y >= a->n || seen[y]) {
                status = nset_fail(err, NSET_ERR_ARG, "generator %zu is no permutation: point %zu goes to %u, %s", g, x,
                    y, y >= a->n ? "which does not exist" : "where another went");
                break;
            }
            seen[y] = true;
        }
    }
    nset_free(seen);
    return status;
}

nset_status nset_action_create(nset_action **out, const uint32_t *image, size_t n_generators, size_t n, nset_error *err)
{
    nset_action *a = NULL;
    nset_status status;

    if ((status = make(&a, n, n_generators, err)) != NSET_OK)
        return status;
    memcpy(a->image, image, n_generators * n * sizeof *image);
    if ((status = check_rows(a, err)) != NSET_OK) {
        nset_action_free(a);
        return status;
    }
    *out = a;
    return NSET_OK;
}

static void rotate(uint32_t *image, size_t first, size_t n) /* the points from first on, one further */
{
    for (size_t x = first; x < n; x++)
        image[x] = (uint32_t)(x + 1 < n ? x + 1 : first);
}

nset_status nset_action_symmetric(nset_action **out, size_t n, nset_error *err)
{
    nset_status status = make(out, n, n > 2 ? 2 : n - (n > 0), err);

    if (status == NSET_OK && n > 1) {
        (*out)->image[0] = 1;
        (*out)->image[1] = 0;
        if (n > 2)
            rotate((*out)->image + n, 0, n);
    }
    return status;
}

/* (0 1 2), and a cycle of odd length through the rest. */
nset_status nset_action_alternating(nset_action **out, size_t n, nset_error *err)
{
    nset_status status = make(out, n, n < 3 ? 0 : n == 3 ? 1 : 2, err);

    if (status == NSET_OK && n >= 3)
        rotate((*out)->image, 0, 3);
    if (status == NSET_OK && n > 3)
        rotate((*out)->image + n, n % 2 ? 0 : 1, n);
    return status;
}

nset_status nset_action_cyclic(nset_action **out, size_t n, nset_error *err)
{
    nset_status status = make(out, n, 1, err);

    if (status == NSET_OK)
        rotate((*out)->image, 0, n);
    return status;
}

nset_status nset_action_dihedral(nset_action **out, size_t n, nset_error *err)
{
    nset_status status = make(out, n, 2, err);

    if (status == NSET_OK) {
        rotate((*out)->image, 0, n);
        for (size_t x = 0; x < n; x++)
            (*out)->image[n + x] = (uint32_t)(n - 1 - x);
    }
    return status;
}

nset_status nset_action_product(nset_action **out, const nset_action *a, const nset_action *b, nset_error *err)
{
    size_t n;
    nset_status status;

    if (__builtin_mul_overflow(a->n, b->n, &n))
        n = SIZE_MAX;
    if ((status = make(out, n, a->n_generators + b->n_generators, err)) != NSET_OK)
        return status;
    for (size_t g = 0; g < a->n_generators + b->n_generators; g++) {
        bool first = g < a->n_generators;
        const uint32_t *image = first ? a->image + g * a->n : b->image + (g - a->n_generators) * b->n;
        for (size_t x = 0; x < n; x++)
            (*out)->image[g * n + x] =
                (uint32_t)(first ? image[x / b->n] * b->n + x % b->n : x / b->n * b->n + image[x % b->n]);
    }
    return NSET_OK;
}

nset_status nset_action_wreath(nset_action **out, const nset_action *inner, const nset_action *outer, nset_error *err)
{
    size_t n, m = inner->n;
    nset_status status;

    if (__builtin_mul_overflow(inner->n, outer->n, &n))
        n = SIZE_MAX;
    if ((status = make(out, n, inner->n_generators + outer->n_generators, err)) != NSET_OK)
        return status;
    for (size_t g = 0; g < inner->n_generators; g++)
        memcpy((*out)->image + g * n, inner->image + g * m, m * sizeof *inner->image);
    for (size_t g = 0; g < outer->n_generators; g++)
        for (size_t x = 0; x < n; x++)
            (*out)->image[(inner->n_generators + g) * n + x] =
                (uint32_t)(outer->image[g * outer->n + x / m] * m + x % m);
    return NSET_OK;
}

nset_status nset_action_tuples(nset_action **out, const nset_action *a, size_t k, nset_error *err)
{
    size_t n = 1;
    nset_status status;

    for (size_t i = 0; i < k && n <= MAX_POINTS; i++)
        n *= a->n;
    if ((status = make(out, n, a->n_generators, err)) != NSET_OK)
        return status;
    for (size_t g = 0; g < a->n_generators; g++)
        for (size_t x = 0; x < n; x++) {
            size_t left = x, unit = 1, image = 0;
            for (size_t i = 0; i < k; i++, left /= a->n, unit *= a->n)
                image += a->image[g * a->n + left % a->n] * unit;
            (*out)->image[g * n + x] = (uint32_t)image;
        }
    return NSET_OK;
}

static size_t choose(size_t n, size_t k)
{
    size_t c = 1;

    for (size_t i = 0; i < k; i++)
        if ((c = c * (n - i) / (i + 1)) > MAX_POINTS)
            return SIZE_MAX;
    return c;
}

/* The place of an ascending subset among all of its size, in lexicographic order. */
static size_t rank_of(const uint32_t *member, size_t n, size_t k)
{
    size_t rank = 0, from = 0;

    for (size_t i = 0; i < k; from = member[i] + 1, i++)
        for (size_t x = from; x < member[i]; x++)
            rank += choose(n - 1 - x, k - 1 - i);
    return rank;
}

static void sort_few(uint32_t *x, size_t k)
{
    for (size_t i = 1; i < k; i++)
        for (size_t j = i; j > 0 && x[j] < x[j - 1]; j--) {
            uint32_t t = x[j];
            x[j] = x[j - 1];
            x[j - 1] = t;
        }
}

static void next_subset(uint32_t *member, size_t n, size_t k)
{
    size_t i = k;

    while (i > 0 && member[i - 1] == n - k + i - 1)
        i--;
    if (i == 0)
        return;
    member[i - 1]++;
    for (; i < k; i++)
        member[i] = member[i - 1] + 1;
}

nset_status nset_action_subsets(nset_action **out, const nset_action *a, size_t k, nset_error *err)
{
    uint32_t member[MAX_SUBSET], moved[MAX_SUBSET];
    nset_status status;

    if (k > MAX_SUBSET || k > a->n)
        return nset_fail(err, NSET_ERR_ARG, "subsets of %zu of %zu points: at most %d, and no more than there are", k,
            a->n, MAX_SUBSET);
    if ((status = make(out, choose(a->n, k), a->n_generators, err)) != NSET_OK)
        return status;
    for (size_t i = 0; i < k; i++)
        member[i] = (uint32_t)i;
    for (size_t x = 0; x < (*out)->n; x++, next_subset(member, a->n, k))
        for (size_t g = 0; g < a->n_generators; g++) {
            for (size_t i = 0; i < k; i++)
                moved[i] = a->image[g * a->n + member[i]];
            sort_few(moved, k);
            (*out)->image[g * (*out)->n + x] = (uint32_t)rank_of(moved, a->n, k);
        }
    return NSET_OK;
}
