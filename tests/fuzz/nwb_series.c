/* Sound HDF5 files with hostile NWB in them: the bytes choose shapes, types, numbers, references and links. Damaged
 * HDF5 itself is no subject here: the library reads beyond its own blocks then, before our code sees anything. */
#include <hdf5.h>
#include <string.h>

#include "results/h5.h"
#include "recording.h"

typedef struct input {
    const uint8_t *data;
    size_t size;
} input;

static unsigned take(input *in, unsigned below)
{
    unsigned v = in->size ? *in->data : 0;

    in->data += in->size > 0;
    in->size -= in->size > 0;
    return v % below;
}

static double take_number(input *in)
{
    static const double extremes[] = { 0, 1, -1, 1e-6, 1e300, -1e300, 1e308 * 10, 65536 };
    unsigned kind = take(in, 16);
    double x = 0;

    if (kind < 8)
        return extremes[kind];
    if (kind < 12)
        return (double)take(in, 8);
    for (size_t i = 0; i < sizeof x; i++)
        ((uint8_t *)&x)[i] = (uint8_t)take(in, 256);
    return x;
}

static hid_t take_type(input *in)
{
    switch (take(in, 8)) {
    case 0:
        return H5T_STD_U8LE;
    case 1:
        return H5T_STD_I32BE;
    case 2:
        return H5T_STD_I64LE;
    case 3:
        return H5T_IEEE_F32LE;
    case 4:
        return H5T_IEEE_F64BE;
    case 5:
        return H5T_C_S1;
    default:
        return H5T_STD_I16LE;
    }
}

static void put_attribute(input *in, hid_t at, const char *name, const char *text)
{
    hid_t space = H5Screate(take(in, 8) == 7 ? H5S_NULL : H5S_SCALAR), type = H5Tcopy(text ? H5T_C_S1 : take_type(in)),
          a;
    double x = text ? 0 : take_number(in);
    bool pointer = text && take(in, 2);

    if (text)
        H5Tset_size(type, pointer ? H5T_VARIABLE : strlen(text) + take(in, 2));
    a = H5Acreate2(at, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    if (a >= 0 && pointer)
        H5Awrite(a, type, &text);
    else if (a >= 0 && text)
        H5Awrite(a, type, text);
    else if (a >= 0)
        H5Awrite(a, H5T_NATIVE_DOUBLE, &x);
    if (a >= 0)
        H5Aclose(a);
    H5Tclose(type);
    H5Sclose(space);
}

/* A dataset of up to three axes; rank 3: one axis with the given length, where the parts should fit. */
static hid_t put_data(input *in, hid_t at, const char *name, hsize_t fitting)
{
    unsigned rank = take(in, 5);
    hsize_t dims[3] = { rank > 3 ? fitting : take(in, 12), take(in, 12), take(in, 4) }, n = 1;
    hid_t space, d, type = take_type(in);
    double x[12 * 12 * 4];

    rank = rank > 3 ? 1 : rank;
    for (unsigned i = 0; i < rank; i++)
        n *= dims[i];
    for (hsize_t i = 0; i < n; i++)
        x[i] = take_number(in);
    space = H5Screate_simple((int)rank, dims, NULL);
    d = H5Dcreate2(at, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    if (d >= 0)
        H5Dwrite(d, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, x);
    H5Sclose(space);
    return d;
}

static void put_electrodes(input *in, hid_t file, hid_t series)
{
    hid_t table = H5Gcreate2(file, "t", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    hid_t space = H5Screate(H5S_SCALAR), region = put_data(in, series, "electrodes", 3), a = -1;
    hobj_ref_t to;

    if (take(in, 4))
        H5Dclose(put_data(in, table, "rel_x", 4));
    if (take(in, 4))
        H5Dclose(put_data(in, table, "rel_y", 4));
    if (take(in, 2))
        H5Dclose(put_data(in, table, "group_name", 4));
    H5Rcreate(&to, file, take(in, 4) ? "t" : "acquisition/s/electrodes", H5R_OBJECT, -1);
    if (region >= 0)
        a = H5Acreate2(region, "table", H5T_STD_REF_OBJ, space, H5P_DEFAULT, H5P_DEFAULT);
    if (a >= 0) {
        H5Awrite(a, H5T_STD_REF_OBJ, &to);
        H5Aclose(a);
    }
    if (region >= 0)
        H5Dclose(region);
    H5Sclose(space);
    H5Gclose(table);
}

static void put_series(input *in, hid_t file)
{
    hid_t series = H5Gcreate2(file, "acquisition/s", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), d;

    put_attribute(in, series, "neurodata_type", "ElectricalSeries");
    if ((d = put_data(in, series, "data", 3)) >= 0) {
        if (take(in, 4))
            put_attribute(in, d, "conversion", NULL);
        if (take(in, 2))
            put_attribute(in, d, "offset", NULL);
        H5Dclose(d);
    }
    if (take(in, 2) && (d = put_data(in, series, "starting_time", 1)) >= 0) {
        put_attribute(in, d, "rate", NULL);
        H5Dclose(d);
    }
    if (take(in, 3) == 0)
        H5Dclose(put_data(in, series, "timestamps", 3));
    if (take(in, 3) == 0)
        H5Dclose(put_data(in, series, "channel_conversion", 3));
    if (take(in, 2))
        put_electrodes(in, file, series);
    if (take(in, 8) == 7)
        H5Lcreate_soft("/acquisition", series, "again", H5P_DEFAULT, H5P_DEFAULT);
    H5Gclose(series);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    nset_recording_options options = { .format = "nwb", .rate_hz = size % 2 ? 1000 : 0 };
    const char *path = fuzz_file("a.nwb", data, 0);
    input in = { data, size };
    hid_t file;

    nset_h5_quiet();
    file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    put_attribute(&in, file, "nwb_version", "2.6.0");
    H5Gclose(H5Gcreate2(file, "acquisition", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    put_series(&in, file);
    H5Fclose(file);
    fuzz_recording(path, &options);
    return 0;
}
