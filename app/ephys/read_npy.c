/* NumPy arrays: (samples, channels), or (channels, samples) when --order says so, in either memory order. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <neuroset/memory.h>

#include "ephys/planes.h"

enum { MOST_HEADER = 65536, MOST_AXES = 8 };

typedef struct npy {
    char descr[16];
    bool fortran;
    size_t n_axes;
    int64_t shape[MOST_AXES];
} npy;

static bool probe(const char *path)
{
    char magic[6] = "";
    FILE *f = fopen(path, "rb");

    if (!f)
        return false;
    if (fread(magic, 1, 6, f) != 6)
        magic[0] = '\0';
    fclose(f);
    return !memcmp(magic, "\x93NUMPY", 6);
}

/* ---- the header's dictionary ---- */

typedef struct parser {
    const char *p;
} parser;

static void skip_spaces(parser *s)
{
    while (isspace((unsigned char)*s->p))
        s->p++;
}

static bool accept(parser *s, char c)
{
    skip_spaces(s);
    if (*s->p != c)
        return false;
    s->p++;
    return true;
}

/* 'text' or "text". */
static bool take_string(parser *s, char *out, size_t n)
{
    const char *end;
    char quote;

    skip_spaces(s);
    quote = *s->p;
    if ((quote != '\'' && quote != '"') || !(end = strchr(s->p + 1, quote)))
        return false;
    snprintf(out, n, "%.*s", (int)(end - s->p - 1), s->p + 1);
    s->p = end + 1;
    return true;
}

static bool take_bool(parser *s, bool *out)
{
    skip_spaces(s);
    *out = !strncmp(s->p, "True", 4);
    if (!*out && strncmp(s->p, "False", 5) != 0)
        return false;
    s->p += *out ? 4 : 5;
    return true;
}

/* (), (5,), (5, 3), (5L, 3L) */
static bool take_shape(parser *s, npy *h)
{
    if (!accept(s, '('))
        return false;
    while (!accept(s, ')')) {
        char *end;
        skip_spaces(s);
        if (!isdigit((unsigned char)*s->p) || h->n_axes == MOST_AXES)
            return false;
        errno = 0;
        h->shape[h->n_axes++] = strtoll(s->p, &end, 10);
        if (errno)
            return false;
        s->p = *end == 'L' ? end + 1 : end;
        if (!accept(s, ',')) {
            skip_spaces(s);
            if (*s->p != ')')
                return false;
        }
    }
    return true;
}

static nset_status parse(npy *h, const char *header, const char *path, nset_error *err)
{
    parser s = { header };
    char key[32];
    int seen = 0;

    *h = (npy){ 0 };
    if (!accept(&s, '{'))
        return nset_fail(err, NSET_ERR_FORMAT, "%s: the NumPy header is no dictionary", path);
    while (!accept(&s, '}')) {
        bool good = take_string(&s, key, sizeof key) && accept(&s, ':');
        skip_spaces(&s);
        if (good && !strcmp(key, "descr") && *s.p == '[')
            return nset_fail(err, NSET_ERR_FORMAT, "%s: an array of records; an array of numbers is expected", path);
        if (good && !strcmp(key, "descr"))
            good = take_string(&s, h->descr, sizeof h->descr), seen |= 1;
        else if (good && !strcmp(key, "fortran_order"))
            good = take_bool(&s, &h->fortran), seen |= 2;
        else if (good && !strcmp(key, "shape"))
            h->n_axes = 0, good = take_shape(&s, h), seen |= 4;
        else
            good = false;
        if (!good)
            return nset_fail(err, NSET_ERR_FORMAT, "%s: byte %zu of the NumPy header's dictionary is not understood",
                path, (size_t)(s.p - header));
        accept(&s, ',');
    }
    if (seen != 7)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: the NumPy header lacks descr, fortran_order or shape", path);
    return NSET_OK;
}

static nset_status read_header(npy *h, int64_t *data, const char *path, nset_error *err)
{
    unsigned char start[12];
    FILE *f = fopen(path, "rb");
    size_t length = 0, skip = 0, got;
    char *header = NULL;
    nset_status status;

    if (!f)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: %s", path, strerror(errno));
    got = fread(start, 1, 12, f);
    if (got == 12 && start[6] >= 1 && start[6] <= 3) {
        skip = start[6] == 1 ? 10 : 12;
        length = start[8] | (size_t)start[9] << 8;
        length |= skip == 12 ? (size_t)start[10] << 16 | (size_t)start[11] << 24 : 0;
    }
    if (length > 0 && length <= MOST_HEADER)
        header = nset_calloc(length + 1, 1);
    if (!header || fseek(f, (long)skip, SEEK_SET) || fread(header, 1, length, f) != length)
        status = nset_fail(
            err, NSET_ERR_FORMAT, "%s: the NumPy header is damaged, cut short or over %d bytes", path, MOST_HEADER);
    else
        status = parse(h, header, path, err);
    fclose(f);
    nset_free(header);
    *data = (int64_t)(skip + length);
    return status;
}

/* ---- the array as a recording ---- */

static nset_status use_type(nset_layout *l, const npy *h, const char *path, nset_error *err)
{
    static const char *const kinds[][2] = { { "i1", "int8" }, { "u1", "uint8" }, { "i2", "int16" }, { "u2", "uint16" },
        { "i4", "int32" }, { "u4", "uint32" }, { "f4", "float32" }, { "f8", "float64" } };
    bool has_order = h->descr[0] && strchr("<>|=", h->descr[0]);
    size_t k = 0;

    while (k < 8 && strcmp(h->descr + has_order, kinds[k][0]) != 0)
        k++;
    if (k == 8)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: the array's type '%s' is not read here%s", path, h->descr,
            strchr(h->descr, 'O') ? ": objects are never loaded" : "");
    snprintf(l->dtype, sizeof l->dtype, "%s", kinds[k][1]);
    l->big_endian = h->descr[0] == '>';
    return NSET_OK;
}

static nset_status use_shape(
    nset_layout *l, const npy *h, const char *path, const nset_recording_options *o, int64_t *n_frames, nset_error *err)
{
    int64_t first = h->n_axes > 0 ? h->shape[0] : 1, second = h->n_axes > 1 ? h->shape[1] : 1, columns;

    if (h->n_axes < 1 || h->n_axes > 2)
        return nset_fail(err, NSET_ERR_FORMAT,
            "%s: the array has %zu axes; (samples, channels) is expected, or (samples)", path, h->n_axes);
    if (h->n_axes == 2 && first < second && !o->order)
        return nset_fail(err, NSET_ERR_FORMAT,
            "%s: the array is (%lld, %lld), but an array (samples, channels) has more samples than channels: give "
            "--order channel-major if its first axis are the channels, --order sample-major if it is right so",
            path, (long long)first, (long long)second);
    *n_frames = nset_channel_major(o) && h->n_axes == 2 ? second : first;
    columns = nset_channel_major(o) && h->n_axes == 2 ? first : second;
    if (columns < 1 || columns > 65536)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: %lld channels: a number from 1 to 65536 is expected; see --order",
            path, (long long)columns);
    l->n_columns = (size_t)columns;
    nset_layout_fact(l, "axes", o->order ? "--order" : "the array's header", "(%s) of (%lld, %lld), %s order",
        nset_channel_major(o) ? "channels, samples" : "samples, channels", (long long)first, (long long)second,
        h->fortran ? "Fortran" : "C");
    return NSET_OK;
}

static nset_status open_npy(nset_layout *l, const char *path, const nset_recording_options *o, nset_error *err)
{
    int64_t n_frames = 0;
    nset_status status;
    npy h;

    if (!(l->data_path = nset_strdup(path)))
        return nset_fail_oom(err, strlen(path), 1);
    if ((status = read_header(&h, &l->header_bytes, path, err)) != NSET_OK ||
        (status = use_type(l, &h, path, err)) != NSET_OK ||
        (status = use_shape(l, &h, path, o, &n_frames, err)) != NSET_OK ||
        (status = nset_layout_channels(l, l->n_columns, err)) != NSET_OK)
        return status;
    l->rate_hz = o->rate_hz;
    nset_layout_plain_gain(l, o);
    if (o->rate_hz > 0)
        nset_layout_fact(l, "rate", "--rate", "%.10g Hz", l->rate_hz);
    nset_layout_fact(l, "dtype", "the array's header", "%s%s", l->dtype, l->big_endian ? ", big-endian" : "");
    if (h.fortran != nset_channel_major(o) && l->n_columns > 1) /* a channel's samples lie together */
        return nset_planes_open(l, n_frames, err);
    l->stated_samples = (double)n_frames;
    return NSET_OK;
}

static nset_status open_npys(
    nset_layout *l, const char *const *paths, size_t n, const nset_recording_options *o, nset_error *err)
{
    return nset_layout_open_each(l, open_npy, paths, n, o, err);
}

const nset_reader nset_reader_npy = {
    .name = "npy", .about = "NumPy array", .says_all = true, .probe = probe, .open = open_npy, .open_many = open_npys
};
