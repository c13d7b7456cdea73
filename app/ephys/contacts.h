/* The contacts that a probe file wires to the columns of a recording, whatever the file's format.
 *
 * A reader of probe files adds contacts one by one; nset_contacts_apply gives them to a layout. Contacts of different
 * probes or shanks are sorted apart.
 */
#ifndef NSET_EPHYS_CONTACTS_H
#define NSET_EPHYS_CONTACTS_H

#include "ephys/layout.h"

enum { NSET_SHANK_NAME = 64 };

typedef struct nset_contact {
    bool seen;
    double x_um, y_um;
    char shank[NSET_SHANK_NAME];
    size_t probe;
} nset_contact;

typedef struct nset_contacts {
    const char *path; /* of the probe file, borrowed */
    size_t n_columns;
    nset_contact *column; /* (n_columns), owned */
    char note[256];       /* what the user should know of the reading, or empty */
} nset_contacts;

nset_status nset_contacts_init(nset_contacts *c, const char *path, size_t n_columns, nset_error *err);
void nset_contacts_fini(nset_contacts *c);

/* Wires a contact to a column. what says where in the file the contact stands ("line 3"). Errors: NSET_ERR_FORMAT when
 * the recording lacks the column, it is taken, or the place is not finite. */
nset_status nset_contacts_add(
    nset_contacts *c, const char *what, double column, const nset_contact *k, nset_error *err);

/* Gives the places to l: channels without a contact leave it (said). Shanks are numbered from the left, probe by probe,
 * so that their names and the order of the file do not matter. */
nset_status nset_contacts_apply(nset_layout *l, const nset_contacts *c, nset_error *err);

/* Readers of probe files. Each adds the contacts that a text (ending with 0) names; c->path serves messages. Errors:
 * NSET_ERR_FORMAT with the place in the file; NSET_ERR_NOMEM. */
nset_status nset_probe_parse_json(nset_contacts *c, const char *text, nset_error *err); /* probeinterface, Kilosort 4 */
nset_status nset_probe_parse_prb(nset_contacts *c, const char *text, nset_error *err);  /* klusta, Spyking Circus */
nset_status nset_probe_parse_imro(nset_contacts *c, const char *text, nset_error *err); /* SpikeGLX' table of sites */
nset_status nset_probe_parse_geom(nset_contacts *c, const char *text, nset_error *err); /* MountainSort's geom.csv */
/* Kilosort's channel map, out of the file c->path. Errors: as above. */
nset_status nset_probe_read_mat(nset_contacts *c, nset_error *err);

#endif
