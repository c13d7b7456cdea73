#!/bin/sh
# demo.sh [FOLDER]: installs what is missing (Debian 12), builds neuroset, sorts a recording, segments a movie, scores both
# against their truth, and says where to look. Results in build/demo, or in FOLDER.
set -eu
cd "$(dirname "$0")/.."
out=${1:-build/demo}
step() { printf '\n== %s\n' "$1"; }

step 'packages'
sh tests/install.sh build

step 'build'
[ -f build/build.ninja ] || meson setup build >build.log 2>&1 || { cat build.log; exit 1; }
rm -f build.log
ninja -C build app/neuroset
neuroset=build/app/neuroset
NEUROSET_MODELS=$PWD/models
export NEUROSET_MODELS

mkdir -p "$out"
step 'sort: a tetrode recording, its units known (datasets/tetrode.bin)'
$neuroset sort datasets/tetrode.bin -o "$out/sorted" --overwrite
step 'segment: a calcium movie, its cells known (datasets/movie/movie.tif)'
$neuroset segment datasets/movie/movie.tif -o "$out/segmented" --overwrite

step 'scores against the truth'
$neuroset compare "$out/sorted" datasets/tetrode.truth.npz
$neuroset compare "$out/segmented" datasets/movie/regions.json

step 'where to look'
cat <<TEXT
  $out/sorted/units.csv                   a row a unit
  $out/sorted/phy/params.py               phy template-gui $out/sorted/phy/params.py
  $out/segmented/summary/outlines.png      outlines of the cells over the mean image
  $out/segmented/rois.csv, traces.csv     a row a cell; dF/F, a column a cell
  $out/*/run.json                         settings, facts, warnings, times
TEXT
