/* NWB: TwoPhotonSeries and OnePhotonSeries, inside the file or in TIFF files that it names. Pictures are (x, y) by the
 * rules of NWB; many files in the wild are (y, x), and nothing in them tells.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <neuroset/memory.h>

#include "imaging/h5_movie.h"
#include "imaging/movie_input.h"
#include "results/small_files.h"

enum { MOST_DEPTH = 6, MOST_OBJECTS = 4096, PATH_BYTES = 512, SHOWN = 8, MOST_TIMES = 1 << 24, MOST_FILES = 100000 };

static bool is_nwb(hid_t file)
{
    char kind[64];

    return nset_h5_text(kind, sizeof kind, file, "neurodata_type") && !strcmp(kind, "NWBFile");
}

typedef struct search {
    char path[PATH_BYTES];
    int depth;
    size_t n_objects, n;
    char found[SHOWN][PATH_BYTES];
} search;

static herr_t look(hid_t group, const char *name, const H5L_info_t *info, void *context)
{
    search *s = context;
    size_t length = strlen(s->path);
    char kind[64] = "";
    hsize_t at = 0;
    hid_t object;

    if (info->type == H5L_TYPE_EXTERNAL || s->n_objects++ >= MOST_OBJECTS || s->depth >= MOST_DEPTH ||
        length + strlen(name) + 2 > PATH_BYTES || (object = H5Oopen(group, name, H5P_DEFAULT)) < 0)
        return 0;
    snprintf(s->path + length, PATH_BYTES - length, "/%s", name);
    if (H5Iget_type(object) == H5I_GROUP) {
        nset_h5_text(kind, sizeof kind, object, "neurodata_type");
        if (!strcmp(kind, "TwoPhotonSeries") || !strcmp(kind, "OnePhotonSeries")) {
            if (s->n < SHOWN)
                memcpy(s->found[s->n], s->path, PATH_BYTES);
            s->n++;
        } else {
            s->depth++;
            H5Literate(object, H5_INDEX_NAME, H5_ITER_INC, &at, look, s);
            s->depth--;
        }
    }
    s->path[length] = '\0';
    H5Oclose(object);
    return 0;
}

static void find_series(search *s, hid_t file)
{
    static const char *const tops[] = { "acquisition", "processing" };

    for (size_t i = 0; i < 2; i++) {
        hid_t top = nset_h5_has(file, tops[i]) ? H5Gopen2(file, tops[i], H5P_DEFAULT) : -1;
        hsize_t at = 0;
        if (top < 0)
            continue;
        snprintf(s->path, PATH_BYTES, "/%s", tops[i]);
        H5Literate(top, H5_INDEX_NAME, H5_ITER_INC, &at, look, s);
        H5Gclose(top);
    }
}

/* Only files with such a series: the others are recordings. */
static bool knows(const nset_movie_input *in)
{
    search *s;
    hid_t file;
    bool known = false;

    if (in->n != 1 || memcmp(in->head, "\211HDF", 4) != 0 || nset_h5_open(&file, in->path[0], NULL) != NSET_OK)
        return false;
    if (is_nwb(file) && (s = nset_calloc(1, sizeof *s))) {
        find_series(s, file);
        known = s->n > 0;
        nset_free(s);
    }
    H5Fclose(file);
    return known;
}

static nset_status choose(char *name, hid_t file, const char *path, const char *wanted, nset_error *err)
{
    search *s = nset_calloc(1, sizeof *s);
    char list[300] = "";
    size_t n = 0;
    nset_status status = NSET_OK;

    if (!s)
        return nset_fail_oom(err, 1, sizeof *s);
    find_series(s, file);
    for (size_t i = 0; i < s->n && i < SHOWN; i++) {
        size_t m = wanted ? strlen(wanted) : 0, length = strlen(s->found[i]);
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", i ? ", " : "", s->found[i]);
        if (wanted && (m > length || strcmp(s->found[i] + length - m, wanted) != 0))
            continue;
        snprintf(name, PATH_BYTES, "%s", s->found[i]);
        n++;
    }
    if (n != 1)
        status =
            nset_fail(err, NSET_ERR_FORMAT, "%s: which series is the movie? --series NAME; there are %s", path, list);
    nset_free(s);
    return status;
}

/* ---- times and sizes ---- */

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void rate_of_times(nset_movie_layout *l, double *t, size_t n)
{
    size_t gaps = 0, first = 0;
    double *step = nset_calloc(n, sizeof *step), median;

    if (!step || n < 2) {
        nset_free(step);
        return;
    }
    for (size_t i = 1; i < n; i++)
        step[i - 1] = t[i] - t[i - 1];
    qsort(step, n - 1, sizeof *step, by_size);
    median = n % 2 ? (step[(n - 1) / 2 - 1] + step[(n - 1) / 2]) / 2 : step[(n - 1) / 2];
    for (size_t i = 1; i < n && median > 0; i++)
        if (t[i] - t[i - 1] > 1.5 * median)
            first = gaps++ ? first : i;
    if (gaps)
        nset_movie_warn(l, "%zu gap%s in the frames' times, the first of %.6g s before frame %zu", gaps,
            gaps == 1 ? "" : "s", t[first] - t[first - 1], first);
    if (median > 0) {
        l->rate_hz = 1 / median;
        l->rate_from = "timestamps of the NWB series";
    }
    nset_free(step);
}

static void find_rate(nset_movie_layout *l, hid_t series, const char *path)
{
    hid_t start = nset_h5_has(series, "starting_time") ? H5Dopen2(series, "starting_time", H5P_DEFAULT) : -1;
    double rate = 0, *t = NULL;
    size_t n = 0;

    if (start >= 0) {
        if (nset_h5_number(&rate, start, "rate") && rate > 0) {
            l->rate_hz = rate;
            l->rate_from = "starting_time of the NWB series";
        }
        H5Dclose(start);
    } else if (nset_h5_has(series, "timestamps") &&
               nset_h5_doubles(&t, &n, series, "timestamps", MOST_TIMES, path, NULL) == NSET_OK) {
        rate_of_times(l, t, n);
        nset_free(t);
    }
}

static void find_pixel(nset_movie_layout *l, hid_t series, const char *path)
{
    hid_t plane = nset_h5_has(series, "imaging_plane") ? H5Gopen2(series, "imaging_plane", H5P_DEFAULT) : -1;
    hid_t grid = plane >= 0 && nset_h5_has(plane, "grid_spacing") ? H5Dopen2(plane, "grid_spacing", H5P_DEFAULT) : -1;
    char unit[32] = "meters";
    double *x = NULL;
    size_t n = 0;

    if (grid >= 0 && nset_h5_doubles(&x, &n, plane, "grid_spacing", 3, path, NULL) == NSET_OK && n >= 2) {
        nset_h5_text(unit, sizeof unit, grid, "unit");
        l->pixel_width_um = x[0] * nset_length_um(unit);
        l->pixel_height_um = x[1] * nset_length_um(unit);
        l->pixel_from = "grid_spacing of the NWB imaging plane";
    }
    nset_free(x);
    if (grid >= 0)
        H5Dclose(grid);
    if (plane >= 0)
        H5Gclose(plane);
}

/* ---- pictures in other files ---- */

/* Text i of a dataset of texts; false: it is none. */
static bool read_texts(char ***out, hsize_t *n, hid_t data)
{
    hid_t type = H5Dget_type(data), space = H5Dget_space(data), memory = H5Tcopy(H5T_C_S1);
    bool ok = H5Tget_class(type) == H5T_STRING && H5Tis_variable_str(type) > 0 && nset_h5_shape(n, 1, space) == 1 &&
              *n > 0 && *n < MOST_FILES && (*out = nset_calloc(*n, sizeof **out));

    H5Tset_size(memory, H5T_VARIABLE);
    H5Tset_cset(memory, H5Tget_cset(type));
    if (ok && H5Dread(data, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, (void *)*out) < 0) {
        nset_free(*out);
        *out = NULL;
        ok = false;
    }
    H5Tclose(memory);
    H5Sclose(space);
    H5Tclose(type);
    return ok;
}

static nset_status add_external(nset_movie_layout *l, hid_t series, const char *path, nset_error *err)
{
    hid_t data = H5Dopen2(series, "external_file", H5P_DEFAULT);
    char **name = NULL, beside[4096];
    nset_status status = NSET_OK;
    hsize_t n = 0;

    if (data < 0 || !read_texts(&name, &n, data))
        status = nset_h5_fail(err, path, "external_file is no list of texts");
    for (hsize_t i = 0; i < n && status == NSET_OK; i++) {
        if (!name[i] || name[i][0] == '/' || strstr(name[i], "..")) {
            status = nset_fail(err, NSET_ERR_FORMAT,
                "%s: external_file names '%s'; only files below its own folder are opened", path,
                name[i] ? name[i] : "");
            break;
        }
        nset_path_beside(beside, sizeof beside, path, name[i]);
        status = nset_pages_add_tiff(&l->pages, beside, err);
    }
    for (hsize_t i = 0; i < n && name; i++)
        H5free_memory(name[i]);
    nset_free(name);
    if (data >= 0)
        H5Dclose(data);
    if (status != NSET_OK)
        return status;
    nset_movie_fact(l, "files", "external_file of the NWB series", "%zu", l->pages.n_files);
    return nset_movie_append(l, &(nset_axes){ (int64_t)l->pages.n_pages, 1, 1, "CZT" }, 0, path, err);
}

/* ---- the whole ---- */

/* Takes file. */
static nset_status read_inside(
    nset_movie_layout *l, hid_t file, hid_t series, const nset_movie_input *in, nset_error *err)
{
    static const nset_h5_axes columns = { 0, -1, -1, 2, 1 }, columns_z = { 0, 3, -1, 2, 1 };
    static const nset_h5_axes rows = { 0, -1, -1, 1, 2 }, rows_z = { 0, 3, -1, 1, 2 };
    hid_t data = H5Dopen2(series, "data", H5P_DEFAULT), space = data >= 0 ? H5Dget_space(data) : -1;
    hsize_t size[NSET_H5_AXES];
    int rank = nset_h5_shape(size, NSET_H5_AXES, space);
    bool rows_first = in->options->rows_first;
    nset_status status;

    if (space >= 0)
        H5Sclose(space);
    if (data < 0 || rank < 3 || rank > 4 || !nset_h5_is_movie(data)) {
        status = nset_h5_fail(err, in->path[0], "the series' data are no numbers (time, x, y) or (time, x, y, z)");
        if (data >= 0)
            H5Dclose(data);
        H5Fclose(file);
        return status;
    }
    nset_movie_fact(l, "axes", rows_first ? "--rows-first" : "the rules of NWB; --rows-first says otherwise", "%s",
        rows_first ? "(time, height, width)" : "(time, width, height)");
    return nset_h5_movie(l, file, data,
        rows_first  ? rank == 4 ? &rows_z : &rows
        : rank == 4 ? &columns_z
                    : &columns,
        in->path[0], err);
}

static nset_status read_nwb(nset_movie_layout *l, const nset_movie_input *in, nset_error *err)
{
    const char *path = in->path[0];
    char name[PATH_BYTES] = "";
    hid_t file, series;
    nset_status status;

    H5PLset_loading_state(0);
    if ((status = nset_h5_open(&file, path, err)) != NSET_OK)
        return status;
    if ((status = choose(name, file, path, in->options->series, err)) != NSET_OK ||
        (series = H5Gopen2(file, name, H5P_DEFAULT)) < 0) {
        H5Fclose(file);
        return status != NSET_OK ? status : nset_h5_fail(err, path, "the series cannot be opened");
    }
    nset_movie_fact(l, "series", in->options->series ? "--series" : "the file", "%s", name);
    find_rate(l, series, path);
    find_pixel(l, series, path);
    if (nset_h5_has(series, "external_file")) {
        status = add_external(l, series, path, err);
        H5Fclose(file);
    } else {
        status = read_inside(l, file, series, in, err);
    }
    H5Gclose(series);
    return status;
}

const nset_movie_reader nset_movie_nwb = { "nwb", knows, read_nwb, NULL };
