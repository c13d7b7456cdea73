#include "ephys/columns.h"

#include <neuroset/memory.h>

enum { BLOCK_BYTES = 4 << 20, MAX_BLOCK = 1 << 16, MIN_BLOCK = 512 };

static size_t block_size(const nset_columns *s)
{
    size_t n = BLOCK_BYTES / sizeof(int16_t) / s->base.n_columns;

    n = n > MAX_BLOCK ? MAX_BLOCK : n < MIN_BLOCK ? MIN_BLOCK : n;
    return (int64_t)n < s->base.n_frames ? n : (size_t)s->base.n_frames;
}

/* The block that holds a sample; blocks are counted from sample 0. */
static nset_status load(nset_columns *s, int64_t sample, nset_error *err)
{
    size_t n_columns = s->base.n_columns, size = block_size(s);
    int64_t start = sample - sample % (int64_t)size, left = s->base.n_frames - start;
    size_t n = left < (int64_t)size ? (size_t)left : size;
    nset_status status;

    if (s->block && s->n_block && start == s->start)
        return NSET_OK;
    if (!s->block && !(s->block = nset_calloc(size * n_columns, sizeof *s->block)))
        return nset_fail_oom(err, size * n_columns, sizeof *s->block);
    s->n_block = 0;
    if ((status = s->fill(s, s->block, start, n, err)) != NSET_OK)
        return status;
    s->start = start;
    s->n_block = n;
    return NSET_OK;
}

static nset_status read(nset_frames *self, double *raw, int64_t start, size_t n, nset_error *err)
{
    nset_columns *s = (nset_columns *)self;
    size_t n_columns = self->n_columns;
    nset_status status;

    while (n > 0) {
        const int16_t *from;
        size_t skip, now;
        if ((status = load(s, start, err)) != NSET_OK)
            return status;
        skip = (size_t)(start - s->start);
        now = s->n_block - skip < n ? s->n_block - skip : n;
        from = s->block + skip * n_columns;
        for (size_t i = 0; i < now * n_columns; i++)
            raw[i] = from[i] + s->bias;
        raw += now * n_columns;
        start += (int64_t)now;
        n -= now;
    }
    return NSET_OK;
}

void nset_columns_init(nset_columns *c)
{
    c->base.read = read;
}

void nset_columns_fini(nset_columns *c)
{
    nset_free(c->block);
    c->block = NULL;
    c->n_block = 0;
}
