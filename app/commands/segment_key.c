#include "commands/segment_key.h"

#include <neuroset/memory.h>

enum { LOOKS = 8 };

static nset_status add_movie(nset_key *k, nset_movie *m, nset_error *err)
{
    size_t n = m->height * m->width;
    uint64_t shape[4] = { (uint64_t)m->n_frames, m->height, m->width, m->channel };
    float *frame = nset_calloc(n, sizeof *frame);
    nset_status status = frame ? nset_key_add_json(k, m->facts, err) : nset_fail_oom(err, n, sizeof *frame);

    nset_key_add(k, shape, sizeof shape);
    nset_key_add(k, &m->rate_hz, sizeof m->rate_hz);
    for (int i = 0; i < LOOKS && status == NSET_OK; i++)
        if ((status = m->read(m, frame, (m->n_frames - 1) * i / (LOOKS - 1), err)) == NSET_OK)
            nset_key_add(k, frame, n * sizeof *frame);
    nset_free(frame);
    return status;
}

nset_status nset_segment_key(char key[NSET_KEY], nset_movie *movie, const char *const *args, size_t n_args,
    const char *const *more, size_t n_more, const json_t *origins, const char *model, nset_error *err)
{
    nset_key *k = NULL;
    nset_status status;

    if ((status = nset_key_create(&k, err)) != NSET_OK)
        return status;
    status = nset_key_add_run(k, args, n_args, origins, model, err);
    for (size_t i = 0; i < n_args && status == NSET_OK; i++)
        status = nset_key_add_file(k, args[i], err);
    for (size_t i = 0; i < n_more && status == NSET_OK; i++)
        if (more[i])
            status = nset_key_add_file(k, more[i], err);
    if (status == NSET_OK && (status = add_movie(k, movie, err)) == NSET_OK)
        nset_key_finish(key, k);
    else
        nset_key_free(k);
    return status;
}
