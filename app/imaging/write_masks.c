/* rois.json, rejected.json, rois.csv, labels.tif. */
#include "imaging/write.h"

#include <math.h>
#include <stdio.h>

#include <neuroset/file.h>
#include <neuroset/memory.h>

#include "imaging/tiff.h"

static nset_status open_text(nset_atomic_file **out, const char *name, nset_run_folder *folder, nset_error *err)
{
    const char *path = nset_run_folder_path(folder, name, err);

    return path ? nset_atomic_open(out, path, err) : NSET_ERR_IO;
}

static void write_number(FILE *f, const char *key, double v)
{
    if (isfinite(v))
        fprintf(f, ", \"%s\": %.6g", key, v);
    else
        fprintf(f, ", \"%s\": null", key);
}

static void write_roi(FILE *f, const nset_roi *r, size_t width)
{
    fprintf(f, "{\"id\": %d", r->id);
    write_number(f, "probability", r->probability);
    fprintf(f, ", \"center\": [%.3f, %.3f], \"area\": %zu", r->row, r->column, r->n_pixels);
    write_number(f, "snr", r->snr);
    write_number(f, "stability", r->stability);
    if (r->reason[0])
        fprintf(f, ", \"reason\": \"%s\"", r->reason);
    fputs(", \"coordinates\": [", f);
    for (size_t i = 0; i < r->n_pixels; i++)
        fprintf(f, "%s[%zu, %zu]", i ? ", " : "", (size_t)r->pixel[i] / width, (size_t)r->pixel[i] % width);
    fputs("], \"weights\": [", f);
    for (size_t i = 0; i < r->n_pixels; i++)
        fprintf(f, "%s%.6g", i ? ", " : "", (double)r->weight[i]);
    fputs("]}", f);
}

static nset_status write_json(const nset_masks *m, const char *name, nset_run_folder *folder, nset_error *err)
{
    nset_atomic_file *file = NULL;
    nset_status status = open_text(&file, name, folder, err);
    FILE *f;

    if (status != NSET_OK)
        return status;
    f = nset_atomic_stream(file);
    fputs("[", f);
    for (size_t i = 0; i < m->n; i++) {
        fputs(i ? ",\n" : "\n", f);
        write_roi(f, &m->roi[i], m->width);
    }
    fputs(m->n ? "\n]\n" : "]\n", f);
    return nset_atomic_commit(file, err);
}

static void write_cell(FILE *f, double v)
{
    if (isfinite(v))
        fprintf(f, ",%.6g", v);
    else
        fputc(',', f);
}

static nset_status write_csv(const nset_masks *m, nset_run_folder *folder, nset_error *err)
{
    nset_atomic_file *file = NULL;
    nset_status status = open_text(&file, "rois.csv", folder, err);
    FILE *f;

    if (status != NSET_OK)
        return status;
    f = nset_atomic_stream(file);
    fputs("id,row,column,area,probability,snr,stability\n", f);
    for (size_t i = 0; i < m->n; i++) {
        const nset_roi *r = &m->roi[i];
        fprintf(f, "%d,%.3f,%.3f,%zu", r->id, r->row, r->column, r->n_pixels);
        write_cell(f, r->probability);
        write_cell(f, r->snr);
        write_cell(f, r->stability);
        fputc('\n', f);
    }
    return nset_atomic_commit(file, err);
}

static size_t deepest(const nset_masks *m, uint16_t *count)
{
    size_t most = 1;

    for (size_t i = 0; i < m->n; i++)
        for (size_t k = 0; k < m->roi[i].n_pixels; k++) {
            size_t c = ++count[m->roi[i].pixel[k]];
            most = c > most ? c : most;
        }
    return most;
}

/* The cells come in the order of their probability, so page 0 shows the surest at each pixel. */
static nset_status write_labels(const nset_masks *m, nset_run_folder *folder, nset_error *err)
{
    const char *path = nset_run_folder_path(folder, "labels.tif", err);
    size_t n = m->height * m->width, pages;
    uint16_t *count = nset_calloc(n, sizeof *count), *label = NULL;
    nset_status status = NSET_ERR_IO;

    if (!path)
        goto done;
    if (!count) {
        status = nset_fail_oom(err, n, sizeof *count);
        goto done;
    }
    pages = deepest(m, count);
    if (!(label = nset_calloc(n * pages, sizeof *label))) {
        status = nset_fail_oom(err, n * pages, sizeof *label);
        goto done;
    }
    for (size_t i = 0; i < m->n; i++)
        for (size_t k = 0; k < m->roi[i].n_pixels; k++) {
            size_t page = 0, at = (size_t)m->roi[i].pixel[k];
            while (label[page * n + at])
                page++;
            label[page * n + at] = (uint16_t)(m->roi[i].id + 1);
        }
    status = nset_tiff_write_u16(path, label, pages, m->height, m->width, err);

done:
    nset_free(count);
    nset_free(label);
    return status;
}

nset_status nset_masks_write(
    const nset_masks *masks, const nset_masks *rejected, nset_run_folder *folder, nset_error *err)
{
    nset_status status;

    if (masks->n > 65535)
        return nset_fail(err, NSET_ERR_ARG, "%zu cells, labels.tif has room for 65535", masks->n);
    if ((status = write_json(masks, "rois.json", folder, err)) != NSET_OK ||
        (rejected && (status = write_json(rejected, "rejected.json", folder, err)) != NSET_OK) ||
        (status = write_csv(masks, folder, err)) != NSET_OK)
        return status;
    return write_labels(masks, folder, err);
}
