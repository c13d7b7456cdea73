#include "imaging/choose.h"

#include <math.h>

#include <neuroset/memory.h>

#include "cli/progress.h"
#include "imaging/infer.h"
#include "imaging/segmenter.h"

#define REACH 5. /* pixels */
enum { N_THRESHOLDS = 13 };

typedef struct counts {
    size_t found, truth, matched;
} counts;

static nset_status add_counts(counts *c, const nset_field *f, const nset_masks *m, nset_error *err)
{
    unsigned char *used = nset_calloc(m->n, 1);

    if (!used)
        return nset_fail_oom(err, m->n, 1);
    c->found += m->n;
    for (size_t k = 0; k < f->n_regions; k++) {
        double best = REACH;
        size_t at = m->n;
        for (size_t i = 0; i < m->n; i++) {
            double d = hypot(m->roi[i].row - f->region[k].row, m->roi[i].column - f->region[k].column);
            if (!used[i] && d <= best) {
                best = d;
                at = i;
            }
        }
        c->truth++;
        if (at < m->n) {
            used[at] = 1;
            c->matched++;
        }
    }
    nset_free(used);
    return NSET_OK;
}

static double threshold_of(int k)
{
    return .2 + .05 * k;
}

static double f1_of(counts c)
{
    return c.found + c.truth ? 2. * (double)c.matched / (double)(c.found + c.truth) : 0;
}

/* Adds one field's counts at all thresholds, and says its best. */
static nset_status count_field(counts c[N_THRESHOLDS], const nset_field *f, const nset_seg_maps *maps, nset_error *err)
{
    double best = 0, at = 0;
    nset_status status = NSET_OK;

    for (int k = 0; k < N_THRESHOLDS && status == NSET_OK; k++) {
        nset_masks *m = NULL;
        counts own = { 0 };
        if ((status = nset_decode(&m, NULL, maps, NSET_SEG_DIAMETER, threshold_of(k), err)) == NSET_OK)
            status = add_counts(&own, f, m, err);
        nset_masks_free(m);
        c[k].found += own.found;
        c[k].truth += own.truth;
        c[k].matched += own.matched;
        if (f1_of(own) > best) {
            best = f1_of(own);
            at = threshold_of(k);
        }
    }
    nset_say("%s: centre F1 at most %.3f (threshold %.2f)", f->name, best, at);
    return status;
}

nset_status nset_choose_threshold(
    nset_choice *choice, const nset_net *whole, const nset_fields *kept, nset_workers *workers, nset_error *err)
{
    counts c[N_THRESHOLDS] = { 0 };
    nset_net *rho = NULL;
    nset_status status = nset_segnet_part_of(&rho, whole, NSET_SEG_RHO_ONLY, err);

    for (size_t i = 0; i < kept->n && status == NSET_OK; i++) {
        const nset_field *f = &kept->field[i];
        float *pooled = nset_calloc(f->height * f->width * NSET_SEG_PHI, sizeof *pooled);
        nset_seg_maps maps = { 0 };
        status = pooled ? nset_seg_maps_init(&maps, f->height, f->width, err)
                        : nset_fail_oom(err, f->height * f->width, sizeof *pooled);
        if (status == NSET_OK)
            status = nset_segnet_apply(&maps, rho, f->input, pooled, NSET_SEG_VIEWS, workers, err);
        if (status == NSET_OK)
            status = count_field(c, f, &maps, err);
        nset_seg_maps_fini(&maps);
        nset_free(pooled);
    }
    nset_net_free(rho);
    for (int k = 0; k < N_THRESHOLDS && status == NSET_OK && kept->n > 0; k++) {
        double f1 = f1_of(c[k]);
        double p = c[k].found ? (double)c[k].matched / (double)c[k].found : 0,
               r = (double)c[k].matched / (double)c[k].truth;
        nset_say("kept back, threshold %.2f: centre F1 %.3f (precision %.3f, recall %.3f)", threshold_of(k), f1, p, r);
        if (f1 > choice->f1)
            *choice = (nset_choice){ threshold_of(k), f1, p, r };
    }
    return status;
}
