/* traces.npz, traces.csv, shifts.csv. */
#include "imaging/write.h"

#include <math.h>
#include <stdio.h>

#include <neuroset/file.h>
#include <neuroset/memory.h>

#include "results/npz.h"

static nset_status write_npz(const nset_traces *t, const nset_masks *masks, nset_run_folder *folder, nset_error *err)
{
    const char *path = nset_run_folder_path(folder, "traces.npz", err);
    size_t n = t->n_rois, m = t->n_frames;
    int32_t *id, *flags;
    nset_status status;

    if (!path)
        return NSET_ERR_IO;
    id = nset_calloc(n, sizeof *id);
    flags = nset_calloc(n, sizeof *flags);
    if (id && flags) {
        nset_array arrays[] = {
            { "id", "<i4", 1, { n }, id },
            { "raw", "<f4", 2, { n, m }, t->raw },
            { "neuropil", "<f4", 2, { n, m }, t->neuropil },
            { "corrected", "<f4", 2, { n, m }, t->corrected },
            { "dff", "<f4", 2, { n, m }, t->dff },
            { "fit", "<f4", 2, { n, m }, t->fit },
            { "events", "<f4", 2, { n, m }, t->events },
            { "share", "<f4", 1, { n }, t->share },
            { "noise", "<f4", 1, { n }, t->noise },
            { "decay_s", "<f4", 1, { n }, t->decay_s },
            { "flags", "<i4", 1, { n }, flags },
            { "rate_hz", "<f8", 0, { 0 }, &t->rate_hz },
        };
        for (size_t i = 0; i < n; i++) {
            id[i] = masks->roi[i].id;
            flags[i] = (int32_t)t->flags[i];
        }
        status = nset_npz_write(path, arrays, sizeof arrays / sizeof *arrays, err);
    } else {
        status = nset_fail_oom(err, n, sizeof *id);
    }
    nset_free(id);
    nset_free(flags);
    return status;
}

static nset_status write_csv(const nset_traces *t, const nset_masks *masks, nset_run_folder *folder, nset_error *err)
{
    const char *path = nset_run_folder_path(folder, "traces.csv", err);
    nset_atomic_file *file = NULL;
    nset_status status;
    FILE *f;

    if (!path)
        return NSET_ERR_IO;
    if ((status = nset_atomic_open(&file, path, err)) != NSET_OK)
        return status;
    f = nset_atomic_stream(file);
    fputs("frame,time_s", f);
    for (size_t i = 0; i < t->n_rois; i++)
        fprintf(f, ",%d", masks->roi[i].id);
    fputc('\n', f);
    for (size_t k = 0; k < t->n_frames; k++) {
        fprintf(f, "%zu,", k);
        if (t->rate_hz > 0)
            fprintf(f, "%.4f", (double)k / t->rate_hz);
        for (size_t i = 0; i < t->n_rois; i++)
            fprintf(f, ",%.5g", (double)t->dff[i * t->n_frames + k]);
        fputc('\n', f);
    }
    return nset_atomic_commit(file, err);
}

nset_status nset_traces_write(
    const nset_traces *traces, const nset_masks *masks, nset_run_folder *folder, nset_error *err)
{
    nset_status status = write_npz(traces, masks, folder, err);

    return status == NSET_OK ? write_csv(traces, masks, folder, err) : status;
}

nset_status nset_shifts_write(const nset_motion *motion, nset_run_folder *folder, nset_error *err)
{
    const char *path = nset_run_folder_path(folder, "shifts.csv", err);
    nset_atomic_file *file = NULL;
    nset_status status;

    if (!path)
        return NSET_ERR_IO;
    if ((status = nset_atomic_open(&file, path, err)) != NSET_OK)
        return status;
    fputs("frame,rows,columns,kept\n", nset_atomic_stream(file));
    for (size_t t = 0; t < motion->n_frames; t++)
        fprintf(nset_atomic_stream(file), "%zu,%.3f,%.3f,%d\n", t, motion->shift[t][0], motion->shift[t][1],
            motion->left_out[t] == NSET_LEFT_NOT);
    return nset_atomic_commit(file, err);
}
