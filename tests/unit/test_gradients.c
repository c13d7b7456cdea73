/* Gradients of every operation and loss against central differences, in double, on a ragged batch with an empty and
 * single sets. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <neuroset/group.h>
#include <neuroset/memory.h>
#include <neuroset/random.h>
#include <neuroset/train.h>

#define TOLERANCE 1e-6
#define STEP 1e-5

enum { N_SETS = 4, HEIGHT = 4, WIDTH = 8, MAX_OUTPUTS = 2 };

static const int64_t offsets[N_SETS + 1] = { 0, 3, 3, 4, 6 };

/* Rows and columns of sparse matrices: the first set has a row and a column of two. */
static const uint32_t row_of[] = { 7, 7, 2, 0, 1, 1 }, column_of[] = { 3, 5, 5, 0, 9, 4 };
static const uint32_t *const axes[] = { row_of, column_of };

typedef struct input_row {
    nset_domain domain;
    int level;
    size_t d; /* 0: no input */
} input_row;

typedef struct op_row {
    const char *name;
    input_row inputs[2];
    void (*build)(nset_net *net, nset_node x, nset_node y, int how);
    int how;
} op_row;

static void dense(nset_net *net, nset_node x, nset_node y, int how)
{
    (void)y;
    (void)how;
    nset_net_output(net, nset_net_dense(net, x, "a", 5));
}

static void activate(nset_net *net, nset_node x, nset_node y, int how)
{
    (void)y;
    nset_net_output(net, nset_net_activate(net, x, (nset_activation)how));
}

static void norm(nset_net *net, nset_node x, nset_node y, int how)
{
    (void)y;
    (void)how;
    nset_net_output(net, nset_net_layer_norm(net, x, "a"));
}

static void dropout(nset_net *net, nset_node x, nset_node y, int how)
{
    (void)y;
    (void)how;
    nset_net_output(net, nset_net_dropout(net, x, .4));
}

static void add(nset_net *net, nset_node x, nset_node y, int how)
{
    (void)how;
    nset_net_output(net, nset_net_add(net, x, y));
    nset_net_output(net, nset_net_add(net, x, x));
}

static void concat(nset_net *net, nset_node x, nset_node y, int how)
{
    (void)how;
    nset_net_output(net, nset_net_concat(net, x, y));
    nset_net_output(net, nset_net_concat(net, y, y));
}

static void pool(nset_net *net, nset_node x, nset_node y, int how)
{
    (void)y;
    nset_net_output(net, nset_net_pool(net, x, (nset_pool)how));
}

static void broadcast(nset_net *net, nset_node x, nset_node y, int how)
{
    (void)how;
    nset_net_output(net, nset_net_add(net, nset_net_broadcast(net, x), y));
}

/* The sizes have no gradient, but what is made of them does. */
static void log_size(nset_net *net, nset_node x, nset_node y, int how)
{
    (void)y;
    (void)how;
    x = nset_net_concat(net, nset_net_pool(net, x, NSET_POOL_MEAN), nset_net_log_size(net));
    nset_net_output(net, nset_net_activate(net, nset_net_dense(net, x, "a", 3), NSET_TANH));
}

static void equivariant(nset_net *net, nset_node x, nset_node y, int how)
{
    (void)y;
    nset_net_output(net, nset_net_equivariant(net, x, "a", 4, (nset_pool)how));
}

/* Sequences of 7 steps of 2 channels. */
static void conv1d(nset_net *net, nset_node x, nset_node y, int how)
{
    (void)y;
    nset_net_output(net, nset_net_conv1d(net, x, "a", 7, 5, (size_t)how, 3));
}

static void conv2d(nset_net *net, nset_node x, nset_node y, int how)
{
    (void)y;
    nset_net_output(net, nset_net_conv2d(net, x, "a", (size_t)how, 3));
}

static void down(nset_net *net, nset_node x, nset_node y, int how)
{
    (void)y;
    (void)how;
    nset_net_output(net, nset_net_down(net, x));
}

static void up(nset_net *net, nset_node x, nset_node y, int how)
{
    (void)y;
    (void)how;
    nset_net_output(net, nset_net_up(net, x));
}

/* 7 points of 2 channels on a ring that may be turned, and with how also reflected. */
static void tied(nset_net *net, nset_node x, nset_node y, int how)
{
    nset_action *ring = NULL;
    nset_tie *tie = NULL;

    (void)y;
    ck_assert_int_eq((how ? nset_action_dihedral : nset_action_cyclic)(&ring, 7, NULL), NSET_OK);
    ck_assert_int_eq(nset_tie_create(&tie, ring, ring, NULL), NSET_OK);
    nset_net_output(net, nset_net_tied(net, x, "a", tie, 3));
    nset_tie_free(tie);
    nset_action_free(ring);
}

static void multiply(nset_net *net, nset_node x, nset_node y, int how)
{
    (void)how;
    nset_net_output(net, nset_net_multiply(net, x, y));
    nset_net_output(net, nset_net_multiply(net, x, x));
}

static void axis_mean(nset_net *net, nset_node x, nset_node y, int how)
{
    (void)y;
    nset_net_output(net, nset_net_axis_mean(net, x, (unsigned)how, -1));
}

/* Two of six entries are not seen; they have a row or a column of their own, so that some means are empty. */
static void axis_mean_of_seen(nset_net *net, nset_node x, nset_node y, int how)
{
    nset_node seen = nset_net_activate(net, y, NSET_RELU);

    nset_net_output(net, nset_net_exchangeable(net, x, "a", 2, 4, seen));
    nset_net_output(net, nset_net_axis_mean(net, x, (unsigned)how, seen));
}

/* Sets of images to a U-Net with a skip, an output of two levels. */
static void u_net(nset_net *net, nset_node x, nset_node y, int how)
{
    nset_node skip, low;

    (void)y;
    (void)how;
    x = nset_net_activate(net, nset_net_conv2d(net, x, "phi", 3, 4), NSET_GELU);
    x = nset_net_pool(net, x, NSET_POOL_MEAN);
    skip = nset_net_activate(net, nset_net_conv2d(net, x, "in", 3, 4), NSET_ELU);
    low = nset_net_activate(net, nset_net_conv2d(net, nset_net_down(net, skip), "low", 3, 6), NSET_TANH);
    x = nset_net_concat(net, nset_net_layer_norm(net, nset_net_up(net, low), "norm"), skip);
    nset_net_output(net, nset_net_conv2d(net, x, "out", 1, 2));
    nset_net_output(net, low);
}

#define VECTOR                                                                                                         \
    {                                                                                                                  \
        NSET_ELEMENT, NSET_VECTOR, 3                                                                                   \
    }
#define ROW                                                                                                            \
    {                                                                                                                  \
        NSET_SET, NSET_VECTOR, 3                                                                                       \
    }
#define SEQUENCE                                                                                                       \
    {                                                                                                                  \
        NSET_ELEMENT, NSET_VECTOR, 14                                                                                  \
    }
#define IMAGE                                                                                                          \
    {                                                                                                                  \
        NSET_ELEMENT, 0, 2                                                                                             \
    }
#define NONE                                                                                                           \
    {                                                                                                                  \
        NSET_SET, NSET_VECTOR, 0                                                                                       \
    }

static const op_row ops[] = {
    { "dense", { VECTOR, NONE }, dense, 0 },
    { "dense of sets", { ROW, NONE }, dense, 0 },
    { "dense of pixels", { IMAGE, NONE }, dense, 0 },
    { "relu", { VECTOR, NONE }, activate, NSET_RELU },
    { "elu", { VECTOR, NONE }, activate, NSET_ELU },
    { "gelu", { VECTOR, NONE }, activate, NSET_GELU },
    { "tanh", { VECTOR, NONE }, activate, NSET_TANH },
    { "sigmoid", { IMAGE, NONE }, activate, NSET_SIGMOID },
    { "layer norm", { VECTOR, NONE }, norm, 0 },
    { "layer norm of pixels", { IMAGE, NONE }, norm, 0 },
    { "dropout", { VECTOR, NONE }, dropout, 0 },
    { "add", { VECTOR, VECTOR }, add, 0 },
    { "concat", { VECTOR, { NSET_ELEMENT, NSET_VECTOR, 2 } }, concat, 0 },
    { "concat of images", { IMAGE, { NSET_ELEMENT, 0, 1 } }, concat, 0 },
    { "sum", { VECTOR, NONE }, pool, NSET_POOL_SUM },
    { "mean", { VECTOR, NONE }, pool, NSET_POOL_MEAN },
    { "max", { VECTOR, NONE }, pool, NSET_POOL_MAX },
    { "min", { VECTOR, NONE }, pool, NSET_POOL_MIN },
    { "log-sum-exp", { VECTOR, NONE }, pool, NSET_POOL_LSE },
    { "sum of images", { IMAGE, NONE }, pool, NSET_POOL_SUM },
    { "max of images", { IMAGE, NONE }, pool, NSET_POOL_MAX },
    { "log-sum-exp of images", { IMAGE, NONE }, pool, NSET_POOL_LSE },
    { "broadcast", { ROW, VECTOR }, broadcast, 0 },
    { "broadcast of images", { { NSET_SET, 0, 2 }, IMAGE }, broadcast, 0 },
    { "log size", { VECTOR, NONE }, log_size, 0 },
    { "equivariant, sum", { VECTOR, NONE }, equivariant, NSET_POOL_SUM },
    { "equivariant, mean", { VECTOR, NONE }, equivariant, NSET_POOL_MEAN },
    { "equivariant, max", { VECTOR, NONE }, equivariant, NSET_POOL_MAX },
    { "equivariant, min", { VECTOR, NONE }, equivariant, NSET_POOL_MIN },
    { "equivariant, log-sum-exp", { VECTOR, NONE }, equivariant, NSET_POOL_LSE },
    { "equivariant on images", { IMAGE, NONE }, equivariant, NSET_POOL_MEAN },
    { "conv1d", { SEQUENCE, NONE }, conv1d, 1 },
    { "conv1d, stride 2", { SEQUENCE, NONE }, conv1d, 2 },
    { "conv2d 1 x 1", { IMAGE, NONE }, conv2d, 1 },
    { "conv2d 3 x 3", { IMAGE, NONE }, conv2d, 3 },
    { "conv2d 5 x 5, of sets", { { NSET_SET, 0, 2 }, NONE }, conv2d, 5 },
    { "down", { IMAGE, NONE }, down, 0 },
    { "up", { { NSET_ELEMENT, 1, 2 }, NONE }, up, 0 },
    { "tied on a ring", { SEQUENCE, NONE }, tied, 0 },
    { "tied on a ring that may be reflected", { SEQUENCE, NONE }, tied, 1 },
    { "multiply", { VECTOR, VECTOR }, multiply, 0 },
    { "mean along rows", { VECTOR, NONE }, axis_mean, 1 },
    { "mean along columns", { VECTOR, NONE }, axis_mean, 2 },
    { "mean of all entries", { VECTOR, NONE }, axis_mean, 0 },
    { "exchangeable layer", { VECTOR, { NSET_ELEMENT, NSET_VECTOR, 1 } }, axis_mean_of_seen, 1 },
    { "U-Net on sets of images", { IMAGE, NONE }, u_net, 0 },
};

/* A network, a batch, and fixed slopes c at its outputs: the scalar is sum c . output. */
typedef struct trial {
    nset_net *net;
    nset_run *run;
    nset_batch batch;
    nset_real *inputs[2], *dinputs[2], *c[MAX_OUTPUTS], *grad;
    size_t n_inputs[2], n_outputs[MAX_OUTPUTS];
    int n_nodes_out;
} trial;

static nset_real *draw(size_t n, const char *name, uint64_t index)
{
    nset_real *x = nset_calloc(n, sizeof *x);
    nset_random r = nset_random_stream(11, name, index);

    ck_assert_ptr_nonnull(x);
    for (size_t i = 0; i < n; i++)
        x[i] = nset_random_normal(&r);
    return x;
}

static size_t input_size(const input_row *in)
{
    const size_t rows = in->domain == NSET_SET ? N_SETS : (size_t)offsets[N_SETS];

    return rows * in->d * (in->level < 0 ? 1 : (size_t)((HEIGHT >> in->level) * (WIDTH >> in->level)));
}

static void trial_init(trial *t, const op_row *op)
{
    nset_node nodes[2] = { -1, -1 };
    nset_error err = { 0 };
    nset_real *params;

    *t = (trial){ .batch = { .n_sets = N_SETS,
                      .offsets = offsets,
                      .height = HEIGHT,
                      .width = WIDTH,
                      .inputs = (const nset_real *const *)t->inputs,
                      .n_axes = 2,
                      .axes = axes } };
    ck_assert_int_eq(nset_net_create(&t->net, &err), NSET_OK);
    for (int i = 0; i < 2 && op->inputs[i].d > 0; i++) {
        nodes[i] = nset_net_input(t->net, op->inputs[i].domain, op->inputs[i].level, op->inputs[i].d);
        t->n_inputs[i] = input_size(&op->inputs[i]);
        t->inputs[i] = draw(t->n_inputs[i], "input", (uint64_t)i);
        t->dinputs[i] = nset_calloc(t->n_inputs[i], sizeof(nset_real));
    }
    op->build(t->net, nodes[0], nodes[1], op->how);
    ck_assert_msg(nset_net_finish(t->net, 5, &err) == NSET_OK, "%s: %s", op->name, err.text);
    t->grad = nset_calloc(nset_net_n_params(t->net), sizeof(nset_real));
    params = draw(nset_net_n_params(t->net), "parameter", 0); /* also shifts and biases, which begin as 0 */
    for (size_t i = 0; i < nset_net_n_params(t->net); i++)
        nset_net_params(t->net)[i] += .3 * params[i];
    nset_free(params);
    ck_assert_int_eq(nset_run_create(&t->run, t->net, NULL, &err), NSET_OK);
}

static void trial_fini(trial *t)
{
    for (int i = 0; i < 2; i++) {
        nset_free(t->inputs[i]);
        nset_free(t->dinputs[i]);
    }
    for (int k = 0; k < MAX_OUTPUTS; k++)
        nset_free(t->c[k]);
    nset_free(t->grad);
    nset_run_free(t->run);
    nset_net_free(t->net);
}

static double scalar(trial *t)
{
    nset_error err = { 0 };
    double sum = 0;

    ck_assert_msg(nset_run_forward_train(t->run, &t->batch, 3, &err) == NSET_OK, "%s", err.text);
    for (int k = 0; k < t->n_nodes_out; k++) {
        const nset_real *out = nset_run_output(t->run, k, NULL, NULL);
        for (size_t i = 0; i < t->n_outputs[k]; i++)
            sum += t->c[k][i] * out[i];
    }
    return sum;
}

/* The analytic gradient, after the number of outputs is known. */
static void analyse(trial *t, int n_outputs)
{
    nset_error err = { 0 };

    ck_assert_msg(nset_run_forward_train(t->run, &t->batch, 3, &err) == NSET_OK, "%s", err.text);
    t->n_nodes_out = n_outputs;
    for (int k = 0; k < n_outputs; k++) {
        size_t rows, d;
        nset_run_output(t->run, k, &rows, &d);
        t->n_outputs[k] = rows * d;
        t->c[k] = draw(rows * d, "slope", (uint64_t)k);
    }
    ck_assert_msg(
        nset_run_backward(t->run, &t->batch, (const nset_real *const *)t->c, t->grad, t->dinputs, &err) == NSET_OK,
        "%s", err.text);
}

static double difference(trial *t, nset_real *x)
{
    const nset_real was = *x;
    double above, below;

    *x = was + STEP;
    above = scalar(t);
    *x = was - STEP;
    below = scalar(t);
    *x = was;
    return (above - below) / (2 * STEP);
}

static void compare(trial *t, const char *name, const char *what, nset_real *x, const nset_real *dx, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const double expected = difference(t, &x[i]);
        ck_assert_msg(fabs(dx[i] - expected) <= TOLERANCE * fmax(1, fabs(expected)),
            "%s: %s %zu: gradient %.10g, difference %.10g", name, what, i, dx[i], expected);
    }
}

START_TEST(an_operation_has_the_gradient_of_its_differences)
{
    const op_row *op = &ops[_i];
    trial t;

    trial_init(&t, op);
    analyse(&t, op->build == add || op->build == concat || op->build == u_net ? 2 : 1);
    compare(&t, op->name, "parameter", nset_net_params(t.net), t.grad, nset_net_n_params(t.net));
    for (int i = 0; i < 2; i++)
        compare(&t, op->name, i ? "number of input 1" : "number of input 0", t.inputs[i], t.dinputs[i], t.n_inputs[i]);
    trial_fini(&t);
}
END_TEST

/* Largest at two elements of three: each gets half. */
START_TEST(ties_share_the_gradient_of_a_maximum)
{
    const op_row op = { "max", { { NSET_ELEMENT, NSET_VECTOR, 1 }, NONE }, pool, NSET_POOL_MAX };
    trial t;

    trial_init(&t, &op);
    t.inputs[0][0] = t.inputs[0][2] = 9;
    t.inputs[0][1] = -1;
    analyse(&t, 1);
    ck_assert_double_eq(t.dinputs[0][0], t.c[0][0] / 2);
    ck_assert_double_eq(t.dinputs[0][1], 0);
    ck_assert_double_eq(t.dinputs[0][2], t.c[0][0] / 2);
    trial_fini(&t);
}
END_TEST

/* Gradients add up: a second backward doubles them, and outputs without a slope give none. */
START_TEST(backward_adds_to_what_is_there)
{
    const nset_real *nothing[1] = { NULL };
    trial t;
    nset_real *once;

    trial_init(&t, &ops[0]);
    analyse(&t, 1);
    once = nset_calloc(nset_net_n_params(t.net), sizeof *once);
    memcpy(once, t.grad, nset_net_n_params(t.net) * sizeof *once);
    ck_assert_int_eq(nset_run_backward(t.run, &t.batch, (const nset_real *const *)t.c, t.grad, NULL, NULL), NSET_OK);
    ck_assert_int_eq(nset_run_backward(t.run, &t.batch, nothing, t.grad, NULL, NULL), NSET_OK);
    for (size_t i = 0; i < nset_net_n_params(t.net); i++)
        ck_assert_double_eq_tol(t.grad[i], 2 * once[i], 1e-12);
    nset_free(once);
    trial_fini(&t);
}
END_TEST

/* ---- losses, on (N, K) numbers ---- */

enum { N = 7, K = 4 };

typedef struct loss_row {
    const char *name;
    double (*of)(nset_real *dx, const nset_real *x);
} loss_row;

static const int32_t labels[N] = { 0, 3, -1, 1, 3, 0, 0 };
static nset_real *target, *weight; /* (N * K) */

static double mse(nset_real *dx, const nset_real *x)
{
    return nset_loss_mse(dx, x, target, NULL, N * K);
}

static double weighted_mse(nset_real *dx, const nset_real *x)
{
    return nset_loss_mse(dx, x, target, weight, N * K);
}

static double mae(nset_real *dx, const nset_real *x)
{
    return nset_loss_mae(dx, x, target, weight, N * K);
}

static double bce(nset_real *dx, const nset_real *x)
{
    return nset_loss_bce(dx, x, target, NULL, N * K);
}

static double weighted_bce(nset_real *dx, const nset_real *x)
{
    return nset_loss_bce(dx, x, target, weight, N * K);
}

static double softmax(nset_real *dx, const nset_real *x)
{
    return nset_loss_softmax(dx, x, labels, N, K);
}

static double contrastive(nset_real *dx, const nset_real *x)
{
    double loss;

    ck_assert_int_eq(nset_loss_contrastive(&loss, dx, x, labels, N, K, .3, NULL), NSET_OK);
    return loss;
}

static const loss_row losses[] = {
    { "mse", mse },
    { "mse, weighted", weighted_mse },
    { "mae, weighted", mae },
    { "bce", bce },
    { "bce, weighted", weighted_bce },
    { "softmax", softmax },
    { "contrastive", contrastive },
};

START_TEST(a_loss_has_the_gradient_of_its_differences)
{
    nset_real *x = draw(N * K, "x", 0), dx[N * K];

    target = draw(N * K, "target", 0);
    weight = draw(N * K, "weight", 0);
    for (int i = 0; i < N * K; i++) {
        target[i] = 1 / (1 + exp(-target[i]));
        weight[i] = i % 5 ? fabs(weight[i]) : 0;
    }
    ck_assert_double_eq(losses[_i].of(dx, x), losses[_i].of(NULL, x));
    for (int i = 0; i < N * K; i++) {
        const nset_real was = x[i];
        double above, expected;
        x[i] = was + STEP;
        above = losses[_i].of(NULL, x);
        x[i] = was - STEP;
        expected = (above - losses[_i].of(NULL, x)) / (2 * STEP);
        x[i] = was;
        ck_assert_msg(fabs(dx[i] - expected) <= TOLERANCE * fmax(1, fabs(expected)),
            "%s: number %d: gradient %.10g, difference %.10g", losses[_i].name, i, dx[i], expected);
    }
    nset_free(x);
    nset_free(target);
    nset_free(weight);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gradients");
    TCase *t = tcase_create("gradients");
    SRunner *runner;
    int failed;

    tcase_add_loop_test(t, an_operation_has_the_gradient_of_its_differences, 0, (int)(sizeof ops / sizeof *ops));
    tcase_add_test(t, ties_share_the_gradient_of_a_maximum);
    tcase_add_test(t, backward_adds_to_what_is_there);
    tcase_add_loop_test(t, a_loss_has_the_gradient_of_its_differences, 0, (int)(sizeof losses / sizeof *losses));
    suite_add_tcase(suite, t);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
