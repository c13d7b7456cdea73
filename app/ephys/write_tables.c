/* units.csv and spikes.npz. */
#include "ephys/write.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include <neuroset/file.h>
#include <neuroset/memory.h>

#include "ephys/unit_columns.h"
#include "results/npz.h"

static const char *const labels[] = {
    [NSET_LABEL_GOOD] = "good", [NSET_LABEL_MUA] = "mua", [NSET_LABEL_NOISE] = "noise"
};

static void write_text(FILE *f, const char *text)
{
    if (!strpbrk(text, ",\"\n\r")) {
        fputs(text, f);
        return;
    }
    fputc('"', f);
    for (; *text; text++) {
        if (*text == '"')
            fputc('"', f);
        fputc(*text, f);
    }
    fputc('"', f);
}

static void write_unit(FILE *f, const nset_unit *u)
{
    fprintf(f, "%d,%zu,%.6g,%.6g,%.6g,%zu", u->id, u->channel, u->x_um, u->y_um, u->y_um, u->n_spikes);
    for (size_t i = 0; i < nset_n_unit_columns; i++) { /* between n_spikes and label */
        double v = nset_unit_value(u, &nset_unit_columns[i]);
        if (isfinite(v))
            fprintf(f, ",%.6g", v);
        else
            fputc(',', f);
    }
    fprintf(f, ",%s,", labels[u->label]);
    write_text(f, u->reason);
    fputc('\n', f);
}

static nset_status write_units(const nset_sorting *s, nset_run_folder *folder, nset_error *err)
{
    const char *path = nset_run_folder_path(folder, "units.csv", err);
    nset_atomic_file *file = NULL;
    nset_status status;
    FILE *f;

    if (!path)
        return NSET_ERR_IO;
    if ((status = nset_atomic_open(&file, path, err)) != NSET_OK)
        return status;
    f = nset_atomic_stream(file);
    fputs("id,channel,x_um,y_um,depth_um,n_spikes", f);
    for (size_t i = 0; i < nset_n_unit_columns; i++)
        fprintf(f, ",%s", nset_unit_columns[i].name);
    fputs(",label,reason\n", f);
    for (size_t i = 0; i < s->n_units; i++)
        write_unit(f, &s->units[i]);
    return nset_atomic_commit(file, err);
}

typedef struct columns {
    int64_t *unit_ids, *sample, *unit, *second;
    double *seconds;
    float *probability, *amplitude, *x, *y;
} columns;

static bool make_columns(columns *c, size_t n_units, size_t n)
{
    c->unit_ids = nset_calloc(n_units, sizeof *c->unit_ids);
    c->sample = nset_calloc(n, sizeof *c->sample);
    c->unit = nset_calloc(n, sizeof *c->unit);
    c->second = nset_calloc(n, sizeof *c->second);
    c->seconds = nset_calloc(n, sizeof *c->seconds);
    c->probability = nset_calloc(n, sizeof *c->probability);
    c->amplitude = nset_calloc(n, sizeof *c->amplitude);
    c->x = nset_calloc(n, sizeof *c->x);
    c->y = nset_calloc(n, sizeof *c->y);
    return c->unit_ids && c->sample && c->unit && c->second && c->seconds && c->probability && c->amplitude && c->x &&
           c->y;
}

static void free_columns(columns *c)
{
    nset_free(c->unit_ids);
    nset_free(c->sample);
    nset_free(c->unit);
    nset_free(c->second);
    nset_free(c->seconds);
    nset_free(c->probability);
    nset_free(c->amplitude);
    nset_free(c->x);
    nset_free(c->y);
}

static void fill_columns(columns *c, const nset_sorting *s, const nset_recording *r)
{
    double missing = 0;
    size_t gap = 0;

    for (size_t i = 0; i < s->n_units; i++)
        c->unit_ids[i] = s->units[i].id;
    for (size_t i = 0; i < s->n_spikes; i++) {
        const nset_spike *k = &s->spikes[i];
        c->sample[i] = k->sample;
        while (gap < r->n_gaps && r->gap[gap].sample <= k->sample)
            missing += r->gap[gap++].seconds;
        c->seconds[i] = r->start_s + (double)k->sample / s->rate_hz + missing;
        c->unit[i] = k->unit;
        c->second[i] = k->second;
        c->probability[i] = k->probability;
        c->amplitude[i] = k->amplitude_uv;
        c->x[i] = k->x_um;
        c->y[i] = k->y_um;
    }
}

static nset_status write_spikes(
    const nset_sorting *s, const nset_recording *r, nset_run_folder *folder, nset_error *err)
{
    const char *path = nset_run_folder_path(folder, "spikes.npz", err);
    const int64_t one = 1;
    columns c = { 0 };
    nset_status status;

    if (!path)
        return NSET_ERR_IO;
    if (!make_columns(&c, s->n_units, s->n_spikes)) {
        status = nset_fail_oom(err, s->n_spikes, sizeof(nset_spike));
    } else {
        const nset_array arrays[] = {
            { "unit_ids", "<i8", 1, { s->n_units }, c.unit_ids },
            { "num_segment", "<i8", 1, { 1 }, &one },
            { "sampling_frequency", "<f8", 1, { 1 }, &s->rate_hz },
            { "spike_indexes_seg0", "<i8", 1, { s->n_spikes }, c.sample },
            { "spike_labels_seg0", "<i8", 1, { s->n_spikes }, c.unit },
            { "spike_times_s", "<f8", 1, { s->n_spikes }, c.seconds },
            { "probability", "<f4", 1, { s->n_spikes }, c.probability },
            { "second_unit", "<i8", 1, { s->n_spikes }, c.second },
            { "amplitude_uv", "<f4", 1, { s->n_spikes }, c.amplitude },
            { "x_um", "<f4", 1, { s->n_spikes }, c.x },
            { "y_um", "<f4", 1, { s->n_spikes }, c.y },
        };
        fill_columns(&c, s, r);
        status = nset_npz_write(path, arrays, sizeof arrays / sizeof *arrays, err);
    }
    free_columns(&c);
    return status;
}

nset_status nset_write_tables(const nset_sorting *s, const nset_recording *r, nset_run_folder *folder, nset_error *err)
{
    nset_status status = write_units(s, folder, err);

    return status == NSET_OK ? write_spikes(s, r, folder, err) : status;
}

nset_status nset_sorting_write(const nset_sorting *s, const nset_recording *r, nset_run_folder *folder, nset_error *err)
{
    nset_status status = nset_write_tables(s, r, folder, err);

    return status == NSET_OK ? nset_write_phy(s, r, folder, err) : status;
}
