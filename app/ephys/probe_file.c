/* --probe FILE: which reader a probe file gets. The ending tells; a file of another ending is taken for JSON. */
#include <string.h>

#include <neuroset/memory.h>

#include "ephys/contacts.h"
#include "results/small_files.h"

enum { MOST_BYTES = 16 << 20 };

static const struct {
    const char *ending;
    nset_status (*parse)(nset_contacts *c, const char *text, nset_error *err); /* NULL: no text */
} kinds[] = { { ".prb", nset_probe_parse_prb }, { ".mat", NULL }, { ".imro", nset_probe_parse_imro },
    { ".csv", nset_probe_parse_geom }, { "", nset_probe_parse_json } };

nset_status nset_probe_file(nset_layout *l, const char *path, nset_error *err)
{
    size_t length = strlen(path), k = 0;
    nset_contacts c = { 0 };
    char *text = NULL;
    nset_status status;

    while (length < strlen(kinds[k].ending) || strcasecmp(path + length - strlen(kinds[k].ending), kinds[k].ending))
        k++;
    status = nset_contacts_init(&c, path, l->n_columns, err);
    if (status == NSET_OK && kinds[k].parse && (status = nset_read_text(&text, path, MOST_BYTES, err)) == NSET_OK)
        status = kinds[k].parse(&c, text, err);
    else if (status == NSET_OK)
        status = nset_probe_read_mat(&c, err);
    nset_free(text);
    if (status == NSET_OK)
        status = nset_contacts_apply(l, &c, err);
    nset_contacts_fini(&c);
    return status;
}
