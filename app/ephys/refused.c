#include "ephys/refused.h"

#include <hdf5.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ephys/bytes.h"
#include "ephys/folder.h"
#include "results/h5.h"

#define PLEX UINT32_C(0x58454C50)

enum { MAXWELL_FILTER = 401 };

static const struct by_name {
    const char *ending, *says;
} names[] = {
    { ".pl2", "Plexon's PL2 is not documented and not read here; export the continuous channels as raw int16 or NWB" },
    { ".nse", "it holds spikes of one electrode, not the recording: give the .ncs files" },
    { ".nst", "it holds spikes of a stereotrode, not the recording: give the .ncs files" },
    { ".ntt", "it holds spikes of a tetrode, not the recording: give the .ncs files" },
    { ".nev", "it holds events and spikes, not the recording: give the .ncs files (Neuralynx) or the .ns1 to .ns6 file "
              "(Blackrock)" },
    { ".nvt", "it holds video tracking, not the recording: give the .ncs files" },
};

static bool is_zarr(const char *path)
{
    static const char *const marks[] = { ".zgroup", ".zarray", ".zattrs", "zarr.json" };
    char mark[4096];

    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        snprintf(mark, sizeof mark, "%s/%s", path, marks[i]);
        if (access(mark, F_OK) == 0)
            return true;
    }
    return false;
}

/* ---- HDF5 of vendors ---- */

static bool has_filter(hid_t data, H5Z_filter_t wanted)
{
    hid_t list = H5Dget_create_plist(data);
    int n = list >= 0 ? H5Pget_nfilters(list) : 0;
    bool has = false;

    for (unsigned i = 0; i < (unsigned)(n > 0 ? n : 0) && !has; i++) {
        size_t n_values = 0;
        has = H5Pget_filter2(list, i, NULL, &n_values, NULL, 0, NULL, NULL) == wanted;
    }
    if (list >= 0)
        H5Pclose(list);
    return has;
}

static nset_status refuse_maxwell(hid_t file, const char *where, const char *path, nset_error *err)
{
    hid_t data = H5Dopen2(file, where, H5P_DEFAULT), space = data >= 0 ? H5Dget_space(data) : -1;
    hsize_t dims[2] = { 0 };
    bool packed = data >= 0 && has_filter(data, MAXWELL_FILTER);
    int rank = nset_h5_shape(dims, 2, space);

    if (space >= 0)
        H5Sclose(space);
    if (data >= 0)
        H5Dclose(data);
    if (packed)
        return nset_fail(err, NSET_ERR_FORMAT,
            "%s: Maxwell, %llu channels, %llu samples; header and mapping can be read, the samples cannot: they are "
            "packed "
            "by Maxwell's private HDF5 filter 401 (mxw-data). Rewrite them with Maxwell's software",
            path, rank == 2 ? (unsigned long long)dims[0] : 0, rank == 2 ? (unsigned long long)dims[1] : 0);
    return nset_fail(
        err, NSET_ERR_FORMAT, "%s: Maxwell's format is not read here; write its samples as raw uint16 or NWB", path);
}

static nset_status refuse_hdf5(const char *path, nset_error *err)
{
    static const char *const raws[] = { "sig", "data_store/data0000/groups/routed/raw" };
    nset_status status = NSET_OK;
    hid_t file = -1;

    nset_h5_quiet();
    if (nset_h5_open(&file, path, NULL) != NSET_OK)
        return NSET_OK; /* its reader says why */
    for (size_t i = 0; i < 2 && status == NSET_OK; i++)
        if (nset_h5_has(file, raws[i]) && (i || nset_h5_has(file, "mapping")))
            status = refuse_maxwell(file, raws[i], path, err);
    if (status == NSET_OK && nset_h5_has(file, "3BData"))
        status = nset_fail(
            err, NSET_ERR_FORMAT, "%s: 3Brain's .brw is not read here; write its samples as raw uint16 or NWB", path);
    H5Fclose(file);
    return status;
}

nset_status nset_refuse_known(const char *path, nset_error *err)
{
    unsigned char start[8] = { 0 };
    size_t got;
    FILE *f;

    if (nset_is_folder(path)) {
        if (!is_zarr(path))
            return NSET_OK;
        return nset_fail(err, NSET_ERR_FORMAT,
            "%s: a Zarr folder, which is not read here; write it as NWB in HDF5, or as raw binary", path);
    }
    if (!(f = fopen(path, "rb")))
        return NSET_OK;
    got = fread(start, 1, sizeof start, f);
    fclose(f);
    if (got == sizeof start && nset_le32(start) == PLEX)
        return nset_fail(err, NSET_ERR_FORMAT,
            "%s: Plexon's .plx is not read here; export the continuous channels as raw int16 or NWB", path);
    if (got == sizeof start && !memcmp(start, "\x89HDF\r\n\x1a\n", sizeof start))
        return refuse_hdf5(path, err);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (nset_has_ending(path, names[i].ending))
            return nset_fail(err, NSET_ERR_FORMAT, "%s: %s", path, names[i].says);
    return NSET_OK;
}
