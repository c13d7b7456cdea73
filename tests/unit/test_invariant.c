/* Maximal invariants against brute force, representatives by their defining equation, motions, and the tests of laws.
 */
#include <check.h>
#include <math.h>
#include <string.h>

#include <neuroset/memory.h>

#include "base/test_hooks.h"
#include "invariant_cases.h"

START_TEST(least_rotations_are_those_of_brute_force)
{
    size_t tried = 0;

    ck_assert_uint_eq(wrong_rings(2, 12, &tried), 0);
    ck_assert_uint_eq(wrong_rings(3, 7, &tried), 0);
}
END_TEST

enum { N = 9, D = 3 };

static void fill(float *x, size_t n, uint64_t index)
{
    nset_random r = nset_random_stream(1, "rows", index);

    for (size_t i = 0; i < n; i++)
        x[i] = (float)nset_random_normal(&r);
}

static void move_rows(float *out, const float *x, const uint32_t *p)
{
    for (size_t i = 0; i < N; i++)
        memcpy(out + p[i] * D, x + i * D, D * sizeof *x);
}

/* An element of S_n, or of the ring's group. */
static void draw_element(uint32_t *p, bool ring, nset_random *r)
{
    size_t order[N], shift = nset_random_below(r, N), back = nset_random_below(r, 2);

    for (size_t i = 0; i < N; i++)
        order[i] = i;
    nset_random_shuffle(r, order, N);
    for (size_t i = 0; i < N; i++)
        p[i] = (uint32_t)(!ring ? order[i] : back ? (2 * N - 1 - i + shift) % N : (i + shift) % N);
}

START_TEST(a_representative_moves_with_x_and_what_it_makes_canonical_stays)
{
    float x[N * D], moved[N * D], a[N * D], b[N * D];
    uint32_t tau[N], tau_moved[N], g[N];
    nset_random r = nset_random_stream(1, "element", (uint64_t)_i);
    bool ring = _i, is_free;

    for (uint64_t k = 0; k < 100; k++) {
        fill(x, N * D, k);
        draw_element(g, ring, &r);
        move_rows(moved, x, g);
        if (ring) {
            nset_tau_ring(tau, &is_free, x, N, D, true);
            nset_tau_ring(tau_moved, NULL, moved, N, D, true);
        } else {
            nset_tau_set(tau, &is_free, x, N, D);
            nset_tau_set(tau_moved, NULL, moved, N, D);
        }
        ck_assert(is_free);
        for (size_t j = 0; j < N; j++) /* tau(g x) = g tau(x) */
            ck_assert_uint_eq(tau_moved[j], g[tau[j]]);
        nset_canonical(a, tau, x, N, D);
        nset_canonical(b, tau_moved, moved, N, D);
        ck_assert_int_eq(memcmp(a, b, sizeof a), 0);
        nset_uncanonical(b, tau, a, N, D);
        ck_assert_int_eq(memcmp(b, x, sizeof x), 0);
    }
}
END_TEST

/* Each row's number of rows with a smaller first column: equivariant, and easy to say of sorted rows: 0, 1, 2 .. */
START_TEST(an_equivariant_map_is_its_form_on_canonical_rows)
{
    float x[N * D], canonical[N], direct[N], out[N];
    uint32_t tau[N];

    for (uint64_t k = 0; k < 50; k++) {
        fill(x, N * D, 1000 + k);
        nset_tau_set(tau, NULL, x, N, D);
        for (size_t i = 0; i < N; i++) {
            direct[i] = 0;
            canonical[i] = (float)i;
            for (size_t j = 0; j < N; j++)
                direct[i] += x[j * D] < x[i * D];
        }
        nset_uncanonical(out, tau, canonical, N, 1);
        ck_assert_int_eq(memcmp(out, direct, sizeof out), 0);
    }
}
END_TEST

START_TEST(zeros_ties_and_no_numbers_have_one_form)
{
    const float x[] = { 0.f, NAN, -0.f, 1, -INFINITY, INFINITY }, y[] = { -0.f, 1, INFINITY, 0.f, -NAN, -INFINITY };
    const float sorted[] = { -INFINITY, 0, 0, 1, INFINITY };
    float a[6], b[6];
    uint32_t tau[6];
    bool is_free = true;

    nset_tau_set(tau, &is_free, x, 6, 1);
    ck_assert(!is_free);
    nset_canonical(a, tau, x, 6, 1);
    nset_tau_set(tau, NULL, y, 6, 1);
    nset_canonical(b, tau, y, 6, 1);
    ck_assert_int_eq(memcmp(a, b, sizeof a), 0);
    ck_assert_int_eq(memcmp(a, sorted, sizeof sorted), 0);
    ck_assert(isnan(a[5]));
    nset_tau_set(tau, &is_free, x, 0, 1);
    nset_tau_ring(tau, &is_free, x, 0, 1, true);
    ck_assert(is_free);
}
END_TEST

/* A product of rotations in the planes of two axes, and a reflection. */
static void turn(float *out, const float *x, size_t n, nset_random *r)
{
    memcpy(out, x, n * D * sizeof *x);
    for (size_t a = 0; a < D; a++) {
        const double angle = 6.283 * nset_random_uniform(r), c = cos(angle), s = sin(angle);
        for (size_t i = 0; i < n; i++) {
            float *p = out + i * D + a, *q = out + i * D + (a + 1) % D, u = *p, v = *q;
            *p = (float)(c * u - s * v);
            *q = -(float)(s * u + c * v);
        }
    }
}

START_TEST(a_gram_matrix_is_all_that_a_rotation_leaves)
{
    float x[N * D], turned[N * D];
    double gram[N * N], again[N * N], back[N * D];
    nset_random r = nset_random_stream(3, "turn", 0);

    fill(x, N * D, 7);
    turn(turned, x, N, &r);
    nset_gram(gram, x, N, D);
    nset_gram(again, turned, N, D);
    for (size_t i = 0; i < N * N; i++)
        ck_assert_double_eq_tol(gram[i], again[i], 3e-6); /* the turned rows were rounded to float */
    ck_assert_int_eq(nset_from_gram(back, gram, N, D, NULL), NSET_OK);
    for (size_t i = 0; i < N; i++)
        for (size_t j = 0; j < N; j++) {
            double dot = 0;
            for (size_t k = 0; k < D; k++)
                dot += back[i * D + k] * back[j * D + k];
            ck_assert_double_eq_tol(dot, gram[i * N + j], 1e-12);
        }
    ck_assert_int_eq(nset_from_gram(back, gram, N, D - 1, NULL), NSET_ERR_NUMERIC);
    gram[0] = -1;
    ck_assert_int_eq(nset_from_gram(back, gram, N, D, NULL), NSET_ERR_NUMERIC);
}
END_TEST

START_TEST(centred_and_unscaled_rows_forget_place_and_size)
{
    float x[N * D], y[N * D], a[N * D], b[N * D], p[N * D];
    uint32_t g[N];
    nset_random r = nset_random_stream(3, "move", 0);

    for (size_t i = 0; i < N * D; i++) {
        x[i] = (float)nset_random_below(&r, 90);
        y[i] = x[i] + 1000 * (float)(i % D);
    }
    nset_centre(a, x, N, D);
    nset_centre(b, y, N, D);
    ck_assert_int_eq(memcmp(a, b, sizeof a), 0); /* whole numbers: sums without rounding, the same division */
    for (size_t i = 0; i < N * D; i++)
        y[i] = 8 * x[i];
    ck_assert_int_eq(nset_unscale(a, x, N, D, NULL), NSET_OK);
    ck_assert_int_eq(nset_unscale(b, y, N, D, NULL), NSET_OK);
    ck_assert_int_eq(memcmp(a, b, sizeof a), 0);
    fill(x, N * D, 3);
    draw_element(g, false, &r);
    move_rows(y, x, g);
    nset_centre(a, x, N, D);
    nset_centre(b, y, N, D);
    move_rows(p, a, g);
    ck_assert_int_eq(memcmp(b, p, sizeof b), 0);
    memset(x, 0, sizeof x);
    ck_assert_int_eq(nset_unscale(a, x, N, D, NULL), NSET_OK);
    ck_assert_int_eq(memcmp(a, x, sizeof a), 0);
}
END_TEST

START_TEST(noise_moves_with_its_element_and_knows_no_batch_mates)
{
    const int64_t two[] = { 0, 4, N }, one[] = { 0, N - 4 };
    float x[N * D], moved[N * D], eta[N * 2], eta_moved[N * 2], eta_0[2 * 3], eta_0_moved[2 * 3], alone[N * 2];
    static const uint32_t g[N] = { 2, 0, 3, 1, 8, 4, 7, 5, 6 }; /* within the sets */

    fill(x, N * D, 5);
    memcpy(x + 5 * D, x + 4 * D, D * sizeof *x); /* twins */
    move_rows(moved, x, g);
    ck_assert_int_eq(nset_noise(eta, eta_0, x, two, 2, D, 2, 3, 9, NULL), NSET_OK);
    ck_assert_int_eq(nset_noise(eta_moved, eta_0_moved, moved, two, 2, D, 2, 3, 9, NULL), NSET_OK);
    ck_assert_int_eq(memcmp(eta_0, eta_0_moved, sizeof eta_0), 0);
    for (size_t i = 0; i < N; i++) /* twins may trade theirs */
        if (i != 4 && i != 5)
            ck_assert_int_eq(memcmp(eta + 2 * i, eta_moved + 2 * g[i], 2 * sizeof *eta), 0);
    ck_assert_int_eq(memcmp(eta + 2 * 4, eta_moved + 2 * g[5], 2 * sizeof *eta), 0);
    ck_assert_int_eq(memcmp(eta + 2 * 5, eta_moved + 2 * g[4], 2 * sizeof *eta), 0);
    ck_assert_int_ne(memcmp(eta + 2 * 4, eta + 2 * 5, 2 * sizeof *eta), 0);
    ck_assert_int_eq(nset_noise(alone, NULL, x + 4 * D, one, 1, D, 2, 0, 9, NULL), NSET_OK);
    ck_assert_int_eq(memcmp(alone, eta + 2 * 4, 2 * (N - 4) * sizeof *eta), 0);
    ck_assert_int_eq(nset_noise(alone, NULL, x + 4 * D, one, 1, D, 2, 0, 10, NULL), NSET_OK);
    ck_assert_int_ne(memcmp(alone, eta + 2 * 4, 2 * (N - 4) * sizeof *eta), 0);
}
END_TEST

/* ---- tests of laws ---- */

START_TEST(tests_of_laws_err_as_often_as_they_say)
{
    int ks, mmd, power;

    count_rejections(&ks, &mmd, &power);
    ck_assert_msg(ks >= 2 && ks <= 20, "KS rejects %d of 200", ks);
    ck_assert_msg(mmd >= 2 && mmd <= 20, "MMD rejects %d of 200", mmd);
    ck_assert_int_eq(power, LAW_TRIALS);
}
END_TEST

static double uniform_cdf(const void *ctx, double x)
{
    (void)ctx;
    return fmin(1, fmax(0, x));
}

START_TEST(distances_of_distribution_functions_by_hand)
{
    double x[] = { .8, .1, .4 }, y[] = { .5, .9 }, d;

    ck_assert_double_ge(nset_ks_two(&d, x, 3, y, 2), .3);
    ck_assert_double_eq_tol(d, 2. / 3, 1e-15); /* at .4: 2/3 against 0 */
    ck_assert_double_ge(nset_ks_one(&d, x, 3, uniform_cdf, NULL), .5);
    ck_assert_double_eq_tol(d, 2. / 3 - .4, 1e-15);
    ck_assert(isnan(nset_ks_two(&d, x, 0, y, 2)));
    ck_assert_int_eq(nset_mmd_two(&d, x, 1, y, 2, 1, 10, 0, NULL), NSET_ERR_ARG);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("invariant");
    TCase *t = tcase_create("invariants and laws");
    SRunner *runner;
    int failed;

    tcase_add_test(t, least_rotations_are_those_of_brute_force);
    tcase_add_loop_test(t, a_representative_moves_with_x_and_what_it_makes_canonical_stays, 0, 2);
    tcase_add_test(t, an_equivariant_map_is_its_form_on_canonical_rows);
    tcase_add_test(t, zeros_ties_and_no_numbers_have_one_form);
    tcase_add_test(t, a_gram_matrix_is_all_that_a_rotation_leaves);
    tcase_add_test(t, centred_and_unscaled_rows_forget_place_and_size);
    tcase_add_test(t, noise_moves_with_its_element_and_knows_no_batch_mates);
    tcase_add_test(t, tests_of_laws_err_as_often_as_they_say);
    tcase_add_test(t, distances_of_distribution_functions_by_hand);
    suite_add_tcase(suite, t);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
