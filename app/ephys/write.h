/* A sorting as files of a result folder: units.csv, spikes.npz and phy/.
 *
 * units.csv: a row a unit; channel is the canonical index (recording.h), an undefined measure an empty cell.
 * spikes.npz: the arrays that SpikeInterface's NpzSorting names, and per spike spike_times_s (seconds, with the
 * gaps of the recording), probability, second_unit (-1: none), amplitude_uv, x_um, y_um.
 * phy/: what Phy's template-gui opens; the clouds of spikes are written by phy_features.h. Templates are microvolts of
 * the band-passed signal, so whitening_mat is the identity; amplitudes are microvolts. Phy cannot open a result of
 * fewer than two spikes: its files are written all the same, and a warning says so. A single unit gets a second, empty
 * template, since Phy drops axes of length one.
 *
 * Only phy/channel_map.npy and phy/params.py speak of columns and names of the input file. Everything else has the
 * same bytes when the channels of a file are renumbered together with the probe; so those two, and sorting.nwb
 * (write_nwb.h), are left out of the hash in run.json.
 */
#ifndef NSET_EPHYS_WRITE_H
#define NSET_EPHYS_WRITE_H

#include "ephys/recording.h"
#include "ephys/sorting.h"
#include "results/run.h"

/* Errors: NSET_ERR_IO, NSET_ERR_NOMEM; the folder is then to be aborted. */
nset_status nset_sorting_write(
    const nset_sorting *s, const nset_recording *r, nset_run_folder *folder, nset_error *err);

/* The two halves of it. */
nset_status nset_write_tables(const nset_sorting *s, const nset_recording *r, nset_run_folder *folder, nset_error *err);
nset_status nset_write_phy(const nset_sorting *s, const nset_recording *r, nset_run_folder *folder, nset_error *err);

#endif
