#include "imaging/second_look.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include <neuroset/memory.h>

#include "signal/robust.h"

enum { FEWEST_IMAGES = 8 };
/* Mean square of the mean image's band in noise sd: noise alone gives 1, the best of many candidates 10. */
#define STILL_LEAST 14.
/* Mean excess of the deviation in its own sd: noise alone gives 0, the best of many candidates 3. */
#define ACTIVE_LEAST 4.

/* still (n) := square of the mean band over its noise; active (n) := excess of the deviation over the field's
 * median, in standard errors. maps: nset_accumulator_maps. */
static void evidence(float *still, float *active, const nset_accumulator *a, const float *maps)
{
    size_t n = a->height * a->width;
    const float *deviation = maps + NSET_MAP_DEVIATION * n;
    double images = (double)a->n;
    float middle;

    memcpy(active, deviation, n * sizeof *active);
    middle = nset_median(active, n);
    for (size_t i = 0; i < n; i++) {
        double mean = (double)a->sum[NSET_SUM_BAND][i] / images,
               variance = (double)a->sum[NSET_SUM_SQUARE][i] / images - mean * mean;
        double m = (double)a->gain.mean[i] * a->scale;
        still[i] = variance > 0 ? (float)fmin(m * m * images / variance, 1e6) : m != 0 ? 1e6f : 0;
        active[i] = middle > 0 ? (deviation[i] / middle - 1) * sqrtf(2 * (float)a->n) : deviation[i] > 0 ? 1e6f : 0;
    }
}

static double mean_over(const nset_roi *r, const float *x)
{
    double sum = 0;

    for (size_t k = 0; k < r->n_pixels; k++)
        sum += (double)x[r->pixel[k]] / (double)r->n_pixels;
    return sum;
}

static nset_status reject(nset_masks *rejected, nset_roi *r, double still, double active, nset_error *err)
{
    size_t capacity = rejected ? rejected->n : 0;
    nset_status status;

    snprintf(r->reason, sizeof r->reason, "no more than noise: %.1f times that of the mean, activity %.1f se", still,
        active);
    if (!rejected) {
        nset_free(r->pixel);
        nset_free(r->weight);
        return NSET_OK;
    }
    if ((status = nset_grow(&rejected->roi, &capacity, rejected->n + 1, sizeof *rejected->roi, err)) == NSET_OK) {
        rejected->roi[rejected->n] = *r;
        rejected->roi[rejected->n].id = (int32_t)rejected->n;
        rejected->n++;
    }
    return status;
}

nset_status nset_second_look(nset_masks *masks, nset_masks *rejected, const nset_accumulator *a, nset_error *err)
{
    size_t n = a->height * a->width, kept = 0, i = 0;
    float *maps, *still, *active;
    nset_status status = NSET_OK;

    if (a->n < FEWEST_IMAGES)
        return NSET_OK;
    if (!(maps = nset_calloc((NSET_N_MAPS + 2) * n, sizeof *maps)))
        return nset_fail_oom(err, (NSET_N_MAPS + 2) * n, sizeof *maps);
    still = maps + NSET_N_MAPS * n;
    active = still + n;
    nset_accumulator_maps(a, maps);
    evidence(still, active, a, maps);
    for (; i < masks->n; i++) {
        nset_roi *r = &masks->roi[i];
        double s = mean_over(r, still), t = mean_over(r, active);
        if (s < STILL_LEAST && t < ACTIVE_LEAST) {
            if ((status = reject(rejected, r, s, t, err)) != NSET_OK)
                break;
            continue;
        }
        r->id = (int32_t)kept;
        masks->roi[kept++] = *r;
    }
    for (; i < masks->n; i++) /* after a failure: what was not looked at stays owned */
        masks->roi[kept++] = masks->roi[i];
    masks->n = kept;
    nset_free(maps);
    return status;
}
