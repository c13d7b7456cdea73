/* TIFF files that no microscope's program has described: a frame a page, unless tifffile has left the array's axes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "imaging/layout.h"
#include "imaging/movie_input.h"

static bool knows(const nset_movie_input *in)
{
    return in->n > 0 && (in->is_tiff || nset_has_tiff_name(in->path[0]));
}

/* MetaMorph: one directory, the planes behind each other; the field UIC2 has an entry a plane. */
static nset_status read_stk(nset_movie_layout *l, const nset_movie_input *in, nset_error *err)
{
    uint64_t n = in->first.field[NSET_IFD_UIC2].count, bytes = nset_pages_bytes(&l->pages, 0);
    uint64_t at = l->pages.page[0].plain, size = l->pages.file[0].size;

    l->format = "stk";
    if (at == 0 || n > (size - at) / bytes)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: UIC2 states %llu planes, the file holds %llu", in->path[0],
            (unsigned long long)n, (unsigned long long)(at ? (size - at) / bytes : 1));
    nset_movie_fact(l, "frames", "entries of UIC2", "%llu", (unsigned long long)n);
    return nset_pages_extend(&l->pages, n, err);
}

/* ---- {"shape": [10, 2, 512, 512], "axes": "TCYX"}, which tifffile writes ---- */

/* The axes before those of a page, a letter each; false: others than time, plane and channel, or one of them twice. */
static bool parse_axes(nset_axes *axes, char *order, const char *letters, const int64_t *size, size_t n)
{
    int64_t of[3] = { 1, 1, 1 }; /* C, Z, T */
    size_t k = 0;

    for (size_t i = n; i-- > 0;) { /* the last one is the fastest */
        int axis = letters[i] == 'C' ? 0 : letters[i] == 'Z' ? 1 : letters[i] == 'T' ? 2 : -1;
        if (axis < 0 || (k && memchr(order, letters[i], k)))
            return false;
        order[k++] = letters[i];
        of[axis] = size[i];
    }
    for (const char *missing = "CZT"; *missing; missing++)
        if (!memchr(order, *missing, k))
            order[k++] = *missing;
    *axes = (nset_axes){ of[2], (size_t)of[0], (size_t)of[1], order };
    return true;
}

/* Sets axes and adds pages that lie behind a single directory's, where the shape fits what is there. */
static nset_status read_shape(
    nset_movie_layout *l, const nset_movie_input *in, nset_axes *axes, char *order, nset_error *err)
{
    json_t *root = in->description && in->description[0] == '{' ? json_loads(in->description, 0, NULL) : NULL;
    json_t *shape = json_object_get(root, "shape");
    const char *letters = json_string_value(json_object_get(root, "axes"));
    size_t n = json_array_size(shape), own = l->pages.kind[0].samples > 1 ? 3 : 2;
    int64_t size[8], pages = 1, most = INT64_C(1) << 40;
    nset_status status = NSET_OK;
    bool fits = n > own && n <= 8;

    for (size_t i = 0; i < n - own && fits; i++) {
        size[i] = json_integer_value(json_array_get(shape, i));
        fits = size[i] > 0 && size[i] <= most / pages;
        pages *= fits ? size[i] : 1;
    }
    if (fits && l->pages.n_pages == 1 && l->pages.page[0].plain &&
        (uint64_t)pages <= (l->pages.file[0].size - l->pages.page[0].plain) / nset_pages_bytes(&l->pages, 0))
        status = nset_pages_extend(&l->pages, (uint64_t)pages, err);
    axes->n_frames = (int64_t)l->pages.n_pages;
    if (fits && pages == axes->n_frames && letters && strlen(letters) == n &&
        parse_axes(axes, order, letters, size, n - own))
        nset_movie_fact(l, "axes", "tifffile's description", "%s", letters);
    else if (fits && pages != axes->n_frames)
        nset_movie_warn(
            l, "the description states %lld pages, there are %zu: those are used", (long long)pages, l->pages.n_pages);
    json_decref(root);
    return status;
}

static nset_status read_plain(nset_movie_layout *l, const nset_movie_input *in, nset_error *err)
{
    nset_axes axes = { 0, 1, 1, "CZT" };
    char order[4] = "";
    nset_status status;

    for (size_t i = 0; i < in->n; i++)
        if ((status = nset_pages_add_tiff(&l->pages, in->path[i], err)) != NSET_OK)
            return status;
    if (in->n == 1 && in->first.field[NSET_IFD_UIC2].count > 1 && l->pages.n_pages == 1 &&
        (status = read_stk(l, in, err)) != NSET_OK)
        return status;
    if (in->n == 1 && (status = read_shape(l, in, &axes, order, err)) != NSET_OK)
        return status;
    if (in->n > 1)
        axes.n_frames = (int64_t)l->pages.n_pages;
    return nset_movie_append(l, &axes, 0, in->path[0], err);
}

const nset_movie_reader nset_movie_plain = { "tiff", knows, read_plain, NULL };
