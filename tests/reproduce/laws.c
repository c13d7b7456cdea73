#include "reproduce.h"

#include <stdio.h>

#include "../unit/stochastic_cases.h"

enum { N_SEEDS = 20 };

static void recovered(rep_result *result, int arg)
{
    double least = 1;

    (void)arg;
    for (uint64_t seed = 0; seed < N_SEEDS; seed++)
        least = fmin(least, law_recovered(seed));
    snprintf(result->ours, sizeof result->ours, "least p of %d seeds %.3f", N_SEEDS, least);
    result->pass = least > .01;
}

static void shared(rep_result *result, int arg)
{
    double least = 1, own, difference;

    (void)arg;
    for (uint64_t seed = 0; seed < N_SEEDS; seed++) {
        shared_laws(&own, &difference, seed);
        least = fmin(least, fmin(own, difference));
    }
    snprintf(result->ours, sizeof result->ours, "least p of %d seeds %.3f", N_SEEDS, least);
    result->pass = least > .01;
}

static const rep_row rows[] = {
    { "1.7 conditional law of an invariant layer, trained", "KS p > .01 at 20 seeds (gate)", true, recovered, 0, NULL },
    { "1.7 shared and own noise of an equivariant layer", "KS p > .01 at 20 seeds (gate)", true, shared, 0, NULL },
};

REP_SECTION(rep_laws, "1.7 Probabilistic symmetry (Bloem-Reddy & Teh 2020)", rows);
