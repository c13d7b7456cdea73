/* Bruker (Prairie View): an XML file lists sequences of frames, and for each frame a file and page a channel. */
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <neuroset/memory.h>

#include "imaging/movie_input.h"
#include "imaging/named_files.h"
#include "results/small_files.h"
#include "results/xml.h"

enum { MOST_TEXT = 1 << 29, MOST_CHANNELS = 64, PROBE = 4096 };

static bool is_index(const char *path)
{
    char start[PROBE + 1] = "";
    FILE *f = fopen(path, "rb");
    size_t n = f ? fread(start, 1, PROBE, f) : 0;

    if (f)
        fclose(f);
    start[n] = '\0';
    return strstr(start, "<PVScan") != NULL;
}

/* path (n) := the XML file of what was named; false: there is none. */
static bool find_index(char *path, size_t n, const nset_movie_input *in)
{
    struct dirent *entry;
    const char *cycle;
    bool found = false;
    DIR *dir;

    if (!in->folder) {
        snprintf(path, n, "%s", in->n == 1 ? in->path[0] : "");
        if (nset_path_ends(path, ".xml"))
            return is_index(path);
        cycle = strstr(path, "_Cycle");
        if (in->n != 1 || !in->is_tiff || !cycle || strchr(cycle, '/'))
            return false;
        snprintf(path + (cycle - path), n - (size_t)(cycle - path), ".xml");
        return is_index(path);
    }
    if (!(dir = opendir(in->folder)))
        return false;
    while (!found && (entry = readdir(dir))) {
        if (entry->d_name[0] == '.' || !nset_path_ends(entry->d_name, ".xml"))
            continue;
        snprintf(path, n, "%s/%s", in->folder, entry->d_name);
        found = is_index(path);
    }
    closedir(dir);
    return found;
}

static bool knows(const nset_movie_input *in)
{
    char path[4096];

    return find_index(path, sizeof path, in);
}

/* ---- the index ---- */

typedef struct picture {
    nset_named_file file;
    size_t frame;
    int channel;
    int64_t page; /* from 1 on */
} picture;

typedef struct sequence {
    size_t first, n; /* frames */
    bool volume, backwards;
} sequence;

typedef struct scan {
    picture *picture;
    size_t n_pictures, picture_room;
    double *time; /* of the frames */
    size_t n_frames, time_room;
    sequence *sequence;
    size_t n_sequences, sequence_room;
    int number[MOST_CHANNELS]; /* of the channels, rising */
    nset_layout_channel name[MOST_CHANNELS];
    size_t n_channels;
    double period_s, rasters, height_um, width_um;
    double stage[2], home[2]; /* where the stage stands, and stood at the first frame */
    bool moved;
    char key[64], index[64]; /* of the value that is being read */
} scan;

static void scan_fini(scan *s)
{
    for (size_t i = 0; i < s->n_pictures; i++)
        nset_free(s->picture[i].file.name);
    nset_free(s->picture);
    nset_free(s->time);
    nset_free(s->sequence);
}

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

/* A value of the state; those of a frame hold from there on. */
static void take_value(scan *s, const nset_xml_tag *tag)
{
    double x = number(tag, "value", NAN);

    if (isnan(x))
        return;
    if (!strcmp(s->key, "framePeriod"))
        s->period_s = x;
    else if (!strcmp(s->key, "rastersPerFrame"))
        s->rasters = x;
    else if (!strcmp(s->key, "micronsPerPixel") && !strcmp(s->index, "XAxis"))
        s->width_um = x;
    else if (!strcmp(s->key, "micronsPerPixel") && !strcmp(s->index, "YAxis"))
        s->height_um = x;
    else if (!strcmp(s->key, "positionCurrent") && !strcmp(s->index, "XAxis"))
        s->stage[1] = x;
    else if (!strcmp(s->key, "positionCurrent") && !strcmp(s->index, "YAxis"))
        s->stage[0] = x;
}

static nset_status take_sequence(scan *s, const nset_xml_tag *tag, nset_error *err)
{
    char type[64], backwards[16];
    nset_status status = nset_grow(&s->sequence, &s->sequence_room, s->n_sequences + 1, sizeof *s->sequence, err);

    if (status != NSET_OK)
        return status;
    nset_xml_get(tag, "type", type, sizeof type);
    nset_xml_get(tag, "bidirectionalZ", backwards, sizeof backwards);
    s->sequence[s->n_sequences++] =
        (sequence){ s->n_frames, 0, strstr(type, "ZSeries") != NULL, !strcmp(backwards, "True") };
    return NSET_OK;
}

static nset_status take_frame(scan *s, const nset_xml_tag *tag, nset_error *err)
{
    nset_status status = s->n_sequences ? NSET_OK : take_sequence(s, tag, err);

    if (status != NSET_OK ||
        (status = nset_grow(&s->time, &s->time_room, s->n_frames + 1, sizeof *s->time, err)) != NSET_OK)
        return status;
    s->time[s->n_frames++] = number(tag, "absoluteTime", NAN);
    s->sequence[s->n_sequences - 1].n++;
    return NSET_OK;
}

static nset_status take_file(scan *s, const nset_xml_tag *tag, nset_error *err)
{
    char path[1024], name[256];
    picture p = { .page = (int64_t)number(tag, "page", 1), .channel = (int)number(tag, "channel", 1) };
    size_t c = 0, at;
    nset_status status;

    if (s->n_frames == 0 || !nset_xml_get(tag, "filename", path, sizeof path))
        return NSET_OK;
    nset_base_name(name, sizeof name, path);
    p.frame = s->n_frames - 1;
    while (c < s->n_channels && s->number[c] < p.channel)
        c++;
    if (c == s->n_channels || s->number[c] != p.channel) {
        if (s->n_channels == MOST_CHANNELS)
            return nset_fail(err, NSET_ERR_FORMAT, "%s: more than %d channels", name, MOST_CHANNELS);
        for (at = s->n_channels++; at > c; at--) {
            s->number[at] = s->number[at - 1];
            s->name[at] = s->name[at - 1];
        }
        s->number[c] = p.channel;
        nset_xml_get(tag, "channelName", s->name[c].name, sizeof s->name[c].name);
    }
    if ((status = nset_grow(&s->picture, &s->picture_room, s->n_pictures + 1, sizeof *s->picture, err)) != NSET_OK)
        return status;
    if (!(p.file.name = nset_strdup(name)))
        return nset_fail_oom(err, strlen(name), 1);
    s->picture[s->n_pictures++] = p;
    return NSET_OK;
}

/* At the end of a frame's words: has the stage gone elsewhere? */
static void watch_stage(scan *s)
{
    for (int k = 0; k < 2; k++) {
        if (isnan(s->home[k]))
            s->home[k] = s->stage[k];
        s->moved = s->moved || fabs(s->stage[k] - s->home[k]) > 1;
    }
}

static nset_status take_tag(scan *s, const nset_xml_tag *tag, nset_error *err)
{
    if (!tag->opens) {
        if (!strcmp(tag->name, "Frame"))
            watch_stage(s);
        return NSET_OK;
    }
    if (!strcmp(tag->name, "Sequence"))
        return take_sequence(s, tag, err);
    if (!strcmp(tag->name, "Frame"))
        return take_frame(s, tag, err);
    if (!strcmp(tag->name, "File"))
        return take_file(s, tag, err);
    if (!strcmp(tag->name, "PVStateValue") || !strcmp(tag->name, "Key")) {
        nset_xml_get(tag, "key", s->key, sizeof s->key);
        s->index[0] = '\0';
        take_value(s, tag);
    } else if (!strcmp(tag->name, "IndexedValue") || !strcmp(tag->name, "SubindexedValues")) {
        nset_xml_get(tag, "index", s->index, sizeof s->index);
        take_value(s, tag);
    } else if (!strcmp(tag->name, "SubindexedValue") && number(tag, "subindex", 0) < .5) {
        take_value(s, tag);
    }
    return NSET_OK;
}

static nset_status read_index(scan *s, const char *path, nset_error *err)
{
    nset_status status;
    nset_xml_tag tag;
    nset_xml x;
    char *text = NULL;

    *s = (scan){ .rasters = 1, .stage = { NAN, NAN }, .home = { NAN, NAN } };
    if ((status = nset_read_text(&text, path, MOST_TEXT, err)) != NSET_OK)
        return status;
    for (x.at = text; status == NSET_OK && nset_xml_next(&x, &tag);)
        status = take_tag(s, &tag, err);
    nset_free(text);
    if (status == NSET_OK && s->n_pictures == 0)
        return nset_fail(
            err, NSET_ERR_FORMAT, "%s: it names no picture; raw data are converted by Prairie View's own ripper", path);
    if (status == NSET_OK && s->moved)
        return nset_fail(err, NSET_ERR_FORMAT,
            "%s: the stage moved by more than 1 um between frames: these are several places, not one movie", path);
    return status;
}

/* ---- axes ---- */

/* Place of each frame: its volume and depth; t -1: of a sequence that is no volume among volumes. */
typedef struct place {
    int64_t t, z;
} place;

static place *find_places(const scan *s, int64_t *n_t, size_t *n_z, nset_error *err)
{
    place *p = nset_calloc(s->n_frames, sizeof *p);
    bool volumes = false;

    if (!p) {
        nset_fail_oom(err, s->n_frames, sizeof *p);
        return NULL;
    }
    *n_t = 0;
    *n_z = 1;
    for (size_t i = 0; i < s->n_sequences; i++)
        volumes = volumes || (s->sequence[i].volume && s->sequence[i].n > 1);
    for (size_t i = 0; i < s->n_sequences; i++) {
        const sequence *q = &s->sequence[i];
        for (size_t k = 0; k < q->n; k++) {
            place *at = &p[q->first + k];
            bool turn = q->backwards && *n_t % 2;
            if (!volumes)
                *at = (place){ (*n_t)++, 0 };
            else
                *at = (place){ q->volume ? *n_t : -1, (int64_t)(turn ? q->n - 1 - k : k) };
        }
        if (volumes && q->volume) {
            *n_z = q->n > *n_z ? q->n : *n_z;
            ++*n_t;
        }
    }
    return p;
}

static nset_status place_pictures(nset_movie_layout *l, const scan *s, const char *index, nset_error *err)
{
    size_t n_z, each;
    int64_t n_t, *at;
    place *p = find_places(s, &n_t, &n_z, err);
    nset_status status = NSET_OK;

    if (!p)
        return NSET_ERR_NOMEM;
    each = n_z * s->n_channels;
    if (!(at = nset_calloc((size_t)n_t * each, sizeof *at)))
        status = nset_fail_oom(err, (size_t)n_t * each, sizeof *at);
    else
        memset(at, -1, (size_t)n_t * each * sizeof *at);
    for (size_t i = 0; i < s->n_pictures && at; i++) {
        const picture *q = &s->picture[i];
        size_t c = 0;
        while (s->number[c] != q->channel)
            c++;
        if (p[q->frame].t >= 0 && q->page >= 1 && q->page <= q->file.n_pages)
            at[(size_t)p[q->frame].t * each + (size_t)p[q->frame].z * s->n_channels + c] = q->file.first + q->page - 1;
    }
    if (status == NSET_OK)
        status = nset_keep_whole(l, at, n_t, n_z, s->n_channels, index, "the XML file", err);
    nset_free(at);
    nset_free(p);
    return status;
}

/* ---- the whole ---- */

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Median step from frame to frame, or from volume to volume; the times are overwritten. */
static double step_of(scan *s, bool volumes)
{
    size_t n = 0, m = 0;

    if (volumes) {
        for (size_t i = 0; i < s->n_sequences; i++)
            if (s->sequence[i].volume && s->sequence[i].n)
                s->time[n++] = s->time[s->sequence[i].first];
    } else {
        n = s->n_frames;
    }
    for (size_t i = 1; i < n; i++)
        if (s->time[i] > s->time[i - 1])
            s->time[m++] = s->time[i] - s->time[i - 1];
    if (m == 0)
        return 0;
    qsort(s->time, m, sizeof *s->time, by_size);
    return m % 2 ? s->time[m / 2] : (s->time[m / 2 - 1] + s->time[m / 2]) / 2;
}

static nset_status tell(nset_movie_layout *l, scan *s, const char *index, size_t n_files, nset_error *err)
{
    static const char *const from = "the XML file";
    double step = step_of(s, l->n_planes > 1);

    nset_movie_fact(l, "index", "the folder", "%s", index);
    nset_movie_fact(l, "files", from, "%zu", n_files);
    nset_movie_fact(l, "frames", from, "%lld", (long long)l->n_frames);
    nset_movie_fact(l, "channels", from, "%zu", l->n_channels);
    nset_movie_fact(l, "planes", from, "%zu", l->n_planes);
    if (step > 0) {
        l->rate_hz = 1 / step;
        l->rate_from = "absoluteTime of the frames in the XML file";
    } else if (s->period_s > 0) {
        l->rate_hz = 1 / (s->period_s * (s->rasters >= 1 ? s->rasters : 1) * (double)l->n_planes);
        l->rate_from = "framePeriod and rastersPerFrame in the XML file";
    }
    if (s->height_um > 0 && s->width_um > 0) {
        l->pixel_height_um = s->height_um;
        l->pixel_width_um = s->width_um;
        l->pixel_from = "micronsPerPixel in the XML file";
    }
    if (!(l->channel = nset_calloc(s->n_channels, sizeof *l->channel)))
        return nset_fail_oom(err, s->n_channels, sizeof *l->channel);
    memcpy(l->channel, s->name, s->n_channels * sizeof *l->channel);
    return NSET_OK;
}

static nset_status read_bruker(nset_movie_layout *l, const nset_movie_input *in, nset_error *err)
{
    nset_named_file **list = NULL;
    size_t opened = 0;
    char index[4096];
    nset_status status;
    scan s;

    find_index(index, sizeof index, in);
    status = read_index(&s, index, err);
    if (status == NSET_OK && !(list = nset_calloc(s.n_pictures, sizeof *list)))
        status = nset_fail_oom(err, s.n_pictures, sizeof *list);
    for (size_t i = 0; i < s.n_pictures && list; i++)
        list[i] = &s.picture[i].file;
    if (status == NSET_OK &&
        (status = nset_open_named(l, list, s.n_pictures, index, "the XML file", &opened, err)) == NSET_OK &&
        opened == 0)
        status = nset_fail(err, NSET_ERR_FORMAT,
            "%s: none of the pictures that it names is there; raw data are converted by Prairie View's own ripper",
            index);
    if (status == NSET_OK && (status = place_pictures(l, &s, index, err)) == NSET_OK)
        status = tell(l, &s, index, opened, err);
    nset_free(list);
    scan_fini(&s);
    return status;
}

const nset_movie_reader nset_movie_bruker = { "bruker", knows, read_bruker, NULL };
