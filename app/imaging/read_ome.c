/* OME-TIFF, in one file or several: the XML says which page of which file is which plane. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <neuroset/memory.h>

#include "imaging/ome_xml.h"
#include "results/small_files.h"

enum { MOST_TEXT = 64 << 20 };

static const char index_name[] = "the OME-XML";

static bool knows(const nset_movie_input *in)
{
    size_t n = in->is_tiff && in->description ? strlen(in->description) : 0;

    while (n > 0 && strchr(" \t\r\n", in->description[n - 1]))
        n--;
    return n > 4 && !strncmp(in->description + n - 4, "OME>", 4);
}

/* ---- files of the map ---- */

/* Opens each file that blocks name, once; *n_files of them. */
static nset_status open_files(nset_movie_layout *l, nset_ome *o, const char *path, size_t *n_files, nset_error *err)
{
    nset_named_file **list = nset_calloc(o->n_blocks, sizeof *list);
    nset_status status = list ? NSET_OK : nset_fail_oom(err, o->n_blocks, sizeof *list);
    char own[256];

    nset_base_name(own, sizeof own, path);
    for (size_t i = 0; i < o->n_blocks && status == NSET_OK; i++) {
        list[i] = &o->block[i].file;
        if (list[i]->name[0])
            continue;
        nset_free(list[i]->name);
        if (!(list[i]->name = nset_strdup(own)))
            status = nset_fail_oom(err, strlen(own), 1);
    }
    if (status == NSET_OK)
        status = nset_open_named(l, list, o->n_blocks, path, index_name, n_files, err);
    nset_free(list);
    return status;
}

/* ---- planes ---- */

/* Where the planes lie: (t, z, c), -1: nowhere. */
typedef struct map {
    int64_t *at, t, z, c;
} map;

/* Moves on to the next plane in the image's order; false behind the last one. */
static bool step(const map *m, const char *order, int64_t *t, int64_t *z, int64_t *c)
{
    for (const char *axis = order; *axis; axis++) {
        int64_t *i = *axis == 'C' ? c : *axis == 'Z' ? z : t, n = *axis == 'C' ? m->c : *axis == 'Z' ? m->z : m->t;
        if (++*i < n)
            return true;
        *i = 0;
    }
    return false;
}

static void place(map *m, const nset_ome *o)
{
    for (size_t i = 0; i < o->n_blocks; i++) {
        const nset_ome_block *b = &o->block[i];
        int64_t t = b->t, z = b->z, c = b->c, left = b->file.n_pages - b->ifd;
        bool more = t < m->t && z < m->z && c < m->c;
        left = b->count >= 0 && b->count < left ? b->count : left;
        for (int64_t k = 0; k < left && more; k++) {
            m->at[(t * m->z + z) * m->c + c] = b->file.first + b->ifd + k;
            more = step(m, o->order, &t, &z, &c);
        }
    }
}

/* Sizes of the XML that no file could fill are not believed: the pages are. */
static nset_status lay_out(nset_movie_layout *l, nset_ome *o, const char *path, size_t first, nset_error *err)
{
    int64_t samples = l->pages.n_pages > first ? l->pages.kind[0].samples : 1, pages = (int64_t)l->pages.n_pages;
    map m = { NULL, o->size[4], o->size[2], o->size[3] / samples < 1 ? 1 : o->size[3] / samples };
    nset_status status;

    if (m.c > 1 << 16 || m.z > 1 << 16 || m.c * m.z > pages) {
        nset_movie_warn(l, "%s: the OME-XML states %lld channels and %lld planes, there are %lld pages: taken as time",
            path, (long long)m.c, (long long)m.z, (long long)(pages - (int64_t)first));
        return nset_movie_append(l, &(nset_axes){ pages - (int64_t)first, 1, 1, "CZT" }, (int64_t)first, path, err);
    }
    if (m.t > pages) {
        nset_movie_warn(
            l, "%s: the OME-XML states %lld frames, there are %lld pages", path, (long long)m.t, (long long)pages);
        m.t = pages;
    }
    if (!(m.at = nset_calloc((size_t)(m.t * m.z * m.c), sizeof *m.at)))
        return nset_fail_oom(err, (size_t)(m.t * m.z * m.c), sizeof *m.at);
    memset(m.at, -1, (size_t)(m.t * m.z * m.c) * sizeof *m.at);
    place(&m, o);
    status = nset_keep_whole(l, m.at, m.t, (size_t)m.z, (size_t)m.c, path, index_name, err);
    nset_free(m.at);
    return status;
}

static void tell(nset_movie_layout *l, nset_ome *o)
{
    static const char *const from = "sizes in the OME-XML";

    nset_movie_fact(l, "frames", "planes that the OME-XML places and the files hold", "%lld", (long long)l->n_frames);
    nset_movie_fact(l, "channels", from, "%zu", l->n_channels * l->pages.kind[0].samples);
    nset_movie_fact(l, "planes", from, "%zu", l->n_planes);
    if (o->n_images > 1)
        nset_movie_warn(l, "the OME-XML describes %d images: number %d is read", o->n_images, o->image + 1);
    if (o->size[0] != l->pages.kind[0].width || o->size[1] != l->pages.kind[0].height)
        nset_movie_warn(l, "the OME-XML states %lld x %lld pixels, the pages have %u x %u (height x width)",
            (long long)o->size[1], (long long)o->size[0], l->pages.kind[0].height, l->pages.kind[0].width);
    if (o->interval_s > 0) {
        l->rate_hz = 1 / o->interval_s;
        l->rate_from = o->interval_from;
    }
    if (o->pixel_height_um > 0 && o->pixel_width_um > 0) {
        l->pixel_height_um = o->pixel_height_um;
        l->pixel_width_um = o->pixel_width_um;
        l->pixel_from = "PhysicalSizeX and Y in the OME-XML";
    }
    if (o->n_channels == l->n_channels && o->n_channels > 0 && o->channel[0].name[0] && !l->channel) {
        l->channel = o->channel;
        o->channel = NULL;
        o->n_channels = 0;
    }
}

/* ---- the whole ---- */

/* The file's own XML or its companion's. */
static nset_status parse(nset_ome *o, nset_movie_layout *l, const char *text, const char *path, nset_error *err)
{
    nset_status status = nset_ome_parse(o, text, path, err);
    char beside[4096], *other = NULL;

    if (status != NSET_OK || !o->companion[0] || o->image >= 0)
        return status;
    nset_path_beside(beside, sizeof beside, path, o->companion);
    nset_ome_fini(o);
    if ((status = nset_read_text(&other, beside, MOST_TEXT, err)) == NSET_OK)
        status = nset_ome_parse(o, other, beside, err);
    nset_free(other);
    if (status == NSET_OK)
        nset_movie_fact(l, "companion", "BinaryOnly in the OME-XML", "%s", beside);
    return status;
}

/* Metadata that cannot be read do not make the pixels unreadable. */
static nset_status read_without(nset_movie_layout *l, const char *path, const nset_error *why, nset_error *err)
{
    size_t first = l->pages.n_pages;
    nset_status status;

    nset_movie_warn(l, "%s; the pages are read as frames", why->text);
    if ((status = nset_pages_add_tiff(&l->pages, path, err)) != NSET_OK)
        return status;
    return nset_movie_append(
        l, &(nset_axes){ (int64_t)(l->pages.n_pages - first), 1, 1, "CZT" }, (int64_t)first, path, err);
}

/* Files that the first one's map names are read with it; others bring maps of their own. */
static nset_status read_file(nset_movie_layout *l, const char *path, const char *text, bool *whole, nset_error *err)
{
    nset_ome o = { 0 };
    nset_error why = { 0 };
    size_t first = l->pages.n_pages, n_files = 0;
    nset_status status;

    if (parse(&o, l, text, path, &why) != NSET_OK) {
        nset_ome_fini(&o);
        return read_without(l, path, &why, err);
    }
    if (o.n_blocks == 0) {
        nset_ome_block all = { .count = -1, .file.name = nset_strdup("") };
        if (!all.file.name || (status = nset_grow(&o.block, &o.block_room, 1, sizeof *o.block, err)) != NSET_OK) {
            nset_free(all.file.name);
            nset_ome_fini(&o);
            return nset_fail_oom(err, 1, sizeof all);
        }
        o.block[o.n_blocks++] = all;
    }
    if ((status = open_files(l, &o, path, &n_files, err)) == NSET_OK && l->pages.n_pages == first)
        status = nset_fail(err, NSET_ERR_FORMAT, "%s: none of the files that its OME-XML names is there", path);
    if (status == NSET_OK && (status = lay_out(l, &o, path, first, err)) == NSET_OK && first == 0)
        tell(l, &o);
    *whole = n_files > 1;
    nset_ome_fini(&o);
    return status;
}

static nset_status read_ome(nset_movie_layout *l, const nset_movie_input *in, nset_error *err)
{
    bool whole = false;
    nset_status status = read_file(l, in->path[0], in->description, &whole, err);

    if (status == NSET_OK && whole && in->n > 1)
        nset_movie_fact(l, "files", "the OME-XML", "%zu", l->pages.n_files);
    for (size_t i = 1; i < in->n && !whole && status == NSET_OK; i++) {
        nset_tiff_file f;
        nset_ifd d;
        const char *reason;
        char *text = NULL;
        bool several = false;
        if ((status = nset_tiff_file_open(&f, in->path[i], err)) != NSET_OK)
            return status;
        if (nset_ifd_read(&d, &f, f.first, &reason))
            text = nset_ifd_text(&f, &d.field[NSET_IFD_DESCRIPTION], MOST_TEXT);
        nset_tiff_file_close(&f);
        status = read_file(l, in->path[i], text ? text : "", &several, err);
        nset_free(text);
    }
    return status;
}

const nset_movie_reader nset_movie_ome = { "ome", knows, read_ome, NULL };
