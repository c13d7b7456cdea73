/* Training: AdamW, schedule, clipping, losses, checkpoints with exact resume.
 *
 * Deterministic for a seed at any number of threads: examples are cut into fixed chunks, each with a gradient block
 * of its own, and the blocks are added in order.
 */
#ifndef NEUROSET_TRAIN_H
#define NEUROSET_TRAIN_H

#include <stddef.h>
#include <stdint.h>
#include <neuroset/error.h>
#include <neuroset/net.h>

/* ---- optimiser: Loshchilov & Hutter 2019, "Decoupled weight decay regularization" ---- */

typedef struct nset_adamw {
    double beta1, beta2, epsilon, weight_decay;
    uint64_t step;    /* steps done */
    size_t n;         /* parameters */
    nset_real *m, *v; /* moments (n), owned */
} nset_adamw;

/* beta .9, .999, epsilon 1e-8. */
NSET_API NSET_MUST_CHECK nset_status nset_adamw_init(nset_adamw *o, size_t n, double weight_decay, nset_error *err);
NSET_API void nset_adamw_fini(nset_adamw *o);
NSET_API void nset_adamw_step(nset_adamw *o, nset_real *params, const nset_real *grad, double rate);

/* Linear warm-up over the first warmup steps, then half a cosine down to floor * peak at the last. */
NSET_API double nset_cosine_rate(uint64_t step, uint64_t n_steps, uint64_t warmup, double peak, double floor);
/* Scales grad to norm <= limit; returns the norm before. */
NSET_API double nset_clip_gradient(nset_real *grad, size_t n, double limit);

/* ---- losses: return the mean loss, dx := its gradient (dx may be NULL). weight (n) may be NULL: ones. Means are over
 * the sum of weights; 0 when that is 0. ---- */

NSET_API double nset_loss_mse(
    nset_real *dx, const nset_real *x, const nset_real *target, const nset_real *weight, size_t n);
NSET_API double nset_loss_mae(
    nset_real *dx, const nset_real *x, const nset_real *target, const nset_real *weight, size_t n);
/* Binary cross-entropy of logits; target in [0, 1]. */
NSET_API double nset_loss_bce(
    nset_real *dx, const nset_real *x, const nset_real *target, const nset_real *weight, size_t n);
/* Softmax cross-entropy of logits x (n, k), label (n). */
NSET_API double nset_loss_softmax(nset_real *dx, const nset_real *x, const int32_t *label, size_t n, size_t k);
/* Supervised contrastive loss of embeddings z (n, d), normalised inside (Khosla et al. 2020, eq. 2). label < 0: a
 * negative for everybody and an anchor for nobody. Errors: NSET_ERR_NOMEM. */
NSET_API NSET_MUST_CHECK nset_status nset_loss_contrastive(double *loss, nset_real *dz, const nset_real *z,
    const int32_t *label, size_t n, size_t d, double temperature, nset_error *err);

/* ---- checkpoint: parameters, moments and step in one safetensors file; resuming goes on with the same bytes ---- */

NSET_API NSET_MUST_CHECK nset_status nset_checkpoint_save(
    const char *path, const nset_net *net, const nset_adamw *o, nset_error *err);
NSET_API NSET_MUST_CHECK nset_status nset_checkpoint_load(
    const char *path, nset_net *net, nset_adamw *o, nset_error *err);

#endif
