/* Kilosort's channel map: chanMap (rows of the file from 1 on), connected, xcoords, ycoords in um, kcoords (shank). */
#include <stdio.h>

#include "ephys/contacts.h"
#include "ephys/mat.h"

enum { MAP, MAP0, CONNECTED, X, Y, SHANK, N_ARRAYS };

static nset_status check_lengths(const nset_mat_array *a, const char *path, size_t n, nset_error *err)
{
    for (int i = 0; i < N_ARRAYS; i++) {
        bool needed = i == X || i == Y;
        if (needed && !a[i].x)
            return nset_fail(err, NSET_ERR_FORMAT, "%s: there is no array %s: this is no channel map", path, a[i].name);
        if (a[i].x && a[i].n != n && !(i == SHANK && a[i].n == 1))
            return nset_fail(
                err, NSET_ERR_FORMAT, "%s: %s has %zu entries, the channel map %zu", path, a[i].name, a[i].n, n);
    }
    return NSET_OK;
}

static nset_status add_all(nset_contacts *c, const nset_mat_array *a, nset_error *err)
{
    size_t n = a[MAP].x ? a[MAP].n : a[MAP0].n;
    nset_status status;

    if (!a[MAP].x && !a[MAP0].x)
        return nset_fail(err, NSET_ERR_FORMAT, "%s: there is no array chanMap: this is no channel map", c->path);
    if ((status = check_lengths(a, c->path, n, err)) != NSET_OK)
        return status;
    for (size_t i = 0; i < n && status == NSET_OK; i++) {
        nset_contact k = { .x_um = a[X].x[i], .y_um = a[Y].x[i] };
        char what[60];
        if (a[CONNECTED].x && a[CONNECTED].x[i] == 0)
            continue;
        if (a[SHANK].x)
            snprintf(k.shank, sizeof k.shank, "%.17g", a[SHANK].x[a[SHANK].n == 1 ? 0 : i]);
        snprintf(what, sizeof what, "entry %zu of chanMap (counted from 1)", i + 1);
        status = nset_contacts_add(c, what, a[MAP].x ? a[MAP].x[i] - 1 : a[MAP0].x[i], &k, err);
    }
    return status;
}

nset_status nset_probe_read_mat(nset_contacts *c, nset_error *err)
{
    nset_mat_array a[N_ARRAYS] = { [MAP] = { .name = "chanMap" },
        [MAP0] = { .name = "chanMap0ind" },
        [CONNECTED] = { .name = "connected" },
        [X] = { .name = "xcoords" },
        [Y] = { .name = "ycoords" },
        [SHANK] = { .name = "kcoords" } };
    nset_status status = nset_mat_read(a, N_ARRAYS, c->path, err);

    if (status == NSET_OK)
        status = add_all(c, a, err);
    nset_mat_release(a, N_ARRAYS);
    return status;
}
