/* MAT version 7.3: HDF5 behind a header of 512 bytes, a dataset a variable. */
#include "results/h5.h"
#include "ephys/mat.h"

enum { MOST_NUMBERS = 1000000 };

nset_status nset_mat_read_hdf5(nset_mat_array *arrays, size_t n_arrays, const char *path, nset_error *err)
{
    hid_t file;
    nset_status status = nset_h5_open(&file, path, err);

    for (size_t i = 0; i < n_arrays && status == NSET_OK; i++)
        if (nset_h5_has(file, arrays[i].name))
            status = nset_h5_doubles(&arrays[i].x, &arrays[i].n, file, arrays[i].name, MOST_NUMBERS, path, err);
    if (file >= 0)
        H5Fclose(file);
    return status;
}
