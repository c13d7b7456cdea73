#include "imaging/suite2p.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <neuroset/file.h>
#include <neuroset/memory.h>

#include "results/npz.h"
#include "results/pickle.h"

#define FOLDER "suite2p/plane0/"
static const double NEUCOEFF = .7, ASSUMED_RATE = 10, RADIUS_SD = 2;

typedef struct writer {
    const nset_masks *masks;
    const nset_traces *traces;
    double diameter, norm_pixels; /* median number of pixels */
    double *disk;                 /* (n_disk) distances of a grid from its middle over the diameter, ascending */
    size_t n_disk;
    unsigned char *depth; /* (H, W) masks at a pixel, at most 2 */
    int32_t *place;       /* room: (largest mask) */
    unsigned char *flag;
} writer;

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static int by_place(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;

    return (x > y) - (x < y);
}

/* place (n) is sorted. */
static double median(int32_t *place, size_t n)
{
    qsort(place, n, sizeof *place, by_place);
    return .5 * ((double)place[(n - 1) / 2] + (double)place[n / 2]);
}

static nset_status median_pixels(double *out, const nset_masks *m, nset_error *err)
{
    double *n = nset_calloc(m->n, sizeof *n);

    if (!n)
        return nset_fail_oom(err, m->n, sizeof *n);
    for (size_t i = 0; i < m->n; i++)
        n[i] = (double)m->roi[i].n_pixels;
    qsort(n, m->n, sizeof *n, by_size);
    *out = m->n ? .5 * (n[(m->n - 1) / 2] + n[m->n / 2]) : 1;
    nset_free(n);
    return NSET_OK;
}

static nset_status prepare(writer *w, nset_error *err)
{
    const nset_masks *m = w->masks;
    size_t most = 1, side;
    nset_status status = median_pixels(&w->norm_pixels, m, err);

    if (status != NSET_OK)
        return status;
    for (size_t i = 0; i < m->n; i++)
        most = m->roi[i].n_pixels > most ? m->roi[i].n_pixels : most;
    side = 2 * (size_t)ceil(sqrt((double)most)) + 1; /* its disk of as many pixels lies well inside */
    w->n_disk = side * side;
    w->disk = nset_calloc(w->n_disk, sizeof *w->disk);
    w->depth = nset_calloc(m->height, m->width);
    w->place = nset_calloc(most, sizeof *w->place);
    w->flag = nset_calloc(most, 1);
    if (!w->disk || !w->depth || !w->place || !w->flag)
        return nset_fail_oom(err, w->n_disk + m->height * m->width, sizeof *w->disk);
    for (size_t i = 0; i < w->n_disk; i++)
        w->disk[i] =
            hypot((double)(i / side) - (double)(side / 2), (double)(i % side) - (double)(side / 2)) / w->diameter;
    qsort(w->disk, w->n_disk, sizeof *w->disk, by_size);
    for (size_t i = 0; i < m->n; i++)
        for (size_t k = 0; k < m->roi[i].n_pixels; k++) {
            unsigned char *d = &w->depth[m->roi[i].pixel[k]];
            *d = *d < 2 ? *d + 1 : 2;
        }
    return NSET_OK;
}

/* ---- measures of one mask ---- */

typedef struct form {
    double row, column; /* medians */
    double mrs, mrs0, compact, radius, aspect;
} form;

/* Two standard deviations of the weights along the longer and the shorter axis. */
static void radii(double r[2], const nset_roi *roi, size_t width)
{
    double mean[2] = { 0 }, yy = 0, xx = 0, yx = 0, half, root;

    for (size_t k = 0; k < roi->n_pixels; k++) {
        mean[0] += (double)roi->weight[k] * (double)((size_t)roi->pixel[k] / width);
        mean[1] += (double)roi->weight[k] * (double)((size_t)roi->pixel[k] % width);
    }
    for (size_t k = 0; k < roi->n_pixels; k++) {
        double y = (double)((size_t)roi->pixel[k] / width) - mean[0], p = (double)roi->weight[k];
        double x = (double)((size_t)roi->pixel[k] % width) - mean[1];
        yy += p * y * y;
        xx += p * x * x;
        yx += p * y * x;
    }
    half = .5 * (yy + xx);
    root = sqrt(.25 * (yy - xx) * (yy - xx) + yx * yx);
    r[0] = RADIUS_SD * sqrt(fmax(0, half + root));
    r[1] = RADIUS_SD * sqrt(fmax(0, half - root));
}

static form measure(writer *w, const nset_roi *roi)
{
    size_t width = w->masks->width, n = roi->n_pixels;
    form s = { 0 };
    double r[2];

    for (size_t k = 0; k < n; k++)
        w->place[k] = (int32_t)((size_t)roi->pixel[k] / width);
    s.row = median(w->place, n);
    for (size_t k = 0; k < n; k++)
        w->place[k] = (int32_t)((size_t)roi->pixel[k] % width);
    s.column = median(w->place, n);
    for (size_t k = 0; k < n; k++) {
        s.mrs +=
            hypot((double)((size_t)roi->pixel[k] / width) - s.row, (double)((size_t)roi->pixel[k] % width) - s.column) /
            w->diameter;
        s.mrs0 += w->disk[k];
    }
    s.mrs /= (double)n;
    s.mrs0 /= (double)n;
    s.compact = fmax(1, s.mrs / (1e-10 + s.mrs0));
    radii(r, roi, width);
    s.radius = r[0];
    s.aspect = 2 * r[0] / (.01 * w->diameter + r[0] + r[1]);
    return s;
}

/* Third standardised moment and standard deviation. */
static void moments(double *skew, double *sd, const float *x, size_t n)
{
    double mean = 0, m2 = 0, m3 = 0;

    for (size_t t = 0; t < n; t++)
        mean += (double)x[t] / (double)n;
    for (size_t t = 0; t < n; t++) {
        double d = (double)x[t] - mean;
        m2 += d * d / (double)n;
        m3 += d * d * d / (double)n;
    }
    *sd = sqrt(m2);
    *skew = m2 > 0 ? m3 / (m2 * *sd) : 0;
}

/* ---- stat.npy ---- */

static void put_number(FILE *f, const char *key, double x)
{
    nset_pickle_text(f, key);
    nset_pickle_float(f, x);
}

static void put_whole(FILE *f, const char *key, int64_t x)
{
    nset_pickle_text(f, key);
    nset_pickle_int(f, x);
}

static void put_pixels(FILE *f, writer *w, const nset_roi *roi)
{
    size_t shape[1] = { roi->n_pixels }, width = w->masks->width;

    for (size_t k = 0; k < roi->n_pixels; k++)
        w->place[k] = (int32_t)((size_t)roi->pixel[k] / width);
    nset_pickle_text(f, "ypix");
    nset_pickle_array(f, "<i4", 1, shape, w->place);
    for (size_t k = 0; k < roi->n_pixels; k++)
        w->place[k] = (int32_t)((size_t)roi->pixel[k] % width);
    nset_pickle_text(f, "xpix");
    nset_pickle_array(f, "<i4", 1, shape, w->place);
    nset_pickle_text(f, "lam");
    nset_pickle_array(f, "<f4", 1, shape, roi->weight);
    for (size_t k = 0; k < roi->n_pixels; k++)
        w->flag[k] = w->depth[roi->pixel[k]] > 1;
    nset_pickle_text(f, "overlap");
    nset_pickle_array(f, "|b1", 1, shape, w->flag);
    memset(w->flag, 1, roi->n_pixels);
    nset_pickle_text(f, "soma_crop");
    nset_pickle_array(f, "|b1", 1, shape, w->flag);
}

static void put_stat(FILE *f, writer *w, size_t i)
{
    const nset_roi *roi = &w->masks->roi[i];
    form s = measure(w, roi);
    double skew, sd;

    moments(&skew, &sd, w->traces->corrected + i * w->traces->n_frames, w->traces->n_frames);
    nset_pickle_dict(f);
    put_pixels(f, w, roi);
    nset_pickle_text(f, "med");
    nset_pickle_list(f);
    nset_pickle_int(f, (int64_t)s.row);
    nset_pickle_int(f, (int64_t)s.column);
    nset_pickle_list_end(f);
    put_whole(f, "npix", (int64_t)roi->n_pixels);
    put_whole(f, "npix_soma", (int64_t)roi->n_pixels);
    put_number(f, "npix_norm", (double)roi->n_pixels / w->norm_pixels);
    put_number(f, "npix_norm_no_crop", (double)roi->n_pixels / w->norm_pixels);
    put_number(f, "mrs", s.mrs);
    put_number(f, "mrs0", s.mrs0);
    put_number(f, "compact", s.compact);
    put_number(f, "radius", s.radius);
    put_number(f, "aspect_ratio", s.aspect);
    put_whole(f, "footprint", 0);
    put_number(f, "skew", skew);
    put_number(f, "std", sd);
    if (isfinite(roi->snr))
        put_number(f, "snr", roi->snr);
    put_whole(f, "neuroset_id", roi->id);
    put_number(f, "neuroset_neuropil_share", (double)w->traces->share[i]);
    nset_pickle_dict_end(f);
}

static nset_status open_file(nset_atomic_file **out, const char *name, nset_run_folder *folder, nset_error *err)
{
    const char *path = nset_run_folder_path(folder, name, err);

    return path ? nset_atomic_open(out, path, err) : NSET_ERR_IO;
}

static nset_status write_stat(writer *w, nset_run_folder *folder, nset_error *err)
{
    nset_atomic_file *file = NULL;
    nset_status status = open_file(&file, FOLDER "stat.npy", folder, err);

    if (status != NSET_OK)
        return status;
    nset_pickle_begin(nset_atomic_stream(file), w->masks->n, false);
    for (size_t i = 0; i < w->masks->n; i++)
        put_stat(nset_atomic_stream(file), w, i);
    nset_pickle_end(nset_atomic_stream(file));
    return nset_atomic_commit(file, err);
}

/* ---- ops.npy ---- */

static void put_range(FILE *f, const char *key, size_t n)
{
    nset_pickle_text(f, key);
    nset_pickle_list(f);
    nset_pickle_int(f, 0);
    nset_pickle_int(f, (int64_t)n);
    nset_pickle_list_end(f);
}

static void put_map(FILE *f, const char *key, const nset_maps *maps, const char *name)
{
    size_t shape[2] = { maps->height, maps->width };

    for (size_t i = 0; i < maps->n; i++)
        if (!strcmp(maps->names[i], name)) {
            nset_pickle_text(f, key);
            nset_pickle_array(f, "<f4", 2, shape, maps->data + i * shape[0] * shape[1]);
        }
}

/* Whole pixels that each frame was moved by, as Suite2p counts them, and which frames were left out. */
static nset_status put_motion(FILE *f, const nset_motion *m, nset_error *err)
{
    size_t shape[1] = { m->n_frames };
    int32_t *offset = nset_calloc(m->n_frames, sizeof *offset);
    unsigned char *bad = nset_calloc(m->n_frames, 1);
    nset_status status = offset && bad ? NSET_OK : nset_fail_oom(err, m->n_frames, sizeof *offset);

    for (int axis = 0; axis < 2 && status == NSET_OK; axis++) {
        for (size_t t = 0; t < m->n_frames; t++)
            offset[t] = (int32_t)lrint(m->shift[t][axis]);
        nset_pickle_text(f, axis ? "xoff" : "yoff");
        nset_pickle_array(f, "<i4", 1, shape, offset);
    }
    for (size_t t = 0; t < m->n_frames && status == NSET_OK; t++)
        bad[t] = !m->valid[t];
    if (status == NSET_OK) {
        nset_pickle_text(f, "badframes");
        nset_pickle_array(f, "|b1", 1, shape, bad);
    }
    nset_free(offset);
    nset_free(bad);
    return status;
}

static double median_decay(const nset_traces *t)
{
    double *x = nset_calloc(t->n_rois, sizeof *x), m = 1;

    for (size_t i = 0; x && i < t->n_rois; i++)
        x[i] = (double)t->decay_s[i];
    if (x && t->n_rois) {
        qsort(x, t->n_rois, sizeof *x, by_size);
        m = x[t->n_rois / 2];
    }
    nset_free(x);
    return m > 0 ? m : 1;
}

static nset_status write_ops(
    writer *w, const nset_maps *summary, const nset_motion *motion, nset_run_folder *folder, nset_error *err)
{
    nset_atomic_file *file = NULL;
    nset_status status = open_file(&file, FOLDER "ops.npy", folder, err);
    bool known = w->traces->rate_hz > 0;
    FILE *f;

    if (status != NSET_OK)
        return status;
    f = nset_atomic_stream(file);
    nset_pickle_begin(f, 1, true);
    nset_pickle_dict(f);
    put_whole(f, "Ly", (int64_t)w->masks->height);
    put_whole(f, "Lx", (int64_t)w->masks->width);
    put_whole(f, "nframes", (int64_t)w->traces->n_frames);
    put_number(f, "fs", known ? w->traces->rate_hz : ASSUMED_RATE);
    nset_pickle_text(f, "neuroset_fs_known");
    nset_pickle_bool(f, known);
    put_number(f, "tau", median_decay(w->traces));
    put_whole(f, "nplanes", 1);
    put_whole(f, "nchannels", 1);
    put_whole(f, "functional_chan", 1);
    put_number(f, "neucoeff", NEUCOEFF);
    put_number(f, "aspect", 1);
    nset_pickle_text(f, "diameter");
    nset_pickle_list(f);
    nset_pickle_float(f, w->diameter);
    nset_pickle_float(f, w->diameter);
    nset_pickle_list_end(f);
    put_range(f, "yrange", w->masks->height);
    put_range(f, "xrange", w->masks->width);
    put_map(f, "meanImg", summary, "mean");
    put_map(f, "Vcorr", summary, "correlation");
    put_map(f, "max_proj", summary, "peak");
    nset_pickle_text(f, "save_path");
    nset_pickle_text(f, ".");
    if (motion && motion->n_frames)
        status = put_motion(f, motion, err);
    nset_pickle_dict_end(f);
    nset_pickle_end(f);
    if (status != NSET_OK) {
        nset_atomic_abort(file);
        return status;
    }
    return nset_atomic_commit(file, err);
}

/* ---- the rest ---- */

static nset_status write_array(nset_run_folder *folder, const char *name, const nset_array *a, nset_error *err)
{
    const char *path = nset_run_folder_path(folder, name, err);

    return path ? nset_npy_write(path, a, err) : NSET_ERR_IO;
}

static nset_status write_iscell(const nset_masks *m, nset_run_folder *folder, nset_error *err)
{
    double(*is)[2] = nset_calloc(m->n, sizeof *is);
    nset_array a = { .descr = "<f8", .rank = 2, .shape = { m->n, 2 }, .data = is };
    nset_status status;

    if (!is)
        return nset_fail_oom(err, m->n, sizeof *is);
    for (size_t i = 0; i < m->n; i++) {
        is[i][0] = 1;
        is[i][1] = isfinite(m->roi[i].probability) ? m->roi[i].probability : 1;
    }
    status = write_array(folder, FOLDER "iscell.npy", &a, err);
    nset_free(is);
    return status;
}

nset_status nset_suite2p_write(const nset_masks *masks, const nset_traces *traces, const nset_maps *summary,
    const nset_motion *motion, double diameter, nset_run_folder *folder, nset_error *err)
{
    writer w = { .masks = masks, .traces = traces, .diameter = diameter };
    nset_array a = { .descr = "<f4", .rank = 2, .shape = { traces->n_rois, traces->n_frames } };
    const struct {
        const char *name;
        const float *x;
    } tables[] = { { FOLDER "F.npy", traces->raw }, { FOLDER "Fneu.npy", traces->neuropil },
        { FOLDER "spks.npy", traces->events } };
    nset_status status = prepare(&w, err);

    if (status == NSET_OK && (status = write_stat(&w, folder, err)) == NSET_OK &&
        (status = write_ops(&w, summary, motion, folder, err)) == NSET_OK)
        status = write_iscell(masks, folder, err);
    for (size_t i = 0; i < 3 && status == NSET_OK; i++) {
        a.data = tables[i].x;
        status = write_array(folder, tables[i].name, &a, err);
    }
    nset_free(w.disk);
    nset_free(w.depth);
    nset_free(w.place);
    nset_free(w.flag);
    return status;
}
