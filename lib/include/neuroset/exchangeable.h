/* Models of exchangeable sequences: what n observations say when their order says nothing.
 *
 * An infinitely exchangeable sequence is a mixture of independent ones (de Finetti): p(x_1..x_n) = integral of
 * prod p(x_i | theta) over the prior of theta. With a conjugate prior the integral is closed, the posterior is of the
 * prior's kind, and all of x that counts is (sum phi(x_i), n). A finite exchangeable sequence need not be such a
 * mixture: of two draws without replacement from {0, 1} none is (0, 0). Bernardo & Smith 1994, "Bayesian theory",
 * sections 4.3 and 5.2; formulas as in Murphy 2007, "Conjugate Bayesian analysis of the Gaussian distribution".
 *
 * Sums over observations are exact and order-free (neuroset/pool.h): permuted observations give the same bytes.
 * All numbers are double; logarithms are natural.
 */
#ifndef NEUROSET_EXCHANGEABLE_H
#define NEUROSET_EXCHANGEABLE_H

#include <stddef.h>
#include <neuroset/error.h>

/* ---- conjugate families ---- */

/* The family, its observations x, and hyper, the numbers of a prior and of a posterior alike:
 *
 *   NSET_BERNOULLI    0 or 1                   a, b of a Beta
 *   NSET_CATEGORICAL  0 .. d-1                 alpha_0 .. alpha_d-1 of a Dirichlet
 *   NSET_POISSON      0, 1, 2 ..               shape, rate of a Gamma
 *   NSET_NORMAL_MEAN  a number                 mean m, variance t2 of the mean; s2, the known variance of x
 *   NSET_NORMAL       a number                 m, k, a, b: precision ~ Gamma(a, rate b), mean ~ N(m, 1 / (k precision))
 *   NSET_NORMALS      a vector of d numbers    m (d), k, nu, Psi (d, d): covariance ~ inverse Wishart(nu, Psi),
 *                                              mean ~ N(m, covariance / k)
 */
typedef enum nset_family {
    NSET_BERNOULLI,
    NSET_CATEGORICAL,
    NSET_POISSON,
    NSET_NORMAL_MEAN,
    NSET_NORMAL,
    NSET_NORMALS,
} nset_family;

/* Numbers of hyper; of one observation. d matters to NSET_CATEGORICAL and NSET_NORMALS only. */
NSET_API size_t nset_conjugate_n_hyper(nset_family family, size_t d);
NSET_API size_t nset_conjugate_n_numbers(nset_family family, size_t d);

/* posterior := prior after n observations x (n, numbers); it may be prior. Errors of these three: NSET_ERR_ARG (hyper
 * out of its range, an observation that the family does not have), NSET_ERR_NUMERIC (Psi not positive definite),
 * NSET_ERR_NOMEM; nothing is written then. */
NSET_API NSET_MUST_CHECK nset_status nset_conjugate_update(
    double *posterior, nset_family family, const double *prior, const double *x, size_t n, size_t d, nset_error *err);

/* *log_p := log p(next observation x | hyper): Bernoulli, categorical, negative binomial, normal, Student's t, and
 * multivariate t. */
NSET_API NSET_MUST_CHECK nset_status nset_conjugate_predict(
    double *log_p, nset_family family, const double *hyper, const double *x, size_t d, nset_error *err);

/* *log_p := log p(x_1 .. x_n), the sequence in its order (not the counts), by closed form. 0 for n = 0. */
NSET_API NSET_MUST_CHECK nset_status nset_conjugate_marginal(
    double *log_p, nset_family family, const double *prior, const double *x, size_t n, size_t d, nset_error *err);

/* ---- Bayesian sets: Ghahramani & Heller 2005, eq. 8 to 12 ---- */

/* How much better x fits with a query set than alone: log p(x | query) / p(x) = *constant + weight . x, for binary x of
 * d features under independent Beta(a_j, b_j). query (n, d) holds 0 and 1; weight (d). Usual prior: a = 2 mean,
 * b = 2 (1 - mean) over all data. Errors: NSET_ERR_ARG. */
NSET_API NSET_MUST_CHECK nset_status nset_bayesian_sets(double *constant, double *weight, const double *query, size_t n,
    size_t d, const double *a, const double *b, nset_error *err);

/* ---- exchangeable Gaussian and Student t: Korshunova et al. 2018, "BRUNO", section 2.3 ---- */

/* Each x_i has this mean and variance, each two this covariance. nu > 2: degrees of freedom of a Student-t process of
 * that covariance; INFINITY: Gaussian. */
typedef struct nset_process {
    double mean, variance, covariance, nu;
} nset_process;

/* The longest sequence such a process has: variance > covariance > -variance / (n - 1) must hold. SIZE_MAX, and so a
 * mixture of independent sequences, for covariance >= 0; a finite number tells that it is finite only; 0: no process.
 */
NSET_API size_t nset_process_longest(const nset_process *process);

/* What is known after n observations of the next: Student t with dof (INFINITY: normal), location and squared scale. */
typedef struct nset_process_state {
    size_t n;
    double dof, location, scale2;
    double m, v, b; /* the recursion's own: conditional mean and variance, sum of squared innovations */
} nset_process_state;

/* Start, and step by one observation: constant work. Errors: NSET_ERR_ARG (no process, or longer than it has). */
NSET_API NSET_MUST_CHECK nset_status nset_process_start(
    nset_process_state *state, const nset_process *process, nset_error *err);
NSET_API NSET_MUST_CHECK nset_status nset_process_step(
    nset_process_state *state, const nset_process *process, double x, nset_error *err);
/* log p(x | what was seen). */
NSET_API double nset_process_log_density(const nset_process_state *state, double x);

/* *log_p := log p(x_1 .. x_n) by closed form; gradient, unless NULL, by mean, variance, covariance, nu (0 where that is
 * INFINITY); dx (n), unless NULL, by the observations. The same bytes of *log_p for any order of x. Errors:
 * NSET_ERR_ARG (as above; x not finite), NSET_ERR_NOMEM. */
NSET_API NSET_MUST_CHECK nset_status nset_process_joint(double *log_p, nset_process *gradient, double *dx,
    const nset_process *process, const double *x, size_t n, nset_error *err);

#endif
