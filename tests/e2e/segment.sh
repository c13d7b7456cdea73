#!/bin/sh
# neuroset segment on a simulated movie: score, the same bytes, trivial and hostile input.
. "$(dirname "$0")/common.sh"
segment() { "$neuroset" segment "$@" -q; }

"$neuroset" simulate movie -o "$tmp/movie" --height 96 --width 96 --frames 120 --cells 10 --seed 11 -q
segment "$tmp/movie/movie.tif" -o "$tmp/a"
for f in run.json rois.json labels.tif rois.csv traces.npz traces.csv summary/mean.tif summary/mean.png; do
    [ -s "$tmp/a/$f" ] || fail "no $f"
done
"$neuroset" compare "$tmp/a" "$tmp/movie/regions.json" >"$tmp/score" || fail 'compare'

results='rois.json labels.tif rois.csv traces.npz traces.csv shifts.csv summary/mean.tif RoiSet.zip suite2p/plane0/stat.npy
suite2p/plane0/ops.npy suite2p/plane0/F.npy suite2p/plane0/iscell.npy'
segment "$tmp/movie/movie.tif" -o "$tmp/b" --threads 1
segment "$tmp/movie/movie.tif" -o "$tmp/c" --threads 3 --memory 256MB
same "$tmp/a" "$tmp/b" $results
same "$tmp/a" "$tmp/c" $results

# Masks that went out come back, with the same traces where weights are kept, and the same NWB at any number of threads.
for f in rois.json suite2p RoiSet.zip labels.tif; do
    segment "$tmp/movie/movie.tif" -o "$tmp/back" --overwrite --rois "$tmp/a/$f" --threads 3
    same "$tmp/a" "$tmp/back" labels.tif RoiSet.zip
done
for n in 1 3; do
    segment "$tmp/movie/movie.tif" -o "$tmp/nwb$n" --rois "$tmp/a" --nwb --rate 10 --threads $n
done
same "$tmp/nwb1" "$tmp/nwb3" segmentation.nwb
printf '[{"id": 4, "coordinates": [[1, 2], [1, 96]]}]' >"$tmp/outside.json"
expect 3 'region 0 (id 4): pixel \[row 1, column 96\] lies outside of the movie.s 96 x 96' \
    "$neuroset" segment "$tmp/movie/movie.tif" -o "$tmp/outside" --rois "$tmp/outside.json" -q
nothing_left "$tmp/outside"
expect 3 'none.zip' "$neuroset" segment "$tmp/movie/movie.tif" -o "$tmp/outside" --rois "$tmp/none.zip" -q
expect 2 'threshold is for masks that are found' \
    "$neuroset" segment "$tmp/movie/movie.tif" -o "$tmp/outside" --rois "$tmp/a" --threshold .5 -q
expect 2 'say --nwb as well' "$neuroset" segment "$tmp/movie/movie.tif" -o "$tmp/outside" --metadata "$tmp/outside.json" -q
expect 2 'give it with --rate' "$neuroset" segment "$tmp/movie/movie.tif" -o "$tmp/outside" --nwb -q
nothing_left "$tmp/outside"

expect 2 'exists already' "$neuroset" segment "$tmp/movie/movie.tif" -o "$tmp/a" -q
"$neuroset" simulate movie -o "$tmp/one" --height 32 --width 40 --frames 1 --cells 2 -q
segment "$tmp/one/movie.tif" -o "$tmp/oneout"
"$neuroset" simulate movie -o "$tmp/tiny" --height 8 --width 9 --frames 5 --cells 0 -q
segment "$tmp/tiny/movie.tif" -o "$tmp/tinyout"
head -c 20000 "$tmp/movie/movie.tif" >"$tmp/cut.tif"
expect 3 'cut.tif' "$neuroset" segment "$tmp/cut.tif" -o "$tmp/cutout" -q
nothing_left "$tmp/cutout"
printf 'no movie' >"$tmp/no.tif"
expect 3 'no.tif' "$neuroset" segment "$tmp/no.tif" -o "$tmp/noout" -q
nothing_left "$tmp/noout"

# channels, planes and cut files: what is read is said, what is not there is an error until it is asked for
head -c 20000 "$tmp/movie/movie.tif" >"$tmp/short.tif"
expect 3 'allow-missing' "$neuroset" segment "$tmp/short.tif" -o "$tmp/shortout" -q
segment "$tmp/short.tif" -o "$tmp/shortout" --allow-missing
grep -q 'are used' "$tmp/shortout/run.json" || fail 'a cut file is not said to be one'
expect 2 'channel' "$neuroset" segment "$tmp/movie/movie.tif" -o "$tmp/c9" --channel 9 -q
expect 2 'plane' "$neuroset" segment "$tmp/movie/movie.tif" -o "$tmp/p9" --plane 9 -q
"$neuroset" info "$tmp/movie/movie.tif" >"$tmp/info"
for fact in frames channels planes height width dtype; do
    grep -q "^  $fact .* from " "$tmp/info" || fail "info does not say where $fact came from"
done

# A lab's own field: mistakes are told before anything is simulated, and a model comes out that segments.
train() { "$neuroset" train segmenter "$tmp/movie/movie.tif" --from segmenter --steps 2 --simulated 1 -o "$tmp/own.safetensors" -q "$@"; }
expect 3 'cannot be read' train --labels "$tmp/nothing.json"
printf '[]' >"$tmp/none.json"
expect 3 'holds no region' train --labels "$tmp/none.json"
expect 2 'area ends at row 97' train --labels "$tmp/movie/regions.json" --area 0,0,97,50
train --labels "$tmp/movie/regions.json" --area 0,0,96,48
segment "$tmp/movie/movie.tif" -o "$tmp/own" --model "$tmp/own.safetensors"
