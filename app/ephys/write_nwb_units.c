/* /units: a row a unit. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <neuroset/memory.h>

#include "ephys/unit_columns.h"
#include "ephys/write_nwb.h"

static const char *const labels[] = {
    [NSET_LABEL_GOOD] = "good", [NSET_LABEL_MUA] = "mua", [NSET_LABEL_NOISE] = "noise"
};

/* Spikes lie in time order; here they lie by unit. */
static void put_spikes(nset_h5_writer *w, hid_t units, const nset_sorting *s, const nset_recording *r)
{
    uint64_t *end = nset_nwb_room(w, s->n_units + 1, sizeof *end);
    double *seconds = nset_nwb_room(w, s->n_spikes, sizeof *seconds);
    hsize_t n = s->n_spikes;
    hid_t d;

    if (end && seconds) {
        for (size_t i = 0; i < s->n_spikes; i++)
            end[s->spikes[i].unit + 1]++; /* counts, one place on; then starts; then, filled, ends */
        for (size_t u = 1; u <= s->n_units; u++)
            end[u] += end[u - 1];
        for (size_t i = 0; i < s->n_spikes; i++)
            seconds[end[s->spikes[i].unit]++] = nset_recording_seconds(r, s->spikes[i].sample);
    }
    d = nset_h5w_numbers(w, units, "spike_times", H5T_IEEE_F64LE, 1, &n, seconds);
    nset_h5w_attr_float(w, d, "resolution", 1 / s->rate_hz, false);
    nset_nwb_column(w, d, "times of the unit's spikes in seconds");
    nset_nwb_index(w, units, "/units", "spike_times", end, s->n_units);
    nset_free(seconds);
    nset_free(end);
}

/* The stretches between gaps, the same for all units. */
static void put_intervals(nset_h5_writer *w, hid_t units, const nset_sorting *s, const nset_recording *r)
{
    size_t m = r->n_gaps + 1;
    double(*x)[2] = nset_nwb_room(w, s->n_units * m, sizeof *x);
    uint64_t *end = nset_nwb_room(w, s->n_units, sizeof *end);
    hsize_t dims[2] = { s->n_units * m, 2 };

    for (size_t u = 0; u < s->n_units && x && end; u++) {
        for (size_t g = 0; g < m; g++) {
            int64_t first = g ? r->gap[g - 1].sample : 0, last = (g < r->n_gaps ? r->gap[g].sample : s->n_samples) - 1;
            x[u * m + g][0] = nset_recording_seconds(r, first);
            x[u * m + g][1] = nset_recording_seconds(r, last) + 1 / s->rate_hz;
        }
        end[u] = (u + 1) * m;
    }
    nset_nwb_column(w, nset_h5w_numbers(w, units, "obs_intervals", H5T_IEEE_F64LE, 2, dims, x),
        "start and end, in seconds, of the stretches that were recorded");
    nset_nwb_index(w, units, "/units", "obs_intervals", end, s->n_units);
    nset_free(x);
    nset_free(end);
}

/* All electrodes for every unit: the last axis of waveform_mean. */
static void put_electrodes(nset_h5_writer *w, hid_t units, const nset_sorting *s)
{
    int32_t *row = nset_nwb_room(w, s->n_units * s->n_channels, sizeof *row);
    uint64_t *end = nset_nwb_room(w, s->n_units, sizeof *end);
    hsize_t n = s->n_units * s->n_channels;
    hid_t d;

    for (size_t i = 0; i < n && row; i++)
        row[i] = (int32_t)(i % s->n_channels);
    for (size_t u = 0; u < s->n_units && end; u++)
        end[u] = (u + 1) * s->n_channels;
    d = nset_h5w_numbers(w, units, "electrodes", H5T_STD_I32LE, 1, &n, row);
    nset_h5w_type(w, d, "hdmf-common", "DynamicTableRegion");
    nset_h5w_attr_text(w, d, "description", "the electrodes of waveform_mean: all of them");
    nset_h5w_attr_reference(w, d, "table", "/general/extracellular_ephys/electrodes");
    nset_h5w_close_object(d);
    nset_nwb_index(w, units, "/units", "electrodes", end, s->n_units);
    nset_free(row);
    nset_free(end);
}

static void put_waveforms(nset_h5_writer *w, hid_t units, const nset_sorting *s)
{
    size_t n = s->n_units * s->template_length * s->n_channels;
    float *volts = nset_nwb_room(w, n, sizeof *volts);
    hsize_t dims[3] = { s->n_units, s->template_length, s->n_channels };
    hid_t d;

    for (size_t i = 0; i < n && volts; i++)
        volts[i] = (float)((double)s->templates[i] * 1e-6);
    d = nset_h5w_numbers(w, units, "waveform_mean", H5T_IEEE_F32LE, 3, dims, volts);
    nset_h5w_attr_float(w, d, "sampling_rate", s->rate_hz, true);
    nset_h5w_attr_text(w, d, "unit", "volts");
    nset_nwb_column(w, d, "mean waveform of the band-passed signal on all electrodes in volts");
    nset_free(volts);
}

/* Places, then measures. */
static const nset_unit_column places[] = {
    { "x_um", "place across the probe in micrometres", offsetof(nset_unit, x_um) },
    { "y_um", "place along the probe in micrometres", offsetof(nset_unit, y_um) },
};
enum { N_PLACES = sizeof places / sizeof *places, MOST_COLUMNS = 80 };

static const nset_unit_column *column(size_t i)
{
    return i < N_PLACES ? &places[i] : &nset_unit_columns[i - N_PLACES];
}

/* A measure that no unit has is no column. */
static bool is_defined(const nset_sorting *s, const nset_unit_column *c)
{
    for (size_t u = 0; u < s->n_units; u++)
        if (isfinite(nset_unit_value(&s->units[u], c)))
            return true;
    return s->n_units == 0;
}

static void put_measures(nset_h5_writer *w, hid_t units, const nset_sorting *s)
{
    double *x = nset_nwb_room(w, s->n_units, sizeof *x);
    int64_t *whole = nset_nwb_room(w, s->n_units, sizeof *whole);
    hsize_t n = s->n_units;

    for (size_t i = 0; i < N_PLACES + nset_n_unit_columns && x; i++) {
        const nset_unit_column *c = column(i);
        if (!is_defined(s, c))
            continue;
        for (size_t u = 0; u < s->n_units; u++)
            x[u] = nset_unit_value(&s->units[u], c);
        nset_nwb_column(w, nset_h5w_numbers(w, units, c->name, H5T_IEEE_F64LE, 1, &n, x), c->description);
    }
    for (size_t u = 0; u < s->n_units && whole; u++)
        whole[u] = (int64_t)s->units[u].n_spikes;
    nset_nwb_column(w, nset_h5w_numbers(w, units, "n_spikes", H5T_STD_I64LE, 1, &n, whole), "number of spikes");
    for (size_t u = 0; u < s->n_units && whole; u++)
        whole[u] = (int64_t)s->units[u].channel;
    nset_nwb_column(w, nset_h5w_numbers(w, units, "largest_electrode", H5T_STD_I64LE, 1, &n, whole),
        "row of the electrodes table where the unit is largest");
    nset_free(x);
    nset_free(whole);
}

static void put_labels(nset_h5_writer *w, hid_t units, const nset_sorting *s)
{
    const char **label = nset_nwb_room(w, s->n_units, sizeof *label),
               **reason = nset_nwb_room(w, s->n_units, sizeof *reason);

    for (size_t u = 0; u < s->n_units && label && reason; u++) {
        label[u] = labels[s->units[u].label];
        reason[u] = s->units[u].reason;
    }
    nset_nwb_column(w, nset_h5w_texts(w, units, "quality", label, s->n_units),
        "good: one neuron; mua: several; noise: none, as far as the measures tell");
    nset_nwb_column(w, nset_h5w_texts(w, units, "quality_reason", reason, s->n_units), "why the unit has its label");
    nset_free(label);
    nset_free(reason);
}

void nset_write_nwb_units(nset_h5_writer *w, const nset_sorting *s, const nset_recording *r)
{
    const char *columns[MOST_COLUMNS] = { "spike_times", "obs_intervals", "electrodes", "waveform_mean" };
    size_t n = 4;
    hid_t units = nset_h5w_group(w, w->file, "units", "core", "Units");

    for (size_t i = 0; i < N_PLACES + nset_n_unit_columns && n + 4 < MOST_COLUMNS; i++)
        if (is_defined(s, column(i)))
            columns[n++] = column(i)->name;
    columns[n++] = "n_spikes";
    columns[n++] = "largest_electrode";
    columns[n++] = "quality";
    columns[n++] = "quality_reason";
    nset_nwb_table(w, units, "units that neuroset found", columns, n, NULL, s->n_units);
    put_spikes(w, units, s, r);
    put_intervals(w, units, s, r);
    put_electrodes(w, units, s);
    put_waveforms(w, units, s);
    put_measures(w, units, s);
    put_labels(w, units, s);
    nset_h5w_close_object(units);
}
