#include "reproduce.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/exchangeable_cases.h"

static void check(nset_status status)
{
    if (status != NSET_OK)
        abort();
}

static void marginal(rep_result *result, int arg)
{
    const vector_case *c = &vectors[arg];
    double p = 0;

    check(nset_conjugate_marginal(&p, c->family, c->prior, c->x, c->n, c->d, NULL));
    snprintf(result->ours, sizeof result->ours, "%.15g", p);
    result->pass = fabs(p - c->marginal) <= 1e-12 * fabs(c->marginal);
}

static void predictive(rep_result *result, int arg)
{
    const vector_case *c = &vectors[arg];
    double p = 0, post[MAX_HYPER];

    check(nset_conjugate_update(post, c->family, c->prior, c->x, c->n, c->d, NULL));
    check(nset_conjugate_predict(&p, c->family, post, c->next, c->d, NULL));
    snprintf(result->ours, sizeof result->ours, "%.15g", p);
    result->pass = fabs(p - c->predict) <= 1e-12 * fabs(c->predict);
}

static void process(rep_result *result, int arg)
{
    const nset_process model = { .2, 1, .4, arg ? 6 : INFINITY };
    static const double x[] = { .5, -1.2, 2, .3 };
    const double expected = arg ? -7.957752481766375 : -7.623441347048809;
    double p = 0;

    check(nset_process_joint(&p, NULL, NULL, &model, x, 4, NULL));
    snprintf(result->ours, sizeof result->ours, "%.15g", p);
    result->pass = fabs(p - expected) <= 1e-12 * fabs(expected);
}

static void sets(rep_result *result, int arg)
{
    static const double query[] = { 1, 0, 1, 1, 1, 1 }, a[] = { 1, 1, .5 }, b[] = { 1, 2, .5 };
    double c = 0, q[3];

    (void)arg;
    check(nset_bayesian_sets(&c, q, query, 2, 3, a, b, NULL));
    snprintf(result->ours, sizeof result->ours, "%.15g; %.9f %.9f %.9f", c, q[0], q[1], q[2]);
    result->pass = fabs(c + 1.897119984885881) <= 1e-12 && fabs(q[0] - log(3)) <= 1e-12 &&
                   fabs(q[1] - log(4. / 3)) <= 1e-12 && fabs(q[2] - log(5)) <= 1e-12;
}

/* The largest relative distance of chain and joint over the families, 1000 observations each. */
static void chain(rep_result *result, int arg)
{
    static double x[MAX_X];
    double worst = 0;

    (void)arg;
    for (size_t k = 0; k < N_LAWS; k++) {
        size_t width = nset_conjugate_n_numbers(laws[k].family, laws[k].d);
        double post[MAX_HYPER], sum = 0, joint = 0, p;
        law_draw(x, &laws[k], 1000);
        memcpy(post, laws[k].prior, sizeof post);
        for (size_t i = 0; i < 1000; i++) {
            check(nset_conjugate_predict(&p, laws[k].family, post, x + i * width, laws[k].d, NULL));
            check(nset_conjugate_update(post, laws[k].family, post, x + i * width, 1, laws[k].d, NULL));
            sum += p;
        }
        check(nset_conjugate_marginal(&joint, laws[k].family, laws[k].prior, x, 1000, laws[k].d, NULL));
        worst = fmax(worst, fabs(sum - joint) / fabs(joint));
    }
    snprintf(result->ours, sizeof result->ours, "%.1e", worst);
    result->pass = worst <= 1e-11;
}

static const rep_row rows[] = {
    { "1.6 Beta(2,3), marginal", "-4.653960350157524 (derived)", true, marginal, 0, NULL },
    { "1.6 Beta(2,3), predictive", "log 6/11 (derived)", true, predictive, 0, NULL },
    { "1.6 Dirichlet(1,.5,2), marginal", "-4.764774716497812 (derived)", true, marginal, 1, NULL },
    { "1.6 Dirichlet(1,.5,2), predictive", "log 8/17 (derived)", true, predictive, 1, NULL },
    { "1.6 Gamma(2,1.5), marginal", "-9.416137437340936 (derived)", true, marginal, 3, NULL },
    { "1.6 Gamma(2,1.5), predictive", "-1.3915445430715865 (derived)", true, predictive, 3, NULL },
    { "1.6 normal of known variance, marginal", "-7.681184334258566 (derived)", true, marginal, 4, NULL },
    { "1.6 normal-inverse-gamma, marginal", "-7.821041016274383 (derived)", true, marginal, 5, NULL },
    { "1.6 normal-inverse-gamma, predictive", "-1.245939403303033 (derived)", true, predictive, 5, NULL },
    { "1.6 normal-inverse-Wishart, marginal", "-11.044540844627521 (derived)", true, marginal, 6, NULL },
    { "1.6 normal-inverse-Wishart, predictive", "-1.934060908895063 (derived)", true, predictive, 6, NULL },
    { "1.6 exchangeable Gaussian, joint", "-7.623441347048809 (derived)", true, process, 0, NULL },
    { "1.6 exchangeable Student t, joint", "-7.957752481766375 (derived)", true, process, 1, NULL },
    { "1.6 Bayesian sets", "-1.897119984885881; 1.098612289 0.287682072 1.609437912 (derived)", true, sets, 0, NULL },
    { "1.6 chain rule against the joint, 1000 observations, six families", "<= 1e-11 (gate)", true, chain, 0, NULL },
};

REP_SECTION(rep_models, "1.6 Exchangeable models (Ghahramani & Heller 2005; Korshunova et al. 2018)", rows);
