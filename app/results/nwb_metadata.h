/* What the files of a recording or movie do not say of the session, as the user writes it into a JSON file for NWB.
 *
 * {"session_start_time": "2026-01-31T10:00:00+01:00", "session_description": ..., "identifier", "session_id",
 *  "file_create_date", "experimenter": text or list, "institution", "lab", "experiment_description", "notes",
 *  "keywords": list, "related_publications": list, "electrode_location",
 *  "device": {"name", "description", "manufacturer"},
 *  "imaging_plane": {"name", "description", "indicator", "location", "excitation_lambda": nanometres,
 *                    "optical_channel": {"name", "description", "emission_lambda": nanometres}},
 *  "subject": {"subject_id", "species", "sex", "age", "date_of_birth", "description", "genotype", "strain", "weight"}}
 * Every key may be missing; another key is an error, so that a misspelt one is not lost.
 */
#ifndef NSET_RESULTS_NWB_METADATA_H
#define NSET_RESULTS_NWB_METADATA_H

#include <jansson.h>
#include <neuroset/error.h>

/* The object of a file, checked; json_decref it. Errors: NSET_ERR_FORMAT naming the key. */
nset_status nset_nwb_metadata_read(json_t **out, const char *path, nset_error *err);
/* The same of a text; path serves messages only. */
nset_status nset_nwb_metadata_parse(json_t **out, const char *text, const char *path, nset_error *err);

#endif
