#include "reproduce.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <neuroset/assign.h>
#include <neuroset/cardinality.h>
#include <neuroset/random.h>

static void check(nset_status status)
{
    if (status != NSET_OK)
        abort();
}

static void mass(rep_result *result, int arg)
{
    double sum = 0;

    (void)arg;
    for (uint64_t m = 0; m < 3000; m++)
        sum += exp(nset_negative_binomial(NULL, NULL, m, 3, .5));
    snprintf(result->ours, sizeof result->ours, "%.1e", fabs(sum - 1));
    result->pass = fabs(sum - 1) <= 1e-12;
}

static void fit(rep_result *result, int arg)
{
    enum { DRAWS = 10000 };
    static uint64_t m[DRAWS];
    nset_random r = nset_random_stream(5, "counts", 0);
    double a = 0, b = 1;

    (void)arg;
    for (int i = 0; i < DRAWS; i++)
        m[i] = nset_random_poisson(&r, nset_random_gamma(&r, 3) / .5);
    check(nset_cardinality_fit(&a, &b, m, DRAWS, NULL));
    snprintf(result->ours, sizeof result->ours, "a %.3f, mean %.3f", a, a / b);
    result->pass = fabs(a - 3) <= .25 && fabs(a / b - 6) <= .1;
}

/* How often the most probable set of 12 candidates is another than the best of all 4096. */
static void decode(rep_result *result, int arg)
{
    enum { N = 12, TRIALS = 100 };
    nset_random r = nset_random_stream(6, "decode", 0);
    int wrong = 0;

    (void)arg;
    for (int k = 0; k < TRIALS; k++) {
        double score[N], log_m[N + 1], best = -INFINITY, found = 0;
        size_t m = 0, order[N];
        for (int i = 0; i < N; i++)
            score[i] = 2 * nset_random_normal(&r);
        for (uint64_t i = 0; i <= N; i++)
            log_m[i] = nset_negative_binomial(NULL, NULL, i, 5, 1);
        check(nset_decode_set(&m, order, score, log_m, .2, N, NULL));
        for (unsigned code = 0; code < 1u << N; code++) {
            int size = __builtin_popcount(code);
            double sum = log_m[size] + lgamma(size + 1.) + size * .2;
            for (int i = 0; i < N; i++)
                sum += code >> i & 1 ? score[i] : 0;
            best = fmax(best, sum);
        }
        found = log_m[m] + lgamma((double)m + 1) + (double)m * .2;
        for (size_t i = 0; i < m; i++)
            found += score[order[i]];
        wrong += fabs(found - best) > 1e-12;
    }
    snprintf(result->ours, sizeof result->ours, "%d of %d differ", wrong, TRIALS);
    result->pass = wrong == 0;
}

static const rep_row rows[] = {
    { "1.8 mass of a negative binomial", "1 within 1e-12 (derived)", true, mass, 0, NULL },
    { "1.8 negative binomial fit, 10000 draws, a = 3, b = .5", "a within .25, mean 6 within .1 (derived)", true, fit, 0,
        NULL },
    { "1.8 most probable set of 12 against all subsets", "0 differ (derived)", true, decode, 0, NULL },
};

REP_SECTION(rep_cardinality, "1.8 Outputs of variable cardinality (Rezatofighi et al. 2017)", rows);
