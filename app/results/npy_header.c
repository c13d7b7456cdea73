#include "results/npy_header.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <neuroset/memory.h>

enum { MOST_HEADER = 65536 };

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
static bool take_shape(parser *s, nset_npy_header *h)
{
    if (!accept(s, '('))
        return false;
    while (!accept(s, ')')) {
        char *end;
        skip_spaces(s);
        if (!isdigit((unsigned char)*s->p) || h->n_axes == NSET_NPY_AXES)
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

static nset_status parse(nset_npy_header *h, const char *header, const char *path, nset_error *err)
{
    parser s = { header };
    char key[32];
    int seen = 0;

    *h = (nset_npy_header){ 0 };
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

nset_status nset_npy_header_read(nset_npy_header *h, const char *path, nset_error *err)
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
    h->data = (int64_t)(skip + length);
    return status;
}

nset_status nset_npy_dtype(char *dtype, bool *big_endian, const nset_npy_header *h, const char *path, nset_error *err)
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
    strcpy(dtype, kinds[k][1]);
    *big_endian = h->descr[0] == '>';
    return NSET_OK;
}
