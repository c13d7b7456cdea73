#include "imaging/movie.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include <neuroset/memory.h>

#include "imaging/movie_input.h"

/* Tried in this order; the first that knows what was named reads it. */
static const nset_movie_reader *const readers[] = { &nset_movie_thorlabs, &nset_movie_bruker, &nset_movie_mmfolder,
    &nset_movie_nwb, &nset_movie_hdf5, &nset_movie_npy, &nset_movie_scanimage, &nset_movie_micromanager,
    &nset_movie_ome, &nset_movie_imagej, &nset_movie_plain };
enum { N_READERS = sizeof readers / sizeof *readers };

typedef struct file_movie {
    nset_movie base;
    nset_movie_layout l;
    int64_t *picture; /* (n_frames) of the chosen channel and plane */
    size_t sample;    /* of a page's pixels */
} file_movie;

/* ---- frames ---- */

/* By its bits, so that the loop runs in vectors. */
static bool all_finite(const float *x, size_t n)
{
    uint32_t bad = 0, bits;

    for (size_t i = 0; i < n; i++) {
        memcpy(&bits, &x[i], sizeof bits);
        bad |= (bits & 0x7f800000u) == 0x7f800000u;
    }
    return !bad;
}

/* Pixels that are no numbers are given the mean of the others, in the order of the pixels. */
static int fill_missing(float *frame, size_t n)
{
    size_t finite = 0;
    double sum = 0;
    float mean;

    if (all_finite(frame, n))
        return NSET_FRAME_FULL;
    for (size_t i = 0; i < n; i++)
        if (isfinite(frame[i])) {
            sum += (double)frame[i];
            finite++;
        }
    mean = finite ? (float)(sum / (double)finite) : 0;
    for (size_t i = 0; i < n; i++)
        frame[i] = isfinite(frame[i]) ? frame[i] : mean;
    return finite ? NSET_FRAME_PARTLY : NSET_FRAME_EMPTY;
}

/* The rows of the frame out of a picture of several fields. */
static nset_status read_part(file_movie *m, float *frame, int64_t picture, nset_error *err)
{
    const nset_page_kind *k = &m->l.pages.kind[m->l.pages.page[picture].kind];
    float *whole = nset_calloc((size_t)k->width * k->height, sizeof *whole);
    nset_status status;

    if (!whole)
        return nset_fail_oom(err, (size_t)k->width * k->height, sizeof *whole);
    if ((status = nset_pages_read(&m->l.pages, whole, (size_t)picture, m->sample, err)) == NSET_OK)
        for (size_t y = 0; y < m->base.height; y++)
            memcpy(frame + y * m->base.width, whole + (m->l.top + y) * k->width, m->base.width * sizeof *frame);
    nset_free(whole);
    return status;
}

static nset_status read_frame(nset_movie *self, float *frame, int64_t index, nset_error *err)
{
    file_movie *m = (file_movie *)self;
    size_t n = self->height * self->width;
    int met = NSET_FRAME_FULL;
    nset_status status;

    if (index < 0 || index >= self->n_frames)
        return nset_fail(err, NSET_ERR_ARG, "frame %lld of %lld", (long long)index, (long long)self->n_frames);
    if (m->l.pictures)
        status = m->l.pictures->read(m->l.pictures, frame, m->picture[index], err);
    else if (m->l.height)
        status = read_part(m, frame, m->picture[index], err);
    else
        status = nset_pages_read(&m->l.pages, frame, (size_t)m->picture[index], m->sample, err);
    if (status != NSET_OK)
        return status;
    if (m->l.add != 0)
        for (size_t i = 0; i < n; i++)
            frame[i] += (float)m->l.add;
    if (self->dtype[0] == 'f')
        met = fill_missing(frame, n);
    if (n > 1 && !memcmp(frame, frame + 1, (n - 1) * sizeof *frame)) /* ends at the first pixel that differs */
        met = NSET_FRAME_EMPTY;
    __atomic_store_n(&self->met[index], (unsigned char)met, __ATOMIC_RELAXED); /* the same from any thread */
    return NSET_OK;
}

size_t nset_movie_met(const nset_movie *m, int kind, char *text, size_t room)
{
    size_t n = 0, shown = 0;

    *text = '\0';
    for (int64_t t = 0; t < m->n_frames && m->met; t++) {
        if (m->met[t] != kind)
            continue;
        if (n++ < 10 && ++shown)
            snprintf(text + strlen(text), room - strlen(text), "%s%lld", n > 1 ? ", " : "", (long long)t);
    }
    if (n > shown)
        snprintf(text + strlen(text), room - strlen(text), " and %zu more", n - shown);
    return n;
}

static void close_movie(nset_movie *self)
{
    file_movie *m = (file_movie *)self;

    json_decref(self->facts);
    json_decref(self->warnings);
    nset_movie_layout_fini(&m->l);
    nset_free(m->picture);
    nset_free(self->met);
    nset_free(m);
}

void nset_movie_close(nset_movie *m)
{
    if (m)
        m->close(m);
}

/* ---- which channel, which plane ---- */

static void list_channels(char *text, size_t n, const nset_movie_layout *l, size_t n_channels)
{
    snprintf(text, n, n_channels > 1 ? "1 to %zu" : "%zu, no other", n_channels);
    for (size_t c = 0; c < l->n_channels && l->channel && n_channels == l->n_channels; c++)
        snprintf(text + strlen(text), n - strlen(text), "%s%s", c ? ", " : ": ", l->channel[c].name);
}

static nset_status choose_channel(file_movie *m, const char *wanted, nset_error *err)
{
    size_t n = m->base.n_channels;
    char names[400], *end;
    long number = wanted ? strtol(wanted, &end, 10) : 1;

    list_channels(names, sizeof names, &m->l, n);
    if (!wanted) {
        if (n > 1)
            nset_movie_warn(&m->l, "%zu channels (%s): the first is read; --channel chooses another", n, names);
        return NSET_OK;
    }
    for (size_t c = 0; c < m->l.n_channels && m->l.channel; c++)
        if (n == m->l.n_channels && !strcasecmp(m->l.channel[c].name, wanted)) {
            m->base.channel = c;
            return NSET_OK;
        }
    if (end == wanted || *end || number < 1 || (size_t)number > n)
        return nset_fail(err, NSET_ERR_ARG, "--channel %s: the movie's channels are %s", wanted, names);
    m->base.channel = (size_t)number - 1;
    return NSET_OK;
}

static nset_status choose_plane(file_movie *m, long wanted, nset_error *err)
{
    size_t n = m->base.n_planes;

    if (wanted > 0 && (size_t)wanted > n)
        return nset_fail(err, NSET_ERR_ARG, "--plane %ld: the movie has %zu plane%s", wanted, n, n == 1 ? "" : "s");
    if (wanted == 0 && n > 1)
        nset_movie_warn(&m->l, "%zu planes: the first is read; --plane chooses another", n);
    m->base.plane = wanted > 0 ? (size_t)wanted - 1 : 0;
    return NSET_OK;
}

static nset_status choose_pictures(file_movie *m, nset_error *err)
{
    size_t samples = m->l.pictures ? 1 : m->l.pages.kind[0].samples, c = m->base.channel / samples;

    m->sample = m->base.channel % samples;
    m->picture = nset_calloc((size_t)m->base.n_frames, sizeof *m->picture);
    m->base.met = nset_calloc((size_t)m->base.n_frames, 1);
    if (!m->picture || !m->base.met)
        return nset_fail_oom(err, (size_t)m->base.n_frames, sizeof *m->picture);
    for (int64_t t = 0; t < m->base.n_frames; t++)
        m->picture[t] = m->l.picture[((size_t)t * m->l.n_planes + m->base.plane) * m->l.n_channels + c];
    return NSET_OK;
}

/* ---- facts ---- */

static bool has_fact(const nset_movie_layout *l, const char *name)
{
    json_t *item;
    size_t i;

    json_array_foreach(
        l->facts, i, item) if (!strcmp(json_string_value(json_object_get(item, "name")), name)) return true;
    return false;
}

/* The facts that every movie has, of which the reader has not spoken. */
static void common_facts(file_movie *m, const nset_movie_input *in)
{
    const nset_movie *b = &m->base;
    nset_movie_layout *l = &m->l;
    const nset_movie_options *o = in->options;
    const char *tags = l->shape_from ? l->shape_from : l->pictures ? "shape of the dataset" : "TIFF tags";

    nset_movie_fact(l, "format", "the file", "%s", l->format);
    if (!has_fact(l, "files"))
        nset_movie_fact(
            l, "files", in->folder ? "the folder" : "the command line", "%zu", l->pictures ? in->n : l->pages.n_files);
    if (!has_fact(l, "frames"))
        nset_movie_fact(
            l, "frames", l->pictures ? "shape of the dataset" : "pages of the file", "%lld", (long long)b->n_frames);
    if (!has_fact(l, "channels"))
        nset_movie_fact(
            l, "channels", l->n_channels < b->n_channels ? "samples of a pixel" : tags, "%zu", b->n_channels);
    if (!has_fact(l, "planes"))
        nset_movie_fact(l, "planes", tags, "%zu", b->n_planes);
    if (b->n_channels > 1)
        nset_movie_fact(l, "channel", o->channel ? "--channel" : "the first, none was chosen", "%zu%s%s",
            b->channel + 1, l->channel && l->n_channels == b->n_channels ? ": " : "",
            l->channel && l->n_channels == b->n_channels ? l->channel[b->channel].name : "");
    if (b->n_planes > 1)
        nset_movie_fact(l, "plane", o->plane ? "--plane" : "the first, none was chosen", "%zu", b->plane + 1);
    nset_movie_fact(l, "height", tags, "%zu pixels", b->height);
    nset_movie_fact(l, "width", tags, "%zu pixels", b->width);
    nset_movie_fact(l, "dtype", tags, "%s", b->dtype);
    if (b->rate_hz > 0)
        nset_movie_fact(l, "rate", o->rate_hz > 0 ? "--rate" : l->rate_from, "%.10g Hz", b->rate_hz);
    else
        nset_movie_warn(
            l, "the frame rate is not known; give it with --rate (10 Hz is assumed where a rate is needed)");
    if (b->pixel_um > 0 && b->pixel_height_um == b->pixel_width_um)
        nset_movie_fact(l, "pixel", o->pixel_um > 0 ? "--pixel" : l->pixel_from, "%.6g um", b->pixel_um);
    else if (b->pixel_um > 0)
        nset_movie_fact(
            l, "pixel", l->pixel_from, "%.6g x %.6g um (height x width)", b->pixel_height_um, b->pixel_width_um);
    if (l->pages.n_pages && l->pages.kind[0].photometric == 0 && l->pages.type.kind == 'u' && l->pages.page[0].ifd)
        nset_movie_warn(l, "white is 0 in this file: numbers are turned, the brightest is %s's largest", b->dtype);
    if (l->pages.n_pages && l->pages.kind[0].compression == 1 && l->pages.kind[0].predictor > 1)
        nset_movie_warn(l, "the pages name a predictor and no compression: the predictor is not applied");
    if (l->pages.n_pages && l->pages.kind[0].compression == 7)
        nset_movie_warn(l, "the frames are compressed as JPEG, with loss");
}

/* Common facts first, in one order; then what the reader alone knows. */
static json_t *ordered_facts(const nset_movie_layout *l)
{
    static const char *const order[] = { "format", "files", "frames", "channels", "channel", "planes", "plane",
        "height", "width", "dtype", "rate", "pixel" };
    json_t *list = json_array(), *item;
    size_t i;

    for (size_t k = 0; k < sizeof order / sizeof *order; k++)
        json_array_foreach(l->facts, i, item) if (!strcmp(json_string_value(json_object_get(item, "name")), order[k]))
            json_array_append(list, item);
    json_array_foreach(l->facts, i, item)
    {
        bool listed = false;
        for (size_t k = 0; k < sizeof order / sizeof *order; k++)
            listed = listed || !strcmp(json_string_value(json_object_get(item, "name")), order[k]);
        if (!listed)
            json_array_append(list, item);
    }
    return list;
}

/* ---- opening ---- */

static nset_status settle(file_movie *m, const nset_movie_input *in, nset_error *err)
{
    nset_movie_layout *l = &m->l;
    nset_movie *b = &m->base;
    const nset_movie_options *o = in->options;
    nset_status status;

    if (l->n_frames < 1)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: no whole frame is in it", in->n ? in->path[0] : in->folder);
    b->format = l->format;
    b->n_frames = l->n_frames;
    b->n_planes = l->n_planes;
    b->n_channels = l->n_channels * (l->pictures ? 1 : l->pages.kind[0].samples);
    b->height = l->pictures ? l->pictures->height : l->height ? l->height : l->pages.kind[0].height;
    b->width = l->pictures ? l->pictures->width : l->height ? l->width : l->pages.kind[0].width;
    b->dtype = l->pictures ? l->dtype : nset_sample_name(l->pages.type);
    b->rate_hz = o->rate_hz > 0 ? o->rate_hz : l->rate_hz;
    b->pixel_height_um = o->pixel_um > 0 ? o->pixel_um : l->pixel_height_um;
    b->pixel_width_um = o->pixel_um > 0 ? o->pixel_um : l->pixel_width_um;
    b->pixel_um = sqrt(b->pixel_height_um * b->pixel_width_um);
    if (o->roi > 0 && !l->height)
        return nset_fail(err, NSET_ERR_ARG, "--roi %ld: the movie has one field", o->roi);
    if ((status = choose_channel(m, o->channel, err)) != NSET_OK ||
        (status = choose_plane(m, o->plane, err)) != NSET_OK || (status = choose_pictures(m, err)) != NSET_OK)
        return status;
    common_facts(m, in);
    b->facts = ordered_facts(l);
    b->warnings = json_copy(l->warnings);
    if (!l->pictures)
        json_array_extend(b->warnings, l->pages.warnings);
    return NSET_OK;
}

/* Files of other programs, by their ending, and what turns them into something that is read here. */
static const char *other_program(const char *path)
{
    static const char *const known[][2] = { { ".lif", "Leica LAS X or Fiji" }, { ".czi", "Zeiss ZEN or Fiji" },
        { ".nd2", "Nikon NIS-Elements or Fiji" }, { ".oir", "Olympus FluoView or Fiji" },
        { ".oib", "Olympus FluoView or Fiji" }, { ".isxd", "Inscopix Data Processing" },
        { ".sbx", "Scanbox's own tools" }, { ".mesc", "Femtonics MESc" }, { ".avi", "Fiji" }, { ".mp4", "ffmpeg" },
        { ".npz", "NumPy (np.save writes .npy)" }, { ".mmap", "CaImAn (save as TIFF or HDF5)" } };

    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (nset_path_ends(path, known[i][0]))
            return known[i][1];
    return "the program that wrote it";
}

static nset_status choose_reader(const nset_movie_reader **out, const nset_movie_input *in, nset_error *err)
{
    struct stat s;

    if (in->n > 0 && stat(in->path[0], &s))
        return nset_fail(err, NSET_ERR_FORMAT, "%s: %s", in->path[0], strerror(errno));
    for (size_t i = 0; i < N_READERS; i++)
        if (readers[i]->knows(in)) {
            *out = readers[i];
            return NSET_OK;
        }
    if (in->n == 0)
        return nset_fail(
            err, NSET_ERR_FORMAT, "%s: this folder holds no TIFF file and no recording of a microscope", in->folder);
    return nset_fail(err, NSET_ERR_FORMAT, "%s: no reader knows this file; export it as TIFF, OME-TIFF or HDF5 with %s",
        in->path[0], other_program(in->path[0]));
}

nset_status nset_movie_open(
    nset_movie **out, const char *const *paths, size_t n_paths, const nset_movie_options *options, nset_error *err)
{
    file_movie *m = nset_calloc(1, sizeof *m);
    const nset_movie_reader *reader = NULL;
    nset_movie_input in = { 0 };
    nset_status status;

    if (!m)
        return nset_fail_oom(err, 1, sizeof *m);
    m->base = (nset_movie){ .read = read_frame, .concurrent = true, .close = close_movie };
    m->l.facts = json_array();
    m->l.warnings = json_array();
    if (!m->l.facts || !m->l.warnings)
        status = nset_fail_oom(err, 1, sizeof *m->l.facts);
    else if ((status = nset_pages_init(&m->l.pages, err)) == NSET_OK &&
             (status = nset_movie_input_init(&in, paths, n_paths, options, m->l.warnings, err)) == NSET_OK &&
             (status = choose_reader(&reader, &in, err)) == NSET_OK) {
        m->l.format = reader->name;
        m->l.pages.allow_missing = options->allow_missing;
        if ((status = reader->read(&m->l, &in, err)) == NSET_OK)
            status = settle(m, &in, err);
    }
    nset_movie_input_fini(&in);
    if (status != NSET_OK) {
        close_movie(&m->base);
        return status;
    }
    *out = &m->base;
    return NSET_OK;
}

bool nset_is_movie(const char *path)
{
    nset_movie_options none = { 0 };
    json_t *warnings = json_array();
    nset_movie_input in = { 0 };
    const nset_movie_reader *r = NULL;
    bool is = false;

    if (nset_movie_input_init(&in, &path, 1, &none, warnings, NULL) == NSET_OK && (in.n || in.folder))
        for (size_t i = 0; i < N_READERS && !r; i++)
            r = readers[i]->knows(&in) ? readers[i] : NULL;
    is = r && (!r->is_movie || r->is_movie(&in));
    nset_movie_input_fini(&in);
    json_decref(warnings);
    return is;
}
