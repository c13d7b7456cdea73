/* A Phy folder (template-gui). What each file must be was found by what phylib's loader asserts. */
#include "ephys/write.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <neuroset/file.h>
#include <neuroset/memory.h>

#include "results/npz.h"

static nset_status write_array(nset_run_folder *folder, const char *name, const nset_array *a, nset_error *err)
{
    char path[64];
    const char *full;

    snprintf(path, sizeof path, "phy/%s", name);
    full = nset_run_folder_path(folder, path, err);
    return full ? nset_npy_write(full, a, err) : NSET_ERR_IO;
}

/* ---- params.py ---- */

/* It is run as Python by its readers: nothing of a path may end the string. */
static void write_python_string(FILE *f, const char *text)
{
    fputc('\'', f);
    for (; *text; text++) {
        if (*text == '\'' || *text == '\\')
            fputc('\\', f);
        if (*text == '\n' || *text == '\r')
            fprintf(f, "\\%c", *text == '\n' ? 'n' : 'r');
        else
            fputc(*text, f);
    }
    fputc('\'', f);
}

static const char *numpy_type(const nset_recording *r)
{
    static const char *const types[][3] = { { "int16", "int16", ">i2" }, { "uint16", "uint16", ">u2" },
        { "int32", "int32", ">i4" }, { "uint32", "uint32", ">u4" }, { "float32", "float32", ">f4" },
        { "float64", "float64", ">f8" }, { "int8", "int8", "int8" } };

    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (!strcmp(r->dtype, types[i][0]))
            return types[i][r->big_endian ? 2 : 1];
    return "uint8";
}

/* The files of dat_path: one, or a list of them that Phy reads as one; '' where Phy could not read the samples. */
static void write_data_paths(FILE *f, const nset_recording *r)
{
    bool whole = r->n_pieces > 0;

    for (size_t i = 0; i < r->n_pieces; i++)
        whole = whole && r->piece[i].offset == r->piece[0].offset && r->piece[i].to_end &&
                (i == 0 || strcmp(r->piece[i].path, r->piece[i - 1].path) != 0);
    if (!whole) {
        write_python_string(f, "");
        return;
    }
    if (r->n_pieces > 1)
        fputc('[', f);
    for (size_t i = 0; i < r->n_pieces; i++) {
        char *data = realpath(r->piece[i].path, NULL); /* the folder may be moved */
        if (i)
            fputs(", ", f);
        write_python_string(f, data ? data : r->piece[i].path);
        free(data);
    }
    if (r->n_pieces > 1)
        fputc(']', f);
}

static nset_status write_params(const nset_recording *r, nset_run_folder *folder, nset_error *err)
{
    const char *path = nset_run_folder_path(folder, "phy/params.py", err);
    nset_atomic_file *file = NULL;
    nset_status status;
    FILE *f;

    if (!path || (status = nset_atomic_open(&file, path, err)) != NSET_OK)
        return path ? status : NSET_ERR_IO;
    f = nset_atomic_stream(file);
    fputs("dat_path = ", f);
    write_data_paths(f, r);
    fprintf(f, "\nn_channels_dat = %zu\ndtype = '%s'\noffset = %lld\nsample_rate = %.17g\nhp_filtered = False\n",
        r->n_file_channels, numpy_type(r), (long long)(r->n_pieces ? r->piece[0].offset : 0), r->source->rate_hz);
    return nset_atomic_commit(file, err);
}

/* ---- spikes ---- */

static nset_status write_spikes(const nset_sorting *s, nset_run_folder *folder, nset_error *err)
{
    size_t n = s->n_spikes;
    int64_t *sample = nset_calloc(n, sizeof *sample);
    int32_t *unit = nset_calloc(n, sizeof *unit);
    double *amplitude = nset_calloc(n, sizeof *amplitude);
    float *place = nset_calloc(n, 2 * sizeof *place), *probability = nset_calloc(n, sizeof *probability);
    nset_status status = NSET_OK;

    if (!sample || !unit || !amplitude || !place || !probability)
        status = nset_fail_oom(err, n, sizeof *sample);
    for (size_t i = 0; i < n && status == NSET_OK; i++) {
        const nset_spike *k = &s->spikes[i];
        sample[i] = k->sample;
        unit[i] = k->unit;
        amplitude[i] = isfinite(k->amplitude_uv) ? (double)k->amplitude_uv : 0; /* NaN breaks the colour scales */
        place[2 * i] = isfinite(k->x_um) ? k->x_um : 0;
        place[2 * i + 1] = isfinite(k->y_um) ? k->y_um : 0;
        probability[i] = isfinite(k->probability) ? k->probability : 0;
    }
    const struct {
        const char *name;
        nset_array array;
    } files[] = {
        { "spike_times.npy", { NULL, "<i8", 1, { n }, sample } },
        { "spike_templates.npy", { NULL, "<i4", 1, { n }, unit } },
        { "spike_clusters.npy", { NULL, "<i4", 1, { n }, unit } },
        { "amplitudes.npy", { NULL, "<f8", 1, { n }, amplitude } },
        { "spike_positions.npy", { NULL, "<f4", 2, { n, 2 }, place } },
        { "spike_probability.npy", { NULL, "<f4", 1, { n }, probability } },
    };
    for (size_t i = 0; i < sizeof files / sizeof *files && status == NSET_OK; i++)
        status = write_array(folder, files[i].name, &files[i].array, err);
    nset_free(sample);
    nset_free(unit);
    nset_free(amplitude);
    nset_free(place);
    nset_free(probability);
    return status;
}

/* ---- templates ---- */

static float cosine(const float *a, const float *b, size_t n)
{
    double ab = 0, aa = 0, bb = 0;

    for (size_t i = 0; i < n; i++) {
        ab += (double)a[i] * (double)b[i];
        aa += (double)a[i] * (double)a[i];
        bb += (double)b[i] * (double)b[i];
    }
    return aa > 0 && bb > 0 ? (float)(ab / sqrt(aa * bb)) : 0;
}

static nset_status write_templates(const nset_sorting *s, nset_run_folder *folder, nset_error *err)
{
    size_t n = s->template_length * s->n_channels, k = s->n_units == 1 ? 2 : s->n_units;
    float *templates = nset_calloc(k * n, sizeof *templates), *similar = nset_calloc(k * k, sizeof *similar);
    int32_t *shown = nset_calloc(k * s->n_channels, sizeof *shown);
    nset_status status;

    if (!templates || !similar || !shown) {
        status = nset_fail_oom(err, k * n, sizeof *templates);
    } else {
        const float *compare = s->templates_whitened ? s->templates_whitened : s->templates;
        const nset_array t = { NULL, "<f4", 3, { k, s->template_length, s->n_channels }, templates };
        const nset_array m = { NULL, "<f4", 2, { k, k }, similar };
        const nset_array ind = { NULL, "<i4", 2, { k, s->n_channels }, shown };
        if (s->n_units > 0)
            memcpy(templates, s->templates, s->n_units * n * sizeof *templates);
        for (size_t i = 0; i < s->n_units; i++)
            for (size_t j = 0; j <= i; j++)
                similar[i * k + j] = similar[j * k + i] = cosine(compare + i * n, compare + j * n, n);
        for (size_t i = 0; i < k * s->n_channels; i++)
            shown[i] = (int32_t)(i % s->n_channels);
        if ((status = write_array(folder, "templates.npy", &t, err)) == NSET_OK &&
            (status = write_array(folder, "similar_templates.npy", &m, err)) == NSET_OK)
            status = write_array(folder, "templates_ind.npy", &ind, err);
    }
    nset_free(templates);
    nset_free(similar);
    nset_free(shown);
    return status;
}

/* ---- channels ---- */

static nset_status write_channels(const nset_recording *r, nset_run_folder *folder, nset_error *err)
{
    size_t n = r->probe.n_channels;
    int32_t *map = nset_calloc(n, sizeof *map), *shank = nset_calloc(n, sizeof *shank);
    double *place = nset_calloc(n, 2 * sizeof *place), *identity = nset_calloc(n * n, sizeof *identity);
    nset_status status = NSET_OK;

    if (!map || !shank || !place || !identity)
        status = nset_fail_oom(err, n * n, sizeof *identity);
    for (size_t i = 0; i < n && status == NSET_OK; i++) {
        map[i] = (int32_t)r->file_channel[i];
        shank[i] = r->probe.shank[i];
        place[2 * i] = r->probe.x_um[i];
        place[2 * i + 1] = r->probe.y_um[i];
        identity[i * n + i] = 1;
    }
    const struct {
        const char *name;
        nset_array array;
    } files[] = {
        { "channel_map.npy", { NULL, "<i4", 1, { n }, map } },
        { "channel_shanks.npy", { NULL, "<i4", 1, { n }, shank } },
        { "channel_positions.npy", { NULL, "<f8", 2, { n, 2 }, place } },
        { "whitening_mat.npy", { NULL, "<f8", 2, { n, n }, identity } },
        { "whitening_mat_inv.npy", { NULL, "<f8", 2, { n, n }, identity } },
    };
    for (size_t i = 0; i < sizeof files / sizeof *files && status == NSET_OK; i++)
        status = write_array(folder, files[i].name, &files[i].array, err);
    nset_free(map);
    nset_free(shank);
    nset_free(place);
    nset_free(identity);
    return status;
}

/* ---- a file a column of Phy's cluster table ---- */

static bool put_group(FILE *f, const nset_unit *u)
{
    return fputs(u->label == NSET_LABEL_GOOD ? "good" : u->label == NSET_LABEL_MUA ? "mua" : "noise", f) >= 0;
}

static bool put_number(FILE *f, double v)
{
    return isfinite(v) && fprintf(f, "%.6g", v) > 0;
}

static bool put_amplitude(FILE *f, const nset_unit *u)
{
    return put_number(f, u->amplitude_uv);
}

static bool put_contamination(FILE *f, const nset_unit *u)
{
    return put_number(f, 100 * u->rp_contamination);
}

static bool put_snr(FILE *f, const nset_unit *u)
{
    return put_number(f, u->snr);
}

static bool put_isolation(FILE *f, const nset_unit *u)
{
    return put_number(f, u->isolation);
}

static bool put_presence(FILE *f, const nset_unit *u)
{
    return put_number(f, u->presence);
}

static bool put_reason(FILE *f, const nset_unit *u)
{
    for (const char *p = u->reason; *p; p++)
        fputc(*p == '\t' || *p == '\n' || *p == '\r' ? ' ' : *p, f);
    return u->reason[0] != 0;
}

/* put writes nothing and returns false where the value is not defined. */
static const struct cluster_column {
    const char *field;
    bool (*put)(FILE *f, const nset_unit *u);
} cluster_columns[] = {
    { "group", put_group },
    { "KSLabel", put_group },
    { "Amplitude", put_amplitude },
    { "ContamPct", put_contamination },
    { "snr", put_snr },
    { "isolation", put_isolation },
    { "presence", put_presence },
    { "reason", put_reason },
};

static nset_status write_column(
    const nset_sorting *s, const struct cluster_column *c, nset_run_folder *folder, nset_error *err)
{
    char name[64];
    const char *path;
    nset_atomic_file *file = NULL;
    nset_status status;
    FILE *f;

    snprintf(name, sizeof name, "phy/cluster_%s.tsv", c->field);
    if (!(path = nset_run_folder_path(folder, name, err)))
        return NSET_ERR_IO;
    if ((status = nset_atomic_open(&file, path, err)) != NSET_OK)
        return status;
    f = nset_atomic_stream(file);
    fprintf(f, "cluster_id\t%s\n", c->field);
    for (size_t i = 0; i < s->n_units; i++) {
        fprintf(f, "%d\t", s->units[i].id);
        c->put(f, &s->units[i]);
        fputc('\n', f);
    }
    return nset_atomic_commit(file, err);
}

nset_status nset_write_phy(const nset_sorting *s, const nset_recording *r, nset_run_folder *folder, nset_error *err)
{
    nset_status status;

    if ((status = write_params(r, folder, err)) != NSET_OK || (status = write_spikes(s, folder, err)) != NSET_OK ||
        (status = write_templates(s, folder, err)) != NSET_OK || (status = write_channels(r, folder, err)) != NSET_OK)
        return status;
    for (size_t i = 0; i < sizeof cluster_columns / sizeof *cluster_columns && status == NSET_OK; i++)
        status = write_column(s, &cluster_columns[i], folder, err);
    if (s->n_spikes < 2)
        nset_run_folder_warn(
            folder, "%zu spikes: Phy cannot open a result of fewer than two; its files are there", s->n_spikes);
    return status;
}
