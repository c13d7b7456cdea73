#include "ephys/simulate.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <neuroset/file.h>
#include <neuroset/memory.h>
#include "ephys/sim_parts.h"
#include "results/npz.h"

enum { PATH_BYTES = 4096, PIECE = 1 << 16 };

static const char *base_of(const char *prefix)
{
    const char *slash = strrchr(prefix, '/');

    return slash ? slash + 1 : prefix;
}

typedef struct sample_file {
    nset_atomic_file *file;
    double gain_uv;
    int16_t counts[PIECE];
} sample_file;

static nset_status write_samples(void *ctx, const float *x, size_t n_values, nset_error *err)
{
    sample_file *f = ctx;

    (void)err;
    for (size_t i = 0; i < n_values; i += PIECE) {
        size_t n = n_values - i < PIECE ? n_values - i : PIECE;
        for (size_t k = 0; k < n; k++)
            f->counts[k] = (int16_t)lrint(fmin(fmax((double)x[i + k] / f->gain_uv, -32768), 32767));
        if (fwrite(f->counts, sizeof *f->counts, n, nset_atomic_stream(f->file)) != n)
            break; /* told by the commit */
    }
    return NSET_OK;
}

static nset_status write_json(json_t *j, const char *path, nset_error *err)
{
    nset_atomic_file *file = NULL;
    nset_status status;

    if (!j)
        return nset_fail_oom(err, 1, sizeof(json_t *));
    if ((status = nset_atomic_open(&file, path, err)) != NSET_OK)
        return status;
    if (json_dumpf(j, nset_atomic_stream(file), JSON_INDENT(1) | JSON_REAL_PRECISION(10)) != 0) {
        nset_atomic_abort(file);
        return nset_fail(err, NSET_ERR_IO, "%s: cannot be written", path);
    }
    fputc('\n', nset_atomic_stream(file));
    return nset_atomic_commit(file, err);
}

static nset_status write_probe(const nset_sim *s, const char *path, nset_error *err)
{
    json_t *places = json_array(), *axes = json_array(), *shapes = json_array(), *sizes = json_array();
    json_t *ids = json_array(), *shanks = json_array(), *indices = json_array();
    json_auto_t *probe = NULL;
    char text[24];

    for (size_t c = 0; c < s->n_channels; c++) {
        json_array_append_new(places, json_pack("[f,f]", s->probe.x_um[c], s->probe.y_um[c]));
        json_array_append_new(axes, json_pack("[[f,f],[f,f]]", 1., 0., 0., 1.));
        json_array_append_new(shapes, json_string("circle"));
        json_array_append_new(sizes, json_pack("{s:f}", "radius", 6.));
        snprintf(text, sizeof text, "%zu", c);
        json_array_append_new(ids, json_string(text));
        snprintf(text, sizeof text, "%d", s->probe.shank[c]);
        json_array_append_new(shanks, json_string(text));
        json_array_append_new(indices, json_integer((json_int_t)c));
    }
    probe = json_pack("{s:s, s:s, s:[{s:i, s:s, s:{s:s, s:s}, s:{}, s:o, s:o, s:o, s:o, s:o, s:o, s:o}]}",
        "specification", "probeinterface", "version", "0.2.21", "probes", "ndim", 2, "si_units", "um", "annotations",
        "name", s->options.layout, "manufacturer", "simulated", "contact_annotations", "contact_positions", places,
        "contact_plane_axes", axes, "contact_shapes", shapes, "contact_shape_params", sizes, "contact_ids", ids,
        "shank_ids", shanks, "device_channel_indices", indices);
    return write_json(probe, path, err);
}

static json_t *options_json(const nset_sim_options *o)
{
    return json_pack("{s:s, s:I, s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, "
                     "s:f, s:f, s:f, s:f, s:f, s:I}",
        "layout", o->layout, "n_channels", (json_int_t)o->n_channels, "n_units", (json_int_t)o->n_units, "pitch_um",
        o->pitch_um, "seconds", o->seconds, "rate_hz", o->rate_hz, "noise_uv", o->noise_uv, "min_snr", o->min_snr,
        "median_snr", o->median_snr, "max_snr", o->max_snr, "snr_sigma", o->snr_sigma, "median_hz", o->median_hz,
        "hz_sigma", o->hz_sigma, "bursting", o->bursting, "refractory_ms", o->refractory_ms, "jitter", o->jitter,
        "sync", o->sync, "hash", o->hash, "hash_max", o->hash_max, "pink", o->pink, "reach_um", o->reach_um, "lfp_uv",
        o->lfp_uv, "line_uv", o->line_uv, "drift_um", o->drift_um, "drift_jumps", (json_int_t)o->drift_jumps,
        "drift_nonrigid", o->drift_nonrigid, "n_artefacts", (json_int_t)o->n_artefacts, "library", o->library);
}

static nset_status write_facts(const nset_sim *s, const char *base, const char *path, nset_error *err)
{
    json_t *marks = json_array(), *noise = json_array();
    json_auto_t *facts = NULL;
    char file[300], probe[300], truth[300];

    for (size_t i = 0; i < s->n_artefacts; i++)
        json_array_append_new(
            marks, json_pack("[I,I]", (json_int_t)s->artefacts[2 * i], (json_int_t)s->artefacts[2 * i + 1]));
    for (size_t c = 0; c < s->n_channels; c++)
        json_array_append_new(noise, json_real(s->noise_uv[c]));
    snprintf(file, sizeof file, "%s.bin", base);
    snprintf(probe, sizeof probe, "%s.probe.json", base);
    snprintf(truth, sizeof truth, "%s.truth.npz", base);
    facts = json_pack("{s:s, s:f, s:I, s:s, s:f, s:f, s:f, s:I, s:I, s:s, s:s, s:s, s:[], s:o, s:o, s:o}", "file", file,
        "sampling_rate", s->options.rate_hz, "num_channels", (json_int_t)s->n_channels, "dtype", "int16", "gain_to_uv",
        s->gain_uv, "offset_to_uv", 0., "duration_s", (double)s->n_samples / s->options.rate_hz, "num_samples",
        (json_int_t)s->n_samples, "seed", (json_int_t)s->options.seed, "layout", s->options.layout, "probe", probe,
        "truth", truth, "dead_channels", "artefact_samples", marks, "noise_mad_uv", noise, "options",
        options_json(&s->options));
    return write_json(facts, path, err);
}

/* Columns of the truth: one block of 8-byte numbers a column, released together. */
typedef struct truth {
    int64_t *sample, *label, *best, *ids;
    double *factor, *displacement, *snr, *hz, *place, *time;
    uint32_t *kind; /* UCS-4, 6 letters */
} truth;

enum { KIND_LETTERS = 6 };

static void truth_free(truth *t)
{
    void *all[] = { t->sample, t->label, t->best, t->ids, t->factor, t->displacement, t->snr, t->hz, t->place, t->time,
        t->kind };

    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        nset_free(all[i]);
}

static nset_status truth_allocate(truth *t, const nset_sim *s, nset_error *err)
{
    memset(t, 0, sizeof *t);
    t->sample = nset_calloc(s->n_spikes, 8);
    t->label = nset_calloc(s->n_spikes, 8);
    t->factor = nset_calloc(s->n_spikes, 8);
    t->displacement = nset_calloc(s->n_spikes, 8);
    t->best = nset_calloc(s->n_units, 8);
    t->ids = nset_calloc(s->n_units, 8);
    t->snr = nset_calloc(s->n_units, 8);
    t->hz = nset_calloc(s->n_units, 8);
    t->place = nset_calloc(2 * s->n_units, 8);
    t->kind = nset_calloc(KIND_LETTERS * s->n_units, sizeof *t->kind);
    t->time = nset_calloc(s->n_drift, 8);
    if (t->sample && t->label && t->factor && t->displacement && t->best && t->ids && t->snr && t->hz && t->place &&
        t->kind && t->time)
        return NSET_OK;
    return nset_fail_oom(err, s->n_spikes, 8);
}

static void truth_fill(truth *t, const nset_sim *s)
{
    for (size_t i = 0; i < s->n_spikes; i++) {
        t->sample[i] = s->spikes[i].sample;
        t->label[i] = s->spikes[i].unit;
        t->factor[i] = (double)s->spikes[i].amplitude;
        t->displacement[i] = (double)s->spikes[i].displacement_um;
    }
    for (size_t u = 0; u < s->n_units; u++) {
        const nset_sim_unit *unit = &s->units[u];
        t->ids[u] = (int64_t)u;
        t->best[u] = (int64_t)unit->best_channel;
        t->snr[u] = unit->snr;
        t->hz[u] = unit->rate_hz;
        t->place[2 * u] = unit->x_um;
        t->place[2 * u + 1] = unit->y_um;
        for (size_t k = 0; k < KIND_LETTERS && unit->kind[k]; k++)
            t->kind[u * KIND_LETTERS + k] = (uint32_t)unit->kind[k];
    }
    for (size_t i = 0; i < s->n_drift; i++)
        t->time[i] = (double)i / 100;
}

static nset_status write_truth(const nset_sim *s, const char *path, nset_error *err)
{
    int64_t one = 1, pre = (int64_t)s->pre;
    size_t n = s->n_spikes, u = s->n_units;
    truth t;
    nset_status status = truth_allocate(&t, s, err);

    if (status == NSET_OK) {
        truth_fill(&t, s);
        nset_array arrays[] = {
            { "unit_ids", "<i8", 1, { u }, t.ids },
            { "num_segment", "<i8", 1, { 1 }, &one },
            { "sampling_frequency", "<f8", 1, { 1 }, &s->options.rate_hz },
            { "spike_indexes_seg0", "<i8", 1, { n }, t.sample },
            { "spike_labels_seg0", "<i8", 1, { n }, t.label },
            { "spike_amplitude_factor", "<f8", 1, { n }, t.factor },
            { "spike_displacement_um", "<f8", 1, { n }, t.displacement },
            { "templates", "<f4", 3, { u, s->length, s->n_channels }, s->templates },
            { "template_pre", "<i8", 0, { 0 }, &pre },
            { "unit_positions", "<f8", 2, { u, 2 }, t.place },
            { "snr", "<f8", 1, { u }, t.snr },
            { "rate_hz", "<f8", 1, { u }, t.hz },
            { "best_channel", "<i8", 1, { u }, t.best },
            { "kind", "<U6", 1, { u }, t.kind },
            { "drift_time_s", "<f8", 1, { s->n_drift }, t.time },
            { "drift_um", "<f8", 1, { s->n_drift }, s->drift_um },
        };
        status = nset_npz_write(path, arrays, sizeof arrays / sizeof *arrays, err);
    }
    truth_free(&t);
    return status;
}

static nset_status make_samples(
    nset_sim **out, const nset_sim_options *o, const char *path, nset_workers *workers, nset_error *err)
{
    sample_file *f = nset_calloc(1, sizeof *f);
    nset_status status = f ? NSET_OK : nset_fail_oom(err, 1, sizeof *f);

    if (status == NSET_OK && (status = sim_check_options(o, err)) == NSET_OK &&
        (status = nset_atomic_open(&f->file, path, err)) == NSET_OK) {
        f->gain_uv = sim_layout_gain_uv(o->layout);
        status = sim_make_blocks(out, o, workers, write_samples, f, err);
        if (status != NSET_OK)
            nset_atomic_abort(f->file);
        else
            status = nset_atomic_commit(f->file, err);
    }
    nset_free(f);
    return status;
}

nset_status nset_sim_record(
    nset_sim **out, const nset_sim_options *options, const char *prefix, nset_workers *workers, nset_error *err)
{
    static const char *const ends[] = { ".bin", ".probe.json", ".truth.npz", ".json" };
    char path[PATH_BYTES];
    nset_sim *s = NULL;
    nset_status status = NSET_OK;

    if (strlen(prefix) + 16 > sizeof path || strlen(base_of(prefix)) > 255)
        return nset_fail(err, NSET_ERR_ARG, "%.60s...: the path is too long", prefix);
    for (int i = 0; i < 4 && status == NSET_OK; i++) {
        snprintf(path, sizeof path, "%s%s", prefix, ends[i]);
        if (i == 0)
            status = make_samples(&s, options, path, workers, err);
        else if (i == 1)
            status = write_probe(s, path, err);
        else if (i == 2)
            status = write_truth(s, path, err);
        else
            status = write_facts(s, base_of(prefix), path, err);
    }
    if (status == NSET_OK)
        *out = s;
    else
        nset_sim_free(s);
    return status;
}
