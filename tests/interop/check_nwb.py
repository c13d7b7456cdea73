"""NWB both ways: a sorting of ours opened by pynwb, nwbinspector and SpikeInterface, a recording of pynwb's by us."""
import csv
import datetime
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import pynwb
import spikeinterface.extractors as se
from nwbinspector import Importance, inspect_nwbfile
from pynwb.ecephys import ElectricalSeries

neuroset = sys.argv[1]
METADATA = {
    'session_start_time': '2026-01-31T10:00:00.5+01:00', 'session_description': 'a test', 'experimenter': 'Doe, Jane',
    'institution': 'Here', 'lab': 'There', 'experiment_description': 'simulated', 'keywords': ['one', 'two'],
    'electrode_location': 'CA1', 'device': {'name': 'np1', 'description': 'a made-up probe', 'manufacturer': 'nobody'},
    'subject': {'subject_id': 'm1', 'species': 'Mus musculus', 'sex': 'U', 'age': 'P60D', 'description': 'no mouse'},
}


def run(*args):
    return subprocess.run([neuroset, *map(str, args)], check=True, capture_output=True, text=True).stdout


def sort(recording, result, *args):
    run('sort', recording, '-o', result, '--nwb', '--quiet', *args)
    return result


def findings(path, least):
    return [m for m in inspect_nwbfile(nwbfile_path=str(path)) if m.importance.value >= least.value]


def check_units(units, result):
    z = np.load(result / 'spikes.npz')
    rows = list(csv.DictReader(open(result / 'units.csv', newline='')))
    templates = np.load(result / 'phy' / 'templates.npy')[:len(rows)]
    assert len(units) == len(rows), (len(units), len(rows))
    for i, row in enumerate(rows):
        times = z['spike_times_s'][z['spike_labels_seg0'] == i]
        assert np.array_equal(units['spike_times'][i], times), f'spike times of unit {i} differ'
        assert units['quality'][i] == row['label'] and units['quality_reason'][i] == row['reason'], row
        assert units['n_spikes'][i] == len(times) and units['largest_electrode'][i] == int(row['channel'])
        for key in set(row) - {'id', 'channel', 'depth_um', 'n_spikes', 'label', 'reason'}:
            if row[key]:
                np.testing.assert_allclose(units[key][i], float(row[key]), rtol=1e-5)
            else:
                assert key not in units.colnames or np.isnan(units[key][i]), key
    if rows:
        np.testing.assert_allclose(units['waveform_mean'][:] * 1e6, templates, rtol=1e-5, atol=1e-5)
        assert units['waveform_mean'].data.attrs['unit'] == 'volts'


def check_electrodes(nwb, recording):
    info = json.loads(run('info', '--json', recording))['channel_list']
    e = nwb.electrodes.to_dataframe()
    assert list(e['rel_x']) == [c['x_um'] for c in info] and list(e['rel_y']) == [c['y_um'] for c in info]
    assert list(e['file_column']) == [c['column'] for c in info]
    assert [g.name for g in e['group']] == list(e['group_name']) == [f"shank{c['shank']}" for c in info]


def check_result(result, recording, metadata=None):
    path = result / 'sorting.nwb'
    problems = pynwb.validate(path=str(path))
    assert not problems, problems
    with pynwb.NWBHDF5IO(path, 'r') as io:
        nwb = io.read()
        check_units(nwb.units, result)
        check_electrodes(nwb, recording)
        assert nwb.was_generated_by[0][0] == 'neuroset' and recording.name in nwb.data_collection
        if metadata:
            assert nwb.session_start_time == datetime.datetime.fromisoformat(metadata['session_start_time'])
            assert list(nwb.experimenter) == [metadata['experimenter']] and list(nwb.keywords) == metadata['keywords']
            assert nwb.subject.age == 'P60D' and nwb.subject.species == 'Mus musculus'
            assert nwb.devices['np1'].manufacturer == 'nobody' and set(nwb.electrodes['location'][:]) == {'CA1'}
        else:
            assert 'unknown' in nwb.session_description and nwb.subject.subject_id == 'unknown'
        return list(nwb.units['obs_intervals'][0]) if len(nwb.units) else []


def write_recording(path, binary, facts, probe):
    """The same samples as an ElectricalSeries with timestamps: from 2 s on, and half a second missing in the middle."""
    raw = np.fromfile(binary, np.int16).reshape(-1, facts['num_channels'])
    nwb = pynwb.NWBFile('x', 'y', datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc))
    group = nwb.create_electrode_group('g', 'd', 'l', nwb.create_device('dev'))
    places = dict(zip(probe['device_channel_indices'], probe['contact_positions']))
    for c in range(raw.shape[1]):
        nwb.add_electrode(location='l', group=group, rel_x=float(places[c][0]), rel_y=float(places[c][1]))
    times = 2 + np.arange(len(raw)) / facts['sampling_rate']
    times[len(raw) // 2:] += .5
    region = nwb.create_electrode_table_region(list(range(raw.shape[1])), 'all')
    nwb.add_acquisition(ElectricalSeries('Raw', raw, region, timestamps=times, conversion=facts['gain_to_uv'] * 1e-6))
    with pynwb.NWBHDF5IO(path, 'w') as io:
        io.write(nwb)
    return len(raw) / facts['sampling_rate']


with tempfile.TemporaryDirectory() as t:
    folder = pathlib.Path(t)
    recording = folder / 'a.bin'
    run('simulate', 'recording', '-o', folder, '--name', 'a', '--layout', 'tetrode', '--channels', 8, '--units', 5,
        '--seconds', 20, '--quiet')
    plain = sort(recording, folder / 'plain')
    check_result(plain, recording)
    assert not findings(plain / 'sorting.nwb', Importance.CRITICAL), findings(plain / 'sorting.nwb', Importance.CRITICAL)
    again = sort(recording, folder / 'again', '--threads', 2, '--memory', '500MB')
    assert (plain / 'sorting.nwb').read_bytes() == (again / 'sorting.nwb').read_bytes(), 'a second run gives other bytes'
    (folder / 'm.json').write_text(json.dumps(METADATA))
    full = sort(recording, folder / 'full', '--metadata', folder / 'm.json')
    check_result(full, recording, METADATA)
    left = findings(full / 'sorting.nwb', Importance.BEST_PRACTICE_SUGGESTION)
    assert not left, left
    sorting = se.read_nwb_sorting(str(full / 'sorting.nwb'), sampling_frequency=30000., t_start=0.)
    z = np.load(full / 'spikes.npz')
    for i, unit in enumerate(sorting.unit_ids):
        assert np.array_equal(sorting.get_unit_spike_train(unit), z['spike_indexes_seg0'][z['spike_labels_seg0'] == i])

    facts = json.loads((folder / 'a.json').read_text())
    probe = json.loads((folder / 'a.probe.json').read_text())['probes'][0]
    seconds = write_recording(folder / 'a.nwb', recording, facts, probe)
    info = json.loads(run('info', '--json', folder / 'a.nwb'))
    assert len(info['channel_list']) == 8, info
    result = sort(folder / 'a.nwb', folder / 'from_nwb')
    intervals = check_result(result, folder / 'a.nwb')
    np.testing.assert_allclose(intervals, [[2, 2 + seconds / 2], [2.5 + seconds / 2, 2.5 + seconds]], atol=1e-6)

    silence = folder / 'silence.bin'
    silence.write_bytes(bytes(4 * 2 * 30000))
    nothing = folder / 'nothing'
    run('sort', silence, '-o', nothing, '--format', 'raw', '--channels', 4, '--rate', 30000, '--gain', 1, '--nwb',
        '--keep-bad-channels', '--quiet')
    assert not pynwb.validate(path=str(nothing / 'sorting.nwb'))
    with pynwb.NWBHDF5IO(nothing / 'sorting.nwb', 'r') as io:
        assert len(io.read().units) == 0
    print('pynwb, nwbinspector and SpikeInterface read our NWB:', len(sorting.unit_ids), 'units; we read theirs')
