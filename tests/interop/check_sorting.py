"""A sorting of ours opened by SpikeInterface, phylib and probeinterface: the same values as in our files."""
import csv
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import probeinterface
import spikeinterface.core as si
import spikeinterface.extractors as se
from phylib.io.model import load_model
from spikeinterface.comparison import compare_sorter_to_ground_truth

neuroset = sys.argv[1]


def run(*args):
    return subprocess.run([neuroset, *map(str, args)], check=True, capture_output=True, text=True).stdout


def same(what, got, want):
    got, want = np.asarray(got), np.asarray(want)
    assert got.shape == want.shape and np.array_equal(got, want), f'{what}: {got} is not {want}'


def record(folder, name, **options):
    args = [a for key, value in options.items() for a in ('--' + key.replace('_', '-'), value)]
    run('simulate', 'recording', '-o', folder, '--name', name, '--quiet', *args)
    return folder / (name + '.bin')


def sort(folder, name):
    run('sort', folder / (name + '.bin'), '-o', folder / name, '--quiet')
    return folder / name


def trains(result):
    z = np.load(result / 'spikes.npz')
    t, u = z['spike_indexes_seg0'], z['spike_labels_seg0']
    return {int(i): t[u == i] for i in z['unit_ids']}, float(z['sampling_frequency'][0])


def check_spikeinterface(result):
    want, rate = trains(result)
    for sorting in si.NpzSortingExtractor(result / 'spikes.npz'), se.read_phy(result / 'phy'):
        assert sorting.get_sampling_frequency() == rate
        same('units', sorted(sorting.unit_ids), sorted(i for i in want if len(want[i]) or 'Npz' in type(sorting).__name__))
        for i in sorting.unit_ids:
            same(f'spikes of unit {i}', sorting.get_unit_spike_train(i, segment_index=0), want[int(i)])
    groups = dict(zip(sorting.unit_ids, sorting.get_property('quality')))
    with open(result / 'units.csv', newline='') as f:
        for row in csv.DictReader(f):
            if len(want[int(row['id'])]):
                assert groups[int(row['id'])] == row['label'], row


def check_phylib(result, recording, n_units):
    want, rate = trains(result)
    model = load_model(result / 'phy' / 'params.py')
    z = np.load(result / 'spikes.npz')
    same('samples', model.spike_samples, z['spike_indexes_seg0'])
    same('clusters', model.spike_clusters, z['spike_labels_seg0'])
    same('amplitudes', model.amplitudes.astype(np.float32), z['amplitude_uv'])
    assert model.n_templates == max(2, n_units) and model.sample_rate == rate
    facts = json.loads(recording.with_suffix('.json').read_text())
    raw = np.fromfile(recording, np.int16).reshape(-1, facts['num_channels'])
    info = json.loads(run('info', '--json', recording))
    order = [c['column'] for c in info['channel_list']]
    same('raw data', model.traces[:1000], raw[:1000, order] if model.traces.n_channels == len(order) else raw[:1000])
    same('places', model.channel_positions, [[c['x_um'], c['y_um']] for c in info['channel_list']])
    for i in want:  # what Phy's views ask for
        template = model.get_template(i)
        dense = np.load(result / 'phy' / 'templates.npy')[i]
        np.testing.assert_allclose(template.template, dense[:, template.channel_ids], rtol=1e-5)
        if len(want[i]):
            assert len(model.get_cluster_spikes(i)) == len(want[i])
    check_features(model, result, n_units)
    model.close()


def check_features(model, result, n_units):
    """Clouds of spikes, of all of them or of those that pc_feature_spike_ids names."""
    phy = result / 'phy'
    if not (phy / 'pc_features.npy').exists():
        assert model.n_spikes < 2, 'there are no features'
        return
    pc, ind = np.load(phy / 'pc_features.npy'), np.load(phy / 'pc_feature_ind.npy')
    rows = phy / 'pc_feature_spike_ids.npy'
    ids = np.load(rows) if rows.exists() else np.arange(model.n_spikes)
    assert len(pc) == len(ids) and np.isfinite(pc).all()
    for template in np.unique(model.spike_templates[ids]):
        own = np.flatnonzero(model.spike_templates[ids] == template)[:20]
        got = model.get_features(ids[own], ind[template])
        np.testing.assert_allclose(got, pc[own].transpose(0, 2, 1), rtol=1e-6)
        if n_units > 1:
            fit, like = np.load(phy / 'template_features.npy'), np.load(phy / 'template_feature_ind.npy')
            assert like[template][0] == template
            np.testing.assert_allclose(model.get_template_features(ids[own])[:, like[template]], fit[own], rtol=1e-6)
    assert model.sparse_features is not None and (n_units < 2 or model.sparse_template_features is not None)
    if n_units > 1:
        fit = np.load(phy / 'template_features.npy')
        assert (fit.argmax(1) == 0).mean() > .9, 'spikes fit other templates better than their own'


def check_probe(recording):
    probe = probeinterface.read_probeinterface(recording.with_suffix('.probe.json')).probes[0]
    info = json.loads(run('info', '--json', recording))
    place = {int(c): p for c, p in zip(probe.device_channel_indices, probe.contact_positions)}
    for c in info['channel_list']:
        np.testing.assert_allclose([c['x_um'], c['y_um']], place[c['column']])


def check_scores(result, recording):
    truth = recording.with_suffix('.truth.npz')
    ours = json.loads(run('compare', result, truth, '--json'))
    theirs = compare_sorter_to_ground_truth(si.NpzSortingExtractor(truth), si.NpzSortingExtractor(result / 'spikes.npz'),
        exhaustive_gt=True)
    by_unit = theirs.get_performance(method='by_unit')
    for key in 'accuracy', 'recall', 'precision':
        np.testing.assert_allclose(ours[key], by_unit[key].to_numpy(float), atol=1e-12)
    assert ours['well'] == theirs.count_well_detected_units(well_detected_score=.8)
    assert ours['false_positive'] == theirs.count_false_positive_units()
    assert ours['redundant'] == theirs.count_redundant_units()
    assert ours['overmerged'] == theirs.count_overmerged_units()


def main():
    with tempfile.TemporaryDirectory() as t:
        folder = pathlib.Path(t)
        recording = record(folder, 'four', layout='tetrode', channels=4, units=4, seconds=20)
        result = sort(folder, 'four')
        check_probe(recording)
        check_spikeinterface(result)
        check_phylib(result, recording, len(trains(result)[0]))
        check_scores(result, recording)
        recording = record(folder, 'one', layout='tetrode', channels=4, units=1, seconds=10, min_snr=12, median_snr=15,
            hash=0, artefacts=0)
        result = sort(folder, 'one')
        n_units = len(trains(result)[0])
        if n_units:
            check_spikeinterface(result)
            check_phylib(result, recording, n_units)
        recording = record(folder, 'long', layout='tetrode', channels=4, units=2, seconds=330, hash=0)
        result = sort(folder, 'long')
        check_phylib(result, recording, len(trains(result)[0]))
        assert (result / 'phy' / 'pc_feature_spike_ids.npy').exists(), 'features of an even spread are expected'
        silence = folder / 'silence.bin'
        silence.write_bytes(bytes(4 * 2 * 30000))
        run('sort', silence, '-o', folder / 'silence', '--format', 'raw', '--channels', 4, '--rate', 30000, '--gain', 1, '--quiet')
        assert len(si.NpzSortingExtractor(folder / 'silence' / 'spikes.npz').unit_ids) == 0
    print('SpikeInterface, phylib and probeinterface read what we wrote;', n_units, 'unit in the small one')


main()
