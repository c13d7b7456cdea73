/* Where the electrodes of a series are on the probe: rel_x, rel_y of the rows that its region names. x, y, z of the
 * table are places in the brain and are not taken. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <neuroset/memory.h>

#include "ephys/contacts.h"
#include "ephys/nwb.h"

enum { MOST_ROWS = 1000000 };

typedef struct table {
    hid_t group;
    double *row, *x, *y; /* rows of the region; columns of the table */
    size_t n_rows, n_x, n_y;
    char **name; /* (n_names) of the electrodes' groups, HDF5's */
    hid_t name_type, name_space;
    size_t n_names;
} table;

/* The table that the region's attribute refers to, else the usual one. */
static hid_t open_table(hid_t file, hid_t series)
{
    hid_t region = H5Dopen2(series, "electrodes", H5P_DEFAULT);
    hid_t object = region >= 0 ? nset_h5_follow(region, "table") : -1;

    if (region >= 0)
        H5Dclose(region);
    if (object >= 0 && H5Iget_type(object) != H5I_GROUP) {
        H5Oclose(object);
        object = -1;
    }
    return object >= 0 ? object : H5Oopen(file, "general/extracellular_ephys/electrodes", H5P_DEFAULT);
}

/* group_name of all rows; a table whose names are of fixed length, or missing, has none. */
static void read_names(table *t)
{
    hid_t d = nset_h5_has(t->group, "group_name") ? H5Dopen2(t->group, "group_name", H5P_DEFAULT) : -1;
    hid_t type = d >= 0 ? H5Dget_type(d) : -1;
    hsize_t n;

    t->name_space = d >= 0 ? H5Dget_space(d) : -1;
    if (type >= 0 && H5Tget_class(type) == H5T_STRING && H5Tis_variable_str(type) > 0 &&
        nset_h5_shape(&n, 1, t->name_space) == 1 && n <= MOST_ROWS && (t->name = nset_calloc(n, sizeof *t->name))) {
        t->name_type = H5Tcopy(type);
        if (H5Dread(d, t->name_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, (void *)t->name) >= 0)
            t->n_names = n;
    }
    if (type >= 0)
        H5Tclose(type);
    if (d >= 0)
        H5Dclose(d);
}

static void release(table *t)
{
    if (t->n_names)
        H5Dvlen_reclaim(t->name_type, t->name_space, H5P_DEFAULT, (void *)t->name);
    if (t->name_type >= 0)
        H5Tclose(t->name_type);
    if (t->name_space >= 0)
        H5Sclose(t->name_space);
    if (t->group >= 0)
        H5Oclose(t->group);
    nset_free(t->name);
    nset_free(t->row);
    nset_free(t->x);
    nset_free(t->y);
}

/* NULL when all columns have a finite place, else why not. */
static const char *trouble(const table *t, size_t n_columns)
{
    for (size_t c = 0; c < n_columns; c++) {
        double row = t->row[c];
        if (!(row >= 0 && row == floor(row) && row < (double)t->n_x && row < (double)t->n_y))
            return "an electrode it names is not in the table";
        if (!isfinite(t->x[(size_t)row]) || !isfinite(t->y[(size_t)row]))
            return "rel_x or rel_y of an electrode is not a number";
    }
    return NULL;
}

static nset_status apply_places(nset_layout *l, const table *t, const char *path, nset_error *err)
{
    nset_contacts c = { 0 };
    nset_status status = nset_contacts_init(&c, path, l->n_columns, err);

    for (size_t i = 0; i < l->n_columns && status == NSET_OK; i++) {
        size_t row = (size_t)t->row[i];
        nset_contact k = { .x_um = t->x[row], .y_um = t->y[row] };
        if (row < t->n_names && t->name[row])
            snprintf(k.shank, sizeof k.shank, "%s", t->name[row]);
        status = nset_contacts_add(&c, "rel_x, rel_y", (double)i, &k, err);
    }
    if (status == NSET_OK)
        status = nset_contacts_apply(l, &c, err);
    nset_contacts_fini(&c);
    return status;
}

nset_status nset_nwb_places(nset_layout *l, hid_t file, hid_t series, const char *path, nset_error *err)
{
    table t = { .group = -1, .name_type = -1, .name_space = -1 };
    nset_status status;
    const char *why = NULL;
    bool known;

    if (!nset_h5_has(series, "electrodes"))
        return NSET_OK;
    t.group = open_table(file, series);
    known = t.group >= 0 && nset_h5_has(t.group, "rel_x") && nset_h5_has(t.group, "rel_y");
    H5Eclear2(H5E_DEFAULT);
    status = nset_h5_doubles(&t.row, &t.n_rows, series, "electrodes", MOST_ROWS, path, err);
    if (status == NSET_OK && known &&
        (status = nset_h5_doubles(&t.x, &t.n_x, t.group, "rel_x", MOST_ROWS, path, err)) == NSET_OK)
        status = nset_h5_doubles(&t.y, &t.n_y, t.group, "rel_y", MOST_ROWS, path, err);
    if (status == NSET_OK && t.n_rows != l->n_columns)
        nset_layout_warn(l,
            "%s: %zu electrodes are named for %zu columns: the columns are believed, no places are known", path,
            t.n_rows, l->n_columns);
    else if (status == NSET_OK && known && (why = trouble(&t, l->n_columns)))
        nset_layout_warn(l, "%s: %s: its places are not used", path, why);
    else if (status == NSET_OK && known) {
        read_names(&t);
        status = apply_places(l, &t, path, err);
    }
    release(&t);
    return status;
}
