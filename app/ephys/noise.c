#include "ephys/noise.h"

#include <math.h>
#include <string.h>

#include <neuroset/memory.h>

static void rotate(double *s, double *v, size_t n, size_t p, size_t q)
{
    double apq = s[p * n + q], theta, t, c, sn;

    if (fabs(apq) <= 1e-14 * sqrt(fabs(s[p * n + p] * s[q * n + q])))
        return;
    theta = (s[q * n + q] - s[p * n + p]) / (2 * apq);
    t = (theta >= 0 ? 1 : -1) / (fabs(theta) + sqrt(theta * theta + 1));
    c = 1 / sqrt(t * t + 1);
    sn = t * c;
    for (size_t k = 0; k < n; k++) { /* rows p and q are contiguous; columns follow from symmetry below */
        double a = s[p * n + k], b = s[q * n + k];
        s[p * n + k] = c * a - sn * b;
        s[q * n + k] = sn * a + c * b;
    }
    for (size_t k = 0; k < n; k++) {
        double a = s[k * n + p], b = s[k * n + q];
        s[k * n + p] = c * a - sn * b;
        s[k * n + q] = sn * a + c * b;
    }
    for (size_t k = 0; k < n; k++) { /* v keeps eigenvectors in rows */
        double a = v[p * n + k], b = v[q * n + k];
        v[p * n + k] = c * a - sn * b;
        v[q * n + k] = sn * a + c * b;
    }
}

static double off_diagonal(const double *s, size_t n)
{
    double sum = 0, all = 0;

    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++) {
            all += s[i * n + j] * s[i * n + j];
            if (i != j)
                sum += s[i * n + j] * s[i * n + j];
        }
    return all > 0 ? sum / all : 0;
}

nset_status nset_inverse_root(float *m, double *s, size_t n, nset_error *err)
{
    double *v = nset_calloc(n * n, sizeof *v), *row = nset_calloc(n, sizeof *row);

    if (!v || !row) {
        nset_free(v);
        nset_free(row);
        return nset_fail_oom(err, n * n, sizeof *v);
    }
    for (size_t i = 0; i < n; i++)
        v[i * n + i] = 1;
    for (int sweep = 0; sweep < 30 && off_diagonal(s, n) > 1e-20; sweep++)
        for (size_t p = 0; p + 1 < n; p++)
            for (size_t q = p + 1; q < n; q++)
                rotate(s, v, n, p, q);
    for (size_t i = 0; i < n; i++) {
        memset(row, 0, n * sizeof *row);
        for (size_t k = 0; k < n; k++) {
            double e = s[k * n + k], f = v[k * n + i] / sqrt(e > 1e-12 ? e : 1e-12);
            for (size_t j = 0; j < n; j++)
                row[j] += f * v[k * n + j];
        }
        for (size_t j = 0; j < n; j++)
            m[i * n + j] = (float)row[j];
    }
    nset_free(v);
    nset_free(row);
    return NSET_OK;
}

nset_status nset_inverse_root_local(
    float *m, const double *s, const nset_probe *probe, double radius_um, nset_error *err)
{
    size_t n = probe->n_channels, *near = nset_calloc(n, sizeof *near);
    double *part = NULL;
    float *root = NULL;
    nset_status status = near ? NSET_OK : nset_fail_oom(err, n, sizeof *near);

    for (size_t a = 0; a < n && status == NSET_OK; a++) {
        size_t k = 0, at = 0;
        for (size_t b = 0; b < n; b++)
            if (probe->shank[b] == probe->shank[a] &&
                hypot(probe->x_um[b] - probe->x_um[a], probe->y_um[b] - probe->y_um[a]) <= radius_um) {
                at = b == a ? k : at;
                near[k++] = b;
            }
        nset_free(part);
        nset_free(root);
        part = nset_calloc(k * k, sizeof *part);
        root = nset_calloc(k * k, sizeof *root);
        if (!part || !root) {
            status = nset_fail_oom(err, k * k, sizeof *part);
            break;
        }
        for (size_t p = 0; p < k; p++)
            for (size_t q = 0; q < k; q++)
                part[p * k + q] = s[near[p] * n + near[q]];
        status = nset_inverse_root(root, part, k, err);
        for (size_t p = 0; p < k && status == NSET_OK; p++)
            m[near[p] * n + a] = root[p * k + at];
    }
    nset_free(near);
    nset_free(part);
    nset_free(root);
    return status;
}

void nset_covariance_finish(double *s, const double *pairs, double count, double least, size_t n)
{
    double shrink = .03;

    for (size_t a = 0; a < n; a++)
        for (size_t b = 0; b <= a; b++) {
            double k = pairs ? pairs[a * n + b] : count, v = k < least ? 0 : s[a * n + b] / k;
            if (a == b)
                v = v <= 0 ? 1 : v;
            else
                v *= 1 - shrink;
            s[a * n + b] = s[b * n + a] = v;
        }
}
