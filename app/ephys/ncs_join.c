#include "ephys/ncs_join.h"

#include <math.h>
#include <string.h>

#include <neuroset/memory.h>

/* The runs of one channel, one after the other through its files. */
typedef struct walk {
    const nset_ncs *files;
    size_t file, end, run;
} walk;

static walk walk_start(const nset_ncs *files, const size_t *first_file, size_t c)
{
    return (walk){ files, first_file[c], first_file[c + 1], 0 };
}

static const nset_ncs_run *walk_run(walk *w)
{
    while (w->file < w->end && w->run >= w->files[w->file].n_runs) {
        w->file++;
        w->run = 0;
    }
    return w->file < w->end ? &w->files[w->file].run[w->run] : NULL;
}

static const nset_ncs_run *walk_next(walk *w)
{
    w->run++;
    return walk_run(w);
}

void nset_ncs_join_fini(nset_ncs_join *j)
{
    nset_free(j->part);
    nset_free(j->place);
    *j = (nset_ncs_join){ 0 };
}

static bool same_runs(walk a, walk b, double rate_hz)
{
    const nset_ncs_run *p = walk_run(&a), *q = walk_run(&b);

    for (; p && q; p = walk_next(&a), q = walk_next(&b))
        if (p->n != q->n || fabs((double)(p->start_us - q->start_us)) * rate_hz > .5e6)
            return false;
    return !p && !q;
}

static bool is_ascending(walk w, double rate_hz)
{
    const nset_ncs_run *p = walk_run(&w), *last = NULL;

    for (; p; last = p, p = walk_next(&w))
        if (last && (double)(p->start_us - last->start_us) * rate_hz / 1e6 < (double)last->n - 1)
            return false;
    return true;
}

static nset_status add_part(
    nset_ncs_part **part, size_t *n, size_t *room, double start_us, int64_t length, nset_error *err)
{
    nset_status status = nset_grow(part, room, *n + 1, sizeof **part, err);

    if (status == NSET_OK)
        (*part)[(*n)++] = (nset_ncs_part){ .n = length, .start_us = start_us };
    return status;
}

static nset_status parts_of_channel(nset_ncs_join *j, walk w, nset_error *err)
{
    nset_status status = NSET_OK;
    size_t room = 0;

    for (const nset_ncs_run *p = walk_run(&w); p && status == NSET_OK; p = walk_next(&w))
        status = add_part(&j->part, &j->n_parts, &room, (double)p->start_us, p->n, err);
    return status;
}

/* Parts := what they share with the runs of another channel. Both ascend. */
static nset_status intersect(nset_ncs_join *j, walk w, double rate_hz, nset_error *err)
{
    nset_ncs_part *shared = NULL;
    size_t n = 0, room = 0, i = 0;
    const nset_ncs_run *q = walk_run(&w);
    nset_status status = NSET_OK;

    while (i < j->n_parts && q && status == NSET_OK) {
        const nset_ncs_part *p = &j->part[i];
        int64_t shift = (int64_t)llround(((double)q->start_us - p->start_us) * rate_hz / 1e6); /* of q in p */
        int64_t from = shift > 0 ? shift : 0, to = p->n < shift + q->n ? p->n : shift + q->n;
        bool p_ends_first = p->n <= shift + q->n;
        if (from < to)
            status = add_part(&shared, &n, &room, p->start_us + (double)from * 1e6 / rate_hz, to - from, err);
        if (p_ends_first)
            i++;
        else
            q = walk_next(&w);
    }
    nset_free(j->part);
    j->part = shared;
    j->n_parts = n;
    return status;
}

/* The places of channel c; a part that rounding made a sample too long is shortened. */
static void find_places(nset_ncs_join *j, walk w, size_t c, double rate_hz, bool same)
{
    const nset_ncs_run *q = walk_run(&w);
    size_t i = 0;

    for (; i < j->n_parts && q; i++) {
        nset_ncs_part *p = &j->part[i];
        int64_t skip = 0;
        while (!same && q && (double)q->start_us + (double)q->n * 1e6 / rate_hz <= p->start_us + .5e6 / rate_hz)
            q = walk_next(&w);
        if (!q)
            break;
        if (!same)
            skip = (int64_t)llround((p->start_us - (double)q->start_us) * rate_hz / 1e6);
        skip = skip < 0 ? 0 : skip;
        if (skip > q->n)
            skip = q->n;
        if (p->n > q->n - skip)
            p->n = q->n - skip;
        j->place[i * j->n_channels + c] = (nset_ncs_place){ w.file, q->record, skip };
        if (same)
            q = walk_next(&w);
    }
    for (; i < j->n_parts; i++)
        j->part[i].n = 0;
}

/* Counts samples, and what is left out of the channel that has most of them. */
static void count(nset_ncs_join *j, const nset_ncs *files, const size_t *first_file)
{
    for (size_t i = 0; i < j->n_parts; i++) {
        j->part[i].first = j->n_samples;
        j->n_samples += j->part[i].n;
    }
    for (size_t c = 0; c < j->n_channels; c++) {
        int64_t n = 0;
        for (size_t f = first_file[c]; f < first_file[c + 1]; f++)
            n += files[f].n_samples;
        if (n - j->n_samples > j->n_left_out)
            j->n_left_out = n - j->n_samples;
    }
}

nset_status nset_ncs_join_make(nset_ncs_join *j, const nset_ncs *files, const size_t *first_file, size_t n_channels,
    double rate_hz, nset_error *err)
{
    nset_status status;
    bool same = true;

    *j = (nset_ncs_join){ .n_channels = n_channels };
    for (size_t c = 1; c < n_channels && same; c++)
        same = same_runs(walk_start(files, first_file, 0), walk_start(files, first_file, c), rate_hz);
    for (size_t c = 0; c < n_channels && !same; c++)
        if (!is_ascending(walk_start(files, first_file, c), rate_hz))
            return nset_fail(err, NSET_ERR_FORMAT,
                "%s: its clock goes back, and other channels have other times: they cannot be lined up",
                files[first_file[c]].path);
    if ((status = parts_of_channel(j, walk_start(files, first_file, 0), err)) != NSET_OK)
        return status;
    for (size_t c = 1; c < n_channels && !same; c++)
        if ((status = intersect(j, walk_start(files, first_file, c), rate_hz, err)) != NSET_OK)
            return status;
    if (j->n_parts == 0)
        return nset_fail(
            err, NSET_ERR_FORMAT, "%s: the channels have no time in common; choose fewer files", files[0].path);
    if (!(j->place = nset_calloc(j->n_parts * n_channels, sizeof *j->place)))
        return nset_fail_oom(err, j->n_parts * n_channels, sizeof *j->place);
    for (size_t c = 0; c < n_channels; c++)
        find_places(j, walk_start(files, first_file, c), c, rate_hz, same);
    count(j, files, first_file);
    return NSET_OK;
}
