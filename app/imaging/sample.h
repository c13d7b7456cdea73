/* Samples of pictures: their types, and bytes to numbers. */
#ifndef NSET_IMAGING_SAMPLE_H
#define NSET_IMAGING_SAMPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct nset_sample_type {
    char kind; /* u, i, f */
    int bits;  /* 8, 16, 32, 64; also 16-bit floats, and unsigned integers of any bits up to 32 */
} nset_sample_type;

/* "uint16", "float32", "uint12" ...; NULL when no movie has that type. */
const char *nset_sample_name(nset_sample_type t);

/* Do samples of t begin at bytes, or are they packed? */
static inline bool nset_sample_is_packed(nset_sample_type t)
{
    return t.bits % 8 != 0;
}

/* to (n) := samples that lie step bytes apart from from on; swap: of the other byte order. Not for packed samples.
 * False: an integer of 64 bits is beyond 2^53, where neighbours become one number. */
bool nset_samples_convert(float *to, const void *from, size_t n, size_t step, nset_sample_type t, bool swap);

/* to (n) := packed samples of bits bits, the highest bit first, every stride-th from sample first of the row on. */
void nset_samples_unpack(float *to, const void *row, size_t n, size_t first, size_t stride, int bits);

/* The number of an IEEE 754 half. */
float nset_half_to_float(uint16_t h);

#endif
