/* Which contacts, templates and components the features of Phy are made of. */
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include <gsl/gsl_eigen.h>
#include <gsl/gsl_errno.h>

#include <neuroset/memory.h>

#include "ephys/phy_features.h"

/* Contacts of the same shank come before others, nearer ones before farther, then by number. */
static bool is_nearer(const nset_probe *p, size_t home, size_t a, size_t b)
{
    bool here_a = p->shank[a] == p->shank[home], here_b = p->shank[b] == p->shank[home];
    double far_a = hypot(p->x_um[a] - p->x_um[home], p->y_um[a] - p->y_um[home]);
    double far_b = hypot(p->x_um[b] - p->x_um[home], p->y_um[b] - p->y_um[home]);

    if (here_a != here_b)
        return here_a;
    return far_a != far_b ? far_a < far_b : a < b;
}

void nset_phy_near_contacts(uint32_t *contact, size_t n_near, const nset_sorting *s, const nset_probe *probe)
{
    for (size_t u = 0; u < s->n_units; u++, contact += n_near) {
        size_t n = 0;
        for (size_t c = 0; c < s->n_channels; c++) { /* insertion into the sorted first n_near */
            size_t at = n < n_near ? n++ : n_near;
            for (; at > 0 && is_nearer(probe, s->units[u].channel, c, contact[at - 1]); at--)
                if (at < n_near)
                    contact[at] = contact[at - 1];
            if (at < n_near)
                contact[at] = (uint32_t)c;
        }
    }
}

typedef struct reach {
    size_t low, high; /* channels low .. high - 1 of a whitened template are not all 0 */
    double norm;
} reach;

static reach find_reach(const nset_sorting *s, size_t u)
{
    const float *w = s->templates_whitened + u * s->template_length * s->n_channels;
    reach r = { .low = s->n_channels };
    double sum = 0;

    for (size_t k = 0; k < s->template_length; k++)
        for (size_t c = 0; c < s->n_channels; c++, w++)
            if (*w != 0) {
                r.low = c < r.low ? c : r.low;
                r.high = c + 1 > r.high ? c + 1 : r.high;
                sum += (double)*w * (double)*w;
            }
    r.norm = sqrt(sum);
    return r;
}

/* Cosine of the templates of units a and b; p and q: their reach and norm. */
static double likeness(const nset_sorting *s, size_t a, size_t b, const reach *p, const reach *q)
{
    size_t n = s->template_length * s->n_channels, low = p->low > q->low ? p->low : q->low;
    size_t high = p->high < q->high ? p->high : q->high;
    const float *x = s->templates_whitened + a * n, *y = s->templates_whitened + b * n;
    double xy = 0;

    for (size_t k = 0; k < n && low < high; k += s->n_channels)
        for (size_t c = low; c < high; c++)
            xy += (double)x[k + c] * (double)y[k + c];
    return p->norm > 0 && q->norm > 0 ? xy / (p->norm * q->norm) : 0;
}

nset_status nset_phy_like_units(uint32_t *like, size_t n_like, const nset_sorting *s, nset_error *err)
{
    double score[NSET_PHY_TEMPLATES];
    reach *r = nset_calloc(s->n_units, sizeof *r);

    if (!r)
        return nset_fail_oom(err, s->n_units, sizeof *r);
    for (size_t u = 0; u < s->n_units; u++)
        r[u] = find_reach(s, u);
    for (size_t u = 0; u < s->n_units; u++, like += n_like) {
        size_t n = 0;
        for (size_t v = 0; v < s->n_units; v++) {
            double now = u == v ? INFINITY : likeness(s, u, v, &r[u], &r[v]);
            size_t at = n < n_like ? n++ : n_like;
            for (; at > 0 && now > score[at - 1]; at--)
                if (at < n_like) {
                    like[at] = like[at - 1];
                    score[at] = score[at - 1];
                }
            if (at < n_like) {
                like[at] = (uint32_t)v;
                score[at] = now;
            }
        }
    }
    nset_free(r);
    return NSET_OK;
}

/* m += v v' of a waveform on one contact, moved by shift samples. */
static void add_square(gsl_matrix *m, const nset_sorting *s, size_t unit, size_t contact, int shift)
{
    const float *w = s->templates_whitened + unit * s->template_length * s->n_channels + contact;
    int length = (int)s->template_length;

    for (int i = 0; i < length; i++) {
        double x = i + shift >= 0 && i + shift < length ? (double)w[(size_t)(i + shift) * s->n_channels] : 0;
        for (int j = 0; j < length && x != 0; j++)
            if (j + shift >= 0 && j + shift < length)
                *gsl_matrix_ptr(m, (size_t)i, (size_t)j) += x * (double)w[(size_t)(j + shift) * s->n_channels];
    }
}

/* The k-th column of vectors, turned so that its entry largest in size is positive. */
static void take_vector(float *out, const gsl_matrix *vectors, size_t k)
{
    size_t length = vectors->size1, top = 0;

    for (size_t i = 1; i < length; i++)
        if (fabs(gsl_matrix_get(vectors, i, k)) > fabs(gsl_matrix_get(vectors, top, k)))
            top = i;
    for (size_t i = 0; i < length; i++)
        out[i] = (float)(gsl_matrix_get(vectors, i, k) * (gsl_matrix_get(vectors, top, k) < 0 ? -1 : 1));
}

nset_status nset_phy_components(
    float *component, const nset_sorting *s, const uint32_t *contact, size_t n_near, nset_error *err)
{
    size_t length = s->template_length;
    gsl_error_handler_t *handler = gsl_set_error_handler_off(); /* it would end the program when memory is short */
    gsl_matrix *m = gsl_matrix_calloc(length, length), *vectors = gsl_matrix_alloc(length, length);
    gsl_vector *values = gsl_vector_alloc(length);
    gsl_eigen_symmv_workspace *room = gsl_eigen_symmv_alloc(length);
    nset_status status = m && vectors && values && room ? NSET_OK : nset_fail_oom(err, length, length);

    for (size_t i = 0; i < s->n_units * n_near && status == NSET_OK; i++)
        for (int shift = -1; shift <= 1; shift++)
            add_square(m, s, i / n_near, contact[i], shift);
    if (status == NSET_OK && gsl_eigen_symmv(m, values, vectors, room))
        status = nset_fail(err, NSET_ERR_NUMERIC, "the components of the units' waveforms do not converge");
    if (status == NSET_OK) {
        gsl_eigen_symmv_sort(values, vectors, GSL_EIGEN_SORT_VAL_DESC);
        for (size_t k = 0; k < NSET_PHY_COMPONENTS; k++)
            take_vector(component + k * length, vectors, k);
    }
    gsl_set_error_handler(handler);
    if (m)
        gsl_matrix_free(m);
    if (vectors)
        gsl_matrix_free(vectors);
    if (values)
        gsl_vector_free(values);
    if (room)
        gsl_eigen_symmv_free(room);
    return status;
}
