#include "results/h5.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <neuroset/memory.h>

void nset_h5_quiet(void)
{
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
}

/* The innermost message is the cause. */
static herr_t keep_text(unsigned n, const H5E_error2_t *e, void *text)
{
    if (n == 0)
        snprintf(text, 200, "%s", e->desc ? e->desc : "");
    return 0;
}

nset_status nset_h5_fail(nset_error *err, const char *path, const char *what)
{
    char why[200] = "";

    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep_text, why);
    H5Eclear2(H5E_DEFAULT);
    return nset_fail(err, NSET_ERR_FORMAT, "%s: %s%s%s", path, what, why[0] ? ": HDF5: " : "", why);
}

nset_status nset_h5_open(hid_t *file, const char *path, nset_error *err)
{
    nset_h5_quiet();
    *file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    return *file >= 0 ? NSET_OK : nset_h5_fail(err, path, "cannot be opened as HDF5");
}

bool nset_h5_has(hid_t at, const char *name)
{
    return H5Lexists(at, name, H5P_DEFAULT) > 0 && H5Oexists_by_name(at, name, H5P_DEFAULT) > 0;
}

static bool read_text(char *out, size_t room, hid_t a, hid_t type)
{
    size_t size = H5Tget_size(type);
    hid_t memory = H5Tcopy(H5T_C_S1);
    char *text = NULL;
    bool ok = false;

    H5Tset_cset(memory, H5Tget_cset(type));
    if (H5Tis_variable_str(type) > 0) {
        H5Tset_size(memory, H5T_VARIABLE);
        if (H5Aread(a, memory, (void *)&text) >= 0 && text) {
            snprintf(out, room, "%s", text);
            ok = true;
        }
        H5free_memory(text);
    } else if (size < 65536 && (text = nset_calloc(size + 1, 1))) {
        H5Tset_size(memory, size + 1);
        ok = H5Aread(a, memory, text) >= 0;
        snprintf(out, room, "%s", text);
        nset_free(text);
    }
    H5Tclose(memory);
    return ok;
}

/* The attribute when it is one value, else -1. */
static hid_t open_scalar(hid_t object, const char *name)
{
    hid_t a = H5Aexists(object, name) > 0 ? H5Aopen(object, name, H5P_DEFAULT) : -1;
    hid_t space = a >= 0 ? H5Aget_space(a) : -1;

    if (a >= 0 && (space < 0 || H5Sget_simple_extent_npoints(space) != 1)) {
        H5Aclose(a);
        a = -1;
    }
    if (space >= 0)
        H5Sclose(space);
    return a;
}

bool nset_h5_text(char *out, size_t room, hid_t object, const char *attribute)
{
    hid_t a = open_scalar(object, attribute), type = a >= 0 ? H5Aget_type(a) : -1;
    bool ok = type >= 0 && H5Tget_class(type) == H5T_STRING && read_text(out, room, a, type);

    if (type >= 0)
        H5Tclose(type);
    if (a >= 0)
        H5Aclose(a);
    return ok;
}

static bool is_number(hid_t type)
{
    H5T_class_t kind = type >= 0 ? H5Tget_class(type) : H5T_NO_CLASS;

    return kind == H5T_INTEGER || kind == H5T_FLOAT;
}

bool nset_h5_number(double *out, hid_t object, const char *attribute)
{
    hid_t a = open_scalar(object, attribute), type = a >= 0 ? H5Aget_type(a) : -1;
    bool ok = is_number(type) && H5Aread(a, H5T_NATIVE_DOUBLE, out) >= 0;

    if (type >= 0)
        H5Tclose(type);
    if (a >= 0)
        H5Aclose(a);
    return ok;
}

hid_t nset_h5_follow(hid_t object, const char *attribute)
{
    hid_t a = open_scalar(object, attribute), type = a >= 0 ? H5Aget_type(a) : -1, to = -1;
    hobj_ref_t reference;

    if (type >= 0 && H5Tequal(type, H5T_STD_REF_OBJ) > 0 && H5Aread(a, H5T_STD_REF_OBJ, &reference) >= 0)
        to = H5Rdereference2(object, H5P_DEFAULT, H5R_OBJECT, &reference);
    if (type >= 0)
        H5Tclose(type);
    if (a >= 0)
        H5Aclose(a);
    return to;
}

int nset_h5_shape(hsize_t *dims, int most, hid_t space)
{
    int rank = space >= 0 && H5Sis_simple(space) > 0 ? H5Sget_simple_extent_ndims(space) : -1;

    return rank >= 0 && rank <= most && H5Sget_simple_extent_dims(space, dims, NULL) == rank ? rank : -1;
}

nset_status nset_h5_doubles(
    double **x, size_t *n, hid_t at, const char *name, size_t most, const char *path, nset_error *err)
{
    hid_t d = H5Dopen2(at, name, H5P_DEFAULT), space = d >= 0 ? H5Dget_space(d) : -1;
    hid_t type = d >= 0 ? H5Dget_type(d) : -1;
    hssize_t count = space >= 0 ? H5Sget_simple_extent_npoints(space) : -1;
    nset_status status = NSET_OK;
    char what[200];

    *x = NULL;
    snprintf(what, sizeof what, "'%s' cannot be read as numbers", name);
    if (count < 0 || !is_number(type))
        status = nset_h5_fail(err, path, what);
    else if ((uint64_t)count > most)
        status = nset_fail(err, NSET_ERR_FORMAT, "%s: '%s' holds %lld numbers, at most %zu are expected", path, name,
            (long long)count, most);
    else if (!(*x = nset_calloc((size_t)count, sizeof **x)))
        status = nset_fail_oom(err, (size_t)count, sizeof **x);
    else if (count > 0 && H5Dread(d, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, *x) < 0)
        status = nset_h5_fail(err, path, what);
    if (status != NSET_OK) {
        nset_free(*x);
        *x = NULL;
    }
    *n = *x ? (size_t)count : 0;
    if (type >= 0)
        H5Tclose(type);
    if (space >= 0)
        H5Sclose(space);
    if (d >= 0)
        H5Dclose(d);
    return status;
}
