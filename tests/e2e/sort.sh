#!/bin/sh
# neuroset sort on the sample: score, the same bytes, trivial and hostile input.
. "$(dirname "$0")/common.sh"
rec=$source/datasets/tetrode.bin
sort() { "$neuroset" sort "$@" -q; }

sort "$rec" -o "$tmp/a"
for f in run.json units.csv spikes.npz phy/params.py phy/spike_times.npy; do
    [ -s "$tmp/a/$f" ] || fail "no $f"
done
"$neuroset" compare "$tmp/a" "$source/datasets/tetrode.truth.npz" --json >"$tmp/score"
accuracy=$(sed -n 's/.*"mean_accuracy": *\([0-9.]*\).*/\1/p' "$tmp/score")
awk "BEGIN { exit !($accuracy >= .7) }" || fail "mean accuracy $accuracy on the sample, at least .7 expected"

# the same bytes: again, threads, memory, instruction sets, channels renumbered
results='units.csv spikes.npz phy/templates.npy'
sort "$rec" -o "$tmp/b" --threads 1
sort "$rec" -o "$tmp/c" --threads 3 --memory 256MB
sort "$rec" -o "$tmp/d" --threads 2 --memory 2GB
same "$tmp/a" "$tmp/b" $results
same "$tmp/a" "$tmp/c" $results
same "$tmp/a" "$tmp/d" $results
"$3" "$source/datasets/tetrode" "$tmp/renumbered"
sort "$tmp/renumbered.bin" -o "$tmp/e"
same "$tmp/a" "$tmp/e" $results
hash() { grep -o '"result_xxh3_128": "[0-9a-f]*"' "$1/run.json"; }
[ "$(hash "$tmp/a")" = "$(hash "$tmp/e")" ] || fail 'the hash in run.json changes when channels are renumbered'

# an existing folder is kept
expect 2 'exists already' "$neuroset" sort "$rec" -o "$tmp/a" -q
sort "$rec" -o "$tmp/a" --overwrite

# the same bytes: cut into two files; info and run.json tell of both
head -c 400000 "$rec" >"$tmp/first.bin"
tail -c +400001 "$rec" >"$tmp/second.bin"
for f in first second; do
    grep -v num_samples "$source/datasets/tetrode.json" | sed "s/tetrode.bin/$f.bin/" >"$tmp/$f.json"
done
cp "$source/datasets/tetrode.probe.json" "$tmp/"
sort "$tmp/first.bin" "$tmp/second.bin" -o "$tmp/f"
same "$tmp/a" "$tmp/f" $results
grep -q "first.bin', '.*second.bin'\]" "$tmp/f/phy/params.py" || fail 'params.py does not name both files'
"$neuroset" info --joined "$tmp/first.bin" "$tmp/second.bin" | grep -q '148000 in 2 pieces' || fail 'info --joined'

# trivial input: a valid, empty result
raw='--format raw --rate 30000 --gain 0.195'
head -c 2400000 /dev/zero >"$tmp/silence.bin"
sort "$tmp/silence.bin" -o "$tmp/silence" $raw --channels 4
head -c 24000 "$rec" >"$tmp/short.bin"
sort "$tmp/short.bin" -o "$tmp/short" $raw --channels 4
: >"$tmp/nothing.bin"
expect 3 'no whole frame of 4 channels' "$neuroset" sort "$tmp/nothing.bin" -o "$tmp/nothing" $raw --channels 4 -q
nothing_left "$tmp/nothing"
head -c 8 "$rec" >"$tmp/one.bin"
sort "$tmp/one.bin" -o "$tmp/one" $raw --channels 4
head -c 1200000 "$rec" >"$tmp/onechannel.bin"
sort "$tmp/onechannel.bin" -o "$tmp/onechannel" $raw --channels 1
for f in silence short one; do
    [ "$(wc -l <"$tmp/$f/units.csv")" -ge 1 ] || fail "no units.csv for $f"
done
[ "$(wc -l <"$tmp/silence/units.csv")" = 1 ] || fail 'silence has units'

# hostile input: one clear line, nothing left
head -c 120001 "$rec" >"$tmp/torn.bin"
"$neuroset" sort "$tmp/torn.bin" -o "$tmp/torn" $raw --channels 4 2>"$tmp/stderr"
grep -q 'torn frame' "$tmp/stderr" || fail 'a torn frame is not told'
tr -d '\n' <"$source/datasets/tetrode.probe.json" |
    sed 's/"device_channel_indices": *\[[^]]*\]/"device_channel_indices": [0, 1, 2, 9]/' >"$tmp/wrong.probe.json"
expect 3 'wired to channel 9' "$neuroset" sort "$rec" -o "$tmp/wrong" --probe "$tmp/wrong.probe.json" -q
nothing_left "$tmp/wrong"
printf 'not a model' >"$tmp/bad.safetensors"
expect 3 'bad.safetensors' "$neuroset" sort "$rec" -o "$tmp/bad" --model "$tmp/bad.safetensors" -q
nothing_left "$tmp/bad"
expect 4 'cannot be made' "$neuroset" sort "$rec" -o /proc/neuroset-result -q
