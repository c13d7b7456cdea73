#include <neuroset/workers.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include <neuroset/memory.h>

typedef struct job {
    void (*fn)(void *ctx, size_t first, size_t last, size_t chunk);
    void *ctx;
    size_t n, size;
    atomic_size_t next; /* first chunk nobody has taken */
} job;

struct nset_workers {
    size_t n_helpers; /* threads besides the caller */
    pthread_t *helpers;
    pthread_mutex_t lock;
    pthread_cond_t start, done;
    unsigned long round; /* number of the current job */
    size_t busy;         /* helpers that have not finished it */
    bool quit;
    job *job;
};

static _Thread_local bool inside_job;

static void run_chunks(job *j)
{
    size_t n_chunks = (j->n + j->size - 1) / j->size, chunk;

    inside_job = true;
    while ((chunk = atomic_fetch_add(&j->next, 1)) < n_chunks) {
        size_t first = chunk * j->size;
        size_t last = j->n - first < j->size ? j->n : first + j->size;
        j->fn(j->ctx, first, last, chunk);
    }
    inside_job = false;
}

static void *help(void *arg)
{
    nset_workers *w = arg;
    unsigned long seen = 0;

    pthread_mutex_lock(&w->lock);
    for (;;) {
        job *j;
        while (w->round == seen && !w->quit)
            pthread_cond_wait(&w->start, &w->lock);
        if (w->quit)
            break;
        seen = w->round;
        j = w->job;
        pthread_mutex_unlock(&w->lock);
        run_chunks(j);
        pthread_mutex_lock(&w->lock);
        if (--w->busy == 0)
            pthread_cond_signal(&w->done);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

nset_status nset_workers_create(nset_workers **out, size_t n_threads, nset_error *err)
{
    nset_workers *w;

    if (n_threads < 1 || n_threads > 1024)
        return nset_fail(err, NSET_ERR_ARG, "%zu threads: a number from 1 to 1024 is needed", n_threads);
    if (!(w = nset_calloc(1, sizeof *w)))
        return nset_fail_oom(err, 1, sizeof *w);
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->start, NULL);
    pthread_cond_init(&w->done, NULL);
    if (!(w->helpers = nset_calloc(n_threads - 1, sizeof *w->helpers))) {
        nset_workers_free(w);
        return nset_fail_oom(err, n_threads - 1, sizeof *w->helpers);
    }
    for (; w->n_helpers < n_threads - 1; w->n_helpers++)
        if (pthread_create(&w->helpers[w->n_helpers], NULL, help, w)) {
            nset_workers_free(w);
            return nset_fail(err, NSET_ERR_IO, "the system gives no more than %zu threads", w->n_helpers + 1);
        }
    *out = w;
    return NSET_OK;
}

void nset_workers_free(nset_workers *w)
{
    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    w->quit = true;
    pthread_cond_broadcast(&w->start);
    pthread_mutex_unlock(&w->lock);
    for (size_t i = 0; i < w->n_helpers; i++)
        pthread_join(w->helpers[i], NULL);
    pthread_cond_destroy(&w->done);
    pthread_cond_destroy(&w->start);
    pthread_mutex_destroy(&w->lock);
    nset_free(w->helpers);
    nset_free(w);
}

size_t nset_workers_count(const nset_workers *w)
{
    return w ? w->n_helpers + 1 : 1;
}

void nset_parallel_for(
    nset_workers *w, size_t n, size_t size, void (*fn)(void *ctx, size_t first, size_t last, size_t chunk), void *ctx)
{
    job j = { .fn = fn, .ctx = ctx, .n = n, .size = size ? size : 1 };
    bool nested = inside_job;

    if (n == 0)
        return;
    if (!w || w->n_helpers == 0 || nested || n <= j.size) {
        run_chunks(&j);
        inside_job = nested;
        return;
    }
    pthread_mutex_lock(&w->lock);
    w->job = &j;
    w->busy = w->n_helpers;
    w->round++;
    pthread_cond_broadcast(&w->start);
    pthread_mutex_unlock(&w->lock);
    run_chunks(&j);
    pthread_mutex_lock(&w->lock);
    while (w->busy)
        pthread_cond_wait(&w->done, &w->lock);
    pthread_mutex_unlock(&w->lock);
}
