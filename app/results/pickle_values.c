/* Numbers of what a pickle holds. */
#include <string.h>

#include "results/pickle.h"

const nset_value *nset_value_get(const nset_value *v, const char *key)
{
    size_t n = strlen(key);

    for (size_t i = 0; v && v->kind == NSET_VALUE_DICT && i + 1 < v->n; i += 2) {
        const nset_value *k = v->item[i];
        if (k->kind == NSET_VALUE_TEXT && k->n_bytes == n && !memcmp(k->bytes, key, n))
            return v->item[i + 1];
    }
    return NULL;
}

static bool has_numbers(const nset_value *v)
{
    if (v->kind != NSET_VALUE_ARRAY)
        return false;
    if (v->type == 'f')
        return v->size == 4 || v->size == 8;
    return (v->type == 'i' || v->type == 'u' || v->type == 'b') &&
           (v->size == 1 || v->size == 2 || v->size == 4 || v->size == 8);
}

size_t nset_value_count(const nset_value *v)
{
    if (!v)
        return 0;
    if (has_numbers(v))
        return v->n_bytes / v->size;
    if (v->kind == NSET_VALUE_LIST)
        return v->n;
    return v->kind == NSET_VALUE_INT || v->kind == NSET_VALUE_FLOAT || v->kind == NSET_VALUE_BOOL;
}

static double array_number(const nset_value *v, size_t i)
{
    const unsigned char *b = (const unsigned char *)v->bytes + i * v->size;
    uint64_t x = 0;
    double d;
    float f;

    for (size_t k = 0; k < v->size; k++)
        x |= (uint64_t)b[v->order == '>' ? v->size - 1 - k : k] << 8 * k;
    if (v->type == 'f' && v->size == 8) {
        memcpy(&d, &x, 8);
        return d;
    }
    if (v->type == 'f') {
        uint32_t bits = (uint32_t)x;
        memcpy(&f, &bits, 4);
        return (double)f;
    }
    if (v->type == 'i' && v->size < 8 && x >> (8 * v->size - 1))
        x |= UINT64_MAX << 8 * v->size;
    return v->type == 'i' ? (double)(int64_t)x : (double)x;
}

bool nset_value_number(double *x, const nset_value *v, size_t i)
{
    if (v && v->kind == NSET_VALUE_LIST) {
        v = i < v->n ? v->item[i] : NULL;
        i = 0;
    }
    if (!v)
        return false;
    if (has_numbers(v)) {
        if (i >= v->n_bytes / v->size)
            return false;
        *x = array_number(v, i);
        return true;
    }
    if (i > 0 || (v->kind != NSET_VALUE_INT && v->kind != NSET_VALUE_FLOAT && v->kind != NSET_VALUE_BOOL))
        return false;
    *x = v->kind == NSET_VALUE_FLOAT ? v->f : (double)v->i;
    return true;
}
