#include "ephys/intan_times.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "ephys/bytes.h"

enum {
    STRIDE = 4096,     /* counts of which only the ends are looked at when they fit together */
    MAX_JUMPS = 10000, /* more: the counts are no clock */
};

typedef struct scan {
    nset_intan_clock *clock;
    nset_layout *l;
    const nset_intan_times *t;
    int fd;
    int64_t first;
    size_t n_jumps;
} scan;

static nset_status count_at(int64_t *out, const scan *s, int64_t i, nset_error *err)
{
    const nset_intan_times *t = s->t;
    int64_t n = (int64_t)t->n_block;
    unsigned char b[4];

    if (pread(s->fd, b, 4, (off_t)(t->offset + i / n * (int64_t)t->block_bytes + 4 * (i % n))) != 4)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: the count of sample %lld cannot be read", t->path, (long long)i);
    *out = t->is_unsigned ? (int64_t)nset_le32(b) : (int64_t)(int32_t)nset_le32(b);
    return NSET_OK;
}

/* Counts are 32 bits and come around after a day or two: the difference counts, not the order. */
static int64_t difference(int64_t a, int64_t b)
{
    return (int32_t)(uint32_t)((uint64_t)a - (uint64_t)b);
}

static nset_status meet(scan *s, int64_t i, int64_t count, nset_error *err)
{
    int64_t jump = s->clock->runs ? difference(count, s->clock->next) : 0;

    if (!s->clock->runs)
        s->l->start_s = (double)count / s->l->rate_hz;
    s->clock->runs = true;
    s->clock->next = count + 1;
    if (jump == 0 || s->n_jumps++ >= MAX_JUMPS)
        return NSET_OK;
    return nset_layout_add_gap(s->l, s->first + i, (double)jump / s->l->rate_hz, err);
}

static nset_status follow(scan *s, nset_error *err)
{
    nset_status status;
    int64_t a, b;

    for (int64_t i = 0; i < s->t->n && s->n_jumps < MAX_JUMPS; i += STRIDE) {
        int64_t n = s->t->n - i < STRIDE ? s->t->n - i : STRIDE;
        if ((status = count_at(&a, s, i, err)) != NSET_OK || (status = count_at(&b, s, i + n - 1, err)) != NSET_OK ||
            (status = meet(s, i, a, err)) != NSET_OK)
            return status;
        if (difference(b, a) == n - 1) {
            s->clock->next = b + 1;
            continue;
        }
        for (int64_t k = 1; k < n; k++)
            if ((status = count_at(&a, s, i + k, err)) != NSET_OK || (status = meet(s, i + k, a, err)) != NSET_OK)
                return status;
    }
    return NSET_OK;
}

nset_status nset_intan_times_follow(
    nset_intan_clock *clock, nset_layout *l, const nset_intan_times *t, int64_t first, nset_error *err)
{
    scan s = { .clock = clock, .l = l, .t = t, .first = first };
    nset_status status;

    if ((s.fd = open(t->path, O_RDONLY | O_CLOEXEC)) < 0)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: %s", t->path, strerror(errno));
    status = follow(&s, err);
    close(s.fd);
    if (s.n_jumps >= MAX_JUMPS)
        nset_layout_warn(l,
            "%s: the counts of samples jump more than %d times: they are damaged, later gaps are not known", t->path,
            MAX_JUMPS);
    return status;
}
