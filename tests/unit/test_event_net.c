#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <neuroset/memory.h>
#include <neuroset/net.h>
#include <neuroset/random.h>
#include "ephys/event_loss.h"
#include "ephys/event_net.h"
#include "ephys/train_events.h"
#include "ephys/train_sorter.h"

enum { D = NSET_EMBEDDING };

static void random_tokens(float *tokens, size_t n, uint64_t seed)
{
    nset_random r = nset_random_stream(seed, "tokens", 0);

    for (size_t i = 0; i < n * NSET_TOKEN; i++)
        tokens[i] = (float)(3 * nset_random_normal(&r));
    for (size_t i = 0; i < n; i++) {
        tokens[i * NSET_TOKEN + NSET_TOKEN_DX] *= 10;
        tokens[i * NSET_TOKEN + NSET_TOKEN_DY] *= 10;
    }
}

static nset_event_net *open_random_net(nset_net **net, nset_workers *workers)
{
    nset_event_net *n = NULL;
    nset_error err = { 0 };

    ck_assert_msg(nset_event_net_build(net, 5, &err) == NSET_OK, "%s", err.text);
    ck_assert_msg(nset_event_net_borrow(&n, *net, workers, &err) == NSET_OK, "%s", err.text);
    return n;
}

static const size_t set_sizes[] = { 1, 2, 4, 13, 384 };

START_TEST(the_order_of_an_events_channels_changes_no_bit)
{
    size_t n = set_sizes[_i], order[384];
    float *a = nset_calloc(n * NSET_TOKEN, sizeof *a), *b = nset_calloc(n * NSET_TOKEN, sizeof *b);
    float za[D], zb[D], la, lb, pa[2], pb[2];
    int64_t offsets[] = { 0, (int64_t)n };
    nset_random r = nset_random_stream(1, "order", n);
    nset_net *net = NULL;
    nset_event_net *e = open_random_net(&net, NULL);

    random_tokens(a, n, n);
    for (int k = 0; k < 5; k++) {
        for (size_t i = 0; i < n; i++)
            order[i] = i;
        nset_random_shuffle(&r, order, n);
        for (size_t i = 0; i < n; i++)
            memcpy(b + i * NSET_TOKEN, a + order[i] * NSET_TOKEN, NSET_TOKEN * sizeof *a);
        ck_assert_int_eq(nset_event_net_embed(e, 1, offsets, a, za, &la, pa, NULL), NSET_OK);
        ck_assert_int_eq(nset_event_net_embed(e, 1, offsets, b, zb, &lb, pb, NULL), NSET_OK);
        ck_assert_mem_eq(za, zb, sizeof za);
        ck_assert_mem_eq(&la, &lb, sizeof la);
        ck_assert_mem_eq(pa, pb, sizeof pa);
        for (int j = 0; j < D; j++)
            ck_assert(isfinite(za[j]));
    }
    nset_event_net_close(e);
    nset_net_free(net);
    nset_free(a);
    nset_free(b);
}
END_TEST

/* More events than one piece holds, of 0 to 6 channels, with 1 and 3 threads, and each alone. */
START_TEST(batch_mates_and_threads_change_no_bit)
{
    enum { N = 700 };
    int64_t *offsets = nset_calloc(N + 1, sizeof *offsets);
    float *tokens, *z = nset_calloc(2 * N * D, sizeof *z), alone[D];
    nset_workers *w = NULL;
    nset_net *net = NULL;
    nset_event_net *one = open_random_net(&net, NULL), *three = NULL;

    for (size_t e = 0; e < N; e++)
        offsets[e + 1] = offsets[e] + (int64_t)(e * 7 % 7 ? e % 7 : e % 5);
    tokens = nset_calloc((size_t)offsets[N] * NSET_TOKEN, sizeof *tokens);
    random_tokens(tokens, (size_t)offsets[N], 3);
    ck_assert_int_eq(nset_workers_create(&w, 3, NULL), NSET_OK);
    ck_assert_int_eq(nset_event_net_borrow(&three, net, w, NULL), NSET_OK);
    ck_assert_int_eq(nset_event_net_embed(one, N, offsets, tokens, z, NULL, NULL, NULL), NSET_OK);
    ck_assert_int_eq(nset_event_net_embed(three, N, offsets, tokens, z + N * D, NULL, NULL, NULL), NSET_OK);
    ck_assert_mem_eq(z, z + N * D, N * D * sizeof *z);
    for (size_t e = 0; e < N; e += 97) {
        ck_assert_int_eq(nset_event_net_embed(one, 1, offsets + e, tokens, alone, NULL, NULL, NULL), NSET_OK);
        ck_assert_mem_eq(alone, z + e * D, sizeof alone);
    }
    nset_event_net_close(one);
    nset_event_net_close(three);
    nset_net_free(net);
    nset_workers_free(w);
    nset_free(offsets);
    nset_free(tokens);
    nset_free(z);
}
END_TEST

START_TEST(no_events_and_bad_offsets_are_handled)
{
    nset_net *net = NULL;
    nset_event_net *e = open_random_net(&net, NULL);
    int64_t none[] = { 0 }, back[] = { 2, 1 };
    float token[2 * NSET_TOKEN] = { 0 }, z[D];
    nset_error err = { 0 };

    ck_assert_int_eq(nset_event_net_embed(e, 0, none, token, z, NULL, NULL, &err), NSET_OK);
    ck_assert_int_eq(nset_event_net_embed(e, 1, back, token, z, NULL, NULL, &err), NSET_ERR_ARG);
    ck_assert_int_ne(err.text[0], 0);
    nset_event_net_close(e);
    nset_net_free(net);
}
END_TEST

/* ---- tokens ---- */

START_TEST(tokens_are_the_waveform_at_its_refined_peak)
{
    enum { N = 200 };
    float x[N], token[NSET_TOKEN];
    nset_probe p;
    nset_event_sets sets;
    double shift;

    ck_assert_int_eq(nset_probe_init(&p, 1, NULL), NSET_OK);
    ck_assert_int_eq(nset_event_sets_init(&sets, &p, 75, NULL), NSET_OK);
    for (int i = 0; i < N; i++) /* a smooth trough at 100.3 */
        x[i] = (float)(-10 * exp(-.5 * (i - 100.3) * (i - 100.3) / 16));
    ck_assert_uint_eq(nset_event_tokens(token, &shift, x, N, 1, 100, 0, &sets, &p, 32000), 1);
    ck_assert_double_eq_tol(shift, .3, .01);
    for (int i = 0; i < NSET_TOKEN_SAMPLES; i++) {
        double t = 2 * (i - NSET_TOKEN_PRE);
        ck_assert_double_eq_tol((double)token[i], -10 * exp(-.5 * t * t / 16), .02);
    }
    ck_assert_float_eq(token[NSET_TOKEN_DX], 0);
    ck_assert_double_eq_tol((double)token[NSET_TOKEN_SIZE], log(11), .01);
    /* at the edge the outside counts as 0 */
    ck_assert_uint_eq(nset_event_tokens(token, NULL, x, N, 1, 0, 0, &sets, &p, 32000), 1);
    ck_assert_float_eq(token[0], 0);
    nset_event_sets_fini(&sets);
    nset_probe_fini(&p);
}
END_TEST

START_TEST(an_events_set_is_the_near_channels_of_its_shank)
{
    nset_probe p;
    nset_event_sets sets;

    ck_assert_int_eq(nset_probe_init(&p, 5, NULL), NSET_OK);
    for (int c = 0; c < 5; c++)
        p.y_um[c] = 30 * c;
    p.shank[1] = 1;
    ck_assert_int_eq(nset_event_sets_init(&sets, &p, 75, NULL), NSET_OK);
    ck_assert_int_eq(sets.offsets[1] - sets.offsets[0], 2); /* 0 and 2; 1 is on another shank, 3 too far */
    ck_assert_uint_eq(sets.channel[0], 0);
    ck_assert_uint_eq(sets.channel[1], 2);
    ck_assert_int_eq(sets.offsets[2] - sets.offsets[1], 1);
    nset_event_sets_fini(&sets);
    nset_probe_fini(&p);
}
END_TEST

/* ---- loss ---- */

START_TEST(the_prototype_loss_of_two_far_units_is_nothing_and_of_one_place_is_log_two)
{
    float far[] = { 0, 1, 2, 50, 51, 52 }, same[] = { 1, 1, 1, 1, 1, 1 };
    int32_t label[] = { 0, 0, 0, 1, 1, 1 };
    double loss;
    size_t right, tested;

    ck_assert_int_eq(nset_loss_prototypes(&loss, NULL, &right, &tested, far, label, 2, 6, 1, 0, NULL), NSET_OK);
    ck_assert_double_eq_tol(loss, 0, 1e-12);
    ck_assert_uint_eq(right, 6);
    ck_assert_uint_eq(tested, 6);
    ck_assert_int_eq(nset_loss_prototypes(&loss, NULL, NULL, NULL, same, label, 2, 6, 1, 0, NULL), NSET_OK);
    ck_assert_double_eq_tol(loss, log(2), 1e-12);
    label[5] = -1; /* two events are no unit */
    ck_assert_int_eq(nset_loss_prototypes(&loss, NULL, NULL, &tested, far, label, 2, 6, 1, 0, NULL), NSET_OK);
    ck_assert_uint_eq(tested, 3);
}
END_TEST

START_TEST(the_prototype_loss_has_the_gradient_of_its_differences)
{
    enum { N = 17, DIM = 3, LABELS = 4 };
    nset_random r = nset_random_stream(2, "loss", 0);
    float z[N * DIM], dz[N * DIM];
    int32_t label[N];
    double loss;

    for (int i = 0; i < N; i++)
        label[i] = (int32_t)(i % 5) - 1;
    for (int i = 0; i < N * DIM; i++)
        z[i] = (float)nset_random_normal(&r);
    ck_assert_int_eq(nset_loss_prototypes(&loss, dz, NULL, NULL, z, label, LABELS, N, DIM, .3, NULL), NSET_OK);
    for (int i = 0; i < N * DIM; i++) {
        float keep = z[i], up = keep + 1e-3f, down = keep - 1e-3f;
        double a, b;
        z[i] = up;
        ck_assert_int_eq(nset_loss_prototypes(&a, NULL, NULL, NULL, z, label, LABELS, N, DIM, .3, NULL), NSET_OK);
        z[i] = down;
        ck_assert_int_eq(nset_loss_prototypes(&b, NULL, NULL, NULL, z, label, LABELS, N, DIM, .3, NULL), NSET_OK);
        z[i] = keep;
        ck_assert_double_eq_tol((a - b) / ((double)up - (double)down), (double)dz[i], 1e-5);
    }
}
END_TEST

/* ---- training ---- */

static void train(const char *out, size_t n_threads, long stop_after, bool resume)
{
    nset_train_sorter_options o = NSET_TRAIN_SORTER_INIT;
    nset_workers *w = NULL;
    nset_error err = { 0 };

    o.out = out;
    o.steps = 6;
    o.recordings = 2;
    o.seconds = 1.5;
    o.checkpoint_every = 2;
    o.stop_after = stop_after;
    o.resume = resume;
    ck_assert_int_eq(nset_workers_create(&w, n_threads, &err), NSET_OK);
    ck_assert_msg(nset_train_sorter(&o, w, &err) == NSET_OK, "%s", err.text);
    nset_workers_free(w);
}

static size_t slurp(char *bytes, size_t room, const char *path)
{
    FILE *f = fopen(path, "rb");
    size_t n;

    ck_assert_ptr_nonnull(f);
    n = fread(bytes, 1, room, f);
    fclose(f);
    return n;
}

START_TEST(training_gives_the_same_bytes_with_two_threads_and_after_a_stop)
{
    enum { ROOM = 1 << 20 };
    char dir[] = "/tmp/neuroset-train-XXXXXX", path[3][64], name[256];
    char *a = nset_calloc(ROOM, 1), *b = nset_calloc(ROOM, 1);
    size_t n;
    nset_event_net *net = NULL;
    nset_error err = { 0 };

    ck_assert_ptr_nonnull(mkdtemp(dir));
    for (int k = 0; k < 3; k++)
        snprintf(path[k], sizeof path[k], "%s/%d.safetensors", dir, k);
    train(path[0], 1, 0, false);
    train(path[1], 2, 0, false);
    train(path[2], 1, 3, false);
    train(path[2], 2, 0, true);
    n = slurp(a, ROOM, path[0]);
    ck_assert_uint_gt(n, 1000);
    for (int k = 1; k < 3; k++) {
        ck_assert_uint_eq(slurp(b, ROOM, path[k]), n);
        ck_assert_mem_eq(a, b, n);
    }
    ck_assert_msg(nset_event_net_open(&net, path[0], NULL, &err) == NSET_OK, "%s", err.text);
    nset_event_net_close(net);
    for (int k = 0; k < 3; k++) {
        unlink(path[k]);
        snprintf(name, sizeof name, "%s/%d.json", dir, k);
        ck_assert_int_eq(unlink(name), 0);
        snprintf(name, sizeof name, "%s.checkpoint", path[k]);
        ck_assert_int_ne(access(name, F_OK), 0);
    }
    ck_assert_int_eq(rmdir(dir), 0);
    nset_free(a);
    nset_free(b);
}
END_TEST

START_TEST(events_of_a_recording_find_most_spikes_with_their_units)
{
    nset_sim_options o = NSET_SIM_OPTIONS_INIT;
    nset_train_events e;
    nset_sim *s = NULL;
    nset_error err = { 0 };
    size_t labelled = 0, expected;

    o.layout = "tetrode";
    o.n_channels = 4;
    o.n_units = 3;
    o.min_snr = 8;
    o.median_snr = 12;
    o.sync = 0;
    o.seconds = 8;
    o.hash = 2;
    ck_assert_msg(nset_sim_make(&s, &o, NULL, &err) == NSET_OK, "%s", err.text);
    expected = s->n_spikes;
    ck_assert_msg(nset_train_events_make(&e, s, 100000, NULL, &err) == NSET_OK, "%s", err.text);
    for (size_t i = 0; i < e.n_events; i++)
        labelled += e.unit[i] >= 0;
    ck_assert_uint_gt(labelled, expected * 9 / 10);
    ck_assert_uint_le(labelled, expected * 11 / 10);
    nset_train_events_fini(&e);
    ck_assert_int_eq(nset_train_events_make(&e, s, 10, NULL, &err), NSET_OK);
    ck_assert_uint_le(e.n_events, 10);
    nset_train_events_fini(&e);
    nset_sim_free(s);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("event net");
    TCase *t = tcase_create("event net");
    SRunner *runner;
    int failed;

    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, the_order_of_an_events_channels_changes_no_bit, 0, sizeof set_sizes / sizeof *set_sizes);
    tcase_add_test(t, batch_mates_and_threads_change_no_bit);
    tcase_add_test(t, no_events_and_bad_offsets_are_handled);
    tcase_add_test(t, tokens_are_the_waveform_at_its_refined_peak);
    tcase_add_test(t, an_events_set_is_the_near_channels_of_its_shank);
    tcase_add_test(t, the_prototype_loss_of_two_far_units_is_nothing_and_of_one_place_is_log_two);
    tcase_add_test(t, the_prototype_loss_has_the_gradient_of_its_differences);
    tcase_add_test(t, training_gives_the_same_bytes_with_two_threads_and_after_a_stop);
    tcase_add_test(t, events_of_a_recording_find_most_spikes_with_their_units);
    suite_add_tcase(suite, t);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
