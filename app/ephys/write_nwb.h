/* A sorting as an NWB file: sorting.nwb in the result folder.
 *
 * Units with spike times in seconds (start_s of the recording and its gaps counted), mean waveforms in volts over all
 * electrodes, measures, labels with their reasons, and the stretches that were recorded; electrodes with their places
 * on the probe (rel_x, rel_y), grouped by shank, in canonical order (recording.h); provenance in general.
 *
 * Nothing is invented: what neither the recording nor the metadata tells is left out where the schema allows, else
 * written as unknown (a session_start_time of 1970-01-01T00:00:00+00:00 together with a description that says so).
 * The same sorting gives the same bytes: there is no time of writing, and identifiers follow from the content.
 *
 * NWB schema 2.8.0, https://nwb-schema.readthedocs.io; DynamicTable of hdmf-common 1.8.0.
 */
#ifndef NSET_EPHYS_WRITE_NWB_H
#define NSET_EPHYS_WRITE_NWB_H

#include "ephys/write.h"
#include "results/nwb_file.h"

/* Errors: NSET_ERR_IO, NSET_ERR_NOMEM. */
nset_status nset_write_nwb(const nset_sorting *s, const nset_recording *r, const nset_nwb_options *o,
    nset_run_folder *folder, nset_error *err);

/* The table of units alone, as group /units; part of the above. */
void nset_write_nwb_units(nset_h5_writer *w, const nset_sorting *s, const nset_recording *r);

#endif
