/* What the halves of the Open Ephys readers share. */
#ifndef NSET_EPHYS_OPENEPHYS_H
#define NSET_EPHYS_OPENEPHYS_H

#include "ephys/layout.h"

/* The clock of a stream: start, first sample number and gaps of l, from the arrays in the stream's folder, else from
 * sync_messages.txt of the recording, else nothing (said). n_frames is what continuous.dat holds. Errors:
 * NSET_ERR_FORMAT, NSET_ERR_NOMEM. */
nset_status nset_openephys_clock(
    nset_layout *l, const char *oebin, const char *folder, int64_t n_frames, nset_error *err);

/* The stream of a recording that o->stream names, or path lies in, or the only one with electrodes. Errors:
 * NSET_ERR_FORMAT, NSET_ERR_NOMEM. */
nset_status nset_openephys_file(
    nset_layout *l, const char *oebin, const char *path, const nset_recording_options *o, nset_error *err);

/* Milliseconds since 1970 at the start of the recording whose structure.oebin that is; 0: not told. */
double nset_openephys_wall_ms(const char *oebin);

/* Places of a Neuropixels probe out of the settings.xml that belongs to a recording. stream is its name ("" before
 * 0.6), sub its number among the streams of its processor, electrode (l->n) the probe's channel of each electrode
 * column, changed where a Channel Map processor says so. Nothing happens when the file is missing or does not tell.
 * Errors: NSET_ERR_NOMEM. */
nset_status nset_openephys_probe(
    nset_layout *l, const char *oebin, const char *stream, size_t sub, size_t *electrode, nset_error *err);
/* The same out of the text of a settings.xml; path serves messages only. */
nset_status nset_openephys_places(nset_layout *l, const char *text, const char *path, const char *stream, size_t sub,
    size_t *electrode, nset_error *err);

#endif
