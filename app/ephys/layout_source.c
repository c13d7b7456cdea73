/* The samples of a layout as a source of microvolts. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <neuroset/memory.h>

#include "ephys/layout.h"
#include "signal/wide.h"

enum { READ_BYTES = 1 << 20 }; /* at a time; less where the recording has less */

typedef struct file_source {
    nset_source base;
    nset_piece *pieces; /* owned */
    int64_t *first;     /* (n_pieces) frame of the recording with which a piece begins; owned */
    size_t n_pieces;
    int fd; /* of piece open_piece */
    size_t open_piece;
    nset_frames *frames; /* owned; instead of pieces */
    double *raw;         /* of room bytes: frames as they come */
    char kind;           /* i, u, f */
    bool swap, zero_not_finite;
    size_t item, n_columns;
    size_t *column;
    double *gain, *offset;
    int16_t *row; /* (n_channels), of the common case: whole numbers of 16 bits, columns in their order; else NULL */
    char *bytes;  /* of room bytes: as they stand in the file */
    size_t room;
} file_source;

static double sample(const file_source *s, const char *p)
{
    unsigned char b[8] = { 0 };

    for (size_t i = 0; i < s->item; i++)
        b[i] = (unsigned char)p[s->swap ? s->item - 1 - i : i];
    if (s->kind == 'f') {
        float f;
        double d;
        memcpy(&f, b, sizeof f);
        memcpy(&d, b, sizeof d);
        return s->item == 4 ? f : d;
    }
    if (s->item == 1)
        return s->kind == 'i' ? (double)(int8_t)b[0] : (double)b[0];
    if (s->item == 2) {
        uint16_t v = (uint16_t)(b[0] | b[1] << 8);
        return s->kind == 'i' ? (double)(int16_t)v : (double)v;
    } else {
        uint32_t v = (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
        return s->kind == 'i' ? (double)(int32_t)v : (double)v;
    }
}

/* A sample that is no number: 0 when the user said so, else an error that says where. */
static nset_status not_finite(
    const file_source *s, float *out, const char *path, int64_t sample, size_t column, nset_error *err)
{
    *out = 0;
    return s->zero_not_finite ? NSET_OK
                              : nset_fail(err, NSET_ERR_FORMAT,
                                    "%s: sample %lld of column %zu is not a finite number; with --not-finite zero such "
                                    "samples are read as 0",
                                    path, (long long)sample, column);
}

/* out (n) := whole numbers that lie together, times gain, plus offset. */
NSET_WIDE static void scale_row(float *out, const int16_t *v, const double *gain, const double *offset, size_t n)
{
    for (size_t c = 0; c < n; c++)
        out[c] = (float)(v[c] * gain[c] + offset[c]);
}

static nset_status convert(
    const file_source *s, float *out, const char *bytes, int64_t start, size_t n, nset_error *err)
{
    size_t n_channels = s->base.n_channels, frame = s->n_columns * s->item;
    nset_status status;

    for (size_t t = 0; t < n; t++, out += n_channels, bytes += frame) {
        if (s->row) {
            memcpy(s->row, bytes + 2 * s->column[0], n_channels * sizeof *s->row);
            scale_row(out, s->row, s->gain, s->offset, n_channels);
        } else if (s->item == 2 && s->kind == 'i' && !s->swap) { /* without the calls */
            for (size_t c = 0; c < n_channels; c++) {
                int16_t v;
                memcpy(&v, bytes + 2 * s->column[c], sizeof v);
                out[c] = (float)(v * s->gain[c] + s->offset[c]);
            }
        } else {
            for (size_t c = 0; c < n_channels; c++)
                out[c] = (float)(sample(s, bytes + s->item * s->column[c]) * s->gain[c] + s->offset[c]);
        }
        for (size_t c = 0; c < n_channels && s->kind == 'f'; c++)
            if (!isfinite(out[c]) && (status = not_finite(s, &out[c], s->pieces[s->open_piece].path, start + (int64_t)t,
                                          s->column[c], err)) != NSET_OK)
                return status;
    }
    return NSET_OK;
}

/* ---- pieces ---- */

static size_t find_piece(const file_source *s, int64_t frame)
{
    size_t low = 0, high = s->n_pieces;

    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (s->first[middle] <= frame)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* Makes fd the file of piece i. */
static nset_status open_piece(file_source *s, size_t i, nset_error *err)
{
    if (s->fd >= 0 && (i == s->open_piece || !strcmp(s->pieces[i].path, s->pieces[s->open_piece].path))) {
        s->open_piece = i;
        return NSET_OK;
    }
    if (s->fd >= 0)
        close(s->fd);
    s->fd = open(s->pieces[i].path, O_RDONLY | O_CLOEXEC);
    s->open_piece = i;
    if (s->fd < 0)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: %s", s->pieces[i].path, strerror(errno));
    return NSET_OK;
}

static nset_status read_bytes(file_source *s, int64_t start, size_t n, nset_error *err)
{
    const nset_piece *p = &s->pieces[s->open_piece];
    size_t frame = s->n_columns * s->item, got = 0;

    while (got < n * frame) {
        off_t at = (off_t)(p->offset + (start - s->first[s->open_piece]) * (int64_t)frame) + (off_t)got;
        ssize_t k = pread(s->fd, s->bytes + got, n * frame - got, at);
        if (k <= 0)
            return nset_fail(err, NSET_ERR_FORMAT, "%s: sample %lld: %s", p->path, (long long)start,
                k < 0 ? strerror(errno) : "the file ended; was it changed while it was read?");
        got += (size_t)k;
    }
    return NSET_OK;
}

static nset_status read_pieces(nset_source *self, float *out, int64_t start, size_t n, nset_error *err)
{
    file_source *s = (file_source *)self;
    size_t most = s->room / (s->n_columns * s->item);
    nset_status status;

    while (n > 0) {
        size_t i = find_piece(s, start), now = n < most ? n : most;
        int64_t left = s->first[i] + s->pieces[i].n_frames - start;
        if ((int64_t)now > left)
            now = (size_t)left;
        if (now == 0)
            return nset_fail(err, NSET_ERR_FORMAT, "sample %lld: the recording has %lld", (long long)start,
                (long long)self->n_samples);
        if ((status = open_piece(s, i, err)) != NSET_OK || (status = read_bytes(s, start, now, err)) != NSET_OK)
            return status;
        if ((status = convert(s, out, s->bytes, start, now, err)) != NSET_OK)
            return status;
        out += now * self->n_channels;
        start += (int64_t)now;
        n -= now;
    }
    return NSET_OK;
}

/* ---- frames ---- */

static nset_status read_frames(nset_source *self, float *out, int64_t start, size_t n, nset_error *err)
{
    file_source *s = (file_source *)self;
    size_t most = s->room / (s->n_columns * sizeof *s->raw);
    nset_status status;

    while (n > 0) {
        size_t now = n < most ? n : most;
        if ((status = s->frames->read(s->frames, s->raw, start, now, err)) != NSET_OK)
            return status;
        for (size_t t = 0; t < now; t++, out += self->n_channels)
            for (size_t c = 0; c < self->n_channels; c++) {
                double v = s->raw[t * s->n_columns + s->column[c]] * s->gain[c] + s->offset[c];
                out[c] = (float)v;
                if (!isfinite(out[c]) && (status = not_finite(s, &out[c], "the recording", start + (int64_t)t,
                                              s->column[c], err)) != NSET_OK)
                    return status;
            }
        start += (int64_t)now;
        n -= now;
    }
    return NSET_OK;
}

static void close_file(nset_source *self)
{
    file_source *s = (file_source *)self;

    if (s->fd >= 0)
        close(s->fd);
    if (s->frames)
        s->frames->close(s->frames);
    for (size_t i = 0; i < s->n_pieces; i++)
        nset_free(s->pieces[i].path);
    nset_free(s->pieces);
    nset_free(s->first);
    nset_free(s->raw);
    nset_free(s->column);
    nset_free(s->gain);
    nset_free(s->offset);
    nset_free(s->row);
    nset_free(s->bytes);
    nset_free(s);
}

/* ---- lengths ---- */

nset_status nset_file_frames(int64_t *out, const char *path, int64_t offset, size_t frame_bytes, nset_error *err)
{
    struct stat info;

    if (stat(path, &info))
        return nset_fail(err, NSET_ERR_FORMAT, "%s: %s", path, strerror(errno));
    if (!S_ISREG(info.st_mode))
        return nset_fail(err, NSET_ERR_FORMAT, "%s: not a regular file", path);
    if (offset < 0 || info.st_size < offset)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: the file has %lld bytes, the header alone needs %lld", path,
            (long long)info.st_size, (long long)offset);
    *out = (info.st_size - offset) / (int64_t)frame_bytes;
    return NSET_OK;
}

/* The length of a piece that goes to the end of its file, or that a header states: the file is believed. */
static nset_status find_piece_length(nset_layout *l, nset_piece *p, size_t frame, nset_error *err)
{
    int64_t n = 0, rest;
    struct stat info;
    nset_status status = nset_file_frames(&n, p->path, p->offset, frame, err);

    if (status != NSET_OK)
        return status;
    p->to_end = p->n_frames < 0 || p->n_frames == n;
    if (p->n_frames >= 0 && p->n_frames <= n)
        return NSET_OK;
    if (p->n_frames > n)
        nset_layout_warn(l,
            "%s: %lld frames are announced from byte %lld on, the file holds %lld: the file is believed", p->path,
            (long long)p->n_frames, (long long)p->offset, (long long)n);
    p->n_frames = n;
    rest = stat(p->path, &info) ? 0 : (info.st_size - p->offset) % (int64_t)frame;
    if (rest)
        nset_layout_warn(l,
            "%s ends with a torn frame of %lld of %zu bytes, which is left out; are there really %zu channels of %s?",
            p->path, (long long)rest, frame, l->n_columns, l->dtype);
    return NSET_OK;
}

static nset_status find_lengths(file_source *s, nset_layout *l, nset_error *err)
{
    nset_status status;

    if (l->n_pieces == 0 && !l->frames &&
        (status = nset_layout_add_piece(l, l->data_path, l->header_bytes, -1, err)) != NSET_OK)
        return status;
    s->base.n_samples = l->frames ? l->frames->n_frames : 0;
    for (size_t i = 0; i < l->n_pieces && !l->frames; i++) {
        if ((status = find_piece_length(l, &l->piece[i], s->n_columns * s->item, err)) != NSET_OK)
            return status;
        if (l->piece[i].n_frames > INT64_MAX / 4 - s->base.n_samples)
            return nset_fail(err, NSET_ERR_FORMAT, "%s: more samples than can be counted", l->piece[i].path);
        s->base.n_samples += l->piece[i].n_frames;
    }
    if (l->frames)
        nset_layout_fact(l, "samples", "what the files hold", "%lld", (long long)s->base.n_samples);
    else if (l->n_pieces == 1)
        nset_layout_fact(l, "samples", "length of the file", "%lld", (long long)s->base.n_samples);
    else
        nset_layout_fact(
            l, "samples", "lengths of the files", "%lld in %zu pieces", (long long)s->base.n_samples, l->n_pieces);
    if (l->stated_samples > 0 && fabs(l->stated_samples - (double)s->base.n_samples) > .5)
        nset_layout_warn(l, "the header says %.0f samples (%.6g s), the file holds %lld (%.6g s): the file is believed",
            l->stated_samples, l->stated_samples / l->rate_hz, (long long)s->base.n_samples,
            (double)s->base.n_samples / l->rate_hz);
    return NSET_OK;
}

/* Gaps lie inside the recording, one after the other. */
static nset_status check_gaps(nset_layout *l, int64_t n_samples, nset_error *err)
{
    size_t n = 0;

    for (size_t i = 0; i < l->n_gaps; i++) {
        if (!isfinite(l->gap[i].seconds) || (i && l->gap[i].sample < l->gap[i - 1].sample))
            return nset_fail(err, NSET_ERR_FORMAT, "%s: the gap at sample %lld is out of order", l->data_path,
                (long long)l->gap[i].sample);
        if (l->gap[i].sample > 0 && l->gap[i].sample < n_samples)
            l->gap[n++] = l->gap[i];
    }
    l->n_gaps = n;
    return NSET_OK;
}

/* ---- making it ---- */

static nset_status make_pieces(file_source *s, const nset_layout *l, nset_error *err)
{
    int64_t at = 0;

    s->pieces = nset_calloc(l->n_pieces + 1, sizeof *s->pieces);
    s->first = nset_calloc(l->n_pieces + 1, sizeof *s->first);
    if (!s->pieces || !s->first)
        return nset_fail_oom(err, l->n_pieces, sizeof *s->pieces);
    for (size_t i = 0; i < l->n_pieces; i++) {
        if (l->piece[i].n_frames == 0)
            continue;
        if (!(s->pieces[s->n_pieces].path = nset_strdup(l->piece[i].path)))
            return nset_fail_oom(err, strlen(l->piece[i].path), 1);
        s->pieces[s->n_pieces].offset = l->piece[i].offset;
        s->pieces[s->n_pieces].n_frames = l->piece[i].n_frames;
        s->first[s->n_pieces++] = at;
        at += l->piece[i].n_frames;
    }
    return s->n_pieces ? open_piece(s, 0, err) : NSET_OK;
}

/* Room for what is read at a time, once the length of the recording is known: a short one needs little. */
static nset_status make_room(file_source *s, bool has_frames, nset_error *err)
{
    size_t frame = (has_frames ? sizeof *s->raw : s->item) * s->n_columns, most = READ_BYTES / frame;

    most = (int64_t)most > s->base.n_samples ? (size_t)s->base.n_samples : most;
    s->room = frame * (most ? most : 1);
    if (has_frames)
        s->raw = nset_calloc(s->room / sizeof *s->raw, sizeof *s->raw);
    else
        s->bytes = nset_calloc(s->room, 1);
    return s->raw || s->bytes ? NSET_OK : nset_fail_oom(err, s->room, 1);
}

static nset_status make_source(file_source *s, nset_layout *l, const size_t *canonical, nset_error *err)
{
    bool in_order = true;
    nset_status status;

    if (l->frames && l->frames->n_columns != l->n_columns)
        return nset_fail(
            err, NSET_ERR_FORMAT, "%s: %zu columns are read of %zu", l->data_path, l->frames->n_columns, l->n_columns);
    s->column = nset_calloc(l->n, sizeof *s->column);
    s->gain = nset_calloc(l->n, sizeof *s->gain);
    s->offset = nset_calloc(l->n, sizeof *s->offset);
    if (!s->column || !s->gain || !s->offset)
        return nset_fail_oom(err, l->n, sizeof *s->gain);
    for (size_t i = 0; i < l->n; i++) {
        s->column[i] = l->column[canonical[i]];
        s->gain[i] = l->gain_uv[canonical[i]];
        s->offset[i] = l->offset_uv[canonical[i]];
        in_order = in_order && s->column[i] == s->column[0] + i;
    }
    if (in_order && l->n > 0 && s->item == 2 && s->kind == 'i' && !s->swap &&
        !(s->row = nset_calloc(l->n, sizeof *s->row)))
        return nset_fail_oom(err, l->n, sizeof *s->row);
    if ((status = find_lengths(s, l, err)) != NSET_OK || (status = check_gaps(l, s->base.n_samples, err)) != NSET_OK ||
        (!l->frames && (status = make_pieces(s, l, err)) != NSET_OK) ||
        (status = make_room(s, l->frames != NULL, err)) != NSET_OK)
        return status;
    s->frames = l->frames;
    l->frames = NULL;
    return NSET_OK;
}

nset_status nset_layout_source(nset_source **out, nset_layout *l, const size_t *canonical, nset_error *err)
{
    file_source *s = nset_calloc(1, sizeof *s);
    nset_status status;

    if (!s)
        return nset_fail_oom(err, 1, sizeof *s);
    s->base = (nset_source){ .name = "file",
        .n_channels = l->n,
        .rate_hz = l->rate_hz,
        .read = l->frames ? read_frames : read_pieces,
        .close = close_file };
    s->fd = -1;
    s->item = nset_dtype_size(l->dtype);
    s->kind = l->dtype[0];
    s->swap = l->big_endian;
    s->zero_not_finite = l->zero_not_finite;
    s->n_columns = l->n_columns;
    if ((status = make_source(s, l, canonical, err)) != NSET_OK) {
        close_file(&s->base);
        return status;
    }
    *out = &s->base;
    return NSET_OK;
}
