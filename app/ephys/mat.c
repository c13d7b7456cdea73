/* MAT version 5: a header of 128 bytes, then elements of type and size. A matrix is an element of elements: flags,
 * dimensions, name, numbers; a compressed element is a zlib stream that holds one other element. */
#include "ephys/mat.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

#include <neuroset/memory.h>

enum { MOST_BYTES = 64 << 20, MOST_NUMBERS = 1000000, HEADER = 128 };
enum { INT8 = 1, UINT8, INT16, UINT16, INT32, UINT32, SINGLE, DOUBLE = 9, INT64 = 12, UINT64, MATRIX, COMPRESSED };

typedef struct mat {
    nset_mat_array *arrays;
    size_t n_arrays;
    const char *path;
    bool big_endian;
    nset_error *err;
} mat;

typedef struct element {
    uint32_t type;
    const unsigned char *data;
    size_t size;  /* of data */
    size_t whole; /* with tag and padding */
} element;

static nset_status damaged(const mat *m, const char *what)
{
    return nset_fail(m->err, NSET_ERR_FORMAT, "%s: damaged MAT-file: %s", m->path, what);
}

/* Number of size bytes at p in the file's order. */
static uint64_t bits(const mat *m, const unsigned char *p, size_t size)
{
    uint64_t v = 0;

    for (size_t i = 0; i < size; i++)
        v = v << 8 | p[m->big_endian ? i : size - 1 - i];
    return v;
}

static bool next_element(const mat *m, element *e, const unsigned char *p, size_t left)
{
    uint32_t type, size;

    if (left < 8)
        return false;
    type = (uint32_t)bits(m, p, 4);
    if (type >> 16) { /* small: size and type in one word, the data in the other */
        *e = (element){ type & 0xffff, p + 4, type >> 16, 8 };
        return e->size <= 4;
    }
    size = (uint32_t)bits(m, p + 4, 4);
    if (size > left - 8)
        return false;
    *e = (element){ type, p + 8, size, 8 + (size_t)size };
    if (type != COMPRESSED && size % 8) /* padded, but the last one may lack it */
        e->whole = left - e->whole < 8 - size % 8 ? left : e->whole + 8 - size % 8;
    return true;
}

static size_t item_size(uint32_t type)
{
    switch (type) {
    case INT8:
    case UINT8:
        return 1;
    case INT16:
    case UINT16:
        return 2;
    case INT32:
    case UINT32:
    case SINGLE:
        return 4;
    case DOUBLE:
    case INT64:
    case UINT64:
        return 8;
    default:
        return 0;
    }
}

static double number(const mat *m, uint32_t type, const unsigned char *p)
{
    uint64_t v = bits(m, p, item_size(type));
    uint32_t word = (uint32_t)v;
    double d;
    float f;

    switch (type) {
    case INT8:
        return (int8_t)v;
    case INT16:
        return (int16_t)v;
    case INT32:
        return (int32_t)v;
    case INT64:
        return (double)(int64_t)v;
    case SINGLE:
        memcpy(&f, &word, sizeof f);
        return (double)f;
    case DOUBLE:
        memcpy(&d, &v, sizeof d);
        return d;
    default:
        return (double)v;
    }
}

static nset_mat_array *wanted(const mat *m, const element *name)
{
    for (size_t i = 0; i < m->n_arrays; i++)
        if (strlen(m->arrays[i].name) == name->size && !memcmp(m->arrays[i].name, name->data, name->size))
            return &m->arrays[i];
    return NULL;
}

static nset_status take_numbers(const mat *m, nset_mat_array *a, const element *e)
{
    size_t size = item_size(e->type), n = size ? e->size / size : 0;

    if (!size || n > MOST_NUMBERS)
        return damaged(m, "an array of a channel map holds no numbers, or more than a million");
    nset_free(a->x);
    if (!(a->x = nset_calloc(n, sizeof *a->x)))
        return nset_fail_oom(m->err, n, sizeof *a->x);
    a->n = n;
    for (size_t i = 0; i < n; i++)
        a->x[i] = number(m, e->type, e->data + i * size);
    return NSET_OK;
}

static nset_status read_matrix(const mat *m, const element *matrix)
{
    element part[4]; /* flags, dimensions, name, numbers */
    const unsigned char *p = matrix->data;
    size_t left = matrix->size;
    nset_mat_array *a;
    unsigned kind;

    if (left == 0)
        return NSET_OK; /* an empty matrix is an element of no bytes */
    for (int i = 0; i < 3; i++) {
        if (!next_element(m, &part[i], p, left))
            return damaged(m, "a variable is cut short");
        p += part[i].whole;
        left -= part[i].whole;
    }
    if (part[0].size < 8)
        return damaged(m, "a variable has no flags");
    kind = (unsigned)bits(m, part[0].data, 4) & 0xff;
    a = kind >= 6 && kind <= 15 ? wanted(m, &part[2]) : NULL; /* double, single, whole numbers */
    if (!a)
        return NSET_OK;
    if (!next_element(m, &part[3], p, left))
        return damaged(m, "the numbers of a variable are cut short");
    return take_numbers(m, a, &part[3]);
}

/* *out (*n) := what a zlib stream holds, at most MOST_BYTES. */
static nset_status inflate_all(const mat *m, unsigned char **out, size_t *n, const element *e)
{
    z_stream z = { .next_in = (Bytef *)(uintptr_t)e->data, .avail_in = (uInt)e->size };
    size_t room = 4 * e->size + 4096;
    int code = inflateInit(&z);

    *out = NULL;
    *n = 0;
    if (code != Z_OK)
        return nset_fail_oom(m->err, 1, 1);
    do {
        unsigned char *more;
        room = room > MOST_BYTES ? MOST_BYTES : room;
        more = nset_calloc(room, 1);
        if (more && *n)
            memcpy(more, *out, *n);
        nset_free(*out);
        if (!(*out = more)) {
            inflateEnd(&z);
            return nset_fail_oom(m->err, room, 1);
        }
        z.next_out = *out + *n;
        z.avail_out = (uInt)(room - *n);
        code = inflate(&z, Z_NO_FLUSH);
        *n = z.total_out;
        room *= 4;
    } while (code == Z_OK && z.avail_out == 0 && *n < MOST_BYTES);
    inflateEnd(&z);
    return code == Z_STREAM_END ? NSET_OK : damaged(m, "a compressed variable cannot be unpacked, or is too large");
}

static nset_status read_element(const mat *m, const element *e)
{
    unsigned char *bytes = NULL;
    element inner;
    nset_status status;
    size_t n;

    if (e->type == MATRIX)
        return read_matrix(m, e);
    if (e->type != COMPRESSED)
        return NSET_OK;
    status = inflate_all(m, &bytes, &n, e);
    if (status == NSET_OK && !next_element(m, &inner, bytes, n))
        status = damaged(m, "a compressed variable is cut short");
    else if (status == NSET_OK && inner.type == MATRIX)
        status = read_matrix(m, &inner);
    nset_free(bytes);
    return status;
}

static nset_status read_elements(mat *m, const unsigned char *bytes, size_t n)
{
    nset_status status = NSET_OK;
    size_t at = HEADER;

    if (n < HEADER || (memcmp(bytes + 126, "IM", 2) && memcmp(bytes + 126, "MI", 2)))
        return nset_fail(m->err, NSET_ERR_FORMAT, "%s: this is no MAT-file of version 5 or 7.3", m->path);
    m->big_endian = bytes[126] == 'M';
    while (at < n && status == NSET_OK) {
        element e;
        if (!next_element(m, &e, bytes + at, n - at))
            return damaged(m, "the file ends within a variable");
        status = read_element(m, &e);
        at += e.whole;
    }
    return status;
}

static nset_status load(unsigned char **bytes, size_t *n, const char *path, nset_error *err)
{
    FILE *f = fopen(path, "rb");
    struct stat s;

    if (!f)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: %s", path, strerror(errno));
    if (fstat(fileno(f), &s) || !S_ISREG(s.st_mode) || s.st_size > MOST_BYTES) {
        fclose(f);
        return nset_fail(err, NSET_ERR_FORMAT, "%s: not a file of at most %d bytes", path, MOST_BYTES);
    }
    if ((*bytes = nset_calloc((size_t)s.st_size, 1)))
        *n = fread(*bytes, 1, (size_t)s.st_size, f);
    fclose(f);
    return *bytes ? NSET_OK : nset_fail_oom(err, (size_t)s.st_size, 1);
}

nset_status nset_mat_read(nset_mat_array *arrays, size_t n_arrays, const char *path, nset_error *err)
{
    static const char hdf5[8] = "\x89HDF\r\n\x1a\n";
    mat m = { arrays, n_arrays, path, false, err };
    unsigned char *bytes = NULL;
    size_t n = 0;
    nset_status status = load(&bytes, &n, path, err);

    if (status == NSET_OK && n >= 520 && !memcmp(bytes + 512, hdf5, sizeof hdf5))
        status = nset_mat_read_hdf5(arrays, n_arrays, path, err);
    else if (status == NSET_OK)
        status = read_elements(&m, bytes, n);
    nset_free(bytes);
    if (status != NSET_OK)
        nset_mat_release(arrays, n_arrays);
    return status;
}

void nset_mat_release(nset_mat_array *arrays, size_t n_arrays)
{
    for (size_t i = 0; i < n_arrays; i++) {
        nset_free(arrays[i].x);
        arrays[i].x = NULL;
        arrays[i].n = 0;
    }
}
