#include "safetensors.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include <neuroset/memory.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the numbers of a model file are little-endian");

enum { MAX_HEADER = 16 << 20, MAX_NAME = 255 };

static nset_status bad(const nset_safetensors *m, nset_error *err, const char *tensor, const char *what)
{
    return nset_fail(err, NSET_ERR_FORMAT, "%s: tensor '%s': %s", m->name, tensor, what);
}

/* Names come into messages and onto terminals: printable letters only. */
static bool name_is_plain(const char *name)
{
    const size_t n = strlen(name);

    for (size_t i = 0; i < n; i++)
        if (name[i] < '!' || name[i] > '~')
            return false;
    return n > 0 && n <= MAX_NAME;
}

/* A whole number from 0 to limit. */
static bool read_size(size_t *out, const json_t *value, size_t limit)
{
    const json_int_t x = json_integer_value(value);

    if (!json_is_integer(value) || x < 0 || (uintmax_t)x > limit)
        return false;
    *out = (size_t)x;
    return true;
}

static nset_status read_shape(nset_tensor_row *t, const json_t *shape, const nset_safetensors *m, nset_error *err)
{
    const size_t rank = json_array_size(shape);
    size_t n;

    if (!json_is_array(shape) || rank < 1 || rank > 2)
        return bad(m, err, t->name, "'shape' is not an array of 1 or 2 sizes");
    t->columns = 1;
    if (!read_size(&t->rows, json_array_get(shape, 0), m->n_numbers) || t->rows == 0 ||
        (rank == 2 && (!read_size(&t->columns, json_array_get(shape, 1), m->n_numbers) || t->columns == 0)))
        return bad(m, err, t->name, "'shape' has a size that is not from 1 to the numbers in the file");
    if (__builtin_mul_overflow(t->rows, t->columns, &n) || n > m->n_numbers)
        return nset_fail(err, NSET_ERR_FORMAT,
            "%s: tensor '%s': the shape %zu x %zu is more than the %zu numbers in the file", m->name, t->name, t->rows,
            t->columns, m->n_numbers);
    return NSET_OK;
}

static nset_status read_place(nset_tensor_row *t, const json_t *offsets, const nset_safetensors *m, nset_error *err)
{
    const size_t limit = m->n_numbers * sizeof(float);
    size_t first, last;

    if (json_array_size(offsets) != 2 || !read_size(&first, json_array_get(offsets, 0), limit) ||
        !read_size(&last, json_array_get(offsets, 1), limit))
        return nset_fail(err, NSET_ERR_FORMAT, "%s: tensor '%s': 'data_offsets' is not two whole numbers from 0 to %zu",
            m->name, t->name, limit);
    if (first % sizeof(float) || last < first || last - first != t->rows * t->columns * sizeof(float))
        return nset_fail(err, NSET_ERR_FORMAT,
            "%s: tensor '%s': bytes %zu to %zu do not hold %zu x %zu numbers of 4 bytes", m->name, t->name, first, last,
            t->rows, t->columns);
    t->at = first / sizeof(float);
    return NSET_OK;
}

static nset_status read_tensor(nset_tensor_row *t, const json_t *value, const nset_safetensors *m, nset_error *err)
{
    const char *type = json_string_value(json_object_get(value, "dtype"));
    nset_status status;

    if (json_object_size(value) != 3)
        return bad(m, err, t->name, "needs exactly 'dtype', 'shape' and 'data_offsets'");
    if (!type || strcmp(type, "F32"))
        return bad(m, err, t->name, "'dtype' is not \"F32\", the only type of our models");
    if ((status = read_shape(t, json_object_get(value, "shape"), m, err)) != NSET_OK)
        return status;
    return read_place(t, json_object_get(value, "data_offsets"), m, err);
}

static nset_status check_meta(const nset_safetensors *m, nset_error *err)
{
    const char *key;
    json_t *value;

    if (m->meta && !json_is_object(m->meta))
        return nset_fail(err, NSET_ERR_FORMAT, "%s: '__metadata__' is not an object of texts", m->name);
    json_object_foreach(m->meta, key, value)
    {
        if (!json_is_string(value))
            return nset_fail(err, NSET_ERR_FORMAT, "%s: '__metadata__' has a value that is not a text", m->name);
    }
    return NSET_OK;
}

static int by_place(const void *a, const void *b)
{
    const nset_tensor_row *x = a, *y = b;

    return x->at < y->at ? -1 : x->at > y->at;
}

/* Tensors must cover the data once: no overlap, no gap, nothing left over. */
static nset_status check_cover(const nset_safetensors *m, nset_error *err)
{
    size_t end = 0;

    for (size_t i = 0; i < m->n_tensors; i++) {
        const nset_tensor_row *t = &m->tensors[i];
        if (t->at != end)
            return nset_fail(err, NSET_ERR_FORMAT,
                "%s: tensor '%s' begins at byte %zu of the data, %s the one before ends at %zu", m->name, t->name,
                t->at * sizeof(float), t->at < end ? "an overlap:" : "a gap:", end * sizeof(float));
        end += t->rows * t->columns;
    }
    if (end != m->n_numbers)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: the tensors end at byte %zu of the data, which has %zu bytes",
            m->name, end * sizeof(float), m->n_numbers * sizeof(float));
    return NSET_OK;
}

static nset_status check_finite(const nset_safetensors *m, nset_error *err)
{
    for (size_t i = 0; i < m->n_tensors; i++) {
        const nset_tensor_row *t = &m->tensors[i];
        for (size_t k = 0; k < t->rows * t->columns; k++)
            if (!isfinite(m->data[t->at + k]))
                return nset_fail(
                    err, NSET_ERR_FORMAT, "%s: tensor '%s': number %zu is not finite", m->name, t->name, k);
    }
    return NSET_OK;
}

static nset_status read_header(nset_safetensors *m, nset_error *err)
{
    const char *key;
    json_t *value;
    nset_status status;

    if (!json_is_object(m->root))
        return nset_fail(err, NSET_ERR_FORMAT, "%s: the header is not a JSON object", m->name);
    if (!(m->tensors = nset_calloc(json_object_size(m->root), sizeof *m->tensors)))
        return nset_fail_oom(err, json_object_size(m->root), sizeof *m->tensors);
    m->meta = json_object_get(m->root, "__metadata__");
    if ((status = check_meta(m, err)) != NSET_OK)
        return status;
    json_object_foreach(m->root, key, value)
    {
        nset_tensor_row *t = &m->tensors[m->n_tensors];
        if (value == m->meta)
            continue;
        if (!name_is_plain(key))
            return nset_fail(err, NSET_ERR_FORMAT, "%s: the name of tensor %zu is not 1 to %d printable characters",
                m->name, m->n_tensors, MAX_NAME);
        t->name = key;
        if ((status = read_tensor(t, value, m, err)) != NSET_OK)
            return status;
        m->n_tensors++;
    }
    qsort(m->tensors, m->n_tensors, sizeof *m->tensors, by_place);
    if ((status = check_cover(m, err)) != NSET_OK)
        return status;
    return check_finite(m, err);
}

/* Splits bytes into the header's JSON and the numbers behind it. */
static nset_status split(nset_safetensors *m, const unsigned char *bytes, size_t n_bytes, nset_error *err)
{
    uint64_t n_header = 0;
    size_t n_data;
    json_error_t json;

    if (n_bytes < sizeof n_header)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: %zu bytes are too few for a model file", m->name, n_bytes);
    memcpy(&n_header, bytes, sizeof n_header);
    if (n_header > MAX_HEADER || n_header > n_bytes - sizeof n_header)
        return nset_fail(err, NSET_ERR_FORMAT,
            "%s: the header is said to have %" PRIu64 " bytes, the file has %zu behind that number and %d is the most",
            m->name, n_header, n_bytes - sizeof n_header, MAX_HEADER);
    n_data = n_bytes - sizeof n_header - (size_t)n_header;
    if (n_data % sizeof(float))
        return nset_fail(err, NSET_ERR_FORMAT, "%s: the data has %zu bytes, not a multiple of 4", m->name, n_data);
    m->root = json_loadb((const char *)bytes + sizeof n_header, (size_t)n_header, JSON_REJECT_DUPLICATES, &json);
    if (!m->root && json_error_code(&json) == json_error_out_of_memory)
        return nset_fail_oom(err, (size_t)n_header, 1);
    for (char *c = json.text; !m->root && *c; c++)
        if (*c < ' ') /* it quotes the file; a message is one line */
            *c = '?';
    if (!m->root)
        return nset_fail(
            err, NSET_ERR_FORMAT, "%s: header, line %d, column %d: %s", m->name, json.line, json.column, json.text);
    m->n_numbers = n_data / sizeof(float);
    if (!(m->data = nset_calloc(m->n_numbers, sizeof *m->data)))
        return nset_fail_oom(err, m->n_numbers, sizeof *m->data);
    memcpy(m->data, bytes + sizeof n_header + n_header, n_data);
    return NSET_OK;
}

nset_status nset_safetensors_parse(
    nset_safetensors *f, const void *bytes, size_t n_bytes, const char *name, nset_error *err)
{
    nset_status status;

    *f = (nset_safetensors){ .name = nset_strdup(name) };
    if (!f->name)
        return nset_fail_oom(err, strlen(name) + 1, 1);
    if ((status = split(f, bytes, n_bytes, err)) == NSET_OK)
        status = read_header(f, err);
    if (status != NSET_OK)
        nset_safetensors_fini(f);
    return status;
}
