/* Thorlabs: a folder with Experiment.xml, and a raw file of all frames or a TIFF file a picture. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <neuroset/memory.h>

#include "imaging/movie_input.h"
#include "imaging/named_files.h"
#include "results/small_files.h"
#include "results/xml.h"

enum { MOST_TEXT = 64 << 20, MOST_CHANNELS = 4 };

static const char index_name[] = "Experiment.xml";

/* path (n) := the Experiment.xml that belongs to what was named. */
static void find_index(char *path, size_t n, const nset_movie_input *in)
{
    if (in->folder)
        snprintf(path, n, "%s/%s", in->folder, index_name);
    else
        nset_path_beside(path, n, in->path[0], index_name);
}

static bool is_frame_name(const char *name)
{
    return !strncmp(name, "Chan", 4) && strchr(name, '_') && isdigit((unsigned char)strchr(name, '_')[1]);
}

static bool knows(const nset_movie_input *in)
{
    char path[4096], name[256];

    if (!in->folder && in->n != 1)
        return false;
    find_index(path, sizeof path, in);
    if (access(path, R_OK))
        return false;
    if (in->folder)
        return true;
    nset_base_name(name, sizeof name, in->path[0]);
    return nset_path_ends(name, ".raw") || !strcmp(name, index_name) || (in->is_tiff && is_frame_name(name));
}

/* ---- Experiment.xml ---- */

typedef struct experiment {
    int64_t width, height, steps, flyback, streamed, enabled; /* enabled: bits of the channels, 0: not told */
    double pixel_um, rate_hz, averaged, interval_s;
    int only_enabled; /* -1: not told */
    bool streaming, fast_z;
    nset_layout_channel channel[MOST_CHANNELS];
    int n_names;
} experiment;

static double number(const nset_xml_tag *tag, const char *name, double otherwise)
{
    const char *end;
    char value[64];
    double x;

    if (!nset_xml_get(tag, name, value, sizeof value))
        return otherwise;
    x = nset_number(value, &end);
    return end == value || !(x >= 0 && x < 1e12) ? otherwise : x;
}

static void take_tag(experiment *e, const nset_xml_tag *tag)
{
    if (!strcmp(tag->name, "Wavelength") && e->n_names < MOST_CHANNELS) {
        nset_xml_get(tag, "name", e->channel[e->n_names].name, sizeof e->channel->name);
        e->n_names++;
    } else if (!strcmp(tag->name, "ChannelEnable")) {
        e->enabled = (int64_t)number(tag, "Set", 0);
    } else if (!strcmp(tag->name, "ZStage")) {
        e->steps = (int64_t)number(tag, "steps", 1);
    } else if (!strcmp(tag->name, "Timelapse")) {
        e->interval_s = number(tag, "intervalSec", 0);
    } else if (!strcmp(tag->name, "LSM")) {
        e->width = (int64_t)number(tag, "pixelX", 0);
        e->height = (int64_t)number(tag, "pixelY", 0);
        e->pixel_um = number(tag, "pixelSizeUM", 0);
        e->rate_hz = number(tag, "frameRate", 0);
        e->averaged = number(tag, "averageMode", 0) == 1 ? number(tag, "averageNum", 1) : 1;
    } else if (!strcmp(tag->name, "Streaming")) {
        e->streamed = (int64_t)number(tag, "frames", 0);
        e->fast_z = number(tag, "zFastEnable", 0) != 0;
        e->flyback = (int64_t)number(tag, "flybackFrames", 0);
    } else if (!strcmp(tag->name, "CaptureMode")) {
        e->streaming = number(tag, "mode", 0) == 1;
    } else if (!strcmp(tag->name, "RawData")) {
        e->only_enabled = (int)number(tag, "onlyEnabledChannels", -1);
    }
}

static nset_status read_index(experiment *e, const char *path, nset_error *err)
{
    nset_status status;
    nset_xml_tag tag;
    nset_xml x;
    char *text = NULL;

    *e = (experiment){ .steps = 1, .averaged = 1, .only_enabled = -1 };
    if ((status = nset_read_text(&text, path, MOST_TEXT, err)) != NSET_OK)
        return status;
    for (x.at = text; nset_xml_next(&x, &tag);)
        if (tag.opens)
            take_tag(e, &tag);
    nset_free(text);
    e->steps = e->steps < 1 ? 1 : e->steps;
    e->averaged = e->averaged < 1 ? 1 : e->averaged;
    if (e->width < 1 || e->height < 1 || e->width > 1 << 16 || e->height > 1 << 16 || e->steps > 1 << 20 ||
        e->flyback > 1 << 20)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: it states %lld x %lld pixels, %lld steps, %lld frames of way back",
            path, (long long)e->height, (long long)e->width, (long long)e->steps, (long long)e->flyback);
    return NSET_OK;
}

static int n_enabled(const experiment *e)
{
    int n = 0;

    for (int i = 0; i < MOST_CHANNELS; i++)
        n += (int)(e->enabled >> i & 1);
    return n ? n : 1;
}

static nset_status name_channels(nset_movie_layout *l, const experiment *e, size_t n, nset_error *err)
{
    int from = 0;

    if (!(l->channel = nset_calloc(n, sizeof *l->channel)))
        return nset_fail_oom(err, n, sizeof *l->channel);
    for (size_t c = 0; c < n; c++, from++) {
        while (
            n < MOST_CHANNELS && from < MOST_CHANNELS - 1 && e->n_names == MOST_CHANNELS && !(e->enabled >> from & 1))
            from++;
        if (from < e->n_names)
            l->channel[c] = e->channel[from];
    }
    return NSET_OK;
}

/* ---- raw ---- */

/* Channels of a frame: those that were on, or all four. */
static int64_t raw_channels(const experiment *e, uint64_t size)
{
    uint64_t plane = 2 * (uint64_t)(e->width * e->height);

    if (e->only_enabled >= 0)
        return e->only_enabled ? n_enabled(e) : MOST_CHANNELS;
    return e->streamed > 0 && size == plane * MOST_CHANNELS * (uint64_t)e->streamed ? MOST_CHANNELS : n_enabled(e);
}

static nset_status lay_out_raw(nset_movie_layout *l, const experiment *e, const char *path, nset_error *err)
{
    nset_page_kind k = { .width = (uint32_t)e->width,
        .height = (uint32_t)e->height,
        .samples = 1,
        .bits = 16,
        .format = 1,
        .compression = 1,
        .photometric = 1,
        .planar = 1,
        .predictor = 1,
        .fill_order = 1 };
    bool volumes = e->streaming && e->fast_z && e->steps > 1;
    int64_t z = volumes ? e->steps : 1, back = volumes ? e->flyback : 0, c, each, n;
    uint64_t plane = 2 * (uint64_t)(e->width * e->height);
    nset_status status;
    struct stat s;

    if (stat(path, &s))
        return nset_fail(err, NSET_ERR_FORMAT, "%s: %s", path, strerror(errno));
    c = raw_channels(e, (uint64_t)s.st_size);
    each = c * (z + back);
    n = (int64_t)((uint64_t)s.st_size / plane / (uint64_t)each);
    if ((status = nset_pages_add_raw(&l->pages, path, &k, 0, (uint64_t)(n * each), false, err)) != NSET_OK ||
        (status = nset_grow(&l->picture, &l->picture_room, (size_t)(n * z * c), sizeof *l->picture, err)) != NSET_OK)
        return status;
    for (int64_t t = 0, i = 0; t < n; t++)
        for (int64_t p = 0; p < z * c; p++)
            l->picture[i++] = t * each + p;
    l->shape_from = "Experiment.xml";
    l->n_frames = n;
    l->n_channels = (size_t)c;
    l->n_planes = (size_t)z;
    nset_movie_fact(l, "frames", "bytes of the raw file and sizes in Experiment.xml", "%lld", (long long)n);
    if ((uint64_t)s.st_size % (plane * (uint64_t)each))
        nset_movie_warn(l, "%s: the last %llu bytes are no whole frame: left out", path,
            (unsigned long long)((uint64_t)s.st_size % (plane * (uint64_t)each)));
    if (e->streamed > 0 && n != e->streamed / (z + back))
        nset_movie_warn(l, "%s: Experiment.xml states %lld frames, the file holds %lld", path,
            (long long)(e->streamed / (z + back)), (long long)n);
    if (back)
        nset_movie_warn(l, "%lld frames of the way back are left out: the last %lld of each volume",
            (long long)(n * back), (long long)back);
    return NSET_OK;
}

/* ---- a TIFF file a picture ---- */

typedef struct picture {
    nset_named_file file;
    int64_t z, t;
    char channel[64];
} picture;

/* ChanA_0001_0001_0003_0002.tif: site, tile, depth, time. */
static bool parse_name(picture *p, const char *name)
{
    const char *at = strchr(name, '_');
    int64_t group[8] = { 0 };
    int n = 0;

    if (!is_frame_name(name) || !nset_has_tiff_name(name))
        return false;
    snprintf(p->channel, sizeof p->channel, "%.*s", (int)(at - name), name);
    for (; *at == '_' && n < 8; n++) {
        char *end;
        group[n] = strtoll(at + 1, &end, 10);
        at = end;
    }
    p->z = n > 1 ? group[n - 2] : 1;
    p->t = n > 0 ? group[n - 1] : 1;
    return n > 0 && *at == '.';
}

static nset_status list_pictures(picture **out, size_t *n, const char *index, nset_error *err)
{
    char folder[4096];
    nset_status status = NSET_OK;
    struct dirent *entry;
    size_t room = 0;
    DIR *dir;

    nset_path_beside(folder, sizeof folder, index, ".");
    if (!(dir = opendir(folder)))
        return nset_fail(err, NSET_ERR_FORMAT, "%s: %s", folder, strerror(errno));
    while (status == NSET_OK && (entry = readdir(dir))) {
        picture p = { 0 };
        if (!parse_name(&p, entry->d_name))
            continue;
        status = nset_grow(out, &room, *n + 1, sizeof **out, err);
        if (status == NSET_OK && !(p.file.name = nset_strdup(entry->d_name)))
            status = nset_fail_oom(err, strlen(entry->d_name), 1);
        if (status == NSET_OK)
            (*out)[(*n)++] = p;
    }
    closedir(dir);
    return status;
}

/* The channel's place among the names of Experiment.xml that have files; -1: none of them. */
static int64_t channel_place(const nset_movie_layout *l, const char *name)
{
    for (size_t c = 0; c < l->n_channels; c++)
        if (!strcmp(l->channel[c].name, name))
            return (int64_t)c;
    return -1;
}

static nset_status find_channels(nset_movie_layout *l, const picture *p, size_t n, nset_error *err)
{
    size_t room = 0;
    nset_status status;

    for (char letter = 'A'; letter <= 'Z'; letter++)
        for (size_t i = 0; i < n; i++) {
            if (p[i].channel[strlen(p[i].channel) - 1] != letter || channel_place(l, p[i].channel) >= 0)
                continue;
            if ((status = nset_grow(&l->channel, &room, l->n_channels + 1, sizeof *l->channel, err)) != NSET_OK)
                return status;
            snprintf(l->channel[l->n_channels++].name, sizeof l->channel->name, "%s", p[i].channel);
        }
    return l->n_channels ? NSET_OK : nset_fail(err, NSET_ERR_FORMAT, "Experiment.xml has no pictures beside it");
}

static nset_status place_pictures(nset_movie_layout *l, const picture *p, size_t n, const char *index, nset_error *err)
{
    int64_t z = 0, t = 0, *at;
    size_t channels = l->n_channels, each;
    nset_status status;

    for (size_t i = 0; i < n; i++) {
        z = p[i].z > z ? p[i].z : z;
        t = p[i].t > t ? p[i].t : t;
    }
    if (z < 1 || t < 1 || z * t > 64 * (int64_t)n) /* numbers far beyond the files there are */
        return nset_fail(err, NSET_ERR_FORMAT, "%s: its %zu files are numbered to depth %lld and time %lld", index, n,
            (long long)z, (long long)t);
    each = (size_t)z * channels;
    if (!(at = nset_calloc((size_t)t * each, sizeof *at)))
        return nset_fail_oom(err, (size_t)t * each, sizeof *at);
    memset(at, -1, (size_t)t * each * sizeof *at);
    for (size_t i = 0; i < n; i++) {
        int64_t c = channel_place(l, p[i].channel);
        if (c >= 0 && p[i].z >= 1 && p[i].t >= 1 && p[i].file.n_pages > 0)
            at[((size_t)(p[i].t - 1) * (size_t)z + (size_t)(p[i].z - 1)) * channels + (size_t)c] = p[i].file.first;
    }
    status = nset_keep_whole(l, at, t, (size_t)z, channels, index, "the numbering of the files", err);
    nset_free(at);
    return status;
}

static nset_status lay_out_tiff(nset_movie_layout *l, const char *index, nset_error *err)
{
    picture *p = NULL;
    nset_named_file **list = NULL;
    size_t n = 0, opened = 0;
    nset_status status = list_pictures(&p, &n, index, err);

    if (status == NSET_OK && !(list = nset_calloc(n, sizeof *list)))
        status = nset_fail_oom(err, n, sizeof *list);
    for (size_t i = 0; i < n && list; i++)
        list[i] = &p[i].file;
    if (status == NSET_OK && (status = find_channels(l, p, n, err)) == NSET_OK &&
        (status = nset_open_named(l, list, n, index, "the folder", &opened, err)) == NSET_OK)
        status = place_pictures(l, p, n, index, err);
    if (status == NSET_OK) {
        nset_movie_fact(l, "frames", "names of the files", "%lld", (long long)l->n_frames);
        nset_movie_fact(l, "files", "the folder", "%zu", opened);
    }
    for (size_t i = 0; i < n; i++)
        nset_free(p[i].file.name);
    nset_free(p);
    nset_free(list);
    return status;
}

/* ---- the whole ---- */

/* raw (n) := the raw file named, or the one of the folder; "" when there is none. */
static void find_raw(char *raw, size_t n, const nset_movie_input *in, const char *index)
{
    char folder[4096];
    struct dirent *entry;
    DIR *dir;

    *raw = '\0';
    if (!in->folder && nset_path_ends(in->path[0], ".raw")) {
        snprintf(raw, n, "%s", in->path[0]);
        return;
    }
    nset_path_beside(folder, sizeof folder, index, ".");
    if (!(dir = opendir(folder)))
        return;
    while ((entry = readdir(dir)))
        if (!strncmp(entry->d_name, "Image_", 6) && nset_path_ends(entry->d_name, ".raw") &&
            (!*raw || nset_natural_order(entry->d_name, raw) < 0))
            snprintf(raw, n, "%s", entry->d_name);
    closedir(dir);
    if (*raw) {
        snprintf(folder, sizeof folder, "%s", raw);
        nset_path_beside(raw, n, index, folder);
    }
}

static void tell(nset_movie_layout *l, const experiment *e, const char *index)
{
    bool volumes = e->streaming && e->fast_z && e->steps > 1;
    double each = volumes ? (double)(e->steps + e->flyback) : 1;

    nset_movie_fact(l, "index", "the folder", "%s", index);
    nset_movie_fact(l, "channels", "Experiment.xml", "%zu", l->n_channels);
    nset_movie_fact(l, "planes", "Experiment.xml", "%zu", l->n_planes);
    if (e->streaming && e->rate_hz > 0) {
        l->rate_hz = e->rate_hz / each / e->averaged;
        l->rate_from = e->averaged > 1 ? "frameRate, steps and averaging in Experiment.xml"
                                       : "frameRate and steps in Experiment.xml";
    } else if (e->interval_s > 0) {
        l->rate_hz = 1 / e->interval_s;
        l->rate_from = "intervalSec of Timelapse in Experiment.xml";
    } else if (e->rate_hz > 0) {
        nset_movie_warn(l,
            "Experiment.xml's %.6g Hz is the scanner's, not that of the stored frames, which it does not tell",
            e->rate_hz);
    }
    if (e->pixel_um > 0) {
        l->pixel_height_um = l->pixel_width_um = e->pixel_um;
        l->pixel_from = "pixelSizeUM in Experiment.xml";
    }
}

static nset_status read_thorlabs(nset_movie_layout *l, const nset_movie_input *in, nset_error *err)
{
    char index[4096], raw[4096];
    nset_status status;
    experiment e;

    find_index(index, sizeof index, in);
    if ((status = read_index(&e, index, err)) != NSET_OK)
        return status;
    find_raw(raw, sizeof raw, in, index);
    if (*raw) {
        if ((status = lay_out_raw(l, &e, raw, err)) == NSET_OK)
            status = name_channels(l, &e, l->n_channels, err);
    } else {
        status = lay_out_tiff(l, index, err);
    }
    if (status == NSET_OK)
        tell(l, &e, index);
    return status;
}

const nset_movie_reader nset_movie_thorlabs = { "thorlabs", knows, read_thorlabs, NULL };
