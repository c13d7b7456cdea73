/* Files that are one recording: the same channels, frame after frame, with the time that is missing between them. */
#include <stdio.h>
#include <string.h>

#include <neuroset/memory.h>

#include "ephys/layout.h"

/* What keeps two files from being one recording, or NULL. */
static const char *difference(const nset_layout *a, const nset_layout *b)
{
    if (a->n_columns != b->n_columns || a->n != b->n)
        return "number of channels";
    if (strcmp(a->dtype, b->dtype) || a->big_endian != b->big_endian)
        return "type of the samples";
    if (a->rate_hz != b->rate_hz)
        return "sampling rate";
    for (size_t i = 0; i < a->n; i++) {
        if (a->column[i] != b->column[i])
            return "electrode columns";
        if (a->gain_uv[i] != b->gain_uv[i] || a->offset_uv[i] != b->offset_uv[i])
            return "gain";
        if (a->has_places != b->has_places ||
            (a->has_places && (a->probe.x_um[i] != b->probe.x_um[i] || a->probe.y_um[i] != b->probe.y_um[i] ||
                                  a->probe.shank[i] != b->probe.shank[i])))
            return "place of the contacts";
    }
    if (a->has_clock != b->has_clock)
        return "kind of clock";
    return NULL;
}

/* Frames of l, its file made a piece where it has none. */
static nset_status count_frames(nset_layout *l, int64_t *n, nset_error *err)
{
    size_t frame = l->n_columns * nset_dtype_size(l->dtype);
    nset_status status = NSET_OK;

    *n = 0;
    if (frame == 0)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: samples of type '%s' are not read here", l->data_path, l->dtype);
    if (l->frames)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: such files are not joined", l->data_path);
    if (l->n_pieces == 0)
        status = nset_layout_add_piece(l, l->data_path, l->header_bytes, -1, err);
    for (size_t i = 0; i < l->n_pieces && status == NSET_OK; i++) {
        int64_t there = 0;
        status = nset_file_frames(&there, l->piece[i].path, l->piece[i].offset, frame, err);
        if (l->piece[i].n_frames >= 0 && l->piece[i].n_frames < there)
            there = l->piece[i].n_frames;
        *n += there;
    }
    return status;
}

/* The number that follows the last frame of l on the recorder's clock. */
static int64_t clock_end(const nset_layout *l, int64_t n_frames)
{
    double missing = 0;

    for (size_t i = 0; i < l->n_gaps; i++)
        missing += l->gap[i].seconds;
    missing *= l->rate_hz;
    missing = missing < -1e15 ? -1e15 : missing > 1e15 ? 1e15 : missing; /* no clock, but nothing overflows */
    return l->first_sample + n_frames + (int64_t)(missing + (missing < 0 ? -.5 : .5));
}

static nset_status place(nset_layout *l, nset_layout *next, int64_t n_frames, bool cut, int64_t *skip, nset_error *err)
{
    int64_t step = next->first_sample - clock_end(l, n_frames);

    *skip = 0;
    if (step > 0)
        return nset_layout_add_gap(l, n_frames, (double)step / l->rate_hz, err);
    if (step < 0 && !cut)
        return nset_fail(err, NSET_ERR_FORMAT,
            "%s begins at sample %lld, %lld before the end of %s: the files overlap; with --overlap cut the frames "
            "that are there twice are taken from the first",
            next->data_path, (long long)next->first_sample, (long long)-step,
            l->n_pieces ? l->piece[l->n_pieces - 1].path : l->data_path);
    if (step < 0)
        nset_layout_warn(
            l, "%s overlaps the file before it by %lld samples, which are left out", next->data_path, (long long)-step);
    *skip = -step;
    return NSET_OK;
}

/* Pieces and gaps of next but its first skip frames, after the n of l. */
static nset_status append(nset_layout *l, const nset_layout *next, int64_t n, int64_t skip, nset_error *err)
{
    size_t frame = l->n_columns * nset_dtype_size(l->dtype);
    nset_status status = NSET_OK;

    l->stated_samples =
        l->stated_samples > 0 && next->stated_samples > 0 ? l->stated_samples + next->stated_samples - (double)skip : 0;
    for (size_t i = 0; i < next->n_gaps && status == NSET_OK; i++)
        if (next->gap[i].sample > skip)
            status = nset_layout_add_gap(l, n + next->gap[i].sample - skip, next->gap[i].seconds, err);
    for (size_t i = 0; i < next->n_pieces && status == NSET_OK; i++) {
        const nset_piece *p = &next->piece[i];
        int64_t there = 0, drop;
        if ((status = nset_file_frames(&there, p->path, p->offset, frame, err)) != NSET_OK)
            break;
        there = p->n_frames >= 0 && p->n_frames < there ? p->n_frames : there;
        drop = skip < there ? skip : there;
        skip -= drop;
        status = nset_layout_add_piece(
            l, p->path, p->offset + drop * (int64_t)frame, p->n_frames < 0 ? -1 : p->n_frames - drop, err);
    }
    return status;
}

static nset_status compare(nset_layout *l, nset_layout *next, int64_t *n, int64_t *n_next, nset_error *err)
{
    const char *what = difference(l, next);
    nset_status status;

    if (what)
        return nset_fail(err, NSET_ERR_FORMAT, "%s differs from %s in the %s: they are not one recording",
            next->data_path, l->data_path, what);
    status = count_frames(l, n, err);
    return status == NSET_OK ? count_frames(next, n_next, err) : status;
}

nset_status nset_layout_join(nset_layout *l, nset_layout *next, bool cut, nset_error *err)
{
    int64_t n = 0, n_next = 0, skip = 0;
    nset_status status;

    if ((status = compare(l, next, &n, &n_next, err)) != NSET_OK ||
        (l->has_clock && (status = place(l, next, n, cut, &skip, err)) != NSET_OK))
        return status;
    return append(l, next, n, skip, err);
}

nset_status nset_layout_join_after(nset_layout *l, nset_layout *next, double seconds, nset_error *err)
{
    int64_t n = 0, n_next = 0;
    nset_status status;

    if ((status = compare(l, next, &n, &n_next, err)) != NSET_OK ||
        (status = nset_layout_add_gap(l, n, seconds, err)) != NSET_OK ||
        (status = append(l, next, n, 0, err)) != NSET_OK)
        return status;
    l->first_sample += clock_end(next, n_next) - clock_end(l, n + n_next); /* the clock is that of next from here on */
    return NSET_OK;
}

double nset_layout_end_s(nset_layout *l)
{
    nset_error err = { 0 };
    double end = l->start_s;
    int64_t n = 0;

    if (count_frames(l, &n, &err) == NSET_OK)
        end += (double)n / l->rate_hz;
    for (size_t i = 0; i < l->n_gaps; i++)
        end += l->gap[i].seconds;
    return end;
}

nset_status nset_layout_open_each(nset_layout *out, nset_open_file open, const char *const *paths, size_t n,
    const nset_recording_options *o, nset_error *err)
{
    nset_status status = open(out, paths[0], o, err);

    for (size_t i = 1; i < n && status == NSET_OK; i++) {
        nset_layout next = { 0 };
        if ((status = open(&next, paths[i], o, err)) == NSET_OK)
            status = nset_layout_join(out, &next, o->cut_overlap, err);
        nset_layout_fini(&next);
    }
    if (status == NSET_OK)
        nset_layout_fact(out, "files", out->has_clock ? "the order of their first samples" : "the order given",
            "%zu, joined with %zu gap%s", n, out->n_gaps, out->n_gaps == 1 ? "" : "s");
    return status;
}
