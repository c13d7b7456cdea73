#include "imaging/write_nwb.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#include <neuroset/memory.h>

#define MODULE "/processing/ophys"
#define TABLE MODULE "/ImageSegmentation/PlaneSegmentation"
static const double MOST_IMAGE_BYTES =
    8589934592.; /* of image masks before packing, which shrinks them a hundredfold */

/* ---- imaging plane ---- */

static void put_scalar(nset_h5_writer *w, hid_t at, const char *name, double x)
{
    nset_h5w_close_object(nset_h5w_numbers(w, at, name, H5T_NATIVE_DOUBLE, 0, NULL, &x));
}

/* NaN where nobody tells. */
static double length_of(const json_t *object, const char *key)
{
    const json_t *v = json_object_get(object, key);

    return json_is_number(v) ? json_number_value(v) : NAN;
}

static void put_channel(nset_h5_writer *w, hid_t plane, const json_t *channel)
{
    hid_t c = nset_h5w_group(w, plane, nset_nwb_told(channel, "name", "OpticalChannel"), "core", "OpticalChannel");

    nset_h5w_text(w, c, "description", nset_nwb_told(channel, "description", "unknown"));
    put_scalar(w, c, "emission_lambda", length_of(channel, "emission_lambda"));
    nset_h5w_close_object(c);
}

/* plane_path (room) := where it stands. */
static void put_plane(
    nset_h5_writer *w, char *plane_path, size_t room, hid_t general, const nset_segmentation *s, const json_t *metadata)
{
    const json_t *told = json_object_get(metadata, "imaging_plane");
    const char *name = nset_nwb_told(told, "name", "ImagingPlane");
    hid_t all, plane, spacing;
    double metres[2] = { s->pixel_um * 1e-6, s->pixel_um * 1e-6 };
    hsize_t two = 2;
    char device[400];

    nset_nwb_device(w, device, sizeof device, general, metadata, "Microscope");
    all = nset_h5w_group(w, general, "optophysiology", NULL, NULL);
    plane = nset_h5w_group(w, all, name, "core", "ImagingPlane");
    nset_h5w_text(w, plane, "description", nset_nwb_told(told, "description", "unknown"));
    nset_h5w_text(w, plane, "indicator", nset_nwb_told(told, "indicator", "unknown"));
    nset_h5w_text(w, plane, "location", nset_nwb_told(told, "location", "unknown"));
    put_scalar(w, plane, "excitation_lambda", length_of(told, "excitation_lambda"));
    put_scalar(w, plane, "imaging_rate", s->traces->rate_hz);
    if (s->pixel_um > 0) {
        spacing = nset_h5w_numbers(w, plane, "grid_spacing", H5T_NATIVE_DOUBLE, 1, &two, metres);
        nset_h5w_attr_text(w, spacing, "unit", "meters");
        nset_h5w_close_object(spacing);
    }
    nset_h5w_link(w, plane, "device", device);
    put_channel(w, plane, json_object_get(told, "optical_channel"));
    nset_h5w_close_object(plane);
    nset_h5w_close_object(all);
    snprintf(plane_path, room, "/general/optophysiology/%s", name);
}

/* ---- the table of masks ---- */

typedef struct measure {
    const char *name, *description;
    double (*of)(const nset_segmentation *s, size_t i);
} measure;

static double probability(const nset_segmentation *s, size_t i)
{
    return s->masks->roi[i].probability;
}

static double snr(const nset_segmentation *s, size_t i)
{
    return s->masks->roi[i].snr;
}

static double stability(const nset_segmentation *s, size_t i)
{
    return s->masks->roi[i].stability;
}

static double share(const nset_segmentation *s, size_t i)
{
    return (double)s->traces->share[i];
}

static double noise(const nset_segmentation *s, size_t i)
{
    return (double)s->traces->noise[i];
}

static double decay(const nset_segmentation *s, size_t i)
{
    return (double)s->traces->decay_s[i];
}

static const measure measures[] = {
    { "probability", "of being a cell, as the network says", probability },
    { "snr", "99th percentile of dF/F above its median, over the noise", snr },
    { "stability", "correlation of the traces of two halves of the mask's pixels", stability },
    { "neuropil_share", "share of the surrounding light that was taken off the trace", share },
    { "noise", "standard deviation of the noise in dF/F", noise },
    { "decay_s", "time constant in seconds that the events were found with", decay },
};
enum { N_MEASURES = sizeof measures / sizeof *measures };

/* What no mask has is no column. */
static bool is_defined(const nset_segmentation *s, const measure *m)
{
    for (size_t i = 0; i < s->masks->n; i++)
        if (isfinite(m->of(s, i)))
            return true;
    return s->masks->n == 0;
}

/* (n, x, y) of weights, a mask at a time. */
static void put_images(nset_h5_writer *w, hid_t table, const nset_masks *m)
{
    hsize_t dims[3] = { m->n, m->width, m->height };
    float *x = nset_nwb_room(w, m->width * m->height, sizeof *x);
    hid_t d = nset_h5w_rows(w, table, "image_mask", H5T_NATIVE_FLOAT, 3, dims);

    for (size_t i = 0; i < m->n && x; i++) {
        memset(x, 0, m->width * m->height * sizeof *x);
        for (size_t k = 0; k < m->roi[i].n_pixels; k++) {
            size_t row = (size_t)m->roi[i].pixel[k] / m->width, column = (size_t)m->roi[i].pixel[k] % m->width;
            x[column * m->height + row] = m->roi[i].weight[k];
        }
        nset_h5w_row(w, d, "image_mask", i, x);
    }
    nset_nwb_column(w, d, "weight of each pixel (x, y) in the mask's trace; weights sum to 1");
    nset_free(x);
}

typedef struct pixel {
    uint32_t x, y;
    float weight;
} pixel;

static void put_pixels(nset_h5_writer *w, hid_t table, const nset_masks *m)
{
    hid_t type = H5Tcreate(H5T_COMPOUND, sizeof(pixel));
    uint64_t *end = nset_nwb_room(w, m->n, sizeof *end);
    hsize_t n = 0;
    pixel *p;

    for (size_t i = 0; i < m->n && end; i++)
        end[i] = n += m->roi[i].n_pixels;
    p = nset_nwb_room(w, n, sizeof *p);
    for (size_t i = 0, at = 0; i < m->n && p; i++)
        for (size_t k = 0; k < m->roi[i].n_pixels; k++)
            p[at++] = (pixel){ (uint32_t)m->roi[i].pixel[k] % (uint32_t)m->width,
                (uint32_t)m->roi[i].pixel[k] / (uint32_t)m->width, m->roi[i].weight[k] };
    H5Tinsert(type, "x", offsetof(pixel, x), H5T_STD_U32LE);
    H5Tinsert(type, "y", offsetof(pixel, y), H5T_STD_U32LE);
    H5Tinsert(type, "weight", offsetof(pixel, weight), H5T_IEEE_F32LE);
    nset_nwb_column(w, nset_h5w_numbers(w, table, "pixel_mask", type, 1, &n, p),
        "pixels (x, y) of each mask and their weights in its trace");
    nset_nwb_index(w, table, TABLE, "pixel_mask", end, m->n);
    H5Tclose(type);
    nset_free(p);
    nset_free(end);
}

static void put_table(nset_h5_writer *w, hid_t module, const nset_segmentation *s, const char *plane)
{
    const nset_masks *m = s->masks;
    const char *columns[2 + N_MEASURES] = { "pixel_mask" };
    bool images = (double)m->n * (double)m->width * (double)m->height * sizeof(float) <= MOST_IMAGE_BYTES;
    hid_t all = nset_h5w_group(w, module, "ImageSegmentation", "core", "ImageSegmentation"), t;
    double *x = nset_nwb_room(w, m->n, sizeof *x);
    int64_t *id = nset_nwb_room(w, m->n, sizeof *id);
    hsize_t n = m->n;
    size_t k = 1;

    if (images)
        columns[k++] = "image_mask";
    for (size_t c = 0; c < N_MEASURES; c++)
        if (is_defined(s, &measures[c]))
            columns[k++] = measures[c].name;
    for (size_t i = 0; i < m->n && id; i++)
        id[i] = m->roi[i].id;
    t = nset_h5w_group(w, all, "PlaneSegmentation", "core", "PlaneSegmentation");
    nset_nwb_table(w, t, "masks of cells", columns, k, id, m->n);
    nset_h5w_link(w, t, "imaging_plane", plane);
    nset_h5w_close_object(nset_h5w_group(w, t, "reference_images", NULL, NULL)); /* asked for, may be empty */
    put_pixels(w, t, m);
    if (images)
        put_images(w, t, m);
    for (size_t c = 0; c < N_MEASURES && x; c++) {
        if (!is_defined(s, &measures[c]))
            continue;
        for (size_t i = 0; i < m->n; i++)
            x[i] = measures[c].of(s, i);
        nset_nwb_column(
            w, nset_h5w_numbers(w, t, measures[c].name, H5T_NATIVE_DOUBLE, 1, &n, x), measures[c].description);
    }
    nset_free(x);
    nset_free(id);
    nset_h5w_close_object(t);
    nset_h5w_close_object(all);
}

/* ---- traces ---- */

static void put_rois(nset_h5_writer *w, hid_t series, size_t n_rois)
{
    int32_t *row = nset_nwb_room(w, n_rois, sizeof *row);
    hsize_t n = n_rois;
    hid_t d;

    for (size_t i = 0; i < n_rois && row; i++)
        row[i] = (int32_t)i;
    d = nset_h5w_numbers(w, series, "rois", H5T_STD_I32LE, 1, &n, row);
    nset_h5w_type(w, d, "hdmf-common", "DynamicTableRegion");
    nset_h5w_attr_text(w, d, "description", "the masks of the columns of data: all of them");
    nset_h5w_attr_reference(w, d, "table", TABLE);
    nset_h5w_close_object(d);
    nset_free(row);
}

/* x (n_rois, n_frames) as data (t, n) of the unit. */
static void put_series(nset_h5_writer *w, hid_t at, const char *name, const nset_traces *t, const float *x,
    const char *unit, const char *description)
{
    hid_t series = nset_h5w_group(w, at, name, "core", "RoiResponseSeries"), d;
    hsize_t dims[2] = { t->n_frames, t->n_rois };
    float *turned = nset_nwb_room(w, t->n_frames * t->n_rois, sizeof *turned);
    double start = 0;

    for (size_t i = 0; i < t->n_rois && turned; i++)
        for (size_t k = 0; k < t->n_frames; k++)
            turned[k * t->n_rois + i] = x[i * t->n_frames + k];
    nset_h5w_attr_text(w, series, "description", description);
    nset_h5w_attr_text(w, series, "comments", "no comments");
    d = nset_h5w_numbers(w, series, "data", H5T_NATIVE_FLOAT, 2, dims, turned);
    nset_h5w_attr_text(w, d, "unit", unit);
    nset_h5w_attr_float(w, d, "conversion", 1, true);
    nset_h5w_attr_float(w, d, "offset", 0, true);
    nset_h5w_attr_float(w, d, "resolution", -1, true);
    nset_h5w_close_object(d);
    d = nset_h5w_numbers(w, series, "starting_time", H5T_NATIVE_DOUBLE, 0, NULL, &start);
    nset_h5w_attr_float(w, d, "rate", t->rate_hz, true);
    nset_h5w_attr_text(w, d, "unit", "seconds");
    nset_h5w_close_object(d);
    put_rois(w, series, t->n_rois);
    nset_h5w_close_object(series);
    nset_free(turned);
}

static void put_traces(nset_h5_writer *w, hid_t module, const nset_traces *t)
{
    hid_t g = nset_h5w_group(w, module, "Fluorescence", "core", "Fluorescence");

    put_series(w, g, "RoiResponseSeries", t, t->raw, "counts", "weighted mean of each mask in the movie's counts");
    put_series(w, g, "Neuropil", t, t->neuropil, "counts", "mean of a ring around each mask in the movie's counts");
    put_series(w, g, "Deconvolved", t, t->events, "n.a.",
        "events: rise of the fitted activity at each frame, in parts of the rest level (dF/F)");
    nset_h5w_close_object(g);
    g = nset_h5w_group(w, module, "DfOverF", "core", "DfOverF");
    put_series(w, g, "RoiResponseSeries", t, t->dff, "n.a.",
        "change of light over the rest level, without neuropil and overlapping masks");
    nset_h5w_close_object(g);
}

static void put_summary(nset_h5_writer *w, hid_t module, const nset_maps *m)
{
    static const char *const names[][2] = { { "mean", "mean of the frames in counts" },
        { "correlation", "correlation of each pixel with its neighbours" } };
    hid_t g = nset_h5w_group(w, module, "SegmentationImages", "core", "Images"), d;
    hsize_t dims[2] = { m->width, m->height };
    float *x = nset_nwb_room(w, m->width * m->height, sizeof *x);

    nset_h5w_attr_text(w, g, "description", "summary images of the movie, (x, y)");
    for (size_t i = 0; i < m->n && x; i++)
        for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
            const float *map = m->data + i * m->height * m->width;
            if (strcmp(m->names[i], names[k][0]))
                continue;
            for (size_t p = 0; p < m->height * m->width; p++)
                x[p % m->width * m->height + p / m->width] = map[p];
            d = nset_h5w_numbers(w, g, names[k][0], H5T_NATIVE_FLOAT, 2, dims, x);
            nset_h5w_type(w, d, "core", "GrayscaleImage");
            nset_h5w_attr_text(w, d, "description", names[k][1]);
            nset_h5w_close_object(d);
        }
    nset_h5w_close_object(g);
    nset_free(x);
}

/* ---- the file ---- */

/* Two words that follow from masks and traces. */
static nset_status content_seed(uint64_t seed[2], const nset_segmentation *s, nset_error *err)
{
    XXH3_state_t *state = XXH3_createState();
    const nset_traces *t = s->traces;
    XXH128_hash_t h;

    if (!state)
        return nset_fail_oom(err, 1, 512);
    XXH3_128bits_reset(state);
    XXH3_128bits_update(state, &t->rate_hz, sizeof t->rate_hz);
    for (size_t i = 0; i < s->masks->n; i++)
        XXH3_128bits_update(state, s->masks->roi[i].pixel, s->masks->roi[i].n_pixels * sizeof(int32_t));
    if (t->n_rois && t->n_frames)
        XXH3_128bits_update(state, t->raw, t->n_rois * t->n_frames * sizeof *t->raw);
    XXH3_128bits_update(state, s->summary->data, s->summary->height * s->summary->width * sizeof(float));
    h = XXH3_128bits_digest(state);
    XXH3_freeState(state);
    seed[0] = h.low64;
    seed[1] = h.high64;
    return NSET_OK;
}

nset_status nset_segmentation_write_nwb(
    const nset_segmentation *s, const nset_nwb_options *o, nset_run_folder *folder, nset_error *err)
{
    const char *path = nset_run_folder_path(folder, "segmentation.nwb", err);
    nset_h5_writer w;
    uint64_t seed[2];
    char plane[300];
    hid_t g;
    nset_status status;

    if (!path)
        return NSET_ERR_IO;
    if (!(s->traces->rate_hz > 0))
        return nset_fail(err, NSET_ERR_ARG, "%s: NWB needs the frame rate: give it with --rate", path);
    if ((status = content_seed(seed, s, err)) != NSET_OK)
        return status;
    g = nset_nwb_open(&w, path, seed, o, err);
    put_plane(&w, plane, sizeof plane, g, s, o->metadata);
    nset_h5w_close_object(g);
    g = nset_h5w_group(&w, w.file, "processing/ophys", "core", "ProcessingModule");
    nset_h5w_attr_text(&w, g, "description", "cells found in a calcium movie and their traces");
    put_table(&w, g, s, plane);
    put_traces(&w, g, s->traces);
    put_summary(&w, g, s->summary);
    nset_h5w_close_object(g);
    return nset_h5w_close(&w);
}
