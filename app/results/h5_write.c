#include "results/h5_write.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include <neuroset/memory.h>

enum { PACK_BYTES = 1 << 16, CHUNK_BYTES = 1 << 20, PACK_LEVEL = 4 };

static void failed(nset_h5_writer *w, const char *name)
{
    char what[300];

    if (w->status != NSET_OK)
        return;
    snprintf(what, sizeof what, "'%s' cannot be written", name);
    nset_h5_fail(w->err, w->path, what);
    w->status = NSET_ERR_IO;
    if (w->err)
        w->err->status = NSET_ERR_IO;
}

void nset_h5w_open(nset_h5_writer *w, const char *path, const uint64_t seed[2], nset_error *err)
{
    hid_t access;

    nset_h5_quiet();
    access = H5Pcreate(H5P_FILE_ACCESS);
    *w = (nset_h5_writer){ .path = path, .err = err, .seed = { seed[0], seed[1] } };
    H5Pset_fclose_degree(access, H5F_CLOSE_STRONG);
    w->file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, access);
    H5Pclose(access);
    w->text = H5Tcopy(H5T_C_S1);
    H5Tset_size(w->text, H5T_VARIABLE);
    H5Tset_cset(w->text, H5T_CSET_UTF8);
    w->dataset_plist = H5Pcreate(H5P_DATASET_CREATE);
    w->group_plist = H5Pcreate(H5P_GROUP_CREATE);
    H5Pset_obj_track_times(w->dataset_plist, false);
    H5Pset_obj_track_times(w->group_plist, false);
    if (w->file < 0)
        failed(w, "/");
}

nset_status nset_h5w_close(nset_h5_writer *w)
{
    int fd;

    H5Pclose(w->group_plist);
    H5Pclose(w->dataset_plist);
    H5Tclose(w->text);
    if (w->file >= 0 && H5Fclose(w->file) < 0)
        failed(w, "/");
    if (w->status == NSET_OK && (fd = open(w->path, O_RDONLY | O_CLOEXEC)) >= 0) {
        fsync(fd);
        close(fd);
    }
    return w->status;
}

void nset_h5w_close_object(hid_t object)
{
    if (object >= 0)
        H5Oclose(object);
}

/* ---- attributes ---- */

static void write_attribute(
    nset_h5_writer *w, hid_t object, const char *name, hid_t type, hid_t memory, hid_t space, const void *x)
{
    hid_t a = w->status == NSET_OK ? H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT) : -1;

    if (a < 0 || H5Awrite(a, memory, x) < 0)
        failed(w, name);
    if (a >= 0)
        H5Aclose(a);
    H5Sclose(space);
}

void nset_h5w_attr_text(nset_h5_writer *w, hid_t object, const char *name, const char *text)
{
    write_attribute(w, object, name, w->text, w->text, H5Screate(H5S_SCALAR), &text);
}

void nset_h5w_attr_texts(nset_h5_writer *w, hid_t object, const char *name, const char *const *text, size_t n)
{
    hsize_t count = n;

    write_attribute(w, object, name, w->text, w->text, H5Screate_simple(1, &count, NULL), text);
}

void nset_h5w_attr_float(nset_h5_writer *w, hid_t object, const char *name, double x, bool single)
{
    write_attribute(
        w, object, name, single ? H5T_IEEE_F32LE : H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, H5Screate(H5S_SCALAR), &x);
}

void nset_h5w_attr_reference(nset_h5_writer *w, hid_t object, const char *name, const char *to)
{
    hobj_ref_t r;

    if (w->status == NSET_OK && H5Rcreate(&r, w->file, to, H5R_OBJECT, -1) < 0)
        failed(w, to);
    write_attribute(w, object, name, H5T_STD_REF_OBJ, H5T_STD_REF_OBJ, H5Screate(H5S_SCALAR), &r);
}

/* An identifier in the form of a UUID of version 8 (of the maker's own making). */
static void put_identifier(nset_h5_writer *w, hid_t object)
{
    char path[512] = "", text[40];
    XXH128_hash_t h;

    H5Iget_name(object, path, sizeof path);
    h = XXH3_128bits_withSeed(path, strlen(path), w->seed[0]);
    h.high64 ^= w->seed[1];
    snprintf(text, sizeof text, "%08x-%04x-8%03x-%04x-%012llx", (unsigned)(h.high64 >> 32),
        (unsigned)(h.high64 >> 16) & 0xffff, (unsigned)h.high64 & 0xfff, 0x8000 | ((unsigned)(h.low64 >> 48) & 0x3fff),
        (unsigned long long)(h.low64 & 0xffffffffffffULL));
    nset_h5w_attr_text(w, object, "object_id", text);
}

void nset_h5w_type(nset_h5_writer *w, hid_t object, const char *ns, const char *type)
{
    nset_h5w_attr_text(w, object, "namespace", ns);
    nset_h5w_attr_text(w, object, "neurodata_type", type);
    if (w->status == NSET_OK)
        put_identifier(w, object);
}

/* ---- groups and datasets ---- */

hid_t nset_h5w_group(nset_h5_writer *w, hid_t at, const char *name, const char *ns, const char *type)
{
    hid_t g = w->status == NSET_OK ? H5Gcreate2(at, name, H5P_DEFAULT, w->group_plist, H5P_DEFAULT) : -1;

    if (g < 0)
        failed(w, name);
    if (type)
        nset_h5w_type(w, g, ns, type);
    return g;
}

static hid_t write_dataset(
    nset_h5_writer *w, hid_t at, const char *name, hid_t type, hid_t plist, hid_t space, const void *x)
{
    hid_t d = w->status == NSET_OK ? H5Dcreate2(at, name, type, space, H5P_DEFAULT, plist, H5P_DEFAULT) : -1;

    if (d < 0 || (H5Sget_simple_extent_npoints(space) > 0 && H5Dwrite(d, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, x) < 0))
        failed(w, name);
    H5Sclose(space);
    return d;
}

void nset_h5w_text(nset_h5_writer *w, hid_t at, const char *name, const char *text)
{
    nset_h5w_close_object(write_dataset(w, at, name, w->text, w->dataset_plist, H5Screate(H5S_SCALAR), &text));
}

hid_t nset_h5w_texts(nset_h5_writer *w, hid_t at, const char *name, const char *const *text, size_t n)
{
    hsize_t count = n;

    return write_dataset(w, at, name, w->text, w->dataset_plist, H5Screate_simple(1, &count, NULL), text);
}

/* A chunk is a number of whole rows, about CHUNK_BYTES. */
static hid_t packed(const nset_h5_writer *w, hid_t type, int rank, const hsize_t *dims)
{
    hid_t plist = H5Pcopy(w->dataset_plist);
    hsize_t chunk[8], row = H5Tget_size(type);

    for (int i = 1; i < rank; i++)
        row *= chunk[i] = dims[i];
    chunk[0] = CHUNK_BYTES / row;
    chunk[0] = chunk[0] < 1 ? 1 : chunk[0] > dims[0] ? dims[0] : chunk[0];
    H5Pset_chunk(plist, rank, chunk);
    H5Pset_shuffle(plist);
    H5Pset_deflate(plist, PACK_LEVEL);
    return plist;
}

hid_t nset_h5w_numbers(
    nset_h5_writer *w, hid_t at, const char *name, hid_t type, int rank, const hsize_t *dims, const void *x)
{
    hsize_t bytes = H5Tget_size(type);
    hid_t plist, d;

    for (int i = 0; i < rank; i++)
        bytes *= dims[i];
    plist = bytes >= PACK_BYTES ? packed(w, type, rank, dims) : H5Pcopy(w->dataset_plist);
    d = write_dataset(w, at, name, type, plist, H5Screate_simple(rank, dims, NULL), x);
    H5Pclose(plist);
    return d;
}

hid_t nset_h5w_rows(nset_h5_writer *w, hid_t at, const char *name, hid_t type, int rank, const hsize_t *dims)
{
    hid_t plist = H5Pcopy(w->dataset_plist), space = H5Screate_simple(rank, dims, NULL), d;
    hsize_t chunk[8] = { 1 };

    for (int i = 1; i < rank; i++)
        chunk[i] = dims[i];
    if (dims[0] > 0) {
        H5Pset_chunk(plist, rank, chunk);
        H5Pset_shuffle(plist);
        H5Pset_deflate(plist, PACK_LEVEL);
    }
    d = w->status == NSET_OK ? H5Dcreate2(at, name, type, space, H5P_DEFAULT, plist, H5P_DEFAULT) : -1;
    if (d < 0)
        failed(w, name);
    H5Sclose(space);
    H5Pclose(plist);
    return d;
}

void nset_h5w_row(nset_h5_writer *w, hid_t dataset, const char *name, hsize_t i, const void *x)
{
    hsize_t start[8] = { i }, count[8] = { 1 };
    hid_t space, memory, type;
    int rank;

    if (w->status != NSET_OK)
        return;
    space = H5Dget_space(dataset);
    rank = H5Sget_simple_extent_dims(space, count, NULL);
    count[0] = 1;
    memory = H5Screate_simple(rank, count, NULL);
    type = H5Dget_type(dataset);
    if (H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, count, NULL) < 0 ||
        H5Dwrite(dataset, type, memory, space, H5P_DEFAULT, x) < 0)
        failed(w, name);
    H5Tclose(type);
    H5Sclose(memory);
    H5Sclose(space);
}

void nset_h5w_link(nset_h5_writer *w, hid_t at, const char *name, const char *to)
{
    if (w->status == NSET_OK && H5Lcreate_soft(to, at, name, H5P_DEFAULT, H5P_DEFAULT) < 0)
        failed(w, name);
}

hid_t nset_h5w_references(nset_h5_writer *w, hid_t at, const char *name, const char *const *to, size_t n)
{
    hobj_ref_t *r = nset_calloc(n, sizeof *r);
    hsize_t count = n;
    hid_t d;

    if (!r && w->status == NSET_OK)
        w->status = nset_fail_oom(w->err, n, sizeof *r);
    for (size_t i = 0; i < n && w->status == NSET_OK; i++)
        if (H5Rcreate(&r[i], w->file, to[i], H5R_OBJECT, -1) < 0)
            failed(w, to[i]);
    d = write_dataset(w, at, name, H5T_STD_REF_OBJ, w->dataset_plist, H5Screate_simple(1, &count, NULL), r);
    nset_free(r);
    return d;
}
