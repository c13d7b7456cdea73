"""The measures of units.csv against SpikeInterface's own functions, on the trains, amplitudes and templates we wrote."""
import csv
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import spikeinterface.core as si
from scipy.signal import resample_poly
from spikeinterface.metrics.quality import misc_metrics as quality, pca_metrics as clouds
from spikeinterface.metrics.template import metrics as shape

neuroset = sys.argv[1]


def run(*args):
    return subprocess.run([neuroset, *map(str, args)], check=True, capture_output=True, text=True).stdout


class Extension:
    """What an analyzer would have computed, by unit."""

    def __init__(self, by_unit):
        self.by_unit = by_unit

    def get_data(self, outputs=None, concatenated=False, periods=None):
        return self.by_unit if concatenated else [self.by_unit]


class Analyzer:
    """Our sorting in the place of a SortingAnalyzer."""

    def __init__(self, sorting, n_samples, amplitudes, places):
        self.sorting, self.n_samples = sorting, n_samples
        self.extensions = {'spike_amplitudes': Extension(amplitudes), 'spike_locations': Extension(places)}
        self.unit_ids, self.sampling_frequency = sorting.unit_ids, sorting.sampling_frequency

    def get_num_segments(self):
        return 1

    def get_num_samples(self, segment_index=0):
        return self.n_samples

    def get_total_samples(self):
        return self.n_samples

    def get_total_duration(self):
        return self.n_samples / self.sampling_frequency

    def has_extension(self, name):
        return name in self.extensions

    def get_extension(self, name):
        return self.extensions[name]


def analyzer_of(result, n_samples):
    z = np.load(result / 'spikes.npz')
    t, u = z['spike_indexes_seg0'], z['spike_labels_seg0']
    rate = float(z['sampling_frequency'][0])
    sorting = si.NumpySorting.from_samples_and_labels([t], [u], rate, unit_ids=list(z['unit_ids']))
    places = np.zeros(len(t), [('x', float), ('y', float)])
    places['x'], places['y'] = z['x_um'], z['y_um']
    return Analyzer(sorting, n_samples, {i: z['amplitude_uv'][u == i].astype(float) for i in z['unit_ids']},
        {i: places[u == i] for i in z['unit_ids']})


def close(what, got, want, tolerance=2e-5):
    """Our figures have six digits."""
    if got == '':
        assert np.isnan(want), f'{what}: nothing, SpikeInterface has {want}'
    else:
        assert abs(float(got) - want) <= tolerance * max(abs(want), 1e-3), f'{what}: {got}, SpikeInterface has {want}'


def check_trains(rows, analyzer):
    cv, drift = quality.compute_amplitude_cv_metrics(analyzer), quality.compute_drift_metrics(analyzer)
    sync = quality.compute_synchrony_metrics(analyzer)
    want = {
        'rp_contamination': quality.compute_refrac_period_violations(analyzer)[0],
        'sliding_rp': quality.compute_sliding_rp_violations(analyzer),
        'firing_range': quality.compute_firing_ranges(analyzer),
        'amplitude_median': quality.compute_amplitude_medians(analyzer),
        'amplitude_cutoff': quality.compute_amplitude_cutoffs(analyzer, num_histogram_bins=100),
        'amplitude_cv_median': cv[0], 'amplitude_cv_range': cv[1],
        'sync_spike_2': sync[0], 'sync_spike_4': sync[1], 'sync_spike_8': sync[2],
        'drift_ptp': drift[0], 'drift_std': drift[1], 'drift_mad': drift[2],
    }
    known = {}
    for row in rows:
        for name, values in want.items():
            close(f'unit {row["id"]}: {name}', row[name], values[int(row['id'])])
            known[name] = known.get(name, 0) + (row[name] != '')
    return known


def check_templates(rows, result, rate):
    templates = np.load(result / 'phy' / 'templates.npy')
    for row in rows:
        unit = templates[int(row['id'])]
        up = resample_poly(unit[:, np.abs(unit).max(0).argmax()], 10, 1)
        info = shape.get_trough_and_peak_idx(up, 10 * rate)
        if info['peak_before_index'] < 0 or info['peak_after_index'] < 0:
            continue
        trough, peak = shape.get_half_widths(up, 10 * rate, info)
        want = {
            'peak_to_trough_ms': 1e3 * shape.get_peak_to_trough_duration(info, 10 * rate),
            'trough_half_width_ms': 1e3 * trough,
            'peak_half_width_ms': 1e3 * peak,
            'repolarization_slope': shape.get_repolarization_slope(up, 10 * rate, info),
            'recovery_slope': shape.get_recovery_slope(up, 10 * rate, info, recovery_window_ms=.7),
            'peak_to_trough_ratio': shape.get_waveform_ratios(up, info)['main_peak_to_trough_ratio'],
        }
        for name, value in want.items():
            close(f'unit {row["id"]}: {name}', row[name], value, 1e-3)


def rows_of(labels, ids):
    """The spikes that the measures of clouds take: an even spread of at most 250 a unit."""
    taken = []
    for i in ids:
        at = np.flatnonzero(labels == i)
        most = min(len(at), 250)
        taken.append(at[np.arange(most) * len(at) // max(most, 1)])
    return np.sort(np.concatenate(taken))


def check_clouds(rows, result):
    """On the components of pc_features.npy, which has every channel of every spike where there are no more than 12."""
    z = np.load(result / 'spikes.npz')
    labels, ids = z['spike_labels_seg0'], list(z['unit_ids'])
    features, contacts = (np.load(result / 'phy' / f'pc_feature{end}.npy') for end in ('s', '_ind'))
    assert len(features) == len(labels) and features.shape[2] == len(set(contacts[0]))
    dense = np.zeros_like(features)
    for i in ids:
        dense[labels == i] = features[labels == i][:, :, np.argsort(contacts[i])]
    columns = dict(zip(sorted(contacts[0]), range(features.shape[2])))
    pick = rows_of(labels, ids)
    home = {int(row['id']): int(contacts[int(row['id'])][0]) for row in rows}
    known = {}
    for row in rows:
        i = int(row['id'])
        near = contacts[i][:6]
        at = pick[np.isin(labels[pick], [j for j in ids if home[j] in near])]
        x, y = dense[at][:, :, [columns[c] for c in near]].reshape(len(at), -1).astype(float), labels[at]
        nan = np.nan
        want = dict.fromkeys(['isolation_distance', 'l_ratio', 'd_prime', 'silhouette'], nan)
        want['nn_isolation'] = 1
        if len(set(y)) > 1 and (y == i).sum() > x.shape[1]:
            want['isolation_distance'], want['l_ratio'] = clouds.mahalanobis_metrics(x, y, i)
        if len(set(y)) > 1:
            want['d_prime'] = abs(clouds.d_prime_metric(x, y, i))
            want['silhouette'] = clouds.simplified_silhouette_score(x, y, i)
            own = x[y == i]
            for j in set(y) - {i}:
                other = x[y == j]
                k = np.arange(min(len(own), len(other)))
                want['nn_isolation'] = min(want['nn_isolation'], clouds._compute_isolation(
                    own[k * len(own) // len(k)], other[k * len(other) // len(k)], 4))
        want['nn_hit_rate'], want['nn_miss_rate'] = clouds.nearest_neighbors_metrics(x, y, i, 1000, 5)
        for name, value in want.items():
            close(f'unit {i}: {name}', row[name], value, 1e-3)
            known[name] = known.get(name, 0) + (row[name] not in ('', '0', '1'))
    return known


def main():
    known = {}
    with tempfile.TemporaryDirectory() as t:
        folder = pathlib.Path(t)
        for name, args in {
            'tetrode': ['--layout', 'tetrode', '--channels', 4, '--units', 4, '--seconds', 130, '--median-rate', 12],
            'probe': ['--channels', 12, '--units', 9, '--seconds', 30, '--rate', 20000, '--seed', 3],
        }.items():
            run('simulate', 'recording', '-o', folder, '--name', name, '-q', *args)
            run('sort', folder / (name + '.bin'), '-o', folder / name, '-q')
            with open(folder / name / 'units.csv', newline='') as f:
                rows = list(csv.DictReader(f))
            facts = json.loads((folder / (name + '.json')).read_text())
            analyzer = analyzer_of(folder / name, facts['num_samples'])
            for key, n in check_trains(rows, analyzer).items():
                known[key] = known.get(key, 0) + n
            for key, n in check_clouds(rows, folder / name).items():
                known[key] = known.get(key, 0) + n
            check_templates(rows, folder / name, analyzer.sampling_frequency)
    missing = [k for k, n in known.items() if n == 0]
    assert not missing, f'never measured: {missing}'
    print('the same as SpikeInterface:', known)


main()
