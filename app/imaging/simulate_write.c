#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <neuroset/file.h>
#include <neuroset/memory.h>

#include "cli/progress.h"
#include "imaging/simulate.h"
#include "imaging/tiff.h"
#include "results/npz.h"

static json_t *coordinates(const nset_sim_cell *c, size_t width)
{
    json_t *list = json_array();

    for (size_t i = 0; i < c->n_pixels; i++)
        json_array_append_new(list, json_pack("[i, i]", c->pixel[i] / (int)width, c->pixel[i] % (int)width));
    return list;
}

static nset_status write_json(const char *path, json_t *root, nset_error *err)
{
    nset_atomic_file *file = NULL;
    nset_status status = nset_atomic_open(&file, path, err);

    if (status != NSET_OK)
        return status;
    json_dumpf(root, nset_atomic_stream(file), JSON_COMPACT);
    return nset_atomic_commit(file, err);
}

/* Cells that reach over the border are not to be counted either way: ignore.json. */
static nset_status write_regions(const nset_sim_movie *m, const char *dir, nset_error *err)
{
    json_t *regions = json_array(), *ignored = json_array();
    char path[4096];
    nset_status status;

    for (size_t i = 0; i < m->n_cells; i++) {
        const nset_sim_cell *c = &m->cells[i];
        if (c->n_pixels > 0)
            json_array_append_new(c->cut ? ignored : regions, json_pack("{s:i, s:o, s:b}", "id", (int)i, "coordinates",
                                                                  coordinates(c, m->width), "active", c->active));
    }
    snprintf(path, sizeof path, "%s/regions.json", dir);
    status = write_json(path, regions, err);
    snprintf(path, sizeof path, "%s/ignore.json", dir);
    if (status == NSET_OK)
        status = write_json(path, ignored, err);
    json_decref(regions);
    json_decref(ignored);
    return status;
}

static nset_status write_truth(const nset_sim_movie *m, const char *dir, nset_error *err)
{
    int32_t *ids = nset_calloc(m->n_cells, sizeof *ids);
    nset_array arrays[4] = {
        { .name = "ids", .descr = "<i4", .rank = 1, .shape = { m->n_cells }, .data = ids },
        { .name = "trace", .descr = "<f4", .rank = 2, .shape = { m->n_cells, m->n_frames }, .data = m->trace },
        { .name = "spikes", .descr = "<f4", .rank = 2, .shape = { m->n_cells, m->n_frames }, .data = m->spikes },
        { .name = "shift", .descr = "<f8", .rank = 2, .shape = { m->n_frames, 2 }, .data = m->shift },
    };
    char path[4096];
    nset_status status;

    if (!ids)
        return nset_fail_oom(err, m->n_cells, sizeof *ids);
    for (size_t i = 0; i < m->n_cells; i++)
        ids[i] = (int32_t)i;
    snprintf(path, sizeof path, "%s/truth.npz", dir);
    status = nset_npz_write(path, arrays, 4, err);
    nset_free(ids);
    return status;
}

nset_status nset_simulate_movie(const char *dir, const nset_sim_movie_options *o, nset_error *err)
{
    nset_sim_movie *m = NULL;
    char path[4096];
    nset_status status;

    if (mkdir(dir, 0777) && errno != EEXIST)
        return nset_fail(err, NSET_ERR_IO, "%s: cannot be made: %s", dir, strerror(errno));
    nset_progress_begin("simulate", (double)o->n_frames, "frames");
    status = nset_sim_movie_make(&m, o, err);
    nset_progress_end();
    if (status != NSET_OK)
        return status;
    snprintf(path, sizeof path, "%s/movie.tif", dir);
    if ((status = nset_tiff_write_u16(path, m->frames, m->n_frames, m->height, m->width, err)) == NSET_OK &&
        (status = write_regions(m, dir, err)) == NSET_OK)
        status = write_truth(m, dir, err);
    nset_sim_movie_free(m);
    return status;
}
