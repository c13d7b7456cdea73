/* HDF5: a dataset (time, y, x), (time, plane, y, x) or (time, plane, y, x, channel). */
#include <stdio.h>
#include <string.h>

#include <neuroset/memory.h>

#include "imaging/h5_movie.h"
#include "imaging/movie_input.h"

enum { MOST_DEPTH = 6, MOST_OBJECTS = 4096, PATH_BYTES = 512, SHOWN = 8 };

static bool knows(const nset_movie_input *in)
{
    return in->n == 1 && (!memcmp(in->head, "\211HDF", 4) || nset_path_ends(in->path[0], ".h5") ||
                             nset_path_ends(in->path[0], ".hdf5") ||
                             (nset_path_ends(in->path[0], ".mat") && H5Fis_hdf5(in->path[0]) > 0));
}

typedef struct search {
    char path[PATH_BYTES]; /* of the group that is looked into */
    int depth;
    size_t n_objects, n;
    char found[SHOWN][PATH_BYTES];
} search;

static herr_t look(hid_t group, const char *name, const H5L_info_t *info, void *context)
{
    search *s = context;
    size_t length = strlen(s->path);
    hid_t object;

    if (info->type == H5L_TYPE_EXTERNAL || s->n_objects++ >= MOST_OBJECTS || s->depth >= MOST_DEPTH ||
        length + strlen(name) + 2 > PATH_BYTES || (object = H5Oopen(group, name, H5P_DEFAULT)) < 0)
        return 0;
    snprintf(s->path + length, PATH_BYTES - length, "%s%s", length ? "/" : "", name);
    if (H5Iget_type(object) == H5I_DATASET && nset_h5_is_movie(object)) {
        if (s->n < SHOWN)
            memcpy(s->found[s->n], s->path, PATH_BYTES);
        s->n++;
    } else if (H5Iget_type(object) == H5I_GROUP) {
        hsize_t at = 0;
        s->depth++;
        H5Literate(object, H5_INDEX_NAME, H5_ITER_INC, &at, look, s);
        s->depth--;
    }
    s->path[length] = '\0';
    H5Oclose(object);
    return 0;
}

/* name (n) := the dataset that is meant. */
static nset_status choose(char *name, size_t n, hid_t file, const char *path, const char *wanted, nset_error *err)
{
    static const char *const usual[] = { "mov", "data", "images", "imaging", "1", "Data/Images" };
    search *s = nset_calloc(1, sizeof *s);
    hsize_t at = 0;
    nset_status status = NSET_OK;
    size_t given = 0;

    if (!s)
        return nset_fail_oom(err, 1, sizeof *s);
    H5Literate(file, H5_INDEX_NAME, H5_ITER_INC, &at, look, s);
    *name = '\0';
    for (size_t i = 0; i < s->n && i < SHOWN; i++) {
        size_t m = wanted ? strlen(wanted) : 0, length = strlen(s->found[i]);
        if (wanted &&
            (!strcmp(s->found[i], wanted + (*wanted == '/')) ||
                (m < length && !strcmp(s->found[i] + length - m, wanted) && s->found[i][length - m - 1] == '/'))) {
            snprintf(name, n, "%s", s->found[i]);
            given++;
        }
    }
    for (size_t k = 0; k < sizeof usual / sizeof *usual && !wanted && !*name; k++)
        for (size_t i = 0; i < s->n && i < SHOWN && !*name; i++)
            if (!strcmp(s->found[i], usual[k]))
                snprintf(name, n, "%s", usual[k]);
    if (!*name && !wanted && s->n == 1)
        snprintf(name, n, "%s", s->found[0]);
    if (!*name || given > 1) {
        char list[256] = "";
        for (size_t i = 0; i < s->n && i < SHOWN; i++)
            snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", i ? ", " : "", s->found[i]);
        status = nset_fail(err, NSET_ERR_FORMAT,
            s->n ? "%s: which dataset is the movie? --series NAME; there are %s"
                 : "%s: no dataset of 3 to 5 axes of numbers is in it%s",
            path, list);
    }
    nset_free(s);
    return status;
}

static void find_rate(nset_movie_layout *l, hid_t file, hid_t data)
{
    static const char *const names[] = { "fr", "fs", "rate", "frame_rate" };
    double x;

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if ((nset_h5_number(&x, data, names[i]) || nset_h5_number(&x, file, names[i])) && x > 0 && x < 1e6) {
            l->rate_hz = x;
            l->rate_from = "an attribute of the HDF5 file (fr, fs, rate or frame_rate)";
            return;
        }
}

static nset_status read_hdf5(nset_movie_layout *l, const nset_movie_input *in, nset_error *err)
{
    static const nset_h5_axes of_rank[] = {
        [3] = { 0, -1, -1, 1, 2 }, [4] = { 0, 1, -1, 2, 3 }, [5] = { 0, 1, 4, 2, 3 }
    };
    hid_t file, data, space;
    char name[PATH_BYTES], kind[64];
    hsize_t size[NSET_H5_AXES];
    nset_h5_axes axes;
    nset_status status;
    int rank;

    H5PLset_loading_state(0); /* filters of the environment are code that nobody chose */
    if ((status = nset_h5_open(&file, in->path[0], err)) != NSET_OK)
        return status;
    if ((status = choose(name, sizeof name, file, in->path[0], in->options->series, err)) != NSET_OK) {
        H5Fclose(file);
        return status;
    }
    if ((data = H5Dopen2(file, name, H5P_DEFAULT)) < 0) {
        status = nset_h5_fail(err, in->path[0], "the dataset cannot be opened");
        H5Fclose(file);
        return status;
    }
    space = H5Dget_space(data);
    rank = nset_h5_shape(size, NSET_H5_AXES, space);
    if (space >= 0)
        H5Sclose(space);
    axes = of_rank[rank >= 3 ? rank : 3];
    if (rank == 3 && nset_h5_text(kind, sizeof kind, data, "MATLAB_class")) {
        axes = (nset_h5_axes){ 0, -1, -1, 2, 1 };
        nset_movie_warn(l, "written by MATLAB: the axes are taken as (time, x, y)");
    }
    nset_movie_fact(l, "dataset", in->options->series ? "--series" : "the file", "%s", name);
    find_rate(l, file, data);
    return nset_h5_movie(l, file, data, &axes, in->path[0], err);
}

/* Recordings are HDF5 too: NWB without a series of pictures, and makers' files of arrays of one and two axes. */
static bool is_movie(const nset_movie_input *in)
{
    search *s = nset_calloc(1, sizeof *s);
    char kind[64] = "";
    hsize_t at = 0;
    bool is = false;
    hid_t file;

    if (s && nset_h5_open(&file, in->path[0], NULL) == NSET_OK) {
        nset_h5_text(kind, sizeof kind, file, "neurodata_type");
        H5Literate(file, H5_INDEX_NAME, H5_ITER_INC, &at, look, s);
        is = s->n > 0 && strcmp(kind, "NWBFile") != 0;
        H5Fclose(file);
    }
    nset_free(s);
    return is;
}

const nset_movie_reader nset_movie_hdf5 = { "hdf5", knows, read_hdf5, is_movie };
