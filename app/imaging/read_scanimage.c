/* ScanImage 3.8 to 2022: channels fastest, then the slices of a volume and the frames of the way back, which are left
 * out; a slow stack has all frames of one slice, then of the next. Volumes run across the borders of files.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <neuroset/memory.h>

#include "imaging/scanimage_header.h"

enum { MOST_TEXT = 16 << 20, PAGE_TEXT = 256, MOST_TIMES = 4096 };
#define MAGIC 117637889u /* at byte 16 of BigTIFF files from 2016 on */

static bool has_magic(const nset_movie_input *in)
{
    return in->head[0] == 'I' && in->head[2] == 43 &&
           (in->head[16] | in->head[17] << 8 | in->head[18] << 16 | (uint32_t)in->head[19] << 24) == MAGIC;
}

static bool knows(const nset_movie_input *in)
{
    return in->is_tiff && (has_magic(in) || (in->software && !strncmp(in->software, "SI.", 3)) ||
                              (in->description &&
                                  (!strncmp(in->description, "state.", 6) || strstr(in->description, "scanimage.SI"))));
}

/* The text between header and first directory; NULL: none. */
static char *static_text(const nset_movie_input *in, nset_tiff_file *f)
{
    unsigned char b[4];
    nset_ifd_field field = { .type = 2, .at = 32 };

    if (!has_magic(in) || !nset_tiff_file_bytes(f, b, 24, 4))
        return NULL;
    field.count = nset_tiff_u32(f, b);
    return nset_ifd_text(f, &field, MOST_TEXT);
}

/* ---- times of the pages ---- */

typedef struct times {
    double step_s; /* median from frame to frame, 0: not told */
    int64_t gaps;  /* frames that the numbers leave out */
} times;

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Every n_channels-th page tells its frame's number and time. */
static nset_status read_times(times *out, nset_movie_layout *l, size_t n_channels, nset_error *err)
{
    double *step = nset_calloc(MOST_TIMES, sizeof *step), before = -1, last = NAN, number, seconds;
    nset_status status = step ? NSET_OK : nset_fail_oom(err, MOST_TIMES, sizeof *step);
    size_t n = 0;
    nset_ifd d;

    *out = (times){ 0 };
    for (size_t i = 0; i < l->pages.n_pages && status == NSET_OK; i += n_channels) {
        nset_tiff_file *f = &l->pages.file[l->pages.page[i].file];
        char *text;
        if (i > 0 && l->pages.page[i].file != l->pages.page[i - 1].file)
            nset_tiff_file_rest(&l->pages.file[l->pages.page[i - 1].file]);
        if ((status = nset_pages_ifd(&l->pages, i, &d, err)) != NSET_OK)
            break;
        text = nset_ifd_text(f, &d.field[NSET_IFD_DESCRIPTION], PAGE_TEXT);
        nset_scanimage_frame(text ? text : "", &number, &seconds);
        nset_free(text);
        if (before >= 0 && number > before + 1)
            out->gaps += (int64_t)(number - before) - 1;
        else if (n < MOST_TIMES && seconds > last)
            step[n++] = seconds - last;
        before = number;
        last = seconds;
    }
    for (size_t i = 0; i < l->pages.n_files; i++)
        nset_tiff_file_rest(&l->pages.file[i]);
    if (n > 0) {
        qsort(step, n, sizeof *step, by_size);
        out->step_s = n % 2 ? step[n / 2] : (step[n / 2 - 1] + step[n / 2]) / 2;
    }
    nset_free(step);
    return status;
}

static void set_rate(nset_movie_layout *l, const nset_scanimage *s, const times *t)
{
    double stored = s->frame_rate_hz / s->averaged, each = s->fast ? (double)(s->slices + s->flyback) : 1;

    l->rate_hz = stored / each;
    l->rate_from = s->averaged > 1 ? "scanFrameRate and the averaging before storing"
                   : each > 1      ? "scanFrameRate and the frames of a volume"
                                   : "frame rate in ScanImage's header";
    if (each > 1 && s->volume_rate_hz > 0 && s->averaged <= 1) {
        l->rate_hz = s->volume_rate_hz;
        l->rate_from = "volume rate in ScanImage's header";
    }
    if (t->step_s > 0 && fabs(1 / (t->step_s * each) - l->rate_hz) > .01 * l->rate_hz) {
        nset_movie_warn(l, "the frames' times say %.6g Hz, the header %.6g Hz: the times are believed",
            1 / (t->step_s * each), l->rate_hz);
        l->rate_hz = 1 / (t->step_s * each);
        l->rate_from = "times of the frames";
    }
}

/* ---- axes ---- */

static nset_status add_volumes(nset_movie_layout *l, const nset_scanimage *s, int64_t n, nset_error *err)
{
    int64_t c = s->n_channels, z = s->fast ? s->slices : 1, each = c * (z + s->flyback), left = n % each;
    nset_status status;

    l->n_channels = (size_t)c;
    l->n_planes = (size_t)z;
    l->n_frames = n / each;
    status = nset_grow(&l->picture, &l->picture_room, (size_t)(l->n_frames * z * c), sizeof *l->picture, err);
    if (status != NSET_OK)
        return status;
    for (int64_t t = 0, k = 0; t < l->n_frames; t++)
        for (int64_t i = 0; i < z * c; i++)
            l->picture[k++] = t * each + i;
    if (s->flyback)
        nset_movie_warn(l, "%lld frames of the way back are left out: the last %lld of each volume",
            (long long)(l->n_frames * s->flyback), (long long)s->flyback);
    if (left)
        nset_movie_warn(
            l, "the last %lld pages are no whole %s: left out", (long long)left, z > 1 ? "volume" : "frame");
    return NSET_OK;
}

/* frames of slice 0, then of slice 1 ...; several such stacks may follow each other. */
static nset_status add_slow_stack(
    nset_movie_layout *l, const nset_scanimage *s, int64_t n, const nset_movie_input *in, nset_error *err)
{
    int64_t c = s->n_channels, z = s->slices, f = (int64_t)((double)s->frames_per_slice / s->averaged), each, v;
    nset_status status;

    f = f < 1 ? 1 : f;
    each = c * z * f;
    v = n / each;
    if (!in->options->plane)
        return nset_fail(err, NSET_ERR_FORMAT,
            "%s: a slow stack: %lld frames at each of %lld depths, one depth after the other; --plane N makes one of "
            "them "
            "the movie",
            in->path[0], (long long)f, (long long)z);
    l->n_channels = (size_t)c;
    l->n_planes = (size_t)z;
    l->n_frames = v * f;
    if ((status = nset_grow(&l->picture, &l->picture_room, (size_t)(v * each), sizeof *l->picture, err)) != NSET_OK)
        return status;
    for (int64_t t = 0, k = 0; t < l->n_frames; t++)
        for (int64_t i = 0; i < z * c; i++)
            l->picture[k++] = t / f * each + (i / c * f + t % f) * c + i % c;
    if (n % each)
        nset_movie_warn(l, "the last %lld pages are no whole stack: left out", (long long)(n % each));
    return NSET_OK;
}

static nset_status name_channels(nset_movie_layout *l, const nset_scanimage *s, nset_error *err)
{
    if (!(l->channel = nset_calloc((size_t)s->n_channels, sizeof *l->channel)))
        return nset_fail_oom(err, (size_t)s->n_channels, sizeof *l->channel);
    for (int i = 0; i < s->n_channels; i++) {
        nset_scanimage_channel_name(s, s->channel[i], l->channel[i].name, sizeof l->channel[i].name);
        if (!l->channel[i].name[0])
            snprintf(l->channel[i].name, sizeof l->channel[i].name, "Channel %d", s->channel[i]);
    }
    return NSET_OK;
}

/* ---- several fields ---- */

/* Pixels (x, y) of field i; false: there is none, or it does not say. */
static bool field_size(json_t *rois, size_t i, int64_t *width, int64_t *height)
{
    json_t *roi = json_is_array(rois) ? json_array_get(rois, i) : i == 0 ? rois : NULL;
    json_t *scan = json_object_get(roi, "scanfields"), *size;

    scan = json_is_array(scan) ? json_array_get(scan, 0) : scan;
    size = json_object_get(scan, "pixelResolutionXY");
    *width = (int64_t)json_number_value(json_array_get(size, 0));
    *height = (int64_t)json_number_value(json_array_get(size, 1));
    return *width > 0 && *height > 0 && *width < 1 << 20 && *height < 1 << 20;
}

/* A page is a pile of fields with filling rows between them, of the same number each. */
static nset_status choose_field(nset_movie_layout *l, json_t *rois, const nset_movie_input *in, nset_error *err)
{
    int64_t n = 0, rows = 0, w, h, top = 0, filler, page = l->pages.kind[0].height, wanted = in->options->roi;

    while (field_size(rois, (size_t)n, &w, &h)) {
        rows += h;
        n++;
    }
    if (n == 0 || (n == 1 ? rows != page : page < rows || (page - rows) % (n - 1)))
        return nset_fail(err, NSET_ERR_FORMAT,
            "%s: %lld fields of %lld rows in all do not fit pages of %lld rows: which rows are which field?",
            in->path[0], (long long)n, (long long)rows, (long long)page);
    if (wanted > n)
        return nset_fail(err, NSET_ERR_ARG, "--roi %lld: the movie has %lld fields", (long long)wanted, (long long)n);
    if (n > 1 && wanted == 0)
        nset_movie_warn(l, "%lld fields were scanned: the first is read; --roi chooses another", (long long)n);
    filler = n > 1 ? (page - rows) / (n - 1) : 0;
    wanted = wanted ? wanted - 1 : 0;
    for (int64_t i = 0; i < wanted && field_size(rois, (size_t)i, &w, &h); i++)
        top += h + filler;
    field_size(rois, (size_t)wanted, &w, &h);
    l->top = (size_t)top;
    l->height = (size_t)h;
    l->width = (size_t)w < l->pages.kind[0].width ? (size_t)w : l->pages.kind[0].width;
    nset_movie_fact(l, "field", "imagingRoiGroup in ScanImage's header", "%lld of %lld: rows %lld to %lld of the pages",
        (long long)wanted + 1, (long long)n, (long long)top, (long long)(top + h - 1));
    return NSET_OK;
}

static nset_status read_fields(nset_movie_layout *l, const nset_movie_input *in, nset_tiff_file *f, nset_error *err)
{
    char *text = nset_ifd_text(f, &in->first.field[NSET_IFD_ARTIST], MOST_TEXT);
    json_t *root = text ? json_loads(text, 0, NULL) : NULL;
    json_t *group = json_object_get(json_object_get(root, "RoiGroups"), "imagingRoiGroup");
    nset_status status = choose_field(l, json_object_get(group, "rois"), in, err);

    json_decref(root);
    nset_free(text);
    return status;
}

/* ---- the whole ---- */

static void tell(nset_movie_layout *l, const nset_scanimage *s)
{
    static const char *const from = "ScanImage's header";
    const nset_page_kind *k = &l->pages.kind[0];

    nset_movie_fact(l, "version", from, "ScanImage %s", s->version);
    nset_movie_fact(l, "frames", "pages of the files", "%lld", (long long)l->n_frames);
    nset_movie_fact(l, "channels", from, "%zu", l->n_channels * k->samples);
    nset_movie_fact(l, "planes", from, "%zu", l->n_planes);
    if (s->offsets[0])
        nset_movie_fact(l, "offsets", from, "%s, subtracted already: %s", s->offsets, s->subtracted);
    if (s->fov_um[0] > 0 && s->fov_um[1] > 0 && !s->several_fields) {
        l->pixel_height_um = s->fov_um[0] / k->height;
        l->pixel_width_um = s->fov_um[1] / k->width;
        l->pixel_from = "imagingFovUm in ScanImage's header";
    }
}

static nset_status lay_out(nset_movie_layout *l, const nset_movie_input *in, const nset_scanimage *s, nset_error *err)
{
    int64_t n = (int64_t)l->pages.n_pages;
    bool slow = !s->fast && s->slices > 1 && s->frames_per_slice > 0 && n >= s->slices * s->n_channels;
    nset_status status;
    times t;

    if ((status = read_times(&t, l, (size_t)s->n_channels, err)) != NSET_OK ||
        (status = slow ? add_slow_stack(l, s, n, in, err) : add_volumes(l, s, n, err)) != NSET_OK ||
        (status = name_channels(l, s, err)) != NSET_OK)
        return status;
    if (t.gaps)
        nset_movie_warn(
            l, "the frames' numbers leave out %lld: the frames beside them follow each other", (long long)t.gaps);
    set_rate(l, s, &t);
    tell(l, s);
    return NSET_OK;
}

static nset_status read_scanimage(nset_movie_layout *l, const nset_movie_input *in, nset_error *err)
{
    nset_scanimage s;
    nset_tiff_file *f;
    nset_status status;
    char *text = NULL;

    for (size_t i = 0; i < in->n; i++)
        if ((status = nset_pages_add_tiff(&l->pages, in->path[i], err)) != NSET_OK)
            return status;
    f = &l->pages.file[0];
    if ((status = nset_tiff_file_wake(f, err)) != NSET_OK)
        return status;
    if (!in->software || strncmp(in->software, "SI.", 3) != 0)
        text = static_text(in, f);
    nset_scanimage_parse(&s, text ? text : in->software, in->description ? in->description : "");
    nset_free(text);
    if (s.several_fields && (status = read_fields(l, in, f, err)) != NSET_OK)
        return status;
    return lay_out(l, in, &s, err);
}

const nset_movie_reader nset_movie_scanimage = { "scanimage", knows, read_scanimage, NULL };
