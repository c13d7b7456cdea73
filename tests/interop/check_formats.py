"""Movies written by tifffile, NumPy, h5py and pynwb: what neuroset says of them, and the mean image it makes of 32 frames."""
import datetime
import json
import pathlib
import subprocess
import sys
import tempfile

import h5py
import numpy as np
import pynwb
import tifffile

neuroset = sys.argv[1]
T, Z, C, H, W = 32, 2, 3, 18, 22
rng = np.random.default_rng(3)
movie = rng.integers(0, 4000, (T, Z, C, H, W)).astype(np.uint16)


def run(*args):
    return subprocess.run([neuroset, *map(str, args)], check=True, capture_output=True, text=True).stdout


def check(path, x, **want):
    """x (t, z, c, y, x); want: members of info's JSON."""
    info = json.loads(run('info', '--json', path))
    shape = tuple(info[k] for k in ('frames', 'planes', 'channels', 'height', 'width'))
    assert shape == x.shape, (path, shape, x.shape)
    for name, value in want.items():
        assert np.allclose(info[name], value, rtol=1e-5), (path, name, info[name], value)
    for z in range(x.shape[1]):
        for c in range(x.shape[2]):
            with tempfile.TemporaryDirectory() as out:
                run('segment', path, '-o', out + '/o', '--quiet', '--rate', 10, '--motion', 'none', '--bin', 1, '--channel', c + 1,
                    '--plane', z + 1)
                mean = tifffile.imread(out + '/o/summary/mean.tif')
            assert np.allclose(mean, x[:, z, c].mean(0), rtol=1e-5, atol=1e-3), (path, z, c)


def write_nwb(path, x):
    nwb = pynwb.NWBFile('a movie', path.stem, datetime.datetime(2024, 1, 2, tzinfo=datetime.timezone.utc))
    device = nwb.create_device('microscope')
    channel = pynwb.ophys.OpticalChannel(name='green', description='green', emission_lambda=520.)
    plane = nwb.create_imaging_plane(name='plane', optical_channel=channel, description='-', device=device,
        excitation_lambda=920., indicator='GCaMP', location='V1', grid_spacing=[1e-6, 2e-6], grid_spacing_unit='meters')
    nwb.add_acquisition(pynwb.ophys.TwoPhotonSeries(name='movie', data=x.transpose(0, 2, 1), imaging_plane=plane, rate=12.5,
        unit='n.a.'))
    with pynwb.NWBHDF5IO(str(path), 'w') as io:
        io.write(nwb)


with tempfile.TemporaryDirectory() as folder:
    folder = pathlib.Path(folder)
    one = movie[:, :1, :1]
    for order in '<>':
        tifffile.imwrite(folder / 'plain.tif', one[:, 0, 0], byteorder=order, photometric='minisblack', rowsperstrip=5)
        check(folder / 'plain.tif', one)
        tifffile.imwrite(folder / 'hyper.tif', movie, imagej=True, byteorder=order, resolution=(2, 4),
            metadata={'axes': 'TZCYX', 'finterval': .25, 'unit': 'um', 'spacing': 5})
        check(folder / 'hyper.tif', movie, rate_hz=4, pixel_height_width_um=[.25, .5])
    tifffile.imwrite(folder / 'signed.tif', one[:, 0, 0].astype(np.int16) - 2000, photometric='minisblack', bigtiff=True)
    check(folder / 'signed.tif', one.astype(int) - 2000)
    tifffile.imwrite(folder / 'deflate.tif', one[:, 0, 0].astype(np.float32), compression='zlib',
        photometric='minisblack')
    check(folder / 'deflate.tif', one)
    tifffile.imwrite(folder / 'axes.tif', movie, photometric='minisblack', metadata={'axes': 'TZCYX'})
    check(folder / 'axes.tif', movie)
    tifffile.imwrite(folder / 'planes.ome.tif', movie.transpose(2, 0, 1, 3, 4), photometric='minisblack', ome=True,
        metadata={'axes': 'CTZYX', 'TimeIncrement': .125, 'PhysicalSizeX': .5, 'PhysicalSizeY': .25})
    check(folder / 'planes.ome.tif', movie, rate_hz=8, pixel_height_width_um=[.25, .5])
    np.save(folder / 'five.npy', movie)
    check(folder / 'five.npy', movie)
    np.save(folder / 'fortran.npy', np.asfortranarray(one[:, 0, 0].astype('>i4')))
    check(folder / 'fortran.npy', one)
    with h5py.File(folder / 'chunks.h5', 'w') as f:
        f.create_dataset('mov', data=one[:, 0, 0], chunks=(4, 7, 9), compression='gzip', shuffle=True)
        f['mov'].attrs['fr'] = 30.
    check(folder / 'chunks.h5', one, rate_hz=30)
    write_nwb(folder / 'movie.nwb', one[:, 0, 0])
    check(folder / 'movie.nwb', one, rate_hz=12.5, pixel_height_width_um=[2, 1])
    print('TIFF, OME-TIFF, NumPy, HDF5 and NWB movies are read as they were written')
