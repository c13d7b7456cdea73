/* Little-endian numbers out of bytes, and a cursor that cannot run past the end. */
#ifndef NSET_EPHYS_BYTES_H
#define NSET_EPHYS_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint16_t nset_le16(const unsigned char *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t nset_le32(const unsigned char *p)
{
    return (uint32_t)nset_le16(p) | (uint32_t)nset_le16(p + 2) << 16;
}

static inline uint64_t nset_le64(const unsigned char *p)
{
    return (uint64_t)nset_le32(p) | (uint64_t)nset_le32(p + 4) << 32;
}

static inline float nset_le_float(const unsigned char *p)
{
    uint32_t bits = nset_le32(p);
    float x;

    memcpy(&x, &bits, sizeof x);
    return x;
}

typedef struct nset_cursor {
    const unsigned char *bytes;
    size_t n, at;
    bool ended; /* more was asked for than there is: everything read since is 0 */
} nset_cursor;

/* The next n bytes, or NULL when there are fewer. */
static inline const unsigned char *nset_cursor_take(nset_cursor *c, size_t n)
{
    if (c->ended || n > c->n - c->at) {
        c->ended = true;
        return NULL;
    }
    c->at += n;
    return c->bytes + c->at - n;
}

static inline int nset_cursor_i16(nset_cursor *c)
{
    const unsigned char *p = nset_cursor_take(c, 2);

    return p ? (int16_t)nset_le16(p) : 0;
}

static inline uint32_t nset_cursor_u32(nset_cursor *c)
{
    const unsigned char *p = nset_cursor_take(c, 4);

    return p ? nset_le32(p) : 0;
}

static inline double nset_cursor_float(nset_cursor *c)
{
    const unsigned char *p = nset_cursor_take(c, 4);

    return p ? (double)nset_le_float(p) : 0;
}

#endif
