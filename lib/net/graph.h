/* The graph and the workspace behind nset_net and nset_run; one row of layer functions a kind of node. */
#ifndef NSET_NET_GRAPH_H
#define NSET_NET_GRAPH_H

#include <neuroset/net.h>

typedef enum op {
    OP_INPUT,
    OP_DENSE,
    OP_ACTIVATE,
    OP_NORM,
    OP_DROPOUT,
    OP_ADD,
    OP_CONCAT,
    OP_POOL,
    OP_BROADCAST,
    OP_LOG_SIZE,
    OP_CONV1D,
    OP_CONV2D,
    OP_DOWN,
    OP_UP,
    OP_TIED,
    OP_AXIS_MEAN,
    OP_PAIRS,
    OP_MULTIPLY,
    N_OPS
} op;

typedef struct node {
    op op;
    nset_domain domain;
    int level;
    size_t d;
    nset_node x, y;   /* sources, -1: none. OP_DENSE: y is a SET node whose rows stand for the bias */
    int weight, bias; /* views, -1: none */
    int how;          /* nset_pool, nset_activation, number of the input or tie, axes kept */
    double p;
    size_t length, kernel, stride, channels; /* convolutions; channels in a step of the sequence, or a pixel */
} node;

typedef struct view {
    nset_param param;
    char *name;
    size_t fan; /* in + out; 0: filled with start */
    nset_real start;
} view;

struct nset_net {
    node *nodes;
    size_t n_nodes, nodes_capacity;
    view *views;
    size_t n_views, views_capacity;
    nset_node *outputs;
    size_t n_outputs, outputs_capacity;
    nset_tie **ties;
    size_t n_ties, ties_capacity;
    size_t n_axes;           /* of elements */
    int n_inputs, top_level; /* largest level */
    bool has_images, has_elements, finished;
    size_t n_params;
    nset_real *params;
    nset_error error; /* the first of building */
};

typedef struct buffer {
    nset_real *data;
    size_t size; /* numbers there is room for */
} buffer;

enum { NSET_MAX_AXES = 4, NSET_MAX_MASKS = 1 << NSET_MAX_AXES };

/* Elements that share the coordinates of the axes in a mask. */
typedef struct groups {
    uint32_t *order; /* (elements) group after group */
    uint32_t *start; /* (n + 1) */
    uint32_t *of;    /* (elements) */
    size_t n, capacity;
    bool made; /* for the batch at hand */
} groups;

typedef struct slot {
    buffer buffer;
    bool busy;
} slot;

struct nset_run {
    const nset_net *net;
    nset_workers *workers;
    slot *slots;             /* (n_nodes) values; shared one after another by nodes when not training */
    int *slot_of;            /* (n_nodes) -1: an input */
    int *last_use;           /* (n_nodes) the last node that reads it; n_nodes: an output */
    bool *needed;            /* (n_nodes) backward must reach it */
    const nset_real **value; /* (n_nodes) */
    buffer *grad;            /* (n_nodes) */
    buffer *saved;           /* (n_nodes) what forward keeps for backward */
    buffer packed;           /* weights of one layer, in panels */
    buffer pad, pad2;        /* images or sequences with a border; columns of a convolution */
    groups groups[NSET_MAX_MASKS];
    uint32_t *coordinates[NSET_MAX_AXES]; /* of complete tensors, owned */
    const uint32_t *axis[NSET_MAX_AXES];  /* those in use */
    nset_batch batch;                     /* a copy; its pointers are valid during a call only */
    size_t n_elements;
    bool training, done, ready; /* done: a forward went through; ready: a forward for training did */
    uint64_t seed;
};

/* What a layer's backward gets: g (shape of the node) and places to add to; dx, dy NULL if not needed. */
typedef struct grads {
    const nset_real *g;
    nset_real *dx, *dy;
    nset_real *params;
} grads;

typedef struct layer {
    nset_status (*forward)(nset_run *run, nset_node i, nset_real *out, nset_error *err);
    nset_status (*backward)(nset_run *run, nset_node i, const grads *to, nset_error *err);
} layer;

extern const layer nset_layer_dense, nset_layer_activate, nset_layer_norm, nset_layer_dropout, nset_layer_add,
    nset_layer_concat, nset_layer_pool, nset_layer_broadcast, nset_layer_log_size, nset_layer_conv1d, nset_layer_conv2d,
    nset_layer_down, nset_layer_up, nset_layer_tied, nset_layer_axis_mean, nset_layer_pairs, nset_layer_multiply;

nset_tie *nset_tie_copy(const nset_tie *tie, nset_error *err);

/* sums (d) := exact sums over n rows of d <= NSET_POOL_BLOCK numbers, row i at x + i * stride. */
void nset_block_sums(double *sums, const nset_real *x, size_t n, size_t d, size_t stride);

/* The coordinates of the batch's elements, checked; forgets the groups of the batch before. */
nset_status nset_run_find_axes(nset_run *run, nset_error *err);
void nset_run_free_groups(nset_run *run);

/* Makes room for n numbers; contents are lost. */
nset_status nset_buffer_need(buffer *b, size_t n, nset_error *err);

/* Pixels of an image of node i; 1 for vectors. Height and width; 1 x 1 for vectors. */
size_t nset_run_pixels(const nset_run *run, nset_node i);
void nset_run_size(const nset_run *run, nset_node i, size_t *height, size_t *width);
/* Images (or vectors) of node i: elements or sets; and rows: images times pixels. */
size_t nset_run_images(const nset_run *run, nset_node i);
size_t nset_run_rows(const nset_run *run, nset_node i);
const nset_real *nset_run_param(const nset_run *run, int view);
/* The gradient of a view in a block of gradients, or NULL for view -1. */
nset_real *nset_grad_param(const nset_run *run, nset_real *params, int view);

/* Items of a chunk that make some 16 thousand numbers, at least 1. */
size_t nset_chunk(size_t numbers_an_item);

#endif
