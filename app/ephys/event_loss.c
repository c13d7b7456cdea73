#include "ephys/event_loss.h"

#include <math.h>
#include <string.h>

#include <neuroset/memory.h>

typedef struct protos {
    size_t n, d, n_labels, n_tested, n_classes;
    const nset_real *z;
    const int32_t *label;
    double *count; /* (n_labels) events of each, 0 when fewer than three */
    double *mean;  /* (n_labels, d) */
    double *pull;  /* (n_labels, d) gradient at each mean's sum */
    double *p;     /* (n_labels) probability of each for the event at hand */
    double *q;     /* (n) the same of each event of no unit; 0 for others */
    double share;  /* prior of each event of no unit: all together weigh as much as one unit */
    double *dz;    /* (n, d) */
} protos;

static int takes_part(const protos *s, size_t i)
{
    return s->label[i] >= 0 && s->count[s->label[i]] > 0;
}

static void find_means(protos *s)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->label[i] >= 0)
            s->count[s->label[i]]++;
    for (size_t k = 0; k < s->n_labels; k++) {
        s->count[k] = s->count[k] < 3 ? 0 : s->count[k];
        s->n_classes += s->count[k] > 0;
    }
    for (size_t i = 0; i < s->n; i++) {
        if (!takes_part(s, i))
            continue;
        s->n_tested++;
        for (size_t j = 0; j < s->d; j++)
            s->mean[(size_t)s->label[i] * s->d + j] += (double)s->z[i * s->d + j] / s->count[s->label[i]];
    }
}

/* z - mean of label k without event i itself, in direction j. */
static double gap(const protos *s, size_t i, size_t k, size_t j)
{
    double z = (double)s->z[i * s->d + j], m = s->mean[k * s->d + j], c = s->count[k];

    return (int32_t)k == s->label[i] ? c / (c - 1) * (z - m) : z - m;
}

/* Half the squared distance of two events. */
static double half_square(const protos *s, size_t a, size_t b)
{
    double sum = 0;

    for (size_t j = 0; j < s->d; j++) {
        double v = (double)s->z[a * s->d + j] - (double)s->z[b * s->d + j];
        sum += .5 * v * v;
    }
    return sum;
}

/* p, q := probabilities of the units, and of what is no unit, for event i; returns -log of its own unit's. */
static double judge(protos *s, size_t i, int *right)
{
    size_t own = (size_t)s->label[i];
    double best = -INFINITY, sum = 0, of_own;

    for (size_t k = 0; k < s->n_labels; k++) {
        double d2 = 0;
        for (size_t j = 0; j < s->d && s->count[k] > 0; j++)
            d2 += gap(s, i, k, j) * gap(s, i, k, j);
        s->p[k] = s->count[k] > 0 ? -.5 * d2 : -INFINITY;
        best = fmax(best, s->p[k]);
    }
    of_own = s->p[own];
    *right = of_own == best;
    for (size_t k = 0; k < s->n; k++)
        if (s->label[k] < 0)
            sum += s->q[k] = s->share * exp(-half_square(s, i, k) - best);
    for (size_t k = 0; k < s->n_labels; k++) {
        s->p[k] = s->count[k] > 0 ? exp(s->p[k] - best) : 0;
        sum += s->p[k];
    }
    for (size_t k = 0; k < s->n_labels; k++)
        s->p[k] /= sum;
    for (size_t k = 0; k < s->n; k++)
        s->q[k] /= sum;
    return log(sum) + best - of_own;
}

/* Gradient of event i's loss at itself and at the sums of the units' events. */
static void push(protos *s, size_t i)
{
    size_t own = (size_t)s->label[i];

    for (size_t k = 0; k < s->n_labels; k++) {
        double g = s->p[k] - (k == own), share;
        if (s->count[k] == 0 || g == 0)
            continue;
        share = 1 / (k == own ? s->count[k] - 1 : s->count[k]);
        for (size_t j = 0; j < s->d; j++) {
            double v = g * gap(s, i, k, j);
            s->dz[i * s->d + j] -= v + (k == own ? v * share : 0); /* left out of its own mean */
            s->pull[k * s->d + j] += v * share;
        }
    }
    for (size_t k = 0; k < s->n; k++)
        for (size_t j = 0; j < s->d && s->q[k] > 0; j++) {
            double v = s->q[k] * ((double)s->z[i * s->d + j] - (double)s->z[k * s->d + j]);
            s->dz[i * s->d + j] -= v;
            s->dz[k * s->d + j] += v;
        }
}

static double scale_loss(protos *s, double weight)
{
    double total = 0, freedom = (double)s->n_tested - (double)s->n_classes;

    for (size_t j = 0; j < s->d; j++) {
        double v = 1e-6, slope;
        for (size_t i = 0; i < s->n; i++)
            if (takes_part(s, i)) {
                double e = (double)s->z[i * s->d + j] - s->mean[(size_t)s->label[i] * s->d + j];
                v += e * e / freedom;
            }
        total += .5 * log(v) * log(v) / (double)s->d;
        slope = weight * log(v) / v * 2 / (freedom * (double)s->d);
        for (size_t i = 0; i < s->n; i++)
            if (takes_part(s, i))
                s->dz[i * s->d + j] += slope * ((double)s->z[i * s->d + j] - s->mean[(size_t)s->label[i] * s->d + j]);
    }
    return weight * total;
}

static double whole_loss(protos *s, double scale_weight, size_t *n_right)
{
    double sum = 0, n = (double)s->n_tested;

    for (size_t i = 0; i < s->n; i++) {
        int right;
        if (!takes_part(s, i))
            continue;
        sum += judge(s, i, &right);
        *n_right += (size_t)right;
        push(s, i);
    }
    for (size_t i = 0; i < s->n; i++)
        for (size_t j = 0; j < s->d; j++)
            s->dz[i * s->d + j] =
                (s->dz[i * s->d + j] + (takes_part(s, i) ? s->pull[(size_t)s->label[i] * s->d + j] : 0)) / n;
    return sum / n + scale_loss(s, scale_weight);
}

nset_status nset_loss_prototypes(double *loss, nset_real *dz, size_t *n_right, size_t *n_tested, const nset_real *z,
    const int32_t *label, size_t n_labels, size_t n, size_t d, double scale_weight, nset_error *err)
{
    protos s = { .n = n, .d = d, .n_labels = n_labels, .z = z, .label = label };
    size_t right = 0, room = n_labels * (2 * d + 2) + n * (d + 1);
    double *block = nset_calloc(room, sizeof *block);

    if (!block)
        return nset_fail_oom(err, room, sizeof *block);
    s.count = block;
    s.p = s.count + n_labels;
    s.mean = s.p + n_labels;
    s.pull = s.mean + n_labels * d;
    s.dz = s.pull + n_labels * d;
    s.q = s.dz + n * d;
    for (size_t i = 0; i < n; i++)
        s.share += label[i] < 0;
    s.share = s.share > 0 ? 1 / s.share : 0;
    find_means(&s);
    *loss = s.n_tested ? whole_loss(&s, scale_weight, &right) : 0;
    for (size_t i = 0; dz && i < n * d; i++)
        dz[i] = (nset_real)s.dz[i];
    if (n_right)
        *n_right = right;
    if (n_tested)
        *n_tested = s.n_tested;
    nset_free(block);
    return NSET_OK;
}
