/* ImageJ's stacks and hyperstacks: axes, rate and pixel size stand as lines of key=value in the first description.
 *
 * Above 4 GB ImageJ writes one directory and all planes behind each other; a single plane saved out of a stack keeps
 * the description of the whole. So the bytes that are there decide how many planes there are, the description says in
 * which order they come.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include <neuroset/memory.h>

#include "imaging/layout.h"

enum { MOST_TEXT = 64 << 20 };

static bool knows(const nset_movie_input *in)
{
    char version[8];

    return in->is_tiff && in->description &&
           (nset_keyed_text(version, sizeof version, in->description, "ImageJ") ||
               nset_keyed_text(version, sizeof version, in->description, "SCIFIO"));
}

/* A count of the description: 1 where it is absent or no count. */
static uint64_t count(const char *text, const char *key)
{
    double x = 1;

    return nset_keyed_number(&x, text, key) && x >= 1 && x < 1e9 ? (uint64_t)x : 1;
}

/* What the description says of the axes. */
typedef struct stated {
    uint64_t channels, slices, frames, images;
    char order[4];
    bool guessed; /* slices are taken as time */
} stated;

static void read_order(char *order, const char *text)
{
    char word[8];
    int letters = 0;

    strcpy(order, "CZT");
    if (!nset_keyed_text(word, sizeof word, text, "order") || strlen(word) != 3)
        return;
    for (int i = 0; i < 3; i++) {
        word[i] = (char)toupper((unsigned char)word[i]);
        letters |= word[i] == 'C' ? 1 : word[i] == 'Z' ? 2 : word[i] == 'T' ? 4 : 0;
    }
    if (letters == 7)
        strcpy(order, word);
}

static stated read_stated(const char *text)
{
    stated s = { count(text, "channels"), count(text, "slices"), count(text, "frames"), count(text, "images"), "",
        false };
    double x;

    read_order(s.order, text);
    if (s.channels * s.slices * s.frames == 1)
        s.frames = s.images;
    if (s.frames == 1 && s.slices > 1 && !nset_keyed_number(&x, text, "spacing") &&
        !(nset_keyed_number(&x, text, "finterval") && x > 0)) {
        s.frames = s.slices;
        s.slices = 1;
        s.guessed = true;
    }
    return s;
}

/* One directory that states n planes: how many lie in the file? */
static nset_status find_contiguous(
    nset_movie_layout *l, const nset_movie_input *in, size_t first, uint64_t n, const char *path, nset_error *err)
{
    const nset_page *page = &l->pages.page[first];
    uint64_t bytes = nset_pages_bytes(&l->pages, first), there;

    if (page->plain == 0 || in->n > 1)
        return NSET_OK;
    there = (l->pages.file[page->file].size - page->plain) / bytes;
    if (there >= n)
        return nset_pages_extend(&l->pages, n, err);
    if (there < 2)
        return NSET_OK;
    if (!in->options->allow_missing)
        return nset_fail(err, NSET_ERR_FORMAT,
            "%s: the description states %llu pictures, page %llu ends beyond the file's %llu bytes: the file is cut "
            "short; "
            "--allow-missing reads the %llu whole ones",
            path, (unsigned long long)n, (unsigned long long)there, (unsigned long long)l->pages.file[page->file].size,
            (unsigned long long)there);
    return nset_pages_extend(&l->pages, there, err);
}

static nset_status arrange(nset_movie_layout *l, const char *text, size_t first, const char *path, nset_error *err)
{
    stated s = read_stated(text);
    uint64_t pages = l->pages.n_pages - first, each = s.channels * s.slices, n = each * s.frames;
    nset_axes axes = { (int64_t)s.frames, (size_t)s.channels, (size_t)s.slices, s.order };
    bool warn = pages != n && l->n_frames == 0; /* once, not for each file of a folder */

    if (warn)
        nset_movie_warn(l, "%s: the description states %llu pictures, %llu are in the file: those are used", path,
            (unsigned long long)n, (unsigned long long)pages);
    if (pages < each) {
        axes = (nset_axes){ (int64_t)pages, 1, 1, "CZT" };
    } else if (pages != n) {
        axes.n_frames = (int64_t)(pages / each);
        axes.order = s.order[2] == 'T' ? s.order : "CZT";
        if (pages % each)
            nset_movie_warn(l, "%s: the last %llu pages are no whole frame of %llu channels and %llu planes: left out",
                path, (unsigned long long)(pages % each), (unsigned long long)s.channels, (unsigned long long)s.slices);
    }
    if (l->n_frames == 0) {
        const char *from = pages != n  ? "pages of the file"
                           : s.guessed ? "slices in ImageJ's description, taken as time: it gives no spacing"
                                       : "ImageJ's description";
        nset_movie_fact(l, "frames", from, "%lld", (long long)axes.n_frames);
        nset_movie_fact(
            l, "channels", "channels in ImageJ's description", "%zu", axes.n_channels * l->pages.kind[0].samples);
        nset_movie_fact(l, "planes", "slices in ImageJ's description", "%zu", axes.n_planes);
    }
    return nset_movie_append(l, &axes, (int64_t)first, path, err);
}

/* ---- rate, pixel size, calibration ---- */

static void read_pixel(nset_movie_layout *l, const nset_movie_input *in, nset_tiff_file *f)
{
    double x = nset_ifd_real(f, &in->first.field[NSET_IFD_X_RESOLUTION]);
    double y = nset_ifd_real(f, &in->first.field[NSET_IFD_Y_RESOLUTION]), um = 0;
    char unit[32] = "";

    if (nset_keyed_text(unit, sizeof unit, in->description, "unit")) {
        um = nset_length_um(unit);
        l->pixel_from = "XResolution and the unit in ImageJ's description";
    } else if (x != 72 && x != 96 && in->first.resolution_unit > 1) {
        um = in->first.resolution_unit == 2 ? 25400 : 10000;
        l->pixel_from = "XResolution and ResolutionUnit";
    }
    if (x > 0 && y > 0 && um > 0) {
        l->pixel_width_um = um / x;
        l->pixel_height_um = um / y;
    }
}

static void read_calibration(nset_movie_layout *l, const char *text)
{
    double function = -1, c0 = 0, c1 = 0;

    if (!nset_keyed_number(&function, text, "cf"))
        return;
    nset_keyed_number(&c0, text, "c0");
    nset_keyed_number(&c1, text, "c1");
    if (function == 0 && c0 == -32768 && c1 == 1 && l->pages.type.kind == 'u' && l->pages.type.bits == 16) {
        l->add = c0;
        nset_movie_fact(l, "signed", "the calibration in ImageJ's description", "32768 is taken off each number");
    } else {
        nset_movie_warn(l, "ImageJ's description has a calibration (cf=%g, c0=%g, c1=%g): the stored numbers are used",
            function, c0, c1);
    }
}

static nset_status read_first(nset_movie_layout *l, const nset_movie_input *in, nset_error *err)
{
    nset_tiff_file *f = &l->pages.file[0];
    nset_status status = nset_tiff_file_wake(f, err);
    double x;

    if (status != NSET_OK)
        return status;
    if (nset_keyed_number(&x, in->description, "finterval") && x > 0) {
        l->rate_hz = 1 / x;
        l->rate_from = "finterval in ImageJ's description";
    } else if (nset_keyed_number(&x, in->description, "fps") && x > 0) {
        l->rate_hz = x;
        l->rate_from = "fps in ImageJ's description, which may be the speed of replay";
    }
    read_pixel(l, in, f);
    read_calibration(l, in->description);
    nset_tiff_file_rest(f);
    return NSET_OK;
}

static nset_status read_imagej(nset_movie_layout *l, const nset_movie_input *in, nset_error *err)
{
    nset_status status = NSET_OK;

    for (size_t i = 0; i < in->n && status == NSET_OK; i++) {
        size_t first = l->pages.n_pages;
        char *text = NULL;
        nset_ifd d;
        if ((status = nset_pages_add_tiff(&l->pages, in->path[i], err)) != NSET_OK ||
            (status = nset_pages_ifd(&l->pages, first, &d, err)) != NSET_OK)
            return status;
        text = nset_ifd_text(&l->pages.file[i], &d.field[NSET_IFD_DESCRIPTION], MOST_TEXT);
        nset_tiff_file_rest(&l->pages.file[i]);
        if (l->pages.n_pages == first + 1 && text) {
            stated s = read_stated(text);
            status = find_contiguous(l, in, first, s.channels * s.slices * s.frames, in->path[i], err);
        }
        if (status == NSET_OK)
            status = arrange(l, text ? text : "", first, in->path[i], err);
        nset_free(text);
    }
    return status == NSET_OK ? read_first(l, in, err) : status;
}

const nset_movie_reader nset_movie_imagej = { "imagej", knows, read_imagej, NULL };
