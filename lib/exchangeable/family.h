/* One row a conjugate family. */
#ifndef NSET_EXCHANGEABLE_FAMILY_H
#define NSET_EXCHANGEABLE_FAMILY_H

#include <stdbool.h>

#include <neuroset/exchangeable.h>

typedef struct family_row {
    const char *name;
    const char *hyper_is, *x_is; /* what is asked of them, for messages */
    bool (*hyper_ok)(const double *hyper, size_t d);
    bool (*x_ok)(double x, size_t d);
    nset_status (*update)(double *posterior, const double *prior, const double *x, size_t n, size_t d, nset_error *err);
    nset_status (*predict)(double *log_p, const double *hyper, const double *x, size_t d, nset_error *err);
    nset_status (*marginal)(double *log_p, const double *prior, const double *x, size_t n, size_t d, nset_error *err);
} family_row;

extern const family_row nset_family_normals;

/* log Gamma; of x > 0. */
double nset_log_gamma(double x);

/* *sum := exact sum of f_i, i < n, with f_i = (x_i - at)^power, x_i at x + i * stride. Errors: NSET_ERR_NOMEM. */
nset_status nset_sum_powers(
    double *sum, const double *x, size_t n, size_t stride, double at, int power, nset_error *err);

#endif
