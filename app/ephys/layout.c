#include "ephys/layout.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <neuroset/memory.h>

size_t nset_dtype_size(const char *dtype)
{
    static const struct {
        const char *name;
        size_t size;
    } types[] = { { "int16", 2 }, { "uint16", 2 }, { "int32", 4 }, { "uint32", 4 }, { "float32", 4 }, { "float64", 8 },
        { "int8", 1 }, { "uint8", 1 } };

    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (!strcmp(dtype, types[i].name))
            return types[i].size;
    return 0;
}

nset_status nset_layout_channels(nset_layout *l, size_t n, nset_error *err)
{
    l->n = n;
    l->column = nset_calloc(n, sizeof *l->column);
    l->gain_uv = nset_calloc(n, sizeof *l->gain_uv);
    l->offset_uv = nset_calloc(n, sizeof *l->offset_uv);
    if (!l->column || !l->gain_uv || !l->offset_uv)
        return nset_fail_oom(err, n, sizeof *l->column);
    for (size_t i = 0; i < n; i++) {
        l->column[i] = i;
        l->gain_uv[i] = 1;
    }
    return nset_probe_init(&l->probe, n, err);
}

void nset_layout_fini(nset_layout *l)
{
    for (size_t i = 0; i < l->n_pieces; i++)
        nset_free(l->piece[i].path);
    nset_free(l->piece);
    nset_free(l->gap);
    if (l->frames)
        l->frames->close(l->frames);
    nset_free(l->data_path);
    nset_free(l->column);
    nset_free(l->gain_uv);
    nset_free(l->offset_uv);
    nset_free(l->unused);
    nset_probe_fini(&l->probe);
    json_decref(l->facts);
    json_decref(l->warnings);
    *l = (nset_layout){ 0 };
}

void nset_layout_plain_gain(nset_layout *l, const nset_recording_options *o)
{
    double gain = o->gain_uv != 0 ? o->gain_uv : 1;

    for (size_t i = 0; i < l->n; i++)
        l->gain_uv[i] = gain;
    nset_layout_fact(l, "gain", o->gain_uv != 0 ? "--gain" : "guessed", "%.10g uV a count", gain);
    if (o->gain_uv == 0)
        nset_layout_warn(l, "no gain is known: values are taken as microvolts; give it with --gain");
}

nset_status nset_layout_add_piece(nset_layout *l, const char *path, int64_t offset, int64_t n_frames, nset_error *err)
{
    nset_status status = nset_grow(&l->piece, &l->cap_pieces, l->n_pieces + 1, sizeof *l->piece, err);

    if (status != NSET_OK)
        return status;
    if (!(l->piece[l->n_pieces].path = nset_strdup(path)))
        return nset_fail_oom(err, strlen(path) + 1, 1);
    l->piece[l->n_pieces].offset = offset;
    l->piece[l->n_pieces++].n_frames = n_frames;
    return NSET_OK;
}

nset_status nset_layout_add_gap(nset_layout *l, int64_t sample, double seconds, nset_error *err)
{
    nset_status status = nset_grow(&l->gap, &l->cap_gaps, l->n_gaps + 1, sizeof *l->gap, err);

    if (status == NSET_OK)
        l->gap[l->n_gaps++] = (nset_gap){ sample, seconds };
    return status;
}

void nset_layout_fact(nset_layout *l, const char *name, const char *from, const char *format, ...)
{
    char value[512];
    va_list args;

    va_start(args, format);
    vsnprintf(value, sizeof value, format, args);
    va_end(args);
    if (!l->facts)
        l->facts = json_array();
    json_array_append_new(l->facts, json_pack("{s:s, s:s, s:s}", "name", name, "value", value, "from", from));
}

void nset_layout_warn(nset_layout *l, const char *format, ...)
{
    char text[512];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (!l->warnings)
        l->warnings = json_array();
    json_array_append_new(l->warnings, json_string(text));
}
