/* TIFF files that no microscope's program has described: a frame a page. */
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

static nset_status read_plain(nset_movie_layout *l, const nset_movie_input *in, nset_error *err)
{
    nset_axes axes = { 0, 1, 1, "CZT" };
    nset_status status;

    for (size_t i = 0; i < in->n; i++)
        if ((status = nset_pages_add_tiff(&l->pages, in->path[i], err)) != NSET_OK)
            return status;
    if (in->n == 1 && in->first.field[NSET_IFD_UIC2].count > 1 && l->pages.n_pages == 1 &&
        (status = read_stk(l, in, err)) != NSET_OK)
        return status;
    axes.n_frames = (int64_t)l->pages.n_pages;
    return nset_movie_append(l, &axes, 0, in->path[0], err);
}

const nset_movie_reader nset_movie_plain = { "tiff", knows, read_plain };
