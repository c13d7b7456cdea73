#include "imaging/unmix.h"

#include <math.h>
#include <string.h>

#include <neuroset/memory.h>

#include "signal/robust.h"

enum { SWEEPS = 200 };

typedef struct job {
    float *x;
    size_t n_frames;
    const nset_overlaps *overlaps;
    size_t *group_offset, *member; /* groups of masks that overlap directly or by way of others; ragged, ascending */
    size_t n_groups;
    double *square;      /* (n) |w|^2 */
    double *bound;       /* (n) least amount */
    double *mix;         /* (n) of the frame at hand */
    double *amount;      /* (n) */
    nset_status *status; /* (n_groups) */
} job;

static size_t root_of(size_t *parent, size_t i)
{
    while (parent[i] != i)
        i = parent[i] = parent[parent[i]];
    return i;
}

static nset_status find_groups(job *j, size_t n, nset_error *err)
{
    const nset_overlaps *o = j->overlaps;
    size_t *parent = nset_calloc(n, sizeof *parent), k = 0;

    j->group_offset = nset_calloc(n + 1, sizeof *j->group_offset);
    j->member = nset_calloc(n, sizeof *j->member);
    if (!parent || !j->group_offset || !j->member) {
        nset_free(parent);
        return nset_fail_oom(err, n, sizeof *parent);
    }
    for (size_t i = 0; i < n; i++)
        parent[i] = i;
    for (size_t i = 0; i < n; i++)
        for (size_t e = o->offset[i]; e < o->offset[i + 1]; e++) {
            size_t a = root_of(parent, i), b = root_of(parent, o->other[e]);
            parent[a > b ? a : b] = a < b ? a : b; /* the root is the first member */
        }
    for (size_t i = 0; i < n; i++) {
        if (root_of(parent, i) != i)
            continue;
        for (size_t m = i; m < n; m++)
            if (root_of(parent, m) == i)
                j->member[k++] = m;
        if (k - j->group_offset[j->n_groups] > 1)
            j->group_offset[++j->n_groups] = k;
        else
            k = j->group_offset[j->n_groups];
    }
    nset_free(parent);
    return NSET_OK;
}

/* amount of the members, Gauss-Seidel from mix, each kept at or above its bound. */
static void solve_frame(const job *j, const size_t *member, size_t n)
{
    for (size_t m = 0; m < n; m++)
        j->amount[member[m]] = j->mix[member[m]];
    for (int sweep = 0; sweep < SWEEPS; sweep++) {
        double change = 0, size = 0;
        for (size_t m = 0; m < n; m++) {
            size_t k = member[m];
            double rest = j->mix[k], was = j->amount[k];
            for (size_t e = j->overlaps->offset[k]; e < j->overlaps->offset[k + 1]; e++) {
                size_t other = j->overlaps->other[e];
                if (other != k)
                    rest -= j->overlaps->product[e] / j->square[other] * j->amount[other];
            }
            j->amount[k] = fmax(rest, j->bound[k]);
            change = fmax(change, fabs(j->amount[k] - was));
            size = fmax(size, fabs(j->amount[k]));
        }
        if (change <= 1e-7 * size)
            break;
    }
}

/* mixed (n, n_frames): x of the members as it came. */
static void solve_frames(const job *j, const size_t *member, size_t n, const float *mixed)
{
    for (size_t t = 0; t < j->n_frames; t++) {
        for (size_t m = 0; m < n; m++)
            j->mix[member[m]] = (double)mixed[m * j->n_frames + t];
        solve_frame(j, member, n);
        for (size_t m = 0; m < n; m++)
            j->x[member[m] * j->n_frames + t] = (float)j->amount[member[m]];
    }
}

/* The 8th percentile of a trace that mostly rests, and 3 sd, of which there are 1.405 from there to the middle. */
static double least_of(const float *x, size_t n, float *room)
{
    double low, middle;

    memcpy(room, x, n * sizeof *x);
    low = (double)nset_select(room, n, n * 8 / 100);
    middle = (double)nset_median(room, n);
    return low - 3 * (middle - low) / 1.405;
}

static void solve_groups(void *ctx, size_t first, size_t last, size_t chunk)
{
    const job *j = ctx;

    (void)chunk;
    for (size_t g = first; g < last; g++) {
        const size_t *member = j->member + j->group_offset[g];
        size_t n = j->group_offset[g + 1] - j->group_offset[g];
        float *mixed = nset_calloc((n + 1) * j->n_frames, sizeof *mixed), *room;
        if (!mixed) {
            j->status[g] = NSET_ERR_NOMEM;
            continue;
        }
        room = mixed + n * j->n_frames;
        for (size_t m = 0; m < n; m++) {
            memcpy(mixed + m * j->n_frames, j->x + member[m] * j->n_frames, j->n_frames * sizeof *mixed);
            j->bound[member[m]] = -INFINITY;
        }
        solve_frames(j, member, n, mixed);
        for (size_t m = 0; m < n; m++)
            j->bound[member[m]] = least_of(j->x + member[m] * j->n_frames, j->n_frames, room);
        solve_frames(j, member, n, mixed);
        nset_free(mixed);
    }
}

nset_status nset_unmix(
    float *x, size_t n, size_t n_frames, const nset_overlaps *overlaps, nset_workers *workers, nset_error *err)
{
    job j = { .x = x, .n_frames = n_frames, .overlaps = overlaps };
    nset_status status = find_groups(&j, n, err);

    if (status != NSET_OK || j.n_groups == 0 || n_frames == 0)
        goto done;
    j.square = nset_calloc(n, sizeof *j.square);
    j.bound = nset_calloc(n, sizeof *j.bound);
    j.mix = nset_calloc(n, sizeof *j.mix);
    j.amount = nset_calloc(n, sizeof *j.amount);
    j.status = nset_calloc(j.n_groups, sizeof *j.status);
    if (!j.square || !j.bound || !j.mix || !j.amount || !j.status) {
        status = nset_fail_oom(err, n, sizeof *j.square);
        goto done;
    }
    for (size_t i = 0; i < n; i++)
        for (size_t e = overlaps->offset[i]; e < overlaps->offset[i + 1]; e++)
            if (overlaps->other[e] == i)
                j.square[i] = overlaps->product[e];
    nset_parallel_for(workers, j.n_groups, 1, solve_groups, &j);
    for (size_t g = 0; g < j.n_groups && status == NSET_OK; g++)
        if (j.status[g] != NSET_OK)
            status = nset_fail_oom(err, n_frames, sizeof *x);

done:
    nset_free(j.group_offset);
    nset_free(j.member);
    nset_free(j.square);
    nset_free(j.bound);
    nset_free(j.mix);
    nset_free(j.amount);
    nset_free(j.status);
    return status;
}
