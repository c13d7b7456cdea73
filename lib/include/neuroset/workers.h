/* A pool of threads with fixed chunks: the number of threads changes the time, never the result. */
#ifndef NEUROSET_WORKERS_H
#define NEUROSET_WORKERS_H

#include <stddef.h>
#include <neuroset/error.h>

typedef struct nset_workers nset_workers;

/* n_threads >= 1, the calling thread included. Errors: NSET_ERR_ARG, NSET_ERR_NOMEM, NSET_ERR_IO. */
NSET_API NSET_MUST_CHECK nset_status nset_workers_create(nset_workers **out, size_t n_threads, nset_error *err);
NSET_API void nset_workers_free(nset_workers *workers);
NSET_API size_t nset_workers_count(const nset_workers *workers); /* 1 for NULL */

/* Calls fn for chunks of size items of 0 .. n-1; the cut depends on n and size only. chunk is the number of
 * the chunk, first / size. Each chunk writes to places of its own; what must be reduced is reduced afterwards,
 * in chunk order. workers may be NULL: all in the calling thread. Returns when all are done. Calls from
 * inside fn run in the thread they are made in. */
NSET_API void nset_parallel_for(nset_workers *workers, size_t n, size_t size,
    void (*fn)(void *ctx, size_t first, size_t last, size_t chunk), void *ctx);

#endif
