#!/bin/sh
# neuroset info --check: each defect is found and named, a sound recording has none; the probe drawn.
. "$(dirname "$0")/common.sh"
damage=$3
"$neuroset" simulate recording -o "$tmp" --name r --layout linear --channels 16 --units 4 --seconds 5 --artefacts 0 -q >/dev/null

check() { # check PATTERN CHANGE...: a warning with these words, on r with these changes
    pattern=$1
    shift
    "$damage" "$tmp/r" "$tmp/d" "$@"
    "$neuroset" info --check "$tmp/d.bin" >"$tmp/said"
    grep -q "^  warning.*$pattern" "$tmp/said" || { cat "$tmp/said"; fail "no warning '$pattern' after $*"; }
}

"$neuroset" info --check "$tmp/r.bin" >"$tmp/said"
! grep '^  warning' "$tmp/said" || fail 'a sound recording is warned of'
grep -q 'none of 16 is flat, dead, clipped, noisy or a copy' "$tmp/said" || fail 'sound channels are not said to be'
grep -q 'neighbours on the probe are the most alike' "$tmp/said" || fail 'a right map is not said to be'
grep -q 'sort .* about .* s on two cores' "$tmp/said" || fail 'no expected time'
[ "$(grep -c 'o$' "$tmp/said")" = 16 ] || fail 'the probe is not drawn as 16 rows'

check 'column 5,.*flat: constant at' constant=5:-32768
check 'column 5,.*dead: noise' dead=5
check 'column 11,.*noisy: noise' noisy=11:400
check 'column 9,.*copy of channel 3 (column 3)' copy=9:3
check 'contacts lie where another one lies (first: columns 6 and 7' place=7:6
check 'the channel map looks permuted' shuffle=3
check 'gain.*wrong by a factor of 1000$' gain=0.001
check 'gain.*wrong by a factor of 0.001$' gain=1000
check 'gain.*wrong by a factor of 1e+06' gain=1e-6
check 'column 15,.*clipped: .* of the samples stand at' scale=30 constant=15:0 copy=15:14 scale=100
check 'stand at a limit for a while' rails=100:2000
grep -q '^ *[0-9.]* um *o$' "$tmp/said" || fail 'the probe has no heights'

"$damage" "$tmp/r" "$tmp/d" constant=5:7
"$neuroset" info --check "$tmp/d.bin" | grep -q 'x$' || fail 'a bad channel is not crossed out'
"$neuroset" info --check --json "$tmp/d.bin" | grep -q '"level": "warning"' || fail 'JSON has no warning'

# the order of the columns does not matter when the probe says where they are
"$damage" "$tmp/r" "$tmp/n" renumber=5
"$neuroset" info --check "$tmp/n.bin" >"$tmp/said"
! grep '^  warning' "$tmp/said" || fail 'renumbered channels are warned of'

# sorting without them: the same spikes as when they were never wired
for defect in constant=5:0 dead=5 noisy=5:400 copy=5:4; do
    "$damage" "$tmp/r" "$tmp/d" "$defect"
    "$damage" "$tmp/r" "$tmp/u" "$defect" unwire=5
    "$neuroset" sort "$tmp/d.bin" -o "$tmp/sd" --overwrite -q
    "$neuroset" sort "$tmp/u.bin" -o "$tmp/su" --overwrite -q
    same "$tmp/sd" "$tmp/su" spikes.npz units.csv phy/templates.npy
    grep -q '"warnings": \[[^]]*column 5' "$tmp/sd/run.json" || tr -d '\n' <"$tmp/sd/run.json" |
        grep -q '"warnings": \[[^]]*column 5' || fail "run.json does not warn of $defect"
    grep -q '"left_out": true' "$tmp/sd/run.json" || fail "run.json does not say that it is left out: $defect"
done
"$neuroset" sort "$tmp/d.bin" -o "$tmp/kept" --keep-bad-channels -q
grep -q '"left_out": false' "$tmp/kept/run.json" || fail '--keep-bad-channels does not keep'
