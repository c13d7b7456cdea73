#include "ephys/layout.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <neuroset/memory.h>

enum { READ_BYTES = 1 << 20 };

typedef struct file_source {
    nset_source base;
    int fd;
    char *path;
    char kind; /* i, u, f */
    bool swap;
    size_t item, n_columns;
    int64_t header_bytes;
    size_t *column;
    double *gain, *offset;
    char *bytes; /* READ_BYTES or one frame */
    size_t room;
} file_source;

size_t nset_dtype_size(const char *dtype)
{
    static const struct {
        const char *name;
        size_t size;
    } types[] = { { "int16", 2 }, { "uint16", 2 }, { "int32", 4 }, { "uint32", 4 }, { "float32", 4 }, { "float64", 8 },
        { "int8", 1 }, { "uint8", 1 } };

    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (!strcmp(dtype, types[i].name))
            return types[i].size;
    return 0;
}

nset_status nset_layout_channels(nset_layout *l, size_t n, nset_error *err)
{
    l->n = n;
    l->column = nset_calloc(n, sizeof *l->column);
    l->gain_uv = nset_calloc(n, sizeof *l->gain_uv);
    l->offset_uv = nset_calloc(n, sizeof *l->offset_uv);
    if (!l->column || !l->gain_uv || !l->offset_uv)
        return nset_fail_oom(err, n, sizeof *l->column);
    for (size_t i = 0; i < n; i++) {
        l->column[i] = i;
        l->gain_uv[i] = 1;
    }
    return nset_probe_init(&l->probe, n, err);
}

void nset_layout_fini(nset_layout *l)
{
    nset_free(l->data_path);
    nset_free(l->column);
    nset_free(l->gain_uv);
    nset_free(l->offset_uv);
    nset_probe_fini(&l->probe);
    json_decref(l->facts);
    json_decref(l->warnings);
    *l = (nset_layout){ 0 };
}

void nset_layout_fact(nset_layout *l, const char *name, const char *from, const char *format, ...)
{
    char value[512];
    va_list args;

    va_start(args, format);
    vsnprintf(value, sizeof value, format, args);
    va_end(args);
    if (!l->facts)
        l->facts = json_array();
    json_array_append_new(l->facts, json_pack("{s:s, s:s, s:s}", "name", name, "value", value, "from", from));
}

void nset_layout_warn(nset_layout *l, const char *format, ...)
{
    char text[512];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (!l->warnings)
        l->warnings = json_array();
    json_array_append_new(l->warnings, json_string(text));
}

/* ---- small files ---- */

nset_status nset_read_text(char **out, const char *path, size_t limit, nset_error *err)
{
    FILE *f = fopen(path, "rb");
    struct stat s;
    size_t n;

    if (!f)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: %s", path, strerror(errno));
    if (fstat(fileno(f), &s) || !S_ISREG(s.st_mode) || s.st_size < 0 || (size_t)s.st_size > limit) {
        fclose(f);
        return nset_fail(err, NSET_ERR_FORMAT, "%s: not a text file of at most %zu bytes", path, limit);
    }
    n = (size_t)s.st_size;
    if (!(*out = nset_calloc(n + 1, 1))) {
        fclose(f);
        return nset_fail_oom(err, n + 1, 1);
    }
    n = fread(*out, 1, n, f);
    fclose(f);
    return NSET_OK;
}

nset_status nset_read_json(json_t **out, const char *path, nset_error *err)
{
    nset_status status;
    json_error_t why;
    char *text = NULL;

    if ((status = nset_read_text(&text, path, 256 << 20, err)) != NSET_OK)
        return status;
    *out = json_loads(text, JSON_REJECT_DUPLICATES, &why);
    nset_free(text);
    if (!*out)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: line %d, column %d: %s", path, why.line, why.column, why.text);
    if (!json_is_object(*out)) {
        json_decref(*out);
        *out = NULL;
        return nset_fail(err, NSET_ERR_FORMAT, "%s: a JSON object is expected", path);
    }
    return NSET_OK;
}

void nset_path_beside(char *path, size_t n, const char *beside, const char *name)
{
    const char *slash = strrchr(beside, '/');

    if (name[0] == '/' || !slash)
        snprintf(path, n, "%s", name);
    else
        snprintf(path, n, "%.*s/%s", (int)(slash - beside), beside, name);
}

/* ---- samples ---- */

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

static void convert(const file_source *s, float *out, const char *bytes, size_t n)
{
    size_t n_channels = s->base.n_channels, frame = s->n_columns * s->item;

    for (size_t t = 0; t < n; t++, out += n_channels, bytes += frame) {
        if (s->item == 2 && s->kind == 'i' && !s->swap) { /* the common case, without the calls */
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
            out[c] = isfinite(out[c]) ? out[c] : 0;
    }
}

static nset_status read_samples(nset_source *self, float *out, int64_t start, size_t n, nset_error *err)
{
    file_source *s = (file_source *)self;
    size_t frame = s->n_columns * s->item, most = s->room / frame;

    while (n > 0) {
        size_t now = n < most ? n : most, got = 0;
        while (got < now * frame) {
            off_t at = (off_t)(s->header_bytes + start * (int64_t)frame) + (off_t)got;
            ssize_t k = pread(s->fd, s->bytes + got, now * frame - got, at);
            if (k <= 0)
                return nset_fail(err, NSET_ERR_FORMAT, "%s: sample %lld: %s", s->path, (long long)start,
                    k < 0 ? strerror(errno) : "the file ended; was it changed while it was read?");
            got += (size_t)k;
        }
        convert(s, out, s->bytes, now);
        out += now * self->n_channels;
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
    nset_free(s->path);
    nset_free(s->column);
    nset_free(s->gain);
    nset_free(s->offset);
    nset_free(s->bytes);
    nset_free(s);
}

static nset_status find_length(file_source *s, nset_layout *l, nset_error *err)
{
    int64_t frame = (int64_t)(s->n_columns * s->item), rest;
    struct stat info;

    if (s->fd < 0 || fstat(s->fd, &info))
        return nset_fail(err, NSET_ERR_FORMAT, "%s: %s", s->path, strerror(errno));
    if (!S_ISREG(info.st_mode))
        return nset_fail(err, NSET_ERR_FORMAT, "%s: not a regular file", s->path);
    if (info.st_size < l->header_bytes)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: the file has %lld bytes, the header alone needs %lld", s->path,
            (long long)info.st_size, (long long)l->header_bytes);
    s->base.n_samples = (info.st_size - l->header_bytes) / frame;
    rest = (info.st_size - l->header_bytes) % frame;
    if (rest)
        nset_layout_warn(l,
            "%s ends with a torn frame of %lld of %lld bytes, which is left out; are there really %zu "
            "channels of %s?",
            s->path, (long long)rest, (long long)frame, s->n_columns, l->dtype);
    nset_layout_fact(l, "samples", "length of the file", "%lld", (long long)s->base.n_samples);
    if (l->stated_samples > 0 && fabs(l->stated_samples - (double)s->base.n_samples) > .5)
        nset_layout_warn(l, "the header says %.0f samples (%.6g s), the file holds %lld (%.6g s): the file is believed",
            l->stated_samples, l->stated_samples / l->rate_hz, (long long)s->base.n_samples,
            (double)s->base.n_samples / l->rate_hz);
    return NSET_OK;
}

nset_status nset_layout_source(nset_source **out, nset_layout *l, const size_t *canonical, nset_error *err)
{
    file_source *s = nset_calloc(1, sizeof *s);
    nset_status status;

    if (!s)
        return nset_fail_oom(err, 1, sizeof *s);
    s->base = (nset_source){
        .name = "file", .n_channels = l->n, .rate_hz = l->rate_hz, .read = read_samples, .close = close_file
    };
    s->fd = -1;
    s->item = nset_dtype_size(l->dtype);
    s->kind = l->dtype[0];
    s->swap = l->big_endian;
    s->n_columns = l->n_columns;
    s->header_bytes = l->header_bytes;
    s->room = s->item * s->n_columns > READ_BYTES ? s->item * s->n_columns : READ_BYTES;
    s->path = nset_strdup(l->data_path);
    s->column = nset_calloc(l->n, sizeof *s->column);
    s->gain = nset_calloc(l->n, sizeof *s->gain);
    s->offset = nset_calloc(l->n, sizeof *s->offset);
    s->bytes = nset_calloc(s->room, 1);
    if (!s->path || !s->column || !s->gain || !s->offset || !s->bytes) {
        close_file(&s->base);
        return nset_fail_oom(err, l->n, sizeof *s->column);
    }
    for (size_t i = 0; i < l->n; i++) {
        s->column[i] = l->column[canonical[i]];
        s->gain[i] = l->gain_uv[canonical[i]];
        s->offset[i] = l->offset_uv[canonical[i]];
    }
    s->fd = open(l->data_path, O_RDONLY | O_CLOEXEC);
    if ((status = find_length(s, l, err)) != NSET_OK) {
        close_file(&s->base);
        return status;
    }
    *out = &s->base;
    return NSET_OK;
}
