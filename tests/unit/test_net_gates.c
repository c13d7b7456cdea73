/* What networks on sets promise: the same bits for any order, any batch mates, any number of threads and any row of
 * the kernel table; and what they can learn. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <neuroset/device.h>
#include <neuroset/memory.h>
#include <neuroset/random.h>
#include <neuroset/train.h>

#include "base/test_hooks.h"
#include "net/graph.h"

enum { MAX_INPUTS = 3, MAX_SETS = 6, MAX_OUTPUTS = 4 };

static const size_t set_sizes[MAX_SETS] = { 7, 0, 1, 1000, 2, 64 }, image_sets[MAX_SETS] = { 2, 0, 5, 1, 0, 3 };

/* A network of every operation and a ragged batch for it. */
typedef struct world {
    nset_net *net;
    nset_batch batch;
    int64_t offsets[MAX_SETS + 1];
    nset_real *inputs[MAX_INPUTS];
    size_t row[MAX_INPUTS]; /* numbers of an element's or a set's input */
    bool of_sets[MAX_INPUTS];
    int n_inputs;
} world;

/* Copies of all outputs of a run. */
typedef struct result {
    nset_real *out[MAX_OUTPUTS];
    size_t images[MAX_OUTPUTS], size[MAX_OUTPUTS]; /* elements or sets, and numbers of one */
    nset_real *grad;
} result;

/* Of three numbers in a row, a large one, its negative and a small one: a plain sum of them depends on the order. */
static nset_real wild_number(const nset_real *x, size_t k, size_t row, nset_random *r)
{
    const nset_real draw = (nset_real)nset_random_normal(r);

    if (k / row % 3 == 1)
        return -x[k - row];
    return ldexpf(draw, (int)nset_random_below(r, 30) - (k / row % 3 == 2 ? 30 : 0));
}

static void add_input(world *w, nset_domain domain, size_t row, bool wild)
{
    const int i = w->n_inputs++;
    const size_t n = row * (domain == NSET_SET ? w->batch.n_sets : (size_t)w->offsets[w->batch.n_sets]);
    nset_random r = nset_random_stream(2, "input", (uint64_t)i);

    w->inputs[i] = nset_calloc(n, sizeof(nset_real));
    w->row[i] = row;
    w->of_sets[i] = domain == NSET_SET;
    for (size_t k = 0; k < n; k++)
        w->inputs[i][k] = wild ? wild_number(w->inputs[i], k, row, &r) : (nset_real)nset_random_normal(&r);
}

static void world_init(world *w, const size_t *sizes)
{
    *w = (world){ .batch.n_sets = MAX_SETS };
    for (int s = 0; s < MAX_SETS; s++)
        w->offsets[s + 1] = w->offsets[s] + (int64_t)sizes[s];
    w->batch.offsets = w->offsets;
    w->batch.inputs = (const nset_real *const *)w->inputs;
    ck_assert_int_eq(nset_net_create(&w->net, NULL), NSET_OK);
}

static void build_vectors(nset_net *net)
{
    const nset_node x = nset_net_input(net, NSET_ELEMENT, NSET_VECTOR, 14);
    const nset_node s = nset_net_input(net, NSET_SET, NSET_VECTOR, 5);
    const nset_node wild = nset_net_input(net, NSET_ELEMENT, NSET_VECTOR, 3);
    nset_node a = nset_net_layer_norm(net, nset_net_dense(net, x, "a", 24), "a");
    nset_node c = nset_net_conv1d(net, x, "c", 7, 5, 2, 4), h = s, e;

    a = nset_net_concat(net, nset_net_activate(net, a, NSET_GELU), nset_net_activate(net, c, NSET_ELU));
    for (int how = NSET_POOL_SUM; how <= NSET_POOL_LSE; how++)
        h = nset_net_concat(net, h, nset_net_pool(net, a, (nset_pool)how));
    h = nset_net_concat(net, h, nset_net_log_size(net));
    h = nset_net_activate(net, nset_net_dense(net, h, "h", 33), NSET_TANH);
    e = nset_net_activate(net, nset_net_equivariant(net, a, "e", 20, NSET_POOL_MEAN), NSET_SIGMOID);
    c = nset_net_activate(net, nset_net_equivariant(net, e, "f", 20, NSET_POOL_MAX), NSET_RELU);
    e = nset_net_concat(net, nset_net_dropout(net, nset_net_add(net, e, c), .1), nset_net_broadcast(net, h));
    nset_net_output(net, nset_net_dense(net, e, "out", 7));
    nset_net_output(net, nset_net_dense(net, h, "of_set", 3));
    nset_net_output(net, nset_net_pool(net, wild, NSET_POOL_SUM));
    nset_net_output(net, nset_net_pool(net, wild, NSET_POOL_LSE));
}

static void vectors(world *w)
{
    nset_error err = { 0 };

    world_init(w, set_sizes);
    build_vectors(w->net);
    ck_assert_msg(nset_net_finish(w->net, 4, &err) == NSET_OK, "%s", err.text);
    add_input(w, NSET_ELEMENT, 14, false);
    add_input(w, NSET_SET, 5, false);
    add_input(w, NSET_ELEMENT, 3, true);
}

/* A U-Net on sets of images of 3 channels. */
static void build_images(nset_net *net)
{
    nset_node x = nset_net_input(net, NSET_ELEMENT, 0, 3), top, low;

    x = nset_net_activate(net, nset_net_conv2d(net, x, "phi", 3, 6), NSET_GELU);
    top = nset_net_concat(net, nset_net_pool(net, x, NSET_POOL_MEAN), nset_net_pool(net, x, NSET_POOL_MAX));
    top = nset_net_activate(net, nset_net_conv2d(net, top, "top", 3, 17), NSET_ELU);
    low = nset_net_conv2d(net, nset_net_down(net, top), "low", 5, 9);
    top = nset_net_concat(net, nset_net_up(net, low), top);
    nset_net_output(net, nset_net_conv2d(net, top, "out", 1, 2));
    nset_net_output(
        net, nset_net_add(net, nset_net_broadcast(net, nset_net_up(net, low)), nset_net_conv2d(net, x, "back", 1, 9)));
}

static void images(world *w)
{
    nset_error err = { 0 };

    world_init(w, image_sets);
    w->batch.height = 8;
    w->batch.width = 12;
    build_images(w->net);
    ck_assert_msg(nset_net_finish(w->net, 4, &err) == NSET_OK, "%s", err.text);
    add_input(w, NSET_ELEMENT, 8 * 12 * 3, false);
}

static void world_fini(world *w)
{
    for (int i = 0; i < w->n_inputs; i++)
        nset_free(w->inputs[i]);
    nset_net_free(w->net);
}

static void result_fini(result *r)
{
    for (int k = 0; k < MAX_OUTPUTS; k++)
        nset_free(r->out[k]);
    nset_free(r->grad);
}

static size_t output_images(const world *w, const nset_batch *b, int k)
{
    const node *n = &w->net->nodes[w->net->outputs[k]];

    return n->domain == NSET_SET ? b->n_sets : (size_t)b->offsets[b->n_sets];
}

static void keep(result *r, const world *w, const nset_batch *b, const nset_run *run)
{
    for (size_t k = 0; k < w->net->n_outputs; k++) {
        size_t rows, d;
        const nset_real *out = nset_run_output(run, (int)k, &rows, &d);
        r->images[k] = output_images(w, b, (int)k);
        r->size[k] = r->images[k] ? rows / r->images[k] * d : 0;
        r->out[k] = nset_calloc(rows * d, sizeof(nset_real));
        if (rows)
            memcpy(r->out[k], out, rows * d * sizeof(nset_real));
    }
}

/* Inference, or one pass of training with the gradient of half the sum of squares of all outputs. */
static void compute(result *r, const world *w, const nset_batch *b, size_t n_threads, bool training)
{
    nset_workers *workers = NULL;
    nset_run *run = NULL;
    nset_error err = { 0 };

    *r = (result){ 0 };
    ck_assert_int_eq(nset_workers_create(&workers, n_threads, &err), NSET_OK);
    ck_assert_int_eq(nset_run_create(&run, w->net, workers, &err), NSET_OK);
    if (training)
        ck_assert_msg(nset_run_forward_train(run, b, 8, &err) == NSET_OK, "%s", err.text);
    else
        ck_assert_msg(nset_run_forward(run, b, &err) == NSET_OK, "%s", err.text);
    keep(r, w, b, run);
    if (training) {
        r->grad = nset_calloc(nset_net_n_params(w->net), sizeof(nset_real));
        ck_assert_int_eq(nset_run_backward(run, b, (const nset_real *const *)r->out, r->grad, NULL, &err), NSET_OK);
    }
    nset_run_free(run);
    nset_workers_free(workers);
}

static void assert_same(const result *a, const result *b, const world *w, const char *what)
{
    for (size_t k = 0; k < w->net->n_outputs; k++)
        ck_assert_msg(!memcmp(a->out[k], b->out[k], a->images[k] * a->size[k] * sizeof(nset_real)),
            "%s: output %zu has other bits", what, k);
    if (a->grad)
        ck_assert_msg(!memcmp(a->grad, b->grad, nset_net_n_params(w->net) * sizeof(nset_real)),
            "%s: the gradient has other bits", what);
}

static void (*const worlds[])(world *) = { vectors, images };
enum { N_WORLDS = sizeof worlds / sizeof *worlds };

START_TEST(any_number_of_threads_gives_the_same_bits)
{
    world w;

    worlds[_i](&w);
    for (int training = 0; training < 2; training++) {
        result one, more;
        compute(&one, &w, &w.batch, 1, training);
        for (size_t n_threads = 2; n_threads <= 3; n_threads++) {
            compute(&more, &w, &w.batch, n_threads, training);
            assert_same(&one, &more, &w, training ? "threads, training" : "threads");
            result_fini(&more);
        }
        result_fini(&one);
    }
    world_fini(&w);
}
END_TEST

START_TEST(any_row_of_the_kernel_table_gives_the_same_bits)
{
    static const char *const rows[] = { "avx2", "avx512" };
    world w;

    worlds[_i](&w);
    for (int training = 0; training < 2; training++) {
        result plain, wide;
        ck_assert_int_eq(nset_device_use("c", NULL), NSET_OK);
        compute(&plain, &w, &w.batch, 1, training);
        for (int i = 0; i < 2; i++) {
            if (nset_device_use(rows[i], NULL) != NSET_OK) /* this CPU lacks it */
                continue;
            compute(&wide, &w, &w.batch, 1, training);
            assert_same(&plain, &wide, &w, rows[i]);
            result_fini(&wide);
        }
        result_fini(&plain);
    }
    ck_assert_int_eq(nset_device_use("auto", NULL), NSET_OK);
    world_fini(&w);
}
END_TEST

/* The set s of w as a batch of its own; inputs (MAX_INPUTS) is room for its pointers. */
static nset_batch alone(const world *w, size_t s, int64_t offsets[2], const nset_real **inputs)
{
    nset_batch b = w->batch;

    offsets[0] = 0;
    offsets[1] = w->offsets[s + 1] - w->offsets[s];
    for (int i = 0; i < w->n_inputs; i++)
        inputs[i] = w->inputs[i] + w->row[i] * (w->of_sets[i] ? s : (size_t)w->offsets[s]);
    b.n_sets = 1;
    b.offsets = offsets;
    b.inputs = inputs;
    return b;
}

START_TEST(batch_mates_do_not_change_a_bit)
{
    world w;
    result all, one;

    worlds[_i](&w);
    compute(&all, &w, &w.batch, 1, false);
    for (size_t s = 0; s < w.batch.n_sets; s++) {
        const nset_real *inputs[MAX_INPUTS];
        int64_t offsets[2];
        const nset_batch b = alone(&w, s, offsets, inputs);
        compute(&one, &w, &b, 1, false);
        for (size_t k = 0; k < w.net->n_outputs; k++) {
            const bool of_sets = w.net->nodes[w.net->outputs[k]].domain == NSET_SET;
            const nset_real *there = all.out[k] + all.size[k] * (of_sets ? s : (size_t)w.offsets[s]);
            ck_assert_msg(!memcmp(there, one.out[k], one.images[k] * one.size[k] * sizeof *there),
                "set %zu alone: output %zu has other bits", s, k);
        }
        result_fini(&one);
    }
    result_fini(&all);
    world_fini(&w);
}
END_TEST

/* Elements of each set in a new order, order[e] the old place of the new e-th. */
static void permute(nset_batch *b, const world *w, nset_real **inputs, size_t *order, uint64_t seed)
{
    nset_random r = nset_random_stream(seed, "order", 0);

    for (size_t e = 0; e < (size_t)w->offsets[w->batch.n_sets]; e++)
        order[e] = e;
    for (size_t s = 0; s < w->batch.n_sets; s++)
        nset_random_shuffle(&r, order + w->offsets[s], (size_t)(w->offsets[s + 1] - w->offsets[s]));
    for (int i = 0; i < w->n_inputs; i++) {
        const size_t n = w->of_sets[i] ? w->batch.n_sets : (size_t)w->offsets[w->batch.n_sets];
        inputs[i] = nset_calloc(n * w->row[i], sizeof(nset_real));
        for (size_t e = 0; e < n; e++)
            memcpy(inputs[i] + e * w->row[i], w->inputs[i] + (w->of_sets[i] ? e : order[e]) * w->row[i],
                w->row[i] * sizeof(nset_real));
    }
    *b = w->batch;
    b->inputs = (const nset_real *const *)inputs;
}

START_TEST(any_order_of_a_sets_elements_gives_the_same_bits)
{
    world w;
    result plain, mixed;
    size_t *order;

    worlds[_i](&w);
    order = nset_calloc((size_t)w.offsets[w.batch.n_sets], sizeof *order);
    compute(&plain, &w, &w.batch, 1, false);
    for (uint64_t seed = 0; seed < 20; seed++) {
        nset_real *inputs[MAX_INPUTS];
        nset_batch b;
        permute(&b, &w, inputs, order, seed);
        compute(&mixed, &w, &b, 2, false);
        for (size_t k = 0; k < w.net->n_outputs; k++)
            for (size_t e = 0; e < mixed.images[k]; e++) {
                const bool of_sets = w.net->nodes[w.net->outputs[k]].domain == NSET_SET;
                ck_assert_msg(
                    !memcmp(mixed.out[k] + e * mixed.size[k], plain.out[k] + (of_sets ? e : order[e]) * plain.size[k],
                        plain.size[k] * sizeof(nset_real)),
                    "permutation %d: output %zu, row %zu has other bits", (int)seed, k, e);
            }
        for (int i = 0; i < w.n_inputs; i++)
            nset_free(inputs[i]);
        result_fini(&mixed);
    }
    nset_free(order);
    result_fini(&plain);
    world_fini(&w);
}
END_TEST

START_TEST(the_public_check_finds_no_deviation)
{
    world w;
    double deviation = NAN;

    worlds[_i](&w);
    ck_assert_int_eq(nset_equivariance_check(&deviation, w.net, &w.batch, 5, 1, NULL), NSET_OK);
    ck_assert(deviation == 0);
    world_fini(&w);
}
END_TEST

/* Three sets, the first of three elements: a row a set fits a row an element. An input that is then said to be of
 * sets stays in place when elements move, so the network adds 1, 2, 4 by position: it is not equivariant. */
START_TEST(the_public_check_tells_a_network_that_is_not_equivariant)
{
    const int64_t offsets[4] = { 0, 3, 3, 3 };
    const nset_real zero[3] = { 0 }, by_position[3] = { 1, 2, 4 };
    const nset_real *inputs[2] = { zero, by_position };
    const nset_batch batch = { .n_sets = 3, .offsets = offsets, .inputs = inputs };
    nset_node x, position;
    nset_net *net = NULL;
    double deviation;

    ck_assert_int_eq(nset_net_create(&net, NULL), NSET_OK);
    x = nset_net_input(net, NSET_ELEMENT, NSET_VECTOR, 1);
    position = nset_net_input(net, NSET_ELEMENT, NSET_VECTOR, 1);
    nset_net_output(net, nset_net_add(net, x, position));
    ck_assert_int_eq(nset_net_finish(net, 0, NULL), NSET_OK);
    ck_assert_int_eq(nset_equivariance_check(&deviation, net, &batch, 20, 1, NULL), NSET_OK);
    ck_assert(deviation == 0);
    net->nodes[position].domain = NSET_SET;
    ck_assert_int_eq(nset_equivariance_check(&deviation, net, &batch, 20, 1, NULL), NSET_OK);
    ck_assert_double_eq(deviation, 3);
    nset_net_free(net);
}
END_TEST

/* Zaheer et al. 2017, appendix: with phi = (x, x^2, x^3), x1 x2 (x1 + x2 + 3) = u v - w + 3 (u^2 - v) / 2. Elements
 * are one-hot rows, so that phi is a table; all its sums are whole numbers below 2^24, exact in float. */
START_TEST(the_worked_example_is_exact_on_the_whole_grid)
{
    enum { LOW = -50, SIDE = 101, PAIRS = SIDE * SIDE };
    nset_real *x = nset_calloc((size_t)PAIRS * 2 * SIDE, sizeof *x);
    int64_t *offsets = nset_calloc(PAIRS + 1, sizeof *offsets);
    const nset_real *inputs[1] = { x }, *out;
    const nset_batch batch = { .n_sets = PAIRS, .offsets = offsets, .inputs = inputs };
    nset_net *net = NULL;
    nset_run *run = NULL;
    nset_node one_hot;

    ck_assert_int_eq(nset_net_create(&net, NULL), NSET_OK);
    one_hot = nset_net_input(net, NSET_ELEMENT, NSET_VECTOR, SIDE);
    nset_net_output(net, nset_net_pool(net, nset_net_dense(net, one_hot, "phi", 3), NSET_POOL_SUM));
    ck_assert_int_eq(nset_net_finish(net, 0, NULL), NSET_OK);
    for (int i = 0; i < SIDE; i++)
        for (int k = 0, power = 1; k < 3; k++)
            nset_net_params(net)[i * 3 + k] = (nset_real)(power *= LOW + i);
    for (int p = 0; p < PAIRS; p++) {
        offsets[p + 1] = 2 * (p + 1);
        x[2 * p * SIDE + p / SIDE] = 1;
        x[(2 * p + 1) * SIDE + p % SIDE] = 1;
    }
    ck_assert_int_eq(nset_run_create(&run, net, NULL, NULL), NSET_OK);
    ck_assert_int_eq(nset_run_forward(run, &batch, NULL), NSET_OK);
    out = nset_run_output(run, 0, NULL, NULL);
    for (int p = 0; p < PAIRS; p++) {
        const int a = LOW + p / SIDE, b = LOW + p % SIDE;
        const double u = (double)out[3 * p], v = (double)out[3 * p + 1], w = (double)out[3 * p + 2];
        ck_assert_double_eq(u * v - w + 3 * (u * u - v) / 2, a * b * (a + b + 3));
    }
    nset_run_free(run);
    nset_net_free(net);
    nset_free(x);
    nset_free(offsets);
}
END_TEST

/* ---- the sum of the digits of a text, learnt from texts of 1 to 9 digits ---- */

enum { DIGITS = 10, BATCH = 128, LONGEST = 95 };

typedef struct texts {
    int64_t offsets[BATCH + 1];
    nset_real x[BATCH * LONGEST * DIGITS], sum[BATCH];
    const nset_real *inputs[1];
    nset_batch batch;
} texts;

/* length 0: each text has a length of its own, 1 to 9. Digits are 1 to 9, one-hot. */
static void draw_texts(texts *t, nset_random *r, int length)
{
    memset(t, 0, sizeof *t);
    for (int s = 0; s < BATCH; s++) {
        const int n = length ? length : 1 + (int)nset_random_below(r, 9);
        t->offsets[s + 1] = t->offsets[s] + n;
        for (int64_t e = t->offsets[s]; e < t->offsets[s + 1]; e++) {
            const uint32_t digit = 1 + nset_random_below(r, 9);
            t->x[e * DIGITS + digit] = 1;
            t->sum[s] += (nset_real)digit;
        }
    }
    t->inputs[0] = t->x;
    t->batch = (nset_batch){ .n_sets = BATCH, .offsets = t->offsets, .inputs = t->inputs };
}

static nset_net *digit_net(void)
{
    nset_net *net = NULL;
    nset_node x;

    ck_assert_int_eq(nset_net_create(&net, NULL), NSET_OK);
    x = nset_net_dense(net, nset_net_input(net, NSET_ELEMENT, NSET_VECTOR, DIGITS), "embedding", 100);
    x = nset_net_activate(net, nset_net_dense(net, x, "phi", 30), NSET_TANH);
    nset_net_output(net, nset_net_dense(net, nset_net_pool(net, x, NSET_POOL_SUM), "rho", 1));
    ck_assert_int_eq(nset_net_finish(net, 1, NULL), NSET_OK);
    return net;
}

static void train_digits(nset_net *net, nset_run *run, texts *t)
{
    enum { STEPS = 3000 };
    const size_t n = nset_net_n_params(net);
    nset_real *grad = nset_calloc(n, sizeof *grad), slope[BATCH];
    const nset_real *slopes[1] = { slope };
    nset_random r = nset_random_stream(1, "train", 0);
    nset_adamw o;

    ck_assert_int_eq(nset_adamw_init(&o, n, 0, NULL), NSET_OK);
    for (uint64_t step = 0; step < STEPS; step++) {
        draw_texts(t, &r, 0);
        ck_assert_int_eq(nset_run_forward_train(run, &t->batch, step, NULL), NSET_OK);
        nset_loss_mae(slope, nset_run_output(run, 0, NULL, NULL), t->sum, NULL, BATCH);
        memset(grad, 0, n * sizeof *grad);
        ck_assert_int_eq(nset_run_backward(run, &t->batch, slopes, grad, NULL, NULL), NSET_OK);
        nset_adamw_step(&o, nset_net_params(net), grad, nset_cosine_rate(step, STEPS, 50, 2e-3, 0));
    }
    nset_adamw_fini(&o);
    nset_free(grad);
}

START_TEST(digit_sums_learnt_up_to_9_hold_up_to_95)
{
    texts *t = nset_calloc(1, sizeof *t);
    nset_random r = nset_random_stream(1, "test", 0);
    nset_net *net = digit_net();
    nset_run *run = NULL;

    ck_assert_int_eq(nset_run_create(&run, net, NULL, NULL), NSET_OK);
    train_digits(net, run, t);
    for (int length = 5; length <= LONGEST; length += 5)
        for (int batch = 0; batch < 8; batch++) {
            const nset_real *out;
            draw_texts(t, &r, length);
            ck_assert_int_eq(nset_run_forward(run, &t->batch, NULL), NSET_OK);
            out = nset_run_output(run, 0, NULL, NULL);
            for (int s = 0; s < BATCH; s++)
                ck_assert_msg(fabsf(out[s] - t->sum[s]) < .5f, "length %d: %g instead of %g", length, (double)out[s],
                    (double)t->sum[s]);
        }
    nset_run_free(run);
    nset_net_free(net);
    nset_free(t);
}
END_TEST

/* Building, a run of inference, one of training and the check; the first error. */
static nset_status whole_life(const world *w, void (*build)(nset_net *net), nset_error *err)
{
    nset_net *net = NULL;
    nset_run *run = NULL;
    nset_real *grad = NULL;
    double deviation;
    nset_status status;

    if ((status = nset_net_create(&net, err)) != NSET_OK)
        return status;
    build(net);
    if ((status = nset_net_finish(net, 4, err)) == NSET_OK &&
        !(grad = nset_calloc(nset_net_n_params(net), sizeof *grad)))
        status = nset_fail_oom(err, nset_net_n_params(net), sizeof *grad);
    if (status == NSET_OK)
        status = nset_run_create(&run, net, NULL, err);
    if (status == NSET_OK)
        status = nset_run_forward(run, &w->batch, err);
    if (status == NSET_OK)
        status = nset_run_forward_train(run, &w->batch, 1, err);
    if (status == NSET_OK) {
        const nset_real *slopes[MAX_OUTPUTS] = { nset_run_output(run, 0, NULL, NULL) };
        status = nset_run_backward(run, &w->batch, slopes, grad, NULL, err);
    }
    if (status == NSET_OK)
        status = nset_equivariance_check(&deviation, net, &w->batch, 1, 1, err);
    nset_run_free(run);
    nset_net_free(net);
    nset_free(grad);
    return status;
}

START_TEST(a_network_bears_no_memory_at_every_allocation)
{
    world w;
    long live, k = 0;
    nset_status status = NSET_ERR_NOMEM;

    worlds[_i](&w);
    live = nset_test_live_allocs();
    for (; status != NSET_OK; k++) {
        nset_error err = { 0 };
        nset_test_fail_alloc_at(k);
        status = whole_life(&w, _i ? build_images : build_vectors, &err);
        nset_test_fail_alloc_at(-1);
        ck_assert_int_eq(nset_test_live_allocs(), live);
        ck_assert_msg(
            status == NSET_OK || (status == NSET_ERR_NOMEM && err.text[0]), "allocation %ld: %s", k, err.text);
    }
    ck_assert_int_gt(k, 50);
    world_fini(&w);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("net");
    TCase *t = tcase_create("net");
    SRunner *runner;
    int failed;

    tcase_add_loop_test(t, any_number_of_threads_gives_the_same_bits, 0, N_WORLDS);
    tcase_add_loop_test(t, any_row_of_the_kernel_table_gives_the_same_bits, 0, N_WORLDS);
    tcase_add_loop_test(t, batch_mates_do_not_change_a_bit, 0, N_WORLDS);
    tcase_add_loop_test(t, any_order_of_a_sets_elements_gives_the_same_bits, 0, N_WORLDS);
    tcase_add_loop_test(t, the_public_check_finds_no_deviation, 0, N_WORLDS);
    tcase_add_test(t, the_public_check_tells_a_network_that_is_not_equivariant);
    tcase_add_test(t, the_worked_example_is_exact_on_the_whole_grid);
    tcase_add_test(t, digit_sums_learnt_up_to_9_hold_up_to_95);
    tcase_add_loop_test(t, a_network_bears_no_memory_at_every_allocation, 0, N_WORLDS);
    suite_add_tcase(suite, t);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
