/* --probe FILE: which reader a probe file gets. The ending tells; a file of another ending is taken for JSON. */
#include <string.h>

#include "ephys/contacts.h"

static const struct {
    const char *ending;
    nset_status (*read)(nset_contacts *c, nset_error *err);
} kinds[] = { { ".prb", nset_probe_read_prb }, { ".mat", nset_probe_read_mat }, { ".imro", nset_probe_read_imro },
    { ".csv", nset_probe_read_geom }, { "", nset_probe_read_json } };

nset_status nset_probe_file(nset_layout *l, const char *path, nset_error *err)
{
    size_t length = strlen(path), k = 0;
    nset_contacts c = { 0 };
    nset_status status;

    while (length < strlen(kinds[k].ending) || strcasecmp(path + length - strlen(kinds[k].ending), kinds[k].ending))
        k++;
    if ((status = nset_contacts_init(&c, path, l->n_columns, err)) == NSET_OK &&
        (status = kinds[k].read(&c, err)) == NSET_OK)
        status = nset_contacts_apply(l, &c, err);
    nset_contacts_fini(&c);
    return status;
}
