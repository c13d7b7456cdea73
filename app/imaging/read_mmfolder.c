/* Folders of Micro-Manager's image files: img_000000012_GFP_003.tif is a time, a channel and a depth. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <neuroset/memory.h>

#include "imaging/movie_input.h"
#include "imaging/named_files.h"
#include "results/small_files.h"

enum { MOST_TEXT = 1 << 28 };

typedef struct picture {
    nset_named_file file;
    int64_t t, z;
    char channel[64];
} picture;

static bool parse_name(picture *p, const char *path)
{
    const char *name = strrchr(path, '/'), *at, *end;
    char *behind;

    name = name ? name + 1 : path;
    if (strncmp(name, "img_", 4) != 0 || !isdigit((unsigned char)name[4]))
        return false;
    p->t = strtoll(name + 4, &behind, 10);
    end = strrchr(name, '_');
    if (*behind != '_' || end <= behind || !isdigit((unsigned char)end[1]))
        return false;
    at = behind + 1;
    p->z = strtoll(end + 1, &behind, 10);
    snprintf(p->channel, sizeof p->channel, "%.*s", (int)(end - at), at);
    return *behind == '.' && p->t >= 0 && p->z >= 0;
}

static void find_metadata(char *path, size_t n, const nset_movie_input *in)
{
    nset_path_beside(path, n, in->path[0], "metadata.txt");
}

static bool knows(const nset_movie_input *in)
{
    char path[4096];
    picture p;

    if (!in->folder || in->n == 0 || !parse_name(&p, in->path[0]))
        return false;
    find_metadata(path, sizeof path, in);
    return access(path, R_OK) == 0;
}

/* The summary; after a crash the file lacks its last brace. NULL: it cannot be read. */
static json_t *read_summary(const char *path)
{
    json_t *root, *summary;
    char *text = NULL, *whole;
    size_t n;

    if (nset_read_text(&text, path, MOST_TEXT, NULL) != NSET_OK)
        return NULL;
    n = strlen(text);
    if (!(root = json_loads(text, 0, NULL)) && (whole = nset_calloc(n + 2, 1))) {
        while (n > 0 && (isspace((unsigned char)text[n - 1]) || text[n - 1] == ','))
            n--;
        memcpy(whole, text, n);
        whole[n] = '}';
        root = json_loads(whole, 0, NULL);
        nset_free(whole);
    }
    nset_free(text);
    summary = json_incref(json_object_get(root, "Summary"));
    json_decref(root);
    return summary;
}

/* The number of that channel; new ones are added in the order of names of files. -1: no memory. */
static int64_t channel_number(nset_movie_layout *l, size_t *n, size_t *room, const char *name, nset_error *err)
{
    for (size_t c = 0; c < *n; c++)
        if (!strcmp(l->channel[c].name, name))
            return (int64_t)c;
    if (nset_grow(&l->channel, room, *n + 1, sizeof *l->channel, err) != NSET_OK)
        return -1;
    snprintf(l->channel[*n].name, sizeof l->channel->name, "%s", name);
    return (int64_t)(*n)++;
}

static nset_status place(nset_movie_layout *l, const picture *p, size_t n, const char *path, nset_error *err)
{
    int64_t z = 0, t = 0, c, *at;
    size_t channels = 0, room = 0;
    nset_status status;

    for (size_t i = 0; i < n; i++) {
        z = p[i].z >= z ? p[i].z + 1 : z;
        t = p[i].t >= t ? p[i].t + 1 : t;
        if (channel_number(l, &channels, &room, p[i].channel, err) < 0)
            return NSET_ERR_NOMEM;
    }
    if (t > 64 * (int64_t)n || z > 64 * (int64_t)n || t * z * (int64_t)channels > 64 * (int64_t)n)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: %zu files are numbered to time %lld and depth %lld", path, n,
            (long long)t, (long long)z);
    if (!(at = nset_calloc((size_t)(t * z) * channels, sizeof *at)))
        return nset_fail_oom(err, (size_t)(t * z) * channels, sizeof *at);
    memset(at, -1, (size_t)(t * z) * channels * sizeof *at);
    for (size_t i = 0; i < n; i++) {
        c = channel_number(l, &channels, &room, p[i].channel, err);
        if (p[i].file.n_pages > 0)
            at[(size_t)(p[i].t * z + p[i].z) * channels + (size_t)c] = p[i].file.first;
    }
    status = nset_keep_whole(l, at, t, (size_t)z, channels, path, "the numbering of the files", err);
    nset_free(at);
    return status;
}

static void tell(nset_movie_layout *l, const char *metadata)
{
    json_t *summary = read_summary(metadata);
    double um = json_number_value(json_object_get(summary, "PixelSize_um"));
    double ms = json_number_value(json_object_get(summary, "Interval_ms"));

    nset_movie_fact(l, "frames", "names of the files", "%lld", (long long)l->n_frames);
    nset_movie_fact(l, "channels", "names of the files", "%zu", l->n_channels);
    nset_movie_fact(l, "planes", "names of the files", "%zu", l->n_planes);
    if (um > 0) {
        l->pixel_height_um = l->pixel_width_um = um;
        l->pixel_from = "PixelSize_um in metadata.txt";
    }
    if (ms > 0) {
        l->rate_hz = 1000 / ms;
        l->rate_from = "Interval_ms in metadata.txt";
    }
    if (!summary)
        nset_movie_warn(l, "%s: no summary can be read in it", metadata);
    json_decref(summary);
}

static nset_status read_mmfolder(nset_movie_layout *l, const nset_movie_input *in, nset_error *err)
{
    picture *p = nset_calloc(in->n, sizeof *p);
    nset_named_file **list = nset_calloc(in->n, sizeof *list);
    nset_status status = p && list ? NSET_OK : nset_fail_oom(err, in->n, sizeof *p);
    size_t n = 0, opened = 0;
    char metadata[4096];

    for (size_t i = 0; i < in->n && status == NSET_OK; i++) {
        const char *name = strrchr(in->path[i], '/');
        if (!parse_name(&p[n], in->path[i]))
            continue;
        if (!(p[n].file.name = nset_strdup(name ? name + 1 : in->path[i])))
            status = nset_fail_oom(err, 1, 1);
        list[n] = &p[n].file;
        n += p[n].file.name != NULL;
    }
    if (status == NSET_OK &&
        (status = nset_open_named(l, list, n, in->path[0], "the folder", &opened, err)) == NSET_OK &&
        (status = place(l, p, n, in->folder, err)) == NSET_OK) {
        find_metadata(metadata, sizeof metadata, in);
        tell(l, metadata);
        if (n < in->n)
            nset_movie_warn(l, "%s: %zu files of other names are left out", in->folder, in->n - n);
    }
    for (size_t i = 0; i < n; i++)
        nset_free(p[i].file.name);
    nset_free(p);
    nset_free(list);
    return status;
}

const nset_movie_reader nset_movie_mmfolder = { "micromanager", knows, read_mmfolder, NULL };
