#include "results/npz.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zip.h>

#include <neuroset/memory.h>

enum { LIMIT = 1 << 30 }; /* bytes of one array: results and truths are far smaller */

typedef struct entry {
    char name[96];
    char descr[16];
    size_t rank, shape[4], n;
    char *bytes; /* whole npy file */
    const char *data;
    int64_t *as_i64;
    double *as_f64;
} entry;

struct nset_npz {
    entry *entries;
    size_t n;
};

static const char *find_value(const char *header, const char *key)
{
    const char *p = strstr(header, key);

    if (!p)
        return NULL;
    for (p += strlen(key); *p == ' ' || *p == ':' || *p == '\''; p++)
        ;
    return p;
}

static bool parse_shape(entry *e, const char *p)
{
    e->n = 1;
    if (!p || *p++ != '(')
        return false;
    for (;;) {
        char *end;
        while (*p == ' ' || *p == ',')
            p++;
        if (*p == ')')
            return true;
        if (!isdigit((unsigned char)*p) || e->rank == 4)
            return false;
        e->shape[e->rank] = strtoull(p, &end, 10);
        if (__builtin_mul_overflow(e->n, e->shape[e->rank++], &e->n))
            return false;
        p = end;
    }
}

static size_t item_size(const char *descr)
{
    int n = atoi(descr + 2);

    if (descr[0] == '>' || n < 1 || n > 4096)
        return 0;
    if (descr[1] == 'U')
        return 4 * (size_t)n;
    return strchr("iufb", descr[1]) && (n == 1 || n == 2 || n == 4 || n == 8) ? (size_t)n : 0;
}

/* With at most one of them both orders of the axes are the same bytes. */
static size_t n_long_axes(const entry *e)
{
    size_t n = 0;

    for (size_t i = 0; i < e->rank; i++)
        n += e->shape[i] > 1;
    return n;
}

static nset_status parse_npy(entry *e, size_t size, const char *path, nset_error *err)
{
    char header[4096];
    size_t start, length;
    const char *p;

    if (size < 12 || memcmp(e->bytes, "\x93NUMPY", 6) || (e->bytes[6] != 1 && e->bytes[6] != 2))
        return nset_fail(err, NSET_ERR_FORMAT, "%s: %s: this is not a NumPy array (version 1 or 2)", path, e->name);
    length = (unsigned char)e->bytes[8] | (size_t)(unsigned char)e->bytes[9] << 8;
    start = e->bytes[6] == 1 ? 10 : 12;
    if (length >= sizeof header || start + length > size)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: %s: the header of %zu bytes does not fit", path, e->name, length);
    memcpy(header, e->bytes + start, length);
    header[length] = '\0';
    if (!(p = find_value(header, "'descr'")) || strlen(p) < 3)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: %s: the header has no 'descr'", path, e->name);
    for (size_t i = 0; i + 1 < sizeof e->descr && p[i] && p[i] != '\''; i++)
        e->descr[i] = p[i];
    if (!parse_shape(e, find_value(header, "'shape'")))
        return nset_fail(err, NSET_ERR_FORMAT, "%s: %s: the shape is not one of at most 4 axes", path, e->name);
    if (!item_size(e->descr) || (strstr(header, "'fortran_order': True") && n_long_axes(e) > 1))
        return nset_fail(err, NSET_ERR_FORMAT,
            "%s: %s: type '%s' is not read here (little-endian numbers or text, "
            "C order)",
            path, e->name, e->descr);
    if (e->n > (size - start - length) / item_size(e->descr))
        return nset_fail(err, NSET_ERR_FORMAT, "%s: %s: %zu items are named, the file has %zu bytes for them", path,
            e->name, e->n, size - start - length);
    e->data = e->bytes + start + length;
    return NSET_OK;
}

static nset_status read_member(entry *e, zip_t *zip, zip_uint64_t i, const char *path, nset_error *err)
{
    zip_stat_t s;
    zip_file_t *f;
    zip_int64_t got;

    if (zip_stat_index(zip, i, 0, &s) || !(s.valid & ZIP_STAT_SIZE) || s.size > LIMIT)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: member %llu is damaged or over 1 GB", path, (unsigned long long)i);
    snprintf(e->name, sizeof e->name, "%s", s.name);
    if (strlen(e->name) > 4 && !strcmp(e->name + strlen(e->name) - 4, ".npy"))
        e->name[strlen(e->name) - 4] = '\0';
    if (!(e->bytes = nset_calloc(s.size + 1, 1)))
        return nset_fail_oom(err, s.size, 1);
    if (!(f = zip_fopen_index(zip, i, 0)))
        return nset_fail(err, NSET_ERR_FORMAT, "%s: %s: %s", path, e->name, zip_strerror(zip));
    got = zip_fread(f, e->bytes, s.size);
    zip_fclose(f);
    if (got != (zip_int64_t)s.size)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: %s: the compressed data are damaged", path, e->name);
    return parse_npy(e, s.size, path, err);
}

static nset_status read_zip(nset_npz *z, const char *path, nset_error *err)
{
    nset_status status = NSET_OK;
    int code;
    zip_t *zip = zip_open(path, ZIP_RDONLY, &code);

    if (!zip)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: this is not a readable npz (zip) file", path);
    z->n = (size_t)zip_get_num_entries(zip, 0);
    if (!(z->entries = nset_calloc(z->n, sizeof *z->entries)))
        status = nset_fail_oom(err, z->n, sizeof *z->entries);
    for (size_t i = 0; i < z->n && status == NSET_OK; i++)
        status = read_member(&z->entries[i], zip, i, path, err);
    zip_discard(zip);
    return status;
}

static nset_status read_npy(nset_npz *z, FILE *f, const char *path, nset_error *err)
{
    long size;

    if (fseek(f, 0, SEEK_END) || (size = ftell(f)) < 0 || size > LIMIT || fseek(f, 0, SEEK_SET))
        return nset_fail(err, NSET_ERR_FORMAT, "%s: cannot be read or is over 1 GB", path);
    if (!(z->entries = nset_calloc(1, sizeof *z->entries)))
        return nset_fail_oom(err, 1, sizeof *z->entries);
    z->n = 1;
    if (!(z->entries->bytes = nset_calloc((size_t)size + 1, 1)))
        return nset_fail_oom(err, (size_t)size, 1);
    if (fread(z->entries->bytes, 1, (size_t)size, f) != (size_t)size)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: cannot be read", path);
    return parse_npy(z->entries, (size_t)size, path, err);
}

nset_status nset_npz_open(nset_npz **out, const char *path, nset_error *err)
{
    nset_npz *z = nset_calloc(1, sizeof *z);
    FILE *f = fopen(path, "rb");
    char magic[6] = "";
    nset_status status;

    if (!z || !f) {
        status =
            !f ? nset_fail(err, NSET_ERR_FORMAT, "%s: %s", path, strerror(errno)) : nset_fail_oom(err, 1, sizeof *z);
        if (f)
            fclose(f);
        nset_free(z);
        return status;
    }
    if (fread(magic, 1, 6, f) == 6 && !memcmp(magic, "\x93NUMPY", 6))
        status = read_npy(z, f, path, err);
    else
        status = read_zip(z, path, err);
    fclose(f);
    if (status != NSET_OK) {
        nset_npz_close(z);
        return status;
    }
    *out = z;
    return NSET_OK;
}

void nset_npz_close(nset_npz *z)
{
    if (!z)
        return;
    for (size_t i = 0; i < z->n && z->entries; i++) {
        nset_free(z->entries[i].bytes);
        nset_free(z->entries[i].as_i64);
        nset_free(z->entries[i].as_f64);
    }
    nset_free(z->entries);
    nset_free(z);
}

static entry *find(const nset_npz *z, const char *name)
{
    for (size_t i = 0; i < z->n; i++)
        if (!strcmp(z->entries[i].name, name) || (z->n == 1 && !z->entries[i].name[0]))
            return &z->entries[i];
    return NULL;
}

static double number_at(const entry *e, size_t i)
{
    const char *p = e->data + i * item_size(e->descr);
#define AS(type)                                                                                                       \
    {                                                                                                                  \
        type v;                                                                                                        \
        memcpy(&v, p, sizeof v);                                                                                       \
        return (double)v;                                                                                              \
    }
    switch (e->descr[1] << 8 | e->descr[2]) {
    case 'f' << 8 | '4':
        AS(float)
    case 'f' << 8 | '8':
        AS(double)
    case 'i' << 8 | '1':
        AS(int8_t)
    case 'i' << 8 | '2':
        AS(int16_t)
    case 'i' << 8 | '4':
        AS(int32_t)
    case 'i' << 8 | '8':
        AS(int64_t)
    case 'u' << 8 | '2':
        AS(uint16_t)
    case 'u' << 8 | '4':
        AS(uint32_t)
    case 'u' << 8 | '8':
        AS(uint64_t)
    default:
        AS(uint8_t)
    }
#undef AS
}

/* Not a number, or beyond 64 bits: 0. */
static int64_t whole(double v)
{
    return v > -9.2e18 && v < 9.2e18 ? (int64_t)v : 0;
}

const int64_t *nset_npz_i64(nset_npz *z, const char *name, size_t *n)
{
    entry *e = find(z, name);

    if (!e || e->descr[1] == 'U')
        return NULL;
    if (!e->as_i64 && (e->as_i64 = nset_calloc(e->n, sizeof *e->as_i64)))
        for (size_t i = 0; i < e->n; i++)
            e->as_i64[i] = whole(number_at(e, i));
    *n = e->n;
    return e->as_i64;
}

const double *nset_npz_f64(nset_npz *z, const char *name, size_t *n)
{
    entry *e = find(z, name);

    if (!e || e->descr[1] == 'U')
        return NULL;
    if (!e->as_f64 && (e->as_f64 = nset_calloc(e->n, sizeof *e->as_f64)))
        for (size_t i = 0; i < e->n; i++)
            e->as_f64[i] = number_at(e, i);
    *n = e->n;
    return e->as_f64;
}

size_t nset_npz_shape(const nset_npz *z, const char *name, size_t shape[4])
{
    const entry *e = find(z, name);

    if (!e)
        return 0;
    memcpy(shape, e->shape, sizeof e->shape);
    return e->rank;
}
