/* Intan RHD and RHS: the traditional file of blocks, one file per signal type, one file per channel.
 *
 * Amplifier samples are unsigned about 32768 in the traditional file and signed in the folders. Several traditional
 * files are one recording cut by the minute: they are joined, and the counts of samples in them tell the gaps.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <neuroset/memory.h>

#include "ephys/bytes.h"
#include "ephys/columns.h"
#include "ephys/folder.h"
#include "ephys/intan_header.h"
#include "ephys/intan_times.h"
#include "ephys/layout.h"
#include "results/small_files.h"

enum { TILE = 16 };
#define GAIN_UV 0.195

typedef struct part {
    char *path;       /* the traditional file, or the folder's header */
    int64_t first, n; /* samples in the recording */
    int64_t offset;   /* of the first block */
    size_t n_block, block_bytes;
} part;

typedef struct intan_frames {
    nset_columns columns;
    nset_intan_header h; /* of the first file */
    bool is_folder;      /* one file per channel */
    part *part;
    size_t n_parts;
    nset_intan_clock clock;
} intan_frames;

/* ---- samples ---- */

static nset_status read_bytes(int fd, const char *path, void *out, size_t n, int64_t offset, nset_error *err)
{
    ssize_t got = pread(fd, out, n, (off_t)offset);

    if (got == (ssize_t)n)
        return NSET_OK;
    return nset_fail(err, NSET_ERR_FORMAT, "%s: byte %lld: %s", path, (long long)offset,
        got < 0 ? strerror(errno) : "the file ended; was it changed while it was read?");
}

/* out (now, n_columns) := samples t .. of a block that lies channel after channel. */
static void turn_block(int16_t *out, const unsigned char *bytes, size_t n_columns, size_t n_block, size_t t, size_t now)
{
    for (size_t k0 = 0; k0 < now; k0 += TILE) /* a tile of times at a time: whole lines are read and written */
        for (size_t c = 0; c < n_columns; c++)
            for (size_t k = k0; k < now && k < k0 + TILE; k++)
                out[k * n_columns + c] = (int16_t)(nset_le16(bytes + 2 * (c * n_block + t + k)) ^ 0x8000);
}

/* out (n, n_columns) := samples start .. of the part, less 32768. */
static nset_status read_blocks(
    const intan_frames *f, const part *p, int16_t *out, int64_t start, size_t n, nset_error *err)
{
    size_t n_columns = f->columns.base.n_columns, size = 2 * p->n_block * n_columns, done = 0;
    unsigned char *bytes = nset_calloc(size, 1);
    int fd = open(p->path, O_RDONLY | O_CLOEXEC);
    nset_status status = NSET_OK;

    if (!bytes)
        status = nset_fail_oom(err, size, 1);
    else if (fd < 0)
        status = nset_fail(err, NSET_ERR_FORMAT, "%s: %s", p->path, strerror(errno));
    while (status == NSET_OK && done < n) {
        int64_t block = (start + (int64_t)done) / (int64_t)p->n_block;
        size_t t = (size_t)((start + (int64_t)done) % (int64_t)p->n_block);
        size_t now = n - done < p->n_block - t ? n - done : p->n_block - t;
        int64_t at = p->offset + block * (int64_t)p->block_bytes + 4 * (int64_t)p->n_block;
        if ((status = read_bytes(fd, p->path, bytes, size, at, err)) == NSET_OK)
            turn_block(out + done * n_columns, bytes, n_columns, p->n_block, t, now);
        done += now;
    }
    if (fd >= 0)
        close(fd);
    nset_free(bytes);
    return status;
}

static void channel_path(char *path, size_t n, const char *header, const char *channel)
{
    char name[NSET_INTAN_NAME + 16];

    snprintf(name, sizeof name, "amp-%s.dat", channel);
    nset_path_beside(path, n, header, name);
}

/* Opened anew each time: a folder may hold more channels than a process may hold files. */
static nset_status read_channel(int16_t *out, size_t stride, const char *path, int64_t start, size_t n, nset_error *err)
{
    unsigned char bytes[2 * 4096];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    nset_status status = NSET_OK;

    if (fd < 0)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: %s", path, strerror(errno));
    for (size_t done = 0; done < n && status == NSET_OK;) {
        size_t now = n - done < sizeof bytes / 2 ? n - done : sizeof bytes / 2;
        status = read_bytes(fd, path, bytes, 2 * now, 2 * (start + (int64_t)done), err);
        for (size_t k = 0; k < now && status == NSET_OK; k++)
            out[(done + k) * stride] = (int16_t)nset_le16(bytes + 2 * k);
        done += now;
    }
    close(fd);
    return status;
}

static nset_status read_channels(
    const intan_frames *f, const part *p, int16_t *out, int64_t start, size_t n, nset_error *err)
{
    size_t n_columns = f->columns.base.n_columns;
    nset_status status = NSET_OK;
    char path[4096];

    for (size_t c = 0; c < n_columns && status == NSET_OK; c++) {
        channel_path(path, sizeof path, p->path, f->h.name[c]);
        status = read_channel(out + c, n_columns, path, start, n, err);
    }
    return status;
}

static nset_status fill(nset_columns *self, int16_t *block, int64_t start, size_t n, nset_error *err)
{
    const intan_frames *f = (intan_frames *)self;
    nset_status status = NSET_OK;

    for (size_t i = 0; i < f->n_parts && n > 0 && status == NSET_OK; i++) {
        const part *p = &f->part[i];
        int64_t left = p->first + p->n - start;
        size_t now = left <= 0 ? 0 : left < (int64_t)n ? (size_t)left : n;
        if (now == 0)
            continue;
        status = f->is_folder ? read_channels(f, p, block, start - p->first, now, err)
                              : read_blocks(f, p, block, start - p->first, now, err);
        block += now * self->base.n_columns;
        start += (int64_t)now;
        n -= now;
    }
    return status;
}

static void close_frames(nset_frames *self)
{
    intan_frames *f = (intan_frames *)self;

    for (size_t i = 0; f->part && i < f->n_parts; i++)
        nset_free(f->part[i].path);
    nset_free(f->part);
    nset_columns_fini(&f->columns);
    nset_intan_header_fini(&f->h);
    nset_free(f);
}

/* ---- headers ---- */

static nset_status start_frames(intan_frames **out, const char *header, bool is_folder, size_t n, nset_error *err)
{
    intan_frames *f = nset_calloc(1, sizeof *f);
    nset_status status;

    if (!f)
        return nset_fail_oom(err, 1, sizeof *f);
    nset_columns_init(&f->columns);
    f->columns.fill = fill;
    f->columns.bias = is_folder ? 0 : 32768;
    f->is_folder = is_folder;
    f->columns.base.close = close_frames;
    if (!(f->part = nset_calloc(n, sizeof *f->part)))
        status = nset_fail_oom(err, n, sizeof *f->part);
    else
        status = nset_intan_header_read(&f->h, header, err);
    if (status != NSET_OK) {
        close_frames(&f->columns.base);
        return status;
    }
    f->columns.base.n_columns = f->h.n_amplifier;
    *out = f;
    return NSET_OK;
}

static void tell_header(nset_layout *l, const nset_intan_header *h, const char *path, bool is_signed)
{
    size_t others = h->n_aux + h->n_supply + h->n_adc + h->n_dac + h->n_in + h->n_out + h->n_temperature;

    nset_layout_fact(l, "version", path, "%s %d.%d", h->is_stim ? "RHS" : "RHD", h->major, h->minor);
    nset_layout_fact(l, "rate", path, "%.10g Hz", h->rate_hz);
    nset_layout_fact(l, "gain", "the format", "%g uV a count%s", GAIN_UV, is_signed ? "" : " above 32768");
    nset_layout_fact(l, "dtype", "the format", "%s", l->dtype);
    nset_layout_fact(l, "names", path, "%s .. %s", h->name[0], h->name[h->n_amplifier - 1]);
    if (others || h->dc_saved)
        nset_layout_fact(l, "left out", path, "%zu channels that are no electrodes (aux, supply, ADC, digital)%s",
            others, h->is_stim ? ", stimulation and direct-coupled samples" : "");
    if (h->n_disabled)
        nset_layout_fact(l, "not recorded", path, "%zu disabled amplifier channels", h->n_disabled);
    if (h->notch_hz)
        nset_layout_fact(l, "notch", path, "%d Hz, %s", h->notch_hz,
            h->major < 3 && !h->is_stim ? "set for the screen only: the samples are unfiltered" : "in the samples");
}

static nset_status use_header(
    nset_layout *l, const nset_intan_header *h, const char *path, bool is_signed, nset_error *err)
{
    nset_status status;

    if (h->n_amplifier == 0)
        return nset_fail(
            err, NSET_ERR_FORMAT, "%s: no amplifier channel was recorded, only aux, ADC or digital ones", path);
    l->rate_hz = h->rate_hz;
    l->n_columns = h->n_amplifier;
    snprintf(l->dtype, sizeof l->dtype, "%s", is_signed ? "int16" : "uint16");
    if ((status = nset_layout_channels(l, h->n_amplifier, err)) != NSET_OK)
        return status;
    for (size_t i = 0; i < l->n; i++) {
        l->gain_uv[i] = GAIN_UV;
        l->offset_uv[i] = is_signed ? 0 : -32768 * GAIN_UV;
    }
    tell_header(l, h, path, is_signed);
    return NSET_OK;
}

static nset_status set_data_path(nset_layout *l, const char *path, nset_error *err)
{
    return (l->data_path = nset_strdup(path)) ? NSET_OK : nset_fail_oom(err, strlen(path), 1);
}

static int64_t file_size(const char *path)
{
    struct stat s;

    return stat(path, &s) == 0 && S_ISREG(s.st_mode) ? (int64_t)s.st_size : -1;
}

/* ---- traditional ---- */

static nset_status same_channels(
    const nset_intan_header *a, const nset_intan_header *b, const char *path, nset_error *err)
{
    size_t n = a->n_amplifier;

    if (a->is_stim != b->is_stim || a->rate_hz != b->rate_hz || n != b->n_amplifier)
        return nset_fail(err, NSET_ERR_FORMAT,
            "%s: %zu channels at %g Hz, the first file has %zu at %g Hz: they are not one recording", path,
            b->n_amplifier, b->rate_hz, n, a->rate_hz);
    for (size_t i = 0; i < n; i++)
        if (strcmp(a->name[i], b->name[i]))
            return nset_fail(err, NSET_ERR_FORMAT,
                "%s: channel %zu is %s, in the first file %s: they are not one recording", path, i, b->name[i],
                a->name[i]);
    return NSET_OK;
}

static nset_status add_blocks(intan_frames *f, nset_layout *l, const char *path, nset_error *err)
{
    part *p = &f->part[f->n_parts];
    nset_intan_times times = { .path = path };
    nset_intan_header h;
    nset_status status = nset_intan_header_read(&h, path, err);
    int64_t bytes = file_size(path) - h.bytes, n_blocks;

    if (status != NSET_OK || (status = same_channels(&f->h, &h, path, err)) != NSET_OK)
        goto done;
    p->first = f->columns.base.n_frames;
    p->offset = h.bytes;
    p->n_block = nset_intan_block_samples(&h);
    p->block_bytes = nset_intan_block_bytes(&h);
    n_blocks = bytes / (int64_t)p->block_bytes;
    p->n = n_blocks * (int64_t)p->n_block;
    if (bytes % (int64_t)p->block_bytes)
        nset_layout_warn(l, "%s ends with a torn block of %lld of %zu bytes, which is left out", path,
            (long long)(bytes % (int64_t)p->block_bytes), p->block_bytes);
    times.offset = p->offset;
    times.n_block = p->n_block;
    times.block_bytes = p->block_bytes;
    times.is_unsigned = h.unsigned_times;
    times.n = p->n;
    if (!(p->path = nset_strdup(path))) {
        status = nset_fail_oom(err, strlen(path), 1);
        goto done;
    }
    f->n_parts++;
    f->columns.base.n_frames += p->n;
    status = nset_intan_times_follow(&f->clock, l, &times, p->first, err);

done:
    nset_intan_header_fini(&h);
    return status;
}

static nset_status open_blocks(nset_layout *l, const char *const *paths, size_t n, nset_error *err)
{
    intan_frames *f = NULL;
    nset_status status;

    if ((status = start_frames(&f, paths[0], false, n, err)) != NSET_OK)
        return status;
    l->frames = &f->columns.base;
    if ((status = set_data_path(l, paths[0], err)) != NSET_OK ||
        (status = use_header(l, &f->h, paths[0], false, err)) != NSET_OK)
        return status;
    l->header_bytes = f->h.bytes;
    for (size_t i = 0; i < n; i++)
        if ((status = add_blocks(f, l, paths[i], err)) != NSET_OK)
            return status;
    return NSET_OK;
}

/* ---- folders ---- */

static nset_status follow_time_file(
    nset_intan_clock *clock, nset_layout *l, const char *header, int64_t first, int64_t *n, nset_error *err)
{
    nset_intan_times times = { .n_block = 1024, .block_bytes = 4 * 1024 };
    char path[4096];
    int64_t size;

    nset_path_beside(path, sizeof path, header, "time.dat");
    if ((size = file_size(path)) < 0) {
        nset_layout_warn(l, "%s is not there: gaps are not known", path);
        return NSET_OK;
    }
    if (size / 4 < *n) {
        nset_layout_warn(l, "%s holds %lld samples, the channels %lld: the shorter is believed", path,
            (long long)(size / 4), (long long)*n);
        *n = size / 4;
    }
    times.path = path;
    times.n = *n;
    return nset_intan_times_follow(clock, l, &times, first, err);
}

static nset_status open_signal(nset_layout *l, const char *const *headers, size_t n, nset_error *err)
{
    nset_intan_header h, first;
    nset_intan_clock clock = { 0 };
    nset_status status = nset_intan_header_read(&first, headers[0], err);
    int64_t total = 0;

    if (status == NSET_OK)
        status = use_header(l, &first, headers[0], true, err);
    for (size_t i = 0; i < n && status == NSET_OK; i++) {
        int64_t frame = 2 * (int64_t)first.n_amplifier, frames;
        char data[4096];
        nset_path_beside(data, sizeof data, headers[i], "amplifier.dat");
        if ((status = nset_intan_header_read(&h, headers[i], err)) == NSET_OK)
            status = same_channels(&first, &h, headers[i], err);
        nset_intan_header_fini(&h);
        if (status == NSET_OK && file_size(data) < 0)
            status = nset_fail(err, NSET_ERR_FORMAT, "%s: not a file, although other folders have one", data);
        if (status != NSET_OK || (i == 0 && (status = set_data_path(l, data, err)) != NSET_OK))
            break;
        frames = file_size(data) / frame;
        if (file_size(data) % frame)
            nset_layout_warn(l, "%s ends with a torn frame of %lld of %lld bytes, which is left out", data,
                (long long)(file_size(data) % frame), (long long)frame);
        if ((status = follow_time_file(&clock, l, headers[i], total, &frames, err)) == NSET_OK)
            status = nset_layout_add_piece(l, data, 0, frames, err);
        total += frames;
    }
    nset_intan_header_fini(&first);
    return status;
}

/* The shortest file tells the length. */
static nset_status channel_length(
    int64_t *out, nset_layout *l, const intan_frames *f, const char *header, nset_error *err)
{
    int64_t least = INT64_MAX, most = 0;
    char path[4096];

    for (size_t c = 0; c < f->h.n_amplifier; c++) {
        int64_t size;
        channel_path(path, sizeof path, header, f->h.name[c]);
        if (strchr(f->h.name[c], '/'))
            return nset_fail(err, NSET_ERR_FORMAT, "%s: channel %zu has a name with a slash", header, c);
        if ((size = file_size(path)) < 0)
            return nset_fail(
                err, NSET_ERR_FORMAT, "%s: the header names this channel, but the file is not there", path);
        least = size < least ? size : least;
        most = size > most ? size : most;
    }
    if (least != most)
        nset_layout_warn(l, "%s: the channels' files have from %lld to %lld samples: the shortest counts", header,
            (long long)(least / 2), (long long)(most / 2));
    *out = least / 2;
    return NSET_OK;
}

static nset_status open_channels(nset_layout *l, const char *const *headers, size_t n, nset_error *err)
{
    nset_intan_header h;
    intan_frames *f = NULL;
    nset_status status;
    char data[4096];

    if ((status = start_frames(&f, headers[0], true, n, err)) != NSET_OK)
        return status;
    l->frames = &f->columns.base;
    if ((status = use_header(l, &f->h, headers[0], true, err)) != NSET_OK)
        return status;
    channel_path(data, sizeof data, headers[0], f->h.name[0]);
    if ((status = set_data_path(l, data, err)) != NSET_OK)
        return status;
    for (size_t i = 0; i < n && status == NSET_OK; i++) {
        part *p = &f->part[i];
        if ((status = nset_intan_header_read(&h, headers[i], err)) == NSET_OK)
            status = same_channels(&f->h, &h, headers[i], err);
        nset_intan_header_fini(&h);
        p->first = f->columns.base.n_frames;
        if (status != NSET_OK || (status = channel_length(&p->n, l, f, headers[i], err)) != NSET_OK ||
            (status = follow_time_file(&f->clock, l, headers[i], p->first, &p->n, err)) != NSET_OK)
            break;
        if (!(p->path = nset_strdup(headers[i])))
            status = nset_fail_oom(err, strlen(headers[i]), 1);
        f->n_parts = i + 1;
        f->columns.base.n_frames += p->n;
    }
    return status;
}

/* ---- which files ---- */

/* out (n) := the header that a folder's signals share; path is the folder, the header or amplifier.dat. */
static bool find_info(char *out, size_t n, const char *path)
{
    static const char *const names[] = { "info.rhd", "info.rhs" };
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;

    for (size_t i = 0; i < 2; i++) {
        if (nset_is_folder(path))
            snprintf(out, n, "%s/%s", path, names[i]);
        else if (!strcmp(base, "amplifier.dat"))
            nset_path_beside(out, n, path, names[i]);
        else
            return false;
        if (nset_intan_is_header(out))
            return true;
    }
    return false;
}

static bool probe(const char *path)
{
    char info[4096];

    if (nset_is_folder(path))
        return find_info(info, sizeof info, path) || nset_folder_has(path, ".rhd") || nset_folder_has(path, ".rhs");
    return find_info(info, sizeof info, path) || nset_intan_is_header(path);
}

static nset_status no_data(const char *header, nset_error *err)
{
    return nset_fail(err, NSET_ERR_FORMAT,
        "%s: a header but no data: nothing follows it, and neither amplifier.dat nor amp-NAME.dat is beside it",
        header);
}

static nset_status open_headers(nset_layout *l, const char *const *headers, size_t n, nset_error *err)
{
    nset_intan_header h;
    char beside[4096];
    nset_status status = nset_intan_header_read(&h, headers[0], err);
    int64_t size = file_size(headers[0]), bytes = h.bytes;

    beside[0] = '\0';
    if (status == NSET_OK && h.n_amplifier > 0)
        channel_path(beside, sizeof beside, headers[0], h.name[0]);
    nset_intan_header_fini(&h);
    if (status != NSET_OK)
        return status;
    if (size > bytes)
        return open_blocks(l, headers, n, err);
    if (*beside && file_size(beside) >= 0)
        return open_channels(l, headers, n, err);
    nset_path_beside(beside, sizeof beside, headers[0], "amplifier.dat");
    return file_size(beside) >= 0 ? open_signal(l, headers, n, err) : no_data(headers[0], err);
}

/* A folder without info.rhd holds a recording cut into files. */
static nset_status open_folder(nset_layout *l, const char *folder, nset_error *err)
{
    char **paths = NULL;
    size_t n = 0;
    nset_status status = nset_folder_list(&paths, &n, folder, ".rhd", err);

    if (status == NSET_OK && n == 0)
        status = nset_folder_list(&paths, &n, folder, ".rhs", err);
    if (status == NSET_OK && n == 0)
        status = nset_fail(err, NSET_ERR_FORMAT, "%s: there is no .rhd or .rhs file in it", folder);
    if (status == NSET_OK)
        status = open_headers(l, (const char *const *)paths, n, err);
    nset_paths_free(paths, n);
    return status;
}

static nset_status open_many(
    nset_layout *l, const char *const *paths, size_t n, const nset_recording_options *o, nset_error *err)
{
    const char **headers = NULL;
    char(*info)[4096] = nset_calloc(n, sizeof *info);
    nset_status status = NSET_OK;

    (void)o;
    headers = nset_calloc(n, sizeof *headers);
    if (!headers || !info) {
        status = nset_fail_oom(err, n, sizeof *info);
    } else if (n == 1 && nset_is_folder(paths[0]) && !find_info(info[0], sizeof *info, paths[0])) {
        status = open_folder(l, paths[0], err);
        goto done;
    }
    for (size_t i = 0; i < n && status == NSET_OK; i++) {
        headers[i] = find_info(info[i], sizeof *info, paths[i]) ? info[i] : paths[i];
        if (nset_is_folder(headers[i]))
            status = nset_fail(err, NSET_ERR_FORMAT,
                "%s: it has no info.rhd or info.rhs; of several folders each must have one", paths[i]);
    }
    if (status == NSET_OK)
        status = open_headers(l, headers, n, err);

done:
    nset_free(headers);
    nset_free(info);
    return status;
}

static nset_status open_one(nset_layout *l, const char *path, const nset_recording_options *o, nset_error *err)
{
    return open_many(l, &path, 1, o, err);
}

const nset_reader nset_reader_intan = { "intan", "Intan RHD or RHS", true, probe, open_one, open_many };
