#include "ephys/phy_features.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>

#include <neuroset/file.h>
#include <neuroset/memory.h>

#include "cli/progress.h"
#include "results/npz.h"
#include "signal/segments.h"
#include "signal/wide.h"

enum { PIECE = 4096 }; /* rows at once */

typedef struct features {
    const nset_sorting *s;
    nset_whitened *w;
    size_t n_near, n_like, n_rows;
    uint32_t *contact, *like; /* (n_units, n_near), (n_units, n_like) */
    float *component;         /* (3, template_length) */
    float *like_template;     /* (n_units, n_like, n_near, template_length) of norm 1 over the contacts of the unit */
    int64_t *id;              /* (n_rows) of the spikes */
    nset_workers *workers;
    size_t first;     /* spike of the first row of a piece */
    float *row, *fit; /* (PIECE, 3 n_near), (PIECE, n_like) */
    bool failed;
    nset_atomic_file *pc_file, *fit_file;
} features;

static void release(features *f)
{
    nset_free(f->contact);
    nset_free(f->like);
    nset_free(f->component);
    nset_free(f->like_template);
    nset_free(f->id);
    nset_free(f->row);
    nset_free(f->fit);
    nset_atomic_abort(f->pc_file);
    nset_atomic_abort(f->fit_file);
}

/* ---- before the signal is read ---- */

static size_t first_of(const features *f, int64_t segment)
{
    return nset_sorting_spike_at(f->s, segment * NSET_HOP);
}

static size_t end_of(const features *f, int64_t segment)
{
    return nset_sorting_spike_at(f->s, segment * NSET_HOP + (int64_t)nset_whitened_segment_length(f->w, segment));
}

/* Templates like unit u on the contacts of u, scaled to norm 1; 0 where the template is not there. */
static void take_like(features *f, size_t u)
{
    const nset_sorting *s = f->s;

    for (size_t m = 0; m < f->n_like; m++) {
        const float *t =
            s->templates_whitened + f->like[u * f->n_like + m] * (size_t)(s->template_length * s->n_channels);
        float *to = f->like_template + (u * f->n_like + m) * s->template_length * f->n_near;
        double sum = 0;
        for (size_t k = 0; k < s->template_length; k++)
            for (size_t c = 0; c < f->n_near; c++) {
                float v = t[k * s->n_channels + f->contact[u * f->n_near + c]];
                to[c * s->template_length + k] = v;
                sum += (double)v * (double)v;
            }
        for (size_t k = 0; k < s->template_length * f->n_near && sum > 0; k++)
            to[k] = (float)((double)to[k] / sqrt(sum));
    }
}

static nset_status prepare(
    features *f, const nset_probe *probe, const int64_t *segments, size_t n_segments, nset_error *err)
{
    const nset_sorting *s = f->s;
    size_t row = 0, near = s->n_units * f->n_near, like = s->n_units * f->n_like;
    nset_status status;

    for (size_t g = 0; g < n_segments; g++)
        f->n_rows += end_of(f, segments[g]) - first_of(f, segments[g]);
    f->contact = nset_calloc(near, sizeof *f->contact);
    f->like = nset_calloc(like, sizeof *f->like);
    f->component = nset_calloc(NSET_PHY_COMPONENTS * s->template_length, sizeof *f->component);
    f->like_template = nset_calloc(like * s->template_length * f->n_near, sizeof *f->like_template);
    f->id = nset_calloc(f->n_rows, sizeof *f->id);
    f->row = nset_calloc(PIECE * NSET_PHY_COMPONENTS * f->n_near, sizeof *f->row);
    f->fit = nset_calloc(PIECE * f->n_like, sizeof *f->fit);
    if (!f->contact || !f->like || !f->component || !f->like_template || !f->id || !f->row || !f->fit)
        return nset_fail_oom(err, like * s->template_length * f->n_near, sizeof *f->like_template);
    for (size_t g = 0; g < n_segments; g++)
        for (size_t i = first_of(f, segments[g]); i < end_of(f, segments[g]); i++)
            f->id[row++] = (int64_t)i;
    nset_phy_near_contacts(f->contact, f->n_near, s, probe);
    if ((status = nset_phy_like_units(f->like, f->n_like, s, err)) != NSET_OK ||
        (status = nset_phy_components(f->component, s, f->contact, f->n_near, err)) != NSET_OK)
        return status;
    for (size_t u = 0; u < s->n_units && f->n_like > 1; u++)
        take_like(f, u);
    return NSET_OK;
}

/* ---- rows ---- */

NSET_WIDE static float dot(const float *a, const float *b, size_t n)
{
    enum { LANES = 8 };
    float lane[LANES] = { 0 }, sum = 0;
    size_t i = 0;

    for (; i + LANES <= n; i += LANES)
        for (size_t l = 0; l < LANES; l++)
            lane[l] += a[i + l] * b[i + l];
    for (; i < n; i++)
        sum += a[i] * b[i];
    for (size_t l = 0; l < LANES; l++)
        sum += lane[l];
    return sum;
}

/* Rows first .. last - 1 of the piece. */
static void make_rows(void *ctx, size_t first, size_t last, size_t chunk)
{
    features *f = ctx;
    const nset_sorting *s = f->s;
    size_t length = s->template_length, size = length * f->n_near;
    float *snippet = nset_calloc(size, sizeof *snippet); /* (n_near, template_length) */

    (void)chunk;
    if (!snippet)
        f->failed = true;
    for (size_t i = first; i < last && snippet; i++) {
        const nset_spike *spike = &s->spikes[f->first + i];
        size_t u = (size_t)spike->unit;
        float *row = f->row + i * NSET_PHY_COMPONENTS * f->n_near;
        for (size_t c = 0; c < f->n_near; c++) {
            float *x = snippet + c * length;
            nset_whitened_take(
                f->w, x, f->contact[u * f->n_near + c], spike->sample - (int64_t)s->template_pre, length);
            for (size_t p = 0; p < NSET_PHY_COMPONENTS; p++)
                row[p * f->n_near + c] = dot(x, f->component + p * length, length);
        }
        for (size_t m = 0; m < f->n_like && f->n_like > 1; m++)
            f->fit[i * f->n_like + m] = dot(snippet, f->like_template + (u * f->n_like + m) * size, size);
    }
    nset_free(snippet);
}

static nset_status write_segment(features *f, int64_t segment, nset_error *err)
{
    const nset_sorting *s = f->s;
    int64_t start = segment * NSET_HOP - (int64_t)s->template_pre;
    size_t end = end_of(f, segment), n;
    nset_status status;

    if (first_of(f, segment) == end)
        return NSET_OK;
    if ((status = nset_whitened_hold(f->w, start, NSET_HOP + s->template_length, err)) != NSET_OK)
        return status;
    for (f->first = first_of(f, segment); f->first < end; f->first += n) {
        n = end - f->first < PIECE ? end - f->first : PIECE;
        nset_parallel_for(f->workers, n, 64, make_rows, f);
        if (f->failed)
            return nset_fail_oom(err, s->template_length * f->n_near, sizeof(float));
        fwrite(f->row, sizeof *f->row, n * NSET_PHY_COMPONENTS * f->n_near, nset_atomic_stream(f->pc_file));
        if (f->fit_file)
            fwrite(f->fit, sizeof *f->fit, n * f->n_like, nset_atomic_stream(f->fit_file));
    }
    return NSET_OK;
}

/* ---- files ---- */

static nset_status open_rows(
    nset_atomic_file **out, nset_run_folder *folder, const char *name, const nset_array *shape, nset_error *err)
{
    const char *path = nset_run_folder_path(folder, name, err);
    char header[512];
    nset_status status;

    if (!path)
        return NSET_ERR_IO;
    if ((status = nset_atomic_open(out, path, err)) == NSET_OK)
        fwrite(header, 1, nset_npy_header(header, sizeof header, shape), nset_atomic_stream(*out));
    return status;
}

static nset_status write_whole(nset_run_folder *folder, const char *name, const nset_array *a, nset_error *err)
{
    const char *path = nset_run_folder_path(folder, name, err);

    return path ? nset_npy_write(path, a, err) : NSET_ERR_IO;
}

/* ind (n_templates, n), a second row for the empty template that a single unit gets. */
static nset_status write_ind(
    const features *f, nset_run_folder *folder, const char *name, const uint32_t *rows, size_t n, nset_error *err)
{
    size_t n_units = f->s->n_units, k = n_units == 1 ? 2 : n_units;
    uint32_t *ind = nset_calloc(k * n, sizeof *ind);
    nset_array a = { NULL, "<u4", 2, { k, n }, ind };
    nset_status status;

    if (!ind)
        return nset_fail_oom(err, k * n, sizeof *ind);
    for (size_t i = 0; i < k * n; i++)
        ind[i] = rows[i % (n_units * n)];
    status = write_whole(folder, name, &a, err);
    nset_free(ind);
    return status;
}

static nset_status write_ids(const features *f, nset_run_folder *folder, nset_error *err)
{
    const nset_array ids = { NULL, "<i8", 1, { f->n_rows }, f->id };
    nset_status status;

    if (f->n_rows == f->s->n_spikes)
        return NSET_OK;
    status = write_whole(folder, "phy/pc_feature_spike_ids.npy", &ids, err);
    return status == NSET_OK && f->n_like > 1 ? write_whole(folder, "phy/template_feature_spike_ids.npy", &ids, err)
                                              : status;
}

static nset_status write_all(
    features *f, const int64_t *segments, size_t n_segments, nset_run_folder *folder, nset_error *err)
{
    const nset_array pc = { NULL, "<f4", 3, { f->n_rows, NSET_PHY_COMPONENTS, f->n_near }, NULL };
    const nset_array fit = { NULL, "<f4", 2, { f->n_rows, f->n_like }, NULL };
    bool several = f->n_like > 1;
    nset_atomic_file *file;
    nset_status status = open_rows(&f->pc_file, folder, "phy/pc_features.npy", &pc, err);

    if (status == NSET_OK && several)
        status = open_rows(&f->fit_file, folder, "phy/template_features.npy", &fit, err);
    for (size_t g = 0; g < n_segments && status == NSET_OK; g++) {
        status = nset_cancelled() ? nset_fail_cancelled(err) : write_segment(f, segments[g], err);
        nset_progress_at((double)(g + 1));
    }
    if (status != NSET_OK)
        return status;
    file = f->pc_file;
    f->pc_file = NULL;
    status = nset_atomic_commit(file, err);
    if (status == NSET_OK && several) {
        file = f->fit_file;
        f->fit_file = NULL;
        status = nset_atomic_commit(file, err);
    }
    if (status == NSET_OK)
        status = write_ind(f, folder, "phy/pc_feature_ind.npy", f->contact, f->n_near, err);
    if (status == NSET_OK && several)
        status = write_ind(f, folder, "phy/template_feature_ind.npy", f->like, f->n_like, err);
    return status == NSET_OK ? write_ids(f, folder, err) : status;
}

nset_status nset_phy_features_write(const nset_sorting *s, const nset_probe *probe, nset_whitened *w,
    const int64_t *segments, size_t n_segments, nset_run_folder *folder, nset_workers *workers, nset_error *err)
{
    features f = { .s = s, .w = w, .workers = workers };
    nset_status status;

    f.n_near = s->n_channels < NSET_PHY_CONTACTS ? s->n_channels : NSET_PHY_CONTACTS;
    f.n_like = s->n_units < NSET_PHY_TEMPLATES ? s->n_units : NSET_PHY_TEMPLATES;
    if (s->n_units == 0 || s->template_length < NSET_PHY_COMPONENTS)
        return NSET_OK;
    nset_progress_begin("features", (double)n_segments, "segments");
    status = prepare(&f, probe, segments, n_segments, err);
    if (status == NSET_OK && f.n_rows >= 2)
        status = write_all(&f, segments, n_segments, folder, err);
    nset_progress_end();
    release(&f);
    return status;
}
