/* NWB: an ElectricalSeries in an HDF5 file. Microvolts are 1e6 (data conversion channel_conversion + offset). */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <neuroset/memory.h>

#include "ephys/nwb.h"

enum { MOST_COLUMNS = 65536 };

static bool ends(const char *path, const char *ending)
{
    size_t n = strlen(path), k = strlen(ending);

    return n > k && !strcmp(path + n - k, ending);
}

static bool probe(const char *path)
{
    char start[8] = "";
    FILE *f;

    if (ends(path, ".nwb") || ends(path, ".nwb.zarr") || ends(path, ".nwb.zarr/"))
        return access(path, R_OK) == 0;
    if (!(f = fopen(path, "rb")))
        return false;
    if (fread(start, 1, sizeof start, f) != sizeof start)
        start[0] = 0;
    fclose(f);
    return !memcmp(start, "\x89HDF\r\n\x1a\n", sizeof start);
}

/* Name of the samples' type in layout.h. 64-bit whole numbers are read as doubles. */
static bool set_type(nset_layout *l, hid_t data)
{
    hid_t type = H5Dget_type(data);
    H5T_class_t kind = type >= 0 ? H5Tget_class(type) : H5T_NO_CLASS;
    size_t size = type >= 0 ? H5Tget_size(type) : 0;

    if (kind == H5T_INTEGER && size <= 4 && size != 3)
        snprintf(l->dtype, sizeof l->dtype, "%sint%zu", H5Tget_sign(type) == H5T_SGN_NONE ? "u" : "", 8 * size);
    else if (kind == H5T_FLOAT && size <= 4)
        snprintf(l->dtype, sizeof l->dtype, "float32");
    else if (kind == H5T_FLOAT || kind == H5T_INTEGER)
        snprintf(l->dtype, sizeof l->dtype, "float64");
    if (type >= 0)
        H5Tclose(type);
    return l->dtype[0] != 0;
}

/* Numbers in a one-dimensional dataset of the series, 0 when there is none. */
static hsize_t length(hid_t series, const char *name)
{
    hid_t d = nset_h5_has(series, name) ? H5Dopen2(series, name, H5P_DEFAULT) : -1;
    hid_t space = d >= 0 ? H5Dget_space(d) : -1;
    hsize_t n = 0;

    if (nset_h5_shape(&n, 1, space) != 1)
        n = 0;
    if (space >= 0)
        H5Sclose(space);
    if (d >= 0)
        H5Dclose(d);
    return n;
}

/* Some programs write (column, time): then the times, or the electrodes, fit the other axis only. */
static bool is_transposed(hid_t series, const hsize_t *dims)
{
    hsize_t n_times = length(series, "timestamps"), n_electrodes = length(series, "electrodes");

    if (dims[1] <= dims[0])
        return false;
    if (n_times)
        return n_times == dims[1];
    return n_electrodes == dims[0] && n_electrodes != dims[1] && dims[1] / 8 > dims[0];
}

static nset_status set_scale(nset_layout *l, hid_t series, hid_t data, const char *path, nset_error *err)
{
    double conversion = 1, offset = 0, *factor = NULL;
    size_t n_factors = 0;
    nset_status status = NSET_OK;

    if (!nset_h5_number(&conversion, data, "conversion"))
        nset_layout_warn(l, "%s: data have no conversion: they are taken for volts", path);
    nset_h5_number(&offset, data, "offset");
    if (nset_h5_has(series, "channel_conversion"))
        status = nset_h5_doubles(&factor, &n_factors, series, "channel_conversion", MOST_COLUMNS, path, err);
    if (status == NSET_OK && n_factors && n_factors != l->n_columns)
        status = nset_fail(err, NSET_ERR_FORMAT, "%s: channel_conversion has %zu entries for %zu columns", path,
            n_factors, l->n_columns);
    for (size_t i = 0; i < l->n && status == NSET_OK; i++) {
        l->gain_uv[i] = 1e6 * conversion * (n_factors ? factor[i] : 1);
        l->offset_uv[i] = 1e6 * offset;
        if (!isfinite(l->gain_uv[i]) || l->gain_uv[i] == 0 || !isfinite(l->offset_uv[i]))
            status = nset_fail(err, NSET_ERR_FORMAT, "%s: the scale of column %zu is %g uV a count plus %g uV", path, i,
                l->gain_uv[i], l->offset_uv[i]);
    }
    nset_free(factor);
    if (status == NSET_OK) {
        nset_layout_fact(l, "gain", path, "%.10g uV a count%s", l->gain_uv[0],
            n_factors ? " (first channel; channel_conversion)" : "");
        if (offset != 0)
            nset_layout_fact(l, "offset", path, "%.10g uV", l->offset_uv[0]);
    }
    return status;
}

/* Fills l from the series and gives it the frames; the file is theirs, or closed. */
static nset_status use_series(nset_layout *l, hid_t file, hid_t series, const char *path, nset_error *err)
{
    hid_t data = H5Dopen2(series, "data", H5P_DEFAULT), space = data >= 0 ? H5Dget_space(data) : -1;
    hsize_t dims[2] = { 0, 1 };
    int rank = nset_h5_shape(dims, 2, space);
    bool transposed = rank == 2 && is_transposed(series, dims);
    hsize_t n_columns = dims[transposed ? 0 : 1], n_frames = dims[transposed ? 1 : 0];
    nset_status status = NSET_OK;

    if (space >= 0)
        H5Sclose(space);
    if (rank < 1 || n_columns < 1 || n_columns > MOST_COLUMNS || n_frames > INT64_MAX / 8 / n_columns ||
        !set_type(l, data))
        status = nset_h5_fail(err, path, "data are no numbers in (time) or (time, 1 to 65536 channels)");
    if (status == NSET_OK) {
        l->n_columns = n_columns;
        nset_layout_fact(l, "dtype", path, "%s", l->dtype);
        if (transposed)
            nset_layout_warn(l, "%s: data lie as (channel, time), not (time, channel): they are turned", path);
        status = nset_layout_channels(l, n_columns, err);
    }
    if (status == NSET_OK && (status = set_scale(l, series, data, path, err)) == NSET_OK &&
        (status = nset_nwb_times(l, series, (int64_t)n_frames, path, err)) == NSET_OK)
        status = nset_nwb_places(l, file, series, path, err);
    if (status == NSET_OK)
        return nset_nwb_frames(&l->frames, file, data, transposed, path, err);
    if (data >= 0)
        H5Dclose(data);
    H5Fclose(file);
    return status;
}

static nset_status check_file(hid_t file, const char *path, nset_error *err)
{
    char version[40];

    if (nset_h5_text(version, sizeof version, file, "nwb_version"))
        return NSET_OK;
    return nset_fail(err, NSET_ERR_FORMAT,
        "%s: this is HDF5 but no NWB file: it has no nwb_version (files of Maxwell and 3Brain are not read)", path);
}

static nset_status open_nwb(nset_layout *l, const char *path, const nset_recording_options *o, nset_error *err)
{
    char *name = NULL, *where = NULL;
    hid_t file = -1, series = -1;
    struct stat s;
    nset_status status;

    if (stat(path, &s) == 0 && S_ISDIR(s.st_mode))
        return nset_fail(err, NSET_ERR_FORMAT,
            "%s: NWB in a Zarr folder is not read here; rewrite it as HDF5 (a single .nwb file)", path);
    if ((status = nset_h5_open(&file, path, err)) != NSET_OK)
        return status;
    if ((status = check_file(file, path, err)) != NSET_OK ||
        (status = nset_nwb_choose(&name, file, path, o->stream, err)) != NSET_OK)
        goto done;
    l->data_path = nset_strdup(path);
    where = nset_calloc(strlen(path) + strlen(name) + 2, 1);
    if (!l->data_path || !where) {
        status = nset_fail_oom(err, strlen(path) + 1, 1);
        goto done;
    }
    snprintf(where, strlen(path) + strlen(name) + 2, "%s:%s", path, name);
    nset_layout_fact(l, "stream", o->stream ? "--stream" : "the only one in acquisition", "%s", name);
    series = H5Oopen(file, name, H5P_DEFAULT);
    if (series < 0) {
        status = nset_h5_fail(err, where, "cannot be opened");
        goto done;
    }
    status = use_series(l, file, series, where, err);
    file = -1; /* use_series has closed it, or the frames have it */

done:
    if (series >= 0)
        H5Oclose(series);
    if (file >= 0)
        H5Fclose(file);
    nset_free(where);
    nset_free(name);
    return status;
}

const nset_reader nset_reader_nwb = { "nwb", "NWB ElectricalSeries", true, probe, open_nwb, NULL };
