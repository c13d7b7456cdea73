#!/bin/sh
# speed.sh PEAK NEUROSET FRAMES: speed of sorting and segmenting against real time, and peak memory on long files, on two threads.
# The long files are sparse: zeros that take no disk. Bars: the lines say them; a line that misses its bar ends in MISS.
set -eu
peak=$1 neuroset=$2 frames=$3
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
failed=0

report() { # report NAME VALUE UNIT <=|>= BAR
    verdict=$(awk "BEGIN { print $2 $4 $5 ? \"\" : \"MISS\" }")
    printf '%-52s %8s %-14s %s %s  %s\n' "$1" "$2" "$3" "$4" "$5" "$verdict"
    [ -z "$verdict" ] || failed=1
}

measure() { # measure COMMAND...: sets seconds and megabytes
    rm -rf "$tmp/out"
    "$peak" "$neuroset" "$@" -o "$tmp/out" -q --threads 2 >"$tmp/log"
    read -r seconds megabytes <<TEXT
$(tail -1 "$tmp/log")
TEXT
}
ratio() { awk "BEGIN { printf \"%.3g\", $1 / $2 }"; }

"$neuroset" simulate recording --seed 5 --seconds 60 --channels 32 -o "$tmp/rec" -q >/dev/null
measure sort "$tmp/rec/recording.bin"
report 'sort, 32 channels, 60 s at 30 kHz' "$(ratio "$seconds" 60)" 'x real time' '<=' 0.05
report 'sort, 32 channels, 60 s: start to finish' "$seconds" s '<=' 4

# Movies of 512 x 512: the pages of a simulated one over and over, uncompressed; then sparse ones of zeros.
"$neuroset" simulate movie --seed 5 --height 512 --width 512 --frames 300 --cells 150 -o "$tmp/movie" -q >/dev/null
n=${NEUROSET_BENCH_FRAMES:-4000}
"$frames" make "$tmp/movie.tif" "$n" "$(find "$tmp/movie" -name '*.tif' | head -1)"
printf '%-52s %8s %s\n' "libtiff alone, 512 x 512, one core" "$("$frames" read "$tmp/movie.tif")" 'frames/s'
for bar in none:600 rigid:200 blocks:80; do
    motion=${bar%:*}
    measure segment "$tmp/movie.tif" --motion "$motion"
    report "segment, 512 x 512, $n frames, --motion $motion" "$(ratio "$n" "$seconds")" 'frames/s' '>=' "${bar#*:}"
    report "segment, 512 x 512, $n frames: peak memory" "$megabytes" MB '<=' 500
done
for n in 600 ${NEUROSET_BENCH_LONG:-100000}; do
    "$frames" make "$tmp/sparse.tif" "$n"
    measure segment "$tmp/sparse.tif" --motion rigid
    report "segment, 512 x 512, $n frames of zeros: peak memory" "$megabytes" MB '<=' 500
done
rm -rf "$tmp/movie" "$tmp/movie.tif" "$tmp/sparse.tif"

for length in 30 120; do
    truncate -s $((384 * 2 * 30000 * length)) "$tmp/long.bin"
    measure sort "$tmp/long.bin" --format raw --channels 384 --rate 30000 --gain 0.195
    report "sort, 384 channels, $length s of silence: peak memory" "$megabytes" MB '<=' 1000
done
rm "$tmp/long.bin"
"$neuroset" simulate recording --seed 5 --seconds 20 --layout np1 --channels 384 --units 200 -o "$tmp/wide" -q >/dev/null
measure sort "$tmp/wide/recording.bin"
report 'sort, 384 channels, 20 s, 200 units' "$(ratio "$seconds" 20)" 'x real time' '<=' 0.5
report 'sort, 384 channels, 20 s, 200 units: peak memory' "$megabytes" MB '<=' 1000
short=$megabytes # the same recording three times over, as one of three files
measure sort "$tmp/wide/recording.bin" "$tmp/wide/recording.bin" "$tmp/wide/recording.bin"
report 'sort, 384 channels, 60 s, 200 units' "$(ratio "$seconds" 60)" 'x real time' '<=' 0.5
report 'sort, 384 channels, 60 s, 200 units: peak memory' "$megabytes" MB '<=' 1000
report 'sort, 384 channels: peak memory, 60 s over 20 s' "$(ratio "$megabytes" "$short")" x '<=' 1.05
exit $failed
