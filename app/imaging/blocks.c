#include "imaging/blocks.h"

#include <pthread.h>
#include <string.h>

#include <neuroset/memory.h>

enum { N_SLOTS = 4, BLOCK_BYTES = 32 << 20 };

typedef struct slot {
    float *x; /* (per_block, height, width) */
    size_t series;
    int64_t first, n; /* n 0: empty */
    uint64_t used;    /* when last */
} slot;

typedef struct blocks {
    nset_pictures base;
    nset_block_source *source;
    pthread_mutex_t lock;
    slot slot[N_SLOTS];
    uint64_t clock;
    int64_t per_block;
} blocks;

/* The slot that holds the frame, filled now if none does. */
static nset_status find_slot(blocks *b, slot **out, size_t series, int64_t frame, nset_error *err)
{
    nset_block_source *s = b->source;
    int64_t first = frame / b->per_block * b->per_block;
    slot *oldest = &b->slot[0];
    nset_status status;

    for (slot *i = b->slot; i < b->slot + N_SLOTS; i++) {
        if (i->n && i->series == series && i->first == first) {
            *out = i;
            return NSET_OK;
        }
        if (i->used < oldest->used)
            oldest = i;
    }
    if (!oldest->x && !(oldest->x = nset_calloc((size_t)b->per_block * s->height * s->width, sizeof *oldest->x)))
        return nset_fail_oom(err, (size_t)b->per_block * s->height * s->width, sizeof *oldest->x);
    oldest->n = 0;
    oldest->series = series;
    oldest->first = first;
    int64_t n = s->n_frames - first < b->per_block ? s->n_frames - first : b->per_block;
    if ((status = s->fetch(s, oldest->x, series, first, n, err)) != NSET_OK)
        return status;
    oldest->n = n;
    *out = oldest;
    return NSET_OK;
}

static nset_status read_picture(nset_pictures *self, float *to, int64_t index, nset_error *err)
{
    blocks *b = (blocks *)self;
    size_t n = self->height * self->width, series = (size_t)(index % (int64_t)b->source->n_series);
    int64_t frame = index / (int64_t)b->source->n_series;
    slot *s = NULL;
    nset_status status;

    pthread_mutex_lock(&b->lock);
    if ((status = find_slot(b, &s, series, frame, err)) == NSET_OK) {
        s->used = ++b->clock;
        memcpy(to, s->x + (size_t)(frame - s->first) * n, n * sizeof *to);
    }
    pthread_mutex_unlock(&b->lock);
    return status;
}

static void close_blocks(nset_pictures *self)
{
    blocks *b = (blocks *)self;

    for (size_t i = 0; i < N_SLOTS; i++)
        nset_free(b->slot[i].x);
    b->source->close(b->source);
    pthread_mutex_destroy(&b->lock);
    nset_free(b);
}

nset_status nset_blocks_open(nset_pictures **out, nset_block_source *source, nset_error *err)
{
    blocks *b = nset_calloc(1, sizeof *b);
    size_t frame = source->height * source->width * sizeof(float);
    int64_t fits = (int64_t)(BLOCK_BYTES / frame);

    if (!b) {
        source->close(source);
        return nset_fail_oom(err, 1, sizeof *b);
    }
    b->base = (nset_pictures){ source->height, source->width, read_picture, close_blocks };
    b->source = source;
    b->per_block = fits > source->at_once ? fits / source->at_once * source->at_once : fits > 0 ? fits : 1;
    b->per_block = b->per_block < source->n_frames ? b->per_block : source->n_frames;
    pthread_mutex_init(&b->lock, NULL);
    *out = &b->base;
    return NSET_OK;
}
