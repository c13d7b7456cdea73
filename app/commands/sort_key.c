#include "commands/sort_key.h"

#include <string.h>

#include <neuroset/memory.h>

enum { LOOKS = 16, LOOK = 1000 };

/* Samples as they will be sorted, for formats of many files too. */
static nset_status add_samples(nset_key *k, nset_source *source, nset_error *err)
{
    int64_t n = source->n_samples < LOOK ? source->n_samples : LOOK;
    float *x = nset_calloc((size_t)n, source->n_channels * sizeof *x);
    nset_status status = x ? NSET_OK : nset_fail_oom(err, (size_t)n, source->n_channels * sizeof *x);

    for (int i = 0; i < LOOKS && status == NSET_OK; i++) {
        status = source->read(source, x, (source->n_samples - n) / (LOOKS - 1) * i, (size_t)n, err);
        nset_key_add(k, x, (size_t)n * source->n_channels * sizeof *x);
    }
    nset_free(x);
    return status;
}

static nset_status add_recording(nset_key *k, const nset_recording *r, nset_error *err)
{
    size_t n = r->probe.n_channels;
    nset_status status = NSET_OK;

    if (r->n_pieces == 0)
        status = nset_key_add_file(k, r->path, err);
    for (size_t i = 0; i < r->n_pieces && status == NSET_OK; i++)
        if (i == 0 || strcmp(r->piece[i].path, r->piece[i - 1].path))
            status = nset_key_add_file(k, r->piece[i].path, err);
    nset_key_add(k, &r->source->n_samples, sizeof r->source->n_samples);
    nset_key_add(k, &r->source->rate_hz, sizeof r->source->rate_hz);
    nset_key_add(k, r->probe.x_um, n * sizeof *r->probe.x_um);
    nset_key_add(k, r->probe.y_um, n * sizeof *r->probe.y_um);
    nset_key_add(k, r->probe.shank, n * sizeof *r->probe.shank);
    nset_key_add(k, r->file_channel, n * sizeof *r->file_channel);
    nset_key_add(k, r->unused, r->unused ? n * sizeof *r->unused : 0);
    for (size_t i = 0; i < r->n_gaps; i++) {
        nset_key_add(k, &r->gap[i].sample, sizeof r->gap[i].sample);
        nset_key_add(k, &r->gap[i].seconds, sizeof r->gap[i].seconds);
    }
    nset_key_add(k, &r->start_s, sizeof r->start_s);
    if (status != NSET_OK || (status = nset_key_add_json(k, r->facts, err)) != NSET_OK)
        return status;
    return add_samples(k, r->source, err);
}

nset_status nset_sort_key(char key[NSET_KEY], const nset_recording *r, const char *const *args, size_t n_args,
    const json_t *origins, const json_t *metadata, const char *model, nset_error *err)
{
    nset_key *k = NULL;
    nset_status status;

    if ((status = nset_key_create(&k, err)) == NSET_OK &&
        (status = nset_key_add_run(k, args, n_args, origins, model, err)) == NSET_OK &&
        (status = nset_key_add_json(k, metadata, err)) == NSET_OK && (status = add_recording(k, r, err)) == NSET_OK)
        nset_key_finish(key, k);
    else
        nset_key_free(k);
    return status;
}
