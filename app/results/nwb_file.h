/* The parts of an NWB file that say nothing of what was recorded: session, subject, device, tables.
 *
 * Nothing is invented: what neither the files nor the metadata tell is left out where the schema allows, else written
 * as unknown (a session_start_time of 1970-01-01T00:00:00+00:00 together with a description that says so). There is no
 * time of writing, and identifiers follow from a seed, so that the same content gives the same bytes.
 *
 * NWB schema 2.8.0, https://nwb-schema.readthedocs.io; DynamicTable of hdmf-common 1.8.0.
 */
#ifndef NSET_RESULTS_NWB_FILE_H
#define NSET_RESULTS_NWB_FILE_H

#include <jansson.h>
#include "results/h5_write.h"

typedef struct nset_nwb_options {
    const json_t *metadata;    /* nwb_metadata.h, or NULL */
    const char *version, *how; /* of this program; a line on how it was run */
} nset_nwb_options;

/* Opens the file with session and subject; returns the group /general, for what was recorded with: to be closed by
 * nset_h5w_close_object before nset_h5w_close, which tells failures. */
hid_t nset_nwb_open(
    nset_h5_writer *w, const char *path, const uint64_t seed[2], const nset_nwb_options *o, nset_error *err);

/* The text of a key, fallback where object (may be NULL) has none. */
const char *nset_nwb_told(const json_t *object, const char *key, const char *fallback);

/* /general/devices/NAME from the metadata's device; NAME is name where they tell none. path (room) := that path. */
void nset_nwb_device(
    nset_h5_writer *w, char *path, size_t room, hid_t general, const json_t *metadata, const char *name);

/* Memory for n elements; NULL makes the writer fail. */
void *nset_nwb_room(nset_h5_writer *w, size_t n, size_t size);

/* A column of a table: marks a dataset as VectorData with its description and closes it. */
void nset_nwb_column(nset_h5_writer *w, hid_t dataset, const char *description);
/* The index of a ragged column of the table at path: end (n) of each row's run, in the smallest type that holds it. */
void nset_nwb_index(
    nset_h5_writer *w, hid_t table, const char *path, const char *target, const uint64_t *end, size_t n);
/* The parts that every table has: its columns' names in order, description, id (n_rows; NULL: 0, 1, ...). */
void nset_nwb_table(nset_h5_writer *w, hid_t table, const char *description, const char *const *columns, size_t n,
    const int64_t *id, size_t n_rows);

#endif
