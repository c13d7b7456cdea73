/* What the targets of probe files share: a recording of four channels, given what a text or file names. */
#ifndef NSET_FUZZ_PROBE_H
#define NSET_FUZZ_PROBE_H

#include <stdlib.h>

#include "ephys/contacts.h"
#include "fuzz.h"

enum { FUZZ_COLUMNS = 4 };

static inline void fuzz_apply(nset_contacts *c, nset_status status, nset_error *err)
{
    nset_layout l = { .n_columns = FUZZ_COLUMNS };

    fuzz_check(status, err);
    if (status == NSET_OK && nset_layout_channels(&l, FUZZ_COLUMNS, NULL) == NSET_OK)
        fuzz_check(nset_contacts_apply(&l, c, err), err);
    nset_layout_fini(&l);
    nset_contacts_fini(c);
}

static inline int fuzz_probe(nset_status (*parse)(nset_contacts *c, const char *text, nset_error *err),
    const char *name, const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);
    nset_contacts c = { 0 };
    nset_error err = { 0 };

    if (nset_contacts_init(&c, name, FUZZ_COLUMNS, NULL) != NSET_OK)
        abort();
    fuzz_apply(&c, parse(&c, text, &err), &err);
    free(text);
    return 0;
}

#endif
