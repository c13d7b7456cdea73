/* Micro-Manager's TIFF files: the index behind the header says which directory is which frame, depth and channel. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <neuroset/memory.h>

#include "imaging/movie_input.h"
#include "imaging/named_files.h"

enum { MOST_TEXT = 16 << 20, MOST_FRAMES = 1 << 24, TIMES = 64 };
#define INDEX_MARK 54773648u
#define INDEX_START 3453623u
#define SUMMARY_MARK 2355492u
#define NDTIFF_MARK 483729u

static uint32_t mark_of(const nset_movie_input *in)
{
    const unsigned char *b = in->head + 8;
    bool big = in->head[0] == 'M';

    return big ? (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3]
               : (uint32_t)b[3] << 24 | (uint32_t)b[2] << 16 | (uint32_t)b[1] << 8 | b[0];
}

static bool knows(const nset_movie_input *in)
{
    return in->is_tiff && in->head[2] != 43 && in->head[3] != 43 &&
           (mark_of(in) == INDEX_MARK || mark_of(in) == NDTIFF_MARK);
}

typedef struct entry {
    int64_t channel, slice, frame, position, page;
} entry;

typedef struct page_index {
    entry *at;
    size_t n, room;
} page_index;

/* ---- index and summary ---- */

static int by_offset(const void *a, const void *b)
{
    const nset_page *p = a, *q = b;

    return p->ifd < q->ifd ? -1 : p->ifd > q->ifd;
}

/* The page of the file at that offset, -1: none. sorted: (n) pages by offset, .plain holding their number. */
static int64_t page_at(const nset_page *sorted, size_t n, uint64_t offset)
{
    nset_page key = { .ifd = offset };
    const nset_page *p = bsearch(&key, sorted, n, sizeof *sorted, by_offset);

    return p ? (int64_t)p->plain : -1;
}

/* Entries of the file's index whose directories are there; a later one for the same place replaces the earlier. */
static nset_status read_entries(
    page_index *x, const nset_tiff_file *f, const nset_page *sorted, size_t n_pages, nset_error *err)
{
    unsigned char b[20];
    uint64_t at;
    uint32_t n;
    nset_status status;

    if (!nset_tiff_file_bytes(f, b, 8, 8))
        return NSET_OK;
    at = nset_tiff_u32(f, b + 4);
    if (!nset_tiff_file_bytes(f, b, at, 8) || nset_tiff_u32(f, b) != INDEX_START)
        return NSET_OK;
    n = nset_tiff_u32(f, b + 4);
    for (uint32_t i = 0; i < n && nset_tiff_file_bytes(f, b, at + 8 + (uint64_t)i * 20, 20); i++) {
        entry e = { nset_tiff_u32(f, b), nset_tiff_u32(f, b + 4), nset_tiff_u32(f, b + 8), nset_tiff_u32(f, b + 12),
            page_at(sorted, n_pages, nset_tiff_u32(f, b + 16)) };
        if (e.page < 0 || e.channel > 1 << 10 || e.slice > 1 << 16 || e.frame > MOST_FRAMES)
            continue;
        if ((status = nset_grow(&x->at, &x->room, x->n + 1, sizeof *x->at, err)) != NSET_OK)
            return status;
        x->at[x->n++] = e;
    }
    return NSET_OK;
}

static json_t *read_summary(const nset_tiff_file *f)
{
    unsigned char b[8];
    nset_ifd_field field = { .type = 2, .at = 40 };
    json_t *summary = NULL;
    char *text;

    if (!nset_tiff_file_bytes(f, b, 32, 8) || nset_tiff_u32(f, b) != SUMMARY_MARK)
        return NULL;
    field.count = nset_tiff_u32(f, b + 4);
    if ((text = nset_ifd_text(f, &field, MOST_TEXT)))
        summary = json_loads(text, JSON_DISABLE_EOF_CHECK, NULL);
    nset_free(text);
    return summary;
}

/* ---- files ---- */

static nset_status add_file(nset_movie_layout *l, page_index *x, const char *path, nset_error *err)
{
    size_t first = l->pages.n_pages, n;
    nset_page *sorted;
    nset_tiff_file *f;
    nset_status status = nset_pages_add_tiff(&l->pages, path, err);

    if (status != NSET_OK)
        return status;
    n = l->pages.n_pages - first;
    f = &l->pages.file[l->pages.n_files - 1];
    if ((status = nset_tiff_file_wake(f, err)) != NSET_OK)
        return status;
    if (!(sorted = nset_calloc(n, sizeof *sorted)))
        return nset_fail_oom(err, n, sizeof *sorted);
    for (size_t i = 0; i < n; i++)
        sorted[i] = (nset_page){ .ifd = l->pages.page[first + i].ifd, .plain = first + i };
    qsort(sorted, n, sizeof *sorted, by_offset);
    status = read_entries(x, f, sorted, n, err);
    nset_free(sorted);
    return status;
}

/* NAME.ome.tif goes on in NAME_1.ome.tif, NAME_2.ome.tif ... */
static nset_status add_files(nset_movie_layout *l, page_index *x, const nset_movie_input *in, nset_error *err)
{
    nset_status status = NSET_OK;
    char path[4096];
    const char *end;

    for (size_t i = 0; i < in->n && status == NSET_OK; i++)
        status = add_file(l, x, in->path[i], err);
    end = strstr(in->path[0], ".ome.tif");
    for (int k = 1; in->n == 1 && end && status == NSET_OK; k++) {
        snprintf(path, sizeof path, "%.*s_%d%s", (int)(end - in->path[0]), in->path[0], k, end);
        if (access(path, R_OK))
            break;
        status = add_file(l, x, path, err);
    }
    return status;
}

static nset_status lay_out(nset_movie_layout *l, const page_index *x, const char *path, nset_error *err)
{
    int64_t c = 0, z = 0, t = 0, position = x->n ? x->at[0].position : 0, others = 0, *at;
    nset_status status;

    if (x->n == 0) {
        nset_movie_warn(l, "%s: its index cannot be read: the pages are taken as frames", path);
        return nset_movie_append(l, &(nset_axes){ (int64_t)l->pages.n_pages, 1, 1, "CZT" }, 0, path, err);
    }
    for (size_t i = 0; i < x->n; i++) {
        const entry *e = &x->at[i];
        others += e->position != position;
        c = e->channel >= c ? e->channel + 1 : c;
        z = e->slice >= z ? e->slice + 1 : z;
        t = e->frame >= t ? e->frame + 1 : t;
    }
    if (t > 64 * (int64_t)x->n || c * z > 64 * (int64_t)x->n || t * c * z > 64 * (int64_t)x->n)
        return nset_fail(err, NSET_ERR_FORMAT,
            "%s: %zu entries of its index name %lld frames, %lld planes and %lld channels", path, x->n, (long long)t,
            (long long)z, (long long)c);
    if (!(at = nset_calloc((size_t)(t * z * c), sizeof *at)))
        return nset_fail_oom(err, (size_t)(t * z * c), sizeof *at);
    memset(at, -1, (size_t)(t * z * c) * sizeof *at);
    for (size_t i = 0; i < x->n; i++)
        if (x->at[i].position == position)
            at[(x->at[i].frame * z + x->at[i].slice) * c + x->at[i].channel] = x->at[i].page;
    if (others)
        nset_movie_warn(l, "%s: %lld pictures are of other positions: left out", path, (long long)others);
    status = nset_keep_whole(l, at, t, (size_t)z, (size_t)c, path, "the file's index", err);
    nset_free(at);
    return status;
}

/* ---- rate, pixel size, names ---- */

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* ElapsedTime-ms of a page, or -1. */
static double elapsed(nset_movie_layout *l, int64_t page)
{
    double ms = -1;
    json_t *root;
    nset_ifd d;
    char *text;

    if (nset_pages_ifd(&l->pages, (size_t)page, &d, NULL) != NSET_OK)
        return -1;
    text = nset_ifd_text(&l->pages.file[l->pages.page[page].file], &d.field[NSET_IFD_MICRO_MANAGER], MOST_TEXT);
    root = text ? json_loads(text, JSON_DISABLE_EOF_CHECK, NULL) : NULL;
    if (json_is_number(json_object_get(root, "ElapsedTime-ms")))
        ms = json_number_value(json_object_get(root, "ElapsedTime-ms"));
    json_decref(root);
    nset_free(text);
    return ms;
}

static void set_rate(nset_movie_layout *l, json_t *summary)
{
    double interval = json_number_value(json_object_get(summary, "Interval_ms")), step[TIMES], last = -1;
    size_t n = 0;

    l->rate_from = "Interval_ms in Micro-Manager's summary";
    if (!(interval > 0)) {
        for (int64_t t = 0; t < l->n_frames && n < TIMES; t++) {
            double now = elapsed(l, l->picture[(size_t)t * l->n_planes * l->n_channels]);
            if (last >= 0 && now > last)
                step[n++] = now - last;
            last = now;
        }
        qsort(step, n, sizeof *step, by_size);
        interval = n ? step[n / 2] : 0;
        l->rate_from = "ElapsedTime-ms of the pages";
    }
    l->rate_hz = interval > 0 ? 1000 / interval : 0;
}

static nset_status tell(nset_movie_layout *l, json_t *summary, nset_error *err)
{
    static const char *const from = "Micro-Manager's index";
    json_t *names = json_object_get(summary, "ChNames");
    double um = json_number_value(json_object_get(summary, "PixelSize_um"));

    nset_movie_fact(l, "files", "names of the files", "%zu", l->pages.n_files);
    nset_movie_fact(l, "frames", from, "%lld", (long long)l->n_frames);
    nset_movie_fact(l, "channels", from, "%zu", l->n_channels * l->pages.kind[0].samples);
    nset_movie_fact(l, "planes", from, "%zu", l->n_planes);
    set_rate(l, summary);
    if (um > 0) {
        l->pixel_height_um = l->pixel_width_um = um;
        l->pixel_from = "PixelSize_um in Micro-Manager's summary";
    }
    if (json_array_size(names) != l->n_channels)
        return NSET_OK;
    if (!(l->channel = nset_calloc(l->n_channels, sizeof *l->channel)))
        return nset_fail_oom(err, l->n_channels, sizeof *l->channel);
    for (size_t c = 0; c < l->n_channels; c++) {
        const char *name = json_string_value(json_array_get(names, c));
        snprintf(l->channel[c].name, sizeof l->channel[c].name, "%s", name ? name : "");
    }
    return NSET_OK;
}

static nset_status read_micromanager(nset_movie_layout *l, const nset_movie_input *in, nset_error *err)
{
    page_index x = { 0 };
    json_t *summary;
    nset_status status;

    if (mark_of(in) == NDTIFF_MARK)
        return nset_fail(err, NSET_ERR_FORMAT,
            "%s: an NDTiff file, whose index is not read here; export it as OME-TIFF from Micro-Manager", in->path[0]);
    status = add_files(l, &x, in, err);
    if (status == NSET_OK && (status = lay_out(l, &x, in->path[0], err)) == NSET_OK) {
        summary = read_summary(&l->pages.file[0]);
        status = tell(l, summary, err);
        json_decref(summary);
    }
    for (size_t i = 0; i < l->pages.n_files; i++)
        nset_tiff_file_rest(&l->pages.file[i]);
    nset_free(x.at);
    return status;
}

const nset_movie_reader nset_movie_micromanager = { "micromanager", knows, read_micromanager, NULL };
