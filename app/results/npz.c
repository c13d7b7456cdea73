#include "results/npz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <neuroset/file.h>
#include <neuroset/memory.h>

#include "results/zip_file.h"

static size_t item_size(const char *descr)
{
    size_t n = (size_t)atoi(descr + 2);

    return descr[1] == 'U' ? 4 * n : n;
}

static size_t n_bytes(const nset_array *a)
{
    size_t n = item_size(a->descr);

    for (size_t i = 0; i < a->rank; i++)
        n *= a->shape[i];
    return n;
}

/* Version 1.0 header, padded so that the data start at a multiple of 64. Returns its length. */
size_t nset_npy_header(char *out, size_t room, const nset_array *a)
{
    char shape[128] = "";
    size_t n = 0, length;

    for (size_t i = 0; i < a->rank; i++)
        n += (size_t)snprintf(shape + n, sizeof shape - n,
            i + 1 < a->rank ? "%zu, "
            : a->rank == 1  ? "%zu,"
                            : "%zu",
            a->shape[i]);
    memcpy(out, "\x93NUMPY\x01\x00", 8);
    length = 10 + (size_t)snprintf(
                      out + 10, room - 10, "{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", a->descr, shape);
    while ((length + 1) % 64)
        out[length++] = ' ';
    out[length++] = '\n';
    out[8] = (char)((length - 10) & 255);
    out[9] = (char)((length - 10) >> 8);
    return length;
}

nset_status nset_npy_write(const char *path, const nset_array *a, nset_error *err)
{
    nset_atomic_file *file = NULL;
    nset_status status;
    char header[512];
    size_t n;

    if ((status = nset_atomic_open(&file, path, err)) != NSET_OK)
        return status;
    n = nset_npy_header(header, sizeof header, a);
    fwrite(header, 1, n, nset_atomic_stream(file));
    if (n_bytes(a))
        fwrite(a->data, 1, n_bytes(a), nset_atomic_stream(file));
    return nset_atomic_commit(file, err);
}

static nset_status add_array(zip_t *zip, const char *path, const nset_array *a, nset_error *err)
{
    size_t n = n_bytes(a), header;
    char *bytes = malloc(n + 512); /* libzip frees it with free() */
    char name[128];

    if (!bytes)
        return nset_fail_oom(err, n + 512, 1);
    header = nset_npy_header(bytes, 512, a);
    if (n)
        memcpy(bytes + header, a->data, n);
    snprintf(name, sizeof name, "%s.npy", a->name);
    return nset_zip_add(zip, name, bytes, header + n, path, err);
}

nset_status nset_npz_write(const char *path, const nset_array *arrays, size_t n, nset_error *err)
{
    zip_t *zip = NULL;
    nset_status status = nset_zip_open(&zip, path, err);

    if (status != NSET_OK)
        return status;
    for (size_t i = 0; i < n && status == NSET_OK; i++)
        status = add_array(zip, path, &arrays[i], err);
    return nset_zip_close(zip, status, path, err);
}
