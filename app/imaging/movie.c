#include "imaging/movie.h"

#include <dirent.h>
#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include <neuroset/memory.h>

#include "imaging/tiff.h"

typedef struct tiff_movie {
    nset_movie base;
    char **path; /* (n) in order */
    size_t n, capacity;
    int64_t *first; /* (n + 1) first frame of each file */
    const char *believe;
    pthread_mutex_t lock; /* of the two below */
    nset_tiff *open;      /* one file at a time */
    size_t open_file;
} tiff_movie;

static bool has_tiff_name(const char *name)
{
    const char *dot = strrchr(name, '.');

    return dot && (!strcasecmp(dot, ".tif") || !strcasecmp(dot, ".tiff") || !strcasecmp(dot, ".btf") ||
                      !strcasecmp(dot, ".tf8"));
}

bool nset_is_movie(const char *path)
{
    struct dirent *entry;
    bool found = false;
    struct stat s;
    DIR *dir;

    if (stat(path, &s) || !S_ISDIR(s.st_mode))
        return has_tiff_name(path);
    if (!(dir = opendir(path)))
        return false;
    while (!found && (entry = readdir(dir)))
        found = has_tiff_name(entry->d_name);
    closedir(dir);
    return found;
}

/* frame2 before frame10: runs of digits compare as numbers. */
static int natural(const void *a, const void *b)
{
    const char *p = *(char *const *)a, *q = *(char *const *)b;

    while (*p && *q) {
        if (isdigit((unsigned char)*p) && isdigit((unsigned char)*q)) {
            char *pe, *qe;
            unsigned long long m = strtoull(p, &pe, 10), n = strtoull(q, &qe, 10);
            if (m != n)
                return m < n ? -1 : 1;
            p = pe;
            q = qe;
        } else if (*p != *q) {
            return (unsigned char)*p < (unsigned char)*q ? -1 : 1;
        } else {
            p++;
            q++;
        }
    }
    return (*p != '\0') - (*q != '\0');
}

static nset_status add_path(tiff_movie *m, const char *folder, const char *name, nset_error *err)
{
    size_t n = strlen(folder) + strlen(name) + 2;
    nset_status status = nset_grow(&m->path, &m->capacity, m->n + 1, sizeof *m->path, err);

    if (status != NSET_OK)
        return status;
    if (!(m->path[m->n] = nset_calloc(n, 1)))
        return nset_fail_oom(err, n, 1);
    snprintf(m->path[m->n++], n, "%s%s%s", folder, *folder ? "/" : "", name);
    return NSET_OK;
}

static nset_status add_folder(tiff_movie *m, const char *path, nset_error *err)
{
    size_t before = m->n;
    struct dirent *entry;
    nset_status status = NSET_OK;
    DIR *dir = opendir(path);

    if (!dir)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: %s", path, strerror(errno));
    while (status == NSET_OK && (entry = readdir(dir)))
        if (has_tiff_name(entry->d_name))
            status = add_path(m, path, entry->d_name, err);
    closedir(dir);
    if (status == NSET_OK && m->n == before)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: this folder holds no TIFF file", path);
    qsort(m->path + before, m->n - before, sizeof *m->path, natural);
    return status;
}

static nset_status switch_to(tiff_movie *m, size_t file, nset_error *err)
{
    if (m->open && m->open_file == file)
        return NSET_OK;
    nset_tiff_close(m->open);
    m->open = NULL;
    m->open_file = file;
    return nset_tiff_open(&m->open, m->path[file], m->believe, err);
}

static nset_status read_frame(nset_movie *self, float *frame, int64_t index, nset_error *err)
{
    tiff_movie *m = (tiff_movie *)self;
    size_t low = 0, high = m->n;
    nset_status status;

    if (index < 0 || index >= self->n_frames)
        return nset_fail(err, NSET_ERR_ARG, "frame %lld of %lld", (long long)index, (long long)self->n_frames);
    while (high - low > 1) {
        size_t middle = (low + high) / 2;
        if (m->first[middle] <= index)
            low = middle;
        else
            high = middle;
    }
    pthread_mutex_lock(&m->lock);
    if ((status = switch_to(m, low, err)) == NSET_OK)
        status = nset_tiff_read(m->open, frame, index - m->first[low], err);
    pthread_mutex_unlock(&m->lock);
    return status;
}

static void close_movie(nset_movie *self)
{
    tiff_movie *m = (tiff_movie *)self;

    for (size_t i = 0; i < m->n; i++)
        nset_free(m->path[i]);
    nset_free(m->path);
    nset_free(m->first);
    nset_tiff_close(m->open);
    pthread_mutex_destroy(&m->lock);
    json_decref(self->facts);
    json_decref(self->warnings);
    nset_free(m);
}

void nset_movie_close(nset_movie *m)
{
    if (m)
        m->close(m);
}

static void fact(nset_movie *m, const char *name, const char *from, const char *format, double value)
{
    char text[96];

    snprintf(text, sizeof text, format, value);
    json_array_append_new(m->facts, json_pack("{s:s, s:s, s:s}", "name", name, "value", text, "from", from));
}

static const char *type_name(const nset_tiff_info *t)
{
    switch (t->kind << 8 | t->bits) {
    case 'u' << 8 | 8:
        return "uint8";
    case 'i' << 8 | 8:
        return "int8";
    case 'u' << 8 | 16:
        return "uint16";
    case 'i' << 8 | 16:
        return "int16";
    case 'u' << 8 | 32:
        return "uint32";
    case 'i' << 8 | 32:
        return "int32";
    case 'f' << 8 | 32:
        return "float32";
    default:
        return "float64";
    }
}

static void keep_facts(nset_movie *b, const tiff_movie *m, const nset_tiff_info *t, const nset_movie_options *o)
{
    fact(b, "files", "the command line", "%.0f", (double)m->n);
    fact(b, "frames", t->contiguous ? "ImageJ description" : "pages of the file", "%.0f", (double)b->n_frames);
    fact(b, "height", "the file", "%.0f pixels", (double)b->height);
    fact(b, "width", "the file", "%.0f pixels", (double)b->width);
    json_array_append_new(
        b->facts, json_pack("{s:s, s:s, s:s}", "name", "dtype", "value", b->dtype, "from", "the file"));
    if (b->rate_hz > 0)
        fact(b, "rate", o->rate_hz > 0 ? "--rate" : "ImageJ description", "%.6g Hz", b->rate_hz);
    else
        json_array_append_new(b->warnings,
            json_string("the frame rate is not known; give it with --rate (10 Hz is assumed where a rate is needed)"));
    if (b->pixel_um > 0)
        fact(b, "pixel", "ImageJ description", "%.6g um", b->pixel_um);
}

static nset_status look_at_files(tiff_movie *m, const nset_movie_options *o, nset_error *err)
{
    nset_movie *b = &m->base;
    nset_status status;

    if (!(m->first = nset_calloc(m->n + 1, sizeof *m->first)))
        return nset_fail_oom(err, m->n + 1, sizeof *m->first);
    for (size_t i = 0; i < m->n; i++) {
        const nset_tiff_info *t;
        if ((status = switch_to(m, i, err)) != NSET_OK)
            return status;
        t = nset_tiff_about(m->open);
        if (i == 0) {
            b->height = t->height;
            b->width = t->width;
            b->dtype = type_name(t);
            b->rate_hz = o->rate_hz > 0 ? o->rate_hz : t->rate_hz;
            b->pixel_um = o->pixel_um > 0 ? o->pixel_um : t->pixel_um;
        } else if (t->height != b->height || t->width != b->width) {
            return nset_fail(err, NSET_ERR_FORMAT, "%s: frames of %zu x %zu, those of %s are %zu x %zu: not one movie",
                m->path[i], t->height, t->width, m->path[0], b->height, b->width);
        }
        m->first[i + 1] = m->first[i] + t->n_frames;
    }
    b->n_frames = m->first[m->n];
    if ((status = switch_to(m, 0, err)) != NSET_OK)
        return status;
    keep_facts(b, m, nset_tiff_about(m->open), o);
    return NSET_OK;
}

nset_status nset_movie_open(
    nset_movie **out, const char *const *paths, size_t n_paths, const nset_movie_options *options, nset_error *err)
{
    tiff_movie *m = nset_calloc(1, sizeof *m);
    nset_status status = NSET_OK;
    struct stat s;

    if (!m)
        return nset_fail_oom(err, 1, sizeof *m);
    m->base = (nset_movie){ .format = "tiff",
        .n_channels = 1,
        .n_planes = 1,
        .read = read_frame,
        .concurrent = true,
        .close = close_movie,
        .facts = json_array(),
        .warnings = json_array() };
    pthread_mutex_init(&m->lock, NULL);
    m->believe = options->believe;
    for (size_t i = 0; i < n_paths && status == NSET_OK; i++)
        status = stat(paths[i], &s) == 0 && S_ISDIR(s.st_mode) ? add_folder(m, paths[i], err)
                                                               : add_path(m, "", paths[i], err);
    if (status == NSET_OK)
        status = look_at_files(m, options, err);
    if (status != NSET_OK) {
        close_movie(&m->base);
        return status;
    }
    *out = &m->base;
    return NSET_OK;
}
