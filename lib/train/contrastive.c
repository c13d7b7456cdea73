#include <neuroset/train.h>

#include <math.h>
#include <string.h>

#include <neuroset/memory.h>

/* u are the normalised rows of z, norm their lengths before; p one row of similarities; du the gradient at u. */
typedef struct contrast {
    nset_real *u, *du, *p;
    double *norm;
    const int32_t *label;
    size_t n, d;
    double inverse_temperature;
} contrast;

static void release(contrast *c)
{
    nset_free(c->u);
    nset_free(c->du);
    nset_free(c->p);
    nset_free(c->norm);
}

static nset_status reserve(contrast *c, nset_error *err)
{
    c->u = nset_calloc(c->n * c->d, sizeof *c->u);
    c->du = nset_calloc(c->n * c->d, sizeof *c->du);
    c->p = nset_calloc(c->n, sizeof *c->p);
    c->norm = nset_calloc(c->n, sizeof *c->norm);
    if (c->u && c->du && c->p && c->norm)
        return NSET_OK;
    release(c);
    return nset_fail_oom(err, c->n * c->d, sizeof *c->u);
}

/* A row of no length has no direction: it stays 0 and gets no gradient. */
static void normalise(contrast *c, const nset_real *z)
{
    for (size_t i = 0; i < c->n; i++) {
        double square = 0;
        for (size_t k = 0; k < c->d; k++)
            square += (double)z[i * c->d + k] * (double)z[i * c->d + k];
        c->norm[i] = sqrt(square);
        if (c->norm[i] < 1e-6)
            c->norm[i] = 0;
        for (size_t k = 0; k < c->d && c->norm[i] > 0; k++)
            c->u[i * c->d + k] = (nset_real)((double)z[i * c->d + k] / c->norm[i]);
    }
}

static size_t count_positives(const contrast *c, size_t anchor)
{
    size_t n = 0;

    for (size_t a = 0; a < c->n && c->label[anchor] >= 0; a++)
        n += a != anchor && c->label[a] == c->label[anchor];
    return n;
}

/* p_a := softmax over a != anchor of u_anchor . u_a / temperature; returns the anchor's loss. */
static double compare(contrast *c, size_t anchor, size_t n_positives)
{
    const nset_real *ui = c->u + anchor * c->d;
    double top = -INFINITY, sum = 0, positive = 0;

    for (size_t a = 0; a < c->n; a++) {
        nset_real dot = 0;
        for (size_t k = 0; k < c->d; k++)
            dot += ui[k] * c->u[a * c->d + k];
        c->p[a] = (nset_real)((double)dot * c->inverse_temperature);
        if (a == anchor)
            continue;
        if (c->label[a] == c->label[anchor])
            positive += (double)c->p[a];
        top = (double)c->p[a] > top ? (double)c->p[a] : top;
    }
    c->p[anchor] = -INFINITY;
    for (size_t a = 0; a < c->n; a++) {
        c->p[a] = (nset_real)exp((double)c->p[a] - top);
        sum += (double)c->p[a];
    }
    for (size_t a = 0; a < c->n; a++)
        c->p[a] = (nset_real)((double)c->p[a] / sum);
    return log(sum) + top - positive / (double)n_positives;
}

/* The slope at the similarity of anchor and a is p_a - [a positive] / |P|, and goes to both rows. */
static void spread(contrast *c, size_t anchor, size_t n_positives, double scale)
{
    nset_real *di = c->du + anchor * c->d;

    for (size_t a = 0; a < c->n; a++) {
        const double positive = c->label[a] == c->label[anchor] ? 1 / (double)n_positives : 0;
        const nset_real g = (nset_real)(((double)c->p[a] - positive) * scale * c->inverse_temperature);
        if (a == anchor)
            continue;
        for (size_t k = 0; k < c->d; k++) {
            di[k] += g * c->u[a * c->d + k];
            c->du[a * c->d + k] += g * c->u[anchor * c->d + k];
        }
    }
}

/* Through u = z / |z|: dz = (du - (du . u) u) / |z|. */
static void gradient_at_z(nset_real *dz, const contrast *c)
{
    memset(dz, 0, c->n * c->d * sizeof *dz);
    for (size_t i = 0; i < c->n; i++) {
        const nset_real *u = c->u + i * c->d, *du = c->du + i * c->d;
        double dot = 0;
        for (size_t k = 0; k < c->d; k++)
            dot += (double)du[k] * (double)u[k];
        for (size_t k = 0; k < c->d && c->norm[i] > 0; k++)
            dz[i * c->d + k] = (nset_real)(((double)du[k] - dot * (double)u[k]) / c->norm[i]);
    }
}

nset_status nset_loss_contrastive(double *loss, nset_real *dz, const nset_real *z, const int32_t *label, size_t n,
    size_t d, double temperature, nset_error *err)
{
    contrast c = { .label = label, .n = n, .d = d, .inverse_temperature = 1 / temperature };
    size_t n_anchors = 0;
    double sum = 0;
    nset_status status;

    if ((status = reserve(&c, err)) != NSET_OK)
        return status;
    normalise(&c, z);
    for (size_t i = 0; i < n; i++)
        n_anchors += count_positives(&c, i) > 0;
    for (size_t i = 0; i < n; i++) {
        const size_t n_positives = count_positives(&c, i);
        if (n_positives == 0)
            continue;
        sum += compare(&c, i, n_positives);
        if (dz)
            spread(&c, i, n_positives, 1 / (double)n_anchors);
    }
    if (dz)
        gradient_at_z(dz, &c);
    *loss = n_anchors ? sum / (double)n_anchors : 0;
    release(&c);
    return NSET_OK;
}
