#include "imaging/choose.h"

#include <math.h>

#include <neuroset/memory.h>

#include "cli/progress.h"
#include "imaging/infer.h"
#include "imaging/segmenter.h"

#define REACH 5. /* pixels */

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

nset_status nset_choose_threshold(
    nset_choice *choice, const nset_net *whole, const nset_fields *kept, nset_workers *workers, nset_error *err)
{
    enum { N = 13 };
    counts c[N] = { 0 };
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
        for (int k = 0; k < N && status == NSET_OK; k++) {
            nset_masks *m = NULL;
            if ((status = nset_decode(&m, NULL, &maps, NSET_SEG_DIAMETER, .2 + .05 * k, err)) == NSET_OK)
                status = add_counts(&c[k], f, m, err);
            nset_masks_free(m);
        }
        nset_seg_maps_fini(&maps);
        nset_free(pooled);
    }
    nset_net_free(rho);
    for (int k = 0; k < N && status == NSET_OK && kept->n > 0; k++) {
        double f1 = c[k].found + c[k].truth ? 2. * (double)c[k].matched / (double)(c[k].found + c[k].truth) : 0;
        double p = c[k].found ? (double)c[k].matched / (double)c[k].found : 0,
               r = (double)c[k].matched / (double)c[k].truth;
        nset_say("kept back, threshold %.2f: centre F1 %.3f (precision %.3f, recall %.3f)", .2 + .05 * k, f1, p, r);
        if (f1 > choice->f1)
            *choice = (nset_choice){ .2 + .05 * k, f1, p, r };
    }
    return status;
}
