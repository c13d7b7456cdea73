/* Networks on sets and on sets of images: a small static graph with forward and backward.
 *
 * A batch holds S sets; set s owns the elements offsets[s] .. offsets[s+1]-1 (ragged, no padding, may be empty).
 * An element is a vector of d numbers or an image of H x W pixels with d channels; an image is stored as its
 * pixels in row order, d numbers a pixel (H, W, d). Each node of the graph has a domain:
 *
 *   NSET_ELEMENT   a row (or an image) for each element of each set
 *   NSET_SET       a row (or an image) for each set
 *
 * and a level: NSET_VECTOR (no pixels), or k >= 0: images of (H >> k) x (W >> k) pixels. Most operations act
 * on rows of d numbers and do not care whether a row is an element, a set or a pixel; pooling goes from
 * elements to sets, broadcasting back. So rho(pool(phi(x))) and a U-Net are built from the same parts.
 *
 * Inference gives the same bytes for any order of a set's elements, any batch mates, any number of threads and
 * any CPU: each output element of a product is one fma chain over k, pooled sums are exact before their one
 * rounding (Demmel & Nguyen's pre-rounding), exp and tanh are our own polynomials.
 *
 * Zaheer et al. 2017, "Deep Sets"; layer formulas are beside each function.
 */
#ifndef NEUROSET_NET_H
#define NEUROSET_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <neuroset/error.h>
#include <neuroset/real.h>
#include <neuroset/workers.h>

typedef struct nset_net nset_net; /* structure and parameters */
typedef struct nset_run nset_run; /* workspace of one caller for one network; not shared between threads */
typedef int nset_node;            /* a node while building; -1 after an error */

typedef enum nset_domain { NSET_ELEMENT, NSET_SET } nset_domain;
enum { NSET_VECTOR = -1 };

typedef enum nset_pool {
    NSET_POOL_SUM,
    NSET_POOL_MEAN,
    NSET_POOL_MAX, /* gradient shared equally among exact ties */
    NSET_POOL_MIN,
    NSET_POOL_LSE, /* m + log(mean(exp(z - m))), m = max z */
} nset_pool;       /* an empty set pools to 0 */

typedef enum nset_activation { NSET_RELU, NSET_ELU, NSET_GELU, NSET_TANH, NSET_SIGMOID } nset_activation;

/* ---- building. Each call appends a node and returns it. Errors are kept and told by nset_net_finish. ---- */

NSET_API NSET_MUST_CHECK nset_status nset_net_create(nset_net **out, nset_error *err);
NSET_API void nset_net_free(nset_net *net);

/* The i-th call makes input i of the batch. d channels. */
NSET_API nset_node nset_net_input(nset_net *net, nset_domain domain, int level, size_t d);

/* y = x W + b; parameters name.weight (d_in, d_out), name.bias (d_out). Glorot uniform, bias 0. */
NSET_API nset_node nset_net_dense(nset_net *net, nset_node x, const char *name, size_t d_out);
NSET_API nset_node nset_net_activate(nset_net *net, nset_node x, nset_activation how);

/* Over the d numbers of a row; name.scale, name.shift (d). */
NSET_API nset_node nset_net_layer_norm(nset_net *net, nset_node x, const char *name);
/* Training only: zero with probability p, the rest times 1/(1-p). */
NSET_API nset_node nset_net_dropout(nset_net *net, nset_node x, double p);
NSET_API nset_node nset_net_add(nset_net *net, nset_node a, nset_node b);      /* same domain, level and d */
NSET_API nset_node nset_net_multiply(nset_net *net, nset_node a, nset_node b); /* the same; number by number */
NSET_API nset_node nset_net_concat(nset_net *net, nset_node a, nset_node b);   /* same domain and level */

/* Elements to sets, per channel (and per pixel: a set of images gives an image). */
NSET_API nset_node nset_net_pool(nset_net *net, nset_node x, nset_pool how);
/* Sets to elements: each element gets its set's row. */
NSET_API nset_node nset_net_broadcast(nset_net *net, nset_node s);
/* Sets' sizes: a SET vector of one channel, log(1 + n). */
NSET_API nset_node nset_net_log_size(nset_net *net);

/* Equivariant layer without its activation: x Lambda + pool(x) Gamma + b (Zaheer et al. 2017, eq. 4 and
 * appendix); name.lambda (d, d_out), name.gamma (d, d_out), name.bias (d_out). */
NSET_API nset_node nset_net_equivariant(nset_net *net, nset_node x, const char *name, size_t d_out, nset_pool how);

/* A row of length * channels numbers, (length, channels), is a sequence; zero padding, odd kernel; the result has
 * ceil(length / stride) * c_out numbers. name.weight (kernel * channels, c_out), name.bias (c_out). */
NSET_API nset_node nset_net_conv1d(
    nset_net *net, nset_node x, const char *name, size_t length, size_t kernel, size_t stride, size_t c_out);
/* The weights of a row of N points that become M points, and which of them are one and the same. Made from a group by
 * nset_tie_create (neuroset/group.h). */
typedef struct nset_tie {
    size_t n, m; /* inputs N, outputs M */
    size_t n_weights, n_biases;
    uint32_t *weight; /* (M, N) which weight joins output y and input x */
    uint32_t *bias;   /* (M) */
} nset_tie;

NSET_API void nset_tie_free(nset_tie *tie);

/* A row of N * channels numbers, (N, channels), to (M, c_out): y_j = sum over weights o of (the sum of the x_i that o
 * joins to j) W_o + b_j. name.weight (n_weights * channels, c_out), name.bias (n_biases, c_out). The inner sums are
 * exact, so inference is equivariant to the bit to all that keeps the ties in place. tie is copied. Ravanbakhsh et al.
 * 2017, eq. 4. */
NSET_API nset_node nset_net_tied(nset_net *net, nset_node x, const char *name, const nset_tie *tie, size_t c_out);

/* Exchangeable matrices and tensors: an element is an entry with coordinates (nset_batch.axes or .shape), a set is one
 * tensor, complete or sparse; axes are permuted each on its own. (Hartford, Graham, Leyton-Brown & Ravanbakhsh 2018,
 * "Deep models of interactions across sets", section 2.)
 *
 * Each element gets the mean over the elements of its set that share its coordinates on the axes in keep (bit a: axis
 * a; 0: all of the set). With seen, an element node of one channel, only elements with seen not 0 are in the means; an
 * empty mean is 0. Up to 4 axes. */
NSET_API nset_node nset_net_axis_mean(nset_net *net, nset_node x, unsigned keep, nset_node seen);
/* The layer without its activation: x and its means over all 2^n_axes - 1 subsets of axes, through one product;
 * name.weight (2^n_axes d, d_out), x first, then keep = 2^n_axes - 2 .. 0; name.bias (d_out). seen may be -1. */
NSET_API nset_node nset_net_exchangeable(
    nset_net *net, nset_node x, const char *name, size_t n_axes, size_t d_out, nset_node seen);
/* A set is a square matrix A of n^2 elements in row order, one permutation acts on both axes (a graph): the 15 maps of
 * d channels each, 15 d in all, to be mixed by a dense layer: A, A', diag(diag A), then with r, c the means of rows and
 * columns 1 r', r 1', diag r, 1 c', c 1', diag c, with t the mean of all t 11', t I, with tr the trace / n tr 11', tr
 * I, and with d the diagonal 1 d', d 1'. Maron et al. 2019, "Invariant and equivariant graph networks", appendix A. */
enum { NSET_PAIR_MAPS = 15 };
NSET_API nset_node nset_net_pair_maps(nset_net *net, nset_node x);

/* kernel x kernel (odd), zero padding, stride 1. name.weight (kernel * kernel * d, c_out), name.bias (c_out). */
NSET_API nset_node nset_net_conv2d(nset_net *net, nset_node x, const char *name, size_t kernel, size_t c_out);
NSET_API nset_node nset_net_down(nset_net *net, nset_node x); /* level + 1: mean of 2 x 2; H and W even there */
NSET_API nset_node nset_net_up(nset_net *net, nset_node x);   /* level - 1: each pixel four times */

/* Marks node as output k = 0, 1, ... in order of calls. */
NSET_API int nset_net_output(nset_net *net, nset_node x);

/* Ends building: allocates parameters and initialises them from seed. Errors: the first of all building calls. */
NSET_API NSET_MUST_CHECK nset_status nset_net_finish(nset_net *net, uint64_t seed, nset_error *err);

/* Channels of input k, 0 if there is none. */
NSET_API size_t nset_net_input_channels(const nset_net *net, int k);

/* ---- parameters: one flat block, named views into it ---- */

typedef struct nset_param {
    const char *name;
    size_t rows, columns; /* columns 1 for a vector stored as (rows) */
    size_t at;            /* first number in the block */
} nset_param;

NSET_API size_t nset_net_n_params(const nset_net *net); /* numbers in the block */
NSET_API nset_real *nset_net_params(nset_net *net);     /* owned by net */
NSET_API const nset_real *nset_net_params_const(const nset_net *net);
NSET_API size_t nset_net_n_views(const nset_net *net);
NSET_API nset_param nset_net_view(const nset_net *net, size_t i);

/* ---- running ---- */

typedef struct nset_batch {
    size_t n_sets;
    const int64_t *offsets;         /* (n_sets + 1); NULL when no input is of domain NSET_ELEMENT */
    size_t height, width;           /* of level 0; 0 when there are no images */
    const nset_real *const *inputs; /* one a nset_net_input, rows as said at the top */
    /* Of elements with axes only: coordinates, axes[a][e] of element e on axis a (which numbers they are does not
     * matter); or, with axes NULL, shape (n_sets, n_axes) of complete tensors in row order, axis 0 slowest. */
    size_t n_axes;
    const uint32_t *const *axes;
    const size_t *shape;
} nset_batch;

/* workers may be NULL; it is used, not owned. net must outlive the run. */
NSET_API NSET_MUST_CHECK nset_status nset_run_create(
    nset_run **out, const nset_net *net, nset_workers *workers, nset_error *err);
NSET_API void nset_run_free(nset_run *run);

/* Inference. Outputs are valid until the next call. Errors: NSET_ERR_ARG (offsets, sizes), NSET_ERR_NOMEM. */
NSET_API NSET_MUST_CHECK nset_status nset_run_forward(nset_run *run, const nset_batch *batch, nset_error *err);
/* Output k, (rows, d) or (images, H, W, d). n_rows and d may be NULL. */
NSET_API const nset_real *nset_run_output(const nset_run *run, int k, size_t *n_rows, size_t *d);

/* Training: forward that keeps what backward needs; dropout draws from (seed). */
NSET_API NSET_MUST_CHECK nset_status nset_run_forward_train(
    nset_run *run, const nset_batch *batch, uint64_t seed, nset_error *err);
/* After nset_run_forward_train on the same batch. douts[k]: gradient at output k, shape of the output; NULL is zero.
 * grad (n_params) += gradient. dinputs may be NULL, or dinputs[i] NULL; else += gradient at input i. */
NSET_API NSET_MUST_CHECK nset_status nset_run_backward(nset_run *run, const nset_batch *batch,
    const nset_real *const *douts, nset_real *grad, nset_real *const *dinputs, nset_error *err);

/* ---- the promise, checked ---- */

/* Runs batch as it is and n_permutations times with the elements of each set permuted,
 * with their coordinates if they have axes. *deviation := the largest
 * absolute difference of any output (elements' outputs compared after permuting back); 0 means identical bits. */
NSET_API NSET_MUST_CHECK nset_status nset_equivariance_check(double *deviation, const nset_net *net,
    const nset_batch *batch, size_t n_permutations, uint64_t seed, nset_error *err);

#endif
