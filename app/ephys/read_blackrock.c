/* Blackrock .ns1 to .ns6. Frames lie interleaved: one after the other (2.1), in packets with the time of their first
 * frame (2.2 to 3.0), or each in a packet of its own (3.0 with PTP clocks).
 */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <neuroset/memory.h>

#include "ephys/bytes.h"
#include "ephys/layout.h"
#include "ephys/nsx_header.h"

enum {
    STRIDE = 4096, /* times of which only the ends are looked at when they fit together */
    MAX_GAPS = 10000,
    MAX_PACKETS = 1000000,
    READ_BYTES = 1 << 18,
};

/* A file whose every frame is a packet. */
typedef struct part {
    char *path;
    int64_t first, n, offset;
} part;

typedef struct nsx_frames {
    nset_frames base;
    size_t head; /* bytes before the samples of a frame */
    part *part;
    size_t n_parts;
} nsx_frames;

/* What is open, and what the files before it ended with. */
typedef struct opening {
    nset_layout *l;
    nsx_frames *frames; /* NULL: packets are pieces */
    nset_nsx_header h;  /* of the present file */
    const char *path;
    int fd;
    int64_t size, frame_bytes, head;
    int64_t n_samples;
    bool runs;
    double end_s; /* when the next sample is due, from start_ticks on */
    uint64_t start_ticks;
} opening;

/* ---- samples ---- */

static nset_status read_part(const nsx_frames *f, const part *p, double *raw, int64_t start, size_t n, nset_error *err)
{
    size_t n_columns = f->base.n_columns, frame = f->head + 2 * n_columns;
    size_t most = READ_BYTES / frame ? READ_BYTES / frame : 1;
    unsigned char *bytes = nset_calloc(most, frame);
    int fd = open(p->path, O_RDONLY | O_CLOEXEC);
    nset_status status = NSET_OK;

    if (!bytes)
        status = nset_fail_oom(err, most, frame);
    else if (fd < 0)
        status = nset_fail(err, NSET_ERR_FORMAT, "%s: %s", p->path, strerror(errno));
    while (n > 0 && status == NSET_OK) {
        size_t now = n < most ? n : most;
        ssize_t got = pread(fd, bytes, now * frame, (off_t)(p->offset + start * (int64_t)frame));
        if (got != (ssize_t)(now * frame))
            status = nset_fail(err, NSET_ERR_FORMAT,
                "%s: sample %lld: the file ended; was it changed while it was read?", p->path, (long long)start);
        for (size_t t = 0; t < now && status == NSET_OK; t++)
            for (size_t c = 0; c < n_columns; c++)
                *raw++ = (int16_t)nset_le16(bytes + t * frame + f->head + 2 * c);
        start += (int64_t)now;
        n -= now;
    }
    if (fd >= 0)
        close(fd);
    nset_free(bytes);
    return status;
}

static nset_status read_frames(nset_frames *self, double *raw, int64_t start, size_t n, nset_error *err)
{
    const nsx_frames *f = (nsx_frames *)self;
    nset_status status = NSET_OK;

    for (size_t i = 0; i < f->n_parts && n > 0 && status == NSET_OK; i++) {
        const part *p = &f->part[i];
        int64_t left = p->first + p->n - start;
        size_t now = left <= 0 ? 0 : left < (int64_t)n ? (size_t)left : n;
        if (now == 0)
            continue;
        status = read_part(f, p, raw, start - p->first, now, err);
        raw += now * self->n_columns;
        start += (int64_t)now;
        n -= now;
    }
    return status;
}

static void close_frames(nset_frames *self)
{
    nsx_frames *f = (nsx_frames *)self;

    for (size_t i = 0; i < f->n_parts; i++)
        nset_free(f->part[i].path);
    nset_free(f->part);
    nset_free(f);
}

/* ---- times ---- */

static double period_ticks(const opening *o)
{
    return o->h.ticks_hz / o->h.rate_hz;
}

/* A stretch begins with sample n_samples at the time `ticks`: a gap, unless it follows the one before to the sample. */
static nset_status meet(opening *o, int64_t sample, uint64_t ticks, nset_error *err)
{
    double at_s, jump;

    if (!o->runs) {
        o->runs = true;
        o->start_ticks = ticks;
        o->end_s = 0;
        o->l->start_s = (double)ticks / o->h.ticks_hz;
        return NSET_OK;
    }
    at_s = (double)(int64_t)(ticks - o->start_ticks) / o->h.ticks_hz;
    jump = at_s - o->end_s;
    o->end_s = at_s;
    if (fabs(jump) * o->h.rate_hz <= 1 || o->l->n_gaps >= MAX_GAPS)
        return NSET_OK;
    return nset_layout_add_gap(o->l, sample, jump, err);
}

static nset_status time_at(uint64_t *ticks, const opening *o, int64_t offset, nset_error *err)
{
    unsigned char b[13];

    if (pread(o->fd, b, (size_t)o->head, (off_t)offset) != (ssize_t)o->head)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: byte %lld cannot be read", o->path, (long long)offset);
    if (b[0] != 1 || nset_le32(b + o->head - 4) != 1)
        return nset_fail(err, NSET_ERR_FORMAT,
            "%s: byte %lld: a packet of one sample is expected, as all before it are", o->path, (long long)offset);
    *ticks = o->h.long_times ? nset_le64(b + 1) : nset_le32(b + 1);
    return NSET_OK;
}

/* The times of n frames that are packets. */
static nset_status follow(opening *o, int64_t first, int64_t n, nset_error *err)
{
    int64_t frame = o->head + o->frame_bytes;
    double period_s = 1 / o->h.rate_hz;
    nset_status status;
    uint64_t a, b;

    for (int64_t i = 0; i < n; i += STRIDE) {
        int64_t k = n - i < STRIDE ? n - i : STRIDE, at = o->h.bytes + i * frame;
        double off;
        if ((status = time_at(&a, o, at, err)) != NSET_OK ||
            (status = time_at(&b, o, at + (k - 1) * frame, err)) != NSET_OK ||
            (status = meet(o, first + i, a, err)) != NSET_OK)
            return status;
        off = (double)(int64_t)(b - a) / period_ticks(o) - (double)(k - 1);
        for (int64_t t = 1; t < k && fabs(off) > 1; t++) {
            o->end_s += period_s;
            if ((status = time_at(&b, o, at + t * frame, err)) != NSET_OK ||
                (status = meet(o, first + i + t, b, err)) != NSET_OK)
                return status;
        }
        o->end_s = (double)(int64_t)(b - o->start_ticks) / o->h.ticks_hz + period_s;
    }
    return NSET_OK;
}

/* ---- packets ---- */

typedef struct packet {
    uint64_t ticks;
    uint32_t n;
    bool valid;
} packet;

static packet packet_at(const opening *o, int64_t at)
{
    unsigned char b[13] = { 0 };
    packet p = { 0 };

    if (at + o->head > o->size || pread(o->fd, b, (size_t)o->head, (off_t)at) != (ssize_t)o->head || b[0] != 1)
        return p;
    p.ticks = o->h.long_times ? nset_le64(b + 1) : nset_le32(b + 1);
    p.n = nset_le32(b + o->head - 4);
    p.valid = true;
    return p;
}

/* A packet of 0 samples is one that the recorder did not live to close, or an empty one before others. */
static int64_t packet_length(opening *o, const packet *p, int64_t data)
{
    int64_t there = (o->size - data) / o->frame_bytes;
    packet next;

    if (p->n > 0 && (int64_t)p->n <= there)
        return p->n;
    if (p->n == 0) {
        next = packet_at(o, data);
        if (next.valid && next.n > 0 && data + o->head + next.n * o->frame_bytes <= o->size)
            return 0;
    }
    if (there > 0 || p->n > 0)
        nset_layout_warn(o->l, "%s: the packet at byte %lld says %u samples, the file holds %lld: the file is believed",
            o->path, (long long)(data - o->head), p->n, (long long)there);
    return there;
}

static nset_status add_packets(opening *o, nset_error *err)
{
    int64_t at = o->h.bytes;
    nset_status status;

    for (int n_packets = 0; at < o->size; n_packets++) {
        packet p = packet_at(o, at);
        int64_t n;
        if (!p.valid) {
            nset_layout_warn(o->l, "%s: from byte %lld on there are no packets of samples: %lld bytes are left out",
                o->path, (long long)at, (long long)(o->size - at));
            return NSET_OK;
        }
        if (n_packets == MAX_PACKETS)
            return nset_fail(err, NSET_ERR_FORMAT, "%s: more than %d packets", o->path, MAX_PACKETS);
        n = packet_length(o, &p, at + o->head);
        if (n > 0 && ((status = meet(o, o->n_samples, p.ticks, err)) != NSET_OK ||
                         (status = nset_layout_add_piece(o->l, o->path, at + o->head, n, err)) != NSET_OK))
            return status;
        o->end_s += (double)n / o->h.rate_hz;
        o->n_samples += n;
        if ((int64_t)p.n > n || (p.n == 0 && n > 0)) /* the last one: what follows is torn */
            return NSET_OK;
        at += o->head + n * o->frame_bytes;
    }
    return NSET_OK;
}

static bool is_packet_a_frame(const opening *o)
{
    packet a = packet_at(o, o->h.bytes), b = packet_at(o, o->h.bytes + o->head + o->frame_bytes);

    return a.valid && b.valid && a.n == 1 && b.n == 1;
}

/* Every frame is a packet: these are read through frames. */
static nset_status add_part(opening *o, nset_error *err)
{
    int64_t frame = o->head + o->frame_bytes, n = (o->size - o->h.bytes) / frame;
    part *p = &o->frames->part[o->frames->n_parts];

    if ((o->size - o->h.bytes) % frame)
        nset_layout_warn(o->l, "%s ends with a torn packet of %lld of %lld bytes, which is left out", o->path,
            (long long)((o->size - o->h.bytes) % frame), (long long)frame);
    *p = (part){ .path = nset_strdup(o->path), .first = o->n_samples, .n = n, .offset = o->h.bytes };
    if (!p->path)
        return nset_fail_oom(err, strlen(o->path), 1);
    o->frames->n_parts++;
    o->n_samples += n;
    o->frames->base.n_frames = o->n_samples;
    return follow(o, p->first, n, err);
}

/* ---- files ---- */

static size_t count_electrodes(const nset_nsx_header *h)
{
    size_t n = 0;

    for (size_t i = 0; i < h->n; i++)
        n += !h->channel[i].is_input;
    return n;
}

static void tell(nset_layout *l, const nset_nsx_header *h, const char *path, size_t n)
{
    size_t unknown = 0;

    for (size_t i = 0; i < l->n; i++)
        unknown += h->channel[l->column[i]].gain_uv == 0;
    nset_layout_fact(l, "version", path, "%s", h->version);
    nset_layout_fact(l, "rate", path, "%.12g Hz", h->rate_hz);
    nset_layout_fact(l, "dtype", "the format", "int16");
    nset_layout_fact(l, "gain", unknown ? "guessed" : h->scale_from, "%.12g uV a count", l->gain_uv[0]);
    nset_layout_fact(
        l, "names", path, "%s .. %s", h->channel[l->column[0]].label, h->channel[l->column[l->n - 1]].label);
    if (unknown)
        nset_layout_warn(l, "%s: the unit of %zu channels is not known%s: counts are taken as microvolts; give --gain",
            path, unknown, h->has_packets ? "" : ", as files of version 2.1 need the .nev of the same name");
    if (n == 0)
        nset_layout_warn(l, "%s: all channels are analogue inputs of the recorder, none is an electrode", path);
    else if (n < h->n)
        nset_layout_fact(l, "left out", path, "%zu analogue inputs, which are no electrodes", h->n - n);
}

/* Electrodes, or, where there is none, all channels. */
static nset_status use_header(nset_layout *l, const nset_nsx_header *h, const char *path, nset_error *err)
{
    size_t n = count_electrodes(h), k = 0;
    nset_status status = nset_layout_channels(l, n ? n : h->n, err);

    if (status != NSET_OK)
        return status;
    l->rate_hz = h->rate_hz;
    l->n_columns = h->n;
    l->header_bytes = h->bytes;
    snprintf(l->dtype, sizeof l->dtype, "int16");
    for (size_t i = 0; i < h->n; i++)
        if (n == 0 || !h->channel[i].is_input) {
            l->column[k] = i;
            l->gain_uv[k] = h->channel[i].gain_uv != 0 ? h->channel[i].gain_uv : 1;
            l->offset_uv[k++] = h->channel[i].offset_uv;
        }
    tell(l, h, path, n);
    if (!(l->data_path = nset_strdup(path)))
        return nset_fail_oom(err, strlen(path), 1);
    return NSET_OK;
}

static nset_status same_channels(const nset_nsx_header *a, const nset_nsx_header *b, const char *path, nset_error *err)
{
    bool same = a->n == b->n && a->rate_hz == b->rate_hz && a->has_packets == b->has_packets;

    for (size_t i = 0; same && i < a->n; i++)
        same = a->channel[i].id == b->channel[i].id && a->channel[i].gain_uv == b->channel[i].gain_uv;
    if (same)
        return NSET_OK;
    return nset_fail(err, NSET_ERR_FORMAT,
        "%s: other channels, rate or scale (%zu at %.10g Hz) than the first file (%zu at %.10g Hz): they are not one "
        "recording",
        path, b->n, b->rate_hz, a->n, a->rate_hz);
}

static nset_status add_samples(opening *o, bool is_first, size_t n_files, nset_error *err)
{
    nset_status status;
    int64_t n;

    if (!o->h.has_packets) {
        if ((status = nset_file_frames(&n, o->path, o->h.bytes, (size_t)o->frame_bytes, err)) != NSET_OK)
            return status;
        o->n_samples += n;
        return nset_layout_add_piece(o->l, o->path, o->h.bytes, -1, err);
    }
    if (is_first && is_packet_a_frame(o)) {
        if (!(o->frames = nset_calloc(1, sizeof *o->frames)))
            return nset_fail_oom(err, 1, sizeof *o->frames);
        o->frames->base = (nset_frames){ .n_columns = o->h.n, .read = read_frames, .close = close_frames };
        o->frames->head = (size_t)o->head;
        o->l->frames = &o->frames->base;
        if (!(o->frames->part = nset_calloc(n_files, sizeof *o->frames->part)))
            return nset_fail_oom(err, n_files, sizeof *o->frames->part);
    }
    return o->frames ? add_part(o, err) : add_packets(o, err);
}

static nset_status add_file(opening *o, const char *path, nset_nsx_header *first, size_t n_files, nset_error *err)
{
    bool is_first = first->n == 0;
    nset_status status;
    struct stat info;

    o->path = path;
    if ((status = nset_nsx_header_read(&o->h, path, err)) != NSET_OK ||
        (status = is_first ? use_header(o->l, &o->h, path, err) : same_channels(first, &o->h, path, err)) != NSET_OK)
        return status;
    if ((o->fd = open(path, O_RDONLY | O_CLOEXEC)) < 0 || fstat(o->fd, &info))
        return nset_fail(err, NSET_ERR_FORMAT, "%s: %s", path, strerror(errno));
    o->size = info.st_size;
    o->frame_bytes = 2 * (int64_t)o->h.n;
    o->head = o->h.long_times ? 13 : 9;
    if (o->size < o->h.bytes)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: the file has %lld bytes, the header alone needs %lld", path,
            (long long)o->size, (long long)o->h.bytes);
    status = add_samples(o, is_first, n_files, err);
    if (is_first) {
        *first = o->h;
        o->h = (nset_nsx_header){ 0 };
    }
    return status;
}

static nset_status open_many(
    nset_layout *l, const char *const *paths, size_t n, const nset_recording_options *options, nset_error *err)
{
    opening o = { .l = l, .fd = -1 };
    nset_nsx_header first = { 0 };
    nset_status status = NSET_OK;

    (void)options;
    for (size_t i = 0; i < n && status == NSET_OK; i++) {
        status = add_file(&o, paths[i], &first, n, err);
        nset_nsx_header_fini(&o.h);
        if (o.fd >= 0)
            close(o.fd);
        o.fd = -1;
    }
    if (status == NSET_OK && o.n_samples == 0)
        status = nset_fail(err, NSET_ERR_FORMAT, "%s: a header but no data", paths[0]);
    if (status == NSET_OK && l->n_gaps >= MAX_GAPS)
        nset_layout_warn(l, "%s: times jump more than %d times: later gaps are not listed", paths[0], MAX_GAPS);
    if (status == NSET_OK && n > 1 && !first.has_packets)
        nset_layout_warn(l, "%s: version 2.1 has no times: the gaps between the files are not known", paths[0]);
    nset_nsx_header_fini(&first);
    return status;
}

static nset_status open_one(nset_layout *l, const char *path, const nset_recording_options *o, nset_error *err)
{
    return open_many(l, &path, 1, o, err);
}

const nset_reader nset_reader_blackrock = { "blackrock", "Blackrock .ns1 to .ns6", true, nset_nsx_is, open_one,
    open_many };
