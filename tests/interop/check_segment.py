"""A segmentation of ours in the programs of the field: ImageJ's regions by roifile, the Suite2p folder by roiextractors and
by Suite2p's own function, NWB by pynwb, nwbinspector and roiextractors; their masks back through --rois."""
import ast
import datetime
import importlib.util
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import pynwb
import roifile
from nwbinspector import Importance, inspect_nwbfile
from roiextractors import NwbSegmentationExtractor, Suite2pSegmentationExtractor

neuroset = sys.argv[1]
SHAPE = 96, 112
METADATA = {
    'session_start_time': '2026-01-31T10:00:00+01:00', 'session_description': 'a test', 'experimenter': 'Doe, Jane',
    'institution': 'Here', 'lab': 'There', 'experiment_description': 'simulated', 'keywords': ['one', 'two'],
    'device': {'name': 'scope', 'description': 'a made-up microscope', 'manufacturer': 'nobody'},
    'imaging_plane': {'description': 'one plane', 'indicator': 'GCaMP6f', 'location': 'VISp', 'excitation_lambda': 920,
                      'optical_channel': {'name': 'green', 'description': 'green light', 'emission_lambda': 525.}},
    'subject': {'subject_id': 'm1', 'species': 'Mus musculus', 'sex': 'U', 'age': 'P60D', 'description': 'no mouse'},
}
# Masks that are hard to outline: a hole, two parts, a touch at a corner, the frame's edges; the first two overlap.
HARD = [[[3, 3], [3, 4], [3, 5], [4, 3], [4, 5], [5, 3], [5, 4], [5, 5]], [[5, 5], [5, 6], [20, 30], [20, 31]],
        [[40, 50], [41, 51], [42, 50], [41, 49]], [[0, 0], [0, 1], [95, 111], [95, 110], [94, 111]],
        [[60 + y, 60 + x] for y in range(9) for x in range(9) if (y - 4) ** 2 + (x - 4) ** 2 <= 18]]


def run(*args):
    return subprocess.run([neuroset, *map(str, args), '--quiet'], check=True, capture_output=True, text=True).stdout


def regions(result):
    return json.loads((result / 'rois.json').read_text())


def dense(region):
    mask = np.zeros(SHAPE, np.float32)
    mask[tuple(zip(*region['coordinates']))] = region['weights']
    return mask


def polygon_mask(paths):
    """Pixels whose centres lie inside, by the even-odd rule."""
    inside = np.zeros(SHAPE, bool)
    for path in paths:
        path = np.asarray(path, float)
        for (x0, y0), (x1, y1) in zip(path, np.roll(path, -1, 0)):
            for row in range(SHAPE[0]):
                y = row + .5
                if (y0 <= y) != (y1 <= y):
                    inside[row] ^= np.arange(SHAPE[1]) + .5 > x0 + (y - y0) / (y1 - y0) * (x1 - x0)
    return inside


def check_imagej(result):
    rois = roifile.roiread(result / 'RoiSet.zip')
    want = regions(result)
    assert len(rois) == len(want) and len({r.name for r in rois}) == len(rois)
    for roi, region in zip(rois, want):
        paths = roi.coordinates(multi=True)
        assert np.array_equal(polygon_mask(paths), dense(region) > 0), f'{roi.name}: another mask'
        rows, columns = np.nonzero(dense(region))
        assert (roi.top, roi.left, roi.bottom, roi.right) == (rows.min(), columns.min(), rows.max() + 1, columns.max() + 1)
        assert roi.name == f"{region['id']:04d}"


def suite2p_loader():
    """Suite2p's gui.io.load_files, alone: the package itself needs torch and Qt."""
    source = pathlib.Path(importlib.util.find_spec('suite2p').origin).parent / 'gui' / 'io.py'
    tree = ast.parse(source.read_text())
    tree.body = [n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == 'load_files']
    scope = {'np': np, 'os': os}
    exec(compile(tree, str(source), 'exec'), scope)
    return scope['load_files']


def check_suite2p(result):
    plane = result / 'suite2p' / 'plane0'
    z, want = np.load(result / 'traces.npz'), regions(result)
    stat, ops, f, fneu, spks, iscell, probability, *_ = suite2p_loader()(str(plane / 'stat.npy'))
    for name, got in (('raw', f), ('neuropil', fneu), ('events', spks)):
        assert got.dtype == np.float32 and np.array_equal(got, z[name]), name
    assert len(stat) == len(want) and iscell.all()
    for s, region, p in zip(stat, want, probability):
        mask = np.zeros(SHAPE, np.float32)
        mask[s['ypix'], s['xpix']] = s['lam']
        np.testing.assert_allclose(mask, dense(region), rtol=1e-5)
        assert s['npix'] == len(region['coordinates']) and s['radius'] >= 0 and s['compact'] >= 1
        assert s['overlap'].dtype == bool and list(s['med']) == [int(np.median(s['ypix'])), int(np.median(s['xpix']))]
        assert p == 1 if region['probability'] is None else abs(p - region['probability']) < 1e-5
        traces = z['corrected'][want.index(region)].astype(float)
        np.testing.assert_allclose(s['std'], traces.std(), rtol=1e-4)
    assert (ops['Ly'], ops['Lx'], ops['nframes'], ops['fs']) == (*SHAPE, 90, 10.)
    assert ops['meanImg'].shape == SHAPE and ops['Vcorr'].shape == SHAPE and len(ops['xoff']) in (0, 90)
    extractor = Suite2pSegmentationExtractor(str(result / 'suite2p'))
    assert extractor.get_num_rois() == len(want) and extractor.get_sampling_frequency() == 10
    np.testing.assert_array_equal(extractor.get_traces(name='raw'), z['raw'].T)
    masks = extractor.get_roi_image_masks()
    np.testing.assert_array_equal(np.moveaxis(masks, -1, 0) > 0, [dense(r) > 0 for r in want])


def findings(path, least):
    return [m for m in inspect_nwbfile(nwbfile_path=str(path)) if m.importance.value >= least.value]


def check_nwb(result, metadata):
    path = result / 'segmentation.nwb'
    z, want = np.load(result / 'traces.npz'), regions(result)
    problems = pynwb.validate(path=str(path))
    assert not problems, problems
    with pynwb.NWBHDF5IO(path, 'r') as io:
        nwb = io.read()
        ophys = nwb.processing['ophys']
        table = ophys['ImageSegmentation']['PlaneSegmentation']
        assert list(table.id[:]) == [r['id'] for r in want]
        for i, region in enumerate(want):
            np.testing.assert_allclose(table['image_mask'].data[i].T, dense(region), rtol=1e-5)
            mask = np.zeros(SHAPE, np.float32)
            for x, y, w in table['pixel_mask'][i]:
                mask[y, x] = w
            np.testing.assert_array_equal(mask, table['image_mask'].data[i].T)
        for group, name, key in (('Fluorescence', 'RoiResponseSeries', 'raw'), ('Fluorescence', 'Neuropil', 'neuropil'),
                                 ('Fluorescence', 'Deconvolved', 'events'), ('DfOverF', 'RoiResponseSeries', 'dff')):
            series = ophys[group][name]
            np.testing.assert_array_equal(series.data[:], z[key].T)
            assert series.rate == 10 and series.starting_time == 0 and list(series.rois.data[:]) == list(range(len(want)))
        plane = table.imaging_plane
        if metadata:
            assert plane.excitation_lambda == 920 and plane.indicator == 'GCaMP6f' and plane.device.name == 'scope'
            assert plane.optical_channel[0].name == 'green' and plane.optical_channel[0].emission_lambda == 525
            assert nwb.session_start_time == datetime.datetime.fromisoformat(metadata['session_start_time'])
        else:
            assert plane.indicator == plane.location == 'unknown' and np.isnan(plane.excitation_lambda)
    if want:
        extractor = NwbSegmentationExtractor(str(path))
        assert extractor.get_num_rois() == len(want) and extractor.get_sampling_frequency() == 10
        np.testing.assert_array_equal(extractor.get_traces(name='dff'), z['dff'].T)
        np.testing.assert_allclose(np.moveaxis(extractor.get_roi_image_masks(), -1, 0), [dense(r) for r in want], rtol=1e-5)
        least = Importance.BEST_PRACTICE_SUGGESTION if metadata else Importance.CRITICAL
        assert not findings(path, least), findings(path, least)


def check(result, metadata=None):
    check_imagej(result)
    if regions(result):
        check_suite2p(result)
    check_nwb(result, metadata)


with tempfile.TemporaryDirectory() as t:
    folder = pathlib.Path(t)
    movie = folder / 'movie' / 'movie.tif'
    run('simulate', 'movie', '-o', folder / 'movie', '--height', SHAPE[0], '--width', SHAPE[1], '--frames', 90, '--cells',
        14, '--seed', 4)
    (folder / 'm.json').write_text(json.dumps(METADATA))
    run('segment', movie, '-o', folder / 'found', '--rate', 10, '--nwb', '--metadata', folder / 'm.json')
    assert regions(folder / 'found'), 'no cell was found on the simulated movie'
    check(folder / 'found', METADATA)
    (folder / 'hard.json').write_text(json.dumps([{'id': 3 * i, 'coordinates': c} for i, c in enumerate(HARD)]))
    run('segment', movie, '-o', folder / 'hard', '--rate', 10, '--nwb', '--rois', folder / 'hard.json')
    check(folder / 'hard')
    assert [r['id'] for r in regions(folder / 'hard')] == [0, 3, 6, 9, 12]
    (folder / 'none.json').write_text('[]')
    run('segment', movie, '-o', folder / 'none', '--rate', 10, '--nwb', '--rois', folder / 'none.json')
    check(folder / 'none')

    for name in ('found', 'hard'):  # masks that went out come back
        for file in ('RoiSet.zip', 'suite2p', 'labels.tif', 'rois.json'):
            back = folder / (name + file)
            run('segment', movie, '-o', back, '--rate', 10, '--rois', folder / name / file)
            got, want = regions(back), regions(folder / name)
            assert [r['coordinates'] for r in got] == [r['coordinates'] for r in want], (name, file)
            if file in ('suite2p', 'rois.json'):
                np.testing.assert_allclose(np.load(back / 'traces.npz')['raw'], np.load(folder / name / 'traces.npz')['raw'],
                                           rtol=1e-5)
    rois = [roifile.ImagejRoi.frompoints([[10.5, 5.25], [30, 8], [22, 30]]),
            roifile.ImagejRoi.frompoints([[40, 40], [50, 40], [50, 61], [40, 61]])]
    rois[0].name, rois[1].name = 'a', 'b'
    roifile.roiwrite(folder / 'theirs.zip', rois)
    run('segment', movie, '-o', folder / 'theirs', '--rate', 10, '--rois', folder / 'theirs.zip')
    for roi, region in zip(rois, regions(folder / 'theirs')):
        assert np.array_equal(polygon_mask([roi.coordinates()]), dense(region) > 0), 'a polygon of roifile is another mask'
    print('roifile, roiextractors, Suite2p, pynwb and nwbinspector read', len(regions(folder / 'found')), 'cells; we read theirs')
