#include "imaging/images.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>
#include <xxhash.h>

#include <neuroset/memory.h>

#include "cli/progress.h"
#include "imaging/infer.h"
#include "imaging/pixels.h"
#include "imaging/segnet.h"

enum { PHI_IMAGES = 48, PHI_GRID = 1 << 24 }; /* images that phi sees; steps of its sum's grid a unit */
enum { MOST_SLOTS = 16, SLOT_BYTES = 96 << 20, ROWS = 8 };

/* One image on its way into the sums. */
typedef struct slot {
    float *image, *room; /* (H, W); working space */
    nset_banded sums;    /* what the second pass adds */
    int64_t n_frames;    /* in it; 0: all were left out */
    bool for_phi;
    nset_status status;
    nset_error err;
} slot;

typedef struct pass {
    nset_images *out;
    nset_movie *movie;
    const nset_images_options *o;
    int64_t bin, n_bins, phi_every, first; /* first: bin of slot 0 */
    bool mean_only;                        /* the first pass */
    slot slot[MOST_SLOTS];
    size_t n_slots;
    nset_run *phi;
    float *padded; /* (h4, w4) */
    size_t h4, w4;
} pass;

/* ---- frames to images, an image a slot ---- */

static nset_status mean_of_frames(const pass *p, slot *s, int64_t b)
{
    const nset_pixels *k = nset_pixels_now();
    size_t n = p->movie->height * p->movie->width;
    int64_t first = b * p->bin, last = first + p->bin < p->movie->n_frames ? first + p->bin : p->movie->n_frames;
    nset_status status;

    s->n_frames = 0;
    for (int64_t t = first; t < last; t++) {
        float *to = s->n_frames ? s->sums.band : s->image;
        if (p->o->valid && !p->o->valid[t])
            continue;
        if ((status = p->movie->read(p->movie, to, t, &s->err)) != NSET_OK)
            return status;
        if (s->n_frames++)
            k->add(s->image, s->sums.band, n);
    }
    if (s->n_frames > 1)
        k->scale(s->image, 1 / (float)s->n_frames, n);
    return NSET_OK;
}

static void fill_slots(void *ctx, size_t first, size_t last, size_t chunk)
{
    pass *p = ctx;
    size_t n = p->movie->height * p->movie->width;

    (void)chunk;
    for (size_t i = first; i < last; i++) {
        slot *s = &p->slot[i];
        s->status = mean_of_frames(p, s, p->first + (int64_t)i);
        if (s->status != NSET_OK || s->n_frames == 0 || p->mean_only)
            continue;
        nset_accumulator_band(&p->out->sums, s->sums, s->image, s->room);
        s->for_phi = p->phi && XXH3_64bits(s->image, n * sizeof *s->image) % (XXH64_hash_t)p->phi_every == 0;
    }
}

/* ---- images to sums: a stripe of rows stays in the cache while all slots are added ---- */

static void add_stripes(void *ctx, size_t first, size_t last, size_t chunk)
{
    pass *p = ctx;

    (void)chunk;
    for (size_t i = 0; i < p->n_slots; i++)
        if (p->slot[i].n_frames && p->mean_only)
            nset_accumulator_add_mean_rows(&p->out->sums, p->slot[i].image, first, last);
        else if (p->slot[i].n_frames)
            nset_accumulator_add_rows(&p->out->sums, p->slot[i].sums, first, last);
}

static nset_status add_phi(pass *p, slot *s, nset_error *err)
{
    size_t h = p->movie->height, w = p->movie->width;
    int64_t offsets[2] = { 0, 1 };
    const float *inputs[1] = { p->padded }, *y;
    nset_batch batch = { .n_sets = 1, .offsets = offsets, .height = p->h4, .width = p->w4, .inputs = inputs };
    nset_status status;

    nset_segnet_image(s->sums.band, h, w, s->room);
    if (p->out->n_kept < p->o->keep)
        memcpy(p->out->kept + p->out->n_kept++ * h * w, s->sums.band, h * w * sizeof *p->out->kept);
    nset_segnet_pad(p->padded, p->h4, p->w4, s->sums.band, h, w, 1);
    if ((status = nset_run_forward(p->phi, &batch, err)) != NSET_OK)
        return status;
    y = nset_run_output(p->phi, 0, NULL, NULL);
    for (size_t i = 0; i < h; i++)
        nset_pixels_now()->sum_up_scaled(
            p->out->pooled + i * w * NSET_SEG_PHI, y + i * p->w4 * NSET_SEG_PHI, w * NSET_SEG_PHI, PHI_GRID);
    p->out->n_phi++;
    return NSET_OK;
}

static nset_status add_slots(pass *p, nset_workers *workers, nset_error *err)
{
    nset_status status = NSET_OK;

    for (size_t i = 0; i < p->n_slots; i++)
        if (p->slot[i].status != NSET_OK)
            return nset_fail(err, p->slot[i].status, "%s", p->slot[i].err.text);
    nset_parallel_for(workers, p->movie->height, ROWS, add_stripes, p);
    for (size_t i = 0; i < p->n_slots && status == NSET_OK; i++) {
        if (!p->slot[i].n_frames)
            continue;
        if (p->mean_only)
            p->out->sums.n_mean++;
        else
            p->out->sums.n++;
        if (!p->mean_only && p->slot[i].for_phi)
            status = add_phi(p, &p->slot[i], err);
    }
    return status;
}

/* ---- the pass ---- */

/* As many slots as a fixed share of memory holds. */
static nset_status make_slots(pass *p, float **block, int32_t **grids, nset_error *err)
{
    size_t n = p->movie->height * p->movie->width, room = nset_accumulator_room(&p->out->sums);
    size_t each = (4 * n + room) * sizeof **block, m = SLOT_BYTES / each;

    m = m < 2 ? 2 : m > MOST_SLOTS ? MOST_SLOTS : m;
    m = (int64_t)m < p->n_bins ? m : (size_t)p->n_bins;
    *block = nset_calloc(m, (2 * n + room) * sizeof **block);
    *grids = nset_calloc(m, 2 * n * sizeof **grids);
    if (!*block || !*grids)
        return nset_fail_oom(err, m, each);
    for (size_t i = 0; i < m; i++) {
        float *at = *block + (2 * n + room) * i;
        p->slot[i] =
            (slot){ .image = at, .sums = { at + n, *grids + 2 * n * i, *grids + 2 * n * i + n }, .room = at + 2 * n };
    }
    p->n_slots = m;
    return NSET_OK;
}

static nset_status start(pass *p, const nset_net *phi, nset_workers *workers, nset_error *err)
{
    size_t h = p->movie->height, w = p->movie->width;
    nset_status status;

    p->bin = p->o->bin > 0 ? p->o->bin : p->movie->rate_hz > 0 ? (int64_t)fmax(1, round(.5 * p->movie->rate_hz)) : 4;
    p->n_bins = (p->movie->n_frames + p->bin - 1) / p->bin;
    p->phi_every = p->n_bins > PHI_IMAGES ? (p->n_bins + PHI_IMAGES - 1) / PHI_IMAGES : 1;
    p->h4 = (h + 3) / 4 * 4;
    p->w4 = (w + 3) / 4 * 4;
    p->out->pooled = nset_calloc(h * w, NSET_SEG_PHI * sizeof *p->out->pooled);
    p->padded = nset_calloc(p->h4 * p->w4, sizeof *p->padded);
    p->out->kept = nset_calloc(h * w, p->o->keep * sizeof *p->out->kept);
    if (!p->out->pooled || !p->padded || !p->out->kept)
        return nset_fail_oom(err, h * w, NSET_SEG_PHI * sizeof *p->out->pooled);
    if ((status = nset_accumulator_init(&p->out->sums, h, w, err)) != NSET_OK ||
        (status = nset_accumulator_settle(&p->out->sums, p->o->diameter, err)) != NSET_OK)
        return status;
    return phi ? nset_run_create(&p->phi, phi, workers, err) : NSET_OK;
}

static nset_status all_bins(pass *p, const char *what, nset_workers *workers, nset_error *err)
{
    size_t most = p->n_slots;
    nset_status status = NSET_OK;

    nset_progress_begin(what, (double)p->n_bins, "images");
    for (p->first = 0; p->first < p->n_bins && status == NSET_OK; p->first += (int64_t)p->n_slots) {
        p->n_slots = p->n_bins - p->first < (int64_t)most ? (size_t)(p->n_bins - p->first) : most;
        nset_parallel_for(p->movie->concurrent ? workers : NULL, p->n_slots, 1, fill_slots, p);
        status = nset_cancelled() ? nset_fail_cancelled(err) : add_slots(p, workers, err);
        nset_progress_at((double)p->first + (double)p->n_slots);
    }
    nset_progress_end();
    p->n_slots = most;
    return status;
}

static nset_status both_passes(pass *p, nset_workers *workers, nset_error *err)
{
    nset_status status;

    p->mean_only = true;
    if ((status = all_bins(p, "mean", workers, err)) != NSET_OK ||
        (status = nset_accumulator_settle(&p->out->sums, p->o->diameter, err)) != NSET_OK)
        return status;
    p->mean_only = false;
    return all_bins(p, "images", workers, err);
}

nset_status nset_images_make(nset_images *out, nset_movie *movie, const nset_images_options *o, const nset_net *phi,
    nset_workers *workers, nset_error *err)
{
    pass p = { .out = out, .movie = movie, .o = o };
    float *block = NULL;
    int32_t *grids = NULL;
    nset_status status;

    *out = (nset_images){ 0 };
    if ((status = start(&p, phi, workers, err)) == NSET_OK && (status = make_slots(&p, &block, &grids, err)) == NSET_OK)
        status = both_passes(&p, workers, err);
    nset_run_free(p.phi);
    nset_free(p.padded);
    nset_free(block);
    nset_free(grids);
    if (status != NSET_OK)
        nset_images_fini(out);
    return status;
}

void nset_images_fini(nset_images *m)
{
    nset_accumulator_fini(&m->sums);
    nset_free(m->pooled);
    nset_free(m->kept);
    *m = (nset_images){ 0 };
}

size_t nset_images_bytes(const nset_images *m)
{
    size_t pixel = NSET_N_SUMS * sizeof *m->sums.sum[0] + 2 * sizeof *m->sums.largest;

    return m->sums.height * m->sums.width * (pixel + NSET_SEG_PHI * sizeof *m->pooled);
}

void nset_images_phi(const nset_images *m, float *out)
{
    size_t n = m->sums.height * m->sums.width * NSET_SEG_PHI;

    memset(out, 0, n * sizeof *out);
    for (size_t i = 0; i < n && m->n_phi > 1; i++)
        out[i] = (float)((double)m->pooled[i] / PHI_GRID / (double)m->n_phi);
}
