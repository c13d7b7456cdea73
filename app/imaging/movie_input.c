#include "imaging/movie_input.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include <neuroset/memory.h>

enum { MOST_DESCRIPTION = 64 << 20 };

bool nset_path_ends(const char *path, const char *ending)
{
    size_t n = strlen(path), m = strlen(ending);

    return n > m && !strcasecmp(path + n - m, ending);
}

bool nset_has_tiff_name(const char *path)
{
    static const char *const endings[] = { ".tif", ".tiff", ".btf", ".tf8", ".stk", ".lsm" };

    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (nset_path_ends(path, endings[i]))
            return true;
    return false;
}

/* ---- order of names ---- */

static size_t digits(const char *p)
{
    size_t n = 0;

    while (isdigit((unsigned char)p[n]))
        n++;
    return n;
}

int nset_natural_order(const char *a, const char *b)
{
    const char *p = a, *q = b;
    int order;

    while (*p && *q) {
        if (isdigit((unsigned char)*p) && isdigit((unsigned char)*q)) {
            size_t m, n;
            p += strspn(p, "0");
            q += strspn(q, "0");
            m = digits(p);
            n = digits(q);
            if (m != n)
                return m < n ? -1 : 1;
            if ((order = strncmp(p, q, m)) != 0)
                return order < 0 ? -1 : 1;
            p += m;
            q += n;
        } else if (*p != *q) {
            return (unsigned char)*p < (unsigned char)*q ? -1 : 1;
        } else {
            p++;
            q++;
        }
    }
    if (*p || *q)
        return *p ? 1 : -1;
    order = strcmp(a, b); /* img1 and img01 */
    return order < 0 ? -1 : order > 0;
}

static int by_name(const void *a, const void *b)
{
    return nset_natural_order(*(char *const *)a, *(char *const *)b);
}

/* The number that the last run of digits of a file's name is, -1: it has none. */
static long long last_number(const char *path)
{
    const char *name = strrchr(path, '/'), *dot, *p;

    name = name ? name + 1 : path;
    dot = strrchr(name, '.');
    p = dot ? dot : name + strlen(name);
    while (p > name && !isdigit((unsigned char)p[-1]))
        p--;
    while (p > name && isdigit((unsigned char)p[-1]))
        p--;
    return isdigit((unsigned char)*p) ? strtoll(p, NULL, 10) : -1;
}

static bool same_but_number(const char *a, const char *b)
{
    while (*a && *b) {
        if (isdigit((unsigned char)*a) && isdigit((unsigned char)*b)) {
            a += digits(a);
            b += digits(b);
        } else if (*a++ != *b++) {
            return false;
        }
    }
    return *a == *b;
}

/* Names that count, with numbers left out, are frames that are missing. */
static void warn_of_gaps(const nset_movie_input *in, json_t *warnings)
{
    long long gaps = 0, first = 0;
    char text[160];

    for (size_t i = 1; i < in->n; i++) {
        long long a = last_number(in->path[i - 1]), b = last_number(in->path[i]);
        if (a < 0 || b <= a + 1 || !same_but_number(in->path[i - 1], in->path[i]))
            continue;
        first = gaps ? first : a + 1;
        gaps += b - a - 1;
    }
    if (!gaps)
        return;
    snprintf(text, sizeof text,
        "the files' numbers leave out %lld, the first is %lld: the frames beside it follow each other", gaps, first);
    json_array_append_new(warnings, json_string(text));
}

/* ---- files ---- */

static nset_status add_path(nset_movie_input *in, const char *folder, const char *name, nset_error *err)
{
    size_t n = strlen(folder) + strlen(name) + 2;
    nset_status status = nset_grow(&in->path, &in->room, in->n + 1, sizeof *in->path, err);

    if (status != NSET_OK)
        return status;
    if (!(in->path[in->n] = nset_calloc(n, 1)))
        return nset_fail_oom(err, n, 1);
    snprintf(in->path[in->n++], n, "%s%s%s", folder, *folder ? "/" : "", name);
    return NSET_OK;
}

static nset_status add_folder(nset_movie_input *in, const char *path, json_t *warnings, nset_error *err)
{
    size_t before = in->n, empty = 0;
    struct dirent *entry;
    nset_status status = NSET_OK;
    DIR *dir = opendir(path);
    struct stat s;
    char text[96];

    if (!dir)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: %s", path, strerror(errno));
    while (status == NSET_OK && (entry = readdir(dir))) {
        if (entry->d_name[0] == '.' || !nset_has_tiff_name(entry->d_name))
            continue;
        status = add_path(in, path, entry->d_name, err);
        if (status == NSET_OK && !stat(in->path[in->n - 1], &s) && s.st_size == 0) {
            nset_free(in->path[--in->n]);
            empty++;
        }
    }
    closedir(dir);
    if (in->n > before)
        qsort(in->path + before, in->n - before, sizeof *in->path, by_name);
    if (empty) {
        snprintf(text, sizeof text, "%zu file%s of no bytes left out", empty, empty == 1 ? "" : "s");
        json_array_append_new(warnings, json_string(text));
    }
    return status;
}

static bool is_folder(const char *path)
{
    struct stat s;

    return !stat(path, &s) && S_ISDIR(s.st_mode);
}

/* First bytes, first directory and texts of the first file, where it has them; what is wrong is said when it is read.
 */
static void look(nset_movie_input *in)
{
    nset_tiff_file f;
    const char *reason;
    int fd = open(in->path[0], O_RDONLY | O_CLOEXEC);

    if (fd >= 0) {
        ssize_t got = read(fd, in->head, sizeof in->head);
        (void)got; /* a shorter file leaves zeros */
        close(fd);
    }
    if ((memcmp(in->head, "II", 2) != 0 && memcmp(in->head, "MM", 2) != 0) ||
        nset_tiff_file_open(&f, in->path[0], NULL) != NSET_OK)
        return;
    in->is_tiff = nset_ifd_read(&in->first, &f, f.first, &reason);
    if (in->is_tiff) {
        in->description = nset_ifd_text(&f, &in->first.field[NSET_IFD_DESCRIPTION], MOST_DESCRIPTION);
        in->software = nset_ifd_text(&f, &in->first.field[NSET_IFD_SOFTWARE], MOST_DESCRIPTION);
    }
    nset_tiff_file_close(&f);
}

nset_status nset_movie_input_init(nset_movie_input *in, const char *const *paths, size_t n,
    const nset_movie_options *options, json_t *warnings, nset_error *err)
{
    nset_status status = NSET_OK;
    char images[4096];

    *in = (nset_movie_input){ .options = options };
    for (size_t i = 0; i < n && status == NSET_OK; i++) {
        if (!is_folder(paths[i])) {
            status = add_path(in, "", paths[i], err);
            continue;
        }
        in->folder = paths[i];
        if (n > 1)
            return nset_fail(
                err, NSET_ERR_ARG, "%s: one folder is one movie; it stands beside %zu other files", paths[i], n - 1);
        status = add_folder(in, paths[i], warnings, err);
        snprintf(images, sizeof images, "%s/images", paths[i]); /* neurofinder's way */
        if (status == NSET_OK && in->n == 0 && is_folder(images))
            status = add_folder(in, images, warnings, err);
        warn_of_gaps(in, warnings);
    }
    if (status == NSET_OK && in->n > 0)
        look(in);
    return status;
}

void nset_movie_input_fini(nset_movie_input *in)
{
    for (size_t i = 0; i < in->n; i++)
        nset_free(in->path[i]);
    nset_free(in->path);
    nset_free(in->description);
    nset_free(in->software);
    *in = (nset_movie_input){ 0 };
}
