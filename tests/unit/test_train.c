#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <neuroset/memory.h>
#include <neuroset/model.h>
#include <neuroset/random.h>
#include <neuroset/train.h>

#include "base/test_hooks.h"

/* g = 2 at p = 1, rate .1, decay .5: m^ = 2, v^ = 4, so p = 1 - .1 * .5 * 1 - .1 * 2 / 2 = .85 at the first step. */
START_TEST(a_step_of_adamw_is_as_worked_by_hand)
{
    nset_adamw o;
    nset_real p = 1;
    const nset_real g = 2;

    ck_assert_int_eq(nset_adamw_init(&o, 1, .5, NULL), NSET_OK);
    nset_adamw_step(&o, &p, &g, .1);
    ck_assert_double_eq_tol(p, .85, 1e-6);
    nset_adamw_step(&o, &p, &g, .1); /* the same slope again: again 2 / sqrt(4) */
    ck_assert_double_eq_tol(p, .85 - .1 * .5 * .85 - .1, 1e-6);
    ck_assert_uint_eq(o.step, 2);
    nset_adamw_fini(&o);
}
END_TEST

START_TEST(the_rate_rises_then_falls_as_half_a_cosine)
{
    ck_assert_double_eq_tol(nset_cosine_rate(0, 101, 10, 1, .1), .1, 1e-12);
    ck_assert_double_eq_tol(nset_cosine_rate(9, 101, 10, 1, .1), 1, 1e-12);
    ck_assert_double_eq_tol(nset_cosine_rate(10, 101, 10, 1, .1), 1, 1e-12);
    ck_assert_double_eq_tol(nset_cosine_rate(55, 101, 10, 1, .1), .55, 1e-12);
    ck_assert_double_eq_tol(nset_cosine_rate(100, 101, 10, 1, .1), .1, 1e-12);
    ck_assert_double_eq_tol(nset_cosine_rate(0, 1, 0, 1, .1), .1, 1e-12);
    ck_assert_double_eq_tol(nset_cosine_rate(500, 101, 10, 1, 0), 0, 1e-12);
}
END_TEST

START_TEST(clipping_keeps_the_direction_and_leaves_short_gradients)
{
    nset_real g[2] = { 3, 4 };

    ck_assert_double_eq(nset_clip_gradient(g, 2, 10), 5);
    ck_assert_double_eq(g[0], 3);
    ck_assert_double_eq(nset_clip_gradient(g, 2, 1), 5);
    ck_assert_double_eq_tol(g[0], .6, 1e-7);
    ck_assert_double_eq_tol(g[1], .8, 1e-7);
    g[0] = INFINITY;
    ck_assert(!isfinite(nset_clip_gradient(g, 2, 1)));
}
END_TEST

START_TEST(losses_have_the_values_worked_by_hand)
{
    const nset_real x[2] = { 1, -1 }, t[2] = { 0, 1 }, w[2] = { 1, 3 }, none[2] = { 0, 0 };
    const nset_real logits[4] = { 0, 0, 0, (nset_real)log(3) };
    const int32_t label[2] = { 0, 1 }, unknown[2] = { -1, -1 };
    nset_real dx[4];

    ck_assert_double_eq_tol(nset_loss_mse(dx, x, t, NULL, 2), 2.5, 1e-7);
    ck_assert_double_eq_tol(dx[1], -2, 1e-7);
    ck_assert_double_eq_tol(nset_loss_mse(NULL, x, t, w, 2), (1 + 3 * 4) / 4., 1e-7);
    ck_assert_double_eq_tol(nset_loss_mae(dx, x, t, w, 2), (1 + 3 * 2) / 4., 1e-7);
    ck_assert_double_eq_tol(dx[1], -.75, 1e-7);
    ck_assert_double_eq(nset_loss_mae(dx, x, t, none, 2), 0);
    ck_assert_double_eq(dx[0], 0);
    ck_assert_double_eq_tol(nset_loss_bce(NULL, x, t, NULL, 2), log(1 + exp(1.)), 1e-7);
    ck_assert_double_eq_tol(nset_loss_softmax(NULL, logits, label, 2, 2), (log(2.) + log(4 / 3.)) / 2, 1e-7);
    ck_assert_double_eq(nset_loss_softmax(dx, logits, unknown, 2, 2), 0);
    ck_assert_double_eq(dx[3], 0);
}
END_TEST

START_TEST(binary_cross_entropy_bears_huge_logits)
{
    const nset_real x[2] = { 1e30f, -1e30f }, t[2] = { 1, 0 };
    nset_real dx[2];

    ck_assert_double_eq(nset_loss_bce(dx, x, t, NULL, 2), 0);
    ck_assert_double_eq(dx[0], 0);
    ck_assert_double_eq(dx[1], 0);
}
END_TEST

/* Two equal rows of one label and one opposite row that is nobody's: each anchor sees e^1 of e^1 + e^-1. */
START_TEST(the_contrastive_loss_is_as_worked_by_hand)
{
    const nset_real z[6] = { 2, 0, 5, 0, -1, 0 };
    const int32_t label[3] = { 4, 4, -1 }, alone[3] = { 1, 2, -1 };
    nset_real dz[6];
    double loss;

    ck_assert_int_eq(nset_loss_contrastive(&loss, dz, z, label, 3, 2, 1, NULL), NSET_OK);
    ck_assert_double_eq_tol(loss, log(1 + exp(-2.)), 1e-6);
    ck_assert_int_eq(nset_loss_contrastive(&loss, dz, z, alone, 3, 2, 1, NULL), NSET_OK);
    ck_assert_double_eq(loss, 0);
    ck_assert_double_eq(dz[0], 0);
    for (long k = 0; k < 4; k++) {
        nset_error err = { 0 };
        nset_test_fail_alloc_at(k);
        ck_assert_int_eq(nset_loss_contrastive(&loss, dz, z, label, 3, 2, 1, &err), NSET_ERR_NOMEM);
        nset_test_fail_alloc_at(-1);
        ck_assert_int_eq(nset_test_live_allocs(), 0);
    }
}
END_TEST

static nset_net *small_net(uint64_t seed)
{
    nset_net *net = NULL;
    nset_node x;

    ck_assert_int_eq(nset_net_create(&net, NULL), NSET_OK);
    x = nset_net_input(net, NSET_ELEMENT, NSET_VECTOR, 3);
    x = nset_net_activate(net, nset_net_dense(net, x, "phi", 8), NSET_TANH);
    x = nset_net_pool(net, x, NSET_POOL_MEAN);
    nset_net_output(net, nset_net_dense(net, x, "rho", 1));
    ck_assert_int_eq(nset_net_finish(net, seed, NULL), NSET_OK);
    return net;
}

/* Steps first .. last-1 of a training whose batches are a function of the step. */
static void train(nset_net *net, nset_adamw *o, uint64_t first, uint64_t last)
{
    const size_t n = nset_net_n_params(net);
    nset_real *grad = nset_calloc(n, sizeof *grad);
    nset_run *run = NULL;

    ck_assert_int_eq(nset_run_create(&run, net, NULL, NULL), NSET_OK);
    for (uint64_t step = first; step < last; step++) {
        const int64_t offsets[4] = { 0, 0, 2, 7 };
        nset_random r = nset_random_stream(1, "batch", step);
        nset_real x[21], target[3], dout[3];
        const nset_real *inputs[1] = { x }, *douts[1] = { dout };
        const nset_batch batch = { .n_sets = 3, .offsets = offsets, .inputs = inputs };
        for (int i = 0; i < 21; i++)
            x[i] = (nset_real)nset_random_normal(&r);
        for (int i = 0; i < 3; i++)
            target[i] = (nset_real)nset_random_normal(&r);
        memset(grad, 0, n * sizeof *grad);
        ck_assert_int_eq(nset_run_forward_train(run, &batch, step, NULL), NSET_OK);
        nset_loss_mse(dout, nset_run_output(run, 0, NULL, NULL), target, NULL, 3);
        ck_assert_int_eq(nset_run_backward(run, &batch, douts, grad, NULL, NULL), NSET_OK);
        nset_clip_gradient(grad, n, 1);
        nset_adamw_step(o, nset_net_params(net), grad, nset_cosine_rate(step, 40, 5, 1e-2, 0));
    }
    nset_run_free(run);
    nset_free(grad);
}

START_TEST(a_resumed_training_ends_with_the_same_bytes)
{
    nset_net *whole = small_net(3), *begun = small_net(3), *resumed = small_net(99);
    const size_t n = nset_net_n_params(whole);
    char path[] = "test_train_XXXXXX";
    nset_adamw a, b, c;
    nset_error err = { 0 };

    close(mkstemp(path));
    ck_assert_int_eq(nset_adamw_init(&a, n, .01, NULL), NSET_OK);
    ck_assert_int_eq(nset_adamw_init(&b, n, .01, NULL), NSET_OK);
    ck_assert_int_eq(nset_adamw_init(&c, n, .01, NULL), NSET_OK);
    train(whole, &a, 0, 40);
    train(begun, &b, 0, 17);
    ck_assert_msg(nset_checkpoint_save(path, begun, &b, &err) == NSET_OK, "%s", err.text);
    ck_assert_msg(nset_checkpoint_load(path, resumed, &c, &err) == NSET_OK, "%s", err.text);
    train(resumed, &c, 17, 40);
    ck_assert_uint_eq(c.step, 40);
    ck_assert_mem_eq(nset_net_params(whole), nset_net_params(resumed), n * sizeof(nset_real));
    ck_assert_mem_eq(a.m, c.m, n * sizeof(nset_real));
    ck_assert_mem_eq(a.v, c.v, n * sizeof(nset_real));
    unlink(path);
    nset_adamw_fini(&a);
    nset_adamw_fini(&b);
    nset_adamw_fini(&c);
    nset_net_free(whole);
    nset_net_free(begun);
    nset_net_free(resumed);
}
END_TEST

START_TEST(a_checkpoint_bears_no_memory_at_every_allocation)
{
    nset_net *net = small_net(3);
    char path[] = "test_train_XXXXXX";
    nset_adamw o;
    const long live = nset_test_live_allocs();

    close(mkstemp(path));
    for (long k = 0;; k++) {
        nset_error err = { 0 };
        nset_status status;
        nset_test_fail_alloc_at(k);
        if ((status = nset_adamw_init(&o, nset_net_n_params(net), 0, &err)) == NSET_OK)
            status = nset_checkpoint_save(path, net, &o, &err);
        if (status == NSET_OK)
            status = nset_checkpoint_load(path, net, &o, &err);
        nset_test_fail_alloc_at(-1);
        nset_adamw_fini(&o);
        ck_assert_int_eq(nset_test_live_allocs(), live);
        if (status == NSET_OK)
            break;
        ck_assert_int_eq(status, NSET_ERR_NOMEM);
        ck_assert(err.text[0]);
    }
    unlink(path);
    nset_net_free(net);
}
END_TEST

/* A model of the same network has no moments; a checkpoint of another network has others. */
START_TEST(a_file_that_is_no_checkpoint_of_this_net_changes_nothing)
{
    nset_net *net = small_net(3), *wider = NULL;
    char path[] = "test_train_XXXXXX";
    nset_adamw o, of_wider;
    nset_error err = { 0 };

    close(mkstemp(path));
    ck_assert_int_eq(nset_net_create(&wider, NULL), NSET_OK);
    nset_net_output(wider, nset_net_dense(wider, nset_net_input(wider, NSET_SET, NSET_VECTOR, 3), "phi", 9));
    ck_assert_int_eq(nset_net_finish(wider, 3, NULL), NSET_OK);
    ck_assert_int_eq(nset_adamw_init(&o, nset_net_n_params(net), 0, NULL), NSET_OK);
    ck_assert_int_eq(nset_adamw_init(&of_wider, nset_net_n_params(wider), 0, NULL), NSET_OK);
    ck_assert_int_eq(nset_model_save(path, net, NULL, 0, NULL), NSET_OK);
    ck_assert_int_eq(nset_checkpoint_load(path, net, &o, &err), NSET_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "no checkpoint"));
    of_wider.step = 4;
    ck_assert_int_eq(nset_checkpoint_save(path, wider, &of_wider, NULL), NSET_OK);
    err = (nset_error){ 0 };
    ck_assert_int_eq(nset_checkpoint_load(path, net, &o, &err), NSET_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "phi"));
    ck_assert_uint_eq(o.step, 0);
    unlink(path);
    ck_assert_int_eq(nset_checkpoint_load(path, net, &o, NULL), NSET_ERR_IO);
    nset_adamw_fini(&o);
    nset_adamw_fini(&of_wider);
    nset_net_free(net);
    nset_net_free(wider);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("train");
    TCase *t = tcase_create("train");
    SRunner *runner;
    int failed;

    tcase_add_test(t, a_step_of_adamw_is_as_worked_by_hand);
    tcase_add_test(t, the_rate_rises_then_falls_as_half_a_cosine);
    tcase_add_test(t, clipping_keeps_the_direction_and_leaves_short_gradients);
    tcase_add_test(t, losses_have_the_values_worked_by_hand);
    tcase_add_test(t, binary_cross_entropy_bears_huge_logits);
    tcase_add_test(t, the_contrastive_loss_is_as_worked_by_hand);
    tcase_add_test(t, a_resumed_training_ends_with_the_same_bytes);
    tcase_add_test(t, a_checkpoint_bears_no_memory_at_every_allocation);
    tcase_add_test(t, a_file_that_is_no_checkpoint_of_this_net_changes_nothing);
    suite_add_tcase(suite, t);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
