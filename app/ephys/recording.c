#include "ephys/recording.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <neuroset/memory.h>

#include "ephys/layout.h"
#include "ephys/refused.h"

/* Tried in this order; the first that knows the file opens it. */
static const nset_reader *const readers[] = { &nset_reader_spikeglx, &nset_reader_openephys, &nset_reader_oelegacy,
    &nset_reader_intan, &nset_reader_neuralynx, &nset_reader_blackrock, &nset_reader_mda, &nset_reader_nwb,
    &nset_reader_npy, &nset_reader_json, &nset_reader_raw };
enum { N_READERS = sizeof readers / sizeof *readers };

void nset_recording_close(nset_recording *r)
{
    if (!r)
        return;
    if (r->source)
        r->source->close(r->source);
    nset_probe_fini(&r->probe);
    nset_free(r->file_channel);
    nset_free(r->unused);
    for (size_t i = 0; i < r->n_pieces; i++)
        nset_free(r->piece[i].path);
    nset_free(r->piece);
    nset_free(r->gap);
    nset_free(r->path);
    json_decref(r->facts);
    json_decref(r->warnings);
    nset_free(r);
}

double nset_recording_seconds(const nset_recording *r, int64_t sample)
{
    double seconds = r->start_s + (double)sample / r->source->rate_hz;

    for (size_t i = 0; i < r->n_gaps && r->gap[i].sample <= sample; i++)
        seconds += r->gap[i].seconds;
    return seconds;
}

static nset_status choose_reader(const nset_reader **out, const char *path, const char *format, nset_error *err)
{
    char names[200] = "";
    nset_status status;

    if (!format && (status = nset_refuse_known(path, err)) != NSET_OK)
        return status;
    for (size_t i = 0; i < N_READERS; i++)
        if (format ? !strcmp(readers[i]->name, format) : readers[i]->probe(path)) {
            *out = readers[i];
            return NSET_OK;
        }
    for (size_t i = 0; i < N_READERS; i++)
        snprintf(names + strlen(names), sizeof names - strlen(names), "%s%s", i ? ", " : "", readers[i]->name);
    if (format)
        return nset_fail(err, NSET_ERR_ARG, "--format: there is no reader '%s'; there are %s", format, names);
    if (access(path, R_OK))
        return nset_fail(err, NSET_ERR_FORMAT, "%s: %s", path, strerror(errno));
    return nset_fail(err, NSET_ERR_FORMAT,
        "%s: no reader knows this file (%s); a raw file needs --format raw with --rate and --channels", path, names);
}

/* Options that the reader has not used: rate and gain are changed, what the file says of its bytes is not. */
static nset_status apply_options(
    nset_layout *l, const nset_reader *reader, const char *path, const nset_recording_options *o, nset_error *err)
{
    const char *useless = o->n_channels                            ? "--channels"
                          : o->dtype                               ? "--dtype"
                          : o->header_bytes                        ? "--header-bytes"
                          : o->endian                              ? "--endian"
                          : o->order && reader != &nset_reader_npy ? "--order"
                                                                   : NULL;

    if (!reader->says_all)
        return NSET_OK;
    if (useless)
        return nset_fail(err, NSET_ERR_ARG, "%s: a file of format %s says this itself; with --format raw it is used",
            useless, reader->name);
    if (o->rate_hz > 0 && o->rate_hz != l->rate_hz) {
        nset_layout_warn(l, "%s says %.10g Hz, --rate %.10g Hz: --rate is used", path, l->rate_hz, o->rate_hz);
        nset_layout_fact(l, "rate", "--rate", "%.10g Hz", o->rate_hz);
        l->rate_hz = o->rate_hz;
    }
    for (size_t i = 0; i < l->n && o->gain_uv != 0; i++)
        if (l->gain_uv[i] != o->gain_uv) {
            if (i == 0)
                nset_layout_fact(l, "gain", "--gain", "%.10g uV a count", o->gain_uv);
            l->gain_uv[i] = o->gain_uv;
        }
    return NSET_OK;
}

/* ---- geometry ---- */

/* A probe nobody described is a guess, and said to be one. */
static void guess_places(nset_layout *l)
{
    bool tetrode = l->n <= 4;

    for (size_t i = 0; i < l->n; i++) {
        l->probe.x_um[i] = tetrode ? 25. * (double)(i % 2) : 0;
        l->probe.y_um[i] = tetrode ? 25. * (double)(i / 2) : 20. * (double)i;
    }
    nset_layout_fact(
        l, "geometry", "guessed: no probe was given", "%s", tetrode ? "a square of 25 um" : "a column, 20 um apart");
    nset_layout_warn(l, "no probe is known: %s is assumed; give one with --probe",
        tetrode ? "a square of 25 um" : "one column of contacts 20 um apart");
}

typedef struct place {
    int shank;
    double x, y;
    size_t index;
} place;

static int by_place(const void *a, const void *b)
{
    const place *p = a, *q = b;

    if (p->shank != q->shank)
        return p->shank < q->shank ? -1 : 1;
    if (p->y != q->y)
        return p->y < q->y ? -1 : 1;
    if (p->x != q->x)
        return p->x < q->x ? -1 : 1;
    return p->index < q->index ? -1 : 1;
}

static nset_status canonical_order(size_t **out, const nset_layout *l, nset_error *err)
{
    place *p = nset_calloc(l->n, sizeof *p);
    size_t *order = nset_calloc(l->n, sizeof *order);

    if (!p || !order) {
        nset_free(p);
        nset_free(order);
        return nset_fail_oom(err, l->n, sizeof *p);
    }
    for (size_t i = 0; i < l->n; i++)
        p[i] = (place){ l->probe.shank[i], l->probe.x_um[i], l->probe.y_um[i], i };
    qsort(p, l->n, sizeof *p, by_place);
    for (size_t i = 0; i < l->n; i++)
        order[i] = p[i].index;
    nset_free(p);
    *out = order;
    return NSET_OK;
}

static nset_status check_layout(nset_layout *l, const char *path, nset_error *err)
{
    if (!(l->rate_hz >= 100 && l->rate_hz <= 1e6))
        return nset_fail(err, NSET_ERR_FORMAT,
            "%s: the sampling rate is not known (or %g Hz, which is none); give it with "
            "--rate",
            path, l->rate_hz);
    if (!nset_dtype_size(l->dtype))
        return nset_fail(err, NSET_ERR_FORMAT, "%s: samples of type '%s' are not read here", path, l->dtype);
    if (l->n < 1)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: the file holds no electrode channel", path);
    return NSET_OK;
}

static nset_status fill(nset_recording *r, nset_layout *l, nset_error *err)
{
    size_t *order = NULL;
    nset_status status;

    if ((status = canonical_order(&order, l, err)) != NSET_OK)
        return status;
    if ((status = nset_layout_source(&r->source, l, order, err)) != NSET_OK ||
        (status = nset_probe_init(&r->probe, l->n, err)) != NSET_OK)
        goto done;
    r->file_channel = nset_calloc(l->n, sizeof *r->file_channel);
    r->path = nset_strdup(l->data_path);
    if (!r->file_channel || !r->path) {
        status = nset_fail_oom(err, l->n, sizeof *r->file_channel);
        goto done;
    }
    if (l->unused && !(r->unused = nset_calloc(l->n, sizeof *r->unused))) {
        status = nset_fail_oom(err, l->n, sizeof *r->unused);
        goto done;
    }
    r->gain_uv = l->gain_uv[0];
    for (size_t i = 0; i < l->n; i++) {
        r->probe.x_um[i] = l->probe.x_um[order[i]];
        r->probe.y_um[i] = l->probe.y_um[order[i]];
        r->probe.shank[i] = l->probe.shank[order[i]];
        r->file_channel[i] = l->column[order[i]];
        if (l->unused)
            r->unused[i] = l->unused[order[i]];
        if (l->gain_uv[i] != r->gain_uv)
            r->gain_uv = 0;
    }
    r->header_bytes = l->header_bytes;
    r->big_endian = l->big_endian;
    r->n_file_channels = l->n_columns;
    r->dtype = !strcmp(l->dtype, "int16")     ? "int16"
               : !strcmp(l->dtype, "uint16")  ? "uint16"
               : !strcmp(l->dtype, "int32")   ? "int32"
               : !strcmp(l->dtype, "uint32")  ? "uint32"
               : !strcmp(l->dtype, "float32") ? "float32"
               : !strcmp(l->dtype, "float64") ? "float64"
               : !strcmp(l->dtype, "int8")    ? "int8"
                                              : "uint8";
    r->piece = l->piece;
    r->n_pieces = l->n_pieces;
    r->gap = l->gap;
    r->n_gaps = l->n_gaps;
    r->start_s = l->start_s;
    l->piece = NULL;
    l->gap = NULL;
    l->n_pieces = l->cap_pieces = l->n_gaps = l->cap_gaps = 0;
    r->facts = json_incref(l->facts);
    r->warnings = l->warnings ? json_incref(l->warnings) : json_array();

done:
    nset_free(order);
    return status;
}

nset_status nset_recording_open(nset_recording **out, const char *const *paths, size_t n_paths,
    const nset_recording_options *options, nset_error *err)
{
    const nset_reader *reader = NULL;
    nset_recording *r = NULL;
    nset_layout l = { 0 };
    nset_status status;

    if (n_paths < 1)
        return nset_fail(err, NSET_ERR_ARG, "no file is given");
    if ((status = choose_reader(&reader, paths[0], options->format, err)) != NSET_OK)
        return status;
    if (n_paths > 1 && !reader->open_many)
        return nset_fail(err, NSET_ERR_ARG, "%zu files: format %s is read from one path", n_paths, reader->name);
    if (!(r = nset_calloc(1, sizeof *r)))
        return nset_fail_oom(err, 1, sizeof *r);
    r->format = reader->name;
    nset_layout_fact(&l, "format", options->format ? "--format" : "the file", "%s: %s", reader->name, reader->about);
    if ((status = n_paths > 1 ? reader->open_many(&l, paths, n_paths, options, err)
                              : reader->open(&l, paths[0], options, err)) != NSET_OK ||
        (status = apply_options(&l, reader, paths[0], options, err)) != NSET_OK ||
        (options->probe && (status = nset_probe_file(&l, options->probe, err)) != NSET_OK) ||
        (status = check_layout(&l, paths[0], err)) != NSET_OK)
        goto done;
    l.zero_not_finite = options->zero_not_finite;
    if (!l.has_places)
        guess_places(&l);
    nset_layout_fact(&l, "channels", reader->name, "%zu of %zu columns", l.n, l.n_columns);
    if ((status = fill(r, &l, err)) != NSET_OK)
        goto done;
    *out = r;
    r = NULL;

done:
    nset_layout_fini(&l);
    nset_recording_close(r);
    return status;
}
