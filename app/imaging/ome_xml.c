#include "imaging/ome_xml.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <neuroset/memory.h>

#include "results/xml.h"

enum { MOST_DEPTH = 64, MOST_TIMES = 1 << 20 };

void nset_ome_fini(nset_ome *o)
{
    for (size_t i = 0; i < o->n_blocks; i++)
        nset_free(o->block[i].file.name);
    nset_free(o->block);
    nset_free(o->channel);
    *o = (nset_ome){ 0 };
}

static const char *local_name(const nset_xml_tag *tag)
{
    const char *colon = strrchr(tag->name, ':');

    return colon ? colon + 1 : tag->name;
}

static bool is(const nset_xml_tag *tag, const char *name)
{
    return !strcmp(local_name(tag), name);
}

/* What the parse knows of where it is. */
typedef struct state {
    nset_ome *o;
    char open[MOST_DEPTH][64];
    int depth, images; /* images that began */
    bool meant;        /* inside the pixels of the image that is meant */
    double *time;      /* of the frames' first planes, NAN: not told */
    size_t n_times, time_room;
    nset_error *err;
} state;

static double number(const nset_xml_tag *tag, const char *name, double otherwise)
{
    const char *end;
    char value[64];
    double x;

    if (!nset_xml_get(tag, name, value, sizeof value))
        return otherwise;
    x = nset_number(value, &end);
    return end == value || !isfinite(x) ? otherwise : x;
}

static int64_t count(const nset_xml_tag *tag, const char *name, int64_t otherwise)
{
    double x = number(tag, name, (double)otherwise);

    return x >= 0 && x < 1e9 ? (int64_t)x : otherwise;
}

/* Of several images the first that is a movie; else the first. */
static void take_pixels(state *s, const nset_xml_tag *tag)
{
    static const char *const sizes[] = { "SizeX", "SizeY", "SizeZ", "SizeC", "SizeT" };
    nset_ome *o = s->o;
    int64_t t = count(tag, "SizeT", 1);
    char order[8], unit[32];
    int letters = 0;

    s->meant = o->image < 0 || (t > 1 && o->size[4] <= 1);
    if (!s->meant)
        return;
    for (size_t i = 0; i < o->n_blocks; i++)
        nset_free(o->block[i].file.name);
    o->n_blocks = o->n_channels = s->n_times = 0;
    o->image = s->images - 1;
    for (int i = 0; i < 5; i++) {
        o->size[i] = count(tag, sizes[i], 1);
        o->size[i] = o->size[i] < 1 ? 1 : o->size[i];
    }
    nset_xml_get(tag, "DimensionOrder", order, sizeof order);
    for (int i = 2; i < 5 && strlen(order) == 5; i++)
        letters |= order[i] == 'C' ? 1 : order[i] == 'Z' ? 2 : order[i] == 'T' ? 4 : 0;
    snprintf(o->order, sizeof o->order, "%.3s", letters == 7 ? order + 2 : "CZT");
    o->pixel_width_um = number(tag, "PhysicalSizeX", 0);
    if (nset_xml_get(tag, "PhysicalSizeXUnit", unit, sizeof unit))
        o->pixel_width_um *= nset_length_um(unit);
    o->pixel_height_um = number(tag, "PhysicalSizeY", 0);
    if (nset_xml_get(tag, "PhysicalSizeYUnit", unit, sizeof unit))
        o->pixel_height_um *= nset_length_um(unit);
    o->interval_s = number(tag, "TimeIncrement", 0);
    if (nset_xml_get(tag, "TimeIncrementUnit", unit, sizeof unit))
        o->interval_s *= nset_time_s(unit);
    o->interval_from = "TimeIncrement in the OME-XML";
}

static nset_status take_block(state *s, const nset_xml_tag *tag)
{
    nset_ome *o = s->o;
    nset_ome_block *b;
    char any[32];
    nset_status status = nset_grow(&o->block, &o->block_room, o->n_blocks + 1, sizeof *o->block, s->err);

    if (status != NSET_OK)
        return status;
    b = &o->block[o->n_blocks];
    *b = (nset_ome_block){ .ifd = count(tag, "IFD", 0),
        .z = count(tag, "FirstZ", 0),
        .c = count(tag, "FirstC", 0),
        .t = count(tag, "FirstT", 0),
        .count = count(tag, "PlaneCount", nset_xml_get(tag, "IFD", any, sizeof any) ? 1 : -1) };
    if (!(b->file.name = nset_strdup("")))
        return nset_fail_oom(s->err, 1, 1);
    o->n_blocks++;
    return NSET_OK;
}

static nset_status take_file(state *s, const nset_xml_tag *tag)
{
    char path[1024], name[256];
    nset_ome_block *b = s->o->n_blocks ? &s->o->block[s->o->n_blocks - 1] : NULL;

    if (!b || !nset_xml_get(tag, "FileName", path, sizeof path))
        return NSET_OK;
    nset_base_name(name, sizeof name, path);
    nset_free(b->file.name);
    b->file.name = nset_strdup(name);
    return b->file.name ? NSET_OK : nset_fail_oom(s->err, strlen(name), 1);
}

/* Times of the planes of the first depth and channel. */
static nset_status take_plane(state *s, const nset_xml_tag *tag)
{
    int64_t t = count(tag, "TheT", -1);
    double delta = number(tag, "DeltaT", NAN);
    char unit[32];
    nset_status status;

    if (t < 0 || t >= MOST_TIMES || isnan(delta) || count(tag, "TheZ", 0) > 0 || count(tag, "TheC", 0) > 0)
        return NSET_OK;
    if (nset_xml_get(tag, "DeltaTUnit", unit, sizeof unit))
        delta *= nset_time_s(unit);
    if ((status = nset_grow(&s->time, &s->time_room, (size_t)t + 1, sizeof *s->time, s->err)) != NSET_OK)
        return status;
    while (s->n_times <= (size_t)t)
        s->time[s->n_times++] = NAN;
    s->time[t] = delta;
    return NSET_OK;
}

static nset_status take_channel(state *s, const nset_xml_tag *tag)
{
    nset_ome *o = s->o;
    nset_status status = nset_grow(&o->channel, &o->channel_room, o->n_channels + 1, sizeof *o->channel, s->err);

    if (status != NSET_OK)
        return status;
    nset_xml_get(tag, "Name", o->channel[o->n_channels].name, sizeof o->channel->name);
    o->n_channels++;
    return NSET_OK;
}

static nset_status take_tag(state *s, const nset_xml_tag *tag)
{
    char path[1024];

    if (is(tag, "BinaryOnly") && nset_xml_get(tag, "MetadataFile", path, sizeof path))
        nset_base_name(s->o->companion, sizeof s->o->companion, path);
    if (is(tag, "Image"))
        s->images++;
    if (is(tag, "Pixels"))
        take_pixels(s, tag);
    if (!s->meant)
        return NSET_OK;
    return is(tag, "TiffData")  ? take_block(s, tag)
           : is(tag, "UUID")    ? take_file(s, tag)
           : is(tag, "Plane")   ? take_plane(s, tag)
           : is(tag, "Channel") ? take_channel(s, tag)
                                : NSET_OK;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* The median step between frames that tell their time. */
static void settle_interval(state *s)
{
    size_t n = 0;

    for (size_t t = 1; t < s->n_times; t++)
        if (s->time[t] > s->time[t - 1])
            s->time[n++] = s->time[t] - s->time[t - 1]; /* n < t: what is read later stays */
    if (s->o->interval_s > 0 || n == 0)
        return;
    qsort(s->time, n, sizeof *s->time, by_size);
    s->o->interval_s = n % 2 ? s->time[n / 2] : (s->time[n / 2 - 1] + s->time[n / 2]) / 2;
    s->o->interval_from = "times of the planes (DeltaT) in the OME-XML";
}

/* Tags must close in the order they opened. */
static nset_status walk(state *s, const char *text, const char *path)
{
    nset_xml x = { text };
    nset_xml_tag tag;
    nset_status status = NSET_OK;
    bool sound = true, any = false;

    while (status == NSET_OK && sound && nset_xml_next(&x, &tag)) {
        if (tag.opens) {
            any = any || is(&tag, "OME");
            sound = s->depth < MOST_DEPTH;
            if (sound && !tag.closes)
                snprintf(s->open[s->depth++], sizeof s->open[0], "%s", tag.name);
            status = take_tag(s, &tag);
        } else {
            sound = s->depth > 0 && !strcmp(s->open[s->depth - 1], tag.name);
            s->depth -= sound;
        }
        if (tag.closes && is(&tag, "Pixels"))
            s->meant = false;
    }
    if (status == NSET_OK && (!sound || s->depth != 0 || !any))
        return nset_fail(
            s->err, NSET_ERR_FORMAT, "%s: the OME-XML is not sound near byte %zu", path, (size_t)(x.at - text));
    return status;
}

nset_status nset_ome_parse(nset_ome *o, const char *text, const char *path, nset_error *err)
{
    state s = { .o = o, .err = err };
    nset_status status;

    *o = (nset_ome){ .image = -1 };
    if (strstr(text, "<!DOCTYPE"))
        return nset_fail(
            err, NSET_ERR_FORMAT, "%s: the OME-XML defines a document type, which no microscope writes", path);
    status = walk(&s, text, path);
    o->n_images = s.images;
    if (status == NSET_OK)
        settle_interval(&s);
    nset_free(s.time);
    if (status == NSET_OK && o->image < 0 && !o->companion[0])
        return nset_fail(err, NSET_ERR_FORMAT, "%s: the OME-XML describes no image", path);
    return status;
}
