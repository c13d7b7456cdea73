/* Completion of sparse matrices by networks that do not care how rows and columns are numbered.
 *
 * What is known of a matrix is a list of entries (row, column, value). A network sees them as an exchangeable matrix
 * (nset_net_exchangeable) and predicts any entry. It has no parameter of a row or a column, so it completes matrices of
 * other sizes and with other rows as it stands. Training is self-supervised: each step hides a part of the known
 * entries, also from all means, and learns to predict them.
 *
 * Hartford et al. 2018, "Deep models of interactions across sets", section 4: NSET_COMPLETE_LAYERS is their
 * self-supervised stack of layers; NSET_COMPLETE_FACTORS their factorised auto-encoder, whose encoder is here made of
 * layers that each take one step of descent on the factors: u_n += A mean_m((x_nm - read(u_n v_m)) v_m) - ..., all
 * matrices learnt, starting from random u, v (drawn anew each training step, keyed by a row's or column's values at
 * prediction). Without that noise no equivariant network could tell apart two directions of a rotation-symmetric law.
 */
#ifndef NEUROSET_COMPLETE_H
#define NEUROSET_COMPLETE_H

#include <stddef.h>
#include <stdint.h>
#include <neuroset/error.h>
#include <neuroset/net.h>
#include <neuroset/workers.h>

typedef enum nset_completion { NSET_COMPLETE_FACTORS, NSET_COMPLETE_LAYERS } nset_completion;

typedef struct nset_entries {
    size_t n;
    const uint32_t *row, *column; /* (n) any numbers */
    const float *value;           /* (n); NULL in a query */
} nset_entries;

typedef struct nset_completion_options {
    nset_completion kind;
    size_t width;  /* channels: of a factor (at least 3), or of a layer */
    size_t depth;  /* steps on both factors, or layers */
    double hidden; /* share of entries hidden at a step */
    double rate;   /* peak of the learning rate */
    size_t n_steps;
    uint64_t seed;
} nset_completion_options;

#define NSET_COMPLETION_OPTIONS_INIT                                                                                   \
    {                                                                                                                  \
        NSET_COMPLETE_FACTORS, 8, 14, .15, .004, 200, 1                                                                \
    }

/* An untrained network of that kind; saved and loaded as any other. Errors: NSET_ERR_ARG, NSET_ERR_NOMEM. */
NSET_API NSET_MUST_CHECK nset_status nset_completion_net(
    nset_net **out, const nset_completion_options *options, nset_error *err);

/* Trains net on the known entries of n matrices, one a step in turn. progress, unless NULL, is called after each step
 * with the mean squared error of its hidden entries (in units of the values' variance); returning nonzero stops.
 * Errors: NSET_ERR_ARG (fewer than 8 entries, values not finite or all equal), NSET_ERR_NUMERIC (the loss is not
 * finite), NSET_ERR_CANCELLED, NSET_ERR_NOMEM. */
NSET_API NSET_MUST_CHECK nset_status nset_completion_train(nset_net *net, const nset_entries *known, size_t n,
    const nset_completion_options *options, int (*progress)(void *ctx, size_t step, double loss), void *ctx,
    nset_workers *workers, nset_error *err);

/* value (query->n) := predictions. The same bytes for entries in any order and under any names of rows and columns.
 * Rows and columns without a known entry get the best guess of none. Errors: as above, without NSET_ERR_CANCELLED. */
NSET_API NSET_MUST_CHECK nset_status nset_completion_predict(float *value, const nset_net *net,
    const nset_entries *known, const nset_entries *query, nset_workers *workers, nset_error *err);

#endif
