/* Vectors and laws of the exchangeable models, for the tests and for the table of reproductions. */
#ifndef NSET_TESTS_EXCHANGEABLE_CASES_H
#define NSET_TESTS_EXCHANGEABLE_CASES_H

#include <neuroset/exchangeable.h>
#include <neuroset/random.h>

enum { MAX_HYPER = 16, MAX_X = 2048 };

typedef struct vector_case {
    const char *name;
    nset_family family;
    size_t d, n;
    double prior[MAX_HYPER], x[8], marginal;
    double next[2], predict;     /* the log predictive after x */
    double posterior[MAX_HYPER]; /* 0 where not asked */
} vector_case;

static const vector_case vectors[] = {
    { "Beta(2,3)", NSET_BERNOULLI, 1, 6, { 2, 3 }, { 1, 1, 0, 1, 0, 1 }, -4.653960350157524, { 1 },
        -0.60613580357031549, { 6, 5 } }, /* log 6/11 */
    { "Dirichlet(1,.5,2)", NSET_CATEGORICAL, 3, 5, { 1, .5, 2 }, { 0, 2, 0, 0, 2 }, -4.764774716497812, { 0 },
        -0.75377180237638019, { 4, .5, 4 } }, /* log 8/17 */
    { "Dirichlet(1,.5,2), a category never seen", NSET_CATEGORICAL, 3, 5, { 1, .5, 2 }, { 0, 2, 0, 0, 2 },
        -4.764774716497812, { 1 }, -2.8332133440562162, { 4, .5, 4 } }, /* log 1/17 */
    { "Gamma(2, 1.5)", NSET_POISSON, 1, 4, { 2, 1.5 }, { 3, 0, 2, 5 }, -9.416137437340936, { 2 }, -1.3915445430715865,
        { 12, 5.5 } },
    { "normal of known variance", NSET_NORMAL_MEAN, 1, 4, { 0, 4, 1 }, { .5, -1.2, 2, .3 }, -7.681184334258566, { 0 },
        -1.0819600268169876, { .376470588235294, .235294117647059, 1 } },
    { "normal-inverse-gamma", NSET_NORMAL, 1, 4, { 0, .5, 2, 1.5 }, { .5, -1.2, 2, .3 }, -7.821041016274383, { 1 },
        -1.245939403303033, { .355555555555556, 4.5, 4, 4.105555555555556 } },
    { "normal-inverse-Wishart", NSET_NORMALS, 2, 3, { 0, 0, 1, 4, 2, 0, 0, 2 }, { .5, 1, -1.2, .3, 2, -.7 },
        -11.044540844627521, { 0, 0 }, -1.934060908895063, { .325, .15, 4, 7, 7.2675, -1.455, -1.455, 3.49 } },
};

/* Priors and data of each family for the laws that follow. */
static const struct law {
    const char *name;
    nset_family family;
    size_t d;
    double prior[MAX_HYPER];
} laws[] = {
    { "Bernoulli", NSET_BERNOULLI, 1, { .7, 1.9 } },
    { "categorical", NSET_CATEGORICAL, 4, { .3, 2, .8, 1 } },
    { "Poisson", NSET_POISSON, 1, { 1.3, .4 } },
    { "normal mean", NSET_NORMAL_MEAN, 1, { .4, 2.5, 1.7 } },
    { "normal", NSET_NORMAL, 1, { .4, .7, 1.2, 2.1 } },
    { "normals", NSET_NORMALS, 2, { .1, -.4, .6, 3.2, 1.5, .4, .4, .9 } },
};

enum { N_LAWS = sizeof laws / sizeof *laws };

static inline void law_draw(double *x, const struct law *l, size_t n)
{
    nset_random r = nset_random_stream(6, l->name, n);

    for (size_t i = 0; i < n * nset_conjugate_n_numbers(l->family, l->d); i++)
        x[i] = l->family == NSET_BERNOULLI     ? (double)nset_random_below(&r, 2)
               : l->family == NSET_CATEGORICAL ? (double)nset_random_below(&r, (uint32_t)l->d)
               : l->family == NSET_POISSON     ? (double)nset_random_poisson(&r, 3.5)
                                               : 1 + 1.5 * nset_random_normal(&r);
}

#endif
