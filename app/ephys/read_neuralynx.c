/* Neuralynx .ncs: a file a channel. Channels of the same rate, input range and filter are a stream; what the channels
 * of a stream have in common in time is the recording.
 */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <neuroset/memory.h>

#include "ephys/bytes.h"
#include "ephys/columns.h"
#include "ephys/folder.h"
#include "ephys/layout.h"
#include "ephys/ncs_join.h"

enum { READ_RECORDS = 32 };

#define SPIKE_RATE_HZ 10000. /* streams below are field potentials */

typedef struct ncs_frames {
    nset_columns columns;
    nset_ncs *file; /* of the stream, channel after channel */
    size_t n_files;
    nset_ncs_join join;
} ncs_frames;

/* ---- samples ---- */

/* out[k * stride] := n samples of a file from sample `at` after the start of a record. */
static nset_status read_records(
    int16_t *out, size_t stride, const char *path, int64_t record, int64_t at, size_t n, nset_error *err)
{
    unsigned char bytes[READ_RECORDS * NSET_NCS_RECORD];
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: %s", path, strerror(errno));
    record += at / NSET_NCS_SAMPLES;
    for (size_t skip = (size_t)(at % NSET_NCS_SAMPLES), done = 0; done < n; skip = 0) {
        size_t n_records = (skip + n - done + NSET_NCS_SAMPLES - 1) / NSET_NCS_SAMPLES, size, now;
        n_records = n_records < READ_RECORDS ? n_records : READ_RECORDS;
        size = n_records * NSET_NCS_RECORD;
        if (pread(fd, bytes, size, (off_t)(NSET_NCS_HEADER + record * NSET_NCS_RECORD)) != (ssize_t)size) {
            close(fd);
            return nset_fail(err, NSET_ERR_FORMAT, "%s: record %lld: the file ended; was it changed while it was read?",
                path, (long long)record);
        }
        now = n_records * NSET_NCS_SAMPLES - skip < n - done ? n_records * NSET_NCS_SAMPLES - skip : n - done;
        for (size_t k = 0; k < now; k++) {
            size_t i = skip + k;
            const unsigned char *r = bytes + i / NSET_NCS_SAMPLES * NSET_NCS_RECORD;
            out[(done + k) * stride] = (int16_t)nset_le16(r + NSET_NCS_RECORD_HEADER + 2 * (i % NSET_NCS_SAMPLES));
        }
        done += now;
        record += (int64_t)n_records;
    }
    close(fd);
    return NSET_OK;
}

static nset_status read_column(
    const ncs_frames *f, int16_t *out, size_t stride, size_t c, int64_t start, size_t n, nset_error *err)
{
    nset_status status = NSET_OK;

    for (size_t i = 0; i < f->join.n_parts && n > 0 && status == NSET_OK; i++) {
        const nset_ncs_part *p = &f->join.part[i];
        const nset_ncs_place *place = &f->join.place[i * f->join.n_channels + c];
        int64_t left = p->first + p->n - start;
        size_t now = left <= 0 ? 0 : left < (int64_t)n ? (size_t)left : n;
        if (now == 0)
            continue;
        status = read_records(
            out, stride, f->file[place->file].path, place->record, place->skip + start - p->first, now, err);
        out += now * stride;
        start += (int64_t)now;
        n -= now;
    }
    return status;
}

static nset_status fill(nset_columns *self, int16_t *block, int64_t start, size_t n, nset_error *err)
{
    size_t n_columns = self->base.n_columns;
    nset_status status = NSET_OK;

    for (size_t c = 0; c < n_columns && status == NSET_OK; c++)
        status = read_column((ncs_frames *)self, block + c, n_columns, c, start, n, err);
    return status;
}

static void free_files(nset_ncs *file, size_t n)
{
    for (size_t i = 0; file && i < n; i++)
        nset_ncs_fini(&file[i]);
    nset_free(file);
}

static void close_frames(nset_frames *self)
{
    ncs_frames *f = (ncs_frames *)self;

    free_files(f->file, f->n_files);
    nset_ncs_join_fini(&f->join);
    nset_columns_fini(&f->columns);
    nset_free(f);
}

/* ---- which files ---- */

/* Files with samples, of each path or of the folder that it is; nset_paths_free and free_files them. */
typedef struct found {
    nset_ncs *file;
    size_t n, room, n_empty;
} found;

static nset_status add_file(found *f, const char *path, nset_error *err)
{
    nset_status status = nset_grow(&f->file, &f->room, f->n + 1, sizeof *f->file, err);

    if (status != NSET_OK)
        return status;
    status = nset_ncs_read(&f->file[f->n], path, err);
    if (status == NSET_OK && f->file[f->n].n_samples > 0) {
        f->n++;
        return NSET_OK;
    }
    nset_ncs_fini(&f->file[f->n]);
    f->n_empty += status == NSET_OK;
    return status;
}

static nset_status find_files(found *f, const char *const *paths, size_t n, nset_error *err)
{
    nset_status status = NSET_OK;

    for (size_t i = 0; i < n && status == NSET_OK; i++) {
        char **list = NULL;
        size_t n_list = 0;
        if (!nset_is_folder(paths[i])) {
            status = add_file(f, paths[i], err);
            continue;
        }
        status = nset_folder_list(&list, &n_list, paths[i], ".ncs", err);
        for (size_t k = 0; k < n_list && status == NSET_OK; k++)
            status = add_file(f, list[k], err);
        nset_paths_free(list, n_list);
    }
    if (status != NSET_OK || f->n > 0)
        return status;
    if (f->n_empty)
        return nset_fail(
            err, NSET_ERR_FORMAT, "%s: a header but no data (%zu .ncs files without a record)", paths[0], f->n_empty);
    return nset_fail(err, NSET_ERR_FORMAT, "%s: there is no .ncs file", paths[0]);
}

static void stream_name(char *out, size_t n, const nset_ncs *f)
{
    size_t k = (size_t)snprintf(out, n, "%.6gHz", f->rate_hz);

    if (f->range_uv != 0)
        k += (size_t)snprintf(out + k, n - k, "_%.6guV", f->range_uv);
    if (f->low_hz != 0 || f->high_hz != 0)
        snprintf(out + k, n - k, "_%.6g-%.6gHz", f->low_hz, f->high_hz);
}

/* Is the file of the stream that is wanted? A name's start is enough when it ends before an underscore. */
static bool is_wanted(const nset_ncs *f, const char *wanted)
{
    char name[128];
    size_t n = strlen(wanted);

    stream_name(name, sizeof name, f);
    return !strncmp(name, wanted, n) && (name[n] == '\0' || name[n] == '_');
}

/* list := names of the streams; chosen := the only one fast enough for spikes, or the only one; else empty. */
static void list_streams(char *list, size_t n, char *chosen, size_t n_chosen, const found *f)
{
    size_t n_streams = 0, n_fast = 0;
    char name[128], only[128] = "", fast[128] = "";

    *list = '\0';
    for (size_t i = 0; i < f->n; i++) {
        bool is_new = true;
        stream_name(name, sizeof name, &f->file[i]);
        for (size_t k = 0; k < i && is_new; k++) {
            char other[128];
            stream_name(other, sizeof other, &f->file[k]);
            is_new = strcmp(name, other) != 0;
        }
        if (!is_new)
            continue;
        snprintf(list + strlen(list), n - strlen(list), "%s%s", n_streams++ ? ", " : "", name);
        snprintf(only, sizeof only, "%s", name);
        if (f->file[i].rate_hz >= SPIKE_RATE_HZ) {
            n_fast++;
            snprintf(fast, sizeof fast, "%s", name);
        }
    }
    snprintf(chosen, n_chosen, "%s", n_streams == 1 ? only : n_fast == 1 ? fast : "");
}

static void keep(found *f, const char *wanted)
{
    size_t n = 0;

    for (size_t i = 0; i < f->n; i++)
        if (is_wanted(&f->file[i], wanted))
            f->file[n++] = f->file[i];
        else
            nset_ncs_fini(&f->file[i]);
    f->n = n;
}

static nset_status choose_stream(nset_layout *l, found *f, const char *path, const char *wanted, nset_error *err)
{
    char list[400], chosen[128];
    size_t n_before = f->n;

    list_streams(list, sizeof list, chosen, sizeof chosen, f);
    if (!wanted && !*chosen)
        return nset_fail(
            err, NSET_ERR_FORMAT, "%s: more than one stream of channels; choose one with --stream: %s", path, list);
    keep(f, wanted ? wanted : chosen);
    if (f->n == 0)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: no stream is named %s; there are: %s", path, wanted, list);
    for (size_t i = 1; i < f->n; i++)
        if (fabs(f->file[i].rate_hz / f->file[0].rate_hz - 1) > 1e-4)
            return nset_fail(err, NSET_ERR_FORMAT, "%s: %.10g Hz, but %s has %.10g Hz: choose one with --stream",
                f->file[i].path, f->file[i].rate_hz, f->file[0].path, f->file[0].rate_hz);
    stream_name(chosen, sizeof chosen, &f->file[0]);
    nset_layout_fact(l, "stream", wanted ? "--stream" : "the files", "%s", wanted ? wanted : chosen);
    if (f->n < n_before)
        nset_layout_fact(l, "left out", "other streams", "%zu files; there are the streams %s", n_before - f->n, list);
    return NSET_OK;
}

/* ---- channels ---- */

static int by_start(const nset_ncs *p, const nset_ncs *q)
{
    if (p->run[0].start_us != q->run[0].start_us)
        return p->run[0].start_us < q->run[0].start_us ? -1 : 1;
    return nset_compare_names(p->path, q->path);
}

static int by_name(const void *a, const void *b)
{
    const nset_ncs *p = a, *q = b;
    int order = nset_compare_names(p->name, q->name);

    if (order == 0 && p->channel != q->channel)
        order = p->channel < q->channel ? -1 : 1;
    return order ? order : by_start(p, q);
}

static int by_number(const void *a, const void *b)
{
    const nset_ncs *p = a, *q = b;

    return p->channel != q->channel ? (p->channel < q->channel ? -1 : 1) : by_start(p, q);
}

/* Files of the same converter channel and name are one channel, stopped and gone on. Sorts the files.
 * first_file (n_files + 1) := where each channel's files start. */
static size_t find_channels(nset_layout *l, nset_ncs *file, size_t n_files, size_t *first_file)
{
    bool numbered = true;
    size_t n = 0;

    qsort(file, n_files, sizeof *file, by_number);
    for (size_t i = 0; i < n_files && numbered; i++)
        numbered = file[i].channel >= 0 &&
                   (i == 0 || file[i].channel != file[i - 1].channel || !strcmp(file[i].name, file[i - 1].name));
    if (!numbered)
        qsort(file, n_files, sizeof *file, by_name);
    for (size_t i = 0; i < n_files; i++)
        if (i == 0 || file[i].channel != file[i - 1].channel || strcmp(file[i].name, file[i - 1].name))
            first_file[n++] = i;
    first_file[n] = n_files;
    nset_layout_fact(
        l, "order", numbered ? "-ADChannel" : "the names", "%s .. %s", file[0].name, file[n_files - 1].name);
    return n;
}

static void tell_file(nset_layout *l, const nset_ncs *f)
{
    if (f->torn_bytes)
        nset_layout_warn(l, "%s ends with a torn record of %d of %d bytes, which is left out", f->path, f->torn_bytes,
            NSET_NCS_RECORD);
    if (f->n_empty)
        nset_layout_warn(
            l, "%s: the last %lld records were never filled and are left out", f->path, (long long)f->n_empty);
    if (f->n_beyond)
        nset_layout_warn(l, "%s: %lld records say more than %d valid samples: taken as full", f->path,
            (long long)f->n_beyond, NSET_NCS_SAMPLES);
    if (f->wraps)
        nset_layout_warn(l,
            "%s: at sample %lld the clock jumps by %.0f us, a multiple of 2^32: taken for a counter that came around, "
            "not for a pause of %.0f minutes",
            f->path, (long long)f->wrap_sample, f->wrap_us, f->wrap_us / 6e7);
}

static void tell(nset_layout *l, const found *f)
{
    const nset_ncs *a = &f->file[0];

    nset_layout_fact(
        l, "rate", a->rate_hz == a->header_rate_hz ? a->path : "the times of the records", "%.12g Hz", a->rate_hz);
    if (a->rate_hz != a->header_rate_hz)
        nset_layout_warn(l, "%s: the header says %.10g Hz, the times of the records %.10g Hz: the times are believed",
            a->path, a->header_rate_hz, a->rate_hz);
    else if (a->measured_hz > 0 && fabs(a->measured_hz / a->rate_hz - 1) > 1e-4)
        nset_layout_warn(l, "%s: the header says %.10g Hz and is believed; the times of the records give %.10g Hz",
            a->path, a->rate_hz, a->measured_hz);
    nset_layout_fact(l, "dtype", "the format", "int16");
    nset_layout_fact(l, "gain", a->path, "%.12g uV a count%s", l->gain_uv[0],
        a->is_inverted ? ", negative: the input was inverted" : "");
    if (a->delay_not_compensated && a->delay_us > 0)
        nset_layout_fact(
            l, "filter delay", a->path, "%.10g us, not compensated: all times are late by it", a->delay_us);
    if (f->n_empty)
        nset_layout_warn(l, "%zu .ncs files hold a header but no data and are left out", f->n_empty);
    for (size_t i = 0; i < f->n; i++)
        tell_file(l, &f->file[i]);
}

static nset_status use_channels(nset_layout *l, const found *f, const size_t *first_file, size_t n, nset_error *err)
{
    nset_status status = nset_layout_channels(l, n, err);
    size_t unknown = 0;

    if (status != NSET_OK)
        return status;
    l->n_columns = n;
    l->rate_hz = f->file[0].rate_hz;
    snprintf(l->dtype, sizeof l->dtype, "int16");
    for (size_t c = 0; c < n; c++) {
        double gain = f->file[first_file[c]].gain_uv;
        l->gain_uv[c] = gain != 0 ? gain : 1;
        unknown += gain == 0;
    }
    if (unknown)
        nset_layout_warn(
            l, "%zu channels have no -ADBitVolts: their counts are taken as microvolts; give --gain", unknown);
    if (!(l->data_path = nset_strdup(f->file[0].path)))
        return nset_fail_oom(err, strlen(f->file[0].path), 1);
    tell(l, f);
    return NSET_OK;
}

static nset_status add_gaps(nset_layout *l, const nset_ncs_join *j, nset_error *err)
{
    nset_status status;

    l->start_s = j->part[0].start_us / 1e6;
    for (size_t i = 1; i < j->n_parts; i++) {
        double end_us = j->part[i - 1].start_us + (double)j->part[i - 1].n * 1e6 / l->rate_hz;
        double seconds = (j->part[i].start_us - end_us) / 1e6;
        if (fabs(seconds) * l->rate_hz > 1 &&
            (status = nset_layout_add_gap(l, j->part[i].first, seconds, err)) != NSET_OK)
            return status;
    }
    if (j->n_left_out)
        nset_layout_warn(l,
            "the channels do not hold the same times: up to %lld samples that only some have are left out",
            (long long)j->n_left_out);
    return NSET_OK;
}

static nset_status use_files(nset_layout *l, ncs_frames *frames, const found *f, nset_error *err)
{
    size_t *first_file = nset_calloc(f->n + 1, sizeof *first_file), n;
    nset_status status;

    if (!first_file)
        return nset_fail_oom(err, f->n, sizeof *first_file);
    n = find_channels(l, f->file, f->n, first_file);
    if ((status = use_channels(l, f, first_file, n, err)) == NSET_OK &&
        (status = nset_ncs_join_make(&frames->join, f->file, first_file, n, l->rate_hz, err)) == NSET_OK)
        status = add_gaps(l, &frames->join, err);
    frames->columns.base.n_columns = n;
    frames->columns.base.n_frames = frames->join.n_samples;
    nset_free(first_file);
    return status;
}

/* ---- opening ---- */

static bool probe(const char *path)
{
    return nset_is_folder(path) ? nset_folder_has(path, ".ncs") : nset_ncs_is(path);
}

static nset_status open_many(
    nset_layout *l, const char *const *paths, size_t n, const nset_recording_options *o, nset_error *err)
{
    ncs_frames *frames = nset_calloc(1, sizeof *frames);
    found f = { 0 };
    nset_status status;

    if (!frames)
        return nset_fail_oom(err, 1, sizeof *frames);
    nset_columns_init(&frames->columns);
    frames->columns.fill = fill;
    frames->columns.base.close = close_frames;
    l->frames = &frames->columns.base;
    if ((status = find_files(&f, paths, n, err)) == NSET_OK &&
        (status = choose_stream(l, &f, paths[0], o->stream, err)) == NSET_OK)
        status = use_files(l, frames, &f, err);
    frames->file = f.file; /* theirs from here on, whatever happened */
    frames->n_files = f.n;
    return status;
}

static nset_status open_one(nset_layout *l, const char *path, const nset_recording_options *o, nset_error *err)
{
    return open_many(l, &path, 1, o, err);
}

const nset_reader nset_reader_neuralynx = { "neuralynx", "Neuralynx .ncs", true, probe, open_one, open_many };
