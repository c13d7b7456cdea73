"""A segmentation of ours opened by tifffile, NumPy and the neurofinder challenge's way of loading regions."""
import csv
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import tifffile

neuroset = sys.argv[1]


def run(*args):
    return subprocess.run([neuroset, *map(str, args)], check=True, capture_output=True, text=True).stdout


def neurofinder_masks(path, shape):
    """As the challenge's example does: a mask a region, rows and columns from its coordinates."""
    masks = np.zeros((0, *shape), bool)
    for region in json.load(open(path)):
        mask = np.zeros(shape, bool)
        mask[tuple(zip(*region['coordinates']))] = True
        masks = np.concatenate([masks, mask[None]])
    return masks


with tempfile.TemporaryDirectory() as folder:
    folder = pathlib.Path(folder)
    run('simulate', 'movie', '-o', folder / 'movie', '--height', 96, '--width', 112, '--frames', 90, '--cells', 14,
        '--seed', 4, '--quiet')
    run('segment', folder / 'movie' / 'movie.tif', '-o', folder / 'out', '--rate', 10, '--quiet')
    out = folder / 'out'
    frames = tifffile.imread(folder / 'movie' / 'movie.tif')
    assert frames.shape == (90, 96, 112) and frames.dtype == np.uint16, frames.shape
    masks = neurofinder_masks(out / 'rois.json', frames.shape[1:])
    assert len(masks) > 0, 'no cell was found on the simulated movie'
    truth = neurofinder_masks(folder / 'movie' / 'regions.json', frames.shape[1:])
    assert (truth.any(0) & masks.any(0)).sum() > .3 * truth.any(0).sum(), 'masks and labels hardly overlap: rows and columns?'

    labels = tifffile.imread(out / 'labels.tif')
    labels = labels.reshape(-1, *frames.shape[1:])
    with tifffile.TiffFile(out / 'labels.tif') as t:
        assert t.is_imagej, 'labels.tif is not an ImageJ stack'
    assert np.array_equal((labels > 0).any(0), masks.any(0)), 'labels.tif and rois.json disagree'
    areas = [int((labels == k).sum()) for k in np.unique(labels[labels > 0])]
    assert sorted(areas) == sorted(int(m.sum()) for m in masks), 'areas differ'

    mean = tifffile.imread(out / 'summary' / 'mean.tif')
    assert mean.dtype == np.float32 and mean.shape == frames.shape[1:]
    assert np.corrcoef(mean.ravel(), frames.mean(0).ravel())[0, 1] > .95, 'the mean image is another'

    z = np.load(out / 'traces.npz')
    assert z['raw'].shape == (len(masks), 90), z['raw'].shape
    assert all(np.isfinite(z[k]).all() for k in ('raw', 'neuropil', 'corrected', 'dff', 'events')), 'not finite'
    rows = list(csv.DictReader(open(out / 'rois.csv')))
    assert [int(r['area']) for r in rows] == [int(m.sum()) for m in masks], 'rois.csv: areas differ'
    print('tifffile, NumPy and the neurofinder loader read', len(masks), 'cells')
