#include "reproduce.h"

#include <stdio.h>

#include "../unit/invariant_cases.h"
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

static void rings(rep_result *result, int letters)
{
    size_t tried = 0, wrong = wrong_rings((size_t)letters, letters == 2 ? 12 : 7, &tried);

    snprintf(result->ours, sizeof result->ours, "%zu wrong of %zu", wrong, tried);
    result->pass = wrong == 0;
}

static void rejections(rep_result *result, int arg)
{
    int ks, mmd, power;

    (void)arg;
    count_rejections(&ks, &mmd, &power);
    snprintf(result->ours, sizeof result->ours, "KS %d, MMD %d; %d", ks, mmd, power);
    result->pass = ks >= 2 && ks <= 20 && mmd >= 2 && mmd <= 20 && power == LAW_TRIALS;
}

static const rep_row rows[] = {
    { "1.7 least rotation and reflection, all binary rings to 12", "0 wrong (derived)", true, rings, 2, NULL },
    { "1.7 least rotation and reflection, all ternary rings to 7", "0 wrong (derived)", true, rings, 3, NULL },
    { "1.7 rejections of 200 equal laws at .05; of 200 others", "2 .. 20 each; 200 (derived)", true, rejections, 0,
        NULL },
    { "1.7 conditional law of an invariant layer, trained", "KS p > .01 at 20 seeds (gate)", true, recovered, 0, NULL },
    { "1.7 shared and own noise of an equivariant layer", "KS p > .01 at 20 seeds (gate)", true, shared, 0, NULL },
};

REP_SECTION(rep_laws, "1.7 Probabilistic symmetry (Bloem-Reddy & Teh 2020)", rows);
