/* Spike trains from result folders, Phy folders and npz files. */
#include "ephys/compare.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <neuroset/memory.h>

#include "results/npz.h"

enum { PATH = 4096 };

void nset_trains_free(nset_trains *t)
{
    if (!t)
        return;
    nset_free(t->sample);
    nset_free(t->unit);
    nset_free(t->ids);
    nset_free(t->n_spikes);
    nset_free(t->snr);
    nset_free(t->y_um);
    nset_free(t->good);
    nset_free(t);
}

static int by_id(const void *a, const void *b)
{
    int64_t p = *(const int64_t *)a, q = *(const int64_t *)b;

    return (p > q) - (p < q);
}

typedef struct spike {
    int64_t sample;
    size_t unit;
} spike;

static int by_sample(const void *a, const void *b)
{
    const spike *p = a, *q = b;

    if (p->sample != q->sample)
        return p->sample < q->sample ? -1 : 1;
    return (p->unit > q->unit) - (p->unit < q->unit);
}

/* ids := the sorted different ones of n labels; returns their number. */
static size_t different(int64_t *ids, const int64_t *labels, size_t n)
{
    size_t k = 0;

    if (n)
        memcpy(ids, labels, n * sizeof *ids);
    qsort(ids, n, sizeof *ids, by_id);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || ids[i] != ids[k - 1])
            ids[k++] = ids[i];
    return k;
}

static nset_status allocate(nset_trains *t, size_t n, size_t n_ids, nset_error *err)
{
    t->n = n;
    t->sample = nset_calloc(n, sizeof *t->sample);
    t->unit = nset_calloc(n, sizeof *t->unit);
    t->ids = nset_calloc(n_ids, sizeof *t->ids);
    if (!t->sample || !t->unit || !t->ids)
        return nset_fail_oom(err, n, sizeof *t->sample);
    return NSET_OK;
}

/* n spikes, and the ids of the units (NULL: those that the labels name). */
static nset_status fill(nset_trains *t, const char *path, const int64_t *sample, const int64_t *label, size_t n,
    const int64_t *ids, size_t n_ids, nset_error *err)
{
    static const int64_t limit = INT64_C(1) << 53;
    spike *spikes = nset_calloc(n, sizeof *spikes);
    nset_status status = allocate(t, n, ids ? n_ids : n, err);

    if (!spikes)
        status = nset_fail_oom(err, n, sizeof *spikes);
    if (status == NSET_OK)
        t->n_units = ids ? different(t->ids, ids, n_ids) : different(t->ids, label, n);
    for (size_t i = 0; i < n && status == NSET_OK; i++) {
        int64_t *id = bsearch(&label[i], t->ids, t->n_units, sizeof *t->ids, by_id);
        if (!id)
            status = nset_fail(err, NSET_ERR_FORMAT, "%s: spike %zu is of unit %lld, which unit_ids does not name",
                path, i, (long long)label[i]);
        else if (sample[i] < -limit || sample[i] > limit)
            status = nset_fail(err, NSET_ERR_FORMAT, "%s: spike %zu: its sample is no index", path, i);
        else
            spikes[i] = (spike){ sample[i], (size_t)(id - t->ids) };
    }
    if (status == NSET_OK) {
        qsort(spikes, n, sizeof *spikes, by_sample);
        for (size_t i = 0; i < n; i++) {
            t->sample[i] = spikes[i].sample;
            t->unit[i] = spikes[i].unit;
        }
    }
    nset_free(spikes);
    return status;
}

static nset_status count_units(nset_trains *t, nset_error *err)
{
    t->n_spikes = nset_calloc(t->n_units, sizeof *t->n_spikes);
    t->snr = nset_calloc(t->n_units, sizeof *t->snr);
    t->y_um = nset_calloc(t->n_units, sizeof *t->y_um);
    t->good = nset_calloc(t->n_units, sizeof *t->good);
    if (!t->n_spikes || !t->snr || !t->y_um || !t->good)
        return nset_fail_oom(err, t->n_units, sizeof *t->snr);
    for (size_t i = 0; i < t->n; i++)
        t->n_spikes[t->unit[i]]++;
    for (size_t i = 0; i < t->n_units; i++) {
        t->snr[i] = NAN;
        t->y_um[i] = NAN;
        t->good[i] = true;
    }
    return NSET_OK;
}

static nset_status read_npz(nset_trains *t, const char *path, nset_error *err)
{
    nset_npz *z = NULL;
    nset_status status = nset_npz_open(&z, path, err);
    const int64_t *sample, *label, *ids;
    const double *rate, *snr, *place;
    size_t n = 0, n_labels = 0, n_ids = 0, k = 0, n_snr = 0;

    if (status != NSET_OK)
        return status;
    if ((sample = nset_npz_i64(z, "spike_indexes_seg0", &n)))
        label = nset_npz_i64(z, "spike_labels_seg0", &n_labels);
    else if ((sample = nset_npz_i64(z, "samples", &n)))
        label = nset_npz_i64(z, "labels", &n_labels);
    else
        label = NULL;
    ids = nset_npz_i64(z, "unit_ids", &n_ids);
    if (!(rate = nset_npz_f64(z, "sampling_frequency", &k)))
        rate = nset_npz_f64(z, "rate", &k);
    t->rate_hz = rate && k > 0 ? rate[0] : 0;
    if (!sample || !label)
        status = nset_fail(err, NSET_ERR_FORMAT,
            "%s: spike_indexes_seg0 and spike_labels_seg0 (whole numbers) are expected, or samples and labels", path);
    else if (n != n_labels)
        status = nset_fail(err, NSET_ERR_FORMAT, "%s: %zu spikes have %zu labels", path, n, n_labels);
    else if ((status = fill(t, path, sample, label, n, ids, n_ids, err)) == NSET_OK)
        status = count_units(t, err);
    if (status == NSET_OK && (snr = nset_npz_f64(z, "snr", &n_snr)) && n_snr == t->n_units)
        memcpy(t->snr, snr, n_snr * sizeof *snr);
    if (status == NSET_OK && (place = nset_npz_f64(z, "unit_positions", &n_snr)) && n_snr == 2 * t->n_units)
        for (size_t i = 0; i < t->n_units; i++)
            t->y_um[i] = place[2 * i + 1];
    nset_npz_close(z);
    return status;
}

/* sample_rate of a Phy folder's params.py, which is read as text and never run. */
static double params_rate(const char *folder)
{
    char path[PATH], line[512];
    double rate = 0;
    FILE *f;

    snprintf(path, sizeof path, "%s/params.py", folder);
    if (!(f = fopen(path, "r")))
        return 0;
    while (fgets(line, sizeof line, f))
        if (sscanf(line, " sample_rate = %lf", &rate) == 1)
            break;
    fclose(f);
    return rate;
}

static nset_status read_phy(nset_trains *t, const char *folder, nset_error *err)
{
    char times[PATH], labels[PATH];
    nset_npz *a = NULL, *b = NULL;
    const int64_t *sample = NULL, *label = NULL;
    size_t n = 0, n_labels = 0;
    nset_status status;

    snprintf(times, sizeof times, "%s/spike_times.npy", folder);
    snprintf(labels, sizeof labels, "%s/spike_clusters.npy", folder);
    if (access(labels, R_OK))
        snprintf(labels, sizeof labels, "%s/spike_templates.npy", folder);
    if ((status = nset_npz_open(&a, times, err)) == NSET_OK && (status = nset_npz_open(&b, labels, err)) == NSET_OK) {
        sample = nset_npz_i64(a, "", &n);
        label = nset_npz_i64(b, "", &n_labels);
        if (!sample || !label || n != n_labels)
            status = nset_fail(err, NSET_ERR_FORMAT, "%s: %zu spikes have %zu labels", folder, n, n_labels);
        else if ((status = fill(t, folder, sample, label, n, NULL, 0, err)) == NSET_OK)
            status = count_units(t, err);
    }
    t->rate_hz = params_rate(folder);
    nset_npz_close(a);
    nset_npz_close(b);
    return status;
}

/* The text of a row's column; NULL: there is none. */
static const char *cell(const char *row, int column)
{
    for (int k = 0; row && k < column; k++)
        row = strchr(row, ',') ? strchr(row, ',') + 1 : NULL;
    return column < 0 ? NULL : row;
}

/* The columns y_um and label of units.csv; a reason, which may hold commas and quotes, comes after them. */
static void read_units(nset_trains *t, const char *path)
{
    char line[4096];
    FILE *f = fopen(path, "r");
    int label = -1, y = -1, k = 0;

    if (!f)
        return;
    if (fgets(line, sizeof line, f))
        for (char *word = strtok(line, ",\r\n"); word; word = strtok(NULL, ",\r\n"), k++) {
            label = strcmp(word, "label") ? label : k;
            y = strcmp(word, "y_um") ? y : k;
        }
    while (label >= 0 && fgets(line, sizeof line, f)) {
        int64_t id = strtoll(line, NULL, 10), *at = bsearch(&id, t->ids, t->n_units, sizeof *t->ids, by_id);
        const char *p = cell(line, label), *q = cell(line, y);
        if (at && p)
            t->good[at - t->ids] = !strncmp(p, "good,", 5) || !strncmp(p, "good\n", 5);
        if (at && q && *q && *q != ',')
            t->y_um[at - t->ids] = strtod(q, NULL);
        t->has_labels = true;
    }
    fclose(f);
}

nset_status nset_trains_read(nset_trains **out, const char *path, nset_error *err)
{
    nset_trains *t = nset_calloc(1, sizeof *t);
    char inside[PATH];
    nset_status status;

    if (!t)
        return nset_fail_oom(err, 1, sizeof *t);
    snprintf(inside, sizeof inside, "%s/spike_times.npy", path);
    if (access(inside, R_OK) == 0) {
        status = read_phy(t, path, err);
    } else {
        snprintf(inside, sizeof inside, "%s/spikes.npz", path);
        if (access(inside, R_OK) == 0) {
            if ((status = read_npz(t, inside, err)) == NSET_OK) {
                snprintf(inside, sizeof inside, "%s/units.csv", path);
                read_units(t, inside);
            }
        } else {
            status = read_npz(t, path, err);
        }
    }
    if (status != NSET_OK) {
        nset_trains_free(t);
        return status;
    }
    *out = t;
    return NSET_OK;
}
